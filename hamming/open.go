package hamming

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Open opens a snapshot without reading it: the file is mapped, and its pages
// are read as searches need them. It returns the mark that was given to
// WriteFile. The footer, the directory and the sums are checked now, and the
// numbers of entries where there are gaps; every other block when a search
// first touches it, and all of them by a goroutine that begins at once (see
// Verify). The file may be replaced or removed while the index is open, but not
// overwritten or cut: what is no longer there when it is read ends the process
// (SIGBUS), as a disk does that cannot be read.
//
// Of c, Workers and ScanOnly hold: with ScanOnly the tables of the file are not
// used, nor written by later snapshots. Seed does not: the order of bits is
// that of the index which was written. An index that is opened, added to and
// written again and again stays as fast as one that was built at once.
//
// Errors: ErrCorrupt if the file is not a whole snapshot, and of the
// filesystem. After either, build the index from its source.
func Open(name string, c Config) (x *Index, mark uint64, err error) {
	data, err := mapSnapshot(name)
	switch {
	case errors.Is(err, ErrCorrupt):
		return nil, 0, fmt.Errorf("%w (%s)", err, name)
	case err != nil:
		return nil, 0, fmt.Errorf("hamming: open snapshot: %w", err)
	}
	a := newArena(0)
	runtime.AddCleanup(a, unmapMemory, data)
	return open(&file{name: name, arena: a, data: data, mapped: true}, c)
}

// open makes an index of a mapped file.
func open(f *file, c Config) (x *Index, mark uint64, err error) {
	x, segments, mark, err := f.index(c)
	if err != nil {
		return nil, 0, fmt.Errorf("%w (%s)", err, f.name)
	}
	x.verified = make(chan struct{})
	x.tasks.Go(func() { x.verifyFile(f, segments) })
	return x, mark, nil
}

// index makes an index of f, and returns its segments with guards before them.
func (f *file) index(c Config) (x *Index, segments []*segment, mark uint64, err error) {
	d, err := f.read()
	if err != nil {
		return nil, nil, 0, err
	}
	x = newIndex(c)
	p, ok := newPermutation(d.to)
	if !ok {
		return nil, nil, 0, corrupt("the order of bits is no permutation")
	}
	x.perm, x.next = p, d.next
	segments, err = f.segments(d)
	if err != nil {
		return nil, nil, 0, err
	}
	if c.ScanOnly {
		for _, s := range segments {
			s.table = nil // its pages are read once, to be verified, and never again
		}
	}
	x.publish(append(segments, newSegment(x.next, firstTail))...)
	return x, segments, d.mark, nil
}

// mapSnapshot maps the file of that name.
func mapSnapshot(name string) ([]byte, error) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, errors.New("snapshots are for little-endian machines")
	}
	info, err := os.Stat(name) // before it is opened: a pipe would wait for a writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if info.Size() < blockBytes+footerBytes {
		return nil, corrupt("the file is too short")
	}
	return mapFile(f, int(info.Size()))
}

// file is a mapped snapshot.
type file struct {
	name   string
	arena  *arena // keeps the mapping
	data   []byte
	mapped bool            // by mapFile: for reading, unless made writable
	sums   []byte          // of its blocks
	done   []atomic.Uint32 // bits of blocks whose sums were right
}

// read checks and returns the directory.
func (f *file) read() (*directory, error) {
	le, footer := binary.LittleEndian, f.data[len(f.data)-footerBytes:]
	if [8]byte(footer[20:]) != magic || [8]byte(f.data) != magic {
		if v := len(magic) - 1; [7]byte(f.data) == [7]byte(magic[:v]) && f.data[v] != magic[v] {
			return nil, corrupt(fmt.Sprintf("it is of format %d, and this program reads format %d", f.data[v], magic[v]))
		}
		return nil, corrupt("it does not begin or end as a snapshot")
	}
	at, n, end := le.Uint64(footer), le.Uint64(footer[8:]), uint64(len(f.data)-footerBytes) //nolint:gosec // a length
	if at%blockBytes != 0 || at > end || n != end-at || n < at/blockBytes*4 {
		return nil, corrupt("the directory is not where the footer says")
	}
	body := f.data[at:end]
	if crc32.Checksum(body, castagnoli) != le.Uint32(footer[16:]) {
		return nil, corrupt("the sum of the directory is wrong")
	}
	blocks := int(at / blockBytes) //nolint:gosec // within the file
	f.sums = body[:4*blocks]
	f.done = make([]atomic.Uint32, (blocks+31)/32)
	d, err := parseDirectory(body[4*blocks:])
	if err != nil {
		return nil, err
	}
	size := blockBytes
	for i := range d.segments {
		for _, n := range d.segments[i].sections() {
			size += (n + blockBytes - 1) &^ (blockBytes - 1)
		}
	}
	if d.blocks != blocks || size != blocks*blockBytes {
		return nil, corrupt("the sections do not have the sizes that the directory says")
	}
	return d, nil
}

