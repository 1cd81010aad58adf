package notice_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/notes"
)

// readyWithMany makes a case of so many links of ordinary length, which come in
// as such lists do: a thousand at a time.
func (h *house) readyWithMany(t tb, links int) casework.ID {
	t.Helper()
	const atATime = 1000
	id := h.ready(t, 1, notes.RemovalOrder)
	for from := 1; from < links; from += atATime {
		var more []string
		for i := from; i < min(from+atATime, links); i++ {
			more = append(more, fmt.Sprintf("https://ruangsuara.example/v/rekaan-%032d?daftar=%064d", i, i))
		}
		must(t, h.cases.AddLocations(t.Context(), h.ratna, id, more))
	}
	return id
}

// One order holds as many items as its schema says, and one bulk call answers
// them all (domain.md, Answers). At full scale these are 10,000.
func TestOneNoticeHoldsTenThousandItems(t *testing.T) {
	items := scaletest.Of(notes.MaxItems)
	h := start(t, dbtest.SQLite(t))
	began := time.Now()
	lap := func(what string) {
		t.Logf("%-10s %v", what, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	id := h.readyWithMany(t, items)
	lap("case")
	n, err := h.Draft(t.Context(), h.ratna, notice.DraftInput{CaseID: id, Kind: notes.RemovalOrder, DeadlineMinutes: 240})
	must(t, err)
	lap("draft")
	_, err = h.Propose(t.Context(), h.ratna, n.ID, h.sign(h.ratna, n.Digest))
	must(t, err)
	_, err = h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
	must(t, err)
	_, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
	must(t, err)
	lap("sign")
	h.drain(t)
	_, err = h.Dispatch(t.Context())
	must(t, err)
	h.drain(t)
	if n = h.now(t, n.ID); n.Life != notice.Open || n.ItemCount != items {
		t.Fatalf("%s with %d items after dispatch, want open with %d", n.Life, n.ItemCount, items)
	}
	lap("dispatch")
	_, err = h.Receive(t.Context(), h.lina, n.ID, notice.ReceiptInput{})
	must(t, err)
	_, tally := h.bulk(t, func(yield func(notice.BulkRow, error) bool) {
		for i := range items {
			if !yield(notice.BulkRow{Ref: n.Ref, Row: h.removed(i + 1)}, nil) {
				return
			}
		}
	})
	if tally.Changed != items {
		t.Fatalf("%+v, want every row to count", tally)
	}
	lap("answers")
}
