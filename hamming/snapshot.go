package hamming

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"
)

// The file of a snapshot, all numbers little-endian:
//
//	magic       8 bytes, then zeros up to the first block
//	sections    for each segment in turn: lines, rest, sets, numbers if it has
//	            gaps, then starts, postings and tags of each band; each begins at
//	            a block and is as in memory
//	sums        CRC-32C of each block before here, four bytes each
//	directory   what is in the file (directory.go)
//	footer      place and length of the directory, CRC-32C of sums and directory, magic
//
// Written once, front to back, so that a reader finds the footer only on a
// whole file.

// blockBytes is what one sum covers: a page, the unit in which a mapped file
// is read.
const blockBytes = 4096

var magic = [8]byte{'h', 'a', 'm', 'm', 'i', 'n', 'g', 2}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Snapshot is an index at one moment.
type Snapshot struct {
	directory directory
	segments  []*segment
}

// Snapshot returns the index as it is now, at once, for writing later while
// changes go on. Entries added after it are not in it; a deletion or
// assignment after it may be, until it is written.
//
// Errors: ErrClosed, ErrCorrupt.
func (x *Index) Snapshot() (*Snapshot, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.view.Load()
	if v.err != nil {
		return nil, v.err
	}
	s := &Snapshot{directory: directory{next: x.next, to: x.perm.to}}
	for i, g := range v.segments {
		if i == len(v.segments)-1 {
			g = g.copied() // the original grows
		}
		if g.len() > 0 {
			s.segments = append(s.segments, g)
		}
	}
	return s, nil
}

// copied returns a segment of the entries that s has now.
func (s *segment) copied() *segment {
	n := s.len()
	c := newSegment(s.first, n)
	for i := range n {
		c.put(i, s.words(i), s.in(i))
	}
	c.n.Store(int64(n))
	return c
}

// WriteFile writes the snapshot to a file of that name, whole or not at all:
// an older one is replaced once the new one is safely on the disk. A new file is
// its owner's alone (mode 0600), one that replaces another has its mode. mark is
// whatever the caller wants to get back from Open, such as the position in its
// own log from which to read on.
//
// A process that is killed meanwhile leaves what it had written beside the
// target, as .NAME.part-*; it may be deleted while nobody writes.
func (s *Snapshot) WriteFile(name string, mark uint64) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".part-*")
	if err != nil {
		return fmt.Errorf("hamming: write snapshot %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name()) // the first error says more
			err = fmt.Errorf("hamming: write snapshot %s: %w", name, err)
		}
	}()
	if older, err := os.Stat(name); err == nil {
		if err = f.Chmod(older.Mode().Perm()); err != nil {
			return err
		}
	}
	if err = s.write(f, mark); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(name))
}

// syncDirectory makes a rename last.
func syncDirectory(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
	return d.Sync()
}

func (s *Snapshot) write(to io.Writer, mark uint64) error {
	w := newBlockWriter(to)
	w.write(magic[:])
	w.align()
	d := s.directory
	d.mark = mark
	d.segments = nil
	for _, g := range s.segments {
		if c := g.guard.Load(); c != nil {
			if err := c.all(); err != nil { // what is copied gets new sums
				return err
			}
		}
	}
	for _, g := range packed(s.segments) {
		d.segments = append(d.segments, w.segment(g))
	}
	if _, err := parseDirectory(d.append(nil)); err != nil { // before what is there is replaced
		return fmt.Errorf("it could not be opened again: %w", err)
	}
	return w.finish(&d)
}

// packed joins runs of segments without tables: each opening leaves one behind,
// and a short one takes as much of the file as a thousand entries.
func packed(segments []*segment) (out []*segment) {
	for from := 0; from < len(segments); {
		to, n := from, 0
		for to < len(segments) && segments[to].table == nil && span(segments[from:to+1]) <= maxEntries {
			if n += segments[to].len(); n > maxPacked {
				break
			}
			to++
		}
		if to-from < 2 {
			out = append(out, segments[from])
			from++
			continue
		}
		if s := join(segments[from:to]); s.len() > 0 {
			out = append(out, s)
		}
		from = to
	}
	return out
}

