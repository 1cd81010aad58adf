package hamming

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"
)

// What Search returned is the caller's: no later search writes to it.
func TestResultsStayAsTheyWere(t *testing.T) {
	x := Build(Config{}, 200, func(i int) (Hash, Sets) { return seeded(uint64(i % 2)), 1 }) //nolint:gosec // small
	defer x.Close()
	for range 20 { // the memory of a search may be dropped in between
		got, err := x.Within(seeded(0), 0)
		if err != nil || len(got) != 100 {
			t.Fatalf("%d found, %v; want 100", len(got), err)
		}
		want := slices.Clone(got)
		for range 2 {
			if err := x.SearchAll([]Query{{Hash: seeded(1)}, {Hash: seeded(1)}}, func(int, []Match) {}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("a later search changed it (-was +is):\n%s", diff)
		}
	}
}

// A flood of matches comes in parts, so that it does not fill the memory.
func TestFloodComesInParts(t *testing.T) {
	const n = 2*sinkMatches + 100
	x := Build(Config{}, n, func(int) (Hash, Sets) { return Hash{}, 1 })
	defer x.Close()
	var sizes []int
	seen := map[ID]bool{}
	err := x.SearchAll([]Query{{}}, func(_ int, m []Match) {
		sizes = append(sizes, len(m))
		for _, one := range m {
			seen[one.ID] = true
		}
	})
	if want := []int{sinkMatches, sinkMatches, 100}; err != nil || !slices.Equal(sizes, want) || len(seen) != n {
		t.Fatalf("%d entries in parts of %v, %v; want %d in %v", len(seen), sizes, err, n, want)
	}
}

// The order of bits is drawn for each index, unless a seed decides it.
func TestOrderOfBitsIsDrawn(t *testing.T) {
	order := func(c Config) [256]byte {
		x := New(c)
		defer x.Close()
		return x.perm.to
	}
	if one, other := order(Config{}), order(Config{}); one == other {
		t.Error("two indexes have the same order of bits")
	}
	seed := Config{Seed: [32]byte{5}}
	if one, other := order(seed), order(seed); one != other {
		t.Error("one seed gave two orders")
	}
}

// A look-up whose buckets have too many postings is left to a scan, and so is
// one with few of them that lead to too many hashes. The first alone is enough
// for small banks where postings cost most, so that each is tried by itself.
func TestFloodsAreScanned(t *testing.T) {
	const n = 20_000
	for _, b := range banks[2:5] {
		t.Run(b.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			p := drawPermutation([32]byte{3})
			s := newSegment(1, n)
			for range n {
				s.add(p.apply(b.draw(r)), 1)
			}
			s.table = buildTable(s, planFor(n), 2)
			most, scans, reads := scanCost(n, false)/4/costPosting, 0, 0
			for i := range 200 {
				radius := i % (MaxRadius + 1)
				q := flip(r, p.undo(s.words(r.IntN(n))), r.IntN(radius+1))
				l := look{q: p.apply(q), radius: radius, in: All, limit: -1}
				postings, cands := s.path(t, l)
				sc := new(scratch)
				if err := s.lookUpAll([]look{l}, sc); err != nil {
					t.Fatal(err)
				}
				scanned, want := len(sc.overflow) == 1, postings > most || cands*readCost(n) > scanCost(n, false)
				if scanned != want {
					t.Fatalf("radius %d, %d postings, %d hashes to read: scanned %v, want %v", radius, postings, cands, scanned, want)
				}
				if scanned {
					scans++
				}
				if cands > 0 {
					reads++
				}
			}
			if scans < 50 || reads == 0 {
				t.Errorf("of 200 look-ups %d were scanned, and %d had hashes to read", scans, reads)
			}
		})
	}
}

// path returns how many postings l would read of the table of s, and how many
// hashes, whatever they cost. It fails unless l is left to a scan as soon as
// they cost more than one, and not before.
func (s *segment) path(t *testing.T, l look) (postings, cands int) {
	t.Helper()
	const plenty = 1 << 60
	u := s.reach(t, l, plenty, plenty)
	postings, cands = u.postings, len(u.cands)
	bounds, reads := postings*4*costPosting, cands*readCost(s.len())
	for _, c := range []struct {
		first, second int
		want          bool
	}{
		{plenty, plenty, false},
		{bounds, reads, false},
		{bounds - 4*costPosting, plenty, postings > 0},
		{plenty, reads - 1, cands > 0},
	} {
		if got := s.reach(t, l, c.first, c.second).scan; got != c.want && c.second >= 0 {
			t.Fatalf("%d postings and %d hashes, budgets %d and %d: scanned %v, want %v", postings, cands, c.first, c.second, got, c.want)
		}
	}
	return postings, cands
}

