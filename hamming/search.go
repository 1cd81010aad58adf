package hamming

import (
	"math/bits"
)

// look is one query on its way through the segments.
type look struct {
	q      words
	radius int
	in     Sets
	limit  int // matches still wanted
	out    []Match
}

// done reports that no more matches are wanted.
func (l *look) done() bool { return l.limit == 0 }

// found adds entry i of s, which lies within the radius, if it is in the sets
// that were asked for.
func (l *look) found(s *segment, i, distance int) {
	in := s.in(i)
	if in&l.in == 0 || l.done() {
		return
	}
	l.limit--
	l.out = append(l.out, Match{ID: s.id(i), Distance: distance, Sets: in})
}

// bucket is a run of postings that a query has to read.
type bucket struct {
	lo, hi uint32
	left   uint8 // bits that may differ inside the group
}

// scratch is the memory of one search, kept between searches.
type scratch struct {
	looks    []look
	overflow []*look // those that a segment is scanned for
	buckets  []bucket
	ends     [maxBands]int // buckets of each band end here, then candidates
	cands    []uint32
	hits     [scanGroups]groupHit
}

// search answers looks from s: each by the table if that is cheaper, and the
// others by scans that they share.
func (s *segment) search(looks []look, sc *scratch) error {
	sc.overflow = sc.overflow[:0]
	for i := range looks {
		l := &looks[i]
		if l.done() {
			continue
		}
		if s.table != nil {
			ok, err := s.lookUp(l, sc, len(looks) > 1)
			if err != nil {
				return err
			}
			if ok {
				continue
			}
		}
		sc.overflow = append(sc.overflow, l)
	}
	if len(sc.overflow) == 0 {
		return nil
	}
	if g := s.guard.Load(); g != nil {
		if err := g.entries(); err != nil {
			return err
		}
	}
	s.scan(sc.overflow, sc)
	return nil
}

// lookUp answers one query by the table. It counts what it would have to read
// before it reads any of it, and reports false, having found nothing, where a
// scan costs less.
func (s *segment) lookUp(l *look, sc *scratch, shared bool) (ok bool, err error) {
	t, n := s.table, s.len()
	at := t.plan.spread(l.radius)
	budget := scanCost(n, shared)
	postings, err := s.bounds(l, sc, &at)
	if err != nil {
		return false, err
	}
	if postings*costPosting > budget/8 {
		return false, nil
	}
	if err := s.gather(l, sc, budget/readCost(n)); err != nil {
		return false, err
	}
	if len(sc.cands)*readCost(n) > budget {
		return false, nil
	}
	return true, s.verify(l, sc, &at)
}

// bounds reads the bounds of every bucket to look at and returns how many
// postings they have. All reads are independent of each other, so that the
// processor waits for many at once; the same holds for gather and verify.
func (s *segment) bounds(l *look, sc *scratch, at *radii) (postings int, err error) {
	sc.buckets = sc.buckets[:0]
	g := s.guard.Load()
	for b := range s.table.bands {
		t := &s.table.bands[b]
		if at[b] >= 0 {
			probes := t.probes[at[b]]
			k := t.key(&l.q) >> t.group
			if g != nil {
				if err := g.starts(b, k, probes); err != nil {
					return 0, err
				}
			}
			for _, p := range probes {
				lo, hi := t.starts[k^p.mask], t.starts[k^p.mask+1]
				if lo > hi || int(hi) > len(t.ids) {
					return 0, errBucket
				}
				if lo != hi {
					sc.buckets = append(sc.buckets, bucket{lo, hi, p.left})
					postings += int(hi - lo)
				}
			}
		}
		sc.ends[b] = len(sc.buckets)
	}
	return postings, nil
}

// gather copies the positions of all candidates out of the buckets, and stops
// when there are more than most.
func (s *segment) gather(l *look, sc *scratch, most int) error {
	sc.cands = sc.cands[:0]
	from, g := 0, s.guard.Load()
	for b := range s.table.bands {
		t := &s.table.bands[b]
		run := sc.buckets[from:sc.ends[b]]
		from = sc.ends[b]
		if g != nil {
			if err := g.postings(b, run); err != nil {
				return err
			}
		}
		low := t.key(&l.q) & (1<<t.group - 1)
		for _, k := range run {
			if len(sc.cands) > most {
				return nil
			}
			sc.cands = t.take(sc.cands, k, low)
		}
		sc.ends[b] = len(sc.cands)
	}
	return nil
}

// take appends the positions in bucket k whose keys are near enough.
func (t *bandTable) take(cands []uint32, k bucket, low uint32) []uint32 {
	ids := t.ids[k.lo:k.hi]
	if t.group == 0 {
		return append(cands, ids...)
	}
	n := len(cands)
	for cap(cands) < n+len(ids) {
		cands = append(cands[:cap(cands)], 0)
	}
	cands = cands[:n+len(ids)]
	set, g, mask := near[k.left][low], t.group, uint32(1)<<t.group-1
	for _, e := range ids { // without a branch: what is not wanted is overwritten
		cands[n] = e >> g
		n += int(set >> (e & mask) & 1)
	}
	return cands[:n]
}

// verify reads the candidates of each band and reports those within the
// radius, each from the first band it was met in.
func (s *segment) verify(l *look, sc *scratch, at *radii) error {
	from, n, g := 0, uint32(s.len()), s.guard.Load() //nolint:gosec // a segment has less than 2^32
	for b := range s.table.bands {
		run := sc.cands[from:sc.ends[b]]
		from = sc.ends[b]
		for _, c := range run {
			if c >= n {
				return errPosting
			}
			if g != nil {
				if err := g.line(int(c)); err != nil {
					return err
				}
			}
			if s.near(int(c), &l.q) > l.radius {
				continue
			}
			if g != nil {
				if err := g.rest(int(c)); err != nil {
					return err
				}
			}
			w := s.words(int(c))
			if d := w.distance(l.q); d <= l.radius && s.table.first(b, at, &w, &l.q) {
				l.found(s, int(c), d)
			}
		}
	}
	return nil
}

// near[left][low] has bit k set where k and low, six bits each, differ in at
// most left bits.
var near = nearTable()

func nearTable() (t [3][1 << maxGroup]uint64) {
	for left := range t {
		for low := range t[left] {
			for k := range 1 << maxGroup {
				if bits.OnesCount(uint(k^low)) <= left {
					t[left][low] |= 1 << k
				}
			}
		}
	}
	return t
}
