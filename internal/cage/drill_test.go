//go:build linux && (amd64 || arm64)

package cage_test

import (
	"encoding/binary"
	"fmt"
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
	"github.com/tangkal/tangkal/internal/scaletest"
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

// The drill of threat T06: each of the bomb set is refused by a worker that
// waits, or a small picture is left of it, within a tenth of a second.
func TestDrillBombs(t *testing.T) {
	x := open(t, cage.Config{Worker: cage.Self(), Workers: 1})
	set := picturetest.Bombs()
	var took []time.Duration
	for range scaletest.Of(10) {
		found, each := bombed(t, x, set)
		for _, f := range found {
			t.Error(f)
		}
		took = append(took, each...)
	}
	scaletest.Within(t, "a bomb is refused", 100*time.Millisecond, took...)
}

// The drill sees a worker that opens what it is given, however much that asks
// for.
func TestDrillBombsFindsAWorkerThatOpensThem(t *testing.T) {
	const one = "a PNG of 100,000 chunks"
	x := open(t, cage.Config{Worker: worker("decode"), Workers: 1})
	if found, _ := bombed(t, x, map[string]picturetest.Bomb{one: picturetest.Bombs()[one]}); len(found) == 0 {
		t.Error("a worker opens a bomb, and the drill finds nothing")
	}
}

// bombed has each bomb opened by a worker that waits, and returns what should
// not have come of it, and how long each took.
func bombed(t *testing.T, x *cage.Cage, set map[string]picturetest.Bomb) (found []string, took []time.Duration) {
	t.Helper()
	for name, b := range set {
		x.Warm(t.Context())
		begun := time.Now()
		p, err := strip(x, t.Context(), b.File)
		took = append(took, time.Since(begun))
		if b.Want != "" && !fault.Is(err, string(b.Want)) || b.Want == "" && (err != nil || len(p.Data) > 1000) {
			found = append(found, fmt.Sprintf("%s (%d bytes): %v, want %q", name, len(b.File), err, b.Want))
		}
	}
	return found, took
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
