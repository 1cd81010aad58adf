package outbox_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
)

// told counts what the feed says about an endpoint.
func (x *exchange) told(t *testing.T, kind, endpoint string) int64 {
	t.Helper()
	x.drain(t)
	n, err := db.Value[int64](t.Context(), x.db, `SELECT count(*) FROM feed_entries WHERE kind = $1 AND object_id = $2`, kind, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// logLines is what an operator reads, line by line.
type logLines chan string

// logged has what the outbox logs come to the test. Before run.
func (x *exchange) logged() logLines {
	lines := make(logLines, 100)
	x.box.Log = slog.New(slog.NewTextHandler(lines, nil))
	return lines
}

// Write takes one line of the log.
func (l logLines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// wants says that the next line of the log has this level and begins with this
// text, names the organisation and the endpoint, and not where it is.
func (l logLines) wants(t *testing.T, what, where, endpoint string) {
	t.Helper()
	level, text, _ := strings.Cut(what, " ")
	select {
	case line := <-l:
		for _, want := range []string{"level=" + level, `msg="` + text, "organisation=ruangsuara", "endpoint=" + endpoint} {
			if !strings.Contains(line, want) {
				t.Errorf("the log says %q without %q", line, want)
			}
		}
		if strings.Contains(line, strings.TrimPrefix(where, "http://")) {
			t.Errorf("the log tells the address: %q", line)
		}
	case <-time.After(patience):
		t.Errorf("the log does not say %q", what)
	}
}

// state reads an endpoint.
func (x *exchange) state(t *testing.T, id string) outbox.Endpoint {
	t.Helper()
	e, err := x.box.Endpoint(t.Context(), x.admin, id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// again lets an hour pass and waits for the attempt that is due then.
func (x *exchange) again(t *testing.T, endpoint string, wait time.Duration) {
	t.Helper()
	n, err := db.Value[int64](t.Context(), x.db, `SELECT count(*) FROM delivery_attempts WHERE endpoint_id = $1`, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	x.clock.Advance(wait)
	x.box.Wake()
	wantCount(t, x, int(n)+1, `SELECT count(*) FROM delivery_attempts WHERE endpoint_id = $1`, endpoint)
}

// An endpoint that gives no answer for a week is paused: its people are told
// when it begins to fail and when it is paused, nothing is lost, and a person
// lets it go on.
func TestAnEndpointThatStaysAwayIsPausedAndLosesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		r.answer(http.StatusBadGateway)
		e, _ := x.endpoint(t, r.URL)
		log := x.logged()
		x.run(t)
		x.record(t, "notice.sent", x.admin.Party)
		wantCount(t, x, 1, `SELECT count(*) FROM delivery_attempts WHERE endpoint_id = $1`, e.ID)
		begun := x.clock.Now()
		if got := x.state(t, e.ID); got.Health() != outbox.Failing || got.Failures != 1 || !got.FailingSince.Equal(begun) {
			t.Errorf("after one failure: %+v", got)
		}
		for i := range 4 {
			if n := x.told(t, outbox.EventFailing, e.ID); n != 0 {
				t.Errorf("told after %d failures", i+1)
			}
			x.again(t, e.ID, time.Hour+10*time.Minute)
		}
		for x.clock.Now().Sub(begun) < outbox.PauseAfter {
			if got := x.state(t, e.ID); got.Health() != outbox.Failing {
				t.Fatalf("after %v it is %s", x.clock.Now().Sub(begun), got.Health())
			}
			x.again(t, e.ID, 27*time.Hour)
		}
		if got := x.state(t, e.ID); got.Health() != outbox.Paused || !got.PausedAt.Equal(x.clock.Now()) {
			t.Fatalf("after %v: %+v", x.clock.Now().Sub(begun), got)
		}
		if failing, paused := x.told(t, outbox.EventFailing, e.ID), x.told(t, outbox.EventPaused, e.ID); failing != 1 || paused != 1 {
			t.Errorf("told %d times that it fails and %d times that it is paused, want once each", failing, paused)
		}
		log.wants(t, "WARN a webhook fails", r.URL, e.ID)
		log.wants(t, "WARN a webhook is paused", r.URL, e.ID)
		r.answer(http.StatusOK)
		tried := len(x.history(t, e.ID, 100))
		x.clock.Advance(3 * 24 * time.Hour)
		x.record(t, "notice.message", x.admin.Party)
		beside, _ := x.endpoint(t, r.URL, "notice.reminded")
		x.record(t, "notice.reminded", x.admin.Party)
		wantAccepted(t, x, beside.ID, 1) // the sender has looked since
		if n := len(x.history(t, e.ID, 100)); n != tried {
			t.Errorf("%d attempts while paused", n-tried)
		}
		if err := x.box.Resume(t.Context(), x.admin, e.ID); err != nil {
			t.Fatal(err)
		}
		wantAccepted(t, x, e.ID, 3)
		if got := x.state(t, e.ID); got.Health() != outbox.Well || got.Failures != 0 {
			t.Errorf("resumed: %+v", got)
		}
		seen := map[string]bool{}
		for _, l := range x.history(t, e.ID, 100) {
			seen[l.Message] = true
		}
		if len(seen) != 3 {
			t.Errorf("%d messages came, want 3, each under one id", len(seen))
		}
	})
}

// An endpoint that answers, and refuses, is said to fail and never paused.
func TestAnEndpointThatRefusesIsNotPaused(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	r := newReceiver(t)
	r.answer(http.StatusNotFound)
	e, _ := x.endpoint(t, r.URL)
	log := x.logged()
	x.run(t)
	x.record(t, "notice.sent", x.admin.Party)
	wantCount(t, x, 1, `SELECT count(*) FROM delivery_attempts WHERE endpoint_id = $1`, e.ID)
	for range 12 {
		x.again(t, e.ID, 27*time.Hour)
	}
	got := x.state(t, e.ID)
	if got.Health() != outbox.Failing || got.Failures != 13 || !got.DownSince.IsZero() {
		t.Errorf("it is %+v", got)
	}
	if n := x.told(t, outbox.EventFailing, e.ID); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
	log.wants(t, "WARN a webhook fails", r.URL, e.ID)
	r.answer(http.StatusOK)
	x.again(t, e.ID, 27*time.Hour)
	log.wants(t, "INFO a webhook that failed works again", r.URL, e.ID)
	if n := x.told(t, "webhook.recovered", e.ID); n != 1 || x.state(t, e.ID).Health() != outbox.Well {
		t.Errorf("once it takes messages: told %d times, %s", n, x.state(t, e.ID).Health())
	}
}

// Whoever resumes has to be there, and has to be one of its people.
func TestResumingTakesAPersonOfItsParty(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	e, _ := x.endpoint(t, "https://hooks.example/x")
	x.forge(t, `UPDATE endpoints SET paused_at = 1 WHERE id = $1`, e.ID, "")
	away, program, reader := x.admin, x.admin, x.admin
	away.Touched = false
	program.Touched, program.APIKey = false, "k"
	reader.Roles = []party.Role{party.Analyst}
	for name, by := range map[string]party.Actor{"who is not there": away, "a program": program, "no administrator": reader, "another platform": x.platform(t, "kabarkita")} {
		if err := x.box.Resume(t.Context(), by, e.ID); err == nil {
			t.Errorf("%s resumed it", name)
		}
	}
	if x.state(t, e.ID).Health() != outbox.Paused {
		t.Error("it is not paused any more")
	}
	x.forge(t, `UPDATE endpoints SET url = 'https://thief.example/x' WHERE id = $1`, e.ID, "")
	if err := x.box.Resume(context.WithoutCancel(t.Context()), x.admin, e.ID); err == nil {
		t.Error("an altered endpoint was resumed")
	}
}
