package hamming

import "slices"

// look is one query on its way through the segments.
type look struct {
	q      words
	radius int
	in     Sets
	limit  int // matches still wanted
	out    []Match
	sink   func(i int, m []Match) // that takes matches as they come, or nil
	place  int                    // of the query, for the sink
}

// sinkMatches is the number of matches that are handed to a sink together: a
// flood of them does not fill the memory.
const sinkMatches = 4096

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
	if len(l.out) == sinkMatches && l.sink != nil {
		l.flush()
	}
	l.out = append(l.out, Match{ID: s.id(i), Distance: distance, Sets: in})
}

// flush hands the matches to the sink.
func (l *look) flush() {
	if len(l.out) > 0 {
		l.sink(l.place, l.out)
		l.out = l.out[:0]
	}
}

// bucket is a run of postings that a query has to read.
type bucket struct {
	lo, hi uint32
	left   uint32 // bits that may differ inside the group
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
	most := budget / 4 / costPosting
	postings, err := s.bounds(l, sc, &at, most)
	if err != nil || postings > most {
		return false, err
	}
	if err := s.gather(l, sc, &at, postings); err != nil {
		return false, err
	}
	if len(sc.cands)*readCost(n) > budget {
		return false, nil
	}
	return true, s.verify(l, sc, &at)
}

// bounds reads the bounds of every bucket to look at and returns how many
// postings they have, or of the first bands if that is more than most. All reads are independent of each other, so that the
// processor waits for many at once; the same holds for gather and verify.
func (s *segment) bounds(l *look, sc *scratch, at *radii, most int) (postings int, err error) {
	sc.buckets = sc.buckets[:0]
	g := s.guard.Load()
	for b := range s.table.bands {
		if at[b] >= 0 {
			t := &s.table.bands[b]
			probes, k := t.probes[at[b]], t.key(&l.q)>>t.group
			if g != nil {
				if err := g.starts(b, k, probes); err != nil {
					return 0, err
				}
			}
			from := len(sc.buckets)
			sc.buckets = slices.Grow(sc.buckets, len(probes)+1)
			runs, n := boundsKernel(t.starts, k, probes, t.ids, sc.buckets[from:cap(sc.buckets)])
			if runs < 0 {
				return 0, errBucket
			}
			sc.buckets = sc.buckets[:from+runs]
			if postings += n; postings > most {
				return postings, nil
			}
		}
		sc.ends[b] = len(sc.buckets)
	}
	return postings, nil
}

// gather copies the positions of all candidates out of the buckets, which have
// so many postings.
func (s *segment) gather(l *look, sc *scratch, at *radii, postings int) error {
	sc.cands = slices.Grow(sc.cands[:0], postings+takeSlack)
	from, g := 0, s.guard.Load()
	for b := range s.table.bands {
		t := &s.table.bands[b]
		run := sc.buckets[from:sc.ends[b]]
		from = sc.ends[b]
		if g != nil {
			if err := g.postings(b, t.tagged, run); err != nil {
				return err
			}
		}
		n := len(sc.cands)
		if len(run) > 0 {
			f := s.table.filter(b, at, &l.q)
			n += takeKernel(t.ids, t.tags, run, &f, sc.cands[n:cap(sc.cands)])
		}
		sc.cands = sc.cands[:n]
		sc.ends[b] = n
	}
	return nil
}

// verify reads the candidates of each band and reports those within the
// radius, each from the first band it was met in.
func (s *segment) verify(l *look, sc *scratch, at *radii) error {
	from, g := 0, s.guard.Load()
	for b := range s.table.bands {
		run := sc.cands[from:sc.ends[b]]
		from = sc.ends[b]
		if len(run) == 0 {
			continue
		}
		if g != nil {
			if err := g.lines(run); err != nil {
				return err
			}
		}
		kept := nearKernel(s.lo, s.len(), run, len(sc.cands)-from+len(run), &l.q, l.radius)
		if kept < 0 {
			return errPosting
		}
		for _, c := range run[:kept] {
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
