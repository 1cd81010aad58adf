package hamming

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// guarded returns an index opened from b that nobody verifies, and what stands
// before its first segment: every sum it finds wrong was met by what asks.
func guarded(t testing.TB, b []byte, c Config) (*Index, *guard) {
	t.Helper()
	f := &file{arena: newArena(0), data: b}
	x, segments, _, err := f.index(c)
	if err != nil {
		t.Fatal(err)
	}
	return x, segments[0].guard.Load()
}

// breakSum makes the sum of the block wrong in which byte at stands. The block
// stays as it is, so that nothing but its sum can tell.
func (g *guard) breakSum(at int) { g.file.sums[4*(at/blockBytes)] ^= 1 }

// writtenTagged is a snapshot of n entries whose bands all have tags, and whose
// sections are longer than a block.
func writtenTagged(t testing.TB, n int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(8, 9))
	x := New(Config{Seed: [32]byte{1}})
	defer x.Close()
	s := newSegment(1, n)
	for range n {
		s.add(x.perm.apply(uniform(r)), 1)
	}
	s.table = buildTable(s, newPlan(n, narrowCuts, maxBands), 2)
	x.next = ID(n + 1) //nolint:gosec // small
	x.publish(s, newSegment(x.next, 1))
	return bytesOfSnapshot(t, x)
}

// A part of the file is where a search for one entry has to read.
type part struct {
	name  string
	place func(s *segment, g *guard, i int) int
}

// entryParts are read of an entry wherever it is met, tableParts to meet it by
// the table at radius 0: by the first band alone.
var (
	entryParts = []part{
		{"lines", func(_ *segment, g *guard, i int) int { return g.lo + 64*(i/4) }},
		{"rest", func(_ *segment, g *guard, i int) int { return g.hi + 16*i }},
		{"sets", func(_ *segment, g *guard, i int) int { return g.sets + 4*i }},
	}
	tableParts = []part{
		{"bounds", func(s *segment, g *guard, i int) int { return g.bands[0][0] + 4*bucketOf(s, i) }},
		{"ends", func(s *segment, g *guard, i int) int { return g.bands[0][0] + 4*bucketOf(s, i) + 4 }},
		{"postings", func(s *segment, g *guard, i int) int {
			return g.bands[0][1] + 4*int(s.table.bands[0].starts[bucketOf(s, i)])
		}},
		{"tags", func(s *segment, g *guard, i int) int {
			return g.bands[0][2] + int(s.table.bands[0].starts[bucketOf(s, i)])
		}},
	}
)

// bucketOf is the bucket of the first band that entry i is in.
func bucketOf(s *segment, i int) int {
	w, t := s.words(i), &s.table.bands[0]
	return int(t.key(&w) >> t.group)
}

// A search checks each part of the file that it reads before it reads it, and
// waits for no verification.
func TestSearchRefusesWhatItTouches(t *testing.T) {
	const n = 20_000 // buckets stand in several blocks
	for _, c := range []struct {
		name  string
		bytes []byte
		parts []part
	}{
		{"table", writtenTagged(t, n), append(tableParts, entryParts...)},
		{"scan", writtenScanned(t, n), entryParts},
	} {
		for _, p := range c.parts {
			t.Run(c.name+"/"+p.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				for range 8 {
					i := r.IntN(n)
					x, _ := guarded(t, c.bytes, Config{})
					s := x.view.Load().segments[0]
					h := x.perm.undo(s.words(i))
					if m, err := x.Within(h, 0); len(m) != 1 || err != nil {
						t.Fatalf("whole: entry %d: %v, %v", i+1, m, err)
					}
					x, g := guarded(t, c.bytes, Config{})
					at := p.place(s, g, i)
					g.breakSum(at)
					_, err := x.Within(h, 0)
					g.breakSum(at) // right again, for the next
					if !errors.Is(err, ErrCorrupt) {
						t.Fatalf("entry %d: %v, want ErrCorrupt", i+1, err)
					}
					if _, err := x.Add(h, 1); !errors.Is(err, ErrCorrupt) || x.Len() != 0 {
						t.Fatalf("afterwards: %v, %d entries; want ErrCorrupt and none", err, x.Len())
					}
				}
			})
		}
	}
}

