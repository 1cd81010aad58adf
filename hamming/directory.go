package hamming

import (
	"encoding/binary"
	"fmt"
	"math"
)

// directory is what a snapshot says of itself. Places and lengths of sections
// follow from it, so there are none to be wrong.
type directory struct {
	to       [256]byte // the permutation
	next     ID
	mark     uint64
	blocks   int
	segments []segmentEntry
}

// segmentEntry describes one segment; no bands: it has no table.
type segmentEntry struct {
	first   ID
	n, dead int
	gaps    bool
	bands   []band
}

const (
	footerBytes   = 8 + 8 + 4 + 8
	maxSegments   = 1 << 16
	maxEntries    = math.MaxInt32 // of a segment
	bandBytes     = 6
	segmentBytes  = 8 + 8 + 8 + 1 + 1
	directoryHead = 256 + 8 + 8 + 8 + 4
)

// append appends the written form of d to b.
func (d *directory) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, d.to[:]...)
	b = le.AppendUint64(b, uint64(d.next))
	b = le.AppendUint64(b, d.mark)
	b = le.AppendUint64(b, uint64(d.blocks))        //nolint:gosec // a length
	b = le.AppendUint32(b, uint32(len(d.segments))) //nolint:gosec // few
	for _, s := range d.segments {
		b = le.AppendUint64(b, uint64(s.first))
		b = le.AppendUint64(b, uint64(s.n))    //nolint:gosec // a length
		b = le.AppendUint64(b, uint64(s.dead)) //nolint:gosec // a count
		gaps := byte(0)
		if s.gaps {
			gaps = 1
		}
		b = append(b, gaps, byte(len(s.bands))) //nolint:gosec // at most maxBands
		for _, e := range s.bands {
			tagged := byte(0)
			if e.tagged {
				tagged = 1
			}
			b = append(b, byte(e.shift), byte(e.width), byte(e.group), byte(e.most), byte(e.low), tagged) //nolint:gosec // within a hash
		}
	}
	return b
}

// parseDirectory reads what append wrote, and checks everything on which
// reading the file depends.
func parseDirectory(b []byte) (*directory, error) {
	if len(b) < directoryHead {
		return nil, corrupt("the directory is cut off")
	}
	le := binary.LittleEndian
	d := &directory{to: [256]byte(b)}
	d.next, d.mark = ID(le.Uint64(b[256:])), le.Uint64(b[264:])
	blocks, n := le.Uint64(b[272:]), le.Uint32(b[280:])
	if blocks > math.MaxInt64/blockBytes || n > maxSegments {
		return nil, corrupt("the directory counts too many blocks or segments")
	}
	d.blocks = int(blocks) //nolint:gosec // checked
	b = b[directoryHead:]
	last := ID(0)
	for range n {
		s, rest, err := parseSegment(b)
		if err != nil {
			return nil, err
		}
		if s.first <= last || s.first >= d.next || uint64(d.next-s.first) < uint64(s.n) { //nolint:gosec // checked
			return nil, corrupt("the numbers of a segment's entries do not ascend")
		}
		last, b = s.first+ID(s.n)-1, rest //nolint:gosec // checked
		d.segments = append(d.segments, s)
	}
	if len(b) > 0 {
		return nil, corrupt("something follows the directory")
	}
	return d, nil
}

func parseSegment(b []byte) (s segmentEntry, rest []byte, err error) {
	if len(b) < segmentBytes {
		return s, nil, corrupt("the directory is cut off")
	}
	le := binary.LittleEndian
	n, dead, bands := le.Uint64(b[8:]), le.Uint64(b[16:]), int(b[25])
	if n == 0 || n > maxEntries || dead > n || b[24] > 1 || bands > maxBands || len(b) < segmentBytes+bands*bandBytes {
		return s, nil, corrupt("a segment of the directory makes no sense")
	}
	s = segmentEntry{first: ID(le.Uint64(b)), n: int(n), dead: int(dead), gaps: b[24] == 1} //nolint:gosec // checked
	b = b[segmentBytes:]
	for range bands {
		s.bands = append(s.bands, band{
			shift: int(b[0]), width: int(b[1]), group: int(b[2]), most: int(b[3]), low: int(b[4]), tagged: b[5] == 1,
		})
		b = b[bandBytes:]
	}
	lookAhead(s.bands)
	return s, b, checkBands(s.bands, s.n)
}

// checkBands refuses bands that would read outside a hash, need more memory
// than any plan, or miss a match.
func checkBands(bands []band, n int) error {
	if len(bands) == 0 {
		return nil
	}
	shift, exact := 0, 0
	for _, b := range bands {
		if b.shift != shift || b.width < 8 || b.width > 26 || b.most > 2 ||
			b.low > 24 || n>>(32-b.low) > 0 || b.group > b.room() || b.group >= b.width {
			return corrupt("a band of the directory is none of ours")
		}
		shift += b.width
		exact += b.most + 1
	}
	if shift > 256 || exact <= MaxRadius {
		return corrupt("the bands of the directory would miss matches")
	}
	return nil
}

// sections returns the lengths in bytes of the segment's sections in order.
func (s *segmentEntry) sections() (sizes []int) {
	sizes = append(sizes, 8*lineWordsOf(s.n), 16*s.n, 4*s.n)
	if s.gaps {
		sizes = append(sizes, 4*s.n)
	}
	for _, b := range s.bands {
		tags := 0
		if b.tagged {
			tags = s.n
		}
		sizes = append(sizes, 4*(b.buckets()+1), 4*s.n, tags)
	}
	return sizes
}

// corrupt says what is wrong with a snapshot.
func corrupt(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }
