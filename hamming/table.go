package hamming

import (
	"math/bits"
	"sync"
)

// A table sorts the entries of one segment by the keys of each band of a plan.
type table struct {
	plan  *plan
	bands []bandTable
}

// bandTable is one band's part: the postings of bucket k are
// ids[starts[k]:starts[k+1]]; each is the entry's position above the lowest
// bits of what the band keeps of keys, whose other bits are in tags.
type bandTable struct {
	band
	starts []uint32
	ids    []uint32
	tags   []uint8    // beside ids; empty where the band is not tagged
	probes [3][]probe // by radius
}

// newBandTable makes the parts of a band's table that are computed.
func newBandTable(b band) bandTable {
	t := bandTable{band: b}
	for r := range b.most + 1 {
		t.probes[r] = b.probes(r)
	}
	return t
}

// filter returns which postings of band b the query q wants.
func (t *table) filter(b int, at *radii, q *words) filter {
	e, following := &t.bands[b], (b+1)%len(t.bands)
	own := uint32(1)<<e.group - 1
	return filter{
		key: e.inline(e.key(q), t.bands[following].key(q)), own: own, all: own | (1<<e.ahead-1)<<e.group,
		slack: uint32(at[following] + 1), //nolint:gosec // a radius is at least -1
		low:   uint32(e.low),             //nolint:gosec // below 32
	}
}

// first reports whether band b is the first in which a search for q takes the
// entry h: a match is reported from there alone, so that no set of those
// already found has to be kept.
func (t *table) first(b int, at *radii, h, q *words) bool {
	for i := range b {
		e, following := &t.bands[i], (i+1)%len(t.bands)
		d := bits.OnesCount32(e.key(h) ^ e.key(q))
		if d > int(at[i]) {
			continue
		}
		n := &t.bands[following]
		if d+bits.OnesCount32((n.key(h)^n.key(q))&(1<<e.ahead-1)) <= int(at[i])+int(at[following])+1 {
			return false
		}
	}
	return true
}

// buildTable sorts the live entries of s, the bands in turn by at most workers
// goroutines. It reads the hashes twice a band, and writes each posting once.
func buildTable(s *segment, p *plan, workers int) *table {
	t := &table{plan: p, bands: make([]bandTable, len(p.bands))}
	next := make(chan int, len(p.bands))
	for b := range p.bands {
		t.bands[b] = newBandTable(p.bands[b])
		t.bands[b].starts = array[uint32](s.arena, p.bands[b].buckets()+1)
		t.bands[b].ids = array[uint32](s.arena, s.len())
		if p.bands[b].tagged {
			t.bands[b].tags = array[uint8](s.arena, s.len())
		}
		next <- b
	}
	close(next)
	var all sync.WaitGroup
	for range max(1, workers) {
		all.Go(func() {
			for b := range next {
				t.bands[b].sort(s, &t.bands[(b+1)%len(t.bands)].band)
			}
		})
	}
	all.Wait()
	return t
}

// sort fills the postings by counting.
func (t *bandTable) sort(s *segment, following *band) {
	n, starts, g := s.len(), t.starts, t.group
	for i := range n {
		w := s.words(i)
		starts[t.key(&w)>>g+1]++
	}
	for k := 1; k < len(starts); k++ {
		starts[k] += starts[k-1]
	}
	low := uint32(1)<<t.low - 1
	for i := range n { // starts[k] walks up to the start of k+1
		w := s.words(i)
		k := t.key(&w)
		at := &starts[k>>g]
		x := t.inline(k, following.key(&w))
		t.ids[*at] = uint32(i)<<t.low | x&low //nolint:gosec // newPlan leaves room for the position
		if t.tagged {
			t.tags[*at] = uint8(x >> t.low) //nolint:gosec // newPlan leaves no more than that
		}
		*at++
	}
	copy(starts[1:], starts[:len(starts)-1])
	starts[0] = 0
}
