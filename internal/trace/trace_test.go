package trace_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/trace"
	"github.com/tangkal/tangkal/internal/trace/tracetest"
)

// tracer tells a collector about this share of what happens.
func tracer(t *testing.T, endpoint string, share float64, log *slog.Logger) *trace.Tracer {
	t.Helper()
	tr, err := trace.New(t.Context(), trace.Options{Endpoint: endpoint, Share: share, Version: "v1", Instance: "TEST", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

var quiet = slog.New(slog.DiscardHandler)

func TestASpanSaysWhatTheLogSaysAndItsSlowStatementsBelongToIt(t *testing.T) {
	c := tracetest.New(t)
	tr := tracer(t, c.URL, 1, quiet)
	ctx, done := tr.Watch(context.Background(), false)
	begun := time.Now()
	tr.Statement(ctx, "SELECT\n\t1", begun, trace.Slow-1, nil)
	tr.Statement(ctx, "SELECT\n\t2  FROM x", begun, trace.Slow, errors.New("kenari"))
	done(logbook.Served{Ref: "7QK2M9XD", Route: "GET /cases/{id}", Class: "staff", Status: 500})
	tr.Close()
	spans := c.Spans()
	if len(spans) != 2 {
		t.Fatalf("%d spans: %v", len(spans), spans)
	}
	slow, request := spans[0], spans[1]
	if text, _ := tracetest.Attribute(slow, "db.query.text"); text != "SELECT 2 FROM x" || string(slow.GetParentSpanId()) != string(request.GetSpanId()) {
		t.Errorf("slow statement: %v", slow)
	}
	if took := slow.GetEndTimeUnixNano() - slow.GetStartTimeUnixNano(); took != uint64(trace.Slow) {
		t.Errorf("it took %d ns", took)
	}
	route, _ := tracetest.Attribute(request, "http.route")
	class, _ := tracetest.Attribute(request, "tangkal.class")
	ref, _ := tracetest.Attribute(request, "tangkal.request")
	_, status := tracetest.Attribute(request, "http.response.status_code")
	if request.GetName() != "GET /cases/{id}" || route != "GET /cases/{id}" || class != "staff" || ref != "7QK2M9XD" || status != 500 ||
		request.GetStatus().GetCode() != otlp.Status_STATUS_CODE_ERROR {
		t.Errorf("request: %v", request)
	}
	if raw := string(c.Raw()); strings.Contains(raw, "kenari") || !strings.Contains(raw, "service.name") {
		t.Errorf("the error's text is told, or the service is not: %q", raw)
	}
}

// A share of requests is traced, and of those everything.
func TestTheShareIsTheShare(t *testing.T) {
	const requests, share = 6000, 0.25
	c := tracetest.New(t)
	tr := tracer(t, c.URL, share, quiet)
	for range requests {
		ctx, done := tr.Watch(context.Background(), false)
		_, end := tr.Begin(ctx, "part")
		end(false)
		done(logbook.Served{Route: "GET /", Status: 200})
	}
	tr.Close()
	whole, parts := 0, 0
	for _, s := range c.Spans() {
		if s.GetName() == "part" {
			parts++
		} else {
			whole++
		}
	}
	// Eight standard deviations to each side; what came too fast was dropped.
	if whole > requests*share+270 || parts > requests*share+270 || whole < 200 {
		t.Errorf("%d requests and %d parts were traced, want at most about %v", whole, parts, requests*share)
	}
}

// A collector that takes connections and says nothing holds nobody up: neither
// requests nor the stop.
func TestACollectorThatHangsHoldsNobodyUp(t *testing.T) {
	called, over := make(chan struct{}, 100), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		called <- struct{}{}
		<-over
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(over) })
	tr := tracer(t, s.URL, 1, quiet)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for range 20_000 { // ten times what may wait
			_, done := tr.Watch(context.Background(), false)
			done(logbook.Served{Route: "GET /", Status: 200})
		}
	}()
	select {
	case <-served:
	case <-time.After(time.Minute):
		t.Fatal("requests wait for the collector")
	}
	<-called
	begun := time.Now()
	tr.Close()
	if took := time.Since(begun); took > 25*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

// A collector that is not there is said in the log, and is no more than that.
func TestACollectorThatIsAwayIsSaidInTheLog(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(s.Close)
	var b strings.Builder
	tr := tracer(t, s.URL, 1, slog.New(slog.NewTextHandler(&b, nil)))
	_, done := tr.Watch(context.Background(), false)
	done(logbook.Served{Route: "GET /", Status: 200})
	tr.Close()
	if !strings.Contains(b.String(), "the collector does not take traces") {
		t.Errorf("the log says %q", b.String())
	}
}

func TestEndpointsAreRead(t *testing.T) {
	for raw, good := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://otel.example/v1/traces": true,
		"otel.example:4318": false, "grpc://otel.example": false, "https://user:secret@otel.example": false, "https://otel.example?key=1": false, "": false,
	} {
		if err := trace.CheckEndpoint(raw); (err == nil) != good {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestNobodyIsToldWithoutATracer(t *testing.T) {
	var none *trace.Tracer
	ctx, end := none.Begin(t.Context(), "work")
	end(true)
	none.Statement(ctx, "SELECT 1", time.Now(), time.Hour, nil)
	none.Close()
}

// Of what may come from a reporter the collector hears nothing, and nothing of
// what it asks for.
func TestAReportersRequestIsNotTraced(t *testing.T) {
	for _, private := range []bool{true, false} {
		c := tracetest.New(t)
		tr := tracer(t, c.URL, 1, quiet)
		ctx, done := tr.Watch(context.Background(), private)
		tr.Statement(ctx, "SELECT 1", time.Now(), trace.Slow, nil)
		_, end := tr.Begin(ctx, "part")
		end(false)
		done(logbook.Served{Route: "POST /report", Status: 200})
		tr.Close()
		if got := len(c.Spans()); private && got != 0 || !private && got != 3 {
			t.Errorf("private %v: %d spans are told", private, got)
		}
	}
}
