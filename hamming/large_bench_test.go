package hamming

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"
)

// BenchmarkLarge makes, asks, writes and opens one uniform bank of each size
// and reports everything that a large one is judged by; "make bench-100m" has
// 100 million entries. Every planted query must find what it was planted at,
// and some are compared with a scan. The snapshot lies in TMPDIR, 90 bytes an
// entry.
//
//	B/entry         memory of the process that came with the index, all included
//	build-s         on every core, making the hashes included; build-cpu-s their
//	                processor time together
//	look-ups/cpu-s  one thread, by its processor time
//	open-s          until Open returned; first-s until the first answer, too
//	verify-s        until every page was checked
//	opened-p50      of look-ups in the opened file, after all was checked
func BenchmarkLarge(b *testing.B) {
	for _, n := range benchSizes(b) {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				large(b, n)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func large(b *testing.B, n int) {
	b.Helper()
	forgetBank()
	before, started, used := residentBytes(b), time.Now(), processTime()
	k := newBenchBank(banks[0], n)
	b.ReportMetric(time.Since(started).Seconds(), "build-s")
	b.ReportMetric((processTime() - used).Seconds(), "build-cpu-s")
	debug.FreeOSMemory()
	b.ReportMetric(float64(residentBytes(b)-before)/float64(n), "B/entry")
	want := lookUpMany(b, k, "")
	compareWithScan(b, k)

	name := filepath.Join(b.TempDir(), "index")
	started = time.Now()
	writeIndex(b, k.x, name)
	b.ReportMetric(time.Since(started).Seconds(), "write-s")
	k.x.Close()
	k.x = nil
	debug.FreeOSMemory() // the old index goes before the file is read

	started = time.Now()
	x, _, err := Open(name, Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds(), "open-s")
	k.x = x
	if _, err := x.Search(nil, k.queries[0]); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds(), "first-s")
	if err := x.Verify(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds(), "verify-s")
	if got := lookUpMany(b, k, "opened-"); got != want {
		b.Fatalf("%d matches from the file, %d before", got, want)
	}
	x.Close()
}

// forgetBank gives back the memory of the bank that other benchmarks left.
func forgetBank() {
	theBank.Lock()
	defer theBank.Unlock()
	if theBank.x != nil {
		theBank.x.Close()
	}
	theBank.benchBank, theBank.key = benchBank{}, ""
	for range 2 { // arenas go by a cleanup, which comes after the collection
		gone := make(chan struct{})
		runtime.AddCleanup(new(benchBank), func(gone chan struct{}) { close(gone) }, gone)
		debug.FreeOSMemory()
		<-gone
	}
}

// lookUpMany asks every query and returns the number of matches.
func lookUpMany(b *testing.B, k *benchBank, name string) (matches int) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took sample
	var dst []Match
	total := time.Duration(0)
	for round := range 2 { // the first fills caches and pages
		for _, q := range k.queries {
			start := threadTime()
			var err error
			if dst, err = k.x.Search(dst[:0], q); err != nil {
				b.Fatal(err)
			}
			if round == 1 {
				took = append(took, threadTime()-start)
				total += took[len(took)-1]
				matches += len(dst)
			}
		}
	}
	if matches < len(k.queries)/2 {
		b.Fatalf("%d matches, but %d queries lie near an entry", matches, len(k.queries)/2)
	}
	b.ReportMetric(took.at(.5), name+"p50-cpu-ns")
	b.ReportMetric(took.at(.99), name+"p99-cpu-ns")
	b.ReportMetric(float64(len(took))/total.Seconds(), name+"look-ups/cpu-s")
	return matches
}

// compareWithScan fails unless look-ups and scans find the same.
func compareWithScan(b *testing.B, k *benchBank) {
	b.Helper()
	sc, s := new(scratch), k.x.view.Load().segments[0]
	for from := 0; from < 2*blockQueries; from += scanWidth {
		sc.looks, sc.overflow = sc.looks[:0], sc.overflow[:0]
		for i := range scanWidth {
			if err := k.x.prepare(sc, k.queries[from+i], nil); err != nil {
				b.Fatal(err)
			}
		}
		for i := range sc.looks {
			sc.overflow = append(sc.overflow, &sc.looks[i])
		}
		s.scan(sc.overflow, sc)
		for i, l := range sc.looks {
			got, err := k.x.Search(nil, k.queries[from+i])
			if err != nil || !slices.Equal(sorted(got), sorted(l.out)) {
				b.Fatalf("look-up found %v, the scan %v, %v", got, l.out, err)
			}
			sc.looks[i].out = nil
		}
	}
}

// residentBytes is the memory that the process has.
func residentBytes(b *testing.B) int {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here: ", err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(text)[1]))
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}
