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

// scanQuery is what a kernel compares with: queries that are not there are the
// first one again, with limit -1, so that nothing is near enough.
type scanQuery struct {
	first, second [scanWidth]uint64
	limit         [scanWidth]int64
	count         int // of queries that are there; 1 only compares the first
}

// groupHit is a group of eight entries with at least one near enough to at
// least one query: bit i of lanes[k] is set if entry i is to query k.
type groupHit struct {
	group uint32
	lanes [scanWidth]uint8
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
	q := &scanQuery{count: len(looks)}
	for i := range scanWidth {
		l := looks[0]
		q.limit[i] = -1
		if i < len(looks) {
			l = looks[i]
			if !l.done() {
				q.limit[i] = int64(l.radius)
			}
		}
		q.first[i], q.second[i] = l.q[0], l.q[1]
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
