package notice_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// dump writes every row of the room's tables and of the feed, in a fixed order.
func (h *house) dump(t tb) string {
	t.Helper()
	var out []string
	for _, table := range []string{
		"notices", "notice_items", "notice_versions", "notice_signatures", "notice_returns", "notice_refusals", "notice_deliveries",
		"notice_receipts", "notice_answers", "notice_item_answers", "notice_pauses", "notice_consents", "notice_deemed",
		"notice_files", "notice_messages", "cases", "dossier_fates", "feed_pending", "feed_entries", "report_steps",
	} {
		n := len(columnsOf(t, h.db, table))
		rows, err := h.db.Query(t.Context(), `SELECT * FROM `+table) //nolint:gosec // a constant
		must(t, err)
		for rows.Next() {
			values, into := make([]any, n), make([]any, n)
			for i := range values {
				into[i] = &values[i]
			}
			must(t, rows.Scan(into...))
			out = append(out, fmt.Sprint(table, values))
		}
		must(t, rows.Err())
		rows.Close()
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

// attempts are all public acts on a notice, each by somebody who has the seat.
func (h *house) attempts(n notice.Notice) map[notice.Event]func(ctx context.Context) error {
	id := n.ID
	return map[notice.Event]func(ctx context.Context) error{
		notice.EventRedraft: func(ctx context.Context) error {
			_, err := h.Redraft(ctx, h.ratna, id, notice.DraftInput{DeadlineMinutes: 240})
			return err
		},
		notice.EventPropose: func(ctx context.Context) error {
			_, err := h.Propose(ctx, h.dimas, id, h.sign(h.dimas, n.Digest))
			return err
		},
		notice.EventApprove: func(ctx context.Context) error {
			_, err := h.Approve(ctx, h.bima, id, h.sign(h.bima, n.Digest))
			return err
		},
		notice.EventReturn: func(ctx context.Context) error {
			_, err := h.Return(ctx, h.bima, id, notice.ReturnInput{Reasons: []string{"other"}, Text: "Ubah."})
			return err
		},
		notice.EventIssue: func(ctx context.Context) error {
			_, err := h.Issue(ctx, h.ayu, id, h.sign(h.ayu, n.Digest))
			return err
		},
		notice.EventReceive: func(ctx context.Context) error {
			_, err := h.Receive(ctx, h.lina, id, notice.ReceiptInput{})
			return err
		},
		notice.EventAnswer: func(ctx context.Context) error {
			_, err := h.Answer(ctx, h.lina, id, notice.AnswerInput{Rows: []notes.Row{h.removed(1)}})
			return err
		},
		notice.EventResolve: func(ctx context.Context) error {
			_, err := h.ResolvePause(ctx, h.ratna, id, notice.ResolveInput{Item: 1, How: notice.Resolve, Text: "Ini."})
			return err
		},
		notice.EventVerify: func(ctx context.Context) error {
			_, err := h.Verify(ctx, h.ratna, id, []int{1})
			return err
		},
		notice.EventReopen: func(ctx context.Context) error {
			_, err := h.Reopen(ctx, h.ratna, id, 1, "Muncul lagi.")
			return err
		},
		notice.EventDeem: func(ctx context.Context) error {
			return h.ProposeDeemed(ctx, h.bagus, id, notice.Evidence{Methods: []string{"portal"}, Text: "x"})
		},
		notice.EventServe: func(ctx context.Context) error {
			return h.ServeOnPaper(ctx, h.ratna, id, notice.Service{Text: "Kurir."})
		},
		notice.EventWrite:    func(ctx context.Context) error { return h.Write(ctx, h.ratna, id, "Halo.") },
		notice.EventWithdraw: func(ctx context.Context) error { _, err := h.Withdraw(ctx, h.ratna, id, "Keliru."); return err },
	}
}

// in makes a notice in each life.
func (h *house) in(t tb, life notice.Life) notice.Notice {
	t.Helper()
	switch life { //nolint:exhaustive // the other cases fall to what stands around the switch
	case notice.Draft:
		return h.draft(t, 1, notes.RemovalOrder)
	case notice.Proposed:
		return h.proposed(t, 1)
	case notice.Approved:
		return h.approved(t, 1)
	case notice.Logged:
		n := h.issued(t, 1)
		h.drain(t)
		return h.now(t, n.ID)
	case notice.Open:
		return h.sent(t, 1)
	}
	n := h.received(t, 1)
	switch life { //nolint:exhaustive // the other cases fall to what stands around the switch
	case notice.Closed:
		h.answer(t, n.ID, h.removed(1))
		_, err := h.Verify(t.Context(), h.ratna, n.ID, []int{1})
		must(t, err)
	case notice.Withdrawn:
		_, err := h.Withdraw(t.Context(), h.bagus, n.ID, "Keliru.")
		must(t, err)
	case notice.Quashed:
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			return h.QuashTx(ctx, tx, h.auditor, n.ID, "DEMO-BD-2026-00001", h.clock.Now())
		})
	}
	return h.now(t, n.ID)
}

