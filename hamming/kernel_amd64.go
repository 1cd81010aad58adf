package hamming

const (
	scanShared = 1600
	scanAlone  = 1600
)

func scanKernel(lines []uint64, q *scanQuery, out []groupHit) int { return scanPortable(lines, q, out) }
