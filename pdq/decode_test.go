package pdq_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"github.com/tangkal/tangkal/pdq"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

// webps are synthetic.Photo(100, 80), written with cwebp: lossy, lossless, with
// transparency, and as the first frame of an animation.
var webps = []string{"plain.webp", "lossless.webp", "alpha.webp", "animated.webp"}

// encoded returns a picture in every format that can be written here.
func encoded(t testing.TB, m image.Image) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, write := range map[string]func(b *bytes.Buffer) error{
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, m) },
		"bmp":  func(b *bytes.Buffer) error { return bmp.Encode(b, m) },
		"gif":  func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, m, &jpeg.Options{Quality: 90}) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	return out
}

// TestOnePictureInEveryFormat: lossless formats give the hash of the pixels,
// the others one that matches.
func TestOnePictureInEveryFormat(t *testing.T) {
	var h pdq.Hasher
	for _, size := range [][2]int{{100, 80}, {700, 300}} {
		m := synthetic.Photo(size[0], size[1])
		want := h.Image(m)
		files := encoded(t, m)
		for _, name := range webps { // of the size 100x80
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			if size[0] == 100 {
				files[name] = data
			}
		}
		for name, data := range files {
			r, err := h.Decode(data)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			most := 0
			if name == "jpeg" || name == "gif" || strings.HasSuffix(name, ".webp") && name != "lossless.webp" {
				most = 10
			}
			if d := pdq.Distance(r.Hash, want.Hash); d > most || r.Width != size[0] || r.Height != size[1] {
				t.Errorf("%s: %dx%d, %d bits off, at most %d wanted", name, r.Width, r.Height, d, most)
			}
			if format := pdq.Format(data[:16]); format != r.Format || format == "" {
				t.Errorf("%s is called %q and %q", name, format, r.Format)
			}
		}
	}
}

// TestEveryKindOfImageIsReadAlike: the same pixels as another type of package
// image give the same hash.
func TestEveryKindOfImageIsReadAlike(t *testing.T) {
	src := synthetic.Photo(130, 90)
	want := pdq.Image(src).Hash
	box := image.Rect(7, 3, 137, 93) // an origin that is not zero
	for name, to := range map[string]draw.Image{
		"RGBA": image.NewRGBA(box), "NRGBA": image.NewNRGBA(box), "RGBA64": image.NewRGBA64(box), "NRGBA64": image.NewNRGBA64(box),
	} {
		draw.Draw(to, box, src, image.Point{}, draw.Src)
		if got := pdq.Image(to).Hash; got != want {
			t.Errorf("%s: %d bits off", name, pdq.Distance(got, want))
		}
	}
	part := image.NewRGBA(image.Rect(0, 0, 200, 200))
	draw.Draw(part, box, src, image.Point{}, draw.Src)
	if got := pdq.Image(part.SubImage(box)).Hash; got != want {
		t.Errorf("part of a picture: %d bits off", pdq.Distance(got, want))
	}
	grey, grey16 := image.NewGray(box), image.NewGray16(box)
	draw.Draw(grey, box, src, image.Point{}, draw.Src)
	draw.Draw(grey16, box, grey, box.Min, draw.Src)
	if a, b := pdq.Image(grey).Hash, pdq.Image(grey16).Hash; a != b {
		t.Errorf("Gray and Gray16 are %d bits apart", pdq.Distance(a, b))
	}
}

// TestTransparencyDoesNotCount: what lies under a transparent pixel is hashed,
// as in the reference.
func TestTransparencyDoesNotCount(t *testing.T) {
	src := synthetic.Photo(120, 120)
	clear := image.NewNRGBA(src.Bounds())
	for i := 0; i < len(src.Pix); i += 4 {
		copy(clear.Pix[i:i+3], src.Pix[i:i+3])
		clear.Pix[i+3] = byte(i)
	}
	if got, want := pdq.Image(clear).Hash, pdq.Image(src).Hash; got != want {
		t.Errorf("%d bits off", pdq.Distance(got, want))
	}
}

