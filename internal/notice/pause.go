package notice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/policy/clocks"
	"github.com/tangkal/tangkal/notes"
)

// A Pause is one stop of an item's answer clock, and how it ended.
type Pause struct {
	ID          string
	N           int // the item
	Kind        policy.PauseKind
	Ground      notes.AnswerGround
	Text        string // what the platform asks or explains
	Person      party.PersonID
	From        time.Time
	Until       time.Time // as declared, for an impossibility; zero if open-ended
	Ended       time.Time // zero while it stands
	RefusedAt   time.Time
	ConsentedAt time.Time
	ResolvedBy  party.PersonID
	Resolution  string // what the issuer answered

	sealed, resolution []byte
}

const pauseColumns = `id, n, kind, ground, text_sealed, person_id, from_at, until_at, ended_at, refused_at, consented_at, resolved_by, resolution_sealed`

func scanPause(row db.Row) (Pause, error) {
	var p Pause
	err := row.Scan(&p.ID, &p.N, &p.Kind, &p.Ground, &p.sealed, &p.Person, db.Time(&p.From), db.Time(&p.Until), db.Time(&p.Ended),
		db.Time(&p.RefusedAt), db.Time(&p.ConsentedAt), db.Text(&p.ResolvedBy), &p.resolution)
	return p, err
}

// interval is the pause as the clock sees it.
func (p Pause) interval() clocks.Interval {
	i := clocks.Interval{Kind: p.Kind, From: p.From, To: p.Ended}
	if i.To.IsZero() {
		i.To = p.Until
	}
	if p.ConsentedAt.IsZero() {
		i.RefusedAt = p.RefusedAt
	}
	return i
}

// itemPauses returns the pauses of one item, oldest first.
func itemPauses(ctx context.Context, r db.Reader, id ID, n int) ([]Pause, error) {
	return db.All(ctx, r, scanPause, `SELECT `+pauseColumns+` FROM notice_pauses WHERE notice_id = $1 AND n = $2 ORDER BY from_at, id`, id, n)
}

// clockOf is the answer clock of one item.
func clockOf(pack policy.Pack, n Notice, item Item, pauses []Pause) clocks.Answer {
	var all []clocks.Interval
	for _, p := range pauses {
		if !p.From.Before(item.StartedAt) { // those before a reopening are past
			all = append(all, p.interval())
		}
	}
	return clocks.For(pack, item.StartedAt, n.DeadlineMinutes, all)
}

// pause stops the item's clock, as the pack allows it.
func (c *call) pause(ctx context.Context, item Item, row notes.Row, canon []byte) (bool, error) {
	if item.State == Paused {
		same, err := c.same(ctx, item, canon)
		if err == nil && !same {
			err = fault.New(fault.Conflict, "notice.paused-already", "N", item.N).At("/n")
		}
		return false, err
	}
	t, err := step(itemTable, "item", item.State, EventPause)
	if err != nil {
		return false, err
	}
	if _, err := c.n.check(EventPause); err != nil {
		return false, err
	}
	before, err := itemPauses(ctx, c.tx, c.n.ID, item.N)
	if err != nil {
		return false, err
	}
	kind := policy.PauseKind(row.Answer)
	var consented time.Time
	if err := clocks.MayPause(clockOf(c.pack, c.n, item, before), kind, c.now, c.pack); err != nil {
		used, useErr := c.useConsent(ctx, item.N)
		if useErr != nil {
			return false, useErr
		}
		if !used || fault.Is(err, "policy.pause.refused-kind") {
			return false, err
		}
		consented = c.now
	}
	text := row.Question
	if text == "" {
		text = row.Explanation
	}
	sealed, err := c.room.close(c.n, []byte(text), "pause")
	if err != nil {
		return false, err
	}
	_, err = c.tx.Exec(ctx, `
		INSERT INTO notice_pauses (id, notice_id, n, kind, ground, text_sealed, person_id, from_at, until_at, consented_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		db.NewID(), c.n.ID, item.N, kind, row.Ground, sealed, c.by.Person, db.Micros(c.now), db.MicrosOrNull(row.Until.Time), db.MicrosOrNull(consented))
	if err != nil {
		return false, err
	}
	item.State, item.DueAt = t.To, time.Time{}
	c.pauses++
	return true, c.keep(ctx, item, row, canon)
}

// useConsent spends one consent of the issuer to a further pause.
func (c *call) useConsent(ctx context.Context, n int) (bool, error) {
	changed, err := c.tx.Exec(ctx, `
		UPDATE notice_consents SET used_at = $3 WHERE notice_id = $1 AND n = $2 AND used_at IS NULL
			AND at = (SELECT min(at) FROM notice_consents WHERE notice_id = $1 AND n = $2 AND used_at IS NULL)`,
		c.n.ID, n, db.Micros(c.now))
	return changed > 0, err
}

// A Resolution is what the issuer says to a pause.
type Resolution string

// The resolutions.
const (
	Resolve Resolution = "answer"  // the question is answered: the clock runs again
	Refuse  Resolution = "refuse"  // the pack's limit of all pauses now bites
	Consent Resolution = "consent" // the platform may pause once more, beyond the limits
)

// A ResolveInput answers a pause of one item.
type ResolveInput struct {
	Item int
	How  Resolution
	Text string // sealed; required to answer or refuse
}

// ResolvePause answers, refuses or consents. Answering makes the clock run
// again from now; refusing ends the pause once the pack's total is used up, and
// never backwards. While the issuer says nothing, the pause stands.
func (r *Room) ResolvePause(ctx context.Context, by party.Actor, id ID, in ResolveInput) (Notice, error) {
	var n Notice
	var c fault.Checker
	c.Require(in.How == Consent || strings.TrimSpace(in.Text) != "", "/text")
	checkText(&c, "/text", in.Text)
	if in.How != Resolve && in.How != Refuse && in.How != Consent {
		c.Add("/how", "notice.resolution", "Value", string(in.How))
	}
	if err := c.Err(); err != nil {
		return n, err
	}
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, err = r.at(ctx, tx, by, id, EventResolve); err != nil {
			return err
		}
		item, err := getItem(ctx, tx, id, in.Item)
		if err != nil {
			return err
		}
		return r.resolve(ctx, tx, by, &n, item, in, now)
	})
	return n, err
}

func (r *Room) resolve(ctx context.Context, tx *db.Tx, by party.Actor, n *Notice, item Item, in ResolveInput, now time.Time) error {
	if in.How == Consent {
		_, err := tx.Exec(ctx, `INSERT INTO notice_consents (notice_id, n, person_id, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			n.ID, item.N, by.Person, db.Micros(now))
		if err != nil {
			return err
		}
		return r.record(ctx, tx, by, "notice.pause-consented", *n, map[string]any{"item": item.N}, now)
	}
	t, err := step(itemTable, "item", item.State, EventResolve)
	if err != nil {
		return err
	}
	if in.How == Refuse {
		return r.refusePause(ctx, tx, by, n, item, in.Text, now)
	}
	if err := r.endPause(ctx, tx, *n, item.N, by, in.Text, now); err != nil {
		return err
	}
	item.State = t.To
	return r.resume(ctx, tx, by, n, item, now)
}

