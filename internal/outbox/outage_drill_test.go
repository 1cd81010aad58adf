package outbox_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/notes"
)

// The drill of goal G5: an endpoint is away for 72 hours of virtual time while
// ten thousand messages come for it. Its retries are bounded, another endpoint
// gets everything meanwhile, and when it is back it gets each message once, in
// order, with the identifier of the first attempt.
func TestDrillOutage72h(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	away, other := newReceiver(t), newReceiver(t)
	away.answer(http.StatusBadGateway)
	e, _ := x.endpoint(t, away.URL)
	o, _ := x.endpoint(t, other.URL)
	x.run(t)
	const step = 70 * time.Minute
	steps := int(72 * time.Hour / step)
	messages := max(scaletest.Of(10_000), 2*steps)
	sent, attempts := 0, 0
	tried := func() {
		away.wait(t)
		attempts++
		// The attempt must be on record before the clock moves on.
		wantCount(t, x, attempts, `SELECT count(*) FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.endpoint_id = $1`, e.ID)
	}
	for i := range steps {
		for ; sent < messages*(i+1)/steps; sent++ {
			x.record(t, "notice.sent", x.admin.Party)
		}
		tried()
		wantAccepted(t, x, o.ID, sent)
		x.clock.Advance(step)
	}
	if attempts != steps {
		t.Errorf("%d attempts in 72 hours, want one in each of %d steps", attempts, steps)
	}
	away.mu.Lock()
	first := away.got[0].header.Get("webhook-id")
	failed := len(away.got)
	away.mu.Unlock()
	away.answer(http.StatusOK)
	begun := time.Now()
	x.clock.Advance(2 * time.Hour)
	x.record(t, "notice.withdrawn", x.admin.Party) // wakes the sender, which else looks once a second
	wantAccepted(t, x, e.ID, messages+1)
	took := time.Since(begun)
	away.mu.Lock()
	defer away.mu.Unlock()
	back := away.got[failed:]
	seen, before := map[string]bool{}, int64(0)
	for i, m := range back {
		id := m.header.Get("webhook-id")
		if seen[id] {
			t.Errorf("%s came twice after the outage", id)
		}
		seen[id] = true
		if seq := sequence(t, m.body); seq <= before {
			t.Errorf("message %d of the backlog is entry %d, after %d", i, seq, before)
		} else {
			before = seq
		}
	}
	if len(back) != messages+1 || back[0].header.Get("webhook-id") != first {
		t.Errorf("after the outage came %d messages, want %d; the first is %s, tried as %s before", len(back), messages+1, back[0].header.Get("webhook-id"), first)
	}
	t.Logf("72 h away: %d attempts, %d messages kept and delivered in order within %v of its return, 0 lost, 0 twice", attempts, len(back), took.Round(time.Millisecond))
}

// sequence is a message's place in its receiver's feed.
func sequence(t *testing.T, body []byte) int64 {
	t.Helper()
	var m notes.Webhook
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m.Sequence
}
