package logbook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/logbook"
)

// lines are the events that a logger wrote.
func lines(t *testing.T, b *bytes.Buffer) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, m)
	}
	return out
}

func TestEveryRequestIsOneEventThatTellsNothingOfTheCaller(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	lost := fault.New(fault.Unavailable, "db.unavailable").Because(errors.New("no space left on device"))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /report/{id}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "thank you") })
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Shown", logbook.Failed(r.Context(), log, errors.New("a bug")))
		w.WriteHeader(http.StatusInternalServerError)
	})
	mux.HandleFunc("GET /reset", func(w http.ResponseWriter, r *http.Request) {
		logbook.Failed(r.Context(), log, fmt.Errorf("read the form: %w", &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, Addr: &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 51514}, Err: syscall.ECONNRESET}))
		w.WriteHeader(http.StatusInternalServerError)
	})
	mux.HandleFunc("GET /full", func(w http.ResponseWriter, r *http.Request) {
		logbook.Failed(r.Context(), log, lost)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	mux.HandleFunc("GET /panics", func(http.ResponseWriter, *http.Request) { panic("deep inside") })
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("an event stream cannot flush: %v", err)
		}
	})
	server := httptest.NewServer(logbook.Requests(log, logbook.Options{}, logbook.Routed(mux)))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	ask := func(method, path string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader("secret text"))
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true // or the client would try again what a panic cut off
		req.Header.Set("User-Agent", "secret browser")
		req.Header.Set("Referer", "https://secret.example")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil
		}
		_, _ = io.Copy(io.Discard, res.Body) // its end comes after the event
		res.Body.Close()
		return res
	}
	for _, c := range []struct {
		method, path, route, level, cause string
		status                            float64
	}{
		{"POST", "/report/secret-7?code=secret", "POST /report/{id}", "INFO", "", 200},
		{"GET", "/broken", "GET /broken", "ERROR", "a bug", 500},
		{"GET", "/reset", "GET /reset", "ERROR", "read the form: read tcp: connection reset", 500},
		{"GET", "/full", "GET /full", "WARN", "no space left", 503},
		{"GET", "/livez", "GET /livez", "DEBUG", "", 200},
		{"GET", "/stream", "GET /stream", "INFO", "", 200},
		{"GET", "/secret", "", "INFO", "", 404},
	} {
		b.Reset()
		res := ask(c.method, c.path)
		got := lines(t, &b)
		if len(got) != 1 {
			t.Fatalf("%s is %d events: %v", c.path, len(got), got)
		}
		e := got[0]
		cause, _ := e["error"].(string)
		if e["level"] != c.level || e["route"] != c.route || e["status"] != c.status || (c.cause == "") != (cause == "") || !strings.Contains(cause, c.cause) {
			t.Errorf("%s %s: %v", c.method, c.path, e)
		}
		if e["id"] != res.Header.Get(logbook.Header) || c.cause == "a bug" && e["id"] != res.Header.Get("X-Shown") {
			t.Errorf("%s: the caller was told %q and the log says %v", c.path, res.Header.Get(logbook.Header), e["id"])
		}
		if strings.Contains(b.String(), "secret") || strings.Contains(b.String(), "127.0.0.1") || strings.Contains(b.String(), "203.0.113") {
			t.Errorf("the log tells who asked for what: %s", b.String())
		}
	}
	b.Reset()
	ask("GET", "/panics")
	if got := lines(t, &b); len(got) != 2 || got[0]["panic"] != "deep inside" || got[1]["status"] != 500.0 || got[0]["id"] != got[1]["id"] {
		t.Errorf("a panic is logged as %v", got)
	}
}

func TestACallerWhoLeftIsNoError(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ref := logbook.Failed(ctx, log, context.Canceled); len(ref) != 8 || b.Len() > 0 {
		t.Errorf("%q, %s", ref, b.String())
	}
}

func TestWhatGoesOnIsSaidOnceAMinute(t *testing.T) {
	var b bytes.Buffer
	h := logbook.Steady(slog.NewJSONHandler(&b, nil))
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	say := func(h slog.Handler, after time.Duration, level slog.Level, msg string, args ...any) {
		t.Helper()
		r := slog.NewRecord(now.Add(after), level, msg, 0)
		r.Add(args...)
		if err := h.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for s := range 61 {
		say(h, time.Duration(s)*time.Second, slog.LevelError, "outbox", "error", "refused", "attempt", s)
	}
	got := lines(t, &b)
	if len(got) != 2 || got[1]["repeated"] != 59.0 {
		t.Errorf("61 alike in 61 s are written as %v", got)
	}
	b.Reset()
	say(h, 0, slog.LevelError, "sweep", "sweep", "notices", "error", "x")
	say(h, 0, slog.LevelError, "sweep", "sweep", "vault", "error", "x")
	say(h.WithAttrs([]slog.Attr{slog.String("part", "disk")}), 0, slog.LevelError, "not ready")
	say(h.WithAttrs([]slog.Attr{slog.String("part", "feed")}), 0, slog.LevelError, "not ready")
	for range 3 {
		say(h, 0, slog.LevelInfo, "started")
		say(h, 0, slog.LevelWarn, "request", "id", "7QK2M9XD", "status", 503)
	}
	if got := lines(t, &b); len(got) != 10 {
		t.Errorf("%d of 10 different lines are written: %v", len(got), got)
	}
}

// Of what may come from reporters only failures are logged, without size and
// duration.
func TestReportersLeaveNoEvent(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	mux := http.NewServeMux()
	status := http.StatusOK
	mux.HandleFunc("POST /report", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	h := logbook.Requests(log, logbook.Options{Private: func(r *http.Request) bool { return r.URL.Path == "/report" }}, logbook.Routed(mux))
	for _, c := range []struct{ status, events int }{{200, 0}, {422, 0}, {503, 0}, {500, 1}} {
		b.Reset()
		status = c.status
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", "/report", http.NoBody))
		got := lines(t, &b)
		if len(got) != c.events {
			t.Errorf("%d: %d events: %v", c.status, len(got), got)
			continue
		}
		for _, e := range got {
			if e["bytes"] != nil || e["took_ms"] != nil || e["route"] != "POST /report" {
				t.Errorf("%d: %v", c.status, e)
			}
		}
	}
}
