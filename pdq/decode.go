package pdq

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/tangkal/tangkal/pdq/internal/jpeg"
)

// DefaultMaxPixels is 104,857,600: more than cameras and scanners of the day
// give. In the worst of the formats, PNG with 16 bits a sample, so many take 800
// MB; [Hasher.Memory] tells of each file beforehand.
const DefaultMaxPixels = 100 << 20

// Decode hashes an encoded picture: JPEG, PNG, GIF (its first frame), WebP or
// BMP, told apart by their first bytes. Errors are [*Error].
//
// A JPEG file that ends early or has faults inside is hashed as far as it can be
// read, as the reference's decoder does; [Result.Partial] tells.
func (h *Hasher) Decode(data []byte) (Result, error) {
	f := sniff(data)
	switch {
	case f == nil:
		return Result{}, &Error{Reason: Unknown}
	case f.name == "jpeg":
		return h.decodeJPEG(data)
	}
	c, err := f.config(data)
	if err != nil {
		return Result{}, f.refuse(err)
	}
	if !h.allows(c.Width, c.Height) {
		return Result{}, &Error{Reason: TooLarge, Format: f.name}
	}
	if !f.holds(data, c.Width, c.Height) {
		return Result{}, f.refuse(io.ErrUnexpectedEOF)
	}
	m, err := f.decode(data)
	if err != nil {
		return Result{}, f.refuse(err)
	}
	r := h.Image(m)
	r.Format = f.name
	return r, nil
}

// decodeJPEG asks the decoder for the pixels that are hashed, and no others.
func (h *Hasher) decodeJPEG(data []byte) (Result, error) {
	refuse := func(err error) (Result, error) {
		if errors.Is(err, jpeg.ErrUnsupported) {
			return Result{}, &Error{Reason: Unsupported, Format: "jpeg", Err: err}
		}
		return Result{}, &Error{Reason: Damaged, Format: "jpeg", Err: err}
	}
	head, err := h.jpeg.Open(data)
	if err != nil {
		return refuse(err)
	}
	if !h.allows(head.Width, head.Height) {
		return Result{}, &Error{Reason: TooLarge, Format: "jpeg"}
	}
	xs, ys := h.picker.pick(head.Width, head.Height, h.FullResolution)
	p, err := h.jpeg.Read(xs, ys)
	if err != nil {
		return refuse(err)
	}
	row := grey(p.Grey, len(xs))
	if p.RGB != nil {
		row = packed(p.RGB, 3*len(xs), 3)
	}
	r := Result{Width: head.Width, Height: head.Height, Format: "jpeg", Partial: h.jpeg.Partial()}
	h.hash(&r, len(xs), len(ys), func(dst []float32, y int) { row(dst, y, nil) })
	return r, nil
}

// allows reports whether so many pixels may be decoded.
func (h *Hasher) allows(width, height int) bool {
	limit := h.MaxPixels
	if limit <= 0 {
		limit = DefaultMaxPixels
	}
	return width > 0 && height > 0 && width <= limit/height
}

// A format is one kind of file.
type format struct {
	name  string
	magic string // first bytes; "?" stands for any
	// bits returns the least that a pixel takes in the file, before compression by
	// at most the given factor; nil where that is not known.
	bits   func([]byte) (bits, factor int)
	config func([]byte) (image.Config, error)
	decode func([]byte) (image.Image, error)
}

var formats = []format{
	{name: "jpeg", magic: "\xff\xd8\xff"},
	{"png", "\x89PNG\r\n\x1a\n", pngBits, reading(png.DecodeConfig), reading(png.Decode)},
	{"gif", "GIF8?a", nil, reading(gif.DecodeConfig), reading(gif.Decode)},
	{"webp", "RIFF????WEBPVP8", nil, still(webp.DecodeConfig), still(webp.Decode)},
	{"bmp", "BM????????????", bmpBits, reading(bmp.DecodeConfig), reading(bmp.Decode)},
}

func reading[T any](read func(io.Reader) (T, error)) func([]byte) (T, error) {
	return func(data []byte) (T, error) { return read(bytes.NewReader(data)) }
}

// refuse says why a file of the format gave nothing.
func (f *format) refuse(err error) error {
	var rare png.UnsupportedError
	if errors.Is(err, bmp.ErrUnsupported) || errors.As(err, &rare) {
		return &Error{Reason: Unsupported, Format: f.name, Err: err}
	}
	return &Error{Reason: Damaged, Format: f.name, Err: err}
}

// Format returns the name of the format by the first bytes of a file (16 are
// enough), or "" if it is none that Decode reads.
func Format(data []byte) string {
	if f := sniff(data); f != nil {
		return f.name
	}
	return ""
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
	return f.name != "bmp" || bmpHeader(data[len(f.magic):])
}
