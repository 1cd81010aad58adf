package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/huandu/go-sqlbuilder"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Bounds of a page of a list.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// A Filter narrows the queue; empty parts allow everything.
type Filter struct {
	Queue    string  // code of a pack's queue
	States   []State // none means those that wait for an analyst: open and taken
	Platform string  // key
	Holder   party.PersonID
	Free     bool   // only what nobody has locked
	Lane     LaneID // only what came in it
	Further  bool   // only claims that do not move their case forward: see Case.Further
	Ref      string // the reference, or its end
	Cursor   string // where the page before ended
	Limit    int    // at most 200, 50 if 0
}

// Queue returns cases by priority, the highest first and of equal ones the
// oldest, and the cursor of the next page, "" at the end. It holds exactly the
// cases that the actor may read; for whoever may read none it is empty.
func (r *Room) Queue(ctx context.Context, by party.Actor, f Filter) ([]Case, string, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	query, args, err := f.query(by, r.Clock.Now(), limit+1)
	if err != nil || query == "" {
		return nil, "", err
	}
	cases, err := db.All(ctx, r.DB, scanCase, query, args...)
	if err != nil || len(cases) <= limit {
		return cases, "", err
	}
	last := cases[limit-1]
	return cases[:limit], db.Mark{Key: int64(last.Priority), ID: string(last.ID)}.String(), nil
}

// query is the SQL of a page, "" for whoever may read nothing.
func (f Filter) query(by party.Actor, now time.Time, limit int) (string, []any, error) {
	b := sqlbuilder.PostgreSQL.NewSelectBuilder()
	b.Select(caseColumns).From("cases")
	if ok, err := tenant(b, by); !ok || err != nil {
		return "", nil, err
	}
	if err := f.narrow(b, now); err != nil {
		return "", nil, err
	}
	b.OrderBy("priority DESC", "id").Limit(limit)
	query, args := b.Build()
	return query, args, nil
}

// tenant binds a query to what the actor may read; ok is false if that is
// nothing. It is the SQL side of auth.May(by, auth.CaseRead, case).
func tenant(b *sqlbuilder.SelectBuilder, by party.Actor) (ok bool, err error) {
	if !by.Known() {
		return false, fault.New(fault.Denied, "auth.sign-in")
	}
	switch {
	case auth.May(by, auth.CaseRead, auth.Object{What: "case"}) == nil: // oversight reads all
		return true, nil
	case auth.May(by, auth.CaseRead, Case{Party: by.Party}.Object()) == nil:
		b.Where(b.Equal("party_id", string(by.Party)))
		return true, nil
	default:
		return false, nil
	}
}

func (f Filter) narrow(b *sqlbuilder.SelectBuilder, now time.Time) error {
	if len(f.States) == 0 {
		b.Where("state IN ('open', 'taken')") // the words of the index cases_waiting
	} else {
		var states []any
		for i, s := range f.States {
			if !slices.Contains(States(), s) {
				return fault.New(fault.Invalid, "case.value", "Value", clip(string(s))).At(fmt.Sprintf("/states/%d", i))
			}
			states = append(states, string(s))
		}
		b.Where(b.In("state", states...))
	}
	for column, value := range map[string]string{"queue": f.Queue, "platform": f.Platform, "holder": string(f.Holder), "lane_id": string(f.Lane)} {
		if value != "" {
			b.Where(b.Equal(column, value))
		}
	}
	if f.Free {
		b.Where(b.Or("state = 'open'", b.LessEqualThan("locked_until", db.Micros(now))))
	}
	if f.Further {
		b.Where(furtherClaims)
	}
	if f.Ref != "" {
		b.Where("ref LIKE " + b.Var("%"+strings.NewReplacer("%", "", "_", "").Replace(strings.ToUpper(f.Ref))))
	}
	if f.Cursor == "" {
		return nil
	}
	m, err := db.ParseMark(f.Cursor)
	if err != nil {
		return err
	}
	b.Where(b.Or(b.LessThan("priority", m.Key), b.And(b.Equal("priority", m.Key), b.GreaterThan("id", m.ID))))
	return nil
}

