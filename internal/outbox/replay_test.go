package outbox_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
)

// ids are the identifiers that arrived, in order.
func (r *receiver) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, m := range r.got {
		all = append(all, m.header.Get("webhook-id"))
	}
	return all
}

// wantReplayed waits until the newest replay of an endpoint is done and its
// messages are accepted, and returns it.
func (x *exchange) wantReplayed(t *testing.T, endpoint string, want int) outbox.Replay {
	t.Helper()
	wantCount(t, x, 0, `SELECT count(*) FROM endpoint_replays WHERE endpoint_id = $1 AND done_at IS NULL`, endpoint)
	wantCount(t, x, 0, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND state = 'waiting'`, endpoint)
	all, err := x.box.Replays(t.Context(), x.admin, endpoint)
	if err != nil || len(all) == 0 || all[0].Queued != want {
		t.Fatalf("replayed %+v, want %d messages (%v)", all, want, err)
	}
	return all[0]
}

// Everything after a cursor comes again, under the ids that it had, also when
// our rows are gone, and what was taken before is no news to the rooms.
func TestWhatIsAskedForAgainComesUnderItsIds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r, beside := newReceiver(t), newReceiver(t)
		e, _ := x.endpoint(t, r.URL, "notice.*")
		also, _ := x.endpoint(t, beside.URL)
		x.run(t)
		const n = 130 // more than a page
		for range n {
			x.record(t, "notice.sent", x.admin.Party)
		}
		x.record(t, "case.urgent", x.admin.Party) // not asked for
		wantAccepted(t, x, e.ID, n)
		wantAccepted(t, x, also.ID, n+1)
		x.drain(t)
		first, news := r.ids(), x.news(t)
		x.clock.Advance(time.Minute)
		middle := sequence(t, r.got[n/2-1].body)
		if _, err := x.box.ReplayAfter(t.Context(), x.admin, e.ID, middle); err != nil {
			t.Fatal(err)
		}
		x.wantReplayed(t, e.ID, n/2)
		if got := r.ids()[n:]; strings.Join(got, " ") != strings.Join(first[n/2:], " ") {
			t.Errorf("came again %d, want the %d last of what came, in their order", len(got), n/2)
		}
		x.drain(t)
		if again := x.news(t); again != news {
			t.Errorf("the rooms were told of %d acceptances more", again-news)
		}
		for _, l := range x.history(t, e.ID, 200)[:n/2] {
			if !l.Repeat || l.N != 2 {
				t.Fatalf("the log says %+v", l)
			}
		}
		x.clock.Advance(outbox.KeepLog + time.Hour)
		if err := x.box.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCount(t, x, 0, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1`, e.ID)
		if _, err := x.box.ReplaySince(t.Context(), x.admin, e.ID, x.clock.Now().AddDate(-1, 0, 0)); err != nil {
			t.Fatal(err)
		}
		x.wantReplayed(t, e.ID, n)
		if got := r.ids()[n+n/2:]; strings.Join(got, " ") != strings.Join(first, " ") {
			t.Errorf("of what our rows forgot came %d, want %d under their ids", len(got), n)
		}
		x.drain(t)
		if again := x.news(t); again != news {
			t.Errorf("the rooms were told once more of %d acceptances that our rows forgot", again-news)
		}
		for _, l := range x.history(t, e.ID, 200)[:n] {
			if !l.Repeat {
				t.Fatalf("the log says that this was new to the receiver: %+v", l)
			}
		}
		if got := len(beside.ids()); got != n+1 {
			t.Errorf("another endpoint got %d, want %d", got, n+1)
		}
	})
}

// Everything since a time comes again, that time in the middle of what came, and
// what came after the clock was set back with it.
func TestWhatIsAskedForSinceATimeComesThoughTheClockWasSetBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		e, _ := x.endpoint(t, r.URL, "notice.*")
		x.run(t)
		since := x.clock.Now().Add(4 * time.Hour)
		sent := func(n int) {
			for range n {
				x.clock.Advance(time.Hour)
				x.record(t, "notice.sent", x.admin.Party)
			}
		}
		again := func(want int) {
			before := r.ids()
			if _, err := x.box.ReplaySince(t.Context(), x.admin, e.ID, since); err != nil {
				t.Fatal(err)
			}
			x.wantReplayed(t, e.ID, want)
			if got := len(r.ids()) - len(before); got != want {
				t.Errorf("came again %d, want %d", got, want)
			}
		}
		sent(6)
		wantAccepted(t, x, e.ID, 6)
		first := r.ids()
		again(3) // from the fourth hour on
		if got := r.ids()[6:]; strings.Join(got, " ") != strings.Join(first[3:], " ") {
			t.Errorf("came again %q, want the last three of %q", got, first)
		}
		x.clock.Advance(-12 * time.Hour)
		sent(5)
		wantAccepted(t, x, e.ID, 11)
		x.clock.Advance(24 * time.Hour)
		again(8)
	})
}

