//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd gen && go run . -out ../kernel_amd64.s -stubs ../stubs_amd64.go -pkg kernel"

// fast says that the processor has AVX2. Tests turn it off.
var fast = cpu.X86.HasAVX2

// Fast says which instructions are used besides the portable ones.
func Fast() string {
	if fast {
		return "avx2"
	}
	return ""
}

// A layout says where the colours of four pixels lie in 16 bytes.
type layout struct {
	size  int      // of a pixel
	masks [96]byte // for each colour, twice: bytes 0, 4, 8 and 12 take it, the rest is zero
}

func layoutOf(size int) *layout {
	l := &layout{size: size}
	for i := range l.masks {
		l.masks[i] = 0x80
		if colour, word := i/32, i%16; word%4 == 0 {
			l.masks[i] = byte(word/4*size + colour) //nolint:gosec // below 16
		}
	}
	return l
}

var (
	layout24, layout32 = layoutOf(3), layoutOf(4)
	weights            = [3]float32{weightR, weightG, weightB}
)

func (l *layout) luma(dst []float32, src []byte) {
	n := len(dst)
	_ = src[:n*l.size]
	done := 0
	if fast && len(src) >= 16 {
		readable := ((len(src)-16)/(4*l.size) + 1) * 4
		if done = min(n, readable) / 8 * 8; done > 0 {
			lumaAVX2(&dst[0], &src[0], done, 4*l.size, &l.masks, &weights)
		}
	}
	lumaGo(dst[done:], src[done*l.size:], l.size)
}

// Luma24 fills dst with the luminance of packed red, green and blue bytes.
func Luma24(dst []float32, src []byte) { layout24.luma(dst, src) }

// Luma32 is Luma24 for four bytes a pixel, of which the last does not count.
func Luma32(dst []float32, src []byte) { layout32.luma(dst, src) }

// BoxRows runs a box along each of 16 rows of the stride, which is a multiple
// of 16.
func BoxRows(s *Strips, dst, src []float32, stride, width, window int) {
	if !fast {
		boxRowsGo(dst, src, stride, width, window)
		return
	}
	_, _ = dst[Strip*stride-1], src[Strip*stride-1]
	s.box(src, stride, width, window)
	fromColumns(&dst[0], &s.out[0], 4*stride, stride)
}

// box fills out with the columns after the box.
func (s *Strips) box(src []float32, stride, width, window int) {
	_, _ = s.in[Strip*stride-1], s.out[Strip*stride-1]
	toColumns(&s.in[0], &src[0], 4*stride, stride)
	ones := [2]float32{1, 1 / float32(window)}
	exact := 0
	if window&(window-1) == 0 { // then the product with the reciprocal is exact
		exact = 1
	}
	h := half(window)
	boxColumns(&s.out[0], &s.in[0], h-1, window-h+1, width-window, h-1, exact, &ones)
}

// BoxRowsAt is BoxRows of which only the columns at are kept: 64 a row.
func BoxRowsAt(s *Strips, dst, src []float32, stride, width, window int, at *[Side]int) {
	if !fast {
		boxRowsAtGo(s, dst, src, stride, width, window, at)
		return
	}
	_, _ = dst[Strip*Side-1], src[Strip*stride-1]
	s.box(src, stride, width, window)
	var kept [Side * Strip]float32
	for k, x := range at {
		copy(kept[k*Strip:][:Strip], s.out[x*Strip:][:Strip])
	}
	fromColumns(&dst[0], &kept[0], 4*Side, Side)
}

// BoxStep moves the boxes of all columns down by one row: in enters, old
// leaves, and out is the sum divided by n.
func BoxStep(sum, in, old, out []float32, n int) {
	done := 0
	if fast && len(sum) >= 8 {
		done = len(sum) / 8 * 8
		_, _, _ = in[done-1], old[done-1], out[done-1]
		if n&(n-1) == 0 {
			boxStepMul(&sum[0], &in[0], &old[0], &out[0], done, 1/float32(n))
		} else {
			boxStepDiv(&sum[0], &in[0], &old[0], &out[0], done, float32(n))
		}
	}
	boxStepGo(sum[done:], in[done:], old[done:], out[done:], n)
}

// gradientConstants are 100 and 255 as float32 and a mask of seven of eight.
var gradientConstants = [10]uint32{0x42c80000, 0x437f0000, ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), 0}

// Gradients returns the sum of all steps between neighbours, each in whole
// hundredths of the range, cut off and not rounded.
func Gradients(a *[Side * Side]float32) int {
	if !fast {
		return gradientsGo(a)
	}
	return gradientsAVX2(a, &gradientConstants)
}

// DCT writes the 16x16 low frequencies of a, without the constant ones.
func DCT(b *[Coefs * Coefs]float32, a *[Side * Side]float32) {
	if !fast {
		dctGo(b, a)
		return
	}
	var between [Coefs * Side]float32
	dctAVX2(b, a, &between, &cosines, &cosinesT)
}

// idctConstants are those of the transform in 13-bit fixed point, what rounds
// (in the second pass with 128 added), and where words go after packing.
var idctConstants = func() (t [120]int32) {
	for i, v := range []int32{
		4433, 15137, 6270, 9633, -7373, -20995, -16069, -3196, 2446, 16819, 25172, 12299, 1 << 10, 1<<17 + 128<<18,
	} {
		for j := range 8 {
			t[8*i+j] = v
		}
	}
	copy(t[112:], []int32{0, 4, 1, 5, 2, 6, 3, 7})
	return t
}()

// IDCT transforms a block of JPEG coefficients (row by row, as 16-bit values)
// into pixels, column by column. It is false where the processor cannot, and
// the caller must.
func IDCT(dst *[64]byte, src *[64]int32) bool {
	if !fast {
		return false
	}
	idctAVX2(dst, src, &idctConstants)
	return true
}
