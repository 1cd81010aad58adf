package notice

import (
	"context"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
)

// A Waiting is a notice whose next step could be the actor's.
type Waiting struct {
	Row
	Step  Event         // approve or issue
	Since time.Time     // when it began to wait for this step
	Limit time.Duration // our own target
	Why   error         // why the actor may not take it, nil if they may
}

// Approvals returns what waits for a signature in the actor's party, the
// longest first: proposed notices for its approvers, approved ones for its
// officers. Those that the actor may not sign, having acted before, say so.
func (r *Room) Approvals(ctx context.Context, by party.Actor) ([]Waiting, error) {
	var out []Waiting
	for _, w := range []struct {
		event Event
		act   auth.Act
		sql   string
	}{
		{EventApprove, auth.NoticeApprove, `life = 'proposed' AND proposer = $1 ORDER BY proposed_at, id LIMIT 200`},
		{EventIssue, auth.NoticeIssue, `life = 'approved' AND issued_at IS NULL AND issuer = $1 ORDER BY approved_at, id LIMIT 200`},
	} {
		if !auth.Seat(by, w.act) {
			continue
		}
		all, err := db.All(ctx, r.DB, scanListed, `SELECT `+listed+` FROM notices WHERE `+w.sql, by.Party)
		if err != nil {
			return nil, err
		}
		rows, err := r.rows(ctx, all)
		if err != nil {
			return nil, err
		}
		signed, err := presentSignatures(ctx, r.DB, all)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			one, err := r.waiting(by, row, signed[row.ID], w.event, w.act)
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		}
	}
	return out, nil
}

func (r *Room) waiting(by party.Actor, row Row, sigs []Signature, event Event, act auth.Act) (Waiting, error) {
	n := row.Notice
	w := Waiting{Row: row, Step: event, Since: n.ProposedAt, Why: auth.May(by, act, r.object(n, acted(n, sigs, event)))}
	if event == EventIssue {
		w.Since = n.ApprovedAt
	}
	if n.damage != nil { // it is listed, and cannot be signed
		w.Why = n.damage
		return w, nil //nolint:nilerr // the damage is what the list says of it
	}
	if w.Why == nil {
		w.Why = r.locked(by, n, event)
	}
	pack, err := r.pack(n)
	if err != nil {
		return w, err
	}
	chain, _ := pack.Chain(policyKind(n))
	if s, ok := stepOf(chain, signing[event].act); ok {
		w.Limit = s.Limit.Duration()
	}
	return w, nil
}

// Many is where counting ends, see casework.Many.
const Many = casework.Many

// An Awaiting counts what waits for the actor, for badges. Each is exact below
// Many, and Many from there on.
type Awaiting struct {
	Propose   int // drafts that came back, or wait for their signature
	Approve   int
	Issue     int
	Confirm   int // deemed service that waits for a second person
	Receive   int // of a platform: not yet received
	Answer    int // of a platform: received, items open
	Due1h     int // of these, due within an hour or overdue
	Verify    int // answered, not yet checked
	Questions int // pauses that wait for the issuer
	Overdue   int
}

// dueBy is a bound of the indexes notices_…_due.
const dueBy = `n.life = 'open' AND coalesce(n.due_at, 4611686018427387904) `

// selectAwaiting finds the notices that await an answer of the platform $1.
const selectAwaiting = `SELECT 1 FROM notices n WHERE n.addressee = $1 AND n.life = 'open' AND n.received_at IS NOT NULL AND n.awaits = TRUE`

// Awaiting counts what waits for the actor. It costs one query for each count
// that the actor's seat can have; each starts from the few rows that can match.
func (r *Room) Awaiting(ctx context.Context, by party.Actor) (Awaiting, error) {
	var a Awaiting
	if !by.Known() {
		return a, nil
	}
	now := db.Micros(r.Clock.Now())
	soon := db.Micros(r.Clock.Now().Add(time.Hour))
	platform := by.PartyKind == party.Platform
	const mine = `(n.proposer = $1 OR n.issuer = $1) AND n.life = 'open'`
	const unsigned = ` AND n.drafted_by <> $2
			AND NOT EXISTS (SELECT 1 FROM notice_signatures s WHERE s.notice_id = n.id AND s.version = n.version AND s.person_id = $2)`
	for _, c := range []struct {
		into *int
		seat bool
		sql  string // of the rows to count
		args []any
	}{
		{&a.Propose, auth.Seat(by, auth.NoticePropose), `SELECT 1 FROM notices n WHERE n.proposer = $1 AND n.life = 'draft'`, nil},
		{&a.Approve, auth.Seat(by, auth.NoticeApprove), `SELECT 1 FROM notices n WHERE n.proposer = $1 AND n.life = 'proposed'` + unsigned, []any{by.Person}},
		{&a.Issue, auth.Seat(by, auth.NoticeIssue), `SELECT 1 FROM notices n WHERE n.issuer = $1 AND n.life = 'approved' AND n.issued_at IS NULL` + unsigned, []any{by.Person}},
		{&a.Confirm, auth.Seat(by, auth.NoticeConfirm), `SELECT 1 FROM notice_deemed d CROSS JOIN notices n WHERE d.confirmed_by IS NULL AND d.proposed_by <> $2
			AND n.id = d.notice_id AND n.issuer = $1 AND n.life = 'open' AND n.deemed_at IS NULL AND n.received_at IS NULL`, []any{by.Person}},
		{&a.Receive, platform, `SELECT 1 FROM notices n WHERE n.addressee = $1 AND n.life = 'open' AND n.received_at IS NULL AND n.sent_mac IS NOT NULL`, nil},
		{&a.Answer, platform, selectAwaiting, nil},
		{&a.Due1h, platform, `SELECT 1 FROM notices n WHERE n.addressee = $1 AND n.sent_mac IS NOT NULL AND ` + dueBy + `<= $2`, []any{soon}},
		{&a.Verify, auth.Seat(by, auth.NoticeVerify), `SELECT DISTINCT i.notice_id FROM notice_items i CROSS JOIN notices n
			WHERE i.state = 'answered' AND n.id = i.notice_id AND ` + mine, nil},
		{&a.Questions, auth.Seat(by, auth.NoticeVerify), `SELECT DISTINCT p.notice_id FROM notice_pauses p CROSS JOIN notices n
			WHERE p.ended_at IS NULL AND p.refused_at IS NULL AND n.id = p.notice_id AND ` + mine, nil},
		{&a.Overdue, platform, `SELECT 1 FROM notices n WHERE n.addressee = $1 AND n.sent_mac IS NOT NULL AND ` + dueBy + `< $2`, []any{now}},
		{&a.Overdue, !platform, `SELECT n.id FROM notices n WHERE n.proposer = $1 AND ` + dueBy + `< $2
			UNION SELECT n.id FROM notices n WHERE n.issuer = $1 AND ` + dueBy + `< $2`, []any{now}},
	} {
		if !c.seat {
			continue
		}
		n, err := db.Value[int64](ctx, r.DB, `SELECT count(*) FROM (SELECT 1 FROM (`+c.sql+fmt.Sprintf(`) AS each_one LIMIT %d) AS found`, Many), append([]any{by.Party}, c.args...)...)
		if err != nil {
			return a, err
		}
		*c.into = int(n)
	}
	return a, nil
}
