// Package picture takes from a picture what is not seen in it: place, device,
// names, comments, small copies of an uncropped original. Pixels, frames and
// which side is up stay as they are. It reads JPEG, PNG, GIF and WebP.
//
// It trusts nothing: sizes are looked at before anything is decoded, what has
// no place in a format's plan is left out, and a file is given on only after
// the result has been decoded to its last frame. It still belongs into package
// cage, since every parser has faults.
package picture

import (
	"bytes"
	"errors"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"

	"golang.org/x/image/webp"
)

// Limits of a file (domain.md, Limits; threat T06).
const (
	MaxBytes  = 50 << 20
	MaxPixels = 40_000_000 // of all frames together
	MaxFrames = 64

	maxParts = 20_000    // segments, chunks or blocks of one file
	maxScans = 64        // of one JPEG: each is a walk over all pixels
	maxNeed  = 512 << 20 // memory in bytes that decoding may take
)

// A Reason says why a file is not given on. Its value is a catalogue code.
type Reason string

// The reasons.
const (
	Unknown     Reason = "picture.unknown"     // not one of the four, by its first bytes
	Damaged     Reason = "picture.damaged"     // does not follow its format
	TooLarge    Reason = "picture.too-large"   // bytes, pixels, memory or parts
	TooMany     Reason = "picture.too-many"    // frames
	Unsupported Reason = "picture.unsupported" // a rare form of its format
	Twofold     Reason = "picture.twofold"     // something else at the same time: a page, an archive, a program
)

// Reasons returns every reason.
func Reasons() []Reason { return []Reason{Unknown, Damaged, TooLarge, TooMany, Unsupported, Twofold} }

// An Error is a refusal. It holds nothing of the file.
type Error struct{ Reason Reason }

func (e *Error) Error() string { return string(e.Reason) }

func refuse(r Reason) error { return &Error{Reason: r} }

// A Picture is a file that can be shown.
type Picture struct {
	Type          string // media type, as image/png
	Width, Height int    // in pixels as stored, before it is turned upright
	Frames        int    // 1 if it does not move
	Data          []byte // the file
}

// The four media types.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
	GIF  = "image/gif"
	WebP = "image/webp"
)

// Types are the media types that can be shown.
func Types() []string { return []string{JPEG, PNG, GIF, WebP} }

// IsType reports whether a media type is one of the four.
func IsType(t string) bool { return slices.Contains(Types(), t) }

// TypeOf returns the media type by the first bytes of a file (16 are enough), or
// "" if it is none of the four.
func TypeOf(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return JPEG
	case bytes.HasPrefix(data, []byte(pngMagic)):
		return PNG
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return GIF
	case len(data) >= 16 && string(data[:4]) == "RIFF" && string(data[8:14]) == "WEBPVP":
		return WebP
	}
	return ""
}

// Strip returns the picture in data without what is not seen in it. Errors are
// [*Error]. It takes some multiple of the decoded size in memory.
func Strip(data []byte) (Picture, error) {
	if len(data) > MaxBytes {
		return Picture{}, refuse(TooLarge)
	}
	kind := TypeOf(data)
	strip := map[string]func([]byte) (stripped, error){JPEG: stripJPEG, PNG: stripPNG, GIF: stripGIF, WebP: stripWebP}[kind]
	if strip == nil {
		return Picture{}, refuse(Unknown)
	}
	s, err := strip(data)
	if err != nil {
		return Picture{}, err
	}
	if twofold(data, s.left) {
		return Picture{}, refuse(Twofold)
	}
	if err := s.decode(); err != nil {
		return Picture{}, refuse(reasonOf(err))
	}
	return Picture{Type: kind, Width: s.width, Height: s.height, Frames: s.frames, Data: s.data}, nil
}

// stripped is a picture taken apart and put together again.
type stripped struct {
	width, height, frames int
	data                  []byte
	left                  [][]byte     // what was left out
	decode                func() error // reads data to the last frame
}

// bounded wants a size of which so many frames may be decoded, at so many bytes
// a pixel.
func bounded(width, height, frames, perPixel int) error {
	switch {
	case width <= 0 || height <= 0:
		return refuse(Damaged)
	case frames > MaxFrames:
		return refuse(TooMany)
	case width > MaxPixels/height || width*height > MaxPixels/max(frames, 1) || width*height*perPixel > maxNeed:
		return refuse(TooLarge)
	}
	return nil
}

// reasonOf sorts what a decoder says.
func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	if errors.As(err, new(png.UnsupportedError)) || errors.As(err, new(jpeg.UnsupportedError)) {
		return Unsupported
	}
	return Damaged
}

func decodePNG(data []byte) error  { _, err := png.Decode(bytes.NewReader(data)); return err }
func decodeJPEG(data []byte) error { _, err := jpeg.Decode(bytes.NewReader(data)); return err }
func decodeGIF(data []byte) error  { _, err := gif.DecodeAll(bytes.NewReader(data)); return err }
func decodeWebP(data []byte) error { _, err := webp.Decode(bytes.NewReader(data)); return err }
