package casework

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// closings are the reasons for closing without a notice, with what reporters
// are told.
var closings = []struct{ code, told string }{
	{"no-ground", "lawful"},
	{"true-purpose", "lawful"},
	{"not-public", "out-of-scope"},
	{"other-jurisdiction", "out-of-scope"},
	{"gone", "not-found"},
	{"duplicate", "duplicate"},
	{"not-enough", "not-acted"},
	{"not-necessary", "not-acted"},
}

// CloseReasons lists the reasons for which a case may be closed without a
// notice; their texts are case.close.<reason>.
func CloseReasons() []string {
	out := make([]string, 0, len(closings))
	for _, c := range closings {
		out = append(out, c.code)
	}
	return out
}

// told is what the reporters of a closed case learn.
func told(reason string) string {
	for _, c := range closings {
		if c.code == reason {
			return c.told
		}
	}
	return "other"
}

// undoFor is how long a closing can be undone.
const undoFor = 10 * time.Minute

// A Closing is what Close did, and how to undo it.
type Closing struct {
	Token string // for Undo, by the same person
	Until time.Time
	Cases []ID
}

// CloseInput says why cases are closed.
type CloseInput struct {
	Reason string // one of CloseReasons
	Text   string // may be empty
}

// Close closes cases without a notice, all of them or none: each gets its own
// entry, and one fault names each that may not be closed, at "/ids/<i>".
func (r *Room) Close(ctx context.Context, by party.Actor, ids []ID, in CloseInput) (Closing, error) {
	if err := in.check(ids); err != nil {
		return Closing{}, err
	}
	out := Closing{Cases: ids}
	token := make([]byte, 10) // 80 random bits
	rand.Read(token)          //nolint:errcheck // never fails (crypto/rand)
	out.Token = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(token)
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		out.Until = now.Add(undoFor)
		var faults fault.Checker
		for _, id := range slices.Sorted(slices.Values(ids)) { // one order, no deadlock
			err := faults.Join(fmt.Sprintf("/ids/%d", slices.Index(ids, id)), r.close(ctx, tx, by, id, in, out, now))
			if err != nil {
				return err
			}
		}
		return faults.Err()
	})
	if f, ok := fault.As(err); ok && len(ids) == 1 && len(f.Parts) == 1 {
		return Closing{}, f.Parts[0].At("")
	}
	if err != nil {
		return Closing{}, err
	}
	return out, nil
}

func (in CloseInput) check(ids []ID) error {
	var faults fault.Checker
	if len(ids) == 0 || len(ids) > maxLimit {
		faults.Add("/ids", "case.ids", "Max", maxLimit, "Got", len(ids))
	}
	for i, id := range ids {
		once(&faults, fmt.Sprintf("/ids/%d", i), slices.Contains(ids[:i], id), string(id))
	}
	oneOf(&faults, "/reason", in.Reason, CloseReasons())
	prose(&faults, "/text", in.Text, maxWhy)
	return faults.Err()
}

func (r *Room) close(ctx context.Context, tx *db.Tx, by party.Actor, id ID, in CloseInput, out Closing, now time.Time) error {
	_, err := r.act(ctx, tx, by, id, Close, now, func(c *Case, s situation) (any, error) {
		_, err := tx.Exec(ctx, `
			INSERT INTO case_undos (mac, case_id, person_id, state, holder, locked_until, closed_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			r.undoMAC(out.Token), id, by.Person, s.Case.State, db.OrNull(s.Case.Holder), db.MicrosOrNull(s.Case.LockedUntil),
			db.Micros(now), db.Micros(out.Until))
		if err != nil {
			return nil, err
		}
		c.Outcome, c.ClosedAt, c.Holder, c.LockedUntil = in.Reason, now, "", time.Time{}
		if err := r.note(ctx, tx, *c, by, string(Close), in.Reason, in.Text, now); err != nil {
			return nil, err
		}
		n := c.news()
		n.Code = in.Reason
		return n, r.steps(ctx, tx, *c, report.Step{Kind: report.StepClosed, At: now, Args: map[string]string{"Outcome": told(in.Reason)}})
	})
	return err
}

func (r *Room) undoMAC(token string) []byte { return r.Vault.MAC("undo", []byte(token)) }

// An Undone is what Undo could and could not restore.
type Undone struct {
	Restored []ID
	Kept     []ID // somebody has acted on them since
}

// undo is a row of case_undos.
type undo struct {
	id          ID
	state       State
	holder      party.PersonID
	lockedUntil time.Time
	closedAt    time.Time
}

// Undo takes a closing back within ten minutes, for the person who closed. A
// case on which somebody has acted since stays as it is.
func (r *Room) Undo(ctx context.Context, by party.Actor, token string) (Undone, error) {
	var out Undone
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		out = Undone{}
		mac := r.undoMAC(token)
		rows, err := db.All(ctx, tx, func(row db.Row) (undo, error) {
			var u undo
			err := row.Scan(&u.id, &u.state, db.Text(&u.holder), db.Time(&u.lockedUntil), db.Time(&u.closedAt))
			return u, err
		}, `
			SELECT case_id, state, holder, locked_until, closed_at FROM case_undos
			WHERE mac = $1 AND person_id = $2 AND used_at IS NULL AND expires_at > $3 ORDER BY case_id`, mac, by.Person, db.Micros(now))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return fault.New(fault.NotFound, "case.undo-gone")
		}
		for _, u := range rows {
			restored, err := r.restore(ctx, tx, by, u, now)
			switch {
			case err != nil:
				return err
			case restored:
				out.Restored = append(out.Restored, u.id)
			default:
				out.Kept = append(out.Kept, u.id)
			}
		}
		_, err = tx.Exec(ctx, `UPDATE case_undos SET used_at = $2 WHERE mac = $1`, mac, db.Micros(now))
		return err
	})
	return out, err
}

// restore puts one case back to where it was before it was closed.
func (r *Room) restore(ctx context.Context, tx *db.Tx, by party.Actor, u undo, now time.Time) (bool, error) {
	c, err := load(ctx, tx, u.id)
	if err != nil {
		return false, err
	}
	if c.State != Closed || !c.ClosedAt.Equal(u.closedAt) {
		return false, nil
	}
	s := situation{Case: c, By: by, Now: now, Prior: u.state}
	t, err := next(s, UndoClose, c.Object())
	if err != nil {
		return false, err
	}
	_, err = r.move(ctx, tx, s, t, func(c *Case, _ situation) (any, error) {
		c.Outcome, c.ClosedAt, c.Holder, c.LockedUntil = "", time.Time{}, u.holder, u.lockedUntil
		return c.news(), r.steps(ctx, tx, *c, report.Step{Kind: report.StepReopened, At: now})
	})
	return err == nil, err
}
