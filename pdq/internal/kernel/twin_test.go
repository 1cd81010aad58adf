//go:build amd64 && !purego

package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzTwins: assembly and Go give the same bits, whatever the pixels, the width
// and the box.
func FuzzTwins(f *testing.F) {
	f.Add(uint64(1), uint16(512), uint16(512))
	f.Add(uint64(2), uint16(5), uint16(5))
	f.Add(uint64(3), uint16(129), uint16(300))
	f.Add(uint64(4), uint16(1000), uint16(777))
	f.Fuzz(func(t *testing.T, seed uint64, wide, high uint16) {
		if !fast {
			t.Skip("this processor has no AVX2")
		}
		rnd := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // pixels, not secrets
		width, height := 5+int(wide)%3000, 5+int(high)%3000
		compareLuma(t, rnd, width)
		compareRows(t, rnd, width)
		compareSteps(t, rnd, width, height)
		compareSmall(t, rnd)
	})
}

// both runs the function with and without assembly and compares what it says.
func both[T any](t *testing.T, name string, run func() T) {
	t.Helper()
	got := run()
	fast = false
	want := run()
	fast = true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-Go +assembly):\n%s", name, diff)
	}
}

func compareLuma(t *testing.T, rnd *rand.Rand, width int) {
	t.Helper()
	pix := make([]byte, 4*width)
	for i := range pix {
		pix[i] = byte(rnd.Uint32()) //nolint:gosec // a byte
	}
	both(t, "Luma24", func() []float32 {
		out := make([]float32, width)
		Luma24(out, pix[:3*width:3*width])
		return out
	})
	both(t, "Luma32", func() []float32 {
		out := make([]float32, width)
		Luma32(out, pix[:4*width:4*width])
		return out
	})
}

func values(rnd *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = rnd.Float32() * 255
	}
	return v
}

func compareRows(t *testing.T, rnd *rand.Rand, width int) {
	t.Helper()
	stride := (width + Strip - 1) / Strip * Strip
	src := values(rnd, Strip*stride)
	var s Strips
	s.Fit(stride)
	both(t, "BoxRows", func() []float32 {
		out := make([]float32, Strip*stride)
		BoxRows(&s, out, src, stride, width, Window(width))
		for y := range Strip {
			clear(out[y*stride+width : (y+1)*stride]) // nobody looks there
		}
		return out
	})
	var at [Side]int
	for i := range at {
		at[i] = (2*i + 1) * width / (2 * Side)
	}
	both(t, "BoxRowsAt", func() []float32 {
		out := make([]float32, Strip*Side)
		BoxRowsAt(&s, out, src, stride, width, Window(width), &at)
		return out
	})
}

func compareSteps(t *testing.T, rnd *rand.Rand, width, height int) {
	t.Helper()
	sum, in, old := values(rnd, width), values(rnd, width), values(rnd, width)
	for _, n := range []int{1, 3, 4, Window(height)} {
		both(t, "BoxStep", func() [2][]float32 {
			s, out := append([]float32(nil), sum...), make([]float32, width)
			BoxStep(s, in, old, out, n)
			return [2][]float32{s, out}
		})
	}
}

func compareSmall(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	a := (*[Side * Side]float32)(values(rnd, Side*Side))
	both(t, "Gradients", func() int { return Gradients(a) })
	both(t, "DCT", func() [Coefs * Coefs]float32 {
		var b [Coefs * Coefs]float32
		DCT(&b, a)
		return b
	})
}
