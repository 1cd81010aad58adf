package kernel

// lumaGo fills dst with the luminance of pixels of n bytes each, of which the
// first three are red, green and blue.
func lumaGo(dst []float32, src []byte, n int) {
	for i := range dst {
		p := src[i*n : i*n+3 : i*n+3]
		dst[i] = float32(lumaR[p[0]]+lumaG[p[1]]) + lumaB[p[2]]
	}
}

// boxRowsGo runs a box along each of 16 rows.
func boxRowsGo(dst, src []float32, stride, width, window int) {
	for y := 0; y < Strip; y += 2 {
		i := y * stride
		boxTwo(dst[i:i+width], dst[i+stride:i+stride+width], src[i:i+width], src[i+stride:i+stride+width], window)
	}
}

// boxTwo runs a box along two rows at once, so that the additions of one need
// not wait for those of the other. The order within a row is that of the
// reference: add the value that enters, subtract the one that leaves, divide.
func boxTwo(d, e, a, b []float32, window int) {
	h := half(window)
	var s, t float32
	for i := range h - 1 {
		s += a[i]
		t += b[i]
	}
	for i := h - 1; i < window; i++ {
		s += a[i]
		t += b[i]
		n := float32(i + 1)
		d[i-h+1] = s / n
		e[i-h+1] = t / n
	}
	s, t = boxMiddle(d, e, a, b, s, t, window)
	n := float32(window)
	for i := len(a) - window; i < len(a)-window+h-1; i++ {
		s -= a[i]
		t -= b[i]
		n--
		j := i + window - h + 1
		d[j] = s / n
		e[j] = t / n
	}
}

// boxMiddle writes all outputs for which the box lies inside the row.
func boxMiddle(d, e, a, b []float32, s, t float32, window int) (_, _ float32) {
	h := half(window)
	from := window - h + 1
	n := len(a) - window
	a0, a1 := a[:n], a[window:][:n]
	b0, b1 := b[:n], b[window:][:n]
	d, e = d[from:][:n], e[from:][:n]
	size := float32(window)
	if window&(window-1) == 0 { // then the product with the reciprocal is exact
		inv := 1 / size
		for i := range a0 {
			s += a1[i]
			s -= a0[i]
			d[i] = float32(s * inv)
			t += b1[i]
			t -= b0[i]
			e[i] = float32(t * inv)
		}
		return s, t
	}
	for i := range a0 {
		s += a1[i]
		s -= a0[i]
		d[i] = s / size
		t += b1[i]
		t -= b0[i]
		e[i] = t / size
	}
	return s, t
}

// boxStepGo moves the boxes of all columns down by one row: in enters, old
// leaves, and out is the sum divided by n.
func boxStepGo(sum, in, old, out []float32, n int) {
	in, old, out = in[:len(sum)], old[:len(sum)], out[:len(sum)]
	size := float32(n)
	if n&(n-1) == 0 {
		inv := 1 / size
		for i, s := range sum {
			s += in[i]
			s -= old[i]
			sum[i] = s
			out[i] = float32(s * inv)
		}
		return
	}
	for i, s := range sum {
		s += in[i]
		s -= old[i]
		sum[i] = s
		out[i] = s / size
	}
}

// gradientsGo returns the sum of all steps between neighbours, each in whole
// hundredths of the range, cut off and not rounded.
func gradientsGo(a *[Side * Side]float32) int {
	sum := int32(0)
	for i := 0; i < Side*Side-Side; i++ {
		sum += gradient(a[i], a[i+Side])
	}
	for i := 0; i < Side*Side; i += Side {
		row := a[i : i+Side]
		for j := 1; j < Side; j++ {
			sum += gradient(row[j-1], row[j])
		}
	}
	return int(sum)
}

func gradient(u, v float32) int32 {
	d := int32(float32((u-v)*100) / 255)
	if d < 0 {
		return -d
	}
	return d
}

// dctGo writes the 16x16 low frequencies of a, without the constant ones.
func dctGo(b *[Coefs * Coefs]float32, a *[Side * Side]float32) {
	var t [Coefs * Side]float32
	for i := range Coefs {
		row := cosines[i*Side : i*Side+Side]
		for j := 0; j < Side; j += 4 {
			var s0, s1, s2, s3 float32
			for k, d := range row {
				p := a[k*Side+j : k*Side+j+4 : k*Side+j+4]
				s0 += float32(d * p[0])
				s1 += float32(d * p[1])
				s2 += float32(d * p[2])
				s3 += float32(d * p[3])
			}
			t[i*Side+j], t[i*Side+j+1], t[i*Side+j+2], t[i*Side+j+3] = s0, s1, s2, s3
		}
	}
	for i := range Coefs {
		row := t[i*Side : i*Side+Side]
		for j := 0; j < Coefs; j += 4 {
			var s0, s1, s2, s3 float32
			for k, v := range row {
				p := cosinesT[k*Coefs+j : k*Coefs+j+4 : k*Coefs+j+4]
				s0 += float32(v * p[0])
				s1 += float32(v * p[1])
				s2 += float32(v * p[2])
				s3 += float32(v * p[3])
			}
			b[i*Coefs+j], b[i*Coefs+j+1], b[i*Coefs+j+2], b[i*Coefs+j+3] = s0, s1, s2, s3
		}
	}
}

// boxRowsAtGo is boxRowsGo of which only the columns at are kept.
func boxRowsAtGo(s *Strips, dst, src []float32, stride, width, window int, at *[Side]int) {
	boxRowsGo(s.out, src, stride, width, window)
	for y := range Strip {
		row := s.out[y*stride : y*stride+width]
		to := dst[y*Side : y*Side+Side]
		for k, x := range at {
			to[k] = row[x]
		}
	}
}
