package notice

import (
	"context"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// Verify accepts the answers of items: somebody of the issuer or the proposer
// has checked them. An order is closed with its last item.
func (r *Room) Verify(ctx context.Context, by party.Actor, id ID, numbers []int) (Notice, error) {
	var n Notice
	if len(numbers) == 0 {
		return n, fault.New(fault.Invalid, "fault.required").At("/items")
	}
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, err = r.at(ctx, tx, by, id, EventVerify); err != nil {
			return err
		}
		for _, number := range numbers {
			item, err := getItem(ctx, tx, id, number)
			if err != nil {
				return err
			}
			t, err := step(itemTable, "item", item.State, EventVerify)
			if err != nil {
				return err
			}
			item.State, item.VerifiedAt = t.To, now
			if err := saveItem(ctx, tx, id, item); err != nil {
				return err
			}
		}
		if err := r.record(ctx, tx, by, "notice.verified", n, map[string]any{"items": len(numbers)}, now); err != nil {
			return err
		}
		return r.closeIfDone(ctx, tx, by, &n, now)
	})
	return n, err
}

// Reopen asks for an item again: its answer does not hold, or the content is
// back. A closed notice is open again, and so is its case. The item's clock
// begins anew, with the notice's time from now.
func (r *Room) Reopen(ctx context.Context, by party.Actor, id ID, number int, why string) (Notice, error) {
	var n Notice
	var c fault.Checker
	c.Require(strings.TrimSpace(why) != "", "/why")
	checkText(&c, "/why", why)
	if err := c.Err(); err != nil {
		return n, err
	}
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, err = r.at(ctx, tx, by, id, EventReopen); err != nil {
			return err
		}
		item, err := getItem(ctx, tx, id, number)
		if err != nil {
			return err
		}
		t, err := step(itemTable, "item", item.State, EventReopen)
		if err != nil {
			return err
		}
		item.State, item.VerifiedAt, item.StartedAt, item.DueAt = t.To, time.Time{}, now, time.Time{}
		item.Reopened++
		if n.DeadlineMinutes > 0 {
			item.DueAt = now.Add(time.Duration(n.DeadlineMinutes) * time.Minute)
		}
		if err := saveItem(ctx, tx, id, item); err != nil {
			return err
		}
		if err := r.reopenLife(ctx, tx, &n, now); err != nil {
			return err
		}
		if err := r.write(ctx, tx, by, n, why, now); err != nil {
			return err
		}
		if err := r.refresh(ctx, tx, &n, now); err != nil {
			return err
		}
		return r.record(ctx, tx, by, "notice.reopened", n, map[string]any{"item": number}, now)
	})
	return n, err
}

func (r *Room) reopenLife(ctx context.Context, tx *db.Tx, n *Notice, now time.Time) error {
	if n.Life != Closed {
		return nil
	}
	n.Life, n.Outcome, n.ClosedAt = Open, "", time.Time{}
	if err := r.tellReporters(ctx, tx, *n, report.StepReopened, now, nil); err != nil {
		return err
	}
	return r.Cases.ReopenTx(ctx, tx, n.CaseID, "notice-reopened", now)
}
