package notice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/policy/clocks"
	"github.com/tangkal/tangkal/internal/report"
)

const (
	// referralTerm is after how long a referral that nobody answered is closed:
	// our own rule, since no law gives a referral a deadline.
	referralTerm = 30 * 24 * time.Hour
	// sweepPage is how many notices one round of the sweep reads.
	sweepPage = 500
)

// Sweep puts on record what time alone has done by now: unreceived, the next
// route, half time, overdue, ended pauses, expired referrals. It decides
// nothing that hurts a platform and may run any number of times. One notice
// that cannot be swept does not hold up the others. It costs what has changed or
// fallen due since the last one, however many notices are open.
func (r *Room) Sweep(ctx context.Context, now time.Time) error {
	var failed error
	var after glance
	for {
		page, err := r.look(ctx, after, now)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, g := range page {
			if !g.due {
				continue
			}
			if err := r.sweepGlance(ctx, g, now); err != nil {
				failed = errors.Join(failed, fmt.Errorf("sweep notice %s: %w", g.ID, err))
			}
		}
		if len(page) < sweepPage || ctx.Err() != nil {
			return failed
		}
		after = page[len(page)-1]
	}
}

// selectGlances reads what tells whether time has changed anything about an open
// notice, its clocks and whether an item is paused, of those whose look_at has
// come, after the one named last: one that was stored since it was looked at has
// none. Who works on a notice now is not waited for.
const selectGlances = `
	SELECT id, coalesce(look_at, 0), pack_code, pack_version, pack_digest, deadline_minutes, rung, sent_at, received_at, deemed_at, unreceived_at, due_at,
		overdue_at, answered_at, EXISTS (SELECT 1 FROM notice_pauses p WHERE p.notice_id = n.id AND p.ended_at IS NULL),
		CASE WHEN unreceived_at IS NULL THEN 0
			ELSE (SELECT count(*) FROM notice_deliveries d WHERE d.notice_id = n.id AND d.channel LIKE 'route-%') END
	FROM notices n WHERE life = 'open' AND coalesce(look_at, 0) <= $1 AND (coalesce(look_at, 0), id) > ($2, $3)
	ORDER BY coalesce(look_at, 0), id LIMIT $4 FOR UPDATE SKIP LOCKED`

// A glance is an open notice with its clocks alone.
type glance struct {
	Notice
	lookAt int64 // in the database's form; 0 is at once
	paused bool
	routes int // of the receipt clock, on record
	due    bool
}

func scanGlance(row db.Row) (glance, error) {
	var g glance
	err := row.Scan(&g.ID, &g.lookAt, &g.Pack.Code, &g.Pack.Version, &g.Pack.Digest, &g.DeadlineMinutes, &g.Rung, db.Time(&g.SentAt), db.Time(&g.ReceivedAt),
		db.Time(&g.DeemedAt), db.Time(&g.Unreceived), db.Time(&g.DueAt), db.Time(&g.OverdueAt), db.Time(&g.AnsweredAt), &g.paused, &g.routes)
	g.Life = Open
	return g, err
}

// lookAgain is after how long an open notice is looked at however far its next
// time is: whatever was missed is late by no more.
const lookAgain = time.Hour

// look reads a page of glances, and stores of those that nothing is due of when
// to look again.
func (r *Room) look(ctx context.Context, after glance, now time.Time) (page []glance, err error) {
	args := []any{db.Micros(now), after.lookAt, after.ID}
	// A look without the writer first: nothing is due most of the time.
	some, err := db.Value[bool](ctx, r.DB, `SELECT EXISTS (SELECT 1 FROM notices n
		WHERE life = 'open' AND coalesce(look_at, 0) <= $1 AND (coalesce(look_at, 0), id) > ($2, $3))`, args...)
	if err != nil || !some {
		return nil, err
	}
	err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if page, err = db.All(ctx, tx, scanGlance, selectGlances, append(args, sweepPage)...); err != nil {
			return err
		}
		for i := range page {
			g := &page[i]
			next, err := r.next(*g, now)
			if g.due = err != nil || !next.After(now); g.due {
				continue // an error is said by sweepGlance, which meets it again
			}
			if err := tx.Send(ctx, `UPDATE notices SET look_at = $2 WHERE id = $1`, g.ID, db.Micros(next)); err != nil {
				return err
			}
		}
		return nil
	})
	return page, err
}

