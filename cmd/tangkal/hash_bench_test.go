//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

// BenchmarkDirectory hashes a directory of photos (10,000 at scale 100) and says
// how busy it kept the processors and how much memory it ever had.
func BenchmarkDirectory(b *testing.B) {
	const distinct = 20
	dir, n := b.TempDir(), scaletest.Of(10000)
	for i := range distinct {
		file := filepath.Join(dir, fmt.Sprintf("%05d.jpg", i))
		if err := os.WriteFile(file, synthetic.JPEG(1200+10*i, 900+7*i), 0o600); err != nil {
			b.Fatal(err)
		}
		for j := i + distinct; j < n; j += distinct {
			if err := os.Link(file, filepath.Join(dir, fmt.Sprintf("%05d.jpg", j))); err != nil {
				b.Fatal(err)
			}
		}
	}
	used := func() (time.Duration, int64) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss
	}
	from, _ := used()
	c := hashCmd{Paths: []rawPath{rawPath(dir)}, Type: []string{"pdq", "md5", "sha1", "sha256"}}
	for b.Loop() {
		if err := c.Run(&shell{ctx: b.Context(), stdout: io.Discard, stderr: io.Discard}); err != nil {
			b.Fatal(err)
		}
	}
	to, peak := used()
	b.ReportMetric(float64(b.N*max(n, distinct))/b.Elapsed().Seconds(), "photos/s")
	b.ReportMetric(100*float64(to-from)/float64(b.Elapsed())/float64(runtime.GOMAXPROCS(0)), "busy-%")
	b.ReportMetric(float64(peak)/1024, "peak-MB") // on Linux; with the photos that were made
}
