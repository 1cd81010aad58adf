package outbox_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/outbox"
)

// A forgery is one statement of somebody who can write rows and holds no key.
// $1 is the endpoint that they attack, $2 one of another party's.
type forgery struct{ column, statement string }

// forgeries change every column that says what leaves, to whom and signed with
// what.
func forgeries(thief string) []forgery {
	all := []forgery{
		{"deliveries.id", `UPDATE deliveries SET id = 'forged-' || $1 WHERE endpoint_id = $1`},
		{"deliveries.endpoint_id", `UPDATE deliveries SET endpoint_id = $1, seq = seq + 100000 WHERE endpoint_id = $2`},
		{"deliveries.party_id", `UPDATE deliveries SET party_id = (SELECT party_id FROM endpoints WHERE id = $2) WHERE endpoint_id = $1`},
		{"deliveries.seq", `UPDATE deliveries SET seq = seq + 100000 WHERE endpoint_id = $1`},
		{"deliveries.type", `UPDATE deliveries SET type = 'crisis.declared' WHERE endpoint_id = $1`},
		{"deliveries.object", `UPDATE deliveries SET object = 'case' WHERE endpoint_id = $1`},
		{"deliveries.object_id", `UPDATE deliveries SET object_id = 'n2' WHERE endpoint_id = $1`},
		{"deliveries.ref", `UPDATE deliveries SET ref = 'DEMO-PH-2026-00002' WHERE endpoint_id = $1`},
		{"deliveries.body", `UPDATE deliveries SET body = (SELECT body FROM deliveries WHERE endpoint_id = $2) WHERE endpoint_id = $1`},
		{"deliveries.created_at", `UPDATE deliveries SET created_at = created_at + 1 WHERE endpoint_id = $1`},
		{"deliveries.mac", `UPDATE deliveries SET mac = NULL WHERE endpoint_id = $1`},
		{"deliveries.mac", `UPDATE deliveries SET mac = (SELECT mac FROM deliveries WHERE endpoint_id = $2) WHERE endpoint_id = $1`},
		{"deliveries.id", `INSERT INTO deliveries (id, endpoint_id, party_id, seq, type, object, object_id, ref, body, state, attempts, next_at, created_at, mac)
			SELECT 'copy-' || $1, endpoint_id, party_id, seq + 200000, type, object, object_id, ref, body, 'waiting', 0, 0, created_at, mac FROM deliveries WHERE endpoint_id = $1`},
		{"endpoints.url", `UPDATE endpoints SET url = '` + thief + `/elsewhere' WHERE id = $1`},
		{"endpoints.party_id", `UPDATE endpoints SET party_id = (SELECT party_id FROM endpoints WHERE id = $2) WHERE id = $1`},
		{"endpoints.events", `UPDATE endpoints SET events = '{' WHERE id = $1`},
		{"endpoints.label", `UPDATE endpoints SET label = 'x' WHERE id = $1`},
		{"endpoints.public", `UPDATE endpoints SET public = (SELECT public FROM endpoints WHERE id = $2) WHERE id = $1`},
		{"endpoints.previous_until", `UPDATE endpoints SET previous_until = 1 WHERE id = $1`},
		{"endpoints.created_at", `UPDATE endpoints SET created_at = 1 WHERE id = $1`},
		{"endpoints.mac", `UPDATE endpoints SET mac = NULL WHERE id = $1`},
		{"endpoints.mac", `UPDATE endpoints SET mac = (SELECT mac FROM endpoints WHERE id = $2) WHERE id = $1`},
		{"endpoints.id", `INSERT INTO endpoints (id, party_id, url, label, events, secret_sealed, private_sealed, public, active, created_at, mac)
			SELECT 'copy-' || $1, party_id, '` + thief + `', label, events, secret_sealed, private_sealed, public, TRUE, created_at, mac FROM endpoints WHERE id = $1`},
	}
	for _, c := range []string{"secret_sealed", "private_sealed", "previous_secret_sealed", "previous_private_sealed"} {
		from := strings.TrimPrefix(c, "previous_")
		all = append(all, forgery{"endpoints." + c, `UPDATE endpoints SET ` + c + ` = (SELECT ` + from + ` FROM endpoints WHERE id = $2) WHERE id = $1`})
	}
	return all
}

// observed are the columns that say only how the way was: with them a true
// message can be sent again, or held back, and no other.
var observed = []string{
	"deliveries.state", "deliveries.attempts", "deliveries.next_at", "deliveries.done_at", "deliveries.last_status", "deliveries.last_error",
	"deliveries.lane", "deliveries.queued_at", "deliveries.tried_before", "deliveries.accepted_at",
	"endpoints.failures", "endpoints.down_since", "endpoints.told_at", "endpoints.paused_at",
	"endpoints.last_ok_at", "endpoints.failing_since", "endpoints.retry_at", "endpoints.active", // active: TestARemovedEndpointStaysRemoved
}