// sweepGlance does what time has brought about for one notice.
func (r *Room) sweepGlance(ctx context.Context, g glance, now time.Time) error {
	if _, err := r.next(g, now); err != nil {
		return err
	}
	n, err := get(ctx, r.DB, g.ID)
	if err != nil || !r.sentRightly(n) { // what only claims to be sent has no clock
		return err
	}
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return r.sweepOne(ctx, tx, g.ID, now) })
}

// next is when sweepOne finds something to do, no later than lookAgain from now;
// a time that is not after now is at once.
func (r *Room) next(g glance, now time.Time) (time.Time, error) {
	n, at := g.Notice, now.Add(lookAgain)
	first := func(t time.Time) {
		if t.Before(at) {
			at = t
		}
	}
	if g.paused {
		first(now)
	}
	if n.DeadlineMinutes == 0 && n.AnsweredAt.IsZero() {
		first(n.SentAt.Add(referralTerm))
	}
	if !n.DueAt.IsZero() && n.OverdueAt.IsZero() {
		first(n.DueAt.Add(time.Microsecond)) // overdue is after it
	}
	pack, err := r.pack(n)
	if err != nil {
		return at, err
	}
	if n.clockStart().IsZero() {
		switch c := clocks.Receipt(n.SentAt, now, pack); {
		case c.State != clocks.Unreceived:
			first(c.UnreceivedAt)
		case n.Unreceived.IsZero() || g.routes < routesUpTo(c.Stage):
			first(now)
		case !c.NextAt.IsZero():
			first(c.NextAt)
		}
	} else if half, _ := half(n, pack, now); !half.IsZero() {
		first(half)
	}
	return at, nil
}

// routes are the ways to a platform that the receipt clock tries in turn.
func routes() []clocks.Stage {
	return []clocks.Stage{clocks.NextChannel, clocks.NextContact, clocks.LegalRepresentative}
}

// routesUpTo is how many routes have been taken once a stage is reached.
func routesUpTo(s clocks.Stage) int { return slices.Index(routes(), s) + 1 }

// half returns when the reminder at half time is due, zero if it is recorded or
// there is none, and whether it is.
func half(n Notice, pack policy.Pack, now time.Time) (at time.Time, due bool) {
	rung, ok := pack.NextRung("")
	if !ok || rung.Code != policy.Reminder || n.Rung != NoRung {
		return at, false
	}
	at, ok = clocks.Earliest(rung, clocks.Climb{ReceivedAt: n.clockStart(), Due: n.DueAt})
	return at, ok && !now.Before(at)
}

func (r *Room) sweepOne(ctx context.Context, tx *db.Tx, id ID, now time.Time) error {
	n, err := lock(ctx, tx, id)
	if err != nil || n.Life != Open || !r.sentRightly(n) {
		return err
	}
	pack, err := r.pack(n)
	if err != nil {
		return err
	}
	if n.clockStart().IsZero() {
		if err := r.sweepReceipt(ctx, tx, &n, pack, now); err != nil {
			return err
		}
	} else if err := r.sweepPauses(ctx, tx, &n, now); err != nil {
		return err
	}
	if r.referralOver(n, now) {
		return r.finish(ctx, tx, party.Actor{}, &n, OutcomeExpired, now)
	}
	if err := r.sweepHalf(ctx, tx, &n, pack, now); err != nil {
		return err
	}
	return r.sweepOverdue(ctx, tx, &n, now)
}

func (r *Room) referralOver(n Notice, now time.Time) bool {
	return n.DeadlineMinutes == 0 && n.AnsweredAt.IsZero() && now.Sub(n.SentAt) >= referralTerm
}

