package hamming

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// plansOf are plans for n entries, with tags and without: those of planFor and
// such as lay out everything otherwise.
func plansOf(n int) []*plan {
	return []*plan{
		newPlan(n, narrowCuts, 0), newPlan(n, narrowCuts, 16), newPlan(n, wideCuts, wideTags),
		newPlan(n, []cut{{6, 21, 2}, {6, 18, 1}, {1, 22, 1}}, 3),
		newPlan(1<<28, narrowCuts, 0), // little room in postings
	}
}

// Every plan finds what the reference finds, at every radius.
func TestEveryPlanIsExact(t *testing.T) {
	const n = 6_000
	for _, b := range banks {
		for _, p := range append(plansOf(n), nil) {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(1, 2))
				ref := &reference{entries: map[ID]entry{}}
				s := newSegment(1, n)
				x := New(Config{Seed: [32]byte{1}})
				defer x.Close()
				for i := range n {
					h := b.draw(r)
					ref.entries[ID(i+1)] = entry{h, 1}
					s.add(x.perm.apply(h), 1)
				}
				if p != nil {
					s.table = buildTable(s, p, 2)
				}
				x.publish(s, newSegment(n+1, 10))
				for range 20 {
					q := queryNear(r, b, ref.entries[ID(1+r.IntN(n))].hash)
					wantSame(t, x, ref, q, MaxRadius, All)
					wantSame(t, x, ref, q, r.IntN(MaxRadius+1), All)
				}
			})
		}
	}
}

// Tables alone are exact too, when nothing is left to scans.
func TestTablesAreExactWithoutScans(t *testing.T) {
	const n = 20_000
	for _, b := range banks {
		for _, plan := range plansOf(n) {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(1, 2))
				s := newSegment(1, n)
				p := drawPermutation([32]byte{3})
				for range n {
					s.add(p.apply(b.draw(r)), 1)
				}
				s.table = buildTable(s, plan, 2)
				sc := new(scratch)
				for range 30 {
					radius := r.IntN(MaxRadius + 1)
					q := p.apply(queryNear(r, b, p.undo(s.words(r.IntN(n)))))
					table := look{q: q, radius: radius, in: All, limit: -1}
					u := new(lookUp)
					s.begin(u, &table, false)
					u.budget = 1 << 60
					for k := 1; k < stages; k++ {
						if err := s.advance(u, k); err != nil {
							t.Fatal(err)
						}
					}
					scan := look{q: q, radius: radius, in: All, limit: -1}
					s.scan([]*look{&scan}, sc)
					if diff := gocmp.Diff(sorted(scan.out), sorted(table.out)); diff != "" {
						t.Fatalf("radius %d (-scan +table):\n%s", radius, diff)
					}
				}
			})
		}
	}
}

// TestRandomWalk adds, deletes, assigns, merges, writes and opens in random
// order; whatever happened, the index finds what the reference finds.
func TestRandomWalk(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		b := banks[rapid.IntRange(0, len(banks)-1).Draw(t, "bank")]
		w := &walk{x: New(Config{}), ref: &reference{entries: map[ID]entry{}}, r: r, bank: b, dir: dir}
		defer func() { w.x.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"add":   func(t *rapid.T) { w.add(t, rapid.IntRange(1, 50).Draw(t, "n")) },
			"flood": func(t *rapid.T) { w.add(t, rapid.IntRange(1, 1000).Draw(t, "n")) },
			"build": func(t *rapid.T) {
				w.build(rapid.OneOf(rapid.IntRange(0, 60), rapid.IntRange(0, 6000), rapid.IntRange(8000, 20_000)).Draw(t, "n"), rapid.IntRange(1, 40).Draw(t, "in no set"))
			},
			"delete": func(t *rapid.T) { w.change(t, 0) },
			"assign": func(t *rapid.T) { w.change(t, Sets(rapid.Uint32().Draw(t, "sets"))) },
			"merge":  func(*rapid.T) { w.merge() },
			"reopen": func(t *rapid.T) { w.reopen(t) },
			"":       func(t *rapid.T) { w.search(t) },
		})
	})
}

