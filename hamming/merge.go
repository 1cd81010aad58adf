package hamming

import (
	"runtime"
	"slices"
)

// mergeRatio: a segment is joined with those behind it when it is not more
// than so many times larger than they are together. Each entry is so moved a
// few times, and the tables of a large index are rebuilt rarely.
const mergeRatio = 3

// largeArena is the memory in bytes that is worth a garbage collection as soon
// as nobody uses it; smaller ones wait for the next.
const largeArena = 256 << 20

// merge starts the goroutine that brings segments in order, if none runs. mu
// is held.
func (x *Index) merge() {
	if x.merging || x.closed {
		return
	}
	x.merging = true
	x.tasks.Go(x.mergeAll)
}

// mergeAll joins segments until there is nothing to join.
func (x *Index) mergeAll() {
	for {
		switch freed, settled := x.mergeOnce(); {
		case settled:
			return
		case freed >= largeArena:
			runtime.GC() // gives the memory of the old segments back now
		}
	}
}

// mergeOnce joins some segments, whose memory nobody needs any more, or
// reports that there is nothing left to join.
func (x *Index) mergeOnce() (freed int, settled bool) {
	v := x.view.Load()
	from, to := x.mergeable(v.segments)
	if from == to {
		return 0, x.settled(v)
	}
	old := v.segments[from:to]
	next := join(old)
	x.makeTable(next)
	x.replace(old, next)
	return sizeOf(old), false
}

// settled ends the merging unless the segments are no longer those of v.
func (x *Index) settled(v *view) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.view.Load() != v {
		return false
	}
	x.merging, x.touched = false, nil
	x.room.Broadcast()
	return true
}

// mergeable returns which segments to join: the longest run up to the growing
// one in which none is much larger than those behind it, or one that should
// have a table, or one that is mostly deleted entries; from == to is none.
func (x *Index) mergeable(segments []*segment) (from, to int) {
	to = max(len(segments)-1, 0) // none where the view is an error
	total := 0
	for from = to; from > 0; from-- {
		s := segments[from-1]
		if from < to && s.live() > mergeRatio*total || s.guard.Load() != nil || span(segments[from-1:to]) > maxEntries {
			break
		}
		total += s.live()
	}
	if to-from > 1 || to-from == 1 && segments[from].table == nil && x.planFor(segments[from].live()) != nil {
		return from, to
	}
	for i, s := range segments[:to] {
		if s.mostlyDeleted() {
			return i, i + 1
		}
	}
	return to, to
}

// span is the number of IDs from the first to the last of segments.
func span(segments []*segment) uint64 {
	return uint64(segments[len(segments)-1].last()) - uint64(segments[0].first) + 1
}

func sizeOf(segments []*segment) (n int) {
	for _, s := range segments {
		n += s.arena.bytes
	}
	return n
}

// join returns one segment with the live entries of old.
func join(old []*segment) *segment {
	n := 0
	for _, s := range old {
		n += s.live() // may fall while we copy, never rise
	}
	to := newSegment(old[0].first, n)
	to.ids = array[uint32](to.arena, n)
	i := 0
	for _, s := range old {
		for k := range s.len() {
			if in := s.in(k); in != 0 && i < n {
				to.put(i, s.words(k), in)
				to.ids[i] = uint32(s.id(k) - to.first) //nolint:gosec // mergeable bounds the span
				i++
			}
		}
	}
	to.n.Store(int64(i))
	to.ids = to.ids[:i]
	if i == 0 || int(to.ids[i-1]) == i-1 {
		to.ids = nil // no gaps: a position is the number
	}
	return to
}

// replace publishes to in the place of old, with the changes that came while
// it was made.
func (x *Index) replace(old []*segment, to *segment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.view.Load()
	if v.err != nil {
		return
	}
	for _, id := range x.touched {
		s, i, ok := v.find(id)
		if k, there := to.find(id); ok && there && slices.Contains(old, s) {
			to.assign(k, s.in(i))
		}
	}
	x.touched = nil
	from := slices.Index(v.segments, old[0])
	segments := slices.Clone(v.segments[:from])
	if to.len() > 0 {
		segments = append(segments, to)
	}
	x.publish(append(segments, v.segments[from+len(old):]...)...)
	x.room.Broadcast()
}
