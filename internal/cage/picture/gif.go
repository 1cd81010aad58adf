package picture

import (
	"bytes"
	"encoding/binary"
)

// gifFile is a GIF on its way.
type gifFile struct {
	stripped
	in     []byte
	out    []byte
	parts  int
	pixels int // of all frames so far
}

// stripGIF keeps screen, colours, frames, their times and whether they repeat.
// Comments, text blocks and what applications left go. GIF89a, sections 17 to
// 27.
func stripGIF(data []byte) (stripped, error) {
	if len(data) < 13 {
		return stripped{}, refuse(Damaged)
	}
	f := gifFile{in: data[6:], out: append(make([]byte, 0, len(data)), "GIF89a"...)}
	f.width, f.height = int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:]))
	if err := bounded(f.width, f.height, 1, 1); err != nil {
		return stripped{}, err
	}
	if !f.copy(7) || !f.table(data[10]) {
		return stripped{}, refuse(Damaged)
	}
	for {
		if f.parts++; f.parts > maxParts {
			return stripped{}, refuse(TooLarge)
		}
		end, err := f.block()
		if err != nil {
			return stripped{}, err
		}
		if end {
			break
		}
	}
	if f.frames == 0 {
		return stripped{}, refuse(Damaged)
	}
	f.left = append(f.left, f.in)
	f.data = append(f.out, 0x3b)
	f.decode = func() error { return decodeGIF(f.data) }
	return f.stripped, nil
}

// copy passes n bytes on.
func (f *gifFile) copy(n int) bool {
	if n > len(f.in) {
		return false
	}
	f.out = append(f.out, f.in[:n]...)
	f.in = f.in[n:]
	return true
}

// table passes a table of colours on, if the flags say that there is one.
func (f *gifFile) table(flags byte) bool {
	return flags&0x80 == 0 || f.copy(3<<(flags&7+1))
}

// block reads one block. Many programs forget the last byte: a file that ends
// between two blocks is whole.
func (f *gifFile) block() (end bool, err error) {
	if len(f.in) == 0 || f.in[0] == 0x3b {
		f.in = f.in[min(1, len(f.in)):]
		return true, nil
	}
	switch {
	case f.in[0] == 0x2c:
		return false, f.image()
	case f.in[0] == 0x21 && len(f.in) >= 2:
		return false, f.extension()
	}
	return false, refuse(Damaged)
}

// image passes one frame on.
func (f *gifFile) image() error {
	if len(f.in) < 11 {
		return refuse(Damaged)
	}
	left, top := int(binary.LittleEndian.Uint16(f.in[1:])), int(binary.LittleEndian.Uint16(f.in[3:]))
	width, height := int(binary.LittleEndian.Uint16(f.in[5:])), int(binary.LittleEndian.Uint16(f.in[7:]))
	if width == 0 || height == 0 || left+width > f.width || top+height > f.height {
		return refuse(Damaged)
	}
	f.frames++
	f.pixels += width * height
	if f.frames > MaxFrames {
		return refuse(TooMany)
	}
	if f.pixels > MaxPixels {
		return refuse(TooLarge)
	}
	flags := f.in[9]
	if !f.copy(10) || !f.table(flags) || !f.copy(1) {
		return refuse(Damaged)
	}
	body, ok := f.blocks()
	if !ok {
		return refuse(Damaged)
	}
	f.out = append(f.out, body...)
	return nil
}

// blocks takes a row of sub-blocks with its end.
func (f *gifFile) blocks() ([]byte, bool) {
	for i := 0; i < len(f.in); {
		n := int(f.in[i])
		if i += 1 + n; n == 0 {
			body := f.in[:i]
			f.in = f.in[i:]
			return body, true
		}
	}
	return nil, false
}

// The one extension of an application that is seen: how often it repeats.
var netscape = []byte("\x0bNETSCAPE2.0\x03\x01")

func (f *gifFile) extension() error {
	label := f.in[1]
	f.in = f.in[2:]
	body, ok := f.blocks()
	switch {
	case !ok:
		return refuse(Damaged)
	case label == 0xf9 && len(body) == 6 && body[0] == 4: // times and transparency of the next frame
		f.out = append(append(f.out, 0x21, label), body...)
	case label == 0xff && bytes.HasPrefix(body, netscape) && len(body) == len(netscape)+3:
		f.out = append(append(f.out, 0x21, label), body...)
	default:
		f.left = append(f.left, body)
	}
	return nil
}
