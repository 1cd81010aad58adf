package notice

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// A Standing is a notice that waits for one signature: whose step it is, and
// since when.
type Standing struct {
	ID      ID
	Ref     string
	Version int
	Party   party.ID      // whose people can take the step
	Step    Event         // approve or issue
	Since   time.Time     // when it began to wait for this step
	Limit   time.Duration // the pack's target for the step, 0 for none
	Clock   bool          // the notice will run against a clock of its own: it is urgent

	act    auth.Act
	object auth.Object
}

// May returns nil if the actor may take the step.
func (s Standing) May(by party.Actor) error { return auth.May(by, s.act, s.object) }

// StandingOf returns the step that a notice waits for; ok is false if it waits
// for none, or if its rows cannot be read.
func (r *Room) StandingOf(ctx context.Context, reader db.Reader, id ID) (s Standing, ok bool, err error) {
	n, err := get(ctx, reader, id)
	if fault.Of(err) == fault.NotFound || fault.Is(err, "notice.damaged") {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	return r.standing(ctx, reader, n)
}

// Standings returns every notice that waits for a signature, at most n after
// the given identifier, in the order of identifiers.
func (r *Room) Standings(ctx context.Context, reader db.Reader, after ID, n int) ([]Standing, error) {
	all, err := db.All(ctx, reader, scanListed, `
		SELECT `+columns+` FROM notices WHERE life IN ('proposed', 'approved') AND issued_at IS NULL AND id > $1 ORDER BY id LIMIT $2`, after, n)
	if err != nil {
		return nil, err
	}
	var out []Standing
	for _, one := range all {
		if one.damage != nil {
			continue // it cannot be signed, and every list says so
		}
		s, ok, err := r.standing(ctx, reader, one)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

func (r *Room) standing(ctx context.Context, reader db.Reader, n Notice) (s Standing, ok bool, err error) {
	s = Standing{ID: n.ID, Ref: n.Ref, Version: n.Version, Clock: n.DeadlineMinutes > 0}
	switch {
	case n.Life == Proposed:
		s.Party, s.Step, s.Since, s.act = n.Proposer, EventApprove, n.ProposedAt, auth.NoticeApprove
	case n.Life == Approved && n.IssuedAt.IsZero():
		s.Party, s.Step, s.Since, s.act = n.Issuer, EventIssue, n.ApprovedAt, auth.NoticeIssue
	default:
		return s, false, nil
	}
	sigs, err := signatures(ctx, reader, n.ID, n.Version)
	if fault.Is(err, "notice.damaged") {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	s.object = r.object(n, acted(n, sigs, s.Step))
	if pack, err := r.pack(n); err == nil {
		chain, _ := pack.Chain(policyKind(n))
		if step, ok := stepOf(chain, signing[s.Step].act); ok {
			s.Limit = step.Limit.Duration()
		}
	}
	return s, true, nil
}
