package hamming

import (
	"slices"
	"sync/atomic"
)

// A segment holds entries whose numbers ascend. The last one of an index
// grows; the others never change but for their sets.
//
// The first 128 bits of the hashes stand in lines of 64 bytes, four hashes to
// a line: their first words, then their second words. They alone decide almost
// always, they cost one cache line to read, and a scan takes whole lines into
// its registers. The other 128 bits are read when the first allow a match.
type segment struct {
	arena *arena
	file  *file        // that the arrays are mapped from, or nil
	n     atomic.Int64 // entries; their arrays are written before it grows
	first ID
	ids   []uint32 // number of an entry, less first, ascending; nil where that is its position
	lo    []uint64 // lines
	hi    []uint64 // two words an entry
	sets  []uint32 // Sets, read and written atomically; 0 is deleted
	dead  atomic.Int64
	table *table                // nil where the entries are scanned
	guard atomic.Pointer[guard] // of a snapshot that is not verified yet, else nil
}

const (
	entryBytes = 36 // of hash and sets
	lineWords  = 8  // words of a line
	perLine    = 4  // entries of a line
	groupLines = 2  // lines that a scan takes at once
	inGroup    = perLine * groupLines
)

// newSegment makes room for limit entries, numbered from first on.
func newSegment(first ID, limit int) *segment {
	s := &segment{arena: newArena(entryBytes * limit), first: first}
	groups := (limit + inGroup - 1) / inGroup
	s.lo = array[uint64](s.arena, groups*groupLines*lineWords)
	s.hi = array[uint64](s.arena, 2*limit)
	s.sets = array[uint32](s.arena, limit)
	return s
}

// len returns the number of entries, deleted ones too.
func (s *segment) len() int { return int(s.n.Load()) }

// live returns the number of entries that are not deleted.
func (s *segment) live() int { return s.len() - int(s.dead.Load()) }

// mostlyDeleted reports that a merge would give most of the memory back.
// Segments of a file that is not verified yet are left as they are.
func (s *segment) mostlyDeleted() bool {
	return s.guard.Load() == nil && s.dead.Load() > int64(s.live())
}

// full reports that the segment has no room left.
func (s *segment) full() bool { return s.len() == len(s.sets) }

// put writes an entry behind the last. Readers see it once grow is called.
func (s *segment) put(i int, w words, in Sets) {
	l := i>>2<<3 | i&3
	s.lo[l], s.lo[l+perLine] = w[0], w[1]
	s.hi[2*i], s.hi[2*i+1] = w[2], w[3]
	s.sets[i] = uint32(in)
}

// add appends an entry and shows it to readers.
func (s *segment) add(w words, in Sets) {
	i := s.len()
	s.put(i, w, in)
	s.n.Store(int64(i + 1))
}

// words returns the permuted hash of entry i.
func (s *segment) words(i int) words {
	l := i>>2<<3 | i&3
	return words{s.lo[l], s.lo[l+perLine], s.hi[2*i], s.hi[2*i+1]}
}

// in returns the sets of entry i.
func (s *segment) in(i int) Sets { return Sets(atomic.LoadUint32(&s.sets[i])) }

// id returns the number of entry i.
func (s *segment) id(i int) ID {
	if s.ids == nil {
		return s.first + ID(i) //nolint:gosec // a position is not negative
	}
	return s.first + ID(s.ids[i])
}

// last returns the number of the last entry; first-1 if there is none.
func (s *segment) last() ID {
	if s.len() == 0 {
		return s.first - 1
	}
	return s.id(s.len() - 1)
}

// find returns the position of the entry numbered id.
func (s *segment) find(id ID) (i int, ok bool) {
	switch {
	case id < s.first || id > s.last():
		return 0, false
	case s.ids == nil:
		return int(id - s.first), true //nolint:gosec // within the segment
	}
	return slices.BinarySearch(s.ids, uint32(id-s.first)) //nolint:gosec // the last one fits, so does this
}

// assign changes the sets of entry i, if it is not deleted. Writers take turns
// (Index.mu); readers see it at once.
func (s *segment) assign(i int, in Sets) (was Sets) {
	was = s.in(i)
	if was == 0 {
		return 0
	}
	atomic.StoreUint32(&s.sets[i], uint32(in))
	if in == 0 {
		s.dead.Add(1)
	}
	return was
}
