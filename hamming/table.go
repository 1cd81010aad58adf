package hamming

import (
	"fmt"
	"math/bits"
	"sync"
	"unsafe"
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

// buildTable sorts the entries of s, the bands in turn by at most workers
// goroutines, each of which needs eight bytes an entry meanwhile.
func buildTable(s *segment, p *plan, workers int) *table {
	if err := checkBands(p.bands, s.len()); err != nil {
		panic(fmt.Sprintf("hamming: a plan that does not fit %d entries: %v", s.len(), err))
	}
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
	for range min(max(1, workers), len(p.bands)) {
		all.Go(func() {
			memory := mapMemory(max(hugePage, (8*s.len()+hugePage-1)&^(hugePage-1)))
			defer unmapMemory(memory)
			between := unsafe.Slice((*uint64)(unsafe.Pointer(&memory[0])), s.len()) //nolint:gosec // pages are aligned for every number
			for b := range next {
				t.bands[b].sort(s, &t.bands[(b+1)%len(t.bands)].band, between)
			}
		})
	}
	all.Wait()
	return t
}

// sortParts is the number of parts into which postings are divided before
// each is sorted, within the caches: writing to all buckets at once would wait
// for memory at every posting.
const sortParts = 256

// sort fills the postings by counting. between is as long as they are.
func (t *bandTable) sort(s *segment, following *band, between []uint64) {
	n := s.len()
	within := max(0, t.width-t.group-8) // bits of a bucket's number within its part
	var ends [sortParts + 1]int
	for i := range n {
		w := s.words(i)
		ends[t.key(&w)>>t.group>>within+1]++
	}
	for k := range sortParts {
		ends[k+1] += ends[k]
	}
	at := ends // walks up to the start of the next
	low := uint32(1)<<t.low - 1
	for i := range n {
		w := s.words(i)
		k := t.key(&w)
		x := t.inline(k, following.key(&w))
		bucket := k >> t.group
		part := &at[bucket>>within]
		posting := uint32(i)<<t.low | x&low //nolint:gosec // checkBands found room for the position
		between[*part] = uint64(bucket)<<40 | uint64(x>>t.low)<<32 | uint64(posting)
		*part++
	}
	for k := range min(sortParts, t.buckets()>>within) {
		t.sortPart(between[ends[k]:ends[k+1]], k<<within, (k+1)<<within, uint32(ends[k])) //nolint:gosec // positions have 31 bits
	}
}

// sortPart puts the postings of the buckets from first to before last where
// they belong, from place at on, and sets the bounds of these buckets.
func (t *bandTable) sortPart(part []uint64, first, last int, at uint32) {
	for _, p := range part {
		t.starts[p>>40+1]++
	}
	for b := first; b < last; b++ {
		t.starts[b+1], at = at, at+t.starts[b+1]
	}
	for _, p := range part { // starts[b+1] walks from the start of b to its end
		to := &t.starts[p>>40+1]
		t.ids[*to] = uint32(p) //nolint:gosec // the lower half is meant
		if t.tagged {
			t.tags[*to] = uint8(p >> 32) //nolint:gosec // the lowest of eight bits
		}
		*to++
	}
}
