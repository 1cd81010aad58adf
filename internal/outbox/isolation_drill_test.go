package outbox_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/porttest"
	"github.com/tangkal/tangkal/internal/scaletest"
)

// The drill of threat T19: one endpoint accepts and never answers, one refuses
// connections, one answers 500. Events come one after another, and the healthy
// endpoint beside them has 99 of 100 no more than a second later than without
// them; and none waits for an attempt elsewhere, which the hanging one lets last
// for ten seconds.
func TestDrillSickEndpointsDelayNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := startAt(t, d, clock.System{})
		healthy, arrived := listening(t)
		x.endpoint(t, healthy)
		x.run(t)
		x.order(t)
		n := max(scaletest.Of(1000), 50)
		alone := x.delays(t, n, arrived)
		hung := hanging(t)
		for _, s := range []string{hung.url, refusing(t), failing(t)} {
			x.endpoint(t, s)
		}
		if x.waits(t, hung, arrived) {
			t.Error("the healthy one waited for an attempt at another")
		}
		beside := x.delays(t, n, arrived)
		at := func(all []time.Duration, p float64) time.Duration {
			return all[int(p*float64(len(all)-1))].Round(10 * time.Microsecond)
		}
		t.Logf("%s, %d events: alone p50 %v, p99 %v; beside a hanging, a refusing and a failing endpoint p50 %v, p99 %v, at most %v",
			d.Dialect(), n, at(alone, 0.5), at(alone, 0.99), at(beside, 0.5), at(beside, 0.99), at(beside, 1))
		if scaletest.Percent() == 100 && at(beside, 0.99)-at(alone, 0.99) > time.Second { // fifty say nothing on a busy machine
			t.Error("the sick ones delay the healthy one by more than a second")
		}
		wantCount(t, x, 3, `SELECT count(*) FROM endpoints WHERE last_ok_at IS NULL AND $1 = ''`, "")
		wantCount(t, x, 3*(n+2), `SELECT count(*) FROM deliveries WHERE state = 'waiting' AND $1 = ''`, "")
	})
}

// The drill sees it when one sender serves all, one after the other.
func TestDrillSickEndpointsFindsOneSenderForAll(t *testing.T) {
	t.Parallel()
	x := startAt(t, dbtest.SQLite(t), clock.System{})
	hung := hanging(t)
	var one sync.Mutex
	send := x.box.Send
	x.box.Send = func(ctx context.Context, m outbox.Message) outbox.Result {
		one.Lock()
		defer one.Unlock()
		if m.URL != hung.url {
			return send(ctx, m)
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second) // the product's attempt lasts longer, and ends alike
		defer cancel()
		r := send(ctx, m)
		hung.left(t)
		return r
	}
	healthy, arrived := listening(t)
	x.endpoint(t, healthy)
	x.endpoint(t, hung.url)
	x.run(t)
	x.order(t)
	if !x.waits(t, hung, arrived) {
		t.Error("one sender serves all, and the drill does not see that the healthy one waits for the hanging one")
	}
}

// waits reports whether an event that comes while an attempt at the hanging one
// goes on arrives at the healthy one only once it is over.
func (x *exchange) waits(t *testing.T, hung *hungOne, arrived <-chan string) bool {
	t.Helper()
	x.delays(t, 1, arrived)
	select {
	case <-hung.opened:
	case <-time.After(patience):
		t.Fatal("nothing is sent to the hanging one")
	}
	x.delays(t, 1, arrived)
	return len(hung.ended) > 0
}

// delays has n events come, each after the one before has arrived, and returns
// how long each took from its commit on, sorted.
func (x *exchange) delays(t *testing.T, n int, arrived <-chan string) []time.Duration {
	t.Helper()
	var all []time.Duration
	for i := range n {
		if err := x.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := x.feed.Record(ctx, tx, feed.Event{Kind: "notice.sent", Object: "notice", ObjectID: fmt.Sprint(i), Audience: []string{string(x.admin.Party)}, At: time.Now()})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		select {
		case <-arrived:
			all = append(all, time.Since(from))
		case <-time.After(patience):
			t.Fatalf("event %d never arrived", i)
		}
	}
	slices.Sort(all)
	return all
}

// order gives entries their place as they come; it stops with t.
func (x *exchange) order(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.feed.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// listening answers, and tells the id of each message.
func listening(t *testing.T) (url string, arrived <-chan string) {
	t.Helper()
	ids := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // of no further use
		ids <- r.Header.Get("webhook-id")
	}))
	t.Cleanup(s.Close)
	return s.URL, ids
}

// A hungOne accepts connections and never answers. It says when an attempt
// has begun and when the sender has ended one.
type hungOne struct {
	url           string
	opened, ended chan struct{}
}

// hanging starts a hungOne.
func hanging(t *testing.T) *hungOne {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h := &hungOne{"http://" + l.Addr().String(), make(chan struct{}, 1000), make(chan struct{}, 1000)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.opened <- struct{}{}
			go func() {
				defer c.Close()
				io.Copy(io.Discard, c) //nolint:errcheck // until the sender leaves
				h.ended <- struct{}{}
			}()
		}
	}()
	return h
}

// left waits until the receiver has seen a sender leave.
func (h *hungOne) left(t *testing.T) {
	select {
	case <-h.ended:
		h.ended <- struct{}{}
	case <-time.After(patience):
		t.Error("an attempt does not end")
	}
}

// refusing is where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	return "http://" + porttest.Reserve(t)
}

// failing answers 500.
func failing(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(s.Close)
	return s.URL
}