// sweepReceipt records each route of the receipt clock once.
func (r *Room) sweepReceipt(ctx context.Context, tx *db.Tx, n *Notice, pack policy.Pack, now time.Time) error {
	c := clocks.Receipt(n.SentAt, now, pack)
	if c.State != clocks.Unreceived {
		return nil
	}
	if n.Unreceived.IsZero() {
		n.Unreceived = c.UnreceivedAt
		if err := save(ctx, tx, *n); err != nil {
			return err
		}
		if err := r.record(ctx, tx, party.Actor{}, "notice.unreceived", *n, map[string]any{"since": c.UnreceivedAt.Format(time.RFC3339)}, now); err != nil {
			return err
		}
	}
	log, err := deliveries(ctx, tx, n.ID)
	if err != nil {
		return err
	}
	for _, s := range routes() {
		if !slices.ContainsFunc(log, func(d DeliveryStep) bool { return d.Step == string(s) }) {
			if err := r.route(ctx, tx, *n, s, now); err != nil {
				return err
			}
		}
		if s == c.Stage {
			return nil
		}
	}
	return nil
}

// route puts the next route to the platform on record and announces the notice
// there. Who is behind it comes from the party's directory entry.
func (r *Room) route(ctx context.Context, tx *db.Tx, n Notice, s clocks.Stage, now time.Time) error {
	p, err := party.Get(ctx, tx, n.Addressee)
	if err != nil {
		return err
	}
	channel, result := "mail", "due"
	switch {
	case s == clocks.LegalRepresentative && p.LegalRepresentative == "", s != clocks.LegalRepresentative && p.Contact == "":
		result = "nobody-registered"
	case s == clocks.LegalRepresentative:
		channel = "paper"
	}
	// Due, not done: a method counts as tried once an attempt or a service
	// stands in the log under its channel.
	if err := logDelivery(ctx, tx, n, DeliveryStep{Channel: "route-" + channel, Step: string(s), Result: result, At: now}); err != nil {
		return err
	}
	return r.record(ctx, tx, party.Actor{}, "notice.route", n, map[string]any{"stage": s, "channel": channel, "result": result}, now)
}

// sweepHalf records the reminder at half time, a fact without legal effect.
func (r *Room) sweepHalf(ctx context.Context, tx *db.Tx, n *Notice, pack policy.Pack, now time.Time) error {
	if _, due := half(*n, pack, now); !due {
		return nil
	}
	n.Rung, n.RemindedAt = Reminded, now
	if err := save(ctx, tx, *n); err != nil {
		return err
	}
	return r.record(ctx, tx, party.Actor{}, "notice.reminded", *n, map[string]any{"due": n.DueAt.Format(time.RFC3339)}, now)
}

func (r *Room) sweepOverdue(ctx context.Context, tx *db.Tx, n *Notice, now time.Time) error {
	if n.DueAt.IsZero() || !now.After(n.DueAt) || !n.OverdueAt.IsZero() {
		return nil
	}
	n.OverdueAt = now
	if err := save(ctx, tx, *n); err != nil {
		return err
	}
	if err := r.tellReporters(ctx, tx, *n, report.StepOverdue, now, nil); err != nil {
		return err
	}
	return r.record(ctx, tx, party.Actor{}, "notice.overdue", *n, map[string]any{"due": n.DueAt.Format(time.RFC3339)}, now)
}

// sweepPauses ends pauses whose declared end or limit has come.
func (r *Room) sweepPauses(ctx context.Context, tx *db.Tx, n *Notice, now time.Time) error {
	open, err := db.All(ctx, tx, db.Scalar[int], `SELECT n FROM notice_pauses WHERE notice_id = $1 AND ended_at IS NULL ORDER BY n`, n.ID)
	if err != nil {
		return err
	}
	for _, number := range open {
		item, err := getItem(ctx, tx, n.ID, number)
		if fault.Of(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if err := r.expirePause(ctx, tx, n, item, now); err != nil {
			return err
		}
	}
	return nil
}
