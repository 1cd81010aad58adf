package casework

import (
	"context"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// A CallID identifies a Call (UUIDv7).
type CallID string

// A Call asks an agency's people that one of them look now, because reporters
// say that somebody will be hurt soon. It ends when a person says that they do.
// Nothing else ends it, and it decides nothing about any case.
//
// While one stands, every further case joins it and nobody is called anew: a
// flood of such reports makes one call (threat-model T04).
type Call struct {
	ID       CallID
	Party    party.ID
	RaisedAt time.Time
	Since    time.Time // when calling begins: RaisedAt, or later after many calls in an hour
	HeededBy party.PersonID
	HeededAt time.Time    // zero while it stands
	Count    int          // cases
	Cases    []CalledCase // the first few, the earliest first
}

// Stands reports whether nobody has said yet that they look.
func (c Call) Stands() bool { return c.HeededAt.IsZero() }

// A CalledCase is a case of a call.
type CalledCase struct {
	ID      ID
	Ref     string
	State   State
	Reports int       // that say so
	First   time.Time // of them
	Last    time.Time
}

const (
	// callsAnHour is how many calls an hour call people at once; further ones
	// call them when the next slot begins.
	callsAnHour = 6
	// calledShown is how many cases of a call are listed.
	calledShown = 20
)

// Events of a call; the object is its first case.
const (
	EventUrgent = "case.urgent" // a case joined a call
	EventHeeded = "case.heeded" // a person looks
)

// callNews is the data of EventUrgent and EventHeeded.
type callNews struct {
	Call   CallID `json:"call"`
	Raised bool   `json:"raised,omitempty"` // the case raised the call
	Cases  int    `json:"cases,omitempty"`
}

// call sees to it that somebody looks at a case of which a report says that
// somebody will be hurt soon: the case joins the call that stands, else it
// raises one. A case that raised or joined one in the same ten minutes does
// not call again.
func (r *Room) call(ctx context.Context, tx *db.Tx, c Case, f report.Facts, now time.Time) error {
	if !f.Soon {
		return nil
	}
	standing, err := db.One(ctx, tx, scanCall, `SELECT `+callColumns+` FROM urgent_calls WHERE party_id = $1 AND heeded_at IS NULL ORDER BY raised_at LIMIT 1 FOR UPDATE`, c.Party)
	if err == nil {
		return r.joinCall(ctx, tx, standing.ID, c, false, now)
	}
	if !errors.Is(err, db.ErrAbsent) {
		return err
	}
	again, err := db.Value[CallID](ctx, tx, `SELECT call_id FROM urgent_call_cases WHERE case_id = $1 AND last_at >= $2 ORDER BY last_at DESC LIMIT 1`,
		c.ID, db.Micros(now.Truncate(SlotOf)))
	if err == nil {
		return r.joinCall(ctx, tx, again, c, false, now)
	}
	if !errors.Is(err, db.ErrAbsent) {
		return err
	}
	id := CallID(db.NewID())
	since, err := callFrom(ctx, tx, c.Party, now)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO urgent_calls (id, party_id, raised_at, since) VALUES ($1, $2, $3, $4)`, id, c.Party, db.Micros(now), db.Micros(since)); err != nil {
		return err
	}
	return r.joinCall(ctx, tx, id, c, true, now)
}

// callFrom is when a new call of a party may begin to call people.
func callFrom(ctx context.Context, tx *db.Tx, of party.ID, now time.Time) (time.Time, error) {
	recent, err := db.All(ctx, tx, func(row db.Row) (at time.Time, err error) { return at, row.Scan(db.Time(&at)) },
		`SELECT since FROM urgent_calls WHERE party_id = $1 AND raised_at > $2 ORDER BY since DESC LIMIT $3`, of, db.Micros(now.Add(-time.Hour)), callsAnHour)
	if err != nil || len(recent) < callsAnHour {
		return now, err
	}
	if next := recent[0].Truncate(SlotOf).Add(SlotOf); next.After(now) {
		return next, nil
	}
	return now, nil
}

// joinCall counts a report of a case in a call, and tells the case's party if
// the case is new in it.
func (r *Room) joinCall(ctx context.Context, tx *db.Tx, id CallID, c Case, raised bool, now time.Time) error {
	n, err := tx.Exec(ctx, `UPDATE urgent_call_cases SET reports = reports + 1, last_at = $3 WHERE call_id = $1 AND case_id = $2`, id, c.ID, db.Micros(now))
	if err != nil || n > 0 {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO urgent_call_cases (call_id, case_id, reports, first_at, last_at) VALUES ($1, $2, 1, $3, $3)`, id, c.ID, db.Micros(now)); err != nil {
		return err
	}
	return r.record(ctx, tx, party.Actor{}, c, EventUrgent, callNews{Call: id, Raised: raised}, now)
}

const callColumns = `id, party_id, raised_at, since, heeded_by, heeded_at`

func scanCall(row db.Row) (Call, error) {
	var c Call
	return c, row.Scan(&c.ID, &c.Party, db.Time(&c.RaisedAt), db.Time(&c.Since), db.Text(&c.HeededBy), db.Time(&c.HeededAt))
}

