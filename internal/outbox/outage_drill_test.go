package outbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/notes"
)

// The drill of goal G5: an endpoint is away for 72 hours of virtual time while
// ten thousand messages come for it. Its retries are bounded, another endpoint
// gets everything meanwhile, and when it is back it gets each message once, in
// order, with the identifier of the first attempt, all within five minutes.
func TestDrillOutage72h(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	found, took := x.outage(t, max(scaletest.Of(10_000), fewMessages), func(string) {})
	for _, f := range found {
		t.Error(f)
	}
	scaletest.Within(t, "what waited for 72 hours is delivered", 5*time.Minute, took)
}

// The drill sees it when messages are dropped after ten tries.
func TestDrillOutage72hFindsMessagesDroppedAfterTenTries(t *testing.T) {
	t.Parallel()
	x := start(t, dbtest.SQLite(t))
	found, _ := x.outage(t, fewMessages, func(endpoint string) {
		if err := x.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE deliveries SET state = 'given-up', done_at = next_at WHERE endpoint_id = $1 AND state = 'waiting' AND attempts >= 10`, endpoint)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
	if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "lost: ") }) {
		t.Errorf("messages are dropped after ten tries, and the drill finds only %q", found)
	}
}

// The drill sees it when a message is sent again though it was taken.
func TestDrillOutage72hFindsMessagesSentTwice(t *testing.T) {
	t.Parallel()
	x := start(t, dbtest.SQLite(t))
	once := x.box.Send
	x.box.Send = func(ctx context.Context, m outbox.Message) outbox.Result {
		if r := once(ctx, m); !r.OK() {
			return r
		}
		return once(ctx, m)
	}
	found, _ := x.outage(t, fewMessages, func(string) {})
	if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "twice: ") }) {
		t.Errorf("messages are sent twice, and the drill finds only %q", found)
	}
}

const (
	// outageStep is the time between two looks at an endpoint that is away:
	// longer than the longest wait between two tries.
	outageStep  = 70 * time.Minute
	outageSteps = int(72 * time.Hour / outageStep)
	// fewMessages is two for each step.
	fewMessages = 2 * outageSteps
)

// outage plays the 72 hours, in which so many messages come, does something to the endpoint after each of its
// attempts, and returns what should not have come of it, and how long the
// backlog took.
func (x *exchange) outage(t *testing.T, messages int, tried func(endpoint string)) (found []string, took time.Duration) {
	t.Helper()
	away, other := newReceiver(t), newReceiver(t)
	away.answer(http.StatusBadGateway)
	e, _ := x.endpoint(t, away.URL)
	o, _ := x.endpoint(t, other.URL)
	x.run(t)
	for i, sent := 0, 0; i < outageSteps; i++ {
		for ; sent < messages*(i+1)/outageSteps; sent++ {
			x.record(t, "notice.sent", x.admin.Party)
		}
		away.wait(t)
		// The attempt must be on record before the clock moves on.
		wantCount(t, x, i+1, `SELECT count(*) FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.endpoint_id = $1`, e.ID)
		tried(e.ID)
		wantAccepted(t, x, o.ID, sent)
		x.clock.Advance(outageStep)
	}
	failed := away.ids()
	if len(failed) != outageSteps {
		found = append(found, fmt.Sprintf("%d attempts in 72 hours, want one in each of %d steps", len(failed), outageSteps))
	}
	away.answer(http.StatusOK)
	begun := time.Now()
	x.clock.Advance(2 * time.Hour)
	x.record(t, "notice.withdrawn", x.admin.Party) // wakes the sender, which else looks once a second
	wantCount(t, x, 0, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND state = 'waiting'`, e.ID)
	took = time.Since(begun)
	away.mu.Lock()
	back := slices.Clone(away.got[len(failed):])
	away.mu.Unlock()
	t.Logf("72 h away: %d attempts, %d messages came within %v of its return", len(failed), len(back), took.Round(time.Millisecond))
	return append(found, backlog(t, back, messages+1, failed[0])...), took
}

// backlog returns what is wrong with what came once an endpoint was back: want
// messages, each once, in order, the first under the id that it had.
func backlog(t *testing.T, back []received, want int, first string) (found []string) {
	t.Helper()
	seen, before := map[string]bool{}, int64(0)
	for i, m := range back {
		id, seq := m.header.Get("webhook-id"), sequence(t, m.body)
		if seen[id] {
			found = append(found, fmt.Sprintf("twice: message %d of the backlog is %s once more", i, id))
		} else if seq <= before {
			found = append(found, fmt.Sprintf("order: message %d of the backlog is entry %d, after %d", i, seq, before))
		}
		seen[id], before = true, max(before, seq)
	}
	if len(seen) != want {
		found = append(found, fmt.Sprintf("lost: after the outage came %d messages, want %d", len(seen), want))
	}
	if !seen[first] {
		found = append(found, "lost: the one that was tried all the time, as "+first)
	}
	return found
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
