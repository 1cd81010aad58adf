package outbox_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/outbox"
)

// drain gives every pending entry its place.
func (x *exchange) drain(t *testing.T) {
	t.Helper()
	for n := 1; n > 0; {
		var err error
		if n, err = x.feed.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// history reads an endpoint's whole log, page by page.
func (x *exchange) history(t *testing.T, endpoint string, page int) []outbox.LogEntry {
	t.Helper()
	var all []outbox.LogEntry
	for at := (outbox.Cursor{}); ; {
		rows, next, err := x.box.History(t.Context(), x.admin, endpoint, at, page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rows...)
		if next == (outbox.Cursor{}) {
			return all
		}
		if at, err = outbox.ParseCursor(next.String()); err != nil {
			t.Fatal(err)
		}
	}
}

// The log of an endpoint is every attempt, the newest first, however many a
// page has, for its own administrators alone.
func TestTheLogIsEveryAttempt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r, beside := newReceiver(t), newReceiver(t)
		e, _ := x.endpoint(t, r.URL)
		x.endpoint(t, beside.URL)
		r.answer(http.StatusServiceUnavailable)
		x.run(t)
		x.record(t, "notice.sent", x.admin.Party)
		wantCount(t, x, 1, `SELECT count(*) FROM delivery_attempts WHERE endpoint_id = $1`, e.ID)
		r.answer(http.StatusNoContent)
		x.clock.Advance(time.Minute)
		const more = 6 // in the same instant
		for range more {
			x.record(t, "notice.message", x.admin.Party)
		}
		wantAccepted(t, x, e.ID, 1+more)
		for _, page := range []int{1, 2, 3, more + 2, 100} {
			all := x.history(t, e.ID, page)
			if len(all) != more+2 {
				t.Fatalf("by %d: %d attempts, want %d", page, len(all), more+2)
			}
			first := all[len(all)-1]
			if first.OK() || first.Status != http.StatusServiceUnavailable || first.N != 1 || first.Type != "notice.sent" || first.Ref != "DEMO-PH-2026-00001" || first.State != outbox.Accepted {
				t.Errorf("by %d: the first is %+v", page, first)
			}
			seen := map[string]bool{}
			for i, l := range all {
				if i > 0 && l.At.After(all[i-1].At) {
					t.Errorf("by %d: %v stands after %v", page, l.At, all[i-1].At)
				}
				if seen[l.Message] && l.Message != first.Message {
					t.Errorf("by %d: %s twice", page, l.Message)
				}
				seen[l.Message] = true
			}
		}
		other := x.platform(t, "kabarkita")
		if _, _, err := x.box.History(t.Context(), other, e.ID, outbox.Cursor{}, 10); fault.Of(err) != fault.NotFound {
			t.Errorf("another platform reads it: %v", err)
		}
	})
}

// What a program keeps in a link may come back altered.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "1.m.1", "..", "-1.m.1", "9223372036854775808.m.1", "1.m.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := outbox.ParseCursor(s)
		if err != nil {
			if fault.Of(err) != fault.Invalid {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if again, err := outbox.ParseCursor(c.String()); err != nil || again != c {
			t.Errorf("%q becomes %q: %v", s, c, err)
		}
	})
}

// A test goes out once and at once, past a backlog and a pause, and says what
// became of it; one that fails is no failure of what happens.
func TestATestSaysWhatBecameOfIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		e, _ := x.endpoint(t, r.URL)
		if _, ok, err := x.box.LastTrial(t.Context(), x.admin, e.ID); err != nil || ok {
			t.Errorf("a test before any: %v %v", ok, err)
		}
		r.answer(http.StatusBadGateway)
		x.run(t)
		x.record(t, "notice.sent", x.admin.Party) // and now it waits some seconds for the next
		wantCount(t, x, 1, `SELECT count(*) FROM delivery_attempts WHERE endpoint_id = $1`, e.ID)
		try := func() outbox.Trial {
			t.Helper()
			entry, err := x.box.Test(t.Context(), x.admin, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			x.drain(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			trial, ok, err := x.box.AwaitTrial(ctx, x.admin, e.ID, entry)
			if err != nil || !ok || !trial.Done || trial.Entry != entry {
				t.Fatalf("the test is %+v %v: %v", trial, ok, err)
			}
			return trial
		}
		if got := try(); got.OK() || got.Status != http.StatusBadGateway || got.State != outbox.GivenUp || got.N != 1 {
			t.Errorf("refused, the test says %+v", got)
		}
		if now, err := x.box.Endpoint(t.Context(), x.admin, e.ID); err != nil || now.Failures != 1 {
			t.Errorf("a test counts: %+v %v", now, err)
		}
		x.forge(t, `UPDATE endpoints SET paused_at = 1 WHERE id = $1`, e.ID, "")
		r.answer(http.StatusOK)
		if got := try(); !got.OK() || got.Status != http.StatusOK || got.State != outbox.Accepted {
			t.Errorf("taken, the test says %+v", got)
		}
		if now, err := x.box.Endpoint(t.Context(), x.admin, e.ID); err != nil || now.Health() != outbox.Paused || now.Waiting != 1 {
			t.Errorf("a test ends no pause: %+v %v", now, err)
		}
		if n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM feed_pending WHERE kind = 'delivery.given-up'`); err != nil || n != 0 {
			t.Errorf("%d tests are news as given up (%v)", n, err)
		}
	})
}

// What is over is kept for its time and no longer; what waits stays.
func TestTheLogIsKeptForItsTime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		e, _ := x.endpoint(t, r.URL)
		x.run(t)
		const old = 3
		for range old {
			x.record(t, "notice.sent", x.admin.Party)
		}
		wantAccepted(t, x, e.ID, old)
		x.clock.Advance(outbox.KeepLog + time.Second)
		x.record(t, "notice.message", x.admin.Party)
		wantAccepted(t, x, e.ID, old+1)
		x.forge(t, `UPDATE endpoints SET paused_at = 1 WHERE id = $1`, e.ID, "")
		x.record(t, "notice.reminded", x.admin.Party)
		x.forge(t, `UPDATE deliveries SET created_at = 1 WHERE type = 'notice.reminded' AND endpoint_id = $1`, e.ID, "")
		if err := x.box.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := x.history(t, e.ID, 10); len(all) != 1 || all[0].Type != "notice.message" {
			t.Errorf("the log holds %+v", all)
		}
		wantCount(t, x, 2, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1`, e.ID)
	})
}