func TestWhatGivesNoHash(t *testing.T) {
	m := synthetic.Photo(100, 80)
	files := encoded(t, m)
	for name, c := range map[string]struct {
		data []byte
		h    pdq.Hasher
		want pdq.Reason
	}{
		"empty":            {nil, pdq.Hasher{}, pdq.Unknown},
		"text":             {[]byte("<html>no picture</html>"), pdq.Hasher{}, pdq.Unknown},
		"cut png":          {files["png"][:40], pdq.Hasher{}, pdq.Damaged},
		"cut jpeg":         {files["jpeg"][:40], pdq.Hasher{}, pdq.Damaged},
		"large png":        {files["png"], pdq.Hasher{MaxPixels: 7999}, pdq.TooLarge},
		"large jpeg":       {files["jpeg"], pdq.Hasher{MaxPixels: 7999}, pdq.TooLarge},
		"large gif":        {files["gif"], pdq.Hasher{MaxPixels: 7999}, pdq.TooLarge},
		"large bmp":        {files["bmp"], pdq.Hasher{MaxPixels: 7999}, pdq.TooLarge},
		"65535x65535 jpeg": {sized(files["jpeg"]), pdq.Hasher{}, pdq.TooLarge},
	} {
		_, err := c.h.Decode(c.data)
		var refused *pdq.Error
		if !errors.As(err, &refused) || refused.Reason != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	// The header of an extended WebP promises a small canvas, the frame is large.
	alpha, err := os.ReadFile("testdata/alpha.webp")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(alpha[12:16], []byte("VP8X")) {
		t.Fatal("alpha.webp is not an extended file")
	}
	copy(alpha[24:30], make([]byte, 6)) // a canvas of 1x1
	var refused *pdq.Error
	h := pdq.Hasher{MaxPixels: 7999}
	if _, err := h.Decode(alpha); !errors.As(err, &refused) || refused.Reason != pdq.TooLarge {
		t.Errorf("a frame larger than its canvas: %v", err)
	}
	just := pdq.Hasher{MaxPixels: 8000}
	for name, data := range files {
		if _, err := just.Decode(data); err != nil {
			t.Errorf("%s of as many pixels as allowed: %v", name, err)
		}
	}
}

// sized writes the largest size into the header of a JPEG.
func sized(data []byte) []byte {
	data = bytes.Clone(data)
	i := bytes.Index(data, []byte{0xff, 0xc0})
	copy(data[i+5:], []byte{0xff, 0xff, 0xff, 0xff})
	return data
}

// TestSmallPictures: below five columns or rows there is nothing to hash.
func TestSmallPictures(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {1, 1}, {4, 100}, {100, 4}} {
		r := pdq.Image(image.NewGray(image.Rect(0, 0, size[0], size[1])))
		if r.Hash != (pdq.Hash{}) || r.Quality != 0 || r.Variants() != [8]pdq.Hash{} {
			t.Errorf("%v: %+v", size, r)
		}
	}
	m := image.NewGray(image.Rect(0, 0, 5, 5))
	m.SetGray(2, 2, color.Gray{Y: 255})
	if r := pdq.Image(m); r.Hash == (pdq.Hash{}) {
		t.Error("5x5 gives no hash")
	}
}

// TestPartialIsSaid of a JPEG that ends early.
func TestPartialIsSaid(t *testing.T) {
	data := synthetic.JPEG(400, 300)
	var h pdq.Hasher
	whole, err := h.Decode(data)
	if err != nil || whole.Partial {
		t.Fatalf("whole: %+v, %v", whole.Partial, err)
	}
	cut, err := h.Decode(data[:len(data)*9/10])
	if err != nil || !cut.Partial {
		t.Fatalf("cut: %+v, %v", cut.Partial, err)
	}
	if d := pdq.Distance(whole.Hash, cut.Hash); d == 0 || d > 100 {
		t.Errorf("nine tenths of the file are %d bits from all of it", d)
	}
}

// TestALargePhotoTakesLittleMemory: what a Hasher takes for a baseline JPEG does
// not grow with its size, and the next picture takes nothing more.
func TestALargePhotoTakesLittleMemory(t *testing.T) {
	data := synthetic.JPEG(2400, 1800)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var h pdq.Hasher
	if _, err := h.Decode(data); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 2<<20 {
		t.Errorf("%d bytes", taken)
	}
	runtime.ReadMemStats(&before)
	if _, err := h.Decode(data); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 4<<10 {
		t.Errorf("%d bytes the second time", taken)
	}
}

// FuzzDecode: any bytes give a hash or an error with a reason.
func FuzzDecode(f *testing.F) {
	for _, data := range encoded(f, synthetic.Photo(33, 21)) {
		f.Add(data)
	}
	for _, name := range webps {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := pdq.Hasher{MaxPixels: 1 << 18}
		r, err := h.Decode(data)
		var refused *pdq.Error
		switch {
		case err != nil && (!errors.As(err, &refused) || refused.Reason == ""):
			t.Errorf("%v", err)
		case err == nil && (r.Quality < 0 || r.Quality > 100 || r.Width*r.Height > h.MaxPixels):
			t.Errorf("%+v", r)
		}
	})
}
