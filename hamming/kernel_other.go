//go:build !amd64

package hamming

// Costs of the portable kernels (cost.go).
const (
	scanShared = 1600
	scanAlone  = 1600
)

func scanKernel(lines []uint64, q *scanQuery, out []groupHit) int { return scanPortable(lines, q, out) }

func boundsKernel(starts []uint32, key uint32, probes []probe, ids []uint32, out []bucket) (runs, postings int) {
	return boundsPortable(starts, key, probes, ids, out)
}

func takeKernel(ids []uint32, runs []bucket, keys *[3]uint32, group int, out []uint32) int {
	return takePortable(ids, runs, keys, group, out)
}

func nearKernel(lines []uint64, entries int, cands []uint32, q *words, limit int) int {
	return nearPortable(lines, entries, cands, q, limit)
}

// Instructions names the instructions that scans use on this machine: AVX-512
// (with VPOPCNTDQ), AVX2, or portable.
func Instructions() string { return "portable" }
