package hamming

import "math/bits"

// Scanning compares the first 128 bits of every entry with up to four queries
// at once, and reads an entry whole where they alone are within the radius:
// that happens to one random pair in a hundred million.

// scanWidth is the number of queries that a scan compares at once.
const scanWidth = 4

// scanGroups is the number of groups that one call of the kernel looks at:
// 2,048 entries, which stay in the first cache for the next queries.
const scanGroups = 256

// scanQuery is what a kernel compares with: queries that are not there have
// limit -1, so that nothing is near enough.
type scanQuery struct {
	first, second [scanWidth]uint64
	limit         [scanWidth]int64
}

// groupHit is a group of eight entries with at least one near enough to at
// least one query: bit i of lanes[k] is set if entry i is to query k.
type groupHit struct {
	group uint32
	lanes [scanWidth]uint8
}

// scanPortable is the reference of every kernel: it looks at the groups
// of eight entries that lines hold, writes those with a hit to out, which has
// room for all, and returns their number.
func scanPortable(lines []uint64, q *scanQuery, out []groupHit) (n int) {
	const group = groupLines * lineWords
	for g := range len(lines) / group {
		h := groupHit{group: uint32(g)} //nolint:gosec // at most scanGroups
		any := uint8(0)
		for l := range groupLines {
			line := (*[lineWords]uint64)(lines[g*group+l*lineWords:])
			for k := range scanWidth {
				for i := range perLine {
					d := bits.OnesCount64(line[i]^q.first[k]) + bits.OnesCount64(line[i+perLine]^q.second[k])
					if int64(d) <= q.limit[k] {
						h.lanes[k] |= 1 << (l*perLine + i)
					}
				}
				any |= h.lanes[k]
			}
		}
		if any != 0 {
			out[n] = h
			n++
		}
	}
	return n
}

// scan answers looks by reading every entry.
func (s *segment) scan(looks []*look, sc *scratch) {
	n := s.len()
	const step = scanGroups * groupLines * lineWords
	lines := s.lo[:(n+inGroup-1)/inGroup*groupLines*lineWords]
	for from := 0; from < len(lines); from += step {
		block := lines[from:min(from+step, len(lines))]
		for k := 0; k < len(looks); k += scanWidth {
			four := looks[k:min(k+scanWidth, len(looks))]
			hits := sc.hits[:scanKernel(block, newScanQuery(four), sc.hits[:])]
			for i := range hits {
				s.confirm(four, &hits[i], from/lineWords*perLine, n)
			}
		}
	}
}

func newScanQuery(looks []*look) *scanQuery {
	q := &scanQuery{limit: [scanWidth]int64{-1, -1, -1, -1}}
	for i, l := range looks {
		q.first[i], q.second[i], q.limit[i] = l.q[0], l.q[1], int64(l.radius)
		if l.done() {
			q.limit[i] = -1
		}
	}
	return q
}

// confirm reads the entries of a hit whole; those from n on are not there yet.
func (s *segment) confirm(looks []*look, h *groupHit, from, n int) {
	for k, l := range looks {
		for m := h.lanes[k]; m != 0; m &= m - 1 {
			i := from + int(h.group)*inGroup + bits.TrailingZeros8(m)
			if i >= n {
				break
			}
			w := s.words(i)
			if d := w.distance(l.q); d <= l.radius {
				l.found(s, i, d)
			}
		}
	}
}
