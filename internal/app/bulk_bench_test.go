package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/notes"
)

// BenchmarkBulk answers an order of 10,000 items in one call of the API, NDJSON
// in and out: from the first byte sent to the tally. Each round has an order of
// its own, which is not measured.
func BenchmarkBulk(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			at := "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
			if dialect == "postgres" {
				at = dbtest.PostgresURL(b)
			}
			x := exchangetest.StartOn(b, at, clock.System{})
			var took, most time.Duration
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				s := inIndonesia(b, x).many(b, n, notes.MaxItems)
				rows := s.removals(b, notes.MaxItems)
				settled(b, x)
				b.StartTimer()
				from := time.Now()
				s.bulk(b, rows, notes.MaxItems)
				one := time.Since(from)
				took, most = took+one, max(most, one)
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/call")
			b.ReportMetric(float64(most.Milliseconds()), "max-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// many is a notice of so many items that was sent and received.
func (s *story) many(t testing.TB, n, items int) *story {
	t.Helper()
	s.report(t, n)
	s.analyst.must(t, "POST", "/cases/"+s.caseID+"/take", nil, nil)
	for from := 1; from < items; from += 1000 {
		var more []string
		for i := from; i < min(from+1000, items); i++ {
			more = append(more, fmt.Sprintf("https://ruangsuara.example/v/%d-%d", n, i))
		}
		if err := s.x.App.Casework.AddLocations(t.Context(), s.analyst.Actor, casework.ID(s.caseID), more); err != nil {
			t.Fatal(err)
		}
	}
	s.draft(t)
	s.issue(t)
	s.sent(t)
	s.platform.must(t, "POST", "/notices/"+s.id+"/receive", struct{}{}, nil)
	return s
}

// removals are the rows that say that each item was removed, as NDJSON.
func (s *story) removals(t testing.TB, items int) []byte {
	t.Helper()
	var out bytes.Buffer
	for i := range items {
		row := struct {
			Reference string `json:"reference"`
			notes.Row
		}{s.ref, notes.Row{N: i + 1, Answer: notes.Removed, At: notes.At(time.Now()), Basis: notes.BasisThisOrder}}
		if err := json.NewEncoder(&out).Encode(row); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// bulk sends rows in one call, of which each must count.
func (s *story) bulk(t testing.TB, rows []byte, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.platform.url+"/answers", bytes.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer "+s.platform.APIKey)
	resp, err := s.platform.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	var tally struct{ Changed int }
	if err := json.Unmarshal(lines[len(lines)-1], &tally); err != nil || tally.Changed != want {
		t.Fatalf("%s %v: %s", resp.Status, err, lines[len(lines)-1])
	}
}
