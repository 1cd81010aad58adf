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
// that cannot be swept does not hold up the others.
func (r *Room) Sweep(ctx context.Context, now time.Time) error {
	var failed error
	after := ID("")
	for {
		ids, err := db.All(ctx, r.DB, db.Scalar[ID], `SELECT id FROM notices WHERE life = 'open' AND id > $1 ORDER BY id LIMIT $2`, after, sweepPage)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, id := range ids {
			due, err := r.sweepDue(ctx, id, now)
			if err == nil && due {
				err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return r.sweepOne(ctx, tx, id, now) })
			}
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("sweep notice %s: %w", id, err))
			}
		}
		if len(ids) < sweepPage || ctx.Err() != nil {
			return failed
		}
		after = ids[len(ids)-1]
	}
}

// sweepDue looks, without the writer, whether time has changed anything.
func (r *Room) sweepDue(ctx context.Context, id ID, now time.Time) (bool, error) {
	n, err := get(ctx, r.DB, id)
	if err != nil || !r.sentRightly(n) {
		return false, err
	}
	if n.clockStart().IsZero() {
		return !now.Before(n.SentAt.Add(time.Minute)), nil
	}
	if r.referralOver(n, now) || !n.DueAt.IsZero() {
		return true, nil
	}
	paused, err := db.Value[int64](ctx, r.DB, `SELECT count(*) FROM notice_pauses WHERE notice_id = $1 AND ended_at IS NULL`, id)
	return paused > 0, err
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
	for _, s := range []clocks.Stage{clocks.NextChannel, clocks.NextContact, clocks.LegalRepresentative} {
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
	rung, ok := pack.NextRung("")
	if !ok || rung.Code != policy.Reminder || n.Rung != NoRung {
		return nil
	}
	at, ok := clocks.Earliest(rung, clocks.Climb{ReceivedAt: n.clockStart(), Due: n.DueAt})
	if !ok || now.Before(at) {
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
