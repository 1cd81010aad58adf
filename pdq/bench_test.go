package pdq_test

import (
	"bytes"
	"fmt"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/tangkal/tangkal/pdq"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

// noise makes packed pixels, soft enough to have a good hash.
func noise(width, height, channels int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(width), uint64(height))) //nolint:gosec // a picture, not a secret
	pix := make([]byte, width*height*channels)
	for i := range pix {
		pix[i] = byte(rnd.Uint32()>>25 + uint32(i/channels%width)*127/uint32(width)) //nolint:gosec // a byte
	}
	return pix
}

func BenchmarkRGB(b *testing.B) {
	for _, side := range []int{128, 256, 512} {
		pix := noise(side, side, 3)
		b.Run("side="+strconv.Itoa(side), func(b *testing.B) {
			var h pdq.Hasher
			defer cpu(b)()
			for b.Loop() {
				h.RGB(pix, 3*side, side, side)
			}
		})
	}
}

func BenchmarkVariants(b *testing.B) {
	pix := noise(512, 512, 3)
	b.Run("of=1", func(b *testing.B) {
		var h pdq.Hasher
		defer cpu(b)()
		for b.Loop() {
			h.RGB(pix, 3*512, 512, 512)
		}
	})
	b.Run("of=8", func(b *testing.B) {
		var h pdq.Hasher
		defer cpu(b)()
		for b.Loop() {
			r := h.RGB(pix, 3*512, 512, 512)
			r.Variants()
		}
	})
}

// BenchmarkRatioVariants: the hashes of all eight orientations against one (x),
// in turn, by processor time.
func BenchmarkRatioVariants(b *testing.B) {
	pix := noise(512, 512, 3)
	var h pdq.Hasher
	of := func(eight bool) float64 {
		start := cpuTime()
		for range 20 {
			if r := h.RGB(pix, 3*512, 512, 512); eight {
				r.Variants()
			}
		}
		return float64(cpuTime()-start) / 20
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		var one, eight []float64
		for range 25 {
			one, eight = append(one, of(false)), append(eight, of(true))
		}
		slices.Sort(one)
		slices.Sort(eight)
		b.ReportMetric(one[12], "one-cpu-ns")
		b.ReportMetric(eight[12], "eight-cpu-ns")
		b.ReportMetric(eight[12]/one[12], "x")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkJPEG is from the bytes of a file to the hash.
func BenchmarkJPEG(b *testing.B) {
	for _, size := range [][2]int{{512, 512}, {1920, 1080}, {4000, 3000}} {
		data := synthetic.JPEG(size[0], size[1])
		if dir := os.Getenv("TANGKAL_KEEP"); dir != "" { // for the peers to hash the same
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%dx%d.jpg", size[0], size[1])), data, 0o600); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("size=%dx%d", size[0], size[1]), func(b *testing.B) {
			var h pdq.Hasher
			b.SetBytes(int64(len(data)))
			defer cpu(b)()
			for b.Loop() {
				if _, err := h.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFullResolution hashes every pixel of a large file.
func BenchmarkFullResolution(b *testing.B) {
	data := synthetic.JPEG(4000, 3000)
	h := pdq.Hasher{FullResolution: true}
	b.Run("size=4000x3000", func(b *testing.B) {
		defer cpu(b)()
		for b.Loop() {
			if _, err := h.Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDistance(b *testing.B) {
	x, y := pdq.Hash{1, 2, 3}, pdq.Hash{31: 7}
	n := 0
	for b.Loop() {
		n += pdq.Distance(x, y)
	}
	if n == 0 {
		b.Fatal("no distance")
	}
}

// BenchmarkPNG is from the bytes of a file to the hash; the decoder is that of
// the standard library.
func BenchmarkPNG(b *testing.B) {
	var file bytes.Buffer
	if err := png.Encode(&file, synthetic.Photo(1024, 768)); err != nil {
		b.Fatal(err)
	}
	b.Run("size=1024x768", func(b *testing.B) {
		var h pdq.Hasher
		b.SetBytes(int64(file.Len()))
		defer cpu(b)()
		for b.Loop() {
			if _, err := h.Decode(file.Bytes()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
