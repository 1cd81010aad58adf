package pdq

import (
	"encoding/binary"
	"image"
	"image/color"
	"slices"
)

// perPicture is what a Hasher takes for any picture: lines, tables and the
// reduced pixels.
const perPicture = 4 << 20

// Memory estimates, from the header of a file, the bytes that [Hasher.Decode]
// takes for its pixels; by it a program keeps what several Hashers take together
// within bounds. It is small where Decode would refuse the file by its header.
// What Decode takes for a progressive JPEG the Hasher keeps for the next.
func (h *Hasher) Memory(data []byte) int64 {
	f := sniff(data)
	switch {
	case f == nil:
		return 0
	case f.name == "jpeg":
		return h.memoryJPEG(data)
	}
	c, err := f.config(data)
	if err != nil || !h.allows(c.Width, c.Height) || !f.holds(data, c.Width, c.Height) {
		return perPicture
	}
	return perPicture + h.lines(c.Width, c.Height) + int64(c.Width)*int64(c.Height)*f.perPixel(data, c)
}

// lines is what the filter takes at full resolution: 64 values a row, and some
// dozens of a column.
func (h *Hasher) lines(width, height int) int64 {
	if !h.FullResolution {
		return 0
	}
	return 512 * (int64(width) + int64(height))
}

// memoryJPEG is of coefficients, where the file is progressive, and at full
// resolution of planes and the pixels made of them.
func (h *Hasher) memoryJPEG(data []byte) int64 {
	head, err := h.jpeg.Open(data)
	if err != nil || !h.allows(head.Width, head.Height) {
		return perPicture
	}
	n := perPicture + h.jpeg.Coefficients() + h.lines(head.Width, head.Height)
	if h.FullResolution {
		n += int64(head.Width) * int64(head.Height) * int64(head.Components+3)
	}
	return n
}

// perPixel returns how many bytes the decoder takes for a pixel.
func (f *format) perPixel(data []byte, c image.Config) int64 {
	n := int64(4)
	switch c.ColorModel {
	case color.GrayModel:
		n = 1
	case color.Gray16Model:
		n = 2
	case color.RGBA64Model, color.NRGBA64Model:
		n = 8
	default:
		if _, ok := c.ColorModel.(color.Palette); ok {
			n = 1
		}
	}
	if f.name == "webp" || f.name == "png" && data[28] != 0 {
		n *= 2 // what transforms and interlaced passes take beside the picture
	}
	return n
}

// holds reports whether a file can have so many pixels at all: a header is
// quickly written.
func (f *format) holds(data []byte, width, height int) bool {
	if f.bits == nil {
		return true
	}
	bits, factor := f.bits(data)
	return (int64(width)*int64(bits)+7)/8*int64(height) <= int64(len(data))*int64(factor)
}

// pngBits reads IHDR, which is the first chunk. Deflate stands for at most 258
// bytes with two bits: one to 1032.
func pngBits(data []byte) (bits, factor int) {
	channels := [8]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
	return int(data[24]) * channels[data[25]&7], 1032
}

// bmpBits are as many as the header says; what is read is not compressed.
func bmpBits(data []byte) (bits, factor int) {
	return int(binary.LittleEndian.Uint16(data[28:])), 1
}

// bmpHeader reports whether the bytes begin with the length that a second header
// has in some version, as far as they are there; of text they would be letters.
func bmpHeader(length []byte) bool {
	if len(length) < 2 || length[1] != 0 {
		return false
	}
	for _, b := range length[2:min(4, len(length))] {
		if b != 0 {
			return false
		}
	}
	return slices.Contains([]byte{12, 16, 40, 52, 56, 64, 108, 124}, length[0])
}
