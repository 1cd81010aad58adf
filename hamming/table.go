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
// ids[starts[k]:starts[k+1]]; each is the entry's position shifted left by the
// band's group bits, and those bits of its key.
type bandTable struct {
	band
	starts []uint32
	ids    []uint32
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

// first reports whether band b is the first in which the entry h meets the
// query: a match is reported from there alone, so that no set of those already
// found has to be kept.
func (t *table) first(b int, at *radii, h, q *words) bool {
	for i := range b {
		e := &t.bands[i]
		if bits.OnesCount32(e.key(h)^e.key(q)) <= int(at[i]) {
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
		next <- b
	}
	close(next)
	var all sync.WaitGroup
	for range max(1, workers) {
		all.Go(func() {
			for b := range next {
				t.bands[b].sort(s)
			}
		})
	}
	all.Wait()
	return t
}

// sort fills the postings by counting.
func (t *bandTable) sort(s *segment) {
	n, starts, g := s.len(), t.starts, t.group
	for i := range n {
		w := s.words(i)
		starts[t.key(&w)>>g+1]++
	}
	for k := 1; k < len(starts); k++ {
		starts[k] += starts[k-1]
	}
	low := uint32(1)<<g - 1
	for i := range n { // starts[k] walks up to the start of k+1
		w := s.words(i)
		k := t.key(&w)
		at := &starts[k>>g]
		t.ids[*at] = uint32(i)<<g | k&low //nolint:gosec // groupBits leaves room for the position
		*at++
	}
	copy(starts[1:], starts[:len(starts)-1])
	starts[0] = 0
}
