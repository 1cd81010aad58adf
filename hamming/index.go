package hamming

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// An Index holds entries, each a hash in one or more sets, and finds those
// near a query. Any number of goroutines may search while others change it:
// searches take no lock, and a change is seen by every search that begins
// after it.
//
// Changes take turns. Added entries are scanned until enough have come for a
// table; tables are built aside, by a goroutine of the index's own, and
// joined as they grow, so that there are few. A change waits only when more
// than a million entries stand without a table.
type Index struct {
	perm     *permutation
	workers  int
	scanOnly bool
	verified chan struct{} // closed when the snapshot is checked; nil without one
	view     atomic.Pointer[view]

	// mu makes changes take turns; it guards what stands below, and that only
	// one goroutine publishes a view.
	mu      sync.Mutex
	room    sync.Cond // a merge has ended
	next    ID        // of the next entry
	merging bool
	touched []ID // assigned or deleted while a merge runs
	closed  bool
	stop    chan struct{} // closed with the index
	tasks   sync.WaitGroup
}

// view is what a search sees: segments in ascending order of their entries,
// the last one growing. It never changes once published.
type view struct {
	segments []*segment
	err      error // ErrClosed, or what is wrong with the snapshot
}

// Config says how an index works. The zero value is sensible.
type Config struct {
	// Workers bounds the goroutines that build tables; 0 is one per CPU.
	Workers int
	// ScanOnly has every search compare with every entry, without tables: it
	// takes less than half of the memory, and longer from some thousand entries on.
	// It holds for snapshots too, whether they were written with tables or not.
	ScanOnly bool
	// Seed decides how bits are spread over the tables. The zero seed, which is
	// sensible, draws one at random; a fixed one is for measurements. Open takes
	// what was written instead.
	Seed [32]byte
}

// Sizes of the growing segment: the first is small, as many an index is, and
// each is larger than the one before, up to what costs less to scan than the
// look-ups in front of it.
const (
	firstTail   = 1 << 10
	tailGrowth  = 4
	tailEntries = 32 << 10
)

// maxWaiting is the number of segments that may wait for a table before
// changes wait too.
const maxWaiting = 32

// New returns an empty index.
func New(c Config) *Index {
	x := newIndex(c)
	x.publish(newSegment(x.next, firstTail))
	return x
}

func newIndex(c Config) *Index {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Seed == [32]byte{} {
		_, _ = rand.Read(c.Seed[:]) // never fails (crypto/rand)
	}
	x := &Index{perm: drawPermutation(c.Seed), workers: c.Workers, scanOnly: c.ScanOnly, next: 1, stop: make(chan struct{})}
	x.room.L = &x.mu
	return x
}

// Build returns an index of n entries, at most 2^31-1, numbered 1 to n, at once:
// the way to load many. It calls at for 0 to n-1 in turn; an entry in no set
// takes its number and is not found, so that a bank from which some were deleted
// keeps its numbers. It panics, before it calls at, if n is below 0 or above
// 2^31-1: what is more comes in by Add.
func Build(c Config, n int, at func(i int) (Hash, Sets)) *Index {
	if n < 0 || n > maxEntries {
		panic(fmt.Sprintf("hamming: Build of %d entries: there can be 0 to %d", n, maxEntries))
	}
	if n == 0 {
		return New(c)
	}
	x := newIndex(c)
	s := newSegment(x.next, n)
	x.fill(s, n, at)
	s.n.Store(int64(n))
	x.makeTable(s)
	x.next += ID(n) //nolint:gosec // a length
	x.publish(s, newSegment(x.next, firstTail))
	return x
}

