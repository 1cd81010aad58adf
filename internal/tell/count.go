package tell

import (
	"context"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
)

// Counts are how much waits for an actor and for their party.
type Counts struct {
	Cases    casework.Counts
	Notices  notice.Awaiting
	Recovery int // colleagues who need a second person, and one's own that one may not know of
	Returned int // letters that came back, for the party to reach somebody otherwise

	Called bool          // somebody will be hurt soon, reporters say, and nobody looks yet
	Call   casework.Call // which call that is
}

// A Wait is one kind of thing that waits for an actor: how many, and whether a
// clock runs on it.
type Wait struct {
	Kind   string // as "approve": the key of its words
	N      int
	Urgent bool
}

// Count counts what waits for the actor. It costs a query for each count that
// the actor's seat can have.
func (t *Teller) Count(ctx context.Context, by party.Actor) (Counts, error) {
	var c Counts
	var err error
	if auth.Seat(by, auth.CaseRead) {
		if c.Cases, err = t.Cases.Counts(ctx, by); err != nil {
			return c, err
		}
	}
	if auth.Seat(by, auth.CaseHeed) {
		if c.Call, c.Called, err = t.Cases.StandingCall(ctx, t.DB, by.Party); err != nil {
			return c, err
		}
	}
	if c.Notices, err = t.Notice.Awaiting(ctx, by); err != nil {
		return c, err
	}
	returned, err := t.Mail.Open(ctx, by)
	c.Returned = len(returned)
	if err != nil {
		return c, err
	}
	recoveries, err := t.Auth.Recoveries(ctx, by)
	for _, r := range recoveries {
		if t.Auth.MayConfirm(by, r) == nil || r.Person == by.Person && r.EndedAt.IsZero() {
			c.Recovery++
		}
	}
	return c, err
}

// Waits lists what waits, the urgent first; kinds of which nothing waits are
// left out. Overdue and Due1h stand first: their clocks are lost or nearly so.
func (c Counts) Waits() []Wait {
	n := c.Notices
	var out []Wait
	for _, w := range []Wait{
		{"urgent", c.Call.Count, true},
		{"due", n.Due1h, true},
		{"overdue", n.Overdue - min(n.Overdue, n.Due1h), true}, // a platform's overdue ones are due already
		{"approve", n.Approve, true},
		{"issue", n.Issue, true},
		{"receive", n.Receive, true},
		{"recovery", c.Recovery, true},
		{"returned", c.Returned, true},
		{"questions", n.Questions, true},
		{"answer", n.Answer, false},
		{"confirm", n.Confirm, false},
		{"verify", n.Verify, false},
		{"opinions", c.Cases.Opinions, false},
		{"hand-overs", c.Cases.HandOvers, false},
		{"propose", n.Propose, false},
	} {
		if w.N > 0 {
			out = append(out, w)
		}
	}
	return out
}

// Total is how many things wait. What is due soon is counted once.
func (c Counts) Total() int {
	total := 0
	for _, w := range c.Waits() {
		if w.Kind != "due" {
			total += w.N
		}
	}
	return total
}
