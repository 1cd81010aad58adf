package app_test

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/trace/tracetest"
)

// Requests, jobs, deliveries and slow statements have spans, and nothing of
// what was sent, by whom and from where is in them.
func TestTracesTellHowLongAndNothingElse(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/tangkal.db" },
		"postgres": func(t *testing.T) string { return dbtest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tracetest.New(t)
			x := exchangetest.StartOn(t, url(t), clock.System{}, func(o *app.Config) { o.Traces, o.TracesShare = c.URL, 1 })
			const canary, parent = "kenari", "0af7651916cd43dd8448eb211c80319c"
			askKenari(t, x, canary, parent)
			workKenari(t, x)
			named := func(name string) func(*otlp.Span) bool {
				return func(s *otlp.Span) bool { return s.GetName() == name }
			}
			asked := c.Await(t, "a request", named("GET /api/v1/cases/{id}"))
			if _, status := tracetest.Attribute(asked, "http.response.status_code"); status == http.StatusOK || status == 0 {
				t.Errorf("the request's span: %v", asked)
			}
			c.Await(t, "the webhook", named("webhook"))
			c.Await(t, "the job", named("job capture"))
			slow := c.Await(t, "the slow statement", func(s *otlp.Span) bool {
				text, _ := tracetest.Attribute(s, "db.query.text")
				return strings.Contains(text, "WITH RECURSIVE counted")
			})
			if text, _ := tracetest.Attribute(slow, "db.query.text"); !strings.Contains(text, "n < $1") || strings.Contains(text, "1234567") {
				t.Errorf("the statement: %q", text)
			}
			for _, s := range c.Spans() {
				if hex.EncodeToString(s.GetTraceId()) == parent {
					t.Errorf("a caller gave %s its mark", s.GetName())
				}
				if strings.Contains(s.GetName(), "report") { // when somebody reported stands nowhere
					t.Errorf("a reporter's request is told as %s", s.GetName())
				}
			}
			raw := string(c.Raw())
			for _, outside := range []string{canary, "127.0.0.1", "localhost", "1234567"} {
				if strings.Contains(raw, outside) {
					t.Errorf("the collector was told %q", outside)
				}
			}
		})
	}
}

// askKenari sends the canary wherever a request can hold it.
func askKenari(t *testing.T, x *exchangetest.Exchange, canary, parent string) {
	t.Helper()
	nobody := clientOf(t, x, "")
	headers := []string{"traceparent: 00-" + parent + "-b7ad6b7169203331-01", "tracestate: " + canary + "=1", "baggage: " + canary + "=1", "User-Agent: " + canary}
	nobody.must(t, "POST", "/reports", map[string]any{
		"locations": []string{"https://ruangsuara.example/v/" + canary}, "category": "recruitment",
		"agency": x.Cast(t, "analyst").Code, "description": canary,
	}, nil, headers...)
	for _, path := range []string{"/" + canary + "?q=" + canary, "/api/v1/cases/" + canary, "/receipt/" + canary} {
		askAs(t, x, "GET", path, canary+".example")
	}
}

// workKenari lets a job, a delivery and a slow statement happen.
func workKenari(t *testing.T, x *exchangetest.Exchange) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	by := x.Cast(t, "platform").Actor
	e, _, err := x.App.Outbox.AddEndpoint(t.Context(), by, s.URL+"/kenari", "kenari", []string{"notice.*"})
	if err == nil {
		_, err = x.App.Outbox.Test(t.Context(), by, e.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return x.App.Jobs.Enqueue(ctx, tx, "capture", "kenari") }); err != nil {
		t.Fatal(err)
	}
	const slow = `WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < $1) SELECT count(*) FROM counted`
	if _, err := db.Value[int64](t.Context(), x.App.DB, slow, 1234567); err != nil {
		t.Fatal(err)
	}
}