// fillCall adds the cases of a call.
func (r *Room) fillCall(ctx context.Context, q db.Reader, c *Call) (err error) {
	n, err := db.Value[int64](ctx, q, `SELECT count(*) FROM urgent_call_cases WHERE call_id = $1`, c.ID)
	if err != nil {
		return err
	}
	c.Count = int(n)
	c.Cases, err = db.All(ctx, q, func(row db.Row) (o CalledCase, err error) {
		return o, row.Scan(&o.ID, &o.Ref, &o.State, &o.Reports, db.Time(&o.First), db.Time(&o.Last))
	}, `
		SELECT c.id, c.ref, c.state, u.reports, u.first_at, u.last_at FROM urgent_call_cases u JOIN cases c ON c.id = u.case_id
		WHERE u.call_id = $1 ORDER BY u.first_at, c.id LIMIT $2`, c.ID, calledShown)
	return err
}

// StandingCall returns the call of a party that nobody has heeded yet; ok is
// false if there is none. The caller has checked that its reader may know.
func (r *Room) StandingCall(ctx context.Context, q db.Reader, of party.ID) (c Call, ok bool, err error) {
	c, err = db.One(ctx, q, scanCall, `SELECT `+callColumns+` FROM urgent_calls WHERE party_id = $1 AND heeded_at IS NULL ORDER BY raised_at LIMIT 1`, of)
	if errors.Is(err, db.ErrAbsent) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	return c, true, r.fillCall(ctx, q, &c)
}

// StandingCalls returns the calls of all parties that nobody has heeded yet,
// without their cases, at most n, the earliest first.
func (r *Room) StandingCalls(ctx context.Context, q db.Reader, n int) ([]Call, error) {
	return db.All(ctx, q, scanCall, `SELECT `+callColumns+` FROM urgent_calls WHERE heeded_at IS NULL ORDER BY raised_at, id LIMIT $1`, n)
}

// CallOf returns the call that a case was the last to join; ok is false if it
// joined none.
func (r *Room) CallOf(ctx context.Context, q db.Reader, id ID) (of CallID, ok bool, err error) {
	of, err = db.Value[CallID](ctx, q, `SELECT call_id FROM urgent_call_cases WHERE case_id = $1 ORDER BY last_at DESC, call_id DESC LIMIT 1`, id)
	if errors.Is(err, db.ErrAbsent) {
		return "", false, nil
	}
	return of, err == nil, err
}

// LockCall returns a call with its cases, and keeps it as it is until the
// transaction ends.
func (r *Room) LockCall(ctx context.Context, tx *db.Tx, id CallID) (Call, error) {
	c, err := hide(db.One(ctx, tx, scanCall, `SELECT `+callColumns+` FROM urgent_calls WHERE id = $1 FOR UPDATE`, id))
	if err != nil {
		return c, err
	}
	return c, r.fillCall(ctx, tx, &c)
}

// Object is the call as rights see it: whoever may not read cases there does
// not know of it.
func (c Call) Object() auth.Object { return auth.Object{What: "case", Owner: c.Party} }

// LatestCalls returns the latest calls that the actor may read, of their own
// party, or all for oversight, with their cases; at most n, at most 100.
func (r *Room) LatestCalls(ctx context.Context, by party.Actor, n int) ([]Call, error) {
	of := by.Party
	if auth.May(by, auth.CaseRead, auth.Object{What: "case"}) == nil { // oversight
		of = ""
	} else if err := auth.May(by, auth.CaseRead, Call{Party: of}.Object()); err != nil {
		return nil, err
	}
	calls, err := db.All(ctx, r.DB, scanCall, `SELECT `+callColumns+` FROM urgent_calls WHERE $1 = '' OR party_id = $1 ORDER BY raised_at DESC, id DESC LIMIT $2`,
		of, max(0, min(n, 100)))
	if err != nil {
		return nil, err
	}
	for i := range calls {
		if err := r.fillCall(ctx, r.DB, &calls[i]); err != nil {
			return nil, err
		}
	}
	return calls, nil
}

// Heed ends a call: the actor looks. It returns the call as it is then. Who
// comes second is told by a Conflict fault that somebody looks already.
func (r *Room) Heed(ctx context.Context, by party.Actor, id CallID) (Call, error) {
	var out Call
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		c, err := r.LockCall(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := auth.May(by, auth.CaseHeed, c.Object()); err != nil {
			return err
		}
		if !c.Stands() {
			return fault.New(fault.Conflict, "case.heeded")
		}
		c.HeededBy, c.HeededAt = by.Person, now
		if _, err := tx.Exec(ctx, `UPDATE urgent_calls SET heeded_by = $2, heeded_at = $3 WHERE id = $1`, c.ID, c.HeededBy, db.Micros(now)); err != nil {
			return err
		}
		out = c
		first := Case{ID: c.Cases[0].ID, Ref: c.Cases[0].Ref, Party: c.Party}
		return r.record(ctx, tx, by, first, EventHeeded, callNews{Call: c.ID, Cases: c.Count}, now)
	})
	return out, err
}
