package hamming

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// scaled returns n at TANGKAL_SCALE percent, 1 by default.
func scaled(n int) int {
	p, err := strconv.Atoi(os.Getenv("TANGKAL_SCALE"))
	if err != nil {
		p = 1
	}
	return max(n*min(max(p, 1), 100)/100, 1)
}

// drillSizes are the numbers of entries of the long drills; TANGKAL_SCALE=100
// is all of them.
func drillSizes() []int { return []int{scaled(1_000_000), scaled(10_000_000)} }

// A large bank is searched as exactly as a small one: queries at every
// distance from 0 to 39 of an entry, and such as are drawn as the bank is, get
// what comparing with every entry gives.
func TestDrillNothingIsMissed(t *testing.T) {
	for _, n := range drillSizes() {
		for _, b := range banks[:4] {
			t.Run(fmt.Sprintf("bank=%s/n=%d", b.name, n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(21, 22))
				all := make([]words, n)
				x := Build(Config{}, n, func(i int) (Hash, Sets) {
					h := b.draw(r)
					all[i] = h.words()
					return h, 1
				})
				defer x.Close()
				const queries = 64
				compared, found := 0, 0
				for d := range queries {
					q := flip(r, all[r.IntN(n)].hash(), min(d, 39))
					switch {
					case d >= 60: // what floods and adversarial banks lie around
						q = seeded(uint64(d - 60)) //nolint:gosec // small
					case d >= 40:
						q = b.draw(r)
					}
					found += wantBruteForce(t, x, all, q)
					compared += n
				}
				t.Logf("%d queries, %d comparisons, %d matches: all found, nothing else", queries, compared, found)
			})
		}
	}
}

// wantBruteForce fails unless x, alone and together with others, finds of all
// what lies within the radius of q, and returns how many that are.
func wantBruteForce(t *testing.T, x *Index, all []words, q Hash) int {
	t.Helper()
	var want []Match
	w := q.words()
	for i, h := range all {
		if d := h.distance(w); d <= MaxRadius {
			want = append(want, Match{ID(i + 1), d, 1}) //nolint:gosec // a position
		}
	}
	got, err := x.Within(q, MaxRadius)
	if err != nil || !slices.Equal(sorted(got), want) {
		t.Fatalf("%d found alone, want %d, %v", len(got), len(want), err)
	}
	got = got[:0]
	err = x.SearchAll([]Query{{Hash: q, Radius: MaxRadius}, {Radius: 3}, {Hash: q}}, func(i int, m []Match) {
		if i == 0 {
			got = append(got, m...)
		}
	})
	if err != nil || !slices.Equal(sorted(got), want) {
		t.Fatalf("%d found among others, want %d, %v", len(got), len(want), err)
	}
	return len(want)
}

// A snapshot of a large bank answers as the index did, opens before it is read,
// and is refused when any of its bytes is changed.
func TestDrillSnapshot(t *testing.T) {
	n := scaled(10_000_000)
	r := rand.New(rand.NewPCG(31, 32))
	x := Build(Config{}, n, func(int) (Hash, Sets) { return banks[1].draw(r), Sets(1 << r.IntN(32)) })
	for range 1000 {
		if _, err := x.Add(banks[1].draw(r), 1); err != nil {
			t.Fatal(err)
		}
		x.Delete(ID(1 + r.IntN(n))) //nolint:gosec // a number
	}
	queries := make([]Query, 300)
	for i := range queries {
		h, _, _ := x.Get(ID(1 + r.IntN(n))) //nolint:gosec // a number
		queries[i] = Query{Hash: queryNear(r, banks[1], h), Radius: r.IntN(MaxRadius + 1), In: Sets(r.Uint32())}
	}
	want, matches := answers(t, x, queries)
	name := filepath.Join(t.TempDir(), "index")
	writeIndex(t, x, name)
	x.Close()

	started := time.Now()
	y, _, err := Open(name, Config{})
	if err != nil {
		t.Fatal(err)
	}
	opened := time.Since(started)
	got, _ := answers(t, y, queries) // while the file is verified, and then again
	if err := y.Verify(); err != nil {
		t.Fatal(err)
	}
	again, _ := answers(t, y, queries)
	y.Close()
	if got != want || again != want {
		t.Fatal("the snapshot does not answer as the index did")
	}
	t.Logf("%d entries, %d matches of %d queries equal; opened in %v", n, matches, len(queries), opened)
	changeWhileVerifying(t, name, n)
	damageAll(t, r, name)
}

// changeWhileVerifying deletes entries of an opened file from its end on, while
// it is checked from its beginning: neither disturbs the other, nor the file.
func changeWhileVerifying(t *testing.T, name string, n int) {
	t.Helper()
	for range 3 {
		x, _, err := Open(name, Config{})
		if err != nil {
			t.Fatal(err)
		}
		before, deleted := x.Len(), 0
		for id := ID(n); id > ID(n-n/10); id-- { //nolint:gosec // a number
			if x.Delete(id) {
				deleted++
			}
			if _, _, ok := x.Get(id); ok {
				t.Fatalf("entry %d is there after it was deleted", id)
			}
		}
		if err := x.Verify(); err != nil || deleted == 0 || x.Len() != before-deleted {
			t.Fatalf("%d of %d entries deleted, %d left: %v", deleted, before, x.Len(), err)
		}
		x.Close()
	}
}

// answers returns what x finds, as text to compare, and the number of matches.
func answers(t *testing.T, x *Index, queries []Query) (text string, matches int) {
	t.Helper()
	var b bytes.Buffer
	for _, q := range queries {
		ms, err := x.Search(nil, q)
		if err != nil {
			t.Fatal(err)
		}
		matches += len(ms)
		fmt.Fprintln(&b, sorted(ms))
	}
	return b.String(), matches
}

func writeIndex(t testing.TB, x *Index, name string) {
	t.Helper()
	s, err := x.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WriteFile(name, 0); err != nil {
		t.Fatal(err)
	}
}

// damageAll changes bytes of the file one after the other: beginning, end, and
// anywhere.
func damageAll(t *testing.T, r *rand.Rand, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // the test ends
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	places := []int64{0, 7, 8, blockBytes - 1, blockBytes, info.Size() - 1, info.Size() - footerBytes, info.Size() - footerBytes - 1}
	for range 12 + scaled(20) {
		places = append(places, r.Int64N(info.Size()))
	}
	for _, at := range places {
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		writeByte(t, f, at, b[0]^1<<r.IntN(8))
		x, _, err := Open(name, Config{})
		if err == nil {
			err = x.Verify()
			if _, err2 := x.Within(Hash{}, 1); !errors.Is(err2, ErrCorrupt) {
				t.Errorf("byte %d changed: a search after the check: %v", at, err2)
			}
			x.Close()
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d of %d changed: %v, want ErrCorrupt", at, info.Size(), err)
		}
		writeByte(t, f, at, b[0])
	}
	x, _, err := Open(name, Config{})
	if err != nil || x.Verify() != nil {
		t.Fatalf("made whole again: %v", err)
	}
	x.Close()
	t.Logf("%d bytes; one byte changed in %d places: refused each time", info.Size(), len(places))
}

func writeByte(t *testing.T, f *os.File, at int64, b byte) {
	t.Helper()
	if _, err := f.WriteAt([]byte{b}, at); err != nil {
		t.Fatal(err)
	}
}
