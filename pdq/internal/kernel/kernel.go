// Package kernel holds the arithmetic of PDQ that costs time: luminance, box
// sums, gradients and the transform. Each function exists in Go here and, where
// it pays, in assembly for processors that have the instructions; the two give
// the same bits, because they do the same float32 operations in the same order.
//
// Nothing may be fused: a product is rounded to float32 before it is added.
// Go may fuse x*y+z on some processors unless a conversion stands between, so
// every product here is converted.
package kernel

import "math"

// Strip is how many rows the row filter takes at once.
const Strip = 16

// Side is the side of the small picture and Coefs that of the transform.
const (
	Side  = 64
	Coefs = 16
)

// A Strips is the working memory of the row filter for pictures up to a width.
type Strips struct{ in, out []float32 }

// Fit makes room for rows of that stride.
func (s *Strips) Fit(stride int) {
	if n := Strip * stride; len(s.in) < n {
		s.in, s.out = make([]float32, n), make([]float32, n)
	}
}

// Weights of red, green and blue in luminance, as float32. ITU-R BT.601.
const (
	weightR = float32(0.299)
	weightG = float32(0.587)
	weightB = float32(0.114)
)

// The products of every byte with its weight.
var lumaR, lumaG, lumaB = products(weightR), products(weightG), products(weightB)

func products(w float32) (t [256]float32) {
	for i := range t {
		t[i] = float32(w * float32(i))
	}
	return t
}

// Luma1 returns the luminance of one pixel.
func Luma1(r, g, b byte) float32 { return float32(lumaR[r]+lumaG[g]) + lumaB[b] }

// cosines is the matrix of the transform: rows 1 to 16 of a 64-point DCT-II.
var cosines = func() (d [Coefs * Side]float32) {
	scale := float64(float32(math.Sqrt(2.0 / Side)))
	for i := range Coefs {
		for j := range Side {
			d[i*Side+j] = float32(scale * math.Cos(float64(math.Pi/2.0/Side)*float64(i+1)*float64(2*j+1)))
		}
	}
	return d
}()

// cosinesT is cosines with rows and columns exchanged.
var cosinesT = func() (t [Side * Coefs]float32) {
	for i := range Coefs {
		for j := range Side {
			t[j*Coefs+i] = cosines[i*Side+j]
		}
	}
	return t
}()

// Window returns the size of the box for a picture of n columns or rows.
func Window(n int) int { return (n + 2*Side - 1) / (2 * Side) }

// half is the number of additions up to the first output of a box.
func half(window int) int { return (window + 2) / 2 }
