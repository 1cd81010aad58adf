package casework

import (
	"context"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/report"
)

// outcomeTakenBack is that of a case whose every report was taken back before
// anybody assessed it.
const outcomeTakenBack = "taken-back"

// TakeBackTx takes reports of an organisation's list out of the queue, in the
// transaction of who sent them, and returns those for which that was still
// possible: nobody had taken up their case. A case of which no report is left
// is closed; one that others reported too goes on with theirs. A report whose
// case is yet to be made is Unavailable: to be tried again.
func (r *Room) TakeBackTx(ctx context.Context, tx *db.Tx, ids []report.ID, now time.Time) ([]report.ID, error) {
	var back []report.ID
	for _, id := range ids {
		ok, err := r.takeBack(ctx, tx, id, now)
		if err != nil {
			return nil, err
		}
		if ok {
			back = append(back, id)
		}
	}
	if len(back) == 0 {
		return nil, nil
	}
	return back, r.Reports.StepTx(ctx, tx, back, report.Step{Kind: report.StepTakenBack, At: now})
}

// takeBack reports whether one report was taken back.
func (r *Room) takeBack(ctx context.Context, tx *db.Tx, id report.ID, now time.Time) (bool, error) {
	of, err := db.Value[ID](ctx, tx, `SELECT case_id FROM case_reports WHERE report_id = $1 ORDER BY joined_at, case_id LIMIT 1`, id)
	if errors.Is(err, db.ErrAbsent) {
		return false, fault.New(fault.Unavailable, "case.yet-to-come")
	}
	if err != nil {
		return false, err
	}
	s, t, err := mayTakeBack(ctx, tx, of, now)
	if fault.Of(err) == fault.Conflict { // somebody is at it
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = r.move(ctx, tx, s, t, func(c *Case, _ situation) (any, error) {
		_, err := tx.Exec(ctx, `UPDATE case_reports SET back_at = $3 WHERE case_id = $1 AND report_id = $2`, c.ID, id, db.Micros(now))
		if err != nil {
			return nil, err
		}
		if c.ReportCount--; c.State == Closed {
			c.Outcome, c.ClosedAt, c.Holder, c.LockedUntil = outcomeTakenBack, now, "", time.Time{}
		}
		n := c.news()
		n.Count = c.ReportCount
		return n, r.hush(ctx, tx, c, id)
	})
	return err == nil, err
}

// hush takes the voice of a report that was taken back from its case, unless the
// same organisation still reports it.
func (r *Room) hush(ctx context.Context, tx *db.Tx, c *Case, id report.ID) error {
	f, err := r.Reports.Facts(ctx, tx, id)
	if err != nil || !isKnown(f.Channel) {
		return err // what the public says counts by its slots
	}
	still, err := r.heardFrom(ctx, tx, c.ID, f)
	if err == nil && !still {
		c.Voices = max(c.Voices-1, 0)
	}
	return err
}

// mayTakeBack returns what taking a report back makes of a case, or a Conflict
// that says why it cannot be.
func mayTakeBack(ctx context.Context, tx *db.Tx, id ID, now time.Time) (s situation, t Transition, err error) {
	s.Now = now
	if s.Case, err = load(ctx, tx, id); err != nil {
		return s, t, err
	}
	n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM (SELECT 1 FROM captures WHERE case_id = $1 LIMIT 1) c`, id)
	if err != nil {
		return s, t, err
	}
	s.Asked = n > 0
	t, err = next(s, TakeBack, s.Case.Object())
	return s, t, err
}