// fill puts n entries into s: at is called in turn, and workers bring what it
// gave in order.
func (x *Index) fill(s *segment, n int, at func(i int) (Hash, Sets)) {
	const some = 1 << 14 // whole lines, so that no two workers write to one
	type part struct {
		from   int
		hashes []Hash
		sets   []Sets
	}
	parts, spare := make(chan part), make(chan part, x.workers+1)
	for range cap(spare) {
		spare <- part{}
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer close(parts) // also where at panics
	for range x.workers {
		all.Go(func() {
			for p := range parts {
				for i, h := range p.hashes {
					s.put(p.from+i, x.perm.apply(h), p.sets[i])
					if p.sets[i] == 0 {
						s.dead.Add(1)
					}
				}
				spare <- p
			}
		})
	}
	for from := 0; from < n; from += some {
		p := <-spare
		p.from, p.hashes, p.sets = from, p.hashes[:0], p.sets[:0]
		for i := from; i < min(from+some, n); i++ {
			h, in := at(i)
			p.hashes, p.sets = append(p.hashes, h), append(p.sets, in)
		}
		parts <- p
	}
}

// makeTable gives s, which nobody reads yet, a table if one is worth it.
func (x *Index) makeTable(s *segment) {
	if p := x.planFor(s.len()); p != nil { // of all: deleted ones have positions too
		s.table = buildTable(s, p, x.workers)
	}
}

// planFor returns the plan for n entries, nil for none.
func (x *Index) planFor(n int) *plan {
	if x.scanOnly {
		return nil
	}
	return planFor(n)
}

// publish shows searches the given segments.
func (x *Index) publish(segments ...*segment) { x.view.Store(&view{segments: segments}) }

// Add adds an entry in the given sets and returns its number.
//
// Errors: ErrNoSet, ErrClosed, ErrCorrupt.
func (x *Index) Add(h Hash, in Sets) (ID, error) {
	if in == 0 {
		return 0, ErrNoSet
	}
	w := x.perm.apply(h)
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.merging && len(x.view.Load().segments) > maxWaiting {
		x.room.Wait()
	}
	v := x.view.Load()
	if v.err != nil {
		return 0, v.err
	}
	tail := v.segments[len(v.segments)-1]
	if tail.full() {
		tail = newSegment(x.next, min(tailGrowth*len(tail.sets), tailEntries))
		x.publish(append(slices.Clone(v.segments), tail)...)
		x.merge()
	}
	tail.add(w, in)
	x.next++
	return x.next - 1, nil
}

// Delete deletes an entry and reports whether it was there. Its number is not
// given again. After Close, and once the snapshot was found corrupt, it changes
// nothing and returns false, as where no entry has the number: Add and every
// search return the error that tells the two apart.
func (x *Index) Delete(id ID) bool { return x.change(id, 0) }

// Assign puts an entry into exactly the given sets and reports whether the
// entry was there. No sets are a deletion. It is as Delete after Close and
// once the snapshot was found corrupt: nothing changes, and false is returned.
func (x *Index) Assign(id ID, in Sets) bool { return x.change(id, in) }

func (x *Index) change(id ID, in Sets) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s, i, ok := x.view.Load().find(id)
	if !ok {
		return false
	}
	if g := s.guard.Load(); g != nil {
		if err := g.setsOf(i); err != nil {
			x.broken(err)
			return false
		}
	}
	if s.assign(i, in) == 0 {
		return false
	}
	if x.merging {
		x.touched = append(x.touched, id)
	}
	if in == 0 && s.mostlyDeleted() && s.table != nil {
		x.merge()
	}
	return true
}

// find returns where the entry numbered id is.
func (v *view) find(id ID) (s *segment, i int, ok bool) {
	k, exact := slices.BinarySearchFunc(v.segments, id, func(s *segment, id ID) int {
		switch {
		case s.first < id:
			return -1
		case s.first > id:
			return 1
		}
		return 0
	})
	if !exact {
		k--
	}
	if k < 0 {
		return nil, 0, false
	}
	i, ok = v.segments[k].find(id)
	return v.segments[k], i, ok
}

// Get returns an entry's hash and sets; ok is false if there is none, and also
// after Close and once the snapshot was found corrupt, be it by this call: Add
// and every search return the error that tells these apart.
func (x *Index) Get(id ID) (h Hash, in Sets, ok bool) {
	v := x.view.Load()
	defer runtime.KeepAlive(v)
	s, i, ok := v.find(id)
	if !ok {
		return Hash{}, 0, false
	}
	if g := s.guard.Load(); g != nil && x.fail(errors.Join(g.line(i), g.rest(i))) != nil {
		return Hash{}, 0, false
	}
	if in = s.in(i); in == 0 {
		return Hash{}, 0, false
	}
	return x.perm.undo(s.words(i)), in, true
}

// Len returns the number of entries; 0 after Close and once the snapshot was
// found corrupt.
func (x *Index) Len() (n int) {
	for _, s := range x.view.Load().segments {
		n += s.live()
	}
	return n
}

// fail makes err, if it is one, the answer to all that follows, and returns it.
func (x *Index) fail(err error) error {
	if err == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.broken(err)
	return err
}

// broken is fail where mu is held.
func (x *Index) broken(err error) {
	if !x.closed {
		x.view.Store(&view{err: err})
		x.room.Broadcast()
	}
}

// Close ends the goroutines of the index and waits for them. Searches, Add and
// Snapshot fail with ErrClosed when they begin later, and Delete, Assign, Get
// and Len find no entry; those on their way end well.
func (x *Index) Close() {
	x.mu.Lock()
	if !x.closed {
		x.closed = true
		close(x.stop)
	}
	x.view.Store(&view{err: ErrClosed})
	x.room.Broadcast()
	x.mu.Unlock()
	x.tasks.Wait()
}
