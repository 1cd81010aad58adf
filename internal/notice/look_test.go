package notice_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/notes"
)

// What awaits a platform's answer is counted on the notice as its items are
// answered, asked for again, paused and taken back.
func TestWhatAwaitsAnAnswerFollowsItsItems(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.sent(t, 2)
		want := func(what string, answer int) {
			t.Helper()
			a, err := h.Awaiting(t.Context(), h.lina)
			must(t, err)
			if a.Answer != answer {
				t.Errorf("%s: %d notices await an answer, want %d", what, a.Answer, answer)
			}
		}
		want("sent", 0)
		_, err := h.Receive(t.Context(), h.lina, n.ID, notice.ReceiptInput{})
		must(t, err)
		want("received", 1)
		h.answer(t, n.ID, h.removed(1))
		want("one of two answered", 1)
		h.answer(t, n.ID, notes.Row{N: 2, Answer: notes.Clarify, Question: "Yang mana?"})
		want("the other paused", 0)
		_, err = h.ResolvePause(t.Context(), h.ratna, n.ID, notice.ResolveInput{Item: 2, How: notice.Resolve, Text: "Yang kedua."})
		must(t, err)
		want("resumed", 1)
		h.answer(t, n.ID, h.removed(2))
		want("all answered", 0)
		_, err = h.Verify(t.Context(), h.ratna, n.ID, []int{1, 2})
		must(t, err)
		want("closed", 0)
		_, err = h.Reopen(t.Context(), h.ratna, n.ID, 2, "Muncul lagi.")
		must(t, err)
		want("reopened", 1)
		_, err = h.Withdraw(t.Context(), h.bagus, n.ID, "Keliru.")
		must(t, err)
		want("withdrawn", 0)
	})
}

// lookNow makes the next sweep look at every open notice, as after an upgrade.
func (h *house) lookNow(t tb) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE notices SET look_at = NULL`)
		return err
	})
}

// marked counts what stands on record of every notice's time.
func (h *house) marked(t tb) (n int64) {
	t.Helper()
	n, err := db.Value[int64](t.Context(), h.db, `SELECT (SELECT count(*) FROM feed_entries) + (SELECT count(*) FROM feed_pending)`)
	must(t, err)
	return n
}

// A sweep that looks at what has come misses nothing that one over all open
// notices would find, whatever platforms do in between and however long nobody
// sweeps.
func TestTheSweepMissesNothing(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	left := max(12, scaletest.Of(300))
	rapid.Check(t, func(rt *rapid.T) {
		if left--; left < 0 {
			return // a small scale needs fewer than rapid's hundred checks
		}
		n := h.sent(rt, 2)
		for range rapid.IntRange(1, 12).Draw(rt, "acts") {
			h.clock.Advance(time.Duration(rapid.OneOf(rapid.IntRange(1, 30), rapid.IntRange(1, 8*60)).Draw(rt, "minutes")) * time.Minute)
			h.sweep(rt)
			h.sweep(rt) // what the first one stored is looked at again
			before := h.marked(rt)
			h.lookNow(rt)
			h.sweep(rt)
			if after := h.marked(rt); after != before {
				rt.Fatalf("a sweep over everything found %d entries more", after-before)
			}
			rows := map[string]notes.Row{
				"removed": h.removed(1), "clarify": {N: 2, Answer: notes.Clarify, Question: "Yang mana?"},
				"impossible": {N: 1, Answer: notes.Impossible, Ground: notes.ForceMajeure, Explanation: "Banjir.", Until: notes.At(h.clock.Now().Add(time.Duration(rapid.IntRange(1, 90).Draw(rt, "until")) * time.Minute))},
			}
			// What is refused now, as a third question, changes nothing.
			switch act := rapid.SampledFrom([]string{"wait", "receive", "removed", "clarify", "impossible", "resolve"}).Draw(rt, "act"); act {
			case "wait":
			case "receive":
				_, _ = h.Receive(rt.Context(), h.lina, n.ID, notice.ReceiptInput{})
			case "resolve":
				_, _ = h.ResolvePause(rt.Context(), h.ratna, n.ID, notice.ResolveInput{Item: 2, How: notice.Resolve, Text: "Yang kedua."})
			default:
				_, _ = h.Answer(rt.Context(), h.lina, n.ID, notice.AnswerInput{Rows: []notes.Row{rows[act]}})
			}
		}
	})
}

// A sweep with nothing due asks once and writes nothing, however many notices
// are open.
func TestASweepWithNothingDueLooksAtNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for range 3 {
			h.received(t, 1)
		}
		h.sweep(t)
		due, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM notices WHERE life = 'open' AND coalesce(look_at, 0) <= $1`, db.Micros(h.clock.Now().Add(59*time.Minute)))
		must(t, err)
		if due != 0 {
			t.Errorf("%d of 3 are looked at again within the hour", due)
		}
		h.clock.Advance(2 * time.Hour) // half of the time
		h.sweep(t)
		reminded, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM notices WHERE rung = 'reminded'`)
		must(t, err)
		if reminded != 3 {
			t.Errorf("%d of 3 are reminded", reminded)
		}
	})
}
