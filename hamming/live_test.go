package hamming

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// Searches go on while entries come and go and tables are built. What is there
// all the time is always found; what was deleted before a search began is
// never; and what is found was added.
func TestSearchesSeeChangesAtOnce(t *testing.T) {
	n := tailEntries*3 + scaled(tailEntries*20)
	x := New(Config{Workers: 2})
	defer x.Close()
	fixed := make([]Hash, 50)
	for i := range fixed {
		fixed[i] = seeded(uint64(i))
		if _, err := x.Add(fixed[i], 1); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for reader := range 2 {
		readers.Go(func() { readFixed(t, x, fixed, uint64(reader), stop) })
	}
	churn(t, x, n)
	close(stop)
	readers.Wait()
	if got := x.Len(); got != len(fixed)+n-n/2 {
		t.Errorf("%d entries are left, want %d", got, len(fixed)+n-n/2)
	}
}

// readFixed searches for the fixed hashes until stop is closed.
func readFixed(t *testing.T, x *Index, fixed []Hash, seed uint64, stop chan struct{}) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	var found []Match
	for {
		select {
		case <-stop:
			return
		default:
		}
		i := r.IntN(len(fixed))
		d := r.IntN(MaxRadius + 1)
		var err error
		found, err = x.Search(found[:0], Query{Hash: flip(r, fixed[i], d), Radius: MaxRadius, In: 1})
		if err != nil || !slices.Contains(found, Match{ID(i + 1), d, 1}) {
			t.Errorf("entry %d at distance %d: found %v, %v", i+1, d, found, err)
			return
		}
	}
}

// churn adds n entries and deletes every second one again, and sees each
// change at once.
func churn(t *testing.T, x *Index, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(4, 4))
	var found []Match
	for i := range n {
		h := uniform(r)
		id, err := x.Add(h, 2)
		if err != nil {
			t.Fatal(err)
		}
		look := i%64 < 2
		if look {
			if found, _ = x.Search(found[:0], Query{Hash: h}); len(found) != 1 || found[0].ID != id {
				t.Fatalf("added %d, found %v", id, found)
			}
		}
		if i%2 == 1 && !x.Delete(id) {
			t.Fatalf("entry %d was not there to delete", id)
		}
		if look && i%2 == 1 {
			if found, _ = x.Search(found[:0], Query{Hash: h}); len(found) != 0 {
				t.Fatalf("deleted %d, found %v", id, found)
			}
		}
	}
}
