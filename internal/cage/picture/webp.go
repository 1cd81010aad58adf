package picture

import (
	"bytes"
	"encoding/binary"
)

// Flags of an extended WebP file. RFC 9649, section 2.7.
const (
	flagAnimated = 1 << 1
	flagExif     = 1 << 3
	flagAlpha    = 1 << 4
)

// webpFile is a WebP on its way.
type webpFile struct {
	stripped
	parts    int
	pixels   int
	turn     int
	alpha    []byte // transparency of the lossy pixels that follow
	extended []byte // VP8X, if it has one
	body     []byte // chunks that are kept
	stills   [][]byte
}

// stripWebP keeps the pixels of every frame, their transparency and times, and
// which side is up.
func stripWebP(data []byte) (stripped, error) {
	size := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	if size > int64(len(data)) || size < 12 {
		return stripped{}, refuse(Damaged)
	}
	f := webpFile{}
	if err := f.chunks(data[12:size], f.top); err != nil {
		return stripped{}, err
	}
	f.left = append(f.left, data[size:])
	if f.frames == 0 {
		return stripped{}, refuse(Damaged)
	}
	if err := f.agree(); err != nil {
		return stripped{}, err
	}
	out := append(make([]byte, 0, len(f.body)+64), "RIFF\x00\x00\x00\x00WEBP"...)
	if f.extended != nil {
		out = appendRIFF(out, "VP8X", f.extended)
	}
	out = append(out, f.body...)
	if f.extended != nil && turned(f.turn) {
		out = appendRIFF(out, "EXIF", uprightTIFF(f.turn))
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8)) //nolint:gosec // at most as long as the file, and some bytes
	f.data = out
	f.decode = f.decodeStills
	return f.stripped, nil
}

// agree wants the canvas to be what the frames are decoded to, and corrects the
// flags.
func (f *webpFile) agree() error {
	if f.extended == nil {
		return nil
	}
	w, h := 1+u24(f.extended[4:]), 1+u24(f.extended[7:])
	moves := f.extended[0]&flagAnimated != 0
	if !moves && (w != f.width || h != f.height || f.frames != 1) || moves && (f.width > w || f.height > h) {
		return refuse(Damaged)
	}
	f.width, f.height = w, h
	f.extended[0] &= flagAnimated | flagAlpha
	if turned(f.turn) {
		f.extended[0] |= flagExif
	}
	return bounded(w, h, 1, 4)
}

// chunks gives each chunk to keep.
func (f *webpFile) chunks(data []byte, keep func(kind string, p []byte) error) error {
	for len(data) > 0 {
		if f.parts++; f.parts > maxParts {
			return refuse(TooLarge)
		}
		if len(data) < 8 {
			return refuse(Damaged)
		}
		n := int64(binary.LittleEndian.Uint32(data[4:]))
		if n > int64(len(data)-8) {
			return refuse(Damaged)
		}
		kind, p := string(data[:4]), data[8:8+n]
		data = data[min(8+n+n%2, int64(len(data))):]
		if err := keep(kind, p); err != nil {
			return err
		}
	}
	return nil
}

// top keeps a chunk of the file itself.
func (f *webpFile) top(kind string, p []byte) error {
	animated := f.extended != nil && f.extended[0]&flagAnimated != 0
	switch kind {
	case "VP8X":
		if len(p) != 10 || f.extended != nil || f.body != nil {
			return refuse(Damaged)
		}
		f.extended = bytes.Clone(p)
		f.extended[1], f.extended[2], f.extended[3] = 0, 0, 0
	case "VP8 ", "VP8L", "ALPH":
		if animated || f.frames > 0 {
			return refuse(Damaged)
		}
		f.body = appendRIFF(f.body, kind, p)
		return f.still(kind, p)
	case "ANIM":
		if !animated || len(p) != 6 {
			return refuse(Damaged)
		}
		f.body = appendRIFF(f.body, kind, p)
	case "ANMF":
		if !animated || len(p) < 16 {
			return refuse(Damaged)
		}
		return f.frame(p)
	default:
		if tiff := bytes.TrimPrefix(p, []byte("Exif\x00\x00")); kind == "EXIF" && f.turn == 0 {
			f.turn = orientation(tiff)
		}
		f.left = append(f.left, p)
	}
	return nil
}