// news counts what the rooms hear of acceptances.
func (x *exchange) news(t *testing.T) int64 {
	t.Helper()
	n, err := db.Value[int64](t.Context(), x.db, `SELECT count(*) FROM feed_entries WHERE kind = 'delivery.accepted'`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A replay asks for one's own, one at a time, and not without bound.
func TestAReplayIsBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		e, _ := x.endpoint(t, "https://hooks.example/x")
		x.record(t, "notice.sent", x.admin.Party)
		program, reader, away, foreign := x.admin, x.admin, x.admin, x.platform(t, "kabarkita")
		program.Touched, program.APIKey = false, "k"
		away.Touched = false
		reader.Roles = []party.Role{party.Analyst}
		for name, by := range map[string]party.Actor{"an analyst": reader, "who was not there": away, "another organisation": foreign} {
			if _, err := x.box.ReplayAfter(t.Context(), by, e.ID, 0); err == nil {
				t.Errorf("%s asked for it after an entry", name)
			}
			if _, err := x.box.ReplaySince(t.Context(), by, e.ID, x.clock.Now()); err == nil {
				t.Errorf("%s asked for it since a time", name)
			}
		}
		if _, err := x.box.ReplayAfter(t.Context(), foreign, e.ID, 0); fault.Of(err) != fault.NotFound {
			t.Errorf("another organisation: %v", err)
		}
		if _, err := x.box.Replays(t.Context(), foreign, e.ID); fault.Of(err) != fault.NotFound {
			t.Errorf("another organisation reads what was asked for: %v", err)
		}
		if _, err := x.box.ReplayAfter(t.Context(), program, e.ID, 0); err != nil {
			t.Errorf("its program: %v", err)
		}
		if _, err := x.box.ReplayAfter(t.Context(), x.admin, e.ID, 0); !fault.Is(err, "outbox.replay-running") {
			t.Errorf("a second: %v", err)
		}
		x.forge(t, `UPDATE endpoint_replays SET done_at = 1 WHERE endpoint_id = $1`, e.ID, "")
		last, err := feed.Last(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		x.forge(t, `
			WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < 10001)
			INSERT INTO feed_entries (seq, id, kind, object, object_id, ref, data, at, sequenced_at, chain)
			SELECT (SELECT max(seq) FROM feed_entries) + n, 'more-' || n, 'notice.sent', 'notice', 'n1', '', '{}', 1, 1, '' FROM more WHERE $1 <> ''`, "-", "")
		x.forge(t, `INSERT INTO feed_audience (party_id, seq) SELECT $1, seq FROM feed_entries WHERE id LIKE 'more-%'`, string(x.admin.Party), "")
		x.forge(t, `UPDATE feed_head SET seq = (SELECT max(seq) FROM feed_entries) WHERE $1 <> ''`, "-", "")
		for pointer, ask := range map[string]func() (outbox.Replay, error){
			"/after": func() (outbox.Replay, error) { return x.box.ReplayAfter(t.Context(), x.admin, e.ID, last) },
			"/since": func() (outbox.Replay, error) {
				return x.box.ReplaySince(t.Context(), x.admin, e.ID, time.UnixMicro(1))
			},
		} {
			_, err := ask()
			if f, ok := fault.As(err); !ok || f.Code != "outbox.replay-many" || f.Field != pointer {
				t.Errorf("10,001 entries by %s: %+v", pointer, err)
			}
		}
		if _, err := x.box.ReplayAfter(t.Context(), x.admin, e.ID, last+1); err != nil {
			t.Errorf("10,000 entries: %v", err)
		}
	})
}

// Nobody has messages sent again by SQL, nor one's program what does not concern
// it any more.
func TestForgedReplaysSendNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		e, _ := x.endpoint(t, r.URL)
		other := x.platform(t, "kabarkita")
		var elsewhere atomic.Bool
		x.box.Concerned = func(_ context.Context, _ *db.Tx, entry feed.Entry) ([]string, error) {
			if elsewhere.Load() {
				return []string{string(other.Party)}, nil
			}
			return entry.Audience, nil
		}
		x.run(t)
		x.record(t, "notice.sent", x.admin.Party)
		wantAccepted(t, x, e.ID, 1)
		for _, forged := range []string{
			`INSERT INTO endpoint_replays (id, endpoint_id, party_id, after_seq, until_seq, asked_by, asked_at, mac, next_seq, queued)
				VALUES ('forged', $1, $2, 0, 100, 'somebody', 1, '', 0, 0)`,
			`INSERT INTO endpoint_replays (id, endpoint_id, party_id, after_seq, until_seq, asked_by, asked_at, mac, next_seq, queued)
				SELECT 'copy', endpoint_id, party_id, 0, 100, asked_by, asked_at, mac, 0, 0 FROM endpoint_replays WHERE id = 'forged' AND endpoint_id = $1 AND party_id = $2`,
		} {
			x.forge(t, forged, e.ID, string(x.admin.Party))
			wantCount(t, x, 0, `SELECT count(*) FROM endpoint_replays WHERE endpoint_id = $1 AND done_at IS NULL`, e.ID)
		}
		elsewhere.Store(true)
		if _, err := x.box.ReplayAfter(t.Context(), x.admin, e.ID, 0); err != nil {
			t.Fatal(err)
		}
		x.wantReplayed(t, e.ID, 0)
		if got := r.ids(); len(got) != 1 {
			t.Errorf("%d messages came, want the first alone", len(got))
		}
	})
}
