// Package tracetest is a collector that takes traces by OTLP over HTTP, for
// tests.
package tracetest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A Collector keeps what it is told. It is safe for concurrent use.
type Collector struct {
	URL string

	mu    sync.Mutex
	spans []*otlp.Span // guarded by mu
	raw   bytes.Buffer // guarded by mu
	grown chan struct{}
}

// New starts a collector that ends with t.
func New(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{grown: make(chan struct{}, 1)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(raw, &in)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s of %q: %v", r.Method, r.URL.Path, r.Header.Get("Content-Type"), err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.keep(raw, &in)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

func (c *Collector) keep(raw []byte, in *collector.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(raw)
	for _, r := range in.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
	select {
	case c.grown <- struct{}{}:
	default:
	}
}

// Spans returns what has come so far.
func (c *Collector) Spans() []*otlp.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Raw returns every byte of what has come so far, as it came.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.raw.Bytes())
}

// Await returns the first span that fits, once it has come.
func (c *Collector) Await(t testing.TB, what string, fits func(*otlp.Span) bool) *otlp.Span {
	t.Helper()
	for {
		if all := c.Spans(); slices.ContainsFunc(all, fits) {
			return all[slices.IndexFunc(all, fits)]
		}
		select {
		case <-c.grown:
		case <-t.Context().Done():
			t.Fatalf("%s has not come", what)
		}
	}
}

// Attribute returns an attribute of a span as text or number, "" and 0 if it has
// none of that name.
func Attribute(s *otlp.Span, name string) (text string, number int64) {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == name {
			return a.GetValue().GetStringValue(), a.GetValue().GetIntValue()
		}
	}
	return "", 0
}
