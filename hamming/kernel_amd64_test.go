package hamming

// scanKernels are those that this processor can run.
func scanKernels() map[string]func([]uint64, *scanQuery, []groupHit) int {
	const group = groupLines * lineWords
	k := map[string]func([]uint64, *scanQuery, []groupHit) int{"chosen": scanKernel}
	if hasAVX2 {
		k["AVX2"] = func(lines []uint64, q *scanQuery, out []groupHit) int {
			return scanAVX2(&lines[0], len(lines)/group, q, &out[0])
		}
	}
	if hasAVX512 {
		k["AVX-512"] = func(lines []uint64, q *scanQuery, out []groupHit) int {
			return scanAVX512(&lines[0], len(lines)/group, q, &out[0])
		}
	}
	return k
}