// frame keeps one frame of an animation: 2.7.1.1.
func (f *webpFile) frame(p []byte) error {
	x, y := 2*u24(p), 2*u24(p[3:])
	w, h := 1+u24(p[6:]), 1+u24(p[9:])
	out := bytes.Clone(p[:16])
	before := f.frames
	err := f.chunks(p[16:], func(kind string, p []byte) error {
		if kind != "VP8 " && kind != "VP8L" && kind != "ALPH" {
			f.left = append(f.left, p)
			return nil
		}
		if f.frames > before {
			return refuse(Damaged)
		}
		out = appendRIFF(out, kind, p)
		if err := f.still(kind, p); err != nil || kind == "ALPH" {
			return err
		}
		if gw, gh := sizeOf(kind, p); gw != w || gh != h {
			return refuse(Damaged)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if f.frames != before+1 {
		return refuse(Damaged)
	}
	f.width, f.height = max(f.width, x+w), max(f.height, y+h)
	f.body = appendRIFF(f.body, "ANMF", out)
	return nil
}

// still notes the pixels of one frame, to be decoded at the end: each as a file
// of its own, since the decoder knows no animations.
func (f *webpFile) still(kind string, p []byte) error {
	if kind == "ALPH" {
		if f.alpha != nil {
			return refuse(Damaged)
		}
		f.alpha = p
		return nil
	}
	w, h := sizeOf(kind, p)
	if f.frames++; f.frames > MaxFrames {
		return refuse(TooMany)
	}
	if err := bounded(w, h, 1, 4); err != nil {
		return err
	}
	if f.pixels += w * h; f.pixels > MaxPixels {
		return refuse(TooLarge)
	}
	if f.extended == nil || f.extended[0]&flagAnimated == 0 {
		f.width, f.height = w, h
	}
	file := []byte("RIFF\x00\x00\x00\x00WEBP")
	if f.alpha != nil {
		file = appendRIFF(file, "VP8X", canvas(flagAlpha, w, h))
		file = appendRIFF(file, "ALPH", f.alpha)
		f.alpha = nil
	}
	file = appendRIFF(file, kind, p)
	binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-8)) //nolint:gosec // part of a file of at most 50 MB
	f.stills = append(f.stills, file)
	return nil
}

// canvas is the header of an extended file.
func canvas(flags byte, w, h int) []byte {
	w, h = w-1, h-1
	return []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)} //nolint:gosec // 24 bits each, as the format has them
}

func (f *webpFile) decodeStills() error {
	for _, s := range f.stills {
		if err := decodeWebP(s); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf reads width and height in front of the pixels: RFC 6386, section 9.1;
// RFC 9649, section 3.4. 0 is a header that is none.
func sizeOf(kind string, p []byte) (width, height int) {
	switch {
	case kind == "VP8 " && len(p) >= 10 && string(p[3:6]) == "\x9d\x01\x2a":
		return int(binary.LittleEndian.Uint16(p[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(p[8:]) & 0x3fff)
	case kind == "VP8L" && len(p) >= 5 && p[0] == 0x2f:
		bits := binary.LittleEndian.Uint32(p[1:])
		return 1 + int(bits&0x3fff), 1 + int(bits>>14&0x3fff)
	}
	return 0, 0
}

// u24 reads 24 bits, the lowest first.
func u24(p []byte) int { return int(p[0]) | int(p[1])<<8 | int(p[2])<<16 }

// appendRIFF writes a chunk, filled up to an even length.
func appendRIFF(out []byte, kind string, p []byte) []byte {
	out = append(out, kind...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(p))) //nolint:gosec // as it was read
	out = append(out, p...)
	if len(p)%2 == 1 {
		out = append(out, 0)
	}
	return out
}