// writtenScanned is a snapshot of n entries without a table.
func writtenScanned(t testing.TB, n int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(8, 9))
	x := Build(Config{ScanOnly: true}, n, func(int) (Hash, Sets) { return uniform(r), 1 })
	defer x.Close()
	return bytesOfSnapshot(t, x)
}

// Get, Delete and Assign check what they read of an entry.
func TestCallsOnAnEntryRefuseWhatTheyTouch(t *testing.T) {
	const n = 6000
	b := writtenScanned(t, n)
	calls := map[string]func(x *Index, id ID) bool{
		"delete": (*Index).Delete,
		"assign": func(x *Index, id ID) bool { return x.Assign(id, 2) },
		"get": func(x *Index, id ID) bool {
			_, _, ok := x.Get(id)
			return ok
		},
	}
	for name, call := range calls {
		for _, p := range entryParts {
			if name != "get" && p.name != "sets" {
				continue // what they do not read
			}
			for _, i := range []int{0, 1500, n - 1} {
				x, _ := guarded(t, slices.Clone(b), Config{}) // the calls write
				if !call(x, ID(i+1)) {                        //nolint:gosec // small
					t.Fatalf("%s of entry %d of a whole file: it is not there", name, i+1)
				}
				x, g := guarded(t, slices.Clone(b), Config{})
				g.breakSum(p.place(x.view.Load().segments[0], g, i))
				ok := call(x, ID(i+1)) //nolint:gosec // small
				if _, err := x.Within(Hash{}, 0); ok || !errors.Is(err, ErrCorrupt) {
					t.Errorf("%s of entry %d, %s wrong: %v, then %v; want false and ErrCorrupt", name, i+1, p.name, ok, err)
				}
			}
		}
	}
}

// A damaged file gets no new sums: what is written of an index whose file was
// not verified is checked first, wherever the damage is, and nothing is left.
func TestSnapshotOfADamagedFileIsRefused(t *testing.T) {
	b := writtenSmall(t)
	_, whole := guarded(t, b, Config{})
	opened := 0
	for at := 2*blockBytes - 1; at < len(whole.file.sums)/4*blockBytes; at += blockBytes { // padding, which nothing else looks at
		f := &file{arena: newArena(0), data: slices.Clone(b)}
		f.data[at] ^= 1
		x, _, _, err := f.index(Config{})
		if errors.Is(err, ErrCorrupt) {
			continue // numbers are checked by Open
		}
		if err != nil {
			t.Fatal(err)
		}
		opened++
		s, err := x.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := s.WriteFile(filepath.Join(dir, "index"), 0); !errors.Is(err, ErrCorrupt) {
			t.Errorf("block %d: %v, want ErrCorrupt", at/blockBytes, err)
		}
		wantEntries(t, dir)
	}
	if opened < 30 {
		t.Errorf("%d damaged files were opened, want almost all", opened)
	}
}

// wantEntries fails unless exactly these names are in dir.
func wantEntries(t *testing.T, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range list {
		if i >= len(names) || e.Name() != names[i] {
			t.Errorf("%s holds %v, want %v", dir, list, names)
			return
		}
	}
	if len(list) != len(names) {
		t.Errorf("%s holds %v, want %v", dir, list, names)
	}
}

// A snapshot that cannot take its name leaves nothing beside it.
func TestFailedWriteLeavesNothing(t *testing.T) {
	x := New(Config{})
	defer x.Close()
	s, err := x.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(name, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteFile(name, 0); err == nil {
		t.Error("a directory was replaced")
	}
	wantEntries(t, dir, "taken")
}

// An index opened with ScanOnly has no tables, whatever the file has, and
// answers the same.
func TestOpenHonoursScanOnly(t *testing.T) {
	b := writtenTagged(t, 6000)
	x, _ := guarded(t, b, Config{})
	y, g := guarded(t, slices.Clone(b), Config{ScanOnly: true})
	if x.view.Load().segments[0].table == nil || y.view.Load().segments[0].table != nil {
		t.Fatal("want a table without ScanOnly and none with it")
	}
	g.breakSum(g.bands[0][0]) // not read
	h, _, _ := x.Get(17)
	want, err := x.Within(h, MaxRadius)
	if err != nil || len(want) == 0 {
		t.Fatal(want, err)
	}
	got, err := y.Within(h, MaxRadius)
	if err != nil || len(got) != len(want) || got[0] != want[0] {
		t.Fatalf("%v, %v; want %v", got, err, want)
	}
}
