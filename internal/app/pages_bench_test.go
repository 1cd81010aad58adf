package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// benchCases is how many cases the pages are measured among: a million, or as
// TANGKAL_BENCH_CASES says.
func benchCases(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("TANGKAL_BENCH_CASES"))
	if err != nil {
		return 1_000_000
	}
	return n
}

// BenchmarkPages asks for each page and list, one after the other, among a
// million cases. It reports the percentiles of each as its asker sees them on an
// otherwise idle instance, and cpu-ms, the processor time that this process
// spent for one: the server's and the asker's, on SQLite the database's too.
//
// With TANGKAL_BENCH_KEEP=DIR the filled data stay in DIR, and those of
// PostgreSQL on its server, and the next run begins with them.
func BenchmarkPages(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			x, told, waiting := filled(b, dialect, benchCases(b))
			counted(b, x)
			for _, p := range pagesOf(told, waiting) {
				b.Run(p.name, func(b *testing.B) { p.measure(b, x) })
			}
		})
	}
}

// counted waits until the public figures were counted for the first time, which
// a new process does beside everything else: it is reported by itself.
func counted(b *testing.B, x *exchangetest.Exchange) {
	b.Helper()
	from := time.Now()
	for {
		resp, err := http.Get(x.URL + "/figures.json")
		if err != nil {
			b.Fatal(err)
		}
		var f struct{ Reports struct{ Total int } }
		err = json.NewDecoder(resp.Body).Decode(&f)
		resp.Body.Close() //nolint:errcheck // read to its end
		if err != nil {
			b.Fatal(err)
		}
		if f.Reports.Total > 0 {
			b.Logf("the public figures were counted within %s", time.Since(from).Round(time.Second))
			return
		}
		select {
		case <-b.Context().Done():
			b.Fatal("no public figures")
		case <-time.After(time.Second):
		}
	}
}

// A filling is what a run must know about the data that another one made.
type filling struct{ ID, Ref, Case, Waiting string }

// filled starts an exchange with n cases, kept ones if there are.
func filled(b *testing.B, dialect string, n int) (x *exchangetest.Exchange, told, waiting *story) {
	b.Helper()
	dir, kept := b.TempDir(), os.Getenv("TANGKAL_BENCH_KEEP")
	if kept != "" {
		dir = filepath.Join(kept, fmt.Sprintf("%s-%d", dialect, n))
	}
	var known filling
	mark := filepath.Join(dir, "filling.json")
	text, err := os.ReadFile(mark)
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	fresh := err != nil
	if fresh {
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "data"), 0o700)); err != nil {
			b.Fatal(err)
		}
	}
	at := "sqlite:" + filepath.Join(dir, "bench.db")
	switch {
	case dialect == "postgres" && kept == "":
		at = dbtest.PostgresURL(b)
	case dialect == "postgres":
		at = dbtest.PostgresKept(b, fmt.Sprintf("bench_%d", n), fresh)
	}
	x = exchangetest.StartOn(b, at, clock.System{}, func(c *app.Config) { c.Data = filepath.Join(dir, "data") })
	told, waiting = inIndonesia(b, x), inIndonesia(b, x)
	if !fresh {
		told.id, told.ref, told.caseID, waiting.caseID = known.ID, known.Ref, known.Case, known.Waiting
		return x, told, waiting
	}
	told.told(b, 1).sent(b)
	waiting.report(b, 2)
	from := time.Now()
	fill(b, x, told, n)
	b.Logf("filled with %d cases in %s", n, time.Since(from).Round(time.Second))
	text, err = json.Marshal(filling{told.id, told.ref, told.caseID, waiting.caseID})
	if err == nil {
		err = os.WriteFile(mark, text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	return x, told, waiting
}

// A pageAsked is a page and who asks for it.
type pageAsked struct{ name, by, path string }

func pagesOf(told, waiting *story) []pageAsked {
	return []pageAsked{
		{"queue", "analyst", "/triage"},
		{"queue-platform", "analyst", "/triage?platform=kabarkita"},
		{"case", "analyst", "/cases/" + waiting.caseID},
		{"orders", "officer", "/orders"},
		{"orders-open", "officer", "/orders?show=open"},
		{"orders-overdue", "officer", "/orders?show=overdue"},
		{"orders-deciding", "officer", "/orders?show=deciding"},
		{"order", "officer", "/orders/" + told.id},
		{"approvals", "approver", "/approvals"},
		{"inbox", "platform", "/inbox"},
		{"inbox-notice", "platform", "/inbox/" + told.id},
		{"find-number", "analyst", "/find?q=" + told.ref},
		{"find-part", "analyst", "/find?q=1000777"},
		{"find-word", "analyst", "/find?q=kabarkita"},
		{"find-common", "analyst", "/find?q=ruangsuara"},
		{"find-beginning", "analyst", "/find?q=ruangs"},
		{"find-two", "analyst", "/find?q=kabarkita+1000777"},
		{"find-unknown", "analyst", "/find?q=zanzibar"},
		{"find-officer", "officer", "/find?q=1000777"},
		{"find-reviewer", "reviewer", "/find?q=1000777"},
		{"home", "", "/"},
		{"figures", "", "/figures.json"},
		{"api-cases", "analyst", "/api/v1/cases?state=open"},
		{"api-counts", "analyst", "/api/v1/cases/counts"},
		{"api-notices", "officer", "/api/v1/notices"},
		{"api-inbox", "platform", "/api/v1/notices"},
		{"api-feed", "analyst", "/api/v1/feed?cursor=1015000"},
	}
}

func (p pageAsked) measure(b *testing.B, x *exchangetest.Exchange) {
	client, header := http.DefaultClient, ""
	if p.by != "" {
		who := x.As(b, p.by)
		client, header = who.Browser, "Bearer "+who.WithAPIKey(b).APIKey
	}
	ask := func() time.Duration {
		req, err := http.NewRequestWithContext(b.Context(), "GET", x.URL+p.path, nil)
		if err != nil {
			b.Fatal(err)
		}
		if header != "" && len(p.path) > 4 && p.path[:5] == "/api/" {
			req.Header.Set("Authorization", header)
		}
		from := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read to its end
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("%s: %s %v %.200s", p.path, resp.Status, err, body)
		}
		return time.Since(from)
	}
	for range 3 {
		ask()
	}
	var all []time.Duration
	spent := processorTime(b)
	for b.Loop() {
		all = append(all, ask())
	}
	spent = processorTime(b) - spent
	slices.Sort(all)
	b.ReportMetric(float64(spent.Microseconds())/1000/float64(len(all)), "cpu-ms")
	for _, at := range []int{50, 99} {
		b.ReportMetric(float64(all[at*(len(all)-1)/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", at))
	}
	b.ReportMetric(0, "ns/op")
}

// processorTime is what this process has spent until now.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
