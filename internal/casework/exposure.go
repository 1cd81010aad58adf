package casework

import (
	"context"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// The doses (ui/principles.md 11).
const (
	exposureADay   = 120 * time.Minute // of visible media
	streakVisible  = 20 * time.Minute  // of visible media without a break
	streakReview   = 50 * time.Minute  // of review without a break
	breakIs        = 10 * time.Minute  // a pause this long is a break
	mostAtOnce     = 15 * time.Minute  // what one call may add
	clockTolerance = 5 * time.Second   // of the browser's counting
)

// Exposure is how much of its media a person has seen today. It belongs to the
// person alone: no method returns it for another, and no event carries it.
type Exposure struct {
	Visible time.Duration // today, in the person's time zone
	Limit   time.Duration
	Full    bool          // the day's limit is reached: only light work is offered
	Break   bool          // a break is due: 20 min visible or 50 min of review in a row
	BreakIn time.Duration // at the latest, as long as work goes on; 0 once a break is due
}

// streak is a row of exposures.
type streak struct {
	visible, streakVisible int64 // seconds
	from, last             time.Time
}

func (r *Room) streak(ctx context.Context, q db.Reader, by party.Actor, day string) (streak, error) {
	s, err := db.One(ctx, q, func(row db.Row) (streak, error) {
		var s streak
		err := row.Scan(&s.visible, &s.streakVisible, db.Time(&s.from), db.Time(&s.last))
		return s, err
	}, `SELECT visible, streak_visible, streak_from, last_at FROM exposures WHERE person_id = $1 AND day = $2`, by.Person, day)
	if errors.Is(err, db.ErrAbsent) {
		err = nil
	}
	return s, err
}

// today is the day in the person's own time zone.
func today(by party.Actor, now time.Time) string {
	zone, err := time.LoadLocation(by.Zone)
	if err != nil {
		zone = time.UTC
	}
	return now.In(zone).Format(time.DateOnly)
}

// Exposure returns the actor's own exposure of today.
func (r *Room) Exposure(ctx context.Context, by party.Actor) (Exposure, error) {
	if !by.Known() {
		return Exposure{}, fault.New(fault.Denied, "auth.sign-in")
	}
	now := r.Clock.Now()
	s, err := r.streak(ctx, r.DB, by, today(by, now))
	return s.exposure(now), err
}

func (s streak) exposure(now time.Time) Exposure {
	e := Exposure{Visible: time.Duration(s.visible) * time.Second, Limit: exposureADay}
	e.Full = e.Visible >= e.Limit
	e.BreakIn = streakVisible
	if !s.last.IsZero() && now.Sub(s.last) < breakIs {
		e.BreakIn = max(0, min(streakVisible-time.Duration(s.streakVisible)*time.Second, streakReview-now.Sub(s.from)))
		e.Break = e.BreakIn == 0
	}
	return e
}

// AddExposure adds seconds during which media were visible to the actor, 0
// while they only review, and returns where they stand. What was not possible
// since the last call does not count.
func (r *Room) AddExposure(ctx context.Context, by party.Actor, seconds int) (Exposure, error) {
	if !auth.Seat(by, auth.CaseEvidence) {
		return Exposure{}, auth.May(by, auth.CaseEvidence, Case{Party: by.Party}.Object())
	}
	if seconds < 0 || time.Duration(seconds)*time.Second > mostAtOnce {
		return Exposure{}, fault.New(fault.Invalid, "case.seconds", "Max", int(mostAtOnce/time.Second)).At("/seconds")
	}
	var e Exposure
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		day := today(by, now)
		s, err := r.streak(ctx, tx, by, day)
		if err != nil {
			return err
		}
		if s.last.IsZero() || now.Sub(s.last) >= breakIs {
			s.streakVisible, s.from = 0, now.Add(-time.Duration(seconds)*time.Second)
		} else {
			seconds = int(min(time.Duration(seconds)*time.Second, now.Sub(s.last)+clockTolerance) / time.Second)
		}
		s.visible += int64(seconds)
		s.streakVisible += int64(seconds)
		s.last = now
		e = s.exposure(now)
		return storeStreak(ctx, tx, by, day, s)
	})
	return e, err
}

// StartBreak records that the actor takes a break now.
func (r *Room) StartBreak(ctx context.Context, by party.Actor) error {
	if !by.Known() {
		return fault.New(fault.Denied, "auth.sign-in")
	}
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		day := today(by, now)
		s, err := r.streak(ctx, tx, by, day)
		if err != nil {
			return err
		}
		s.streakVisible, s.from, s.last = 0, now, now
		return storeStreak(ctx, tx, by, day, s)
	})
}

func storeStreak(ctx context.Context, tx *db.Tx, by party.Actor, day string, s streak) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO exposures (person_id, day, visible, streak_visible, streak_from, last_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (person_id, day) DO UPDATE SET visible = excluded.visible, streak_visible = excluded.streak_visible,
			streak_from = excluded.streak_from, last_at = excluded.last_at`,
		by.Person, day, s.visible, s.streakVisible, db.Micros(s.from), db.Micros(s.last))
	return err
}
