package casework

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// Take locks a case for the actor for half an hour, which any act of theirs
// renews. Another's lock that has run out is free.
func (r *Room) Take(ctx context.Context, by party.Actor, id ID) (Case, error) {
	var c Case
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		var err error
		c, err = r.act(ctx, tx, by, id, Take, now, func(c *Case, s situation) (any, error) {
			c.Holder, c.LockedUntil = by.Person, now.Add(lockFor)
			err := tx.Send(ctx, `INSERT INTO case_takes (person_id, at, case_id, heavy) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
				by.Person, db.Micros(now), c.ID, c.Heavy)
			if err != nil {
				return nil, err
			}
			if s.Case.State == Open {
				err = r.steps(ctx, tx, *c, report.Step{Kind: report.StepReview, At: now})
			}
			return c.news(), err
		})
		return err
	})
	return c, err
}

// Release gives a case back to the queue.
func (r *Room) Release(ctx context.Context, by party.Actor, id ID) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, ReleaseLock, now, func(c *Case, _ situation) (any, error) {
			c.Holder, c.LockedUntil = "", time.Time{}
			return c.news(), nil
		})
		return err
	})
}

// Skip leaves a case to others: no reason is asked, none is kept, and Next does
// not offer it to the person again (ui/principles.md 11). Colleagues learn that
// the case is free, not that it was skipped.
func (r *Room) Skip(ctx context.Context, by party.Actor, id ID) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, Skip, now, func(c *Case, _ situation) (any, error) {
			c.Holder, c.LockedUntil = "", time.Time{}
			_, err := tx.Exec(ctx, `INSERT INTO case_skips (person_id, case_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				by.Person, c.ID, db.Micros(now))
			return c.news(), err
		})
		return err
	})
}

// Assign gives a case to a colleague who may work on cases, whoever has it now.
func (r *Room) Assign(ctx context.Context, by party.Actor, id ID, to party.PersonID) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, Assign, now, func(c *Case, _ situation) (any, error) {
			person, err := party.GetPerson(ctx, tx, to)
			if err != nil {
				return nil, err
			}
			if person.Party != c.Party || !person.Active || !person.Has(party.Analyst) {
				return nil, fault.New(fault.Invalid, "case.assignee").At("/person")
			}
			c.Holder, c.LockedUntil = to, now.Add(lockFor)
			return c.news(), nil
		})
		return err
	})
}

// HoldReasons lists why a case may be held: a class and no detail (domain.md,
// held).
func HoldReasons() []string { return []string{"operation", "court", "partner-inquiry"} }

// HoldOutcomes lists how a hold may end.
func HoldOutcomes() []string { return []string{"go-on", "not-needed", "handed-over"} }

// Hold keeps a case from being proposed, closed or handed over for a bounded
// time, so that action elsewhere is not spoiled: at most the pack's term, once
// renewable, never against a threat to life. Nobody may see why in detail.
func (r *Room) Hold(ctx context.Context, by party.Actor, id ID, reason string, term time.Duration) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, Hold, now, func(c *Case, s situation) (any, error) {
			var faults fault.Checker
			longest := s.Pack.Limits.Hold.Duration()
			oneOf(&faults, "/reason", reason, HoldReasons())
			if term <= 0 || term > longest {
				faults.Add("/minutes", "case.hold-term", "Max", int(longest/time.Hour))
			}
			if err := faults.Err(); err != nil {
				return nil, err
			}
			c.HeldUntil = now.Add(term)
			c.Holds++
			n := c.news()
			n.Code = reason
			return n, r.note(ctx, tx, *c, by, string(Hold), reason, "", now)
		})
		return err
	})
}

// EndHold ends a hold before its time and records what came of it.
func (r *Room) EndHold(ctx context.Context, by party.Actor, id ID, outcome string) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, EndHold, now, func(c *Case, _ situation) (any, error) {
			var faults fault.Checker
			oneOf(&faults, "/outcome", outcome, HoldOutcomes())
			if err := faults.Err(); err != nil {
				return nil, err
			}
			c.HeldUntil = now
			n := c.news()
			n.Code = outcome
			return n, r.note(ctx, tx, *c, by, string(EndHold), outcome, "", now)
		})
		return err
	})
}

// AddLocations adds links or handles that belong to the same matter to a case
// that the actor holds.
func (r *Room) AddLocations(ctx context.Context, by party.Actor, id ID, raw []string) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, AddEvidence, now, func(c *Case, _ situation) (any, error) {
			ls, err := r.Reports.LocationsTx(ctx, tx, raw, now)
			if err != nil {
				return nil, err
			}
			before := c.Locations
			err = addLocations(ctx, tx, c, ls, now)
			n := c.news()
			n.Code, n.Count = "locations", c.Locations-before
			return n, err
		})
		return err
	})
}

// rankEvery is how old a priority may be before the sweep computes it anew.
const rankEvery = 5 * time.Minute

// Sweep lets further claims come forward where there is room, opens closed cases
// that were to wait for a day, forgets what told bursts, ranks at most n
// waiting cases anew, whose priority grows with time, and returns how many.
// Locks and holds need no sweep: they end by themselves.
func (r *Room) Sweep(ctx context.Context, now time.Time, n int) (int, error) {
	if err := errors.Join(r.letAhead(ctx, now), r.openWaiting(ctx, now), r.sweepFlows(ctx, now)); err != nil {
		return 0, err
	}
	ids, err := db.All(ctx, r.DB, db.Scalar[ID], `
		SELECT id FROM cases WHERE state IN ('open', 'taken') AND ranked_at <= $1 ORDER BY ranked_at, id LIMIT $2`,
		db.Micros(now.Add(-rankEvery)), n)
	if err != nil {
		return 0, err
	}
	for batch := range slices.Chunk(ids, 50) {
		if err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return r.rerank(ctx, tx, batch, now) }); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// rerank stores new priorities without touching the version: nobody acted.
func (r *Room) rerank(ctx context.Context, tx *db.Tx, ids []ID, now time.Time) error {
	for _, id := range slices.Sorted(slices.Values(ids)) { // one order, no deadlock
		c, err := load(ctx, tx, id)
		if err != nil {
			return err
		}
		r.rank(&c, now)
		_, err = tx.Exec(ctx, `UPDATE cases SET queue = $2, priority = $3, why = $4, ranked_at = $5 WHERE id = $1`,
			c.ID, c.Queue, c.Priority, db.List(c.Why), db.Micros(now))
		if err != nil {
			return err
		}
	}
	return nil
}
