//go:build !amd64

package hamming

// scanKernels are those that this processor can run.
func scanKernels() map[string]func([]uint64, *scanQuery, []groupHit) int {
	return map[string]func([]uint64, *scanQuery, []groupHit) int{"chosen": scanKernel}
}
