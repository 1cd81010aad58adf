package hamming

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// check checks the blocks of n bytes from at on that were not checked before.
func (f *file) check(at, n int) error {
	if n == 0 {
		return nil
	}
	for b := at / blockBytes; b <= (at+n-1)/blockBytes; b++ {
		word, bit := &f.done[b/32], uint32(1)<<(b%32)
		if word.Load()&bit != 0 {
			continue
		}
		right := crc32.Checksum(f.data[b*blockBytes:(b+1)*blockBytes], castagnoli) == binary.LittleEndian.Uint32(f.sums[4*b:])
		if !right && word.Load()&bit == 0 { // else somebody checked it meanwhile, and then changed sets in it
			return fmt.Errorf("%w: the sum of block %d of %s is wrong", ErrCorrupt, b, f.name)
		}
		word.Or(bit)
	}
	return nil
}

// A guard stands before the parts of one segment of a snapshot until all of
// the file is verified: a search asks it before it reads.
type guard struct {
	file   *file
	lo, hi int // where the section is
	sets   int
	n      int
	bands  [][3]int // where starts, postings and tags of each band are
}

// starts checks the bounds of the buckets that probes name around k.
func (g *guard) starts(b int, k uint32, probes []probe) error {
	for _, p := range probes {
		if err := g.file.check(g.bands[b][0]+4*int(k^p.mask), 8); err != nil {
			return err
		}
	}
	return nil
}

// postings checks those of the given buckets, and their tags.
func (g *guard) postings(b int, tagged bool, run []bucket) error {
	for _, k := range run {
		if err := g.file.check(g.bands[b][1]+4*int(k.lo), 4*int(k.hi-k.lo)); err != nil {
			return err
		}
		if !tagged {
			continue
		}
		if err := g.file.check(g.bands[b][2]+int(k.lo), int(k.hi-k.lo)); err != nil {
			return err
		}
	}
	return nil
}

// line checks the first half of entry i's hash.
func (g *guard) line(i int) error {
	return g.file.check(g.lo+i/perLine*lineWords*8, lineWords*8)
}

// lines checks it of each entry named; those that are not there are left to
// nearKernel.
func (g *guard) lines(entries []uint32) error {
	for _, i := range entries {
		if int(i) < g.n {
			if err := g.line(int(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest checks the second half, and the entry's sets.
func (g *guard) rest(i int) error {
	if err := g.file.check(g.hi+16*i, 16); err != nil {
		return err
	}
	return g.setsOf(i)
}

// setsOf checks the sets of entry i; whoever changes them asks before, because
// the sum is that of the file.
func (g *guard) setsOf(i int) error { return g.file.check(g.sets+4*i, 4) }

// entries checks the hashes and sets of all entries.
func (g *guard) entries() error {
	if err := g.file.check(g.lo, 8*lineWordsOf(g.n)); err != nil {
		return err
	}
	if err := g.file.check(g.hi, 16*g.n); err != nil {
		return err
	}
	return g.file.check(g.sets, 4*g.n)
}

// all checks the whole file.
func (g *guard) all() error { return g.file.check(0, len(g.file.sums)/4*blockBytes) }
