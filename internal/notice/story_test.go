package notice_test

import (
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

func TestThreePeopleDecideAndThePlatformAnswers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.draft(t, 2, notes.RemovalOrder)
		if n.Life != notice.Draft || n.ItemCount != 2 || n.ApprovalsNeeded != 1 {
			t.Fatalf("draft: %+v", n)
		}
		n, err := h.Propose(t.Context(), h.ratna, n.ID, h.sign(h.ratna, n.Digest))
		must(t, err)
		h.clock.Advance(time.Minute)
		n, err = h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
		must(t, err)
		if n.Life != notice.Approved {
			t.Fatalf("life %s after the approval, want approved", n.Life)
		}
		h.clock.Advance(time.Minute)
		n, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
		must(t, err)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 0 {
			t.Fatalf("sent %d before its place in the feed (%v), want 0", sent, err)
		}
		h.drain(t)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 1 {
			t.Fatalf("sent %d (%v), want 1", sent, err)
		}
		h.drain(t)
		if got := h.announcedTo(h.platform.ID, "notice.issued"); got != 1 {
			t.Fatalf("announced %d times to the platform, want once", got)
		}
		h.clock.Advance(10 * time.Minute)
		n, err = h.Receive(t.Context(), h.lina, n.ID, notice.ReceiptInput{})
		must(t, err)
		if want := h.clock.Now().Add(4 * time.Hour); !n.DueAt.Equal(want) {
			t.Fatalf("due %v, want four hours after receipt, %v", n.DueAt, want)
		}
		h.clock.Advance(time.Hour)
		h.answer(t, n.ID, h.removed(1), notes.Row{N: 2, Answer: notes.Refused, Ground: notes.NotOurs, Explanation: "Bukan milik kami."})
		n, err = h.Verify(t.Context(), h.ratna, n.ID, []int{1, 2})
		must(t, err)
		if n.Life != notice.Closed || n.Outcome != notice.OutcomePartly {
			t.Fatalf("%s, %s after the last item, want closed, partly", n.Life, n.Outcome)
		}
		v, err := h.cases.Get(t.Context(), h.ratna, n.CaseID)
		must(t, err)
		if v.Case.State != casework.Closed {
			t.Fatalf("case is %s, want closed", v.Case.State)
		}
	})
}
