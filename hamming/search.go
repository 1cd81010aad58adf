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
	ups      [stages]lookUp
	hits     [scanGroups]groupHit
}

// lookUp is one look on its way through the table of a segment.
type lookUp struct {
	*look
	at       radii
	budget   int  // what a scan costs
	scan     bool // costs less than going on
	postings int  // in the buckets
	buckets  []bucket
	ends     [maxBands]int // buckets of each band end here, then candidates
	cands    []uint32
}

// search answers looks from s: each by the table if that is cheaper, and the
// others by scans that they share.
func (s *segment) search(looks []look, sc *scratch) error {
	sc.overflow = sc.overflow[:0]
	if s.table != nil {
		if err := s.lookUpAll(looks, sc); err != nil {
			return err
		}
	} else {
		for i := range looks {
			if !looks[i].done() {
				sc.overflow = append(sc.overflow, &looks[i])
			}
		}
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

// stages of a look-up: the buckets' bounds are asked for, read, then the
// postings, then the hashes.
const stages = 4

// lookUpAll answers looks by the table, and adds those to the overflow for
// which a scan costs less. While one look is at a stage, what the next ones will
// read is on its way from memory.
func (s *segment) lookUpAll(looks []look, sc *scratch) error {
	for step := range len(looks) + stages - 1 {
		for k := stages - 1; k >= 0; k-- {
			i := step - k
			if i < 0 || i >= len(looks) || looks[i].done() {
				continue
			}
			u := &sc.ups[i%stages]
			if k == 0 {
				s.begin(u, &looks[i], len(looks) > 1)
				continue
			}
			if u.scan {
				continue
			}
			if err := s.advance(u, k); err != nil {
				return err
			}
			if u.scan {
				sc.overflow = append(sc.overflow, &looks[i])
			}
		}
	}
	return nil
}

// begin prepares u for l, and asks for the bounds of its buckets.
func (s *segment) begin(u *lookUp, l *look, shared bool) {
	u.look, u.at, u.scan = l, s.table.plan.spread(l.radius), false
	u.budget = scanCost(s.len(), shared)
	for b := range s.table.bands {
		if u.at[b] >= 0 {
			t := &s.table.bands[b]
			touchKernel(t.starts, t.key(&l.q)>>t.group, t.probes[u.at[b]])
		}
	}
}

// advance takes u to stage k. It counts what it would have to read before it
// reads any of it, and leaves it to a scan, having found nothing, where that
// costs less.
func (s *segment) advance(u *lookUp, k int) (err error) {
	switch k {
	case 1:
		most := u.budget / 4 / costPosting
		u.postings, err = s.bounds(u, most)
		u.scan = u.postings > most
	case 2:
		err = s.gather(u)
		u.scan = len(u.cands)*readCost(s.len()) > u.budget
		touchLinesKernel(s.lo, u.cands)
	default:
		err = s.verify(u)
	}
	return err
}

// bounds reads the bounds of every bucket to look at and returns how many
// postings they have, or of the first bands if that is more than most. All
// reads are independent of each other, so that the processor waits for many at
// once; the same holds for gather and verify.
func (s *segment) bounds(u *lookUp, most int) (postings int, err error) {
	u.buckets = u.buckets[:0]
	g := s.guard.Load()
	for b := range s.table.bands {
		if u.at[b] >= 0 {
			t := &s.table.bands[b]
			probes, k := t.probes[u.at[b]], t.key(&u.q)>>t.group
			if g != nil {
				if err := g.starts(b, k, probes); err != nil {
					return 0, err
				}
			}
			from := len(u.buckets)
			u.buckets = slices.Grow(u.buckets, len(probes)+1)
			runs, n := boundsKernel(t.starts, k, probes, t.ids, t.tags, u.buckets[from:cap(u.buckets)])
			if runs < 0 {
				return 0, errBucket
			}
			u.buckets = u.buckets[:from+runs]
			if postings += n; postings > most {
				return postings, nil
			}
		}
		u.ends[b] = len(u.buckets)
	}
	return postings, nil
}

// gather copies the positions of all candidates out of the buckets.
func (s *segment) gather(u *lookUp) error {
	u.cands = slices.Grow(u.cands[:0], u.postings+takeSlack)
	from, g := 0, s.guard.Load()
	for b := range s.table.bands {
		t := &s.table.bands[b]
		run := u.buckets[from:u.ends[b]]
		from = u.ends[b]
		if g != nil {
			if err := g.postings(b, t.tagged, run); err != nil {
				return err
			}
		}
		n := len(u.cands)
		if len(run) > 0 {
			f := s.table.filter(b, &u.at, &u.q)
			n += takeKernel(t.ids, t.tags, run, &f, u.cands[n:cap(u.cands)])
		}
		u.cands = u.cands[:n]
		u.ends[b] = n
	}
	return nil
}

// verify reads the candidates of each band and reports those within the
// radius, each from the first band it was met in.
func (s *segment) verify(u *lookUp) error {
	from, g := 0, s.guard.Load()
	for b := range s.table.bands {
		run, rest := u.cands[from:u.ends[b]], len(u.cands)-from
		from = u.ends[b]
		if len(run) == 0 {
			continue
		}
		if g != nil {
			if err := g.lines(run); err != nil {
				return err
			}
		}
		kept := nearKernel(s.lo, s.len(), run, rest, &u.q, u.radius)
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
			if d := w.distance(u.q); d <= u.radius && s.table.first(b, &u.at, &w, &u.q) {
				u.found(s, int(c), d)
			}
		}
	}
	return nil
}
