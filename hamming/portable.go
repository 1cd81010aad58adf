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

// A filter says which postings of a band a query wants. Its masks reach no
// further than what postings and tags have below the position.
type filter struct {
	key   uint32 // bits of the query as a posting has them
	own   uint32 // which of them are the band's own
	all   uint32 // which there are
	slack uint32 // how many more than in the band itself may differ in all
	low   uint32 // bits of a posting below the position
}

// takePortable copies the positions of those postings in the buckets that f
// wants to out, which has room for all and takeSlack more. It returns their
// number. tags are as long as ids, or empty.
func takePortable(ids []uint32, tags []uint8, runs []bucket, f *filter, out []uint32) (n int) {
	for _, k := range runs {
		for i, e := range ids[k.lo:k.hi] { // without a branch: what is not wanted is overwritten
			x := e & (1<<f.low - 1)
			if len(tags) > 0 {
				x |= uint32(tags[int(k.lo)+i]) << f.low
			}
			x ^= f.key
			own, all := uint32(bits.OnesCount32(x&f.own)), uint32(bits.OnesCount32(x&f.all)) //nolint:gosec // at most 32
			out[n] = e >> f.low
			n += int((own - k.left - 1) & (all - k.left - f.slack - 1) >> 31) // both below zero
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
