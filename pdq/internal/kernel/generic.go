//go:build !amd64 || purego

package kernel

// Fast says which instructions are used besides the portable ones.
func Fast() string { return "" }

// Luma24 fills dst with the luminance of packed red, green and blue bytes.
func Luma24(dst []float32, src []byte) { lumaGo(dst, src, 3) }

// Luma32 is Luma24 for four bytes a pixel, of which the last does not count.
func Luma32(dst []float32, src []byte) { lumaGo(dst, src, 4) }

// BoxRows runs a box along each of 16 rows of the stride.
func BoxRows(_ *Strips, dst, src []float32, stride, width, window int) {
	boxRowsGo(dst, src, stride, width, window)
}

// BoxRowsAt is BoxRows of which only the columns at are kept: 64 a row.
func BoxRowsAt(s *Strips, dst, src []float32, stride, width, window int, at *[Side]int) {
	boxRowsAtGo(s, dst, src, stride, width, window, at)
}

// BoxStep moves the boxes of all columns down by one row: in enters, old
// leaves, and out is the sum divided by n.
func BoxStep(sum, in, old, out []float32, n int) { boxStepGo(sum, in, old, out, n) }

// Gradients returns the sum of all steps between neighbours, each in whole
// hundredths of the range, cut off and not rounded.
func Gradients(a *[Side * Side]float32) int { return gradientsGo(a) }

// DCT writes the 16x16 low frequencies of a, without the constant ones.
func DCT(b *[Coefs * Coefs]float32, a *[Side * Side]float32) { dctGo(b, a) }

// IDCT is false: the caller transforms.
func IDCT(*[64]byte, *[64]int32) bool { return false }
