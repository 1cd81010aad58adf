// Command gen writes the assembly of package kernel. It is a module of its own,
// so that users of the package need neither it nor what it depends on:
//
//	cd pdq/internal/kernel/gen && go run . -out ../kernel_amd64.s -stubs ../stubs_amd64.go -pkg kernel
package main

import (
	. "github.com/mmcloughlin/avo/build" //nolint:revive // assembly reads as assembly
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")
	luma()
	toColumns()
	fromColumns()
	boxColumns()
	boxStep("boxStepMul", "out is the sum times factor", VMULPS)
	boxStep("boxStepDiv", "out is the sum divided by factor", VDIVPS)
	gradients()
	dct()
	idct()
	Generate()
}

// mem is base+disp(+index*scale).
func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// at is base+index+disp.
func at(base, index reg.Register, disp int) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: 1, Disp: disp}
}

// loop emits body while the counter, lowered by step first, is not negative:
// as often as step fits into it.
func loop(name string, counter reg.GPVirtual, step int, body func()) {
	Label(name)
	SUBQ(operand.Imm(uint64(step)), counter)
	JLT(operand.LabelRef(name + "_done"))
	body()
	JMP(operand.LabelRef(name))
	Label(name + "_done")
}

func pointer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// luma: eight pixels a turn, each four bytes apart after a shuffle that brings
// the bytes of one colour into the low bytes of eight words.
func luma() {
	TEXT("lumaAVX2", NOSPLIT, "func(dst *float32, src *byte, n, step int, masks *[96]byte, weights *[3]float32)")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc("lumaAVX2 is Luma24 and Luma32 for n pixels, a multiple of 8, whose groups of four lie step bytes apart.",
		"It reads 16 bytes at each group.")
	dst, src, n, step := pointer("dst"), pointer("src"), pointer("n"), pointer("step")
	masks, weights := pointer("masks"), pointer("weights")
	var mask, weight [3]reg.VecVirtual
	for i := range mask {
		mask[i], weight[i] = YMM(), YMM()
		VMOVDQU(mem(masks, 32*i), mask[i])
		VBROADCASTSS(mem(weights, 4*i), weight[i])
	}
	loop("pixels", n, 8, func() {
		px := YMM()
		VMOVDQU(mem(src, 0), px.AsX())
		VINSERTI128(operand.Imm(1), at(src, step, 0), px, px)
		LEAQ(operand.Mem{Base: src, Index: step, Scale: 2}, src)
		var c [3]reg.VecVirtual
		for i := range c {
			c[i] = YMM()
			VPSHUFB(mask[i], px, c[i])
			VCVTDQ2PS(c[i], c[i])
			VMULPS(weight[i], c[i], c[i])
		}
		VADDPS(c[1], c[0], c[0])
		VADDPS(c[2], c[0], c[0])
		VMOVUPS(c[0], mem(dst, 0))
		ADDQ(operand.Imm(32), dst)
	})
	VZEROUPPER()
	RET()
}

// quarter exchanges rows and columns of the 4x4 blocks in both lanes.
func quarter(v [4]reg.VecVirtual) (w [4]reg.VecVirtual) {
	var t [4]reg.VecVirtual
	for i := range t {
		t[i], w[i] = YMM(), YMM()
	}
	VUNPCKLPS(v[1], v[0], t[0]) // 00 10 01 11
	VUNPCKHPS(v[1], v[0], t[1]) // 02 12 03 13
	VUNPCKLPS(v[3], v[2], t[2])
	VUNPCKHPS(v[3], v[2], t[3])
	VUNPCKLPD(t[2], t[0], w[0])
	VUNPCKHPD(t[2], t[0], w[1])
	VUNPCKLPD(t[3], t[1], w[2])
	VUNPCKHPD(t[3], t[1], w[3])
	return w
}

// toColumns: four columns of sixteen rows a turn. A register takes four values
// of a row and four of the row four below.
func toColumns() {
	TEXT("toColumns", NOSPLIT, "func(dst, src *float32, stride, n int)")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc("toColumns writes n columns, a multiple of 4, of 16 rows one after the other. The stride is in bytes.")
	dst, src, stride, n := pointer("dst"), pointer("src"), pointer("stride"), pointer("n")
	rows := rowPointers(src, stride)
	loop("columns", n, 4, func() {
		for group := range 2 {
			var v [4]reg.VecVirtual
			for i := range v {
				v[i] = YMM()
				VMOVUPS(rowAt(rows[2*group], stride, i), v[i].AsX())
				VINSERTF128(operand.Imm(1), rowAt(rows[2*group+1], stride, i), v[i], v[i])
			}
			for i, w := range quarter(v) {
				VMOVUPS(w, mem(dst, 64*i+32*group))
			}
		}
		for _, r := range rows {
			ADDQ(operand.Imm(16), r)
		}
		ADDQ(operand.I32(256), dst)
	})
	VZEROUPPER()
	RET()
}

