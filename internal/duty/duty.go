// Package duty knows who of an organisation is on duty at which hours of a
// week, and who stands in for them.
//
// A rota grants no right: it says who is told first. Whoever is told acts by
// the rights that they have anyway.
package duty

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// Roles are those that can be on duty: whose signature a clock waits for, and
// who looks when somebody will be hurt soon.
func Roles() []party.Role { return []party.Role{party.Analyst, party.Approver, party.Officer} }

// maxShifts bounds the rota of one organisation: three shifts a day for three
// roles, five times over.
const maxShifts = 315

// A Shift is the same hours of every week, in the organisation's time zone.
type Shift struct {
	ID      string
	Party   party.ID
	Role    party.Role
	Weekday time.Weekday   // on which it begins
	From    int            // minutes from midnight, 0 to 1439
	To      int            // the same; not after From means on the next day
	Person  party.PersonID // on duty
	Deputy  party.PersonID // stands in; "" for nobody
	At      time.Time      // when it was set

	mac []byte
}

// covers reports whether the shift stands at a local time.
func (s Shift) covers(local time.Time) bool {
	minute, overnight := local.Hour()*60+local.Minute(), s.To <= s.From
	switch local.Weekday() {
	case s.Weekday:
		return minute >= s.From && (overnight || minute < s.To)
	case (s.Weekday + 1) % 7:
		return overnight && minute < s.To
	default:
		return false
	}
}

// On returns the shifts of a role that stand at now in the given zone, in the
// order in which they were set.
func On(all []Shift, role party.Role, now time.Time, zone *time.Location) []Shift {
	local := now.In(zone)
	return slices.DeleteFunc(slices.Clone(all), func(s Shift) bool { return s.Role != role || !s.covers(local) })
}

// A Rota keeps the shifts. It is safe for concurrent use.
type Rota struct {
	db    *db.DB
	feed  *feed.Feed
	clock clock.Clock
}

// New returns a Rota.
func New(d *db.DB, f *feed.Feed, c clock.Clock) *Rota { return &Rota{d, f, c} }

const columns = `id, party_id, role, weekday, from_minute, to_minute, person_id, deputy_id, created_at, mac`

func scan(row db.Row) (Shift, error) {
	var s Shift
	err := row.Scan(&s.ID, &s.Party, &s.Role, &s.Weekday, &s.From, &s.To, &s.Person, &s.Deputy, db.Time(&s.At), &s.mac)
	return s, err
}

const table = "duty_shifts"

// values are what the MAC of a shift stands over: all of it.
func (s Shift) values() []any {
	return []any{s.ID, string(s.Party), string(s.Role), int64(s.Weekday), int64(s.From), int64(s.To), string(s.Person), string(s.Deputy), s.At}
}

// Of returns the shifts of a party by day and hour. Rows that this program did
// not write are left out.
func Of(ctx context.Context, r db.Reader, id party.ID) ([]Shift, error) {
	all, err := db.All(ctx, r, scan, `SELECT `+columns+` FROM duty_shifts WHERE party_id = $1 ORDER BY weekday, from_minute, created_at, id`, id)
	return slices.DeleteFunc(all, func(s Shift) bool { return !r.Sealer().Holds(table, s.ID, s.mac, s.values()...) }), err
}

// A Plan is shifts to be set: the same hours on several days.
type Plan struct {
	Role     party.Role
	Weekdays []time.Weekday
	From, To int // as in Shift
	Person   party.PersonID
	Deputy   party.PersonID
}

// Add sets shifts of the actor's party. Who is on duty, and who stands in, are
// two people who hold the role.
func (r *Rota) Add(ctx context.Context, by party.Actor, p Plan) error {
	if err := auth.May(by, auth.PartyAdmin, auth.Object{What: "party", Owner: by.Party}); err != nil {
		return err
	}
	now := r.clock.Now()
	return r.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := p.check(ctx, tx, by.Party); err != nil {
			return err
		}
		n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM duty_shifts WHERE party_id = $1`, by.Party)
		if err != nil {
			return err
		}
		if int(n)+len(p.Weekdays) > maxShifts {
			return fault.New(fault.Conflict, "duty.too-many", "Max", maxShifts)
		}
		for _, day := range p.Weekdays {
			s := Shift{ID: db.NewID(), Party: by.Party, Role: p.Role, Weekday: day, From: p.From, To: p.To, Person: p.Person, Deputy: p.Deputy, At: now}
			if _, err := tx.Exec(ctx, `INSERT INTO duty_shifts (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				s.ID, s.Party, s.Role, int64(s.Weekday), s.From, s.To, s.Person, s.Deputy, db.Micros(now), tx.Sealer().Seal(table, s.values()...)); err != nil {
				return fmt.Errorf("add a shift: %w", err)
			}
		}
		return r.record(ctx, tx, by, "duty.added", map[string]any{"role": p.Role, "days": len(p.Weekdays)}, now)
	})
}

func (p Plan) check(ctx context.Context, tx *db.Tx, id party.ID) error {
	var c fault.Checker
	if !slices.Contains(Roles(), p.Role) {
		c.Add("/role", "duty.role")
	}
	c.Require(len(p.Weekdays) > 0, "/weekdays")
	for _, d := range p.Weekdays {
		if d < time.Sunday || d > time.Saturday {
			c.Add("/weekdays", "duty.day")
		}
	}
	for pointer, m := range map[string]int{"/from": p.From, "/to": p.To} {
		if m < 0 || m >= 24*60 {
			c.Add(pointer, "duty.hour")
		}
	}
	c.Require(p.Person != "", "/person")
	if p.Deputy == p.Person && p.Person != "" {
		c.Add("/deputy", "duty.same")
	}
	for pointer, who := range map[string]party.PersonID{"/person": p.Person, "/deputy": p.Deputy} {
		if who == "" {
			continue
		}
		m, err := party.GetPerson(ctx, tx, who)
		if err != nil && fault.Of(err) != fault.NotFound {
			return err
		}
		if err != nil || m.Party != id || !m.Active || !m.Has(p.Role) {
			c.Add(pointer, "duty.person")
		}
	}
	return c.Err()
}

// Remove ends a shift of the actor's party.
func (r *Rota) Remove(ctx context.Context, by party.Actor, id string) error {
	if err := auth.May(by, auth.PartyAdmin, auth.Object{What: "party", Owner: by.Party}); err != nil {
		return err
	}
	return r.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM duty_shifts WHERE id = $1 AND party_id = $2`, id, by.Party)
		if err == nil && n == 0 {
			err = fault.Hidden("shift")
		}
		if err != nil {
			return err
		}
		return r.record(ctx, tx, by, "duty.removed", map[string]any{"shift": id}, r.clock.Now())
	})
}

func (r *Rota) record(ctx context.Context, tx *db.Tx, by party.Actor, kind string, data any, now time.Time) error {
	_, err := r.feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: "party", ObjectID: string(by.Party), Party: string(by.Party), Person: string(by.Person),
		Audience: []string{string(by.Party)}, Data: data, At: now,
	})
	return err
}
