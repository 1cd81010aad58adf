// Package trace tells the operator's collector how long the parts of the work
// took: OpenTelemetry traces, by OTLP over HTTP.
//
// A trace holds what the log holds of a request, and no more: pattern, class,
// status, code of its event; kinds of jobs and deliveries; the text of slow
// statements, whose values are bound and stay out. No path, no address, no
// identifier, no content (threat T18). What callers send as a trace's context is
// not read: it would be a mark of theirs in our records.
//
// Telling never holds anybody up: spans wait in a bounded queue, and are dropped
// when the collector is away.
package trace

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tangkal/tangkal/internal/logbook"
)

const (
	// Slow is from how long on a statement has a span of its own.
	Slow = 50 * time.Millisecond
	// maxWaiting bounds the spans that wait for the collector; what comes when
	// they are so many is dropped.
	maxWaiting = 2048
	// sendWithin bounds one attempt to reach the collector, closeWithin the
	// last one at a stop.
	sendWithin  = 5 * time.Second
	closeWithin = 2 * time.Second
	// maxText bounds the text of a statement in a span.
	maxText = 500
)

// Options say where traces go.
type Options struct {
	Endpoint string  // http or https URL of the collector; without a path, /v1/traces
	Share    float64 // of requests and jobs that are traced, above 0 and up to 1
	Version  string  // of the program
	Instance string  // its code
	Log      *slog.Logger
}

// A Tracer tells a collector. It is safe for concurrent use; a nil Tracer tells
// nobody.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// CheckEndpoint reports what is wrong with the address of a collector.
func CheckEndpoint(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return fmt.Errorf("want http:// or https:// and a host, as http://127.0.0.1:4318; secrets belong into OTEL_EXPORTER_OTLP_HEADERS")
	}
	return nil
}

// New returns a tracer; whether its collector can be reached is not tried.
func New(ctx context.Context, o Options) (*Tracer, error) {
	if err := CheckEndpoint(o.Endpoint); err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	to := strings.TrimSuffix(o.Endpoint, "/")
	if u, err := url.Parse(to); err == nil && u.Path == "" {
		to += "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(to), otlptracehttp.WithTimeout(sendWithin),
		otlptracehttp.WithHTTPClient(&http.Client{Timeout: sendWithin, Transport: &http.Transport{MaxIdleConns: 2, IdleConnTimeout: time.Minute}}),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 10 * time.Second, MaxElapsedTime: 30 * time.Second}),
	)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	t := &Tracer{provider: sdk.NewTracerProvider(
		sdk.WithBatcher(told{exporter, o.Log}, sdk.WithMaxQueueSize(maxWaiting), sdk.WithExportTimeout(30*time.Second)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Share))),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "tangkal"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Instance),
		)),
	)}
	t.tracer = t.provider.Tracer("github.com/tangkal/tangkal")
	return t, nil
}

// told is an exporter whose failures go to the log, and nowhere else.
type told struct {
	sdk.SpanExporter
	log *slog.Logger
}

// ExportSpans sends spans, or says that it could not.
func (e told) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.log.WarnContext(ctx, "the collector does not take traces: they are dropped, everything else goes on", "error", err)
	}
	return nil
}

// Close sends what waits, for a moment, and ends.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	t.provider.Shutdown(ctx) //nolint:errcheck // what did not arrive within the time is lost, and is no more than that
}

// Watch gives a request its span. One that may come from a reporter has none,
// and nothing that it asks for has: when somebody reported, or looked, stands
// nowhere, not at the collector either (threat-model T01).
func (t *Tracer) Watch(ctx context.Context, private bool) (context.Context, func(logbook.Served)) {
	if private {
		return trace.ContextWithSpanContext(ctx, untold()), func(logbook.Served) {}
	}
	ctx, span := t.tracer.Start(ctx, "request", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer))
	return ctx, func(s logbook.Served) {
		if s.Route != "" {
			span.SetName(s.Route)
		}
		span.SetAttributes(
			attribute.String("http.route", s.Route), attribute.Int("http.response.status_code", s.Status),
			attribute.String("tangkal.class", s.Class), attribute.String("tangkal.request", s.Ref), attribute.Bool("tangkal.left", s.Left),
		)
		if s.Status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// untold is the context of a request that is not traced: what belongs to it
// follows it.
func untold() trace.SpanContext {
	var id trace.TraceID
	var span trace.SpanID
	rand.Read(id[:])   //nolint:errcheck // never fails (crypto/rand)
	rand.Read(span[:]) //nolint:errcheck // see above
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span})
}

// Begin gives a piece of work its span, as "job capture" or "webhook": a name of
// the program's own. What it returns ends the span; a failure is told as such,
// without its text, which may quote what came from outside.
func (t *Tracer) Begin(ctx context.Context, name string) (context.Context, func(failed bool)) {
	if t == nil {
		return ctx, func(bool) {}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, func(failed bool) {
		if failed {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Statement gives a statement its span if it was slow. Its text is the
// program's; the values that were bound to it are not in it.
func (t *Tracer) Statement(ctx context.Context, text string, begun time.Time, took time.Duration, err error) {
	if t == nil || took < Slow {
		return
	}
	text = strings.Join(strings.Fields(text), " ")
	_, span := t.tracer.Start(ctx, "slow statement", trace.WithTimestamp(begun), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.query.text", text[:min(len(text), maxText)])))
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(begun.Add(took)))
}
