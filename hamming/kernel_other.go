//go:build !amd64

package hamming

// Costs of the portable kernels (cost.go).
const (
	scanShared  = 1600
	scanAlone   = 1600
	costPosting = 3000
)

func scanKernel(lines []uint64, q *scanQuery, out []groupHit) int { return scanPortable(lines, q, out) }

func boundsKernel(starts []uint32, key uint32, probes []probe, ids []uint32, _ []uint8, out []bucket) (runs, postings int) {
	return boundsPortable(starts, key, probes, ids, out)
}

func takeKernel(ids []uint32, tags []uint8, runs []bucket, f *filter, out []uint32) int {
	return takePortable(ids, tags, runs, f, out)
}

func nearKernel(lines []uint64, entries int, cands []uint32, _ int, q *words, limit int) int {
	return nearPortable(lines, entries, cands, q, limit)
}

func touchKernel([]uint32, uint32, []probe) {}

func touchLinesKernel([]uint64, []uint32) {}

// Instructions names the instructions that scans use on this machine: AVX-512
// (with VPOPCNTDQ), AVX2, or portable.
func Instructions() string { return "portable" }