// rowPointers returns pointers to rows 0, 4, 8 and 12.
func rowPointers(base, stride reg.GPVirtual) (rows [4]reg.GPVirtual) {
	rows[0] = base
	for i := 1; i < 4; i++ {
		rows[i] = GP64()
		LEAQ(operand.Mem{Base: rows[i-1], Index: stride, Scale: 4}, rows[i])
	}
	return rows
}

// rowAt is the memory i rows below a pointer.
func rowAt(p, stride reg.GPVirtual, i int) operand.Mem {
	switch i {
	case 0:
		return mem(p, 0)
	case 3:
		three := GP64()
		LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, three)
		return at(p, three, 0)
	default:
		return operand.Mem{Base: p, Index: stride, Scale: uint8(i)}
	}
}

func fromColumns() {
	TEXT("fromColumns", NOSPLIT, "func(dst, src *float32, stride, n int)")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc("fromColumns undoes toColumns.")
	dst, src, stride, n := pointer("dst"), pointer("src"), pointer("stride"), pointer("n")
	rows := rowPointers(dst, stride)
	loop("columns", n, 4, func() {
		for group := range 2 {
			var v [4]reg.VecVirtual
			for i := range v {
				v[i] = YMM()
				VMOVUPS(mem(src, 64*i+32*group), v[i])
			}
			for i, w := range quarter(v) {
				VMOVUPS(w.AsX(), rowAt(rows[2*group], stride, i))
				VEXTRACTF128(operand.Imm(1), w, rowAt(rows[2*group+1], stride, i))
			}
		}
		for _, r := range rows {
			ADDQ(operand.Imm(16), r)
		}
		ADDQ(operand.I32(256), src)
	})
	VZEROUPPER()
	RET()
}

// boxColumns: sixteen rows side by side. The four phases are the reference's:
// fill, write while the box grows, move, write while it shrinks.
func boxColumns() {
	TEXT("boxColumns", NOSPLIT, "func(dst, src *float32, fill, grow, move, shrink int, exact int, ones *[2]float32)")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc("boxColumns runs a box along n columns of 16 values. Of its columns, fill are only added; grow outputs",
		"follow with one more column each, move outputs with the full box, shrink outputs with one column less each.",
		"ones holds 1 and, where exact is not 0, the reciprocal of the full size.")
	dst, src := pointer("dst"), pointer("src")
	fill, grow, move, shrink := pointer("fill"), pointer("grow"), pointer("move"), pointer("shrink")
	exact, ones := pointer("exact"), pointer("ones")
	old := GP64()
	MOVQ(src, old)
	one, count, factor := YMM(), YMM(), YMM()
	VBROADCASTSS(mem(ones, 0), one)
	VBROADCASTSS(mem(ones, 4), factor)
	VXORPS(count, count, count)
	var sum, out [2]reg.VecVirtual
	for i := range sum {
		sum[i], out[i] = YMM(), YMM()
		VXORPS(sum[i], sum[i], sum[i])
	}
	enter := func() {
		for i := range sum {
			VADDPS(mem(src, 32*i), sum[i], sum[i])
		}
		ADDQ(operand.Imm(64), src)
	}
	leave := func() {
		for i := range sum {
			VSUBPS(mem(old, 32*i), sum[i], sum[i])
		}
		ADDQ(operand.Imm(64), old)
	}
	write := func(op func(a, b, c operand.Op), by reg.VecVirtual) {
		for i := range sum {
			op(by, sum[i], out[i])
			VMOVUPS(out[i], mem(dst, 32*i))
		}
		ADDQ(operand.Imm(64), dst)
	}
	mul := func(a, b, c operand.Op) { VMULPS(a, b, c) }
	div := func(a, b, c operand.Op) { VDIVPS(a, b, c) }
	loop("fill", fill, 1, func() { enter(); VADDPS(one, count, count) })
	loop("grow", grow, 1, func() { enter(); VADDPS(one, count, count); write(div, count) })
	CMPQ(exact, operand.Imm(0))
	JEQ(operand.LabelRef("divide"))
	loop("multiply", move, 1, func() { enter(); leave(); write(mul, factor) })
	JMP(operand.LabelRef("shrink"))
	loop("divide", move, 1, func() { enter(); leave(); write(div, count) })
	loop("shrink", shrink, 1, func() { leave(); VSUBPS(one, count, count); write(div, count) })
	VZEROUPPER()
	RET()
}

func boxStep(name, what string, op func(...operand.Op)) {
	TEXT(name, NOSPLIT, "func(sum, in, old, out *float32, n int, factor float32)")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc(name + " adds in to n sums, a multiple of 8, and subtracts old; " + what + ".")
	sum, in, old, out, n := pointer("sum"), pointer("in"), pointer("old"), pointer("out"), pointer("n")
	factor := YMM()
	f, err := Param("factor").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(f.Addr, factor)
	loop("columns", n, 8, func() {
		s := YMM()
		VMOVUPS(mem(in, 0), s)
		VADDPS(mem(sum, 0), s, s)
		VSUBPS(mem(old, 0), s, s)
		VMOVUPS(s, mem(sum, 0))
		op(factor, s, s)
		VMOVUPS(s, mem(out, 0))
		for _, p := range []reg.GPVirtual{sum, in, old, out} {
			ADDQ(operand.Imm(32), p)
		}
	})
	VZEROUPPER()
	RET()
}

// gradients: steps down, then steps to the right; of the last eight of a row
// only seven.
func gradients() {
	TEXT("gradientsAVX2", NOSPLIT, "func(a *[4096]float32, constants *[10]uint32) int")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc("gradientsAVX2 is Gradients. The constants are 100 and 255 as float32, seven words of ones and one of zeros.")
	a, constants := pointer("a"), pointer("constants")
	hundred, range255, mask, total := YMM(), YMM(), YMM(), YMM()
	VBROADCASTSS(mem(constants, 0), hundred)
	VBROADCASTSS(mem(constants, 4), range255)
	VMOVDQU(mem(constants, 8), mask)
	VPXOR(total, total, total)
	add := func(u, v reg.VecVirtual) {
		VSUBPS(v, u, u)
		VMULPS(hundred, u, u)
		VDIVPS(range255, u, u)
		VCVTTPS2DQ(u, u)
		VPABSD(u, u)
		VPADDD(u, total, total)
	}
	p, n := GP64(), GP64()
	MOVQ(a, p)
	MOVQ(operand.U32(63*64), n)
	loop("down", n, 8, func() {
		u, v := YMM(), YMM()
		VMOVUPS(mem(p, 0), u)
		VMOVUPS(mem(p, 256), v)
		add(u, v)
		ADDQ(operand.Imm(32), p)
	})
	MOVQ(operand.U32(64), n)
	loop("right", n, 1, func() {
		for i := range 7 {
			u, v := YMM(), YMM()
			VMOVUPS(mem(a, 32*i), u)
			VMOVUPS(mem(a, 32*i+4), v)
			add(u, v)
		}
		u, v := YMM(), YMM()
		VMASKMOVPS(mem(a, 224), mask, u)
		VMASKMOVPS(mem(a, 228), mask, v)
		add(u, v)
		ADDQ(operand.I32(256), a)
	})
	half := XMM()
	VEXTRACTI128(operand.Imm(1), total, half)
	VPADDD(half, total.AsX(), half)
	VPHADDD(half, half, half)
	VPHADDD(half, half, half)
	sum := GP64()
	VMOVD(half, sum.As32())
	VZEROUPPER()
	Store(sum, ReturnIndex(0))
	RET()
}

// dct: first the 16x64 product with the columns side by side, then the 16x16
// one, four rows at once. Each sum adds its 64 products in order.
func dct() {
	TEXT("dctAVX2", NOSPLIT, "func(b *[256]float32, a *[4096]float32, t, cosines, cosinesT *[1024]float32)")
	Pragma("noescape") // the caller keeps its buffers on the stack
	Doc("dctAVX2 is DCT; t holds what is between the two products.")
	b, a, d, dt := pointer("b"), pointer("a"), pointer("cosines"), pointer("cosinesT")
	from := pointer("t")
	to, rows := GP64(), GP64()
	MOVQ(from, to)
	var acc [8]reg.VecVirtual
	for i := range acc {
		acc[i] = YMM()
	}
	term := func(sum reg.VecVirtual, by reg.VecVirtual, m operand.Mem) {
		product := YMM()
		VMULPS(m, by, product)
		VADDPS(product, sum, sum)
	}
	MOVQ(operand.U32(16), rows)
	loop("wide", rows, 1, func() {
		for i := range acc {
			VXORPS(acc[i], acc[i], acc[i])
		}
		p, k := GP64(), GP64()
		MOVQ(a, p)
		MOVQ(operand.U32(64), k)
		loop("wide_sum", k, 1, func() {
			c := YMM()
			VBROADCASTSS(mem(d, 0), c)
			for i := range acc {
				term(acc[i], c, mem(p, 32*i))
			}
			ADDQ(operand.Imm(4), d)
			ADDQ(operand.I32(256), p)
		})
		for i := range acc {
			VMOVUPS(acc[i], mem(to, 32*i))
		}
		ADDQ(operand.I32(256), to)
	})
	MOVQ(operand.U32(4), rows)
	loop("narrow", rows, 1, func() {
		for i := range acc {
			VXORPS(acc[i], acc[i], acc[i])
		}
		p, k := GP64(), GP64()
		MOVQ(dt, p)
		MOVQ(operand.U32(64), k)
		loop("narrow_sum", k, 1, func() {
			for row := range 4 {
				c := YMM()
				VBROADCASTSS(mem(from, 256*row), c)
				term(acc[2*row], c, mem(p, 0))
				term(acc[2*row+1], c, mem(p, 32))
			}
			ADDQ(operand.Imm(4), from)
			ADDQ(operand.Imm(64), p)
		})
		for row := range 4 {
			VMOVUPS(acc[2*row], mem(b, 64*row))
			VMOVUPS(acc[2*row+1], mem(b, 64*row+32))
		}
		ADDQ(operand.I32(768), from) // 256 of the four rows were passed already
		ADDQ(operand.I32(256), b)
	})
	VZEROUPPER()
	RET()
}