// walk is an index beside its reference.
type walk struct {
	x    *Index
	ref  *reference
	r    *rand.Rand
	bank bank
	dir  string
	ids  []ID
}

func (w *walk) add(t *rapid.T, n int) {
	for range n {
		h, in := w.bank.draw(w.r), Sets(1)<<w.r.IntN(32)
		id, err := w.x.Add(h, in)
		if err != nil {
			t.Fatalf("add: %v", err)
		}
		if _, used := w.ref.entries[id]; used || len(w.ids) > 0 && id <= w.ids[len(w.ids)-1] {
			t.Fatalf("number %d was given before", id)
		}
		w.ref.entries[id] = entry{h, in}
		w.ids = append(w.ids, id)
	}
}

// build has one entry in so many in no set; at 40, all but one in so many.
func (w *walk) build(n, none int) {
	w.x.Close()
	w.ref.entries, w.ids = map[ID]entry{}, nil
	w.x = Build(Config{}, n, func(i int) (Hash, Sets) {
		e := entry{w.bank.draw(w.r), Sets(1 + w.r.IntN(3))}
		if one := w.r.IntN(none) == 0; one == (none < 40) {
			e.in = 0
		}
		if id := ID(i + 1); e.in != 0 {
			w.ref.entries[id] = e
			w.ids = append(w.ids, id)
		}
		return e.hash, e.in
	})
}

func (w *walk) change(t *rapid.T, in Sets) {
	if len(w.ids) == 0 {
		return
	}
	id := w.ids[w.r.IntN(len(w.ids))]
	e, there := w.ref.entries[id]
	if got := w.x.Assign(id, in); got != there {
		t.Fatalf("assign %d: %v, want %v", id, got, there)
	}
	if there {
		w.ref.entries[id] = entry{e.hash, in}
		if in == 0 {
			delete(w.ref.entries, id)
		}
	}
}

// merge joins what is there, the growing segment too, as if it were full.
func (w *walk) merge() {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	if segments := w.x.view.Load().segments; segments[len(segments)-1].len() == 0 {
		return // as Add, which only replaces a full one
	}
	w.x.publish(append(slices.Clone(w.x.view.Load().segments), newSegment(w.x.next, tailEntries))...)
	w.x.merge()
}

func (w *walk) reopen(t *rapid.T) {
	s, err := w.x.Snapshot()
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	name := filepath.Join(w.dir, "index")
	if err := s.WriteFile(name, 77); err != nil {
		t.Fatal(err)
	}
	w.x.Close()
	x, mark, err := Open(name, Config{})
	if err != nil || mark != 77 {
		t.Fatalf("open: mark %d, %v", mark, err)
	}
	w.x = x
}

func (w *walk) search(t *rapid.T) {
	if w.x.Len() != len(w.ref.entries) {
		t.Fatalf("%d entries, want %d", w.x.Len(), len(w.ref.entries))
	}
	h := w.bank.draw(w.r)
	if len(w.ids) > 0 {
		id := w.ids[w.r.IntN(len(w.ids))]
		got, in, ok := w.x.Get(id)
		want, there := w.ref.entries[id]
		if ok != there || ok && (got != want.hash || in != want.in) {
			t.Fatalf("get %d: %v %v %v, want %v %v", id, got, in, ok, want, there)
		}
		if there {
			h = got
		}
	}
	q := queryNear(w.r, w.bank, h)
	wantSame(t, w.x, w.ref, q, MaxRadius, All)
	wantSame(t, w.x, w.ref, q, w.r.IntN(MaxRadius+1), Sets(w.r.Uint32()))
}

