package notice_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
)

// all walks a list to its end.
func all(t *testing.T, list func(notice.Filter) ([]notice.Row, string, error), f notice.Filter) []notice.ID {
	t.Helper()
	var out []notice.ID
	for {
		rows, next, err := list(f)
		must(t, err)
		for _, r := range rows {
			out = append(out, r.ID)
		}
		if f.Cursor = next; next == "" {
			return out
		}
	}
}

// Every page size gives the same list: the newest first by the day of its
// making, whatever its identifier, or the soonest due first.
func TestAListIsTheSameByPagesOfAnySize(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		a, b, c, e := h.received(t, 1).ID, h.sent(t, 1).ID, h.received(t, 1).ID, h.sent(t, 1).ID
		inbox := []notice.ID{a, c, b, e} // received first, received later, and without a due time by identifier
		for limit := range 5 {
			got := all(t, func(f notice.Filter) ([]notice.Row, string, error) { return h.Inbox(t.Context(), h.lina, f) }, notice.Filter{Limit: limit})
			if !slices.Equal(got, inbox) {
				t.Errorf("inbox by pages of %d: %v, want %v", limit, got, inbox)
			}
		}
		h.write(t, func(ctx context.Context, tx *db.Tx) error { // history that was written down later
			_, err := tx.Exec(ctx, `UPDATE notices SET created_at = created_at - 1000000 WHERE id IN ($1, $2)`, c, e)
			return err
		})
		newest := []notice.ID{b, a, e, c}
		for _, by := range []party.Actor{h.ratna, h.bagus, h.auditor} {
			for limit := range 5 {
				got := all(t, func(f notice.Filter) ([]notice.Row, string, error) { return h.List(t.Context(), by, f) }, notice.Filter{Limit: limit})
				if !slices.Equal(got, newest) {
					t.Errorf("%s by pages of %d: %v, want %v", by.Name, limit, got, newest)
				}
			}
		}
		for _, by := range []party.Actor{h.lina, h.bagus} {
			_, _, err := h.List(t.Context(), by, notice.Filter{Cursor: string(a)})
			wantFault(t, err, "db.cursor")
		}
	})
}

// What stands beside a notice in a list is its own, not its neighbour's.
func TestARowShowsItsOwnNotice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		whole, part, fresh := h.received(t, 1), h.received(t, 3), h.sent(t, 2)
		h.answer(t, whole.ID, h.removed(1))
		h.clock.Advance(12 * time.Hour)
		h.answer(t, part.ID, h.removed(2))
		want := map[notice.ID]string{
			whole.ID: "{0 0 1 0} late 0 answered",
			part.ID:  "{2 0 1 0} late 1 overdue",
			fresh.ID: "{2 0 0 0} late 0 unreceived",
		}
		rows, _, err := h.Inbox(t.Context(), h.lina, notice.Filter{})
		must(t, err)
		for _, r := range rows {
			got := fmt.Sprintf("%v late %d %s", r.Progress, r.Late, r.Deadline)
			if got != want[r.ID] || r.IssuerName != h.authority.Name || r.AddresseeName != h.platform.Name || r.ItemKind == "" {
				t.Errorf("%s: %s, %q, %q, %q; want %s", r.Ref, got, r.IssuerName, r.AddresseeName, r.ItemKind, want[r.ID])
			}
		}
		if len(rows) != len(want) {
			t.Errorf("%d rows, want %d", len(rows), len(want))
		}
	})
}

// BenchmarkInbox reads a platform's first page of 50 notices.
func BenchmarkInbox(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *db.DB{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			h := start(b, open(b))
			for range 60 {
				h.sent(b, 2)
			}
			for b.Loop() {
				if rows, _, err := h.Inbox(b.Context(), h.lina, notice.Filter{}); err != nil || len(rows) != 50 {
					b.Fatalf("%d rows, %v", len(rows), err)
				}
			}
		})
	}
}
