package tell

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
)

// A Stage is how widely people are called to sign a notice.
type Stage string

// The stages. Each comes once: who is on duty at once, their deputy when half
// of the step's time is over, everybody with the right at three quarters. Where
// nobody of a stage may sign, the next one comes at its time.
const (
	OnDuty    Stage = "duty"
	Deputies  Stage = "deputy"
	Everybody Stage = "everybody"
)

// usualLimit is the time of a step for which the pack sets no target.
const usualLimit = time.Hour

// dutyRole is who signs a step.
var dutyRole = map[notice.Event]party.Role{notice.EventApprove: party.Approver, notice.EventIssue: party.Officer}

// callPage is how many notices one round of Calls reads at once.
const callPage = 200

// Calls calls whoever is on duty for what waits for a signature, so that no
// clock lapses because somebody sleeps. It is a sweep over rows: it may run any
// number of times, on every node, and each stage comes once. The call is a
// letter, whatever the person wished, and an event for the party's systems.
func (t *Teller) Calls(ctx context.Context) error {
	var failed error
	round := &round{teller: t, now: t.Clock.Now(), offices: map[party.ID]office{}}
	after := notice.ID("")
	for ctx.Err() == nil {
		all, err := t.Notice.Standings(ctx, t.DB, after, callPage)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, s := range all {
			if err := round.call(ctx, s); err != nil {
				failed = errors.Join(failed, err)
			}
			after = s.ID
		}
		if len(all) == 0 {
			break
		}
	}
	return failed
}

// A round is one run of Calls: it reads each organisation once.
type round struct {
	teller  *Teller
	now     time.Time
	offices map[party.ID]office
}

// An office is an organisation as a round finds it.
type office struct {
	staff  []party.Actor
	shifts []duty.Shift
	zone   *time.Location
}

func (o *round) office(ctx context.Context, id party.ID) (office, error) {
	if known, ok := o.offices[id]; ok {
		return known, nil
	}
	out := office{zone: time.UTC}
	org, err := party.Get(ctx, o.teller.DB, id)
	switch {
	case fault.Of(err) == fault.NotFound: // altered: nobody acts in its name
	case err != nil:
		return out, err
	default:
		out.zone = zoneOf(org.Zone)
		if out.staff, err = o.teller.staff(ctx, o.teller.DB, id); err != nil {
			return out, err
		}
		if out.shifts, err = duty.Of(ctx, o.teller.DB, id); err != nil {
			return out, err
		}
	}
	o.offices[id] = out
	return out, nil
}

// call takes every stage of one notice that is due.
func (o *round) call(ctx context.Context, s notice.Standing) error {
	t := o.teller
	done, err := db.All(ctx, t.DB, db.Scalar[Stage], `SELECT stage FROM duty_calls WHERE notice_id = $1 AND version = $2 AND step = $3`, s.ID, s.Version, s.Step)
	if err != nil || slices.Contains(done, Everybody) {
		return err
	}
	at, err := o.office(ctx, s.Party)
	if err != nil {
		return err
	}
	for _, c := range at.stages(s, o.now) {
		if slices.Contains(done, c.stage) {
			continue
		}
		err := t.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return t.callStage(ctx, tx, s, c, o.now) })
		if err != nil {
			return err
		}
	}
	return nil
}

// a called stage is one that is due, with whom it calls.
type called struct {
	stage  Stage
	people []party.Actor
}

// stages returns the stages of a notice that are due at now.
func (o office) stages(s notice.Standing, now time.Time) []called {
	may := slices.DeleteFunc(slices.Clone(o.staff), func(by party.Actor) bool { return s.May(by) != nil })
	on, deputies := pick(may, duty.On(o.shifts, dutyRole[s.Step], now, o.zone))
	return due(s, now, on, deputies, may)
}

// pick returns those of some people whose shifts these are, and those who stand
// in, each once.
func pick(may []party.Actor, shifts []duty.Shift) (on, deputies []party.Actor) {
	for _, shift := range shifts {
		on = append(on, missing(on, only(may, shift.Person))...)
		deputies = append(deputies, missing(deputies, only(may, shift.Deputy))...)
	}
	return on, deputies
}

// missing returns those of some people who are not in a list.
func missing(in, some []party.Actor) []party.Actor {
	return slices.DeleteFunc(slices.Clone(some), func(by party.Actor) bool { return len(only(in, by.Person)) > 0 })
}

// onDuty returns those of some people of an organisation who are on duty now,
// in whatever role, and those who stand in.
func onDuty(ctx context.Context, r db.Reader, org party.Party, may []party.Actor, now time.Time) (on, deputies []party.Actor, err error) {
	shifts, err := duty.Of(ctx, r, org.ID)
	if err != nil {
		return nil, nil, err
	}
	var standing []duty.Shift
	for _, role := range duty.Roles() {
		standing = append(standing, duty.On(shifts, role, now, zoneOf(org.Zone))...)
	}
	on, deputies = pick(may, standing)
	return on, deputies, nil
}

// due is the plan of stages: pure, so that a test can walk through it.
func due(s notice.Standing, now time.Time, on, deputies, all []party.Actor) []called {
	limit := s.Limit
	if limit <= 0 {
		limit = usualLimit
	}
	half, later := s.Since.Add(limit/2), s.Since.Add(limit*3/4)
	if len(on) == 0 {
		half, later = s.Since, half
	}
	if len(deputies) == 0 {
		later = s.Since.Add(limit / 2)
	}
	var out []called
	for _, c := range []struct {
		called
		from time.Time
	}{
		{called{OnDuty, on}, s.Since}, {called{Deputies, deputies}, half}, {called{Everybody, all}, later},
	} {
		if len(c.people) > 0 && !now.Before(c.from) {
			out = append(out, c.called)
		}
	}
	return out
}

// only is the one of them who has an identifier, if there.
func only(all []party.Actor, id party.PersonID) []party.Actor {
	if i := slices.IndexFunc(all, func(by party.Actor) bool { return by.Person == id }); i >= 0 && id != "" {
		return all[i : i+1]
	}
	return nil
}

// callStage calls the people of one stage, if the notice still waits for the
// same step and nobody has been called for it yet.
func (t *Teller) callStage(ctx context.Context, tx *db.Tx, s notice.Standing, c called, now time.Time) error {
	still, ok, err := t.Notice.StandingOf(ctx, tx, s.ID)
	if err != nil || !ok || still.Step != s.Step || still.Version != s.Version {
		return err
	}
	n, err := tx.Exec(ctx, `INSERT INTO duty_calls (notice_id, version, step, stage, called_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		s.ID, s.Version, s.Step, c.stage, db.Micros(now))
	if err != nil || n == 0 {
		return err
	}
	entry, err := t.Feed.Record(ctx, tx, feed.Event{
		Kind: "notice.called", Object: "notice", ObjectID: string(s.ID), Ref: s.Ref, Audience: []string{string(s.Party)}, At: now,
		Data: map[string]any{"stage": c.stage, "step": s.Step, "people": len(c.people)},
	})
	if err != nil {
		return err
	}
	for _, by := range c.people {
		if err := t.press(ctx, tx, by, "called-"+string(s.Step), "called/"+entry, s.Ref); err != nil {
			return err
		}
	}
	return nil
}
