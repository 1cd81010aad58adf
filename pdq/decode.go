package pdq

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// DefaultMaxPixels is 100 million: more than cameras and scanners of the day
// give, and some hundred megabytes of memory in the worst of the formats.
const DefaultMaxPixels = 100 << 20

type jpegState struct{}

// Decode hashes an encoded picture: JPEG, PNG, GIF (its first frame), WebP or
// BMP, told apart by their first bytes. Errors are [*Error].
func (h *Hasher) Decode(data []byte) (Result, error) {
	f := sniff(data)
	if f == nil {
		return Result{}, &Error{Reason: Unknown}
	}
	c, err := f.config(data)
	if err != nil {
		return Result{}, &Error{Reason: Damaged, Format: f.name, Err: err}
	}
	if limit := h.limit(); c.Width <= 0 || c.Height <= 0 || c.Width > limit/c.Height {
		return Result{}, &Error{Reason: TooLarge, Format: f.name}
	}
	m, err := f.decode(data)
	if err != nil {
		return Result{}, &Error{Reason: Damaged, Format: f.name, Err: err}
	}
	return h.Image(m), nil
}

func (h *Hasher) limit() int {
	if h.MaxPixels > 0 {
		return h.MaxPixels
	}
	return DefaultMaxPixels
}

// A format is one kind of file.
type format struct {
	name   string
	magic  string // first bytes; "?" stands for any
	config func([]byte) (image.Config, error)
	decode func([]byte) (image.Image, error)
}

var formats = []format{
	{"jpeg", "\xff\xd8", reading(jpeg.DecodeConfig), reading(jpeg.Decode)},
	{"png", "\x89PNG\r\n\x1a\n", reading(png.DecodeConfig), reading(png.Decode)},
	{"gif", "GIF8?a", reading(gif.DecodeConfig), reading(gif.Decode)},
	{"webp", "RIFF????WEBPVP8", reading(webp.DecodeConfig), reading(webp.Decode)},
	{"bmp", "BM", reading(bmp.DecodeConfig), reading(bmp.Decode)},
}

func sniff(data []byte) *format {
	for i := range formats {
		if formats[i].matches(data) {
			return &formats[i]
		}
	}
	return nil
}

func (f *format) matches(data []byte) bool {
	if len(data) < len(f.magic) {
		return false
	}
	for i := range len(f.magic) {
		if f.magic[i] != '?' && f.magic[i] != data[i] {
			return false
		}
	}
	return true
}

func reading[T any](read func(io.Reader) (T, error)) func([]byte) (T, error) {
	return func(data []byte) (T, error) { return read(bytes.NewReader(data)) }
}