// reach takes l to its postings with one budget, and to the hashes with another.
func (s *segment) reach(t *testing.T, l look, first, second int) *lookUp {
	t.Helper()
	u := new(lookUp)
	s.begin(u, &l, false)
	u.budget = first
	if err := s.advance(u, 1); err != nil {
		t.Fatal(err)
	}
	if u.scan {
		return u
	}
	u.budget = second
	if err := s.advance(u, 2); err != nil {
		t.Fatal(err)
	}
	return u
}

// A change waits while too many segments wait for tables, until a merge ends
// or the index is closed.
func TestAddWaitsForMerges(t *testing.T) {
	for _, c := range []struct {
		name string
		free func(x *Index)
		want error
	}{
		{"merge", func(x *Index) { x.settled(x.view.Load()) }, nil},
		{"close", func(x *Index) { x.Close() }, ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := New(Config{})
				defer x.Close()
				var segments []*segment
				for range maxWaiting + 1 {
					segments = append(segments, newSegment(x.next, 8))
				}
				x.merging = true // a merge that takes long
				x.publish(segments...)
				var err error
				added := false
				go func() {
					_, err = x.Add(Hash{}, 1)
					added = true
				}()
				synctest.Wait()
				if added {
					t.Fatal("Add did not wait")
				}
				c.free(x)
				synctest.Wait()
				if !added || !errors.Is(err, c.want) {
					t.Fatalf("afterwards: added %v, %v; want %v", added, err, c.want)
				}
			})
		})
	}
}

// A segment most of whose entries are deleted gives their memory back, by itself;
// one with fewer stays as it is.
func TestMostlyDeletedSegmentsShrink(t *testing.T) {
	const n = 10_000
	for _, c := range []struct{ deleted, least, most int }{{n * 6 / 10, n * 4 / 10, n/2 + 1}, {n * 4 / 10, n, n}} {
		x := Build(Config{}, n, func(i int) (Hash, Sets) { return seeded(uint64(i)), 1 }) //nolint:gosec // small
		for id := range ID(c.deleted) {                                                   //nolint:gosec // small
			x.Delete(id + 1)
		}
		x.tasks.Wait()
		if got := x.view.Load().segments[0].len(); got < c.least || got > c.most {
			t.Errorf("%d of %d deleted: the segment has room for %d entries, want %d to %d", c.deleted, n, got, c.least, c.most)
		}
		if got := x.Len(); got != n-c.deleted {
			t.Errorf("%d of %d deleted: %d entries are left", c.deleted, n, got)
		}
		for _, i := range []int{0, c.deleted - 1, c.deleted, n - 1} {
			got, err := x.Search(nil, Query{Hash: seeded(uint64(i)), In: 1}) //nolint:gosec // small
			if there := i >= c.deleted; (len(got) == 1) != there || err != nil {
				t.Errorf("entry %d, there %v: %v, %v", i+1, there, got, err)
			}
		}
		x.Close()
	}
}

// Build refuses a number of entries that it cannot number before it begins.
func TestBuildRefusesImpossibleNumbers(t *testing.T) {
	for _, n := range []int{-1, maxEntries + 1} {
		func() {
			defer func() {
				if why := fmt.Sprint(recover()); !strings.HasPrefix(why, fmt.Sprintf("hamming: Build of %d entries", n)) {
					t.Errorf("Build of %d entries panics with %q, want what is wrong", n, why)
				}
			}()
			Build(Config{}, n, func(int) (Hash, Sets) {
				t.Errorf("Build of %d entries asked for one", n)
				panic("enough")
			})
		}()
	}
}

// After Close no entry is found, by whatever call; Add and searches say why.
func TestNothingIsThereAfterClose(t *testing.T) {
	x := Build(Config{}, 3, func(int) (Hash, Sets) { return Hash{}, 1 })
	x.Close()
	_, _, ok := x.Get(1)
	if ok || x.Delete(1) || x.Assign(1, 2) || x.Len() != 0 {
		t.Error("an entry of a closed index was found")
	}
}
