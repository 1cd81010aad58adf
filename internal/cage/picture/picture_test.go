package picture_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image"
	"image/gif"
	"os"
	"strings"
	"testing"

	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/webp"

	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/cage/picturetest"
)

func TestNothingIsLeftThatIsNotSeen(t *testing.T) {
	for kind, file := range picturetest.Traced(6) {
		if picturetest.Clean(file) == nil {
			t.Fatalf("%s: there is nothing to strip", kind)
		}
		p, err := picture.Strip(file)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if p.Type != kind || picture.TypeOf(p.Data) != kind {
			t.Errorf("%s became %s", kind, p.Type)
		}
		if err := picturetest.Clean(p.Data); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		samePixels(t, kind, p.Data, file)
		again, err := picture.Strip(p.Data)
		if err != nil || !bytes.Equal(again.Data, p.Data) {
			t.Errorf("%s: stripped twice it changes: %v", kind, err)
		}
	}
}

// samePixels wants two files to show the same.
func samePixels(t *testing.T, name string, got, want []byte) {
	t.Helper()
	a, _, err1 := image.Decode(bytes.NewReader(got))
	b, _, err2 := image.Decode(bytes.NewReader(want))
	if err1 != nil || err2 != nil {
		t.Errorf("%s: %v, %v", name, err1, err2)
		return
	}
	if a.Bounds() != b.Bounds() {
		t.Errorf("%s: %v became %v", name, b.Bounds(), a.Bounds())
		return
	}
	for y := b.Bounds().Min.Y; y < b.Bounds().Max.Y; y++ {
		for x := b.Bounds().Min.X; x < b.Bounds().Max.X; x++ {
			r1, g1, b1, a1 := a.At(x, y).RGBA()
			r2, g2, b2, a2 := b.At(x, y).RGBA()
			if r1 != r2 || g1 != g2 || b1 != b2 || a1 != a2 {
				t.Errorf("%s: the pixel at %d, %d changed", name, x, y)
				return
			}
		}
	}
}

func TestWhichSideIsUpIsKept(t *testing.T) {
	marks := map[string]string{picture.JPEG: "Exif\x00\x00MM\x00*", picture.PNG: "eXIfMM\x00*", picture.WebP: "EXIF\x1a\x00\x00\x00MM\x00*"}
	for orientation := range 10 {
		for kind, file := range picturetest.Traced(orientation) {
			p, err := picture.Strip(file)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			mark, ok := marks[kind]
			if !ok {
				continue // GIF has no sides
			}
			i := bytes.Index(p.Data, []byte(mark))
			if turned := orientation > 1 && orientation < 9; turned != (i >= 0) {
				t.Errorf("%s, %d: says so at %d", kind, orientation, i)
				continue
			}
			if i >= 0 {
				tiff := p.Data[i+len(mark)-4:]
				if n := binary.BigEndian.Uint16(tiff[8:]); n != 1 || int(binary.BigEndian.Uint16(tiff[18:])) != orientation {
					t.Errorf("%s, %d: %d entries, %x", kind, orientation, n, tiff[:26])
				}
			}
		}
	}
}

func TestAFilmKeepsItsFrames(t *testing.T) {
	p, err := picture.Strip(picturetest.Traced(1)[picture.GIF])
	if err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(bytes.NewReader(p.Data))
	if err != nil || len(g.Image) != 3 || p.Frames != 3 || g.LoopCount != 3 || g.Delay[2] != 10 {
		t.Errorf("%d frames, %+v, %v", p.Frames, g, err)
	}
	for name, frames := range map[string]int{"animated": 0, "alpha": 1, "lossless": 1, "plain": 1} {
		file, err := os.ReadFile("../../../pdq/testdata/" + name + ".webp")
		if err != nil {
			t.Fatal(err)
		}
		p, err := picture.Strip(file)
		if err != nil || frames > 0 && p.Frames != frames || frames == 0 && p.Frames < 2 {
			t.Errorf("%s: %d frames, %v", name, p.Frames, err)
			continue
		}
		if frames == 1 {
			samePixels(t, name, p.Data, file)
		}
	}
}

