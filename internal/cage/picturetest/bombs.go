package picturetest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"

	"github.com/tangkal/tangkal/internal/cage/picture"
)

// A Bomb is a small file that asks for much, and why it is refused: "" where a
// small picture is left of it.
type Bomb struct {
	File []byte
	Want picture.Reason
}

// Bombs are the bomb set of threat T06, by what they are.
func Bombs() map[string]Bomb {
	header := func(w, h uint32, depth, kind byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, w)
		return append(binary.BigEndian.AppendUint32(b, h), depth, kind, 0, 0, 0)
	}
	png := func(chunks ...[]byte) []byte {
		return append([]byte("\x89PNG\r\n\x1a\n"), bytes.Join(chunks, nil)...)
	}
	end := Chunk("IEND", nil)
	zeros := func(n int) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		block := make([]byte, 1<<20)
		for ; n > 0; n -= len(block) {
			_, _ = w.Write(block) // memory
		}
		_ = w.Close()
		return b.Bytes()
	}
	small := PNG(8, 8)
	gifHead, gifFrame := GIF(8, 8, 1), GIF(100, 100, 70)
	huge := bytes.Clone(gifHead)
	binary.LittleEndian.PutUint16(huge[6:], 65535)
	binary.LittleEndian.PutUint16(huge[8:], 65535)
	segments := append([]byte("\xff\xd8"), bytes.Repeat(Segment(0xfe, nil), 100_000)...)
	sof := func(kind byte, w, h int) []byte {
		b := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0}
		return append([]byte("\xff\xd8"), Segment(kind, b)...)
	}
	gigabyte := png(Chunk("IHDR", header(16384, 16384, 8, 6)), Chunk("IDAT", zeros(32<<20)), end)
	return map[string]Bomb{
		"a PNG that needs a gigabyte":     {gigabyte, picture.TooLarge},
		"a PNG of 2^31 pixels a line":     {png(Chunk("IHDR", header(1<<31-1, 1<<31-1, 16, 6)), end), picture.TooLarge},
		"a PNG of no pixels":              {png(Chunk("IHDR", header(0, 0, 8, 6)), end), picture.Damaged},
		"a PNG that needs much memory":    {png(Chunk("IHDR", append(header(8000, 4900, 16, 6)[:12], 1)), Chunk("IDAT", zeros(1<<20)), end), picture.TooLarge},
		"a PNG of 100,000 chunks":         {png(small[8:33], bytes.Repeat(Chunk("teSt", nil), 100_000), small[33:]), picture.TooLarge},
		"pixels that do not end":          {png(Chunk("IHDR", header(8, 8, 8, 6)), Chunk("IDAT", zeros(16<<20)), end), picture.Damaged},
		"a text that does not end":        {png(small[8:33], Chunk("zTXt", append([]byte("x\x00\x00"), zeros(16<<20)...)), small[33:]), ""},
		"a JPEG of 4 gigapixels":          {append(sof(0xc0, 65535, 65535), "\xff\xd9"...), picture.TooLarge},
		"a JPEG of 100,000 segments":      {segments, picture.TooLarge},
		"a JPEG that walks without end":   {manyScans(), picture.TooLarge},
		"a JPEG that needs much memory":   {append(sof(0xc2, 8000, 4990), "\xff\xd9"...), picture.TooLarge},
		"a GIF of 70 frames":              {gifFrame, picture.TooMany},
		"a GIF of 4 gigapixels":           {huge, picture.TooLarge},
		"a GIF whose frames are too many": {framesOf(4000, 4000, 3), picture.TooLarge},
		"a GIF of 100,000 comments":       {bytes.Join([][]byte{gifHead[:len(gifHead)-1], bytes.Repeat([]byte{0x21, 0xfe, 0}, 100_000), {0x3b}}, nil), picture.TooLarge},
		"a WebP of 200 megapixels":        {RIFF(RIFFChunk("VP8L", []byte{0x2f, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0})), picture.TooLarge},
		"a WebP that hides its size":      {RIFF(RIFFChunk("VP8X", []byte{0, 0, 0, 0, 255, 255, 0, 255, 255, 0}), WebP()[12:]), picture.Damaged},
		"a WebP of 100,000 chunks":        {RIFF(WebP()[12:], bytes.Repeat(RIFFChunk("TEST", nil), 100_000)), picture.TooLarge},
		"a WebP of 70 frames":             {Film(70), picture.TooMany},
		"a file beyond the limit":         {append(JPEG(8, 8), make([]byte, picture.MaxBytes)...), picture.TooLarge},
		"a JPEG of two pictures in one":   {append(bytes.TrimSuffix(JPEG(8, 8), []byte("\xff\xd9")), JPEG(9, 9)[2:]...), picture.Damaged},
	}
}

// manyScans is a JPEG whose scan comes a hundred times.
func manyScans() []byte {
	b := JPEG(8, 8)
	i := bytes.Index(b, []byte("\xff\xda"))
	scan := b[i : len(b)-2]
	return bytes.Join([][]byte{b[:i], bytes.Repeat(scan, 100), []byte("\xff\xd9")}, nil)
}

// framesOf is a GIF that says how large its frames are and holds no pixels.
func framesOf(w, h, n int) []byte {
	b := []byte("GIF89a")
	b = binary.LittleEndian.AppendUint16(b, uint16(w)) //nolint:gosec // a test's
	b = binary.LittleEndian.AppendUint16(b, uint16(h)) //nolint:gosec // a test's
	b = append(b, 0x80, 0, 0, 0, 0, 0, 255, 255, 255)
	frame := []byte{0x2c, 0, 0, 0, 0, byte(w), byte(w >> 8), byte(h), byte(h >> 8), 0, 2, 1, 0x2c, 0}
	return append(append(b, bytes.Repeat(frame, n)...), 0x3b)
}

// Film is a WebP animation of n frames.
func Film(n int) []byte {
	frame := append([]byte{0, 0, 0, 0, 0, 0, 23, 0, 0, 23, 0, 0, 10, 0, 0, 0}, WebP()[12:]...)
	chunks := [][]byte{RIFFChunk("VP8X", []byte{2, 0, 0, 0, 23, 0, 0, 23, 0, 0}), RIFFChunk("ANIM", make([]byte, 6))}
	for range n {
		chunks = append(chunks, RIFFChunk("ANMF", frame))
	}
	return RIFF(chunks...)
}