// Many is where counting ends: a badge says "999+", and no page pays for
// knowing how many more there are.
const Many = 1000

// Counts are how much waits, as the queue's tabs and badges show it. Each is
// exact below Many, and Many from there on.
type Counts struct {
	Queues    map[string]int // waiting cases by queue
	Waiting   int            // all of them
	Mine      int            // taken by the actor, locked or not
	Opinions  int            // second opinions asked of the actor or of anybody but them
	Proposed  int            // cases that await a second person
	HandOvers int            // hand-overs that await the actor's party
}

// Counts returns what waits for the actor's party and for the actor. It costs
// one short query for each queue of the packs, and five more.
func (r *Room) Counts(ctx context.Context, by party.Actor) (Counts, error) {
	out := Counts{Queues: map[string]int{}}
	for _, queue := range r.queues() {
		n, ok, err := r.countTenant(ctx, by, "state IN ('open', 'taken')", queue)
		if !ok || err != nil {
			return out, err
		}
		if n > 0 {
			out.Queues[queue] = n
		}
	}
	var err error
	if out.Waiting, _, err = r.countTenant(ctx, by, "state IN ('open', 'taken')", ""); err != nil {
		return out, err
	}
	if out.Proposed, _, err = r.countTenant(ctx, by, "state = 'proposed'", ""); err != nil {
		return out, err
	}
	return out, r.countOwn(ctx, by, &out)
}

// queues are the codes that a case's queue can have, see rank.
func (r *Room) queues() []string {
	codes := []string{"all"}
	for _, p := range r.Packs.All() {
		for _, q := range p.Queues {
			if !slices.Contains(codes, q.Code) {
				codes = append(codes, q.Code)
			}
		}
	}
	return codes
}

// countTenant counts cases that the actor may read, up to Many; ok is false for
// whoever may read none.
func (r *Room) countTenant(ctx context.Context, by party.Actor, where, queue string) (n int, ok bool, err error) {
	b := sqlbuilder.PostgreSQL.NewSelectBuilder()
	b.Select("1").From("cases")
	if ok, err := tenant(b, by); !ok || err != nil {
		return 0, false, err
	}
	b.Where(where) // the words of an index
	if queue != "" {
		b.Where(b.Equal("queue", queue))
	}
	query, args := b.Limit(Many).Build()
	v, err := db.Value[int64](ctx, r.DB, `SELECT count(*) FROM (`+query+`) AS found`, args...)
	return int(v), true, err
}

func (r *Room) countOwn(ctx context.Context, by party.Actor, out *Counts) error {
	for _, q := range []struct {
		into *int
		sql  string
		args []any
	}{
		{&out.Mine, `SELECT 1 FROM cases WHERE holder = $1 AND party_id = $2 AND state = 'taken'`, []any{by.Person, by.Party}},
		{&out.Opinions, `
			SELECT 1 FROM case_opinions o CROSS JOIN cases c
			WHERE o.given_by IS NULL AND o.asked_by <> $1 AND (o.asked_of IS NULL OR o.asked_of = $1)
				AND c.id = o.case_id AND c.assessed = o.assessment AND c.party_id = $2 AND c.state = 'taken'`, []any{by.Person, by.Party}},
		{&out.HandOvers, `SELECT 1 FROM handovers WHERE to_party = $1 AND state = 'offered'`, []any{by.Party}},
	} {
		n, err := db.Value[int64](ctx, r.DB, `SELECT count(*) FROM (`+q.sql+fmt.Sprintf(` LIMIT %d) AS found`, Many), q.args...)
		if err != nil {
			return err
		}
		*q.into = int(n)
	}
	return nil
}
