package app_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

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
// million cases. It reports the percentiles of each as the server's own time on
// an otherwise idle instance, the client's included.
func BenchmarkPages(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			at := "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
			if dialect == "postgres" {
				at = dbtest.PostgresURL(b)
			}
			x := exchangetest.StartOn(b, at, clock.System{})
			told := inIndonesia(b, x).told(b, 1)
			told.sent(b)
			waiting := inIndonesia(b, x)
			waiting.report(b, 2)
			from := time.Now()
			fill(b, x, told, benchCases(b))
			b.Logf("filled with %d cases in %s", benchCases(b), time.Since(from).Round(time.Second))
			for _, p := range pagesOf(told, waiting) {
				b.Run(p.name, func(b *testing.B) { p.measure(b, x) })
			}
		})
	}
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
	for b.Loop() {
		all = append(all, ask())
	}
	slices.Sort(all)
	for _, at := range []int{50, 99} {
		b.ReportMetric(float64(all[at*(len(all)-1)/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", at))
	}
	b.ReportMetric(0, "ns/op")
}
