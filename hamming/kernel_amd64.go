package hamming

import (
	"math"

	"golang.org/x/sys/cpu"
)

//go:generate go run -C internal/gen . -out ../../kernel_amd64.s -pkg hamming

// What the processor can, asked once.
var (
	hasPOPCNT = cpu.X86.HasPOPCNT
	hasAVX2   = cpu.X86.HasAVX2
	hasAVX512 = hasPOPCNT && cpu.X86.HasBMI2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VPOPCNTDQ
)

// Costs of the kernels (cost.go), in picoseconds an entry or a posting.
var scanShared, scanAlone, costPosting = kernelCosts()

func kernelCosts() (shared, alone, posting int) {
	switch {
	case hasAVX512:
		return 130, 400, 1000
	case hasAVX2:
		return 500, 900, 3000
	default:
		return 1600, 1600, 3000
	}
}

//go:noescape
func scanAVX512(lines *uint64, groups int, q *scanQuery, out *groupHit) int

//go:noescape
func scanOneAVX512(lines *uint64, groups int, q *scanQuery, out *groupHit) int

//go:noescape
func scanAVX2(lines *uint64, groups int, q *scanQuery, out *groupHit) int

//go:noescape
func nearPOPCNT(lines *uint64, entries int, cands *uint32, n, more int, q *words, limit int) (kept int)

//go:noescape
func takeAVX512(ids *uint32, runs *bucket, n int, f *filter, out *uint32) int

//go:noescape
func takeTaggedAVX512(ids *uint32, tags *uint8, runs *bucket, n int, f *filter, out *uint32) int

//go:noescape
func boundsAMD64(starts *uint32, key uint32, probes *probe, n int, ids *uint32, most uint32, out *bucket) (runs int, postings int)

//go:noescape
func boundsTaggedAMD64(starts *uint32, key uint32, probes *probe, n int, ids *uint32, tags *uint8, most uint32, out *bucket) (runs int, postings int)

//go:noescape
func touchAMD64(starts *uint32, key uint32, probes *probe, n int)

//go:noescape
func touchLinesAMD64(lines *uint64, cands *uint32, n int)

func scanKernel(lines []uint64, q *scanQuery, out []groupHit) (hits int) {
	const group = groupLines * lineWords
	n := len(lines) / group
	if n == 0 {
		return 0
	}
	_ = out[n-1] // the kernels do not look
	switch {
	case hasAVX512 && q.count == 1:
		return scanOneAVX512(&lines[0], n, q, &out[0])
	case hasAVX512:
		return scanAVX512(&lines[0], n, q, &out[0])
	case hasAVX2 && q.count > 1:
		return scanAVX2(&lines[0], n, q, &out[0])
	default:
		return scanPortable(lines, q, out)
	}
}

func boundsKernel(starts []uint32, key uint32, probes []probe, ids []uint32, tags []uint8, out []bucket) (runs, postings int) {
	_ = out[len(probes)] // the kernel does not look
	if len(ids) == 0 || len(ids) > math.MaxInt32 || len(probes) == 0 {
		return boundsPortable(starts, key, probes, ids, out)
	}
	most := uint32(len(ids)) //nolint:gosec // checked
	if len(tags) > 0 {
		return boundsTaggedAMD64(&starts[0], key, &probes[0], len(probes), &ids[0], &tags[0], most, &out[0])
	}
	return boundsAMD64(&starts[0], key, &probes[0], len(probes), &ids[0], most, &out[0])
}

// touchKernel asks for the bounds of the buckets around key.
func touchKernel(starts []uint32, key uint32, probes []probe) {
	if len(probes) > 0 {
		touchAMD64(&starts[0], key, &probes[0], len(probes))
	}
}

// touchLinesKernel asks for the hashes of candidates, as many as caches keep
// until they are read.
func touchLinesKernel(lines []uint64, cands []uint32) {
	if n := min(len(cands), touchedLines); n > 0 {
		touchLinesAMD64(&lines[0], &cands[0], n)
	}
}

const touchedLines = 1024

func takeKernel(ids []uint32, tags []uint8, runs []bucket, f *filter, out []uint32) int {
	switch {
	case !hasAVX512 || len(runs) == 0:
		return takePortable(ids, tags, runs, f, out)
	case len(tags) > 0:
		return takeTaggedAVX512(&ids[0], &tags[0], &runs[0], len(runs), f, &out[0])
	default:
		return takeAVX512(&ids[0], &runs[0], len(runs), f, &out[0])
	}
}

func nearKernel(lines []uint64, entries int, cands []uint32, more int, q *words, limit int) int {
	if !hasPOPCNT || len(cands) == 0 {
		return nearPortable(lines, entries, cands, q, limit)
	}
	_ = cands[:more] // the kernel does not look
	return nearPOPCNT(&lines[0], entries, &cands[0], len(cands), more, q, limit)
}

// Instructions names the instructions that scans use on this machine: AVX-512
// (with VPOPCNTDQ), AVX2, or portable.
func Instructions() string {
	switch {
	case hasAVX512:
		return "AVX-512"
	case hasAVX2:
		return "AVX2"
	default:
		return "portable"
	}
}
