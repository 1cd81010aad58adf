package hamming

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// sealed returns a file of empty sections with the directory d, all of whose
// sums and sizes are right.
func sealed(t *testing.T, d directory) []byte {
	t.Helper()
	var b bytes.Buffer
	w := newBlockWriter(&b)
	w.write(magic[:])
	w.align()
	for i := range d.segments {
		for _, n := range d.segments[i].sections() {
			w.write(make([]byte, n))
			w.align()
		}
	}
	if err := w.finish(&d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bandsOf returns count bands of one width side by side; the first exact-count
// of them may be probed one bit around.
func bandsOf(count, width, exact int) (out []band) {
	for i := range count {
		b := band{shift: i * width, width: width, low: 16}
		if i < exact-count {
			b.most = 1
		}
		out = append(out, b)
	}
	return out
}

// with returns bands with one of them changed.
func with(bands []band, i int, change func(b *band)) []band {
	bands = slices.Clone(bands)
	change(&bands[i])
	return bands
}

// A directory whose sums are right is still refused where reading by it would
// go wrong, for its own reason.
func TestDirectoriesThatMakeNoSenseAreRefused(t *testing.T) {
	const (
		order = "do not ascend"
		sense = "makes no sense"
		alien = "none of ours"
		miss  = "would miss matches"
	)
	good := bandsOf(16, 10, MaxRadius+1)
	table := func(bands []band) []segmentEntry { return []segmentEntry{{first: 1, n: 8, bands: bands}} }
	for _, c := range []struct {
		name     string
		want     string // what the error says; empty is none
		segments []segmentEntry
	}{
		{"nothing", "", nil},
		{"one after the other", "", []segmentEntry{{first: 1, n: 8}, {first: 9, n: 8}}},
		{"numbers left out", "", []segmentEntry{{first: 3, n: 8}, {first: 20, n: 80}}},
		{"number 0", order, []segmentEntry{{first: 0, n: 8}}},
		{"twice the same", order, []segmentEntry{{first: 1, n: 8}, {first: 1, n: 8}}},
		{"one within the other", order, []segmentEntry{{first: 1, n: 8}, {first: 8, n: 8}}},
		{"backwards", order, []segmentEntry{{first: 50, n: 8}, {first: 1, n: 8}}},
		{"up to the next", "", []segmentEntry{{first: 93, n: 7}}},
		{"past the next", order, []segmentEntry{{first: 93, n: 8}}},
		{"at the next", order, []segmentEntry{{first: 100, n: 1}}},
		{"behind the next", order, []segmentEntry{{first: 101, n: 1}}},
		{"round the end of numbers", order, []segmentEntry{{first: math.MaxUint64, n: 8}}},
		{"no entries", sense, []segmentEntry{{first: 1}}},
		{"all deleted", "", []segmentEntry{{first: 1, n: 8, dead: 8}}},
		{"more deleted than there", sense, []segmentEntry{{first: 1, n: 8, dead: 9}}},
		{"a table", "", table(good)},
		{"bands of a plan", "", table(newPlan(200, []cut{{16, 10, 1}}, 2).bands)},
		{"one bit short of exact", miss, table(bandsOf(16, 10, MaxRadius))},
		{"one band", miss, table(bandsOf(1, 10, 2))},
		{"too many bands", sense, table(bandsOf(maxBands+1, 8, MaxRadius+1))},
		{"bands to the last bit", "", table(bandsOf(16, 16, MaxRadius+1))},
		{"bands past the last bit", miss, table(with(bandsOf(16, 16, MaxRadius+1), 15, func(b *band) { b.width = 17 }))},
		{"a gap", alien, table(with(good, 3, func(b *band) { b.shift++ }))},
		{"an overlap", alien, table(with(good, 3, func(b *band) { b.shift-- }))},
		{"too narrow", alien, table(with(good, 15, func(b *band) { b.width = 7 }))},
		{"too wide", alien, table(with(good, 15, func(b *band) { b.width, b.group = 27, 15 }))},
		{"probed too far", alien, table(with(good, 3, func(b *band) { b.most = 3 }))},
		{"no room for a position", alien, table(with(good, 3, func(b *band) { b.low = 25 }))},
		{"grouped beyond its room", alien, table(with(good, 3, func(b *band) { b.low, b.group = 2, 3 }))},
		{"grouped to nothing", alien, table(with(good, 3, func(b *band) { b.group = 10 }))},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := directory{to: drawPermutation([32]byte{1}).to, next: 100, segments: c.segments}
			x, _, err := open(&file{arena: newArena(0), data: sealed(t, d)}, Config{})
			if err == nil {
				err = x.Verify()
				x.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (!errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want ErrCorrupt that says %q", err, c.want)
			}
		})
	}
}

// Positions need their bits of a posting: a band that leaves fewer is refused.
func TestBandsWithoutRoomForPositionsAreRefused(t *testing.T) {
	bands := bandsOf(16, 10, MaxRadius+1) // 16 bits are left
	if err := checkBands(bands, 1<<16-1); err != nil {
		t.Error(err)
	}
	if err := checkBands(bands, 1<<16); !errors.Is(err, ErrCorrupt) {
		t.Errorf("one entry too many: %v, want ErrCorrupt", err)
	}
}

// A file whose order of bits names one twice is refused.
func TestNoPermutationIsRefused(t *testing.T) {
	to := drawPermutation([32]byte{1}).to
	to[7] = to[8]
	_, _, err := open(&file{arena: newArena(0), data: sealed(t, directory{to: to, next: 1})}, Config{})
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want ErrCorrupt", err)
	}
}
