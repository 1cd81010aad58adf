// Command gen writes the kernels of package hamming for amd64. It is a module
// of its own, so that nobody else needs avo (BSD-3-Clause): go generate runs
// it, and the assembly it writes is committed.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Layouts, as in scan.go and search.go of package hamming.
const (
	queries    = 4  // of a scanQuery
	wordBytes  = 8  // of each of its fields' elements
	lineBytes  = 64 // four entries
	groupBytes = 2 * lineBytes
	hitBytes   = 8    // of a groupHit
	runBytes   = 12   // of a bucket
	probeBytes = 8    // of a probe
	runsAhead  = 1    // buckets that are on their way from memory while one is read
	ternSelect = 0xEC // of VPTERNLOGD a, b, c: c&a | b
	ternDiffer = 0x28 // (c^b) & a
	nearAhead  = 32   // candidates whose hashes are on their way from memory
)

func main() {
	ConstraintExpr("amd64")
	scan512()
	scanOne512()
	scan2()
	near()
	take512("takeAVX512", false)
	take512("takeTaggedAVX512", true)
	bounds("boundsAMD64", false)
	bounds("boundsTaggedAMD64", true)
	touch()
	touchLines()
	Generate()
}

// param loads an argument of eight bytes.
func param(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// scanArguments are what every scan kernel is called with.
type scanArguments struct {
	lines, query, out, groups, group, hits GPVirtual
}

func loadScan(name string) scanArguments {
	TEXT(name, NOSPLIT, "func(lines *uint64, groups int, q *uint64, out *uint64) int")
	Doc(name+" is scanPortable over the given number of groups.", "The arrays must be as long as scanKernel makes sure of.")
	a := scanArguments{
		lines: param("lines"), groups: param("groups"),
		query: param("q"), out: param("out"),
		group: GP64(), hits: GP64(),
	}
	XORQ(a.group, a.group)
	XORQ(a.hits, a.hits)
	return a
}

// next ends the loop over groups.
func (a scanArguments) next(loop string) {
	Label(loop + "_next")
	ADDQ(Imm(groupBytes), a.lines)
	INCQ(a.group)
	CMPQ(a.group, a.groups)
	JLT(LabelRef(loop))
	Label(loop + "_done")
	Store(a.hits, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// field is element k of field f of the query: 0 first, 1 second, 2 limit.
func (a scanArguments) field(f, k int) Mem {
	return Mem{Base: a.query, Disp: (f*queries + k) * wordBytes}
}

// columns loads a group: the first words of its eight entries, and the second.
func (a scanArguments) columns(x, y VecVirtual) (first, second VecVirtual) {
	first, second = ZMM(), ZMM()
	VMOVDQU64(Mem{Base: a.lines}, x)
	VMOVDQU64(Mem{Base: a.lines, Disp: lineBytes}, y)
	VSHUFI64X2(Imm(0x44), y, x, first)
	VSHUFI64X2(Imm(0xEE), y, x, second)
	return first, second
}

// scan512 compares with four queries: AVX-512 with VPOPCNTDQ.
func scan512() {
	a := loadScan("scanAVX512")
	var first, second [queries]VecVirtual
	for k := range queries {
		first[k], second[k] = ZMM(), ZMM()
		VPBROADCASTQ(a.field(0, k), first[k])
		VPBROADCASTQ(a.field(1, k), second[k])
	}
	Comment("The largest limit decides whether to look closer.")
	most := ZMM()
	VPBROADCASTQ(a.field(2, 0), most)
	for k := 1; k < queries; k++ {
		limit := ZMM()
		VPBROADCASTQ(a.field(2, k), limit)
		VPMAXSQ(limit, most, most)
	}
	TESTQ(a.groups, a.groups)
	JZ(LabelRef("scan512_done"))

	Label("scan512")
	f, s := a.columns(ZMM(), ZMM())
	var sum [queries]VecVirtual
	for k := range queries {
		sum[k] = ZMM()
		t := ZMM()
		VPXORQ(first[k], f, sum[k])
		VPXORQ(second[k], s, t)
		VPOPCNTQ(sum[k], sum[k])
		VPOPCNTQ(t, t)
		VPADDQ(t, sum[k], sum[k])
	}
	low, low2, hit := ZMM(), ZMM(), K()
	VPMINUD(sum[0], sum[1], low)
	VPMINUD(sum[2], sum[3], low2)
	VPMINUD(low, low2, low)
	VPCMPQ(Imm(2), most, low, hit)
	KORTESTB(hit, hit)
	JZ(LabelRef("scan512_next"))
	any, lane := GP32(), GP32()
	XORL(any, any)
	for k := range queries {
		limit := ZMM()
		VPBROADCASTQ(a.field(2, k), limit)
		VPCMPQ(Imm(2), limit, sum[k], hit)
		KMOVB(hit, lane)
		MOVB(lane.As8(), Mem{Base: a.out, Index: a.hits, Scale: hitBytes, Disp: 4 + k})
		ORL(lane, any)
	}
	MOVL(a.group.As32(), Mem{Base: a.out, Index: a.hits, Scale: hitBytes})
	Comment("Written in any case, counted if something was near enough.")
	CMPL(any, Imm(1))
	SBBQ(I8(-1), a.hits)
	a.next("scan512")
}

// scanOne512 compares with the first query only.
func scanOne512() {
	a := loadScan("scanOneAVX512")
	query, limit := ZMM(), ZMM()
	half := YMM()
	VPBROADCASTQ(a.field(0, 0), query)
	VPBROADCASTQ(a.field(1, 0), half)
	VINSERTI64X4(Imm(1), half, query, query)
	VPBROADCASTQ(a.field(2, 0), limit)
	TESTQ(a.groups, a.groups)
	JZ(LabelRef("scanOne512_done"))

	Label("scanOne512")
	x, y, sum, high, hit := ZMM(), ZMM(), ZMM(), ZMM(), K()
	VPXORQ(Mem{Base: a.lines}, query, x)
	VPXORQ(Mem{Base: a.lines, Disp: lineBytes}, query, y)
	VPOPCNTQ(x, x)
	VPOPCNTQ(y, y)
	VSHUFI64X2(Imm(0x44), y, x, sum)
	VSHUFI64X2(Imm(0xEE), y, x, high)
	VPADDQ(high, sum, sum)
	VPCMPQ(Imm(2), limit, sum, hit)
	KORTESTB(hit, hit)
	JZ(LabelRef("scanOne512_next"))
	lane := GP32()
	KMOVB(hit, lane)
	MOVL(a.group.As32(), Mem{Base: a.out, Index: a.hits, Scale: hitBytes})
	MOVL(lane, Mem{Base: a.out, Index: a.hits, Scale: hitBytes, Disp: 4})
	INCQ(a.hits)
	a.next("scanOne512")
}

// counter counts bits with AVX2: by nibbles, from a table.
type counter struct{ table, nibble, zero VecVirtual }

func newCounter() counter {
	table := GLOBL("nibbleCounts", RODATA|NOPTR)
	DATA(0, U64(0x0302020102010100))
	DATA(8, U64(0x0403030203020201))
	mask := GLOBL("nibbleMask", RODATA|NOPTR)
	DATA(0, U64(0x0f0f0f0f0f0f0f0f))
	c := counter{YMM(), YMM(), YMM()}
	VBROADCASTI128(table, c.table)
	VPBROADCASTQ(mask, c.nibble)
	VPXOR(c.zero, c.zero, c.zero)
	return c
}

// nibbles returns in x the counts of the bits of each byte.
func (c counter) nibbles(x VecVirtual) {
	low := YMM()
	VPAND(c.nibble, x, low)
	VPSRLQ(Imm(4), x, x)
	VPAND(c.nibble, x, x)
	VPSHUFB(low, c.table, low)
	VPSHUFB(x, c.table, x)
	VPADDB(low, x, x)
}

// scan2 compares with four queries, line by line: AVX2.
func scan2() {
	a := loadScan("scanAVX2")
	var first, second, limit [queries]Mem
	for k := range queries {
		first[k], second[k], limit[k] = a.field(0, k), a.field(1, k), a.field(2, k)
	}
	c := newCounter()
	TESTQ(a.groups, a.groups)
	JZ(LabelRef("scan2_done"))

	Label("scan2")
	any, far := GP32(), GP32()
	XORL(any, any)
	for k := range queries {
		lanes := GP32()
		for line := range 2 {
			f, s, t := YMM(), YMM(), YMM()
			VPBROADCASTQ(first[k], f)
			VPBROADCASTQ(second[k], s)
			VPXOR(Mem{Base: a.lines, Disp: line * lineBytes}, f, f)
			VPXOR(Mem{Base: a.lines, Disp: line*lineBytes + lineBytes/2}, s, s)
			c.nibbles(f)
			c.nibbles(s)
			VPADDB(s, f, f)
			VPSADBW(c.zero, f, f)
			VPBROADCASTQ(limit[k], t)
			VPCMPGTQ(t, f, f)
			VMOVMSKPD(f, far)
			if line == 0 {
				MOVL(far, lanes)
			} else {
				SHLL(Imm(4), far)
				ORL(far, lanes)
			}
		}
		XORL(Imm(0xff), lanes)
		ORL(lanes, any)
		MOVB(lanes.As8(), Mem{Base: a.out, Index: a.hits, Scale: hitBytes, Disp: 4 + k})
	}
	MOVL(a.group.As32(), Mem{Base: a.out, Index: a.hits, Scale: hitBytes})
	Comment("Written in any case, counted if something was near enough.")
	CMPL(any, Imm(1))
	SBBQ(I8(-1), a.hits)
	a.next("scan2")
}

// near reads the first half of each candidate's hash and keeps those within
// the limit: POPCNT.
func near() {
	TEXT("nearPOPCNT", NOSPLIT, "func(lines *uint64, entries int, cands *uint32, n int, more int, q *uint64, limit int) (kept int)")
	Doc("nearPOPCNT is nearPortable for n candidates, at least one. The hashes of those behind them, more in all, are asked for.")
	lines, entries := param("lines"), param("entries")
	cands, n, more := param("cands"), param("n"), param("more")
	q, limit := param("q"), param("limit")
	first, second, kept, i := GP64(), GP64(), GP64(), GP64()
	MOVQ(Mem{Base: q}, first)
	MOVQ(Mem{Base: q, Disp: wordBytes}, second)
	INCQ(limit)
	XORQ(kept, kept)
	XORQ(i, i)

	Label("near")
	c, at, lane, x, y := GP64(), GP64(), GP64(), GP64(), GP64()
	Comment("Ask for the line of a later one.")
	ahead := GP64()
	LEAQ(Mem{Base: i, Disp: nearAhead}, ahead)
	CMPQ(ahead, more)
	CMOVQGE(i, ahead)
	MOVL(Mem{Base: cands, Index: ahead, Scale: 4}, ahead.As32())
	ANDQ(I8(-4), ahead)
	ADDQ(ahead, ahead)
	PREFETCHT0(Mem{Base: lines, Index: ahead, Scale: 8})
	MOVL(Mem{Base: cands, Index: i, Scale: 4}, c.As32())
	CMPQ(c, entries)
	JAE(LabelRef("near_outside"))
	Comment("A line has four entries of two words: 16 bytes each, the second 32 behind the first.")
	MOVQ(c, lane)
	ANDQ(Imm(3), lane)
	MOVQ(c, at)
	ADDQ(at, at)
	SUBQ(lane, at)
	MOVQ(Mem{Base: lines, Index: at, Scale: 8}, x)
	MOVQ(Mem{Base: lines, Index: at, Scale: 8, Disp: lineBytes / 2}, y)
	XORQ(first, x)
	XORQ(second, y)
	POPCNTQ(x, x)
	POPCNTQ(y, y)
	ADDQ(y, x)
	MOVL(c.As32(), Mem{Base: cands, Index: kept, Scale: 4})
	CMPQ(x, limit)
	ADCQ(Imm(0), kept)
	INCQ(i)
	CMPQ(i, n)
	JLT(LabelRef("near"))
	Store(kept, ReturnIndex(0))
	RET()

	Label("near_outside")
	MOVQ(I64(-1), kept)
	Store(kept, ReturnIndex(0))
	RET()
}

// take512 copies the positions of postings out of buckets, those that a filter
// wants: AVX-512 with VPOPCNTDQ.
func take512(name string, tagged bool) {
	arguments := "ids *uint32, "
	if tagged {
		arguments += "tags *uint8, "
	}
	TEXT(name, NOSPLIT, "func("+arguments+"runs *uint32, n int, f *uint32, out *uint32) int")
	Doc(name + " is takePortable for n buckets, at least one. It may write 15 positions more than it counts.")
	ids, runs, n := param("ids"), param("runs"), param("n")
	f, out := param("f"), param("out")
	var tags GPVirtual
	if tagged {
		tags = param("tags")
	}
	start, low32, mask, some := GP64(), GP32(), GP32(), GP32()
	MOVL(Mem{Base: f, Disp: 4}, some)
	MOVQ(out, start)
	key, own, all, slack, low := ZMM(), ZMM(), ZMM(), ZMM(), ZMM()
	for i, v := range []VecVirtual{key, own, all, slack} {
		VPBROADCASTD(Mem{Base: f, Disp: 4 * i}, v)
	}
	shift := XMM()
	MOVL(Mem{Base: f, Disp: 16}, low32)
	VMOVD(low32, shift)
	MOVL(I32(-1), mask)
	BZHIL(low32, mask, mask)
	VPBROADCASTD(mask, low)

	Label(name)
	at, end, tagsAt := GP64(), GP64(), GP64()
	MOVL(Mem{Base: runs}, at.As32())
	MOVL(Mem{Base: runs, Disp: 4}, end.As32())
	left, most := ZMM(), ZMM()
	VPBROADCASTD(Mem{Base: runs, Disp: 8}, left)
	VPADDD(slack, left, most)
	SUBQ(at, end)
	Comment("While this bucket is read, the next is on its way; behind the last one this one again.")
	soon, tagsSoon := GP64(), GP64()
	LEAQ(Mem{Base: runs, Disp: runBytes * runsAhead}, soon)
	CMPQ(n, Imm(runsAhead))
	CMOVQLE(runs, soon)
	MOVL(Mem{Base: soon}, soon.As32())
	if tagged {
		LEAQ(Mem{Base: tags, Index: at, Scale: 1}, tagsAt)
		LEAQ(Mem{Base: tags, Index: soon, Scale: 1}, tagsSoon)
	}
	LEAQ(Mem{Base: ids, Index: at, Scale: 4}, at)
	LEAQ(Mem{Base: ids, Index: soon, Scale: 4}, soon)

	Label(name + "_sixteen")
	PREFETCHT0(Mem{Base: soon, Disp: 64})
	ADDQ(Imm(64), soon)
	if tagged {
		PREFETCHT0(Mem{Base: tagsSoon})
		ADDQ(Imm(16), tagsSoon)
	}
	x, mine, there, wanted := ZMM(), ZMM(), K(), K()
	tail := GP32()
	Comment("Lanes behind the end are not read.")
	MOVL(I32(-1), tail)
	BZHIL(end.As32(), tail, tail)
	CMPQ(end, Imm(32))
	JLT(LabelRef(name + "_tail"))
	MOVL(I32(-1), tail)
	Label(name + "_tail")
	KMOVW(tail, there)
	VMOVDQU32_Z(Mem{Base: at}, there, x)
	position := ZMM()
	VPSRLD(shift, x, position)
	if tagged {
		tag := ZMM()
		VPMOVZXBD_Z(Mem{Base: tagsAt}, there, tag)
		VPSLLD(shift, tag, tag)
		VPTERNLOGD(Imm(ternSelect), low, tag, x)
	}
	VPTERNLOGD(Imm(ternDiffer), all, key, x)
	VPANDD(own, x, mine)
	VPOPCNTD(x, x)
	VPCMPUD(Imm(2), most, x, there, wanted)
	Comment("In most tables no bits of the band's own are left.")
	TESTL(some, some)
	JZ(LabelRef(name + "_taken"))
	VPOPCNTD(mine, mine)
	VPCMPUD(Imm(2), left, mine, wanted, wanted)
	Label(name + "_taken")
	VPCOMPRESSD_Z(position, wanted, position)
	VMOVDQU32(position, Mem{Base: out})
	count := GP32()
	KMOVW(wanted, count)
	POPCNTL(count, count)
	LEAQ(Mem{Base: out, Index: count.As64(), Scale: 4}, out)
	ADDQ(Imm(64), at)
	if tagged {
		ADDQ(Imm(16), tagsAt)
	}
	SUBQ(Imm(16), end)
	JG(LabelRef(name + "_sixteen"))
	ADDQ(Imm(runBytes), runs)
	DECQ(n)
	JNZ(LabelRef(name))
	SUBQ(start, out)
	SHRQ(Imm(2), out)
	Store(out, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// bounds reads the bounds of the buckets around a key.
func bounds(name string, tagged bool) {
	arguments := ""
	if tagged {
		arguments = "tags *uint8, "
	}
	TEXT(name, NOSPLIT, "func(starts *uint32, key uint32, probes *uint32, n int, ids *uint32, "+arguments+"most uint32, out *uint32) (runs int, postings int)")
	Doc(name + " is boundsPortable for n probes, at least one. It may write one bucket more than it counts.")
	starts, key := param("starts"), Load(Param("key"), GP32()).(GPVirtual)
	probes, n := param("probes"), param("n")
	most, out := Load(Param("most"), GP32()).(GPVirtual), param("out")
	ids := param("ids")
	var tags GPVirtual
	if tagged {
		tags = param("tags")
	}
	runs, postings := GP64(), GP64()
	XORQ(runs, runs)
	XORQ(postings, postings)

	Label(name)
	k, lo, hi, left := GP64(), GP64(), GP64(), GP32()
	MOVL(Mem{Base: probes}, k.As32())
	MOVL(Mem{Base: probes, Disp: 4}, left)
	XORL(key, k.As32())
	MOVL(Mem{Base: starts, Index: k, Scale: 4}, lo.As32())
	MOVL(Mem{Base: starts, Index: k, Scale: 4, Disp: 4}, hi.As32())
	CMPL(hi.As32(), most)
	JA(LabelRef(name + "_outside"))
	Comment("The postings are on their way while other bounds are read.")
	PREFETCHT0(Mem{Base: ids, Index: lo, Scale: 4})
	PREFETCHT0(Mem{Base: ids, Index: lo, Scale: 4, Disp: lineBytes})
	if tagged {
		PREFETCHT0(Mem{Base: tags, Index: lo, Scale: 1})
	}
	MOVL(lo.As32(), Mem{Base: out})
	MOVL(hi.As32(), Mem{Base: out, Disp: 4})
	MOVL(left, Mem{Base: out, Disp: 8})
	SUBQ(lo, hi)
	JL(LabelRef(name + "_outside"))
	ADDQ(hi, postings)
	Comment("An empty bucket is written over.")
	some := GP64()
	XORQ(some, some)
	CMPQ(hi, Imm(1))
	CMC()
	ADCQ(Imm(0), some)
	ADDQ(some, runs)
	LEAQ(Mem{Base: some, Index: some, Scale: 2}, some)
	LEAQ(Mem{Base: out, Index: some, Scale: 4}, out)
	ADDQ(Imm(probeBytes), probes)
	DECQ(n)
	JNZ(LabelRef(name))
	Store(runs, ReturnIndex(0))
	Store(postings, ReturnIndex(1))
	RET()

	Label(name + "_outside")
	MOVQ(I64(-1), runs)
	Store(runs, ReturnIndex(0))
	Store(postings, ReturnIndex(1))
	RET()
}

// touch asks for the bounds of the buckets around a key.
func touch() {
	TEXT("touchAMD64", NOSPLIT, "func(starts *uint32, key uint32, probes *uint32, n int)")
	Doc("touchAMD64 asks for the bounds of the buckets of n probes, at least one.")
	starts, key := param("starts"), Load(Param("key"), GP32()).(GPVirtual)
	probes, n := param("probes"), param("n")
	Label("touch")
	k := GP64()
	MOVL(Mem{Base: probes}, k.As32())
	XORL(key, k.As32())
	PREFETCHT0(Mem{Base: starts, Index: k, Scale: 4})
	ADDQ(Imm(probeBytes), probes)
	DECQ(n)
	JNZ(LabelRef("touch"))
	RET()
}

// touchLines asks for the first half of the hashes of candidates.
func touchLines() {
	TEXT("touchLinesAMD64", NOSPLIT, "func(lines *uint64, cands *uint32, n int)")
	Doc("touchLinesAMD64 asks for the lines of n candidates, at least one.")
	lines, cands, n := param("lines"), param("cands"), param("n")
	Label("touchLines")
	at := GP64()
	MOVL(Mem{Base: cands}, at.As32())
	ANDQ(I8(-4), at)
	ADDQ(at, at)
	PREFETCHT0(Mem{Base: lines, Index: at, Scale: 8})
	ADDQ(Imm(4), cands)
	DECQ(n)
	JNZ(LabelRef("touchLines"))
	RET()
}
