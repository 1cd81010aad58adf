package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/pdq/internal/kernel"
)

// The files of testdata were made of one synthetic picture with cjpeg of
// libjpeg-turbo, and beside each lies what its djpeg says are the pixels (-dct
// int, and -grayscale but for rgb.jpg).

func fixtures(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.pnm")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".pnm") + ".jpg"
	}
	return files
}

func load(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wanted reads the pixels that lie beside a file.
func wanted(t testing.TB, file string) (width, height int, pix []byte) {
	t.Helper()
	data := load(t, strings.TrimSuffix(file, ".jpg")+".pnm")
	var kind, depth int
	if _, err := fmt.Sscanf(string(data[:20]), "P%d\n%d %d\n%d", &kind, &width, &height, &depth); err != nil {
		t.Fatal(err)
	}
	n := width * height
	if kind == 6 {
		n *= 3
	}
	return width, height, data[len(data)-n:]
}

func upTo(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i) //nolint:gosec // small
	}
	return s
}

func all(t testing.TB, d *Decoder, data []byte) (Header, Planes) {
	t.Helper()
	h, err := d.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Read(upTo(h.Width), upTo(h.Height))
	if err != nil {
		t.Fatal(err)
	}
	return h, p
}

// TestPixelsAreThoseOfLibjpeg to the bit, one decoder for all files.
func TestPixelsAreThoseOfLibjpeg(t *testing.T) {
	var d Decoder
	for _, file := range fixtures(t) {
		h, p := all(t, &d, load(t, file))
		width, height, want := wanted(t, file)
		if h.Width != width || h.Height != height || d.Partial() {
			t.Errorf("%s: %+v, partial %v; want %dx%d", file, h, d.Partial(), width, height)
			continue
		}
		got := p.Grey
		if p.RGB != nil {
			got = p.RGB
		}
		if !bytes.Equal(got, want) {
			wrong := 0
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					wrong++
				}
			}
			t.Errorf("%s: %d of %d values differ", file, wrong, len(want))
		}
	}
}

