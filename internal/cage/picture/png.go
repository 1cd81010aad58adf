package picture

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	pngMagic = "\x89PNG\r\n\x1a\n"
	pngFrame = 12 // length, type and sum around the data of a chunk
)

// pngFile is a PNG on its way.
type pngFile struct {
	stripped
	in     []byte
	parts  int
	turn   int
	header []byte   // of the picture (IHDR)
	before []byte   // chunks that are kept, in front of the pixels
	pixels [][]byte // the compressed pixels, in as many pieces as there were
	over   bool     // pixels ended: other chunks came
}

// stripPNG keeps size, palette, transparency, the kind of colours and the
// pixels, whose pieces it joins: what hides behind the last pixel is refused
// when the result is decoded. The text of ICC profiles names devices and
// people, so they go as well. An animation becomes its still. PNG, third
// edition, sections 5 and 11.
func stripPNG(data []byte) (stripped, error) {
	f := pngFile{in: data[len(pngMagic):]}
	for end := false; !end; {
		var err error
		if end, err = f.chunk(); err != nil {
			return stripped{}, err
		}
	}
	if f.header == nil || f.pixels == nil {
		return stripped{}, refuse(Damaged)
	}
	f.left = append(f.left, f.in)
	out := append(make([]byte, 0, len(data)+64), pngMagic...)
	out = appendChunk(out, "IHDR", f.header)
	if turned(f.turn) {
		out = appendChunk(out, "eXIf", uprightTIFF(f.turn))
	}
	out = append(out, f.before...)
	out = appendChunk(out, "IDAT", f.pixels...)
	f.data = appendChunk(out, "IEND")
	f.frames = 1
	f.decode = func() error { return decodePNG(f.data) }
	return f.stripped, nil
}

func (f *pngFile) chunk() (end bool, err error) {
	if f.parts++; f.parts > maxParts {
		return false, refuse(TooLarge)
	}
	if len(f.in) < pngFrame {
		return false, refuse(Damaged)
	}
	n := int64(binary.BigEndian.Uint32(f.in))
	if n > int64(len(f.in)-pngFrame) {
		return false, refuse(Damaged)
	}
	kind, payload := string(f.in[4:8]), f.in[8:8+n]
	sum := binary.BigEndian.Uint32(f.in[8+n:])
	critical := kind[0]&0x20 == 0
	if critical && crc32.ChecksumIEEE(f.in[4:8+n]) != sum {
		return false, refuse(Damaged)
	}
	f.in = f.in[pngFrame+n:]
	if (f.header == nil) != (kind == "IHDR") {
		return false, refuse(Damaged) // the header is first, and one
	}
	return kind == "IEND", f.keep(kind, payload, critical)
}

func (f *pngFile) keep(kind string, p []byte, critical bool) error {
	if kind == "IDAT" {
		if f.over {
			return refuse(Damaged) // pixels stand together
		}
		f.pixels = append(f.pixels, p)
		return nil
	}
	f.over = f.pixels != nil
	switch {
	case kind == "IHDR":
		f.header = p
		return f.size(p)
	case kind == "IEND":
	case kind == "PLTE" && len(p) <= 3*256, kind == "tRNS" && len(p) <= 256, kind == "sRGB" && len(p) == 1, kind == "gAMA" && len(p) == 4:
		f.before = appendChunk(f.before, kind, p)
		if f.over {
			return refuse(Damaged) // they explain the pixels, and come first
		}
	case critical:
		return refuse(Unsupported)
	default:
		if kind == "eXIf" && f.turn == 0 {
			f.turn = orientation(p)
		}
		f.left = append(f.left, p)
	}
	return nil
}

// size reads the header: section 11.2.1.
func (f *pngFile) size(p []byte) error {
	if len(p) != 13 {
		return refuse(Damaged)
	}
	w, h := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	if w > MaxPixels || h > MaxPixels {
		return refuse(TooLarge)
	}
	f.width, f.height = int(w), int(h)
	perPixel := map[byte]int{0: 1, 2: 4, 3: 1, 4: 4, 6: 4}[p[9]]
	if p[8] == 16 {
		perPixel *= 2
	}
	if p[9] == 0 {
		perPixel *= 4 // grey with one transparent shade becomes colour
	}
	if p[12] != 0 {
		perPixel *= 2 // interlaced: each pass is a picture, too
	}
	return bounded(f.width, f.height, 1, perPixel)
}

// appendChunk writes a chunk whose data are the parts, one after another.
func appendChunk(out []byte, kind string, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(n)) //nolint:gosec // no longer than the file
	at := len(out)
	out = append(out, kind...)
	for _, p := range parts {
		out = append(out, p...)
	}
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[at:]))
}