// A batch answers as each query by itself, and orientations as their union.
func TestBatchAnswersAsEach(t *testing.T) {
	for _, b := range banks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			const n = 10_000
			r := rand.New(rand.NewPCG(5, 6))
			hashes := make([]Hash, n)
			x := Build(Config{}, n, func(i int) (Hash, Sets) {
				hashes[i] = b.draw(r)
				return hashes[i], Sets(1 << (i % 3))
			})
			defer x.Close()
			var qs []Query
			for range 150 {
				qs = append(qs, Query{Hash: queryNear(r, b, hashes[r.IntN(n)]), Radius: r.IntN(32), In: Sets(r.IntN(8))})
			}
			got := make([][]Match, len(qs))
			if err := x.SearchAll(qs, func(i int, m []Match) { got[i] = append(got[i], m...) }); err != nil {
				t.Fatal(err)
			}
			for i, q := range qs {
				want, err := x.Search(nil, q)
				if diff := gocmp.Diff(sorted(want), sorted(got[i])); diff != "" || err != nil {
					t.Fatalf("query %d: %v (-alone +batch)\n%s", i, err, diff)
				}
			}
			wantOrientations(t, x, [8]Hash{qs[0].Hash, qs[1].Hash, qs[2].Hash, qs[3].Hash, qs[4].Hash, qs[5].Hash, qs[6].Hash, qs[0].Hash})
		})
	}
}

func wantOrientations(t *testing.T, x *Index, hashes [8]Hash) {
	t.Helper()
	got, err := x.Orientations(hashes, 20, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := map[ID]Turned{}
	for o, h := range hashes {
		ms, _ := x.Search(nil, Query{Hash: h, Radius: 20, In: 3})
		for _, m := range ms {
			if old, ok := want[m.ID]; !ok || m.Distance < old.Distance {
				want[m.ID] = Turned{m, o}
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for _, m := range got {
		if m != want[m.ID] {
			t.Fatalf("got %+v, want %+v", m, want[m.ID])
		}
	}
}

func TestLimitStopsASearch(t *testing.T) {
	x := Build(Config{}, 10_000, func(int) (Hash, Sets) { return Hash{}, 1 })
	defer x.Close()
	got, err := x.Search(nil, Query{Radius: 3, Limit: 17})
	if len(got) != 17 || err != nil {
		t.Fatalf("%d matches, %v; want 17", len(got), err)
	}
}

func TestWrongCallsAreRefused(t *testing.T) {
	x := New(Config{})
	for _, r := range []int{-1, 32, 256} {
		if _, err := x.Within(Hash{}, r); !errors.Is(err, ErrRadius) {
			t.Errorf("radius %d: %v, want ErrRadius", r, err)
		}
	}
	if _, err := x.Add(Hash{}, 0); !errors.Is(err, ErrNoSet) {
		t.Errorf("an entry in no set: %v, want ErrNoSet", err)
	}
	if x.Delete(0) || x.Delete(1) || x.Assign(9, 1) {
		t.Error("changed an entry that is not there")
	}
	x.Close()
	x.Close() // again is nothing
	if _, err := x.Within(Hash{}, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v, want ErrClosed", err)
	}
	if _, err := x.Add(Hash{}, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("add after close: %v, want ErrClosed", err)
	}
	if _, err := x.Snapshot(); !errors.Is(err, ErrClosed) {
		t.Errorf("snapshot after close: %v, want ErrClosed", err)
	}
}

// What is changed while segments are joined is so afterwards.
func TestChangesDuringAMergeHold(t *testing.T) {
	x := New(Config{})
	defer x.Close()
	for range 10 {
		if _, err := x.Add(Hash{}, 1); err != nil {
			t.Fatal(err)
		}
	}
	x.mu.Lock()
	x.merging = true
	old := x.view.Load().segments
	x.publish(old[0], newSegment(x.next, firstTail))
	x.mu.Unlock()

	next := join(old)
	x.Delete(3)
	x.Assign(4, 8)
	x.replace(old, next)

	want := []Match{{1, 0, 1}, {2, 0, 1}, {4, 0, 8}}
	for id := range ID(6) {
		want = append(want, Match{id + 5, 0, 1})
	}
	got, err := x.Within(Hash{}, 0)
	if diff := gocmp.Diff(want, sorted(got)); diff != "" || err != nil {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
}

// Lines are read whole, but what stands behind the last entry, zeros, is not
// taken for one.
func TestNothingBehindTheLastEntryIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20 {
		x := Build(Config{}, n, func(int) (Hash, Sets) { return uniform(r), 1 })
		got, err := x.Within(Hash{}, MaxRadius)
		if len(got) > 0 || err != nil {
			t.Errorf("%d uniform entries, near zeros: %v, %v", n, got, err)
		}
		x.Close()
	}
}
