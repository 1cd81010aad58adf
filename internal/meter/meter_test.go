package meter_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/meter"
)

// told is what a meter tells.
func told(t *testing.T, m *meter.Meter) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func serve(m *meter.Meter, s logbook.Served) {
	_, done := m.Watch(context.Background(), false)
	done(s)
}

// However many patterns there were, there is an end to the series.
func TestRoutesAreBounded(t *testing.T) {
	m := meter.New(meter.Build{})
	for i := range 5000 {
		serve(m, logbook.Served{Route: fmt.Sprintf("GET /%d", i), Status: 200})
	}
	text := told(t, m)
	if n := strings.Count(text, "tangkal_requests_total{"); n != 1001 {
		t.Errorf("%d routes are told apart", n)
	}
	if !strings.Contains(text, `tangkal_requests_total{class="none",route="other",status="200"} 4000`) {
		t.Error("what is past the bound is not counted as other")
	}
}

func TestRequestsAreCountedByWhatCameOfThem(t *testing.T) {
	m := meter.New(meter.Build{Version: "v1", Commit: "abc", Go: "go"})
	_, done := m.Watch(context.Background(), false)
	if text := told(t, m); !strings.Contains(text, "tangkal_requests_open 1\n") {
		t.Error("a request in progress is not open")
	}
	done(logbook.Served{Route: "GET /events", Class: "streams", Status: 200, Took: time.Hour})
	serve(m, logbook.Served{Route: "GET /triage", Class: "staff", Status: 200, Took: 40 * time.Millisecond})
	serve(m, logbook.Served{Status: 499})
	serve(m, logbook.Served{Status: 799})
	text := told(t, m)
	for _, want := range []string{
		"tangkal_requests_open 0\n",
		`tangkal_requests_total{class="staff",route="GET /triage",status="200"} 1`,
		`tangkal_requests_total{class="none",route="none",status="499"} 1`,
		`tangkal_requests_total{class="none",route="none",status="other"} 1`,
		`tangkal_request_seconds_bucket{route="GET /triage",le="0.025"} 0`,
		`tangkal_request_seconds_bucket{route="GET /triage",le="0.05"} 1`,
		`tangkal_build_info{commit="abc",go="go",version="v1"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if strings.Contains(text, `request_seconds_bucket{route="GET /events"`) {
		t.Error("a stream counts as a slow request")
	}
}

func TestAFamilyTellsWhatItIsGiven(t *testing.T) {
	m := meter.New(meter.Build{})
	var bounded bool
	m.Read(meter.Family{Name: "things", Help: "Things.", Labels: []string{"state"}}, func(ctx context.Context, add meter.Add) {
		_, bounded = ctx.Deadline()
		add(3, "waiting")
	})
	m.Read(meter.Family{Name: "absent", Help: "Nothing."}, func(context.Context, meter.Add) {})
	m.Read(meter.Family{Name: "sum_total", Help: "All.", Kind: meter.Counter}, func(_ context.Context, add meter.Add) { add(7) })
	text := told(t, m)
	for _, want := range []string{"# TYPE tangkal_things gauge\n", `tangkal_things{state="waiting"} 3`, "# TYPE tangkal_sum_total counter\n", "tangkal_sum_total 7\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if strings.Contains(text, "absent") || !bounded {
		t.Error("a family without numbers is told, or a look has no end")
	}
}