// segments returns the segments as they stand in the file.
func (f *file) segments(d *directory) (out []*segment, err error) {
	at := blockBytes
	for i := range d.segments {
		e := &d.segments[i]
		var places []int
		for _, n := range e.sections() {
			places = append(places, at)
			at += (n + blockBytes - 1) &^ (blockBytes - 1)
		}
		s, err := f.segment(e, places)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// segment maps one segment, whose sections are at the given places.
func (f *file) segment(e *segmentEntry, places []int) (*segment, error) {
	g := &guard{file: f, lo: places[0], hi: places[1], sets: places[2], n: e.n}
	s := &segment{arena: newArena(0), file: f, first: e.first}
	s.lo = arrayAt[uint64](f, places[0], lineWordsOf(e.n))
	s.hi = arrayAt[uint64](f, places[1], 2*e.n)
	s.sets = arrayAt[uint32](f, places[2], e.n)
	if f.mapped { // they change
		pages := f.data[places[2]:][:(4*e.n+blockBytes-1)&^(blockBytes-1)]
		if os.Getpagesize() > blockBytes { // those of the machine do not end where the section does
			pages = f.data
		}
		if err := makeWritable(pages); err != nil {
			return nil, fmt.Errorf("hamming: open snapshot: %w", err)
		}
	}
	s.n.Store(int64(e.n))
	s.dead.Store(int64(e.dead))
	places = places[3:]
	if e.gaps {
		if err := f.check(places[0], 4*e.n); err != nil {
			return nil, err
		}
		s.ids = arrayAt[uint32](f, places[0], e.n)
		places = places[1:]
	}
	if len(e.bands) > 0 {
		s.table = &table{plan: &plan{e.bands}}
	}
	for b, e2 := range e.bands {
		t := newBandTable(e2)
		at := [3]int(places[3*b:])
		t.starts = arrayAt[uint32](f, at[0], e2.buckets()+1)
		t.ids = arrayAt[uint32](f, at[1], e.n)
		if e2.tagged {
			t.tags = arrayAt[uint8](f, at[2], e.n)
		}
		s.table.bands = append(s.table.bands, t)
		g.bands = append(g.bands, at)
	}
	s.guard.Store(g)
	return s, nil
}

// arrayAt returns n numbers of the file from byte at on.
func arrayAt[T number](f *file, at, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(&f.data[at])), n) //nolint:gosec // read checked that the section is within the file
}

// verifyFile checks all blocks in turn, and then takes the guards away.
func (x *Index) verifyFile(f *file, segments []*segment) {
	defer close(x.verified)
	const step = 256 * blockBytes
	for at := 0; at < len(f.sums)/4*blockBytes; at += step {
		select {
		case <-x.stop:
			return
		default:
		}
		if err := f.check(at, min(step, len(f.sums)/4*blockBytes-at)); err != nil {
			_ = x.fail(err) // whoever asks next is told
			return
		}
	}
	for _, s := range segments {
		s.guard.Store(nil)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.merge() // what each opening left behind is joined, now that it may be
}

// Verify waits until every block of the snapshot that the index was opened
// from is checked. It returns nil at once for an index that was not opened.
//
// Errors: ErrCorrupt, ErrClosed.
func (x *Index) Verify() error {
	if x.verified != nil {
		<-x.verified
	}
	return x.view.Load().err
}
