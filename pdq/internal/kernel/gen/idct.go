package main

import (
	. "github.com/mmcloughlin/avo/build" //nolint:revive // assembly reads as assembly
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of the transform, in the order in which they lie in memory,
// eight times each.
const (
	fix0541 = iota
	fix1847
	fix0765
	fix1175
	minus0899
	minus2562
	minus1961
	minus0390
	fix0298
	fix2053
	fix3072
	fix1501
	roundColumns
	roundRows
	order
)

// idct: eight columns side by side, then eight rows side by side.
func idct() {
	TEXT("idctAVX2", NOSPLIT, "func(dst *[64]byte, src *[64]int32, constants *[120]int32)")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc("idctAVX2 is IDCT.")
	dst, src, constants := pointer("dst"), pointer("src"), pointer("constants")
	by := func(k int) operand.Mem { return mem(constants, 32*k) }
	var v [8]reg.VecVirtual
	for i := range v {
		v[i] = YMM()
		VMOVDQU(mem(src, 32*i), v[i])
	}
	butterfly(v[:], by)
	for i := range v {
		VPADDD(by(roundColumns), v[i], v[i])
		VPSRAD(operand.Imm(11), v[i], v[i])
	}
	v = transposed(v)
	butterfly(v[:], by)
	for i := range v {
		VPADDD(by(roundRows), v[i], v[i])
		VPSRAD(operand.Imm(18), v[i], v[i])
	}
	for i := 0; i < 8; i += 4 {
		VPACKSSDW(v[i+1], v[i], v[i])
		VPACKSSDW(v[i+3], v[i+2], v[i+2])
		VPACKUSWB(v[i+2], v[i], v[i])
		places := YMM()
		VMOVDQU(by(order), places)
		VPERMD(v[i], places, v[i])
		VMOVDQU(v[i], mem(dst, 8*i))
	}
	VZEROUPPER()
	RET()
}

// butterfly does what the function of that name in package jpeg does, on eight
// of each.
func butterfly(c []reg.VecVirtual, by func(int) operand.Mem) {
	t, a := YMM(), YMM()
	VPADDD(c[6], c[2], t)
	VPMULLD(by(fix0541), t, t)
	VPMULLD(by(fix1847), c[6], a)
	VPMULLD(by(fix0765), c[2], c[2])
	VPADDD(t, c[2], c[2]) // e3
	VPSUBD(a, t, c[6])    // e2
	VPADDD(c[4], c[0], t)
	VPSUBD(c[4], c[0], a)
	VPSLLD(operand.Imm(13), t, t) // e0
	VPSLLD(operand.Imm(13), a, a) // e1
	VPADDD(c[2], t, c[0])         // t10
	VPSUBD(c[2], t, c[2])         // t13
	VPADDD(c[6], a, c[4])         // t11
	VPSUBD(c[6], a, c[6])         // t12

	z1, z2, z3, z4 := YMM(), YMM(), YMM(), YMM()
	VPADDD(c[1], c[7], z1)
	VPADDD(c[3], c[5], z2)
	VPADDD(c[3], c[7], z3)
	VPADDD(c[1], c[5], z4)
	VPADDD(z3, z4, t)
	VPMULLD(by(fix1175), t, t) // z5
	VPMULLD(by(minus0899), z1, z1)
	VPMULLD(by(minus2562), z2, z2)
	VPMULLD(by(minus1961), z3, z3)
	VPMULLD(by(minus0390), z4, z4)
	VPADDD(t, z3, z3)
	VPADDD(t, z4, z4)
	odd := func(v reg.VecVirtual, k int, p, q reg.VecVirtual) {
		VPMULLD(by(k), v, v)
		VPADDD(p, v, v)
		VPADDD(q, v, v)
	}
	odd(c[7], fix0298, z1, z3) // o0
	odd(c[5], fix2053, z2, z4) // o1
	odd(c[3], fix3072, z2, z3) // o2
	odd(c[1], fix1501, z1, z4) // o3

	r := [8]reg.VecVirtual{YMM(), YMM(), YMM(), YMM(), YMM(), YMM(), YMM(), YMM()}
	for i, p := range [4][2]int{{0, 1}, {4, 3}, {6, 5}, {2, 7}} {
		VPADDD(c[p[1]], c[p[0]], r[i])
		VPSUBD(c[p[1]], c[p[0]], r[7-i])
	}
	copy(c, r[:])
}

// transposed exchanges rows and columns of eight by eight.
func transposed(v [8]reg.VecVirtual) (w [8]reg.VecVirtual) {
	upper := quarter([4]reg.VecVirtual{v[0], v[1], v[2], v[3]}) // columns 0 to 3 and 4 to 7 of rows 0 to 3
	lower := quarter([4]reg.VecVirtual{v[4], v[5], v[6], v[7]})
	for i := range 4 {
		w[i], w[i+4] = YMM(), YMM()
		VPERM2I128(operand.Imm(0x20), lower[i], upper[i], w[i])
		VPERM2I128(operand.Imm(0x31), lower[i], upper[i], w[i+4])
	}
	return w
}
