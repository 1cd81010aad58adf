package tell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// UsualHeed is how long a called person has to say that they look, unless the
// operator sets another time.
const UsualHeed = 5 * time.Minute

const (
	// againTimes is how often everybody is called again when nobody looks.
	againTimes = 6
	// againEvery is how many times the time to heed passes between.
	againEvery = 3
	// urgentPage is how many standing calls a round takes: one a party.
	urgentPage = 500
)

// again is the stage of calling everybody for the n-th time more.
func again(n int) Stage { return Stage(fmt.Sprintf("again-%d", n)) }

// An urgentStage is a stage of a call with whom it calls, and from when.
type urgentStage struct {
	called
	from time.Time
}

// urgentPlan is who is called when, because somebody will be hurt soon: who is
// on duty at once, their deputies when nobody has looked within the time to
// heed, everybody who may look when it is over once more, and then everybody
// again, at most againTimes. Where nobody is in a stage the next one takes its
// time. It is pure, so that a test can walk through it.
func urgentPlan(since time.Time, within time.Duration, on, deputies, all []party.Actor) []urgentStage {
	var out []urgentStage
	at := since
	for _, c := range []called{{OnDuty, on}, {Deputies, deputies}, {Everybody, all}} {
		if len(c.people) > 0 {
			out = append(out, urgentStage{c, at})
			at = at.Add(within)
		}
	}
	for n := 1; n <= againTimes && len(all) > 0; n++ {
		at = at.Add((againEvery - 1) * within)
		out = append(out, urgentStage{called{again(n), all}, at})
		at = at.Add(within)
	}
	return out
}

// Urgent takes every stage that is due of the calls that stand because somebody
// will be hurt soon. Like Calls it may run any number of times, on every node.
func (t *Teller) Urgent(ctx context.Context) error {
	standing, err := t.Cases.StandingCalls(ctx, t.DB, urgentPage)
	if err != nil {
		return err
	}
	for _, c := range standing {
		err = errors.Join(err, t.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return t.callUrgent(ctx, tx, c.ID) }))
	}
	return err
}

// raised calls at once, in the transaction in which the news of a case got its
// place.
func (t *Teller) raised(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	c, ok, err := t.Cases.CallOf(ctx, tx, casework.ID(e.ObjectID))
	if err != nil || !ok {
		return err
	}
	return t.callUrgent(ctx, tx, c)
}

// callUrgent takes the stages of a call that are due, unless somebody looks.
func (t *Teller) callUrgent(ctx context.Context, tx *db.Tx, id casework.CallID) error {
	c, err := t.Cases.LockCall(ctx, tx, id)
	if err != nil || !c.Stands() {
		return err
	}
	now := t.Clock.Now()
	done, err := db.All(ctx, tx, db.Scalar[Stage], `SELECT stage FROM urgent_call_stages WHERE call_id = $1`, id)
	if err != nil {
		return err
	}
	all, on, deputies, err := t.urgentPeople(ctx, tx, c, now)
	if err != nil {
		return err
	}
	for _, s := range urgentPlan(c.Since, t.Within(), on, deputies, all) {
		if now.Before(s.from) || slices.Contains(done, s.stage) {
			continue
		}
		if err := t.callStageOf(ctx, tx, c, s.called, now); err != nil {
			return err
		}
	}
	return nil
}

// Within is how long a called person has to say that they look.
func (t *Teller) Within() time.Duration {
	if t.Heed > 0 {
		return t.Heed
	}
	return UsualHeed
}

// urgentPeople returns who of a call's party may say that they look, and who of
// them is on duty now or stands in. A person on duty in two roles is one.
func (t *Teller) urgentPeople(ctx context.Context, tx *db.Tx, c casework.Call, now time.Time) (all, on, deputies []party.Actor, err error) {
	org, err := party.Get(ctx, tx, c.Party)
	if fault.Of(err) == fault.NotFound { // altered: nobody acts in its name
		return nil, nil, nil, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if all, err = t.staff(ctx, tx, c.Party); err != nil {
		return nil, nil, nil, err
	}
	all = slices.DeleteFunc(all, func(by party.Actor) bool { return auth.May(by, auth.CaseHeed, c.Object()) != nil })
	on, deputies, err = onDuty(ctx, tx, org, all, now)
	return all, on, deputies, err
}

// callStageOf calls the people of one stage of a call, once.
func (t *Teller) callStageOf(ctx context.Context, tx *db.Tx, c casework.Call, s called, now time.Time) error {
	n, err := tx.Exec(ctx, `INSERT INTO urgent_call_stages (call_id, stage, people, called_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		c.ID, s.stage, len(s.people), db.Micros(now))
	if err != nil || n == 0 {
		return err
	}
	entry, err := t.Feed.Record(ctx, tx, feed.Event{
		Kind: "case.called", Object: "case", ObjectID: string(c.Cases[0].ID), Ref: c.Cases[0].Ref, Audience: []string{string(c.Party)}, At: now,
		Data: map[string]any{"call": c.ID, "stage": s.stage, "people": len(s.people)},
	})
	if err != nil {
		return err
	}
	for _, by := range s.people {
		if err := t.press(ctx, tx, by, "called-look", "called/"+entry, c.Cases[0].Ref); err != nil {
			return err
		}
	}
	return nil
}

// A CalledStage is who was called when.
type CalledStage struct {
	Stage  Stage
	People int
	At     time.Time
}

// CalledFor returns the stages in which people were called for a call, the
// first first. The caller has checked that its reader may see the call.
func CalledFor(ctx context.Context, r db.Reader, id casework.CallID) ([]CalledStage, error) {
	return db.All(ctx, r, func(row db.Row) (s CalledStage, err error) {
		return s, row.Scan(&s.Stage, &s.People, db.Time(&s.At))
	}, `SELECT stage, people, called_at FROM urgent_call_stages WHERE call_id = $1 ORDER BY called_at, stage`, id)
}
