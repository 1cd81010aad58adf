package hamming

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// eachUniform runs do for the uniform bank of every size.
func eachUniform(b *testing.B, do func(b *testing.B, k *benchBank, n int)) {
	for _, n := range benchSizes(b) {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) { do(b, benchmarkBank(b, banks[0], n), n) })
	}
}

// BenchmarkChange: one entry added, found, deleted and no longer found; the
// change alone is reported beside it.
func BenchmarkChange(b *testing.B) {
	eachUniform(b, func(b *testing.B, k *benchBank, _ int) {
		r := rand.New(rand.NewPCG(1, 9))
		var found []Match
		changing := time.Duration(0)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for b.Loop() {
			h := uniform(r)
			start := threadTime()
			id, err := k.x.Add(h, 1)
			changing += threadTime() - start
			if found, _ = k.x.Search(found[:0], Query{Hash: h}); err != nil || len(found) != 1 || found[0].ID != id {
				b.Fatalf("added %d, found %v, %v", id, found, err)
			}
			start = threadTime()
			k.x.Delete(id)
			changing += threadTime() - start
			if found, _ = k.x.Search(found[:0], Query{Hash: h}); len(found) != 0 {
				b.Fatalf("found %v after it was deleted", found)
			}
		}
		b.ReportMetric(float64(changing.Nanoseconds())/float64(2*b.N), "cpu-ns/change")
	})
}

// BenchmarkLive: look-ups while another goroutine makes 10,000 changes a
// second, half of them additions.
func BenchmarkLive(b *testing.B) {
	eachUniform(b, func(b *testing.B, k *benchBank, _ int) {
		for _, rate := range []int{0, 10_000} {
			b.Run(fmt.Sprintf("changes=%d", rate), func(b *testing.B) {
				stop := change(k.x, rate)
				defer stop()
				var dst []Match
				clockOf(b, 1, func(i int) (err error) {
					dst, err = k.x.Search(dst[:0], k.queries[i%len(k.queries)])
					return err
				})
			})
		}
	})
}

// change makes rate changes a second until stop is called.
func change(x *Index, rate int) (stop func()) {
	var done sync.WaitGroup
	end := make(chan struct{})
	done.Go(func() {
		r := rand.New(rand.NewPCG(1, 10))
		var ids []ID
		begin, made := time.Now(), 0
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-end:
				tick.Stop()
				return
			case <-tick.C:
			}
			for due := int(time.Since(begin).Seconds() * float64(rate)); made < due; made++ {
				if len(ids) > 0 && made%2 == 1 {
					i := r.IntN(len(ids))
					x.Delete(ids[i])
					ids[i] = ids[len(ids)-1]
					ids = ids[:len(ids)-1]
					continue
				}
				id, err := x.Add(uniform(r), 1)
				if err != nil {
					return
				}
				ids = append(ids, id)
			}
		}
	})
	return func() { close(end); done.Wait() }
}

// BenchmarkThreads: the same look-ups on one and on two threads at once;
// look-ups/cpu-s says how much of a second core is gained, look-ups/s only
// where both cores are free.
func BenchmarkThreads(b *testing.B) {
	eachUniform(b, func(b *testing.B, k *benchBank, _ int) {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
				var used [2]time.Duration
				var all sync.WaitGroup
				for t := range threads {
					all.Go(func() { used[t] = lookUps(k, b.N, t*len(k.queries)/2) })
				}
				all.Wait()
				n := float64(b.N * threads)
				b.ReportMetric(n/b.Elapsed().Seconds(), "look-ups/s")
				b.ReportMetric(n/(used[0]+used[1]).Seconds(), "look-ups/cpu-s")
			})
		}
	})
}

// lookUps makes n look-ups on a thread of its own and returns its time.
func lookUps(k *benchBank, n, from int) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var dst []Match
	start := threadTime()
	for i := range n {
		dst, _ = k.x.Search(dst[:0], k.queries[(from+i)%len(k.queries)])
	}
	return threadTime() - start
}

// BenchmarkBuild: an index of n entries from nothing, on every core.
func BenchmarkBuild(b *testing.B) {
	for _, n := range benchSizes(b) {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				r := rand.New(rand.NewPCG(1, 1))
				x := Build(Config{}, n, func(int) (Hash, Sets) { return uniform(r), 1 })
				b.ReportMetric(float64(x.view.Load().segments[0].arena.bytes)/float64(n), "B/entry")
				x.Close()
				runtime.GC() // one bank at a time
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkSnapshot: written, opened until the first answer, and verified.
func BenchmarkSnapshot(b *testing.B) {
	eachUniform(b, func(b *testing.B, k *benchBank, _ int) {
		name := filepath.Join(b.TempDir(), "index")
		b.Run("write", func(b *testing.B) {
			for b.Loop() {
				s, err := k.x.Snapshot()
				if err != nil {
					b.Fatal(err)
				}
				if err := s.WriteFile(name, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("open", func(b *testing.B) { openMany(b, name, func(x *Index) error { return nil }) })
		b.Run("open-and-search", func(b *testing.B) {
			openMany(b, name, func(x *Index) error {
				_, err := x.Search(nil, k.queries[0])
				return err
			})
		})
		b.Run("open-and-verify", func(b *testing.B) { openMany(b, name, (*Index).Verify) })
	})
}

func openMany(b *testing.B, name string, do func(*Index) error) {
	b.Helper()
	for b.Loop() {
		x, _, err := Open(name, Config{})
		if err != nil {
			b.Fatal(err)
		}
		if err := do(x); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		x.Close()
		b.StartTimer()
	}
}
