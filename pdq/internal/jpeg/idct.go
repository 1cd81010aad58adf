package jpeg

// The transform is that of the Independent JPEG Group's "slow integer" method
// (Loeffler, Ligtenberg and Moschytz, 1989, in 13-bit fixed point), step by
// step, so that pixels agree with those of decoders built on it.
const (
	fix0298 = 2446  // 0.298631336
	fix0390 = 3196  // 0.390180644
	fix0541 = 4433  // 0.541196100
	fix0765 = 6270  // 0.765366865
	fix0899 = 7373  // 0.899976223
	fix1175 = 9633  // 1.175875602
	fix1501 = 12299 // 1.501321110
	fix1847 = 15137 // 1.847759065
	fix1961 = 16069 // 1.961570560
	fix2053 = 16819 // 2.053119869
	fix2562 = 20995 // 2.562915447
	fix3072 = 25172 // 3.072711026
)

// butterfly does eight values; the results are scaled by 1<<13.
func butterfly(c0, c1, c2, c3, c4, c5, c6, c7 int32) (r0, r1, r2, r3, r4, r5, r6, r7 int32) {
	z := (c2 + c6) * fix0541
	e2, e3 := z-c6*fix1847, z+c2*fix0765
	e0, e1 := (c0+c4)<<13, (c0-c4)<<13
	t10, t13, t11, t12 := e0+e3, e0-e3, e1+e2, e1-e2

	z1, z2, z3, z4 := c7+c1, c5+c3, c7+c3, c5+c1
	z5 := (z3 + z4) * fix1175
	z1, z2 = -z1*fix0899, -z2*fix2562
	z3, z4 = z5-z3*fix1961, z5-z4*fix0390
	o0 := c7*fix0298 + z1 + z3
	o1 := c5*fix2053 + z2 + z4
	o2 := c3*fix3072 + z2 + z3
	o3 := c1*fix1501 + z1 + z4
	return t10 + o3, t11 + o2, t12 + o1, t13 + o0, t13 - o0, t12 - o1, t11 - o2, t10 - o3
}

// coefficient keeps a product with a table's value within the 16 bits that it
// has in any picture.
func coefficient(v, q int32) int32 { return int32(int16(v * q)) } //nolint:gosec // cut on purpose

// columns transforms the columns of a dequantised block in place; the values
// are scaled by 4 then. Columns from n on hold zeros.
func columns(b *[64]int32, n int) {
	for i := range n {
		i &= 7
		c0, c1, c2, c3, c4, c5, c6, c7 := b[i], b[i+8], b[i+16], b[i+24], b[i+32], b[i+40], b[i+48], b[i+56]
		if c1|c2|c3|c4|c5|c6|c7 == 0 {
			v := c0 << 2
			b[i], b[i+8], b[i+16], b[i+24], b[i+32], b[i+40], b[i+48], b[i+56] = v, v, v, v, v, v, v, v
			continue
		}
		c0, c1, c2, c3, c4, c5, c6, c7 = butterfly(c0, c1, c2, c3, c4, c5, c6, c7)
		const half = 1 << 10
		b[i], b[i+8], b[i+16], b[i+24] = (c0+half)>>11, (c1+half)>>11, (c2+half)>>11, (c3+half)>>11
		b[i+32], b[i+40], b[i+48], b[i+56] = (c4+half)>>11, (c5+half)>>11, (c6+half)>>11, (c7+half)>>11
	}
}

// row transforms one row after columns and returns its pixels.
func row(b *[8]int32) (p [8]byte) {
	if b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7] == 0 {
		v := pixel((b[0]<<13 + 1<<17 + 128<<18) >> 18) // as below: it wraps alike, if it wraps
		return [8]byte{v, v, v, v, v, v, v, v}
	}
	r0, r1, r2, r3, r4, r5, r6, r7 := butterfly(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])
	const half = 1<<17 + 128<<18
	return [8]byte{
		pixel((r0 + half) >> 18), pixel((r1 + half) >> 18), pixel((r2 + half) >> 18), pixel((r3 + half) >> 18),
		pixel((r4 + half) >> 18), pixel((r5 + half) >> 18), pixel((r6 + half) >> 18), pixel((r7 + half) >> 18),
	}
}

// pixel keeps v within a byte.
func pixel(v int32) byte {
	if uint32(v) > 255 { //nolint:gosec // a negative one is large then
		return byte(^(v >> 31)) //nolint:gosec // 0 or 255
	}
	return byte(v) //nolint:gosec // within a byte now
}
