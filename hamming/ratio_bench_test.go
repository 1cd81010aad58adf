package hamming

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The benchmarks of this file are the rows of the table in docs/performance.md.
// Each measures both sides of its ratio in turn, by the processor time of the
// thread, and reports medians of the rounds and the ratio (unit x).

// ratioRounds is the number of rounds of one operation.
const ratioRounds = 15

// sample is how long something took, once a round.
type sample []time.Duration

// at returns the quantile q, 0 to 1.
func (s sample) at(q float64) float64 {
	slices.Sort(s)
	return float64(s[min(len(s)-1, int(q*float64(len(s))))])
}

// timed returns the processor time of do, an n-th of it.
func timed(n int, do func()) time.Duration {
	start := threadTime()
	do()
	return (threadTime() - start) / time.Duration(n)
}

// onThread runs do with the goroutine on one thread, whose time is taken.
func onThread(b *testing.B, do func()) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		do()
	}
	b.ReportMetric(0, "ns/op") // of all rounds together it says nothing
}

// eachQuery makes count look-ups, one by one.
func (k *benchBank) eachQuery(from, count int) {
	var dst []Match
	for i := range count {
		dst, _ = k.x.Search(dst[:0], k.queries[(from+i)%len(k.queries)])
	}
}

// BenchmarkRatioScan: look-ups one by one against the batched scan.
func BenchmarkRatioScan(b *testing.B) {
	eachUniform(b, func(b *testing.B, k *benchBank, _ int) {
		sc := new(scratch)
		onThread(b, func() {
			var look, scan sample
			for i := range ratioRounds {
				look = append(look, timed(4*blockQueries, func() { k.eachQuery(i*blockQueries, 4*blockQueries) }))
				scan = append(scan, timed(blockQueries, func() { _ = scanAll(k, sc, i*blockQueries, blockQueries) }))
			}
			b.ReportMetric(look.at(.5), "look-up-cpu-ns")
			b.ReportMetric(scan.at(.5), "scan-cpu-ns")
			b.ReportMetric(scan.at(.5)/look.at(.5), "x")
		})
	})
}

// BenchmarkRatioOrientations: eight hashes together against one by itself.
func BenchmarkRatioOrientations(b *testing.B) {
	eachUniform(b, func(b *testing.B, k *benchBank, _ int) {
		const pictures = 32
		onThread(b, func() {
			var one, eight sample
			for i := range ratioRounds {
				one = append(one, timed(8*pictures, func() { k.eachQuery(8*pictures*i, 8*pictures) }))
				eight = append(eight, timed(pictures, func() {
					for p := range pictures {
						_, _ = k.x.Orientations(k.eight(8*(pictures*i+p)), MaxRadius, All)
					}
				}))
			}
			b.ReportMetric(one.at(.5), "one-cpu-ns")
			b.ReportMetric(eight.at(.5), "eight-cpu-ns")
			b.ReportMetric(eight.at(.5)/one.at(.5), "x")
		})
	})
}

// eight returns the hashes of eight queries.
func (k *benchBank) eight(from int) (hashes [8]Hash) {
	for o := range hashes {
		hashes[o] = k.queries[(from+o)%len(k.queries)].Hash
	}
	return hashes
}

// BenchmarkRatioFlood: the slowest look-ups of unfriendly banks against the
// slowest scans of them; 99th percentiles of the mean of 64 queries.
func BenchmarkRatioFlood(b *testing.B) {
	for _, n := range benchSizes(b) {
		for _, kind := range banks[1:4] {
			b.Run(fmt.Sprintf("bank=%s/n=%d", kind.name, n), func(b *testing.B) {
				k, sc := benchmarkBank(b, kind, n), new(scratch)
				onThread(b, func() {
					var look, scan sample
					for i := range 2 * ratioRounds {
						at := i * blockQueries % len(k.queries)
						look = append(look, timed(blockQueries, func() {
							_ = k.x.SearchAll(k.queries[at:at+blockQueries], func(int, []Match) {})
						}))
						scan = append(scan, timed(blockQueries, func() { _ = scanAll(k, sc, at, blockQueries) }))
					}
					b.ReportMetric(look.at(.5), "look-up-cpu-ns")
					b.ReportMetric(scan.at(.5), "scan-cpu-ns")
					b.ReportMetric(look.at(.99), "look-up-p99-cpu-ns")
					b.ReportMetric(scan.at(.99), "scan-p99-cpu-ns")
					b.ReportMetric(look.at(.99)/scan.at(.99), "x")
				})
			})
		}
	}
}