// resume gives the item its new due time and tells the platform.
func (r *Room) resume(ctx context.Context, tx *db.Tx, by party.Actor, n *Notice, item Item, now time.Time) error {
	pack, err := r.pack(*n)
	if err != nil {
		return err
	}
	pauses, err := itemPauses(ctx, tx, n.ID, item.N)
	if err != nil {
		return err
	}
	item.DueAt = clockOf(pack, *n, item, pauses).At(now).Due
	if err := saveItem(ctx, tx, n.ID, item); err != nil {
		return err
	}
	if err := r.refresh(ctx, tx, n, now); err != nil {
		return err
	}
	return r.record(ctx, tx, by, "notice.resumed", *n, map[string]any{"item": item.N}, now)
}

func (r *Room) refusePause(ctx context.Context, tx *db.Tx, by party.Actor, n *Notice, item Item, text string, now time.Time) error {
	sealed, err := r.close(*n, []byte(text), "resolution")
	if err != nil {
		return err
	}
	changed, err := tx.Exec(ctx, `
		UPDATE notice_pauses SET refused_at = $3, resolved_by = $4, resolution_sealed = $5
		WHERE notice_id = $1 AND n = $2 AND ended_at IS NULL AND refused_at IS NULL`, n.ID, item.N, db.Micros(now), by.Person, sealed)
	if err != nil {
		return err
	}
	if changed == 0 {
		return fault.New(fault.Conflict, "notice.refused-already", "N", item.N)
	}
	if err := r.record(ctx, tx, by, "notice.pause-refused", *n, map[string]any{"item": item.N}, now); err != nil {
		return err
	}
	return r.expirePause(ctx, tx, n, item, now)
}

// expirePause ends a pause whose time is over: its declared end has come, or
// its limit after a refusal.
func (r *Room) expirePause(ctx context.Context, tx *db.Tx, n *Notice, item Item, now time.Time) error {
	pack, err := r.pack(*n)
	if err != nil {
		return err
	}
	pauses, err := itemPauses(ctx, tx, n.ID, item.N)
	if err != nil || item.State != Paused || len(pauses) == 0 {
		return err
	}
	var over bool
	if last := pauses[len(pauses)-1]; n.DeadlineMinutes == 0 || item.StartedAt.IsZero() {
		// No clock runs that could tell; the declared end does.
		over = !last.Until.IsZero() && !last.Until.After(now) || !last.RefusedAt.IsZero() && last.ConsentedAt.IsZero()
	} else {
		over = clockOf(pack, *n, item, pauses).At(now).State != clocks.Paused && (!last.RefusedAt.IsZero() || !last.Until.IsZero() && !last.Until.After(now))
	}
	if !over {
		return nil
	}
	ended := now
	if last := pauses[len(pauses)-1]; !last.Until.IsZero() && last.Until.Before(now) {
		ended = last.Until // whenever the sweep came by
	}
	if _, err := tx.Exec(ctx, `UPDATE notice_pauses SET ended_at = $3 WHERE notice_id = $1 AND n = $2 AND ended_at IS NULL`, n.ID, item.N, db.Micros(ended)); err != nil {
		return err
	}
	item.State = Pending
	return r.resume(ctx, tx, party.Actor{}, n, item, now)
}

// endPause ends the item's open pause. Text is the issuer's answer, "" when the
// platform ends it by answering the item.
func (r *Room) endPause(ctx context.Context, tx *db.Tx, n Notice, item int, by party.Actor, text string, now time.Time) error {
	var sealed []byte
	if text != "" {
		var err error
		if sealed, err = r.close(n, []byte(text), "resolution"); err != nil {
			return err
		}
	}
	changed, err := tx.Exec(ctx, `
		UPDATE notice_pauses SET ended_at = $3, resolved_by = $4, resolution_sealed = COALESCE($5, resolution_sealed)
		WHERE notice_id = $1 AND n = $2 AND ended_at IS NULL`, n.ID, item, db.Micros(now), by.Person, bytesOrNull(sealed))
	if err == nil && changed != 1 {
		err = errors.New("no open pause")
	}
	if err != nil {
		return fmt.Errorf("end pause of item %d: %w", item, err)
	}
	return nil
}