// TestSomePixelsAreThoseOfAll: asking for less gives the same.
func TestSomePixelsAreThoseOfAll(t *testing.T) {
	var d, e Decoder
	files := fixtures(t)
	rapid.Check(t, func(t *rapid.T) {
		file := rapid.SampledFrom(files).Draw(t, "file")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h, err := d.Open(data)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := d.Read(upTo(h.Width), upTo(h.Height))
		if err != nil {
			t.Fatal(err)
		}
		w, ht := rapid.IntRange(1, 2*h.Width).Draw(t, "columns"), rapid.IntRange(1, 2*h.Height).Draw(t, "rows")
		xs, ys := make([]int32, w), make([]int32, ht)
		for i := range xs {
			xs[i] = int32(i * h.Width / w) //nolint:gosec // small
		}
		for i := range ys {
			ys[i] = int32(i * h.Height / ht) //nolint:gosec // small
		}
		if _, err := e.Open(data); err != nil {
			t.Fatal(err)
		}
		some, err := e.Read(xs, ys)
		if err != nil {
			t.Fatal(err)
		}
		var want Planes
		for _, y := range ys {
			for _, x := range xs {
				i := int(y)*h.Width + int(x)
				if whole.RGB != nil {
					want.RGB = append(want.RGB, whole.RGB[3*i:3*i+3]...)
				} else {
					want.Grey = append(want.Grey, whole.Grey[i])
				}
			}
		}
		if diff := cmp.Diff(want, some); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestAnEarlyEndKeepsWhatCame: a file cut in half has its upper part, and what
// is missing is grey.
func TestAnEarlyEndKeepsWhatCame(t *testing.T) {
	var d Decoder
	for _, file := range []string{"testdata/plain-444.jpg", "testdata/restart.jpg", "testdata/best.jpg"} {
		data := load(t, file)
		width, height, want := wanted(t, file)
		_, p := all(t, &d, data[:len(data)/2])
		if !d.Partial() {
			t.Errorf("%s: nothing is said of the early end", file)
		}
		if upper := width * 16; !bytes.Equal(p.Grey[:upper], want[:upper]) {
			t.Errorf("%s: the upper rows differ", file)
		}
		if last := p.Grey[width*height-1]; last != 128 {
			t.Errorf("%s: the last pixel is %d, want 128", file, last)
		}
	}
}

// TestAWrongPlaceIsLeftAtTheNextRestart: damage in one interval does not reach
// the rows after the next marker.
func TestAWrongPlaceIsLeftAtTheNextRestart(t *testing.T) {
	var d Decoder
	const file = "testdata/restart-rows.jpg"
	data := load(t, file)
	first, second := bytes.Index(data, []byte{0xff, 0xd1}), bytes.Index(data, []byte{0xff, 0xd2})
	if first < 0 || second < first {
		t.Fatal("no restart markers")
	}
	width, _, want := wanted(t, file)
	broken := bytes.Clone(data)
	for i := first + 2; i < second; i++ {
		broken[i] = 0x55
	}
	lost := append(bytes.Clone(data[:first]), data[second:]...) // with its marker
	for name, b := range map[string][]byte{"broken": broken, "lost": lost} {
		_, p := all(t, &d, b)
		if upper := 16 * width; !bytes.Equal(p.Grey[:upper], want[:upper]) {
			t.Errorf("%s: the rows above differ", name)
		}
		if below := 32 * width; !bytes.Equal(p.Grey[below:], want[below:]) {
			t.Errorf("%s: the rows below differ", name)
		}
	}
}

// TestTablesOfMotionJPEG: without its Huffman tables a file of the standard ones
// reads the same. Garbage between segments changes nothing either.
func TestTablesOfMotionJPEG(t *testing.T) {
	var d Decoder
	data := load(t, "testdata/plain-420.jpg")
	_, _, want := wanted(t, "testdata/plain-420.jpg")
	bare := bytes.Clone(data)
	for {
		i := bytes.Index(bare, []byte{0xff, 0xc4})
		if i < 0 {
			break
		}
		n := 2 + int(bare[i+2])<<8 + int(bare[i+3])
		bare = append(bare[:i:i], append([]byte("garbage"), bare[i+n:]...)...)
	}
	if len(bare) > len(data)-300 {
		t.Fatal("no tables were taken out")
	}
	if _, p := all(t, &d, bare); !bytes.Equal(p.Grey, want) || d.Partial() {
		t.Error("the pixels differ")
	}
}

func TestWhatIsNotReadIsRefused(t *testing.T) {
	var d Decoder
	plain := load(t, "testdata/plain-420.jpg")
	sof := bytes.Index(plain, []byte{0xff, 0xc0})
	with := func(at int, b ...byte) []byte {
		c := bytes.Clone(plain)
		copy(c[sof+at:], b)
		return c
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"arithmetic coding": {load(t, "testdata/arithmetic.jpg"), ErrUnsupported},
		"lossless":          {with(1, 0xc3), ErrUnsupported},
		"12 bits":           {with(4, 12), ErrUnsupported},
		"no height":         {with(5, 0, 0), ErrDamaged},
		"no components":     {with(9, 0), ErrDamaged},
		"no factor":         {with(11, 0x02), ErrDamaged},
		"no table":          {with(12, 7), ErrDamaged},
		"nothing":           {nil, ErrDamaged},
		"header only":       {plain[:sof+20], ErrDamaged},
		"no frame":          {plain[:sof], ErrDamaged},
	} {
		h, err := d.Open(c.data)
		if err == nil {
			_, err = d.Read(upTo(h.Width), upTo(h.Height))
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzDecoder: any bytes give pixels or an error, with no more memory than the
// header's size explains.
func FuzzDecoder(f *testing.F) {
	for _, file := range fixtures(f) {
		f.Add(load(f, file))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := d.Open(data)
		if err != nil || h.Width > 1<<20/h.Height {
			return
		}
		p, err := d.Read(upTo(h.Width), upTo(h.Height))
		if err == nil && len(p.Grey) != h.Width*h.Height && len(p.RGB) != 3*h.Width*h.Height {
			t.Errorf("%+v: %d and %d bytes", h, len(p.Grey), len(p.RGB))
		}
	})
}

// FuzzTransform: assembly and Go give the same pixels of any block.
func FuzzTransform(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, uint8(3))
	f.Add(bytes.Repeat([]byte{0x7f, 0xff}, 64), uint8(64))
	f.Add(bytes.Repeat([]byte{0x80, 0x00, 0x7f, 0xff}, 32), uint8(64))
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		var b [64]int32
		for i := range min(64, int(n), len(data)/2) {
			b[zigzag[i]] = int32(int16(data[2*i])<<8 | int16(data[2*i+1]))
		}
		var got [64]byte
		if !kernel.IDCT(&got, &b) {
			t.Skip("no assembly here")
		}
		columns(&b, 8)
		for y := range 8 {
			for x, want := range row((*[8]int32)(b[8*y : 8*y+8])) {
				if got[8*x+y] != want {
					t.Fatalf("pixel %d of row %d is %d, in Go %d", x, y, got[8*x+y], want)
				}
			}
		}
	})
}