// maxPacked bounds what is copied for that, in entries.
const maxPacked = 1 << 20

// blockWriter writes blocks and keeps their sums.
type blockWriter struct {
	to   *bufio.Writer
	at   int    // bytes written
	sum  uint32 // of the block begun
	sums []byte
	err  error // the first
}

func newBlockWriter(to io.Writer) *blockWriter {
	return &blockWriter{to: bufio.NewWriterSize(to, 1<<20)}
}

func (w *blockWriter) write(b []byte) {
	for len(b) > 0 && w.err == nil {
		n := min(len(b), blockBytes-w.at%blockBytes)
		_, w.err = w.to.Write(b[:n])
		w.sum = crc32.Update(w.sum, castagnoli, b[:n])
		w.at += n
		b = b[n:]
		if w.at%blockBytes == 0 {
			w.sums = binary.LittleEndian.AppendUint32(w.sums, w.sum)
			w.sum = 0
		}
	}
}

// align fills the block begun with zeros.
func (w *blockWriter) align() {
	if rest := w.at % blockBytes; rest > 0 {
		w.write(make([]byte, blockBytes-rest))
	}
}

// segment writes the sections of s and returns its entry in the directory.
func (w *blockWriter) segment(s *segment) segmentEntry {
	n := s.len()
	e := segmentEntry{first: s.first, n: n, gaps: s.ids != nil}
	section(w, s.lo[:lineWordsOf(n)])
	section(w, s.hi[:2*n])
	e.dead = w.sets(s.sets[:n])
	if e.gaps {
		section(w, s.ids[:n])
	}
	if s.table != nil {
		for b := range s.table.bands {
			t := &s.table.bands[b]
			e.bands = append(e.bands, t.band)
			section(w, t.starts)
			section(w, t.ids)
			section(w, t.tags)
		}
	}
	return e
}

// lineWordsOf is the number of words of the lines of n entries.
func lineWordsOf(n int) int { return (n + inGroup - 1) / inGroup * groupLines * lineWords }

// sets writes sets, which may change meanwhile, and counts the deleted.
func (w *blockWriter) sets(sets []uint32) (dead int) {
	var buf [blockBytes / 4]uint32
	for len(sets) > 0 {
		n := min(len(sets), len(buf))
		for i := range sets[:n] {
			buf[i] = atomic.LoadUint32(&sets[i])
			if buf[i] == 0 {
				dead++
			}
		}
		w.write(bytesOf(buf[:n]))
		sets = sets[n:]
	}
	w.align()
	return dead
}

// section writes an array as it is in memory.
func section[T number](w *blockWriter, a []T) {
	w.write(bytesOf(a))
	w.align()
}

// bytesOf returns the memory of a.
func bytesOf[T number](a []T) []byte {
	if len(a) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&a[0])), len(a)*int(unsafe.Sizeof(a[0]))) //nolint:gosec // same memory, same life
}

// finish writes sums, directory and footer.
func (w *blockWriter) finish(d *directory) error {
	d.blocks = w.at / blockBytes
	body := d.append(w.sums)
	footer := binary.LittleEndian.AppendUint64(nil, uint64(w.at)) //nolint:gosec // a length
	footer = binary.LittleEndian.AppendUint64(footer, uint64(len(body)))
	footer = binary.LittleEndian.AppendUint32(footer, crc32.Checksum(body, castagnoli))
	footer = append(footer, magic[:]...)
	for _, b := range [][]byte{body, footer} {
		if w.err == nil {
			_, w.err = w.to.Write(b)
		}
	}
	if w.err != nil {
		return w.err
	}
	return w.to.Flush()
}
