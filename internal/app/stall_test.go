package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// A swallower stands between a server and its PostgreSQL. When told to, it takes
// every byte and passes none on: nothing breaks, nothing answers.
type swallower struct {
	to        string
	swallows  atomic.Bool
	listener  net.Listener
	mu        sync.Mutex
	open      []net.Conn // guarded by mu
	untilGone sync.WaitGroup
}

// swallowing returns a way to the database at dbURL that leads over a swallower.
func swallowing(t *testing.T, dbURL string) (string, *swallower) {
	t.Helper()
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	s := &swallower{to: u.Host}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = s.listener.Addr().String()
	s.untilGone.Go(s.accept)
	t.Cleanup(func() {
		s.listener.Close()
		s.mu.Lock()
		for _, c := range s.open {
			c.Close()
		}
		s.mu.Unlock()
		s.untilGone.Wait()
	})
	return u.String(), s
}

func (s *swallower) accept() {
	for {
		from, err := s.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", s.to)
		if err != nil {
			from.Close()
			continue
		}
		s.mu.Lock()
		s.open = append(s.open, from, to)
		s.mu.Unlock()
		s.untilGone.Go(func() { s.pass(from, to) })
		s.untilGone.Go(func() { s.pass(to, from) })
	}
}

// pass copies until one side ends, and then ends the other.
func (s *swallower) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !s.swallows.Load() {
			if _, werr := to.Write(b[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// stallWithin is when everybody must have been told that the database is silent:
// db.SilentAfter, one beat more, and a machine that has other things to do.
const stallWithin = db.SilentAfter + 12*time.Second

// statusAfter asks and returns the answer's status, how long it took, and when to
// come again.
func statusAfter(t *testing.T, by *http.Client, method, url, key, body string) (int, time.Duration, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stallWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Body = io.NopCloser(&oneRead{[]byte(body)})
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	begun := time.Now()
	res, err := by.Do(req)
	if err != nil {
		t.Errorf("%s %s has no answer after %v: %v", method, url, time.Since(begun), err)
		return 0, time.Since(begun), ""
	}
	defer res.Body.Close()
	return res.StatusCode, time.Since(begun), res.Header.Get("Retry-After")
}

type oneRead struct{ left []byte }

// Read gives what is left.
func (r *oneRead) Read(b []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}

// A PostgreSQL that is frozen breaks no connection. Whoever waits for it hears
// so within a set time, whoever comes later at once, /readyz says it, and
// everything goes on by itself when it is back.
func TestAFrozenDatabaseIsSaidAndOutlived(t *testing.T) {
	t.Parallel()
	through, proxy := swallowing(t, dbtest.PostgresURL(t))
	x := exchangetest.StartOn(t, through, clock.System{})
	s := inIndonesia(t, x)
	s.report(t, 1)
	key := x.Cast(t, "analyst").WithAPIKey(t).APIKey
	report := `{"locations":["https://ruangsuara.example/v/77"],"category":"recruitment","agency":"` + s.analyst.Code + `","description":"Invented."}`
	program, browser := http.DefaultClient, x.As(t, "analyst").Browser
	asked := []struct {
		by                      *http.Client
		method, path, key, body string
	}{
		{program, "GET", "/api/v1/cases", key, ""}, {program, "POST", "/api/v1/reports", "", report}, {browser, "GET", "/triage", "", ""},
	}
	proxy.swallows.Store(true)
	for _, round := range []struct {
		name   string
		within time.Duration
	}{{"while it falls silent", stallWithin}, {"once it is known to be silent", db.SilentAfter}} {
		var all sync.WaitGroup
		for _, a := range asked {
			all.Go(func() {
				status, took, again := statusAfter(t, a.by, a.method, x.URL+a.path, a.key, a.body)
				if status != http.StatusServiceUnavailable || took > round.within || again == "" && a.by == program {
					t.Errorf("%s, %s %s: %d after %v, to come again after %q", round.name, a.method, a.path, status, took, again)
				}
			})
		}
		all.Wait()
	}
	wantPart(t, x, "database", app.Failing)
	if res, err := http.Get(x.URL + "/livez"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the process lives: %v %v", res, err)
	}
	proxy.swallows.Store(false)
	wantPart(t, x, "database", app.Fine)
	nobody := clientOf(t, x, "")
	s.report(t, 2)
	eventually(t, "what was reported to have its place", func() bool {
		n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM feed_pending`)
		return err == nil && n == 0
	})
	var r receiptView
	nobody.must(t, "GET", "/receipts", nil, &r, "Receipt: "+s.receipt)
	if steps := r.steps(); steps == "" {
		t.Error("the receipt shows nothing")
	}
}
