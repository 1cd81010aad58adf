package pdq_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/pdq"
)

// The obvious version of the algorithm, whole pictures at a time, which the
// package must equal to the bit.

func obvious(pix []byte, width, height int) (pdq.Hash, int) {
	luma := make([]float32, width*height)
	for i := range luma {
		r, g, b := float32(pix[3*i]), float32(pix[3*i+1]), float32(pix[3*i+2])
		luma[i] = float32(float32(float32(0.299)*r)+float32(float32(0.587)*g)) + float32(float32(0.114)*b)
	}
	var small [64][64]float32
	if width != 64 || height != 64 {
		for range 2 {
			for y := range height {
				obviousBox(luma[y*width:], 1, width)
			}
			for x := range width {
				obviousBox(luma[x:], width, height)
			}
		}
	}
	for i := range 64 {
		for j := range 64 {
			small[i][j] = luma[int((float64(i)+0.5)*float64(height)/64)*width+int((float64(j)+0.5)*float64(width)/64)]
		}
	}
	return obviousHash(&small), obviousQuality(&small)
}

// obviousBox replaces n values, step apart, by the means of boxes around them.
func obviousBox(v []float32, step, n int) {
	window := (n + 127) / 128
	half := (window + 2) / 2
	out := make([]float32, 0, n)
	var sum float32
	for y := range n + half - 1 {
		if y < n {
			sum += v[y*step]
		}
		if y >= window {
			sum -= v[(y-window)*step]
		}
		if y >= half-1 {
			out = append(out, sum/float32(min(y+1, window, window-(y-n+1))))
		}
	}
	for y, o := range out {
		v[y*step] = o
	}
}

func obviousQuality(a *[64][64]float32) int {
	sum := 0
	step := func(u, v float32) {
		sum += int(math.Abs(float64(int(float32((u-v)*100) / 255))))
	}
	for i := range 64 {
		for j := range 64 {
			if i < 63 {
				step(a[i][j], a[i+1][j])
			}
			if j < 63 {
				step(a[i][j], a[i][j+1])
			}
		}
	}
	return min(100, sum/90)
}

func obviousHash(a *[64][64]float32) pdq.Hash {
	var d, t [16][64]float32
	for i := range d {
		for j := range d[i] {
			d[i][j] = float32(float64(float32(math.Sqrt(2.0/64))) * math.Cos(float64(math.Pi/2/64)*float64(i+1)*float64(2*j+1)))
		}
	}
	for i := range 16 {
		for j := range 64 {
			for k := range 64 {
				t[i][j] += float32(d[i][k] * a[k][j])
			}
		}
	}
	var b []float32
	for i := range 16 {
		for j := range 16 {
			var sum float32
			for k := range 64 {
				sum += float32(t[i][k] * d[j][k])
			}
			b = append(b, sum)
		}
	}
	sorted := slices.Sorted(slices.Values(b))
	var h pdq.Hash
	for k, v := range b {
		if v > sorted[127] {
			h[31-k/8] |= 1 << (k % 8)
		}
	}
	return h
}

// TestEqualToTheObviousVersion on pictures of any size, hashed whole.
func TestEqualToTheObviousVersion(t *testing.T) {
	h := pdq.Hasher{FullResolution: true} // one for all: what a picture leaves behind must not matter
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(5, 900).Draw(t, "width"), rapid.IntRange(5, 900).Draw(t, "height")
		if rapid.IntRange(0, 9).Draw(t, "not filtered") == 9 {
			width, height = 64, 64
		}
		soft := rapid.IntRange(0, 8).Draw(t, "soft")
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) //nolint:gosec // pixels, not secrets
		pix := make([]byte, 3*width*height)
		for i := range pix {
			pix[i] = byte(rnd.Uint32()>>(24+soft) + uint32(i*200/len(pix))) //nolint:gosec // a byte
		}
		hash, quality := obvious(pix, width, height)
		got := h.RGB(pix, 3*width, width, height)
		if got.Hash != hash || got.Quality != quality {
			t.Fatalf("%dx%d: %v %d, want %v %d", width, height, got.Hash, got.Quality, hash, quality)
		}
	})
}