// Whatever somebody writes into the rows of the outbox, the instance signs and
// sends only what it decided, and says that something is wrong.
func TestForgedRowsAreNotSent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		log := &lines{}
		x.box.Log = slog.New(slog.NewTextHandler(log, nil))
		thief, honest := newReceiver(t), newReceiver(t)
		all := forgeries(thief.URL)
		everyColumn(t, d, all)
		for i, f := range all {
			victim, other := x.platform(t, fmt.Sprintf("victim-%d", i)), x.platform(t, fmt.Sprintf("other-%d", i))
			e, _, err := x.box.AddEndpoint(t.Context(), victim, thief.URL, "", []string{"notice.*"})
			if err != nil {
				t.Fatal(err)
			}
			o, _, err := x.box.AddEndpoint(t.Context(), other, honest.URL, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			x.record(t, "notice.sent", victim.Party)
			x.record(t, "notice.sent", other.Party)
			x.forge(t, f.statement, e.ID, o.ID)
			if f.column == "endpoints.id" { // and a message for the endpoint of their own
				x.forge(t, `UPDATE deliveries SET endpoint_id = 'copy-' || $1 WHERE endpoint_id = $1 AND $2 <> ''`, e.ID, o.ID)
			}
			if f.column == "deliveries.endpoint_id" || f.column == "deliveries.id" && strings.HasPrefix(f.statement, "INSERT") {
				// What is $1's own is true and goes: leave the forged one alone.
				x.forge(t, `DELETE FROM deliveries WHERE endpoint_id = $1 AND seq < 100000 AND $2 <> ''`, e.ID, o.ID)
			}
		}
		x.run(t)
		wantCount(t, x, 0, `SELECT count(*) FROM deliveries WHERE state = 'waiting' AND $1 = ''`, "")
		if n := len(thief.arrived); n != 0 {
			t.Errorf("%d forged messages were signed and sent: the first is %+v", n, <-thief.arrived)
		}
		// The other's message is true, but for the one that was taken from it.
		if n := len(honest.arrived); n != len(all)-1 {
			t.Errorf("%d true messages arrived, want %d", n, len(all)-1)
		}
		wantCount(t, x, len(all), `SELECT count(*) FROM deliveries WHERE state = 'given-up' AND last_error = $1`, outbox.Altered)
		if n, err := x.box.AlteredSince(t.Context(), x.clock.Now()); err != nil || int(n) != len(all) {
			t.Errorf("%d altered are told of (%v), want %d", n, err, len(all))
		}
		if n := log.count("was not sent"); n != len(all) {
			t.Errorf("%d lines in the log, want one for each of %d", n, len(all))
		}
	})
}

// everyColumn fails for a column that is neither forged above nor observed.
func everyColumn(t *testing.T, d *db.DB, all []forgery) {
	t.Helper()
	tables, err := db.Tables(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, table := range tables {
		if table.Name != "endpoints" && table.Name != "deliveries" {
			continue
		}
		for _, c := range table.Columns {
			name := table.Name + "." + c
			if seen++; !slices.Contains(observed, name) && !slices.ContainsFunc(all, func(f forgery) bool { return f.column == name }) {
				t.Errorf("nobody forges %s: put it under the MAC and into this test", name)
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d columns were looked at", seen)
	}
}

// forge runs a statement beside the program; it must change something.
func (x *exchange) forge(t *testing.T, statement, one, two string) {
	t.Helper()
	args := []any{one, two}
	if !strings.Contains(statement, "$2") {
		args = args[:1]
	}
	err := x.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, statement, args...)
		if err == nil && n == 0 {
			err = fmt.Errorf("changed nothing")
		}
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// An endpoint that its party removed does not come to life by SQL.
func TestARemovedEndpointStaysRemoved(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		e, _ := x.endpoint(t, r.URL)
		x.record(t, "notice.sent", x.admin.Party)
		if err := x.box.RemoveEndpoint(t.Context(), x.admin, e.ID); err != nil {
			t.Fatal(err)
		}
		x.forge(t, `UPDATE endpoints SET active = TRUE WHERE id = $1`, e.ID, "")
		x.forge(t, `UPDATE deliveries SET state = 'waiting', done_at = NULL WHERE endpoint_id = $1`, e.ID, "")
		x.run(t)
		wantCount(t, x, 1, `SELECT count(*) FROM deliveries WHERE state = 'given-up' AND last_error = 'altered' AND endpoint_id = $1`, e.ID)
		if len(r.arrived) != 0 {
			t.Error("it was sent to")
		}
	})
}

// Nobody builds on an altered endpoint, and its own party can be rid of it.
func TestAnAlteredEndpointCanOnlyBeRemoved(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	e, _ := x.endpoint(t, "https://hooks.example/x")
	if _, _, err := x.box.Rotate(t.Context(), x.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := x.box.Test(t.Context(), x.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	x.forge(t, `UPDATE endpoints SET url = 'https://thief.example/x' WHERE id = $1`, e.ID, "")
	if _, _, err := x.box.Rotate(t.Context(), x.admin, e.ID); !fault.Is(err, "outbox.altered") {
		t.Errorf("rotate: %v", err)
	}
	if _, err := x.box.Test(t.Context(), x.admin, e.ID); !fault.Is(err, "outbox.altered") {
		t.Errorf("test: %v", err)
	}
	if err := x.box.RemoveEndpoint(t.Context(), x.admin, e.ID); err != nil {
		t.Errorf("remove: %v", err)
	}
}

// What was written before rows had a MAC is sealed once, and goes out.
func TestSealOld(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		e, _ := x.endpoint(t, r.URL, "notice.*")
		if _, _, err := x.box.Rotate(t.Context(), x.admin, e.ID); err != nil {
			t.Fatal(err)
		}
		x.record(t, "notice.sent", x.admin.Party)
		x.forge(t, `UPDATE endpoints SET mac = NULL WHERE id = $1`, e.ID, "")
		x.forge(t, `UPDATE deliveries SET mac = NULL WHERE endpoint_id = $1`, e.ID, "")
		if err := x.box.SealOld(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.run(t)
		if m := r.wait(t); m.Type != "notice.sent" {
			t.Errorf("got %+v", m)
		}
		wantAccepted(t, x, e.ID, 1)
	})
}

// lines is a log that tests read.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer // guarded by mu
}

// Write adds lines.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

// count tells how often a text stands in the log.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), text)
}
