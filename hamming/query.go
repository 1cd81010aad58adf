package hamming

import (
	"runtime"
	"sync"
)

// Query is what to look for.
type Query struct {
	Hash   Hash
	Radius int  // largest distance of a match, 0 to MaxRadius
	In     Sets // entries in at least one of these; 0 is All
	Limit  int  // stop when so many are found, whichever they are; 0 is no limit
}

// scratches are kept between searches.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Within returns every entry at distance r or less from q, in no particular
// order. None is missed.
//
// Errors: ErrRadius, ErrClosed, ErrCorrupt.
func (x *Index) Within(q Hash, r int) ([]Match, error) {
	return x.Search(nil, Query{Hash: q, Radius: r})
}

// Search appends to dst every entry that q asks for, in no particular order,
// and returns it. With room in dst it allocates nothing.
//
// Errors: as Within.
func (x *Index) Search(dst []Match, q Query) ([]Match, error) {
	sc := scratches.Get().(*scratch) //nolint:errcheck // the pool holds nothing else
	defer scratches.Put(sc)
	sc.looks = sc.looks[:0]
	if err := x.prepare(sc, q, dst); err != nil {
		return dst, err
	}
	err := x.searchAll(sc)
	dst = sc.looks[0].out
	sc.looks[0].out = nil // the caller's
	return dst, err
}

// blockQueries is the number of queries that are answered together.
const blockQueries = 64

// SearchAll answers many queries, and calls found for each that has matches,
// with its place in qs and the matches, which are good until found returns; for
// one that has thousands several times, with some of them each.
// Queries for which tables do not pay share scans, so that many together cost
// less than each alone. It uses the caller's goroutine only; to use more,
// divide qs.
//
// Errors: as Within; some queries may have been answered.
func (x *Index) SearchAll(qs []Query, found func(i int, m []Match)) error {
	sc := scratches.Get().(*scratch) //nolint:errcheck // the pool holds nothing else
	defer scratches.Put(sc)
	for from := 0; from < len(qs); from += blockQueries {
		sc.looks = sc.looks[:0]
		for _, q := range qs[from:min(from+blockQueries, len(qs))] {
			if err := x.prepare(sc, q, sc.spare(len(sc.looks))); err != nil {
				return err
			}
		}
		for i := range sc.looks {
			sc.looks[i].sink, sc.looks[i].place = found, from+i
		}
		if err := x.searchAll(sc); err != nil {
			return err
		}
		for i := range sc.looks {
			sc.looks[i].flush()
			sc.looks[i].sink = nil
		}
	}
	return nil
}

// spare returns the empty buffer that look i used in an earlier block.
func (sc *scratch) spare(i int) []Match {
	if i >= cap(sc.looks) {
		return nil
	}
	return sc.looks[:i+1][i].out[:0]
}

// prepare appends to sc.looks what q asks for.
func (x *Index) prepare(sc *scratch, q Query, out []Match) error {
	if q.Radius < 0 || q.Radius > MaxRadius {
		return ErrRadius
	}
	if q.In == 0 {
		q.In = All
	}
	if q.Limit <= 0 {
		q.Limit = -1
	}
	sc.looks = append(sc.looks, look{
		q: x.perm.apply(q.Hash), radius: q.Radius, in: q.In, limit: q.Limit, out: out,
	})
	return nil
}

// searchAll answers sc.looks from every segment.
func (x *Index) searchAll(sc *scratch) error {
	v := x.view.Load()
	defer runtime.KeepAlive(v) // holds the memory of its segments
	if v.err != nil {
		return v.err
	}
	for _, s := range v.segments {
		if err := s.search(sc.looks, sc); err != nil {
			return x.fail(err)
		}
	}
	return nil
}

// Turned is a match of one of the eight orientations of a picture.
type Turned struct {
	Match
	Orientation int // place of the nearest of the eight hashes
}

// Orientations finds every entry within r of at least one of the eight hashes
// of a picture, turned and mirrored, and says of which it is nearest. Each
// entry is returned once. in is as Query.In.
//
// Errors: as Within.
func (x *Index) Orientations(hashes [8]Hash, r int, in Sets) ([]Turned, error) {
	var qs [8]Query
	for i, h := range hashes {
		qs[i] = Query{Hash: h, Radius: r, In: in}
	}
	var out []Turned
	seen := map[ID]int{}
	err := x.SearchAll(qs[:], func(o int, ms []Match) {
		for _, m := range ms {
			k, ok := seen[m.ID]
			if !ok {
				k = len(out)
				seen[m.ID] = k
				out = append(out, Turned{m, o})
			}
			if m.Distance < out[k].Distance {
				out[k] = Turned{m, o}
			}
		}
	})
	return out, err
}
