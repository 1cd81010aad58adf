package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// BenchmarkStart starts the server over data that is there, as a process of its
// own, until /readyz says 200; kills it, and starts it again. It reports the time
// until then, how much of it was processor time, and on Linux how much memory the
// process has then. That process is this test binary: the program itself holds
// some 10 MiB less.
func BenchmarkStart(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { start(b, "sqlite:"+filepath.Join(b.TempDir(), "tangkal.db")) })
	b.Run("postgres", func(b *testing.B) { start(b, dbtest.PostgresURL(b)) })
}

func start(b *testing.B, url string) {
	b.Helper()
	x := exchangetest.Prepare(b, url)
	raw, err := json.Marshal(order{App: x.Config})
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "order.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	var memory int64
	var busy, worst time.Duration
	for b.Loop() {
		begun := time.Now()
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), serveEnv+"="+file)
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		awaitAnswer(b, x.URL+"/readyz")
		b.StopTimer()
		worst = max(worst, time.Since(begun))
		memory = max(memory, resident(b, cmd.Process.Pid))
		cmd.Process.Kill() //nolint:errcheck // it runs: it has just answered
		cmd.Wait()         //nolint:errcheck // killed
		busy += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms-to-ready")
	b.ReportMetric(float64(worst.Milliseconds()), "ms-at-most")
	b.ReportMetric(float64(busy.Milliseconds())/float64(b.N), "cpu-ms") // what other work on the machine does not change
	if memory > 0 {
		b.ReportMetric(float64(memory)/(1<<20), "MiB-resident")
	}
}

// awaitAnswer asks until the answer is 200.
func awaitAnswer(b *testing.B, url string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			b.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Fatal("the server does not answer")
		}
	}
}

// resident is the resident memory of a process in bytes, 0 where that cannot be
// told.
func resident(b *testing.B, pid int) int64 {
	b.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(raw)
	if m == nil {
		return 0
	}
	kib, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}
