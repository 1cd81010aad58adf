package hamming

import "math/bits"

// The kernels in portable Go: the reference of those in assembly, which tests
// hold to them, and what runs where there are none.

// scanPortable looks at the groups of eight entries that lines hold, writes
// those with a hit to out, which has room for all, and returns their number.
func scanPortable(lines []uint64, q *scanQuery, out []groupHit) (n int) {
	const group = groupLines * lineWords
	for g := range len(lines) / group {
		h := groupHit{group: uint32(g)} //nolint:gosec // at most scanGroups
		some := uint8(0)
		for l := range groupLines {
			line := (*[lineWords]uint64)(lines[g*group+l*lineWords:])
			for k := range q.count {
				for i := range perLine {
					d := bits.OnesCount64(line[i]^q.first[k]) + bits.OnesCount64(line[i+perLine]^q.second[k])
					if int64(d) <= q.limit[k] {
						h.lanes[k] |= 1 << (l*perLine + i)
					}
				}
				some |= h.lanes[k]
			}
		}
		if some != 0 {
			out[n] = h
			n++
		}
	}
	return n
}

// boundsPortable writes the buckets around key that are not empty to out,
// which has room for one more than there are probes, and returns their number
// and that of their postings; -1 if a bucket ends before it begins, or behind
// ids.
func boundsPortable(starts []uint32, key uint32, probes []probe, ids []uint32, out []bucket) (runs, postings int) {
	for _, p := range probes {
		lo, hi := starts[key^p.mask], starts[key^p.mask+1]
		if lo > hi || int(hi) > len(ids) {
			return -1, 0
		}
		if lo != hi {
			out[runs] = bucket{lo, hi, p.left}
			runs++
			postings += int(hi - lo)
		}
	}
	return runs, postings
}

// takePortable copies the positions of those postings in the buckets whose
// group bits are in keys, by the bits that a bucket has left, to out, which has
// room for all and takeSlack more. It returns their number.
func takePortable(ids []uint32, runs []bucket, keys *[3]uint32, group int, out []uint32) (n int) {
	mask := uint32(1)<<group - 1
	for _, k := range runs {
		allowed := keys[k.left]
		for _, e := range ids[k.lo:k.hi] { // without a branch: what is not wanted is overwritten
			out[n] = e >> group
			n += int(allowed >> (e & mask) & 1)
		}
	}
	return n
}

// nearPortable moves those candidates to the front whose first 128 bits are
// within limit of q's, and returns their number; -1 if one is not below
// entries.
func nearPortable(lines []uint64, entries int, cands []uint32, q *words, limit int) (kept int) {
	for _, c := range cands {
		if int(c) >= entries {
			return -1
		}
		l := c>>2<<3 | c&3
		d := bits.OnesCount64(lines[l]^q[0]) + bits.OnesCount64(lines[l+perLine]^q[1])
		if d <= limit {
			cands[kept] = c
			kept++
		}
	}
	return kept
}

// takeSlack is what a kernel may write behind what it counts.
const takeSlack = 16

// near[low][left] has bit k set where k and low, group bits of two keys, differ
// in at most left bits.
var near = nearTable()

func nearTable() (t [1 << maxGroup][3]uint32) {
	for low := range t {
		for left := range t[low] {
			for k := range 1 << maxGroup {
				if bits.OnesCount(uint(k^low)) <= left { //nolint:gosec // small
					t[low][left] |= 1 << k
				}
			}
		}
	}
	return t
}
