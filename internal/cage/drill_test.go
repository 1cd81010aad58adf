//go:build linux && (amd64 || arm64)

package cage_test

import (
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/cage/picturetest"
	"github.com/tangkal/tangkal/internal/fault"
)

// A hundred workers are killed while they work: each job fails by itself, and
// the next is done as if nothing had been.
func TestAHundredKillsInTheMiddleFailTheirJobsOnly(t *testing.T) {
	x := open(t, cage.Config{Worker: worker("hang"), Workers: 1})
	for i := range 100 {
		x.Warm(t.Context())
		pid := x.SparePID()
		if pid == 0 {
			t.Fatalf("kill %d: no worker waits", i)
		}
		_, err := x.Strip(t.Context(), int64(len(tiny())), &fatal{left: tiny(), pid: pid})
		if !fault.Is(err, "cage.died") || fault.Of(err) != fault.Unavailable {
			t.Fatalf("kill %d: %v", i, err)
		}
	}
	whole := open(t, cage.Config{Worker: cage.Self(), Workers: 1})
	if _, err := strip(whole, t.Context(), tiny()); err != nil {
		t.Error(err)
	}
}

// fatal kills the worker once the file has been handed over.
type fatal struct {
	left []byte
	pid  int
}

func (f *fatal) Read(p []byte) (int, error) {
	n := copy(p, f.left)
	if f.left = f.left[n:]; n == 0 {
		_ = syscall.Kill(f.pid, syscall.SIGKILL)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// BenchmarkBomb: a PNG that says it has 16,384 x 16,384 pixels, a gigabyte in
// memory, refused by a worker that waits; and how much this process grew.
func BenchmarkBomb(b *testing.B) {
	file := picturetest.PNG(8, 8)
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 16384), 16384)
	header := picturetest.Chunk("IHDR", append(head, 8, 6, 0, 0, 0))
	file = slices.Concat(file[:8], header, picturetest.Chunk("IDAT", make([]byte, 854<<10)), file[len(file)-12:])
	x := open(b, cage.Config{Worker: cage.Self(), Workers: 1})
	before := cage.Resident(os.Getpid())
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		x.Warm(b.Context())
		b.StartTimer()
		begun := time.Now()
		if _, err := strip(x, b.Context(), file); !fault.Is(err, "picture.too-large") {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	runtime.KeepAlive(file)
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-worst")
	b.ReportMetric(float64(max(0, cage.Resident(os.Getpid())-before))/(1<<20), "MiB-grown")
}

// BenchmarkStrip: a photograph of 12 megapixels, as telephones take them.
func BenchmarkStrip(b *testing.B) {
	file := picturetest.JPEG(4000, 3000)
	x := open(b, cage.Config{Worker: cage.Self(), Workers: 1})
	for b.Loop() {
		if _, err := strip(x, b.Context(), file); err != nil {
			b.Fatal(err)
		}
	}
}
