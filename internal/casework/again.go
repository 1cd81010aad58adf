package casework

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// againEvery is how often what anybody may claim opens the same closed case
// again: a person has looked at it, and opening it anew tells all its reporters.
// A claim that comes sooner shows on the case and opens it when the time has
// come; nothing is lost, and whoever says that it is soon is heard by duty at
// once as ever.
const againEvery = 24 * time.Hour

// openAgain opens a closed case by a weighty report, or lets it wait.
func (r *Room) openAgain(ctx context.Context, tx *db.Tx, c Case, f report.Facts, why string, now time.Time) error {
	if isKnown(f.Channel) {
		return r.reopen(ctx, tx, party.Actor{}, c, why, now)
	}
	if now.Before(c.OpensAgain()) {
		_, err := tx.Exec(ctx, `UPDATE cases SET again = $2 WHERE id = $1 AND again = ''`, c.ID, why)
		return err
	}
	c.againAt = now
	return r.reopen(ctx, tx, party.Actor{}, c, why, now)
}

// OpensAgain returns from when on what anybody may claim opens a closed case
// again: at once if that is past.
func (c Case) OpensAgain() time.Time {
	if c.againAt.IsZero() {
		return time.Time{}
	}
	return c.againAt.Add(againEvery)
}

// waitingAtOnce bounds how many cases one sweep opens.
const waitingAtOnce = 100

// openWaiting opens the closed cases whose time has come.
func (r *Room) openWaiting(ctx context.Context, now time.Time) error {
	ids, err := db.All(ctx, r.DB, db.Scalar[ID], `
		SELECT id FROM cases WHERE state = 'closed' AND again <> '' AND again_at <= $1 ORDER BY again_at LIMIT $2`, db.Micros(now.Add(-againEvery)), waitingAtOnce)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			c, err := load(ctx, tx, id)
			if err != nil || c.State != Closed || c.Again == "" || now.Before(c.OpensAgain()) {
				return err
			}
			c.againAt = now
			return r.reopen(ctx, tx, party.Actor{}, c, c.Again, now)
		}); err != nil {
			return err
		}
	}
	return nil
}
