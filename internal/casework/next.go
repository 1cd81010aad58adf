package casework

import (
	"context"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
)

// Next returns the case that the actor should look at now: free, not skipped by
// them, the first by priority. It is light if one of their last three was heavy
// or the day's exposure is used up, and of no topic that they asked not to be
// given. Of equal ones it is rather one whose pictures they have not seen with
// another case (ui/principles.md 11). Nothing of this holds up what comes first:
// see Case.first. It looks through the first of the queue alone. ok is false if
// none there is for them.
func (r *Room) Next(ctx context.Context, by party.Actor) (c Case, ok bool, err error) {
	now := r.Clock.Now()
	if !auth.Seat(by, auth.CaseWork) {
		return c, false, auth.May(by, auth.CaseWork, Case{Party: by.Party}.Object())
	}
	var w weighed
	if w.avoids, err = r.Wishes(ctx, by); err != nil {
		return c, false, err
	}
	e, err := r.Exposure(ctx, by)
	if err != nil {
		return c, false, err
	}
	w.onlyLight = e.Full // at 100 % only light work is offered
	if w.light, err = r.wantsLight(ctx, by, now); err != nil {
		return c, false, err
	}
	if err := r.weigh(ctx, by, now, &w); err != nil {
		return c, false, err
	}
	id, err := r.unseen(ctx, by, w.best())
	if err != nil || id == "" {
		return c, false, err
	}
	c, err = db.One(ctx, r.DB, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, id)
	return c, err == nil, err
}

// first reports whether a case comes before what somebody wishes, and before
// the mix of heavy and light: a threat to life that somebody found, or one that
// is claimed to be near and stands ahead. Otherwise whoever adds a picture to
// its reports would hold it up (threat-model T04).
func (c Case) first() bool { return c.Tier == policy.ThreatToLife || c.Soon && c.ahead() }

// tied is how many cases of one priority are looked through for one whose
// pictures are new to the person.
const tied = 20

// weighed is what waits for a person, as they wish it.
type weighed struct {
	avoids    []string // topics
	light     bool     // light work first
	onlyLight bool     // and no other

	fits  []Case // those of the highest priority that suit, tied at most
	heavy []Case // as many that are heavy, where light ones are wanted
}

// add weighs the next case by priority, and reports whether a further one can
// matter.
func (w *weighed) add(c Case) bool {
	if len(w.fits) > 0 && w.fits[0].Priority != c.Priority {
		return false
	}
	into := &w.fits
	switch {
	case c.first():
	case c.Avoids(w.avoids):
		return true
	case c.Heavy && w.light:
		into = &w.heavy
	}
	if len(*into) < tied && (len(*into) == 0 || (*into)[0].Priority == c.Priority) {
		*into = append(*into, c)
	}
	return len(w.fits) < tied
}

// best are the cases to choose from, equal in priority, the oldest first.
func (w *weighed) best() []Case {
	if len(w.fits) > 0 || w.onlyLight {
		return w.fits
	}
	return w.heavy
}

// looked is how many of those that wait are looked through: some 30 ms' worth. Who
// wants none of so many is told so, and finds the others in the queue.
const looked = 5000

// selectNext finds what may be offered to the person $3 of the party $1 at $2, $4
// at most.
const selectNext = `
	SELECT id, priority, tier, soon, ahead_at, heavy, topics FROM cases
	WHERE party_id = $1 AND state IN ('open', 'taken') AND (state = 'open' OR locked_until <= $2)
		AND NOT EXISTS (SELECT 1 FROM case_skips s WHERE s.case_id = cases.id AND s.person_id = $3)
	ORDER BY priority DESC, id LIMIT $4`

// weigh weighs what waits, the highest priority first.
func (r *Room) weigh(ctx context.Context, by party.Actor, now time.Time, w *weighed) error {
	rows, err := r.DB.Query(ctx, selectNext, by.Party, db.Micros(now), by.Person, looked)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c Case
		if err := rows.Scan(&c.ID, &c.Priority, &c.Tier, &c.Soon, db.Time(&c.AheadAt), &c.Heavy, db.ListInto(&c.Topics)); err != nil {
			return err
		}
		if !w.add(c) {
			return nil
		}
	}
	return rows.Err()
}

// unseen returns the first of some cases that shows the person no picture that
// they saw with another, else the first, "" of none. What is shown again is
// covered.
func (r *Room) unseen(ctx context.Context, by party.Actor, some []Case) (ID, error) {
	for _, c := range some {
		if !c.Heavy || c.first() {
			return c.ID, nil
		}
		n, err := db.Value[int64](ctx, r.DB, selectSeen, by.Person, c.ID)
		if err != nil || n == 0 {
			return c.ID, err
		}
	}
	if len(some) == 0 {
		return "", nil
	}
	return some[0].ID, nil
}

// selectSeen counts one if the person $1 was shown a picture of the case $2
// with another.
const selectSeen = `
	SELECT count(*) FROM (
		SELECT 1 FROM media_seen m WHERE m.person_id = $1 AND m.case_id <> $2 AND m.mac IN (` + filesOfCase + `) LIMIT 1) s`

// wantsLight reports whether the person had a heavy case among their last
// three, or has seen enough today.
func (r *Room) wantsLight(ctx context.Context, by party.Actor, now time.Time) (bool, error) {
	e, err := r.Exposure(ctx, by)
	if err != nil || e.Full {
		return e.Full, err
	}
	recent, err := db.All(ctx, r.DB, db.Scalar[bool], `
		SELECT heavy FROM case_takes WHERE person_id = $1 AND at > $2 ORDER BY at DESC LIMIT $3`,
		by.Person, db.Micros(now.Add(-24*time.Hour)), perHeavy)
	return slices.Contains(recent, true), err
}