// BenchmarkRatioLive: the 99th percentile of look-ups while another goroutine
// makes 10,000 changes a second, against none.
func BenchmarkRatioLive(b *testing.B) {
	eachUniform(b, func(b *testing.B, k *benchBank, _ int) {
		onThread(b, func() {
			var still, busy sample
			for i := range ratioRounds {
				for _, side := range []struct {
					rate int
					to   *sample
				}{{0, &still}, {10_000, &busy}} {
					stop := change(k.x, side.rate)
					for j := range 2000 {
						*side.to = append(*side.to, timed(1, func() { k.eachQuery(2000*i+j, 1) }))
					}
					stop()
				}
			}
			b.ReportMetric(still.at(.99), "still-p99-cpu-ns")
			b.ReportMetric(busy.at(.99), "busy-p99-cpu-ns")
			b.ReportMetric(busy.at(.99)/still.at(.99), "x")
		})
	})
}

// BenchmarkRatioThreads: what a second core adds to look-ups, and, for what the
// machine gives at best, to sums in registers and to random reads of 128 MB:
// look-ups of two threads a second of their processor time, times two, over
// those of one (x); and over the clock on the wall (wall-x), which says as much
// only where both cores are free.
func BenchmarkRatioThreads(b *testing.B) {
	memory := make([]uint64, 16<<20)
	for i := range memory {
		memory[i] = uint64(i) //nolint:gosec // anything
	}
	kinds := []struct {
		name string
		do   func(t int)
	}{
		{"registers", func(int) { sums(1 << 20) }},
		{"memory", func(t int) { reads(memory, t, 1<<16) }},
	}
	for _, n := range benchSizes(b) {
		kinds = append(kinds, struct {
			name string
			do   func(t int)
		}{fmt.Sprintf("look-ups/n=%d", n), func(t int) { benchmarkBank(b, banks[0], n).eachQuery(t*512, 256) }})
	}
	for _, kind := range kinds {
		b.Run("of="+kind.name, func(b *testing.B) {
			kind.do(0)
			onThread(b, func() {
				var x, wall []float64
				for range ratioRounds {
					one, oneWall := together(1, kind.do)
					two, twoWall := together(2, kind.do)
					x = append(x, 4*one.Seconds()/two.Seconds())
					wall = append(wall, 2*oneWall.Seconds()/twoWall.Seconds())
				}
				slices.Sort(x)
				slices.Sort(wall)
				b.ReportMetric(x[len(x)/2], "x")
				b.ReportMetric(wall[len(wall)/2], "wall-x")
				b.ReportMetric(wall[len(wall)-1], "wall-x-best")
			})
		})
	}
}

// together runs do on so many threads at once, and returns their processor time
// and how long it took.
func together(threads int, do func(t int)) (used, wall time.Duration) {
	spent := make([]time.Duration, threads)
	var all, begin sync.WaitGroup
	begin.Add(threads)
	start := time.Now()
	for t := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			begin.Done()
			begin.Wait()
			spent[t] = timed(1, func() { do(t) })
		})
	}
	all.Wait()
	for _, d := range spent {
		used += d
	}
	return used, time.Since(start)
}

var sink uint64 // that nothing computed is left out

func sums(n int) {
	x := uint64(1)
	for range n {
		x = x*6364136223846793005 + 1
	}
	if x == 0 {
		sink++
	}
}

func reads(memory []uint64, t, n int) {
	r, x := rand.New(rand.NewPCG(uint64(t), 1)), uint64(0) //nolint:gosec // a number
	for range n {
		x += memory[r.Uint64N(uint64(len(memory)))]
	}
	if x == math.MaxUint64 {
		sink++
	}
}

// BenchmarkRatioFAISS: FAISS's IndexBinaryMultiHash(256, 16, 16), nflip 1,
// against look-ups, both in turn and with answers compared (scripts/faiss-beside).
// Skipped where FAISS for Python is not installed.
func BenchmarkRatioFAISS(b *testing.B) {
	if err := exec.Command("/usr/bin/python3", "-c", "import faiss, numpy").Run(); err != nil {
		b.Skip("no FAISS for Python 3 here (Debian: python3-faiss)")
	}
	line := regexp.MustCompile(`median cpu_ns: (\d+) / (\d+)`)
	for _, n := range benchSizes(b) {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				out, err := exec.Command("../scripts/faiss-beside", strconv.Itoa(n)).CombinedOutput() //nolint:gosec // a number
				m := line.FindSubmatch(out)
				if err != nil || m == nil {
					b.Fatalf("%v: %s", err, out)
				}
				theirs, _ := strconv.ParseFloat(string(m[1]), 64)
				ours, _ := strconv.ParseFloat(string(m[2]), 64)
				b.ReportMetric(theirs, "faiss-cpu-ns")
				b.ReportMetric(ours, "look-up-cpu-ns")
				b.ReportMetric(theirs/ours, "x")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
