package hamming

// Costs, in picoseconds, by which a look-up chooses between table and scan.
// They were measured (docs/performance.md); only their ratios matter, and no
// answer depends on them.
//
// costPosting, to read a posting and compare what it has of keys, and those of
// a scan are the kernel's.

// readCost is what it takes to read a candidate's hash among n: from the
// caches, or from memory.
func readCost(n int) int {
	if n <= 2<<20 {
		return 10_000
	}
	return 15_000
}

// scanCost is what it takes to scan n entries for one query, alone or shared
// with others.
func scanCost(n int, shared bool) int {
	if shared {
		return n * scanShared
	}
	return n * scanAlone
}
