package hamming

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The benchmarks are those of docs/performance.md. They use banks of
// 1,000,000 entries; TANGKAL_BENCH_ENTRIES=1000000,10000000 says otherwise.

// benchSizes are the numbers of entries to measure with.
func benchSizes(b *testing.B) (sizes []int) {
	list := os.Getenv("TANGKAL_BENCH_ENTRIES")
	if list == "" {
		list = "1000000"
	}
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatalf("TANGKAL_BENCH_ENTRIES: %v", err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// benchBank is a bank with queries for it: half of them planted at distances
// 0 to 31 from an entry, half drawn as the entries are.
type benchBank struct {
	x       *Index
	queries []Query
}

// theBank is the last bank asked for: large ones do not stand side by side.
var theBank struct {
	sync.Mutex
	key string
	benchBank
}

func benchmarkBank(b *testing.B, kind bank, n int) *benchBank {
	b.Helper()
	theBank.Lock()
	defer theBank.Unlock()
	key := fmt.Sprint(kind.name, n)
	if theBank.key != key {
		if theBank.x != nil {
			theBank.x.Close()
		}
		theBank.x = nil
		theBank.benchBank = *newBenchBank(kind, n)
		theBank.key = key
	}
	return &theBank.benchBank
}

func newBenchBank(kind bank, n int) *benchBank {
	const queries = 1024
	r := rand.New(rand.NewPCG(11, 12))
	k := &benchBank{}
	planted := 0
	every := max(n/queries, 1)
	k.x = Build(Config{Seed: [32]byte{1}}, n, func(i int) (Hash, Sets) {
		h := kind.draw(r)
		if i%every == 0 && planted < queries/2 {
			k.queries = append(k.queries, Query{Hash: flip(r, h, planted%32), Radius: MaxRadius})
			planted++
		}
		return h, 1
	})
	for len(k.queries) < queries {
		k.queries = append(k.queries, Query{Hash: kind.draw(r), Radius: MaxRadius})
	}
	r.Shuffle(len(k.queries), func(i, j int) { k.queries[i], k.queries[j] = k.queries[j], k.queries[i] })
	return k
}

// eachBank runs do for every bank and size.
func eachBank(b *testing.B, do func(b *testing.B, k *benchBank)) {
	for _, n := range benchSizes(b) {
		for _, kind := range banks {
			b.Run(fmt.Sprintf("bank=%s/n=%d", kind.name, n), func(b *testing.B) { do(b, benchmarkBank(b, kind, n)) })
		}
	}
}

// clockOf measures calls of do on one thread, by its own time, and reports
// median, 99th percentile and rate a look-up; each call makes per look-ups.
func clockOf(b *testing.B, per int, do func(i int) error) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took []time.Duration
	total := time.Duration(0)
	for i := 0; b.Loop(); i++ {
		start := threadTime()
		if err := do(i); err != nil {
			b.Fatal(err)
		}
		t := (threadTime() - start) / time.Duration(per)
		took, total = append(took, t), total+t
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-cpu-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-cpu-ns")
	b.ReportMetric(float64(len(took))/total.Seconds(), "look-ups/cpu-s")
}

// BenchmarkWithin: one look-up at a time, as a server does them.
func BenchmarkWithin(b *testing.B) {
	eachBank(b, func(b *testing.B, k *benchBank) {
		var dst []Match
		clockOf(b, 1, func(i int) (err error) {
			dst, err = k.x.Search(dst[:0], k.queries[i%len(k.queries)])
			return err
		})
	})
}

// BenchmarkSearchAll: 64 look-ups together; those that fall back to scanning
// share it.
func BenchmarkSearchAll(b *testing.B) {
	eachBank(b, func(b *testing.B, k *benchBank) {
		clockOf(b, blockQueries, func(i int) error {
			at := i * blockQueries % len(k.queries)
			return k.x.SearchAll(k.queries[at:at+blockQueries], func(int, []Match) {})
		})
	})
}

// BenchmarkOrientations: the eight hashes of one picture.
func BenchmarkOrientations(b *testing.B) {
	eachBank(b, func(b *testing.B, k *benchBank) {
		clockOf(b, 1, func(i int) error {
			var eight [8]Hash
			for o := range eight {
				eight[o] = k.queries[(8*i+o)%len(k.queries)].Hash
			}
			_, err := k.x.Orientations(eight, MaxRadius, All)
			return err
		})
	})
}

// BenchmarkScan: the same by comparing with every entry; alone, and 64
// together, which share what is read.
func BenchmarkScan(b *testing.B) {
	eachBank(b, func(b *testing.B, k *benchBank) {
		for _, batch := range []int{1, blockQueries} {
			b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
				sc := new(scratch)
				clockOf(b, batch, func(i int) error { return scanAll(k, sc, i*batch, batch) })
			})
		}
	})
}

// scanAll answers batch queries, the first at place at, by scans alone.
func scanAll(k *benchBank, sc *scratch, at, batch int) error {
	sc.looks, sc.overflow = sc.looks[:0], sc.overflow[:0]
	for j := range batch {
		if err := k.x.prepare(sc, k.queries[(at+j)%len(k.queries)], sc.spare(j)); err != nil {
			return err
		}
	}
	for j := range sc.looks {
		sc.looks[j].sink = func(int, []Match) {}
		sc.overflow = append(sc.overflow, &sc.looks[j])
	}
	for _, s := range k.x.view.Load().segments {
		s.scan(sc.overflow, sc)
	}
	return nil
}

// BenchmarkPlans: the ways to cut a hash into bands, on which planFor decides.
func BenchmarkPlans(b *testing.B) {
	for _, n := range benchSizes(b) {
		k := benchmarkBank(b, banks[0], n)
		s := k.x.view.Load().segments[0]
		for _, c := range []struct {
			cuts []cut
			tags int
		}{
			{narrowCuts, 0},
			{narrowCuts, 16},
			{[]cut{{6, 21, 2}, {6, 18, 1}, {1, 22, 1}}, 0},
			{[]cut{{8, 22, 2}, {4, 20, 1}}, 0},
			{wideCuts, 0},
			{wideCuts, wideTags},
		} {
			p := newPlan(n, c.cuts, c.tags)
			b.Run(fmt.Sprintf("n=%d/bands=%d/tags=%d", n, len(p.bands), c.tags), func(b *testing.B) {
				t := &segment{arena: newArena(1 << 30), first: 1, lo: s.lo, hi: s.hi, sets: s.sets}
				t.n.Store(s.n.Load())
				t.table = buildTable(t, p, runtime.GOMAXPROCS(0))
				sc := new(scratch)
				clockOf(b, 1, func(i int) error {
					sc.looks = sc.looks[:0]
					if err := k.x.prepare(sc, k.queries[i%len(k.queries)], sc.spare(0)); err != nil {
						return err
					}
					return t.search(sc.looks, sc)
				})
				b.ReportMetric(float64(t.arena.bytes)/float64(n), "table-B/entry")
			})
		}
	}
}