func TestAFileOfTwoNaturesIsRefused(t *testing.T) {
	all := picturetest.Polyglots()
	if len(all) < 40 {
		t.Fatalf("only %d", len(all))
	}
	for name, file := range all {
		if _, err := picture.Strip(file); reason(err) != picture.Twofold {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What phones and cameras append is no reason to refuse.
	film := "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
	for name, file := range map[string][]byte{
		"a film":            append(picturetest.JPEG(8, 8), film...),
		"a second picture":  append(picturetest.JPEG(8, 8), picturetest.JPEG(8, 8)...),
		"bytes to fill it":  append(picturetest.JPEG(8, 8), make([]byte, 4096)...),
		"no end of the GIF": picturetest.GIF(8, 8, 1)[:len(picturetest.GIF(8, 8, 1))-1],
	} {
		if _, err := picture.Strip(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func reason(err error) picture.Reason {
	if e, ok := errors.AsType[*picture.Error](err); ok {
		return e.Reason
	}
	return ""
}

// Bombs: small files that ask for much.
func bombs() map[string]struct {
	file []byte
	want picture.Reason
} {
	type bomb = struct {
		file []byte
		want picture.Reason
	}
	header := func(w, h uint32, depth, kind byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, w)
		return append(binary.BigEndian.AppendUint32(b, h), depth, kind, 0, 0, 0)
	}
	png := func(chunks ...[]byte) []byte {
		return append([]byte("\x89PNG\r\n\x1a\n"), bytes.Join(chunks, nil)...)
	}
	end := picturetest.Chunk("IEND", nil)
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
	small := picturetest.PNG(8, 8)
	gifHead, gifFrame := picturetest.GIF(8, 8, 1), picturetest.GIF(100, 100, 70)
	huge := bytes.Clone(gifHead)
	binary.LittleEndian.PutUint16(huge[6:], 65535)
	binary.LittleEndian.PutUint16(huge[8:], 65535)
	segments := append([]byte("\xff\xd8"), bytes.Repeat(picturetest.Segment(0xfe, nil), 100_000)...)
	sof := func(kind byte, w, h int) []byte {
		b := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0}
		return append([]byte("\xff\xd8"), picturetest.Segment(kind, b)...)
	}
	gigabyte := png(picturetest.Chunk("IHDR", header(16384, 16384, 8, 6)), picturetest.Chunk("IDAT", zeros(32<<20)), end)
	return map[string]bomb{
		"a PNG that needs a gigabyte":     {gigabyte, picture.TooLarge},
		"a PNG of 2^31 pixels a line":     {png(picturetest.Chunk("IHDR", header(1<<31-1, 1<<31-1, 16, 6)), end), picture.TooLarge},
		"a PNG of no pixels":              {png(picturetest.Chunk("IHDR", header(0, 0, 8, 6)), end), picture.Damaged},
		"a PNG that needs much memory":    {png(picturetest.Chunk("IHDR", append(header(8000, 4900, 16, 6)[:12], 1)), picturetest.Chunk("IDAT", zeros(1<<20)), end), picture.TooLarge},
		"a PNG of 100,000 chunks":         {png(small[8:33], bytes.Repeat(picturetest.Chunk("teSt", nil), 100_000), small[33:]), picture.TooLarge},
		"pixels that do not end":          {png(picturetest.Chunk("IHDR", header(8, 8, 8, 6)), picturetest.Chunk("IDAT", zeros(16<<20)), end), picture.Damaged},
		"a text that does not end":        {png(small[8:33], picturetest.Chunk("zTXt", append([]byte("x\x00\x00"), zeros(16<<20)...)), small[33:]), ""},
		"a JPEG of 4 gigapixels":          {append(sof(0xc0, 65535, 65535), "\xff\xd9"...), picture.TooLarge},
		"a JPEG of 100,000 segments":      {segments, picture.TooLarge},
		"a JPEG that walks without end":   {manyScans(), picture.TooLarge},
		"a JPEG that needs much memory":   {append(sof(0xc2, 8000, 4990), "\xff\xd9"...), picture.TooLarge},
		"a GIF of 70 frames":              {gifFrame, picture.TooMany},
		"a GIF of 4 gigapixels":           {huge, picture.TooLarge},
		"a GIF whose frames are too many": {framesOf(4000, 4000, 3), picture.TooLarge},
		"a GIF of 100,000 comments":       {bytes.Join([][]byte{gifHead[:len(gifHead)-1], bytes.Repeat([]byte{0x21, 0xfe, 0}, 100_000), {0x3b}}, nil), picture.TooLarge},
		"a WebP of 200 megapixels":        {picturetest.RIFF(picturetest.RIFFChunk("VP8L", []byte{0x2f, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0})), picture.TooLarge},
		"a WebP that hides its size":      {picturetest.RIFF(picturetest.RIFFChunk("VP8X", []byte{0, 0, 0, 0, 255, 255, 0, 255, 255, 0}), picturetest.WebP()[12:]), picture.Damaged},
		"a WebP of 100,000 chunks":        {picturetest.RIFF(picturetest.WebP()[12:], bytes.Repeat(picturetest.RIFFChunk("TEST", nil), 100_000)), picture.TooLarge},
		"a WebP of 70 frames":             {film(70), picture.TooMany},
		"a file beyond the limit":         {append(picturetest.JPEG(8, 8), make([]byte, picture.MaxBytes)...), picture.TooLarge},
		"a JPEG of two pictures in one":   {append(bytes.TrimSuffix(picturetest.JPEG(8, 8), []byte("\xff\xd9")), picturetest.JPEG(9, 9)[2:]...), picture.Damaged},
	}
}

// manyScans is a JPEG whose scan comes a hundred times.
func manyScans() []byte {
	b := picturetest.JPEG(8, 8)
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

// film is a WebP animation.
func film(n int) []byte {
	frame := append([]byte{0, 0, 0, 0, 0, 0, 23, 0, 0, 23, 0, 0, 10, 0, 0, 0}, picturetest.WebP()[12:]...)
	chunks := [][]byte{picturetest.RIFFChunk("VP8X", []byte{2, 0, 0, 0, 23, 0, 0, 23, 0, 0}), picturetest.RIFFChunk("ANIM", make([]byte, 6))}
	for range n {
		chunks = append(chunks, picturetest.RIFFChunk("ANMF", frame))
	}
	return picturetest.RIFF(chunks...)
}

func TestABombIsRefusedBeforeItIsOpened(t *testing.T) {
	for name, b := range bombs() {
		p, err := picture.Strip(b.file)
		if reason(err) != b.want {
			t.Errorf("%s (%d bytes): %v", name, len(b.file), err)
		}
		if b.want == "" && len(p.Data) > 1000 {
			t.Errorf("%s: %d bytes stay", name, len(p.Data))
		}
	}
	if p, err := picture.Strip(film(3)); err != nil || p.Frames != 3 {
		t.Errorf("a film of three frames: %v", err)
	}
}

func TestWhatIsCutOffIsNeverAPicture(t *testing.T) {
	for kind, file := range picturetest.Traced(6) {
		whole, err := picture.Strip(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole.Data {
			p, err := picture.Strip(whole.Data[:i])
			if err != nil {
				continue
			}
			// A GIF needs no end, and what decodes is whole.
			if _, _, err := image.Decode(bytes.NewReader(p.Data)); err != nil {
				t.Errorf("%s cut at %d of %d is given on and cannot be read: %v", kind, i, len(whole.Data), err)
			}
		}
	}
}

func TestOtherFilesAreNoPictures(t *testing.T) {
	for _, file := range []string{
		"", "x", "\xff\xd8", "\x89PNG", "GIF89a", "RIFF\x00\x00\x00\x00WEBPVP8 ", "BM" + strings.Repeat("\x00", 60), "II*\x00\x08\x00\x00\x00",
		"\x00\x00\x00\x18ftypheic", "<svg xmlns='http://www.w3.org/2000/svg'/>", "%PDF-1.7", "<html>\x89PNG\r\n\x1a\n",
	} {
		if p, err := picture.Strip([]byte(file)); err == nil {
			t.Errorf("%q is a %s", file, p.Type)
		}
	}
}

// FuzzStrip: never a panic; what comes out is a picture of the same kind, free
// of the canary, and stripping it again changes nothing.
func FuzzStrip(f *testing.F) {
	for orientation := range 3 {
		for _, file := range picturetest.Traced(orientation) {
			f.Add(file)
		}
	}
	f.Add(film(2))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			return
		}
		p, err := picture.Strip(file)
		if err != nil {
			if reason(err) == "" {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		if picture.TypeOf(p.Data) != picture.TypeOf(file) || p.Width*p.Height > picture.MaxPixels || p.Frames > picture.MaxFrames || len(p.Data) > len(file)+1024 {
			t.Fatalf("%+v of %d bytes", p, len(file))
		}
		again, err := picture.Strip(p.Data)
		if err != nil || !bytes.Equal(again.Data, p.Data) {
			t.Errorf("again: %v", err)
		}
	})
}