// Every act in every life: what the table does not have is refused with a
// specific fault, and nothing has changed.
func TestWhatTheTableDoesNotAllowChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for _, life := range notice.Lives() {
			n := h.in(t, life)
			if n.Life != life {
				t.Fatalf("%s: made a notice that is %s", life, n.Life)
			}
			refused := 0
			for event, try := range h.attempts(n) {
				allowed := slices.ContainsFunc(notice.LifeTable(), func(tr notice.Transition[notice.Life]) bool {
					return tr.From == life && tr.Event == event
				})
				if allowed {
					continue
				}
				before := h.dump(t)
				err := try(t.Context())
				f, ok := fault.As(err)
				if !ok || !slices.Contains([]string{"notice.state", "fault.hidden", "auth.same-person", "auth.not-allowed"}, f.Code) {
					t.Errorf("%s in %s: %v, want a specific fault", event, life, err)
				}
				if after := h.dump(t); after != before {
					t.Errorf("%s in %s was refused and changed rows", event, life)
				}
				refused++
			}
			if refused == 0 {
				t.Errorf("%s refuses nothing", life)
			}
		}
	})
}

// race runs acts at once and returns their errors.
func race(acts ...func() error) []error {
	var wg sync.WaitGroup
	errs := make([]error, len(acts))
	for i, act := range acts {
		wg.Go(func() { errs[i] = act() })
	}
	wg.Wait()
	return errs
}

func count(errs []error) (ok int) {
	for _, err := range errs {
		if err == nil {
			ok++
		}
	}
	return ok
}

func TestActsAtOnceAreOneAfterTheOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ctx := t.Context()
		n := h.proposed(t, 1)
		approve := func(by party.Actor) func() error {
			return func() error { _, err := h.Approve(ctx, by, n.ID, h.sign(by, n.Digest)); return err }
		}
		if got := count(race(approve(h.sari), approve(h.bima), approve(h.sari))); got != 1 {
			t.Errorf("%d approvals of the one that was needed", got)
		}
		n = h.proposed(t, 1)
		back := func() error {
			_, err := h.Return(ctx, h.bima, n.ID, notice.ReturnInput{Reasons: []string{"other"}, Text: "Ubah."})
			return err
		}
		race(approve(h.sari), back)
		if got := h.now(t, n.ID); got.Life == notice.Draft && !got.ApprovedAt.IsZero() {
			t.Errorf("returned and approved at once: %+v", got)
		}
		sent := h.sent(t, 1)
		receive := func() error { _, err := h.Receive(ctx, h.lina, sent.ID, notice.ReceiptInput{}); return err }
		if got := count(race(receive, receive, receive)); got != 1 {
			t.Errorf("received %d times, want once", got)
		}
		answer := func() error {
			_, err := h.Answer(ctx, h.lina, sent.ID, notice.AnswerInput{Rows: []notes.Row{h.removed(1)}})
			return err
		}
		withdraw := func() error { _, err := h.Withdraw(ctx, h.bagus, sent.ID, "Keliru."); return err }
		errs := race(answer, withdraw)
		if got := h.now(t, sent.ID); got.Life != notice.Withdrawn || errs[1] != nil {
			t.Errorf("%s after an answer and a withdrawal at once: %v", got.Life, errs)
		}
		logged := h.issued(t, 1)
		h.drain(t)
		dispatch := func() error { _, err := h.Dispatch(ctx); return err }
		if got := count(race(dispatch, dispatch, dispatch)); got != 3 {
			t.Errorf("%d of 3 dispatchers went through", got)
		}
		h.drain(t)
		if s := steps(h.view(t, h.bagus, logged.ID)); s["sent"] != 1 {
			t.Errorf("sent %d times, want once", s["sent"])
		}
	})
}

// The diagram of the docs has every transition of the tables.
func TestDiagramShowsEveryTransition(t *testing.T) {
	got := notice.Diagram()
	for _, tr := range notice.LifeTable() {
		if want := fmt.Sprintf("  %s --> %s : %s", tr.From, tr.To, tr.Event); !strings.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Count(got, "stateDiagram-v2") != 4 {
		t.Errorf("want four diagrams in\n%s", got)
	}
}
