package outbox

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// The rule of an endpoint's health (docs/adr/0003). Any success ends it all.
const (
	// tellAfter and tellFor are how many failures in a row, and over how long,
	// make an endpoint one that fails, of which its people are told: a receiver
	// that starts anew is none.
	tellAfter = 5
	tellFor   = 5 * time.Minute
	// PauseAfter is how long an endpoint may give no answer, or only failures of
	// its own, before nothing is sent to it until a person says so: the keen tries
	// are over by then, and four daily ones (threat-model T19). One that answers
	// and refuses is never paused.
	PauseAfter = 7 * 24 * time.Hour
)

// A Health is how an endpoint fares.
type Health string

// The states of health.
const (
	Untried Health = "untried" // nothing was sent yet
	Well    Health = "well"
	Failing Health = "failing" // since Endpoint.FailingSince
	Paused  Health = "paused"  // since Endpoint.PausedAt; messages wait, a test is sent
)

// Health says how e fares.
func (e Endpoint) Health() Health {
	switch {
	case !e.PausedAt.IsZero():
		return Paused
	case !e.FailingSince.IsZero():
		return Failing
	case e.LastOK.IsZero():
		return Untried
	default:
		return Well
	}
}

// fares records that an endpoint took a message. What made it fail is over;
// only a pause waits for a person.
func (o *Outbox) fares(ctx context.Context, tx *db.Tx, e Endpoint, now time.Time) error {
	if _, err := tx.Exec(ctx, `
		UPDATE endpoints SET last_ok_at = $2, failing_since = NULL, down_since = NULL, told_at = NULL, retry_at = NULL, failures = 0 WHERE id = $1`,
		e.ID, db.Micros(now)); err != nil || e.toldAt.IsZero() {
		return err
	}
	return o.tell(ctx, tx, e, eventRecovered, now)
}

// ails records that an attempt failed: how often in a row, since when, and
// whether it is time to tell or to pause. Whoever of several nodes comes first
// tells.
func (o *Outbox) ails(ctx context.Context, tx *db.Tx, e Endpoint, r Result, now time.Time, wait time.Duration) error {
	query, args := `
		UPDATE endpoints SET failures = failures + 1, failing_since = COALESCE(failing_since, $2), down_since = NULL, retry_at = NULL WHERE id = $1`,
		[]any{e.ID, db.Micros(now)}
	if r.Down() {
		query, args = `
		UPDATE endpoints SET failures = failures + 1, failing_since = COALESCE(failing_since, $2), down_since = COALESCE(down_since, $2), retry_at = $3 WHERE id = $1`,
			append(args, db.Micros(now.Add(wait)))
	}
	if _, err := tx.Exec(ctx, query, args...); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `UPDATE endpoints SET told_at = $2 WHERE id = $1 AND told_at IS NULL AND failures >= $3 AND failing_since <= $4`,
		e.ID, db.Micros(now), tellAfter, db.Micros(now.Add(-tellFor)))
	if err == nil && n > 0 {
		err = o.tell(ctx, tx, e, EventFailing, now)
	}
	if err != nil {
		return err
	}
	n, err = tx.Exec(ctx, `UPDATE endpoints SET paused_at = $2 WHERE id = $1 AND paused_at IS NULL AND down_since <= $3`,
		e.ID, db.Micros(now), db.Micros(now.Add(-PauseAfter)))
	if err == nil && n > 0 {
		err = o.tell(ctx, tx, e, EventPaused, now)
	}
	return err
}

// What an endpoint's people are told of.
const (
	EventFailing   = "webhook.failing"
	EventPaused    = "webhook.paused"
	eventRecovered = "webhook.recovered"
)

// tell puts into the feed how an endpoint fares, for its party, and into the log
// for the operator: whose it is, and not where.
func (o *Outbox) tell(ctx context.Context, tx *db.Tx, e Endpoint, kind string, now time.Time) error {
	if _, err := o.Feed.Record(ctx, tx, feed.Event{Kind: kind, Object: "webhook", ObjectID: e.ID, Audience: []string{string(e.Party)}, At: now}); err != nil {
		return err
	}
	code, err := db.Value[string](ctx, tx, `SELECT code FROM parties WHERE id = $1`, e.Party)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	tx.AfterCommit(func() {
		log := o.Log.With("organisation", code, "endpoint", e.ID)
		switch kind {
		case EventFailing:
			log.WarnContext(ctx, "a webhook fails")
		case EventPaused:
			log.WarnContext(ctx, "a webhook is paused: what it is to hear of waits until its organisation resumes it")
		case eventRecovered:
			log.InfoContext(ctx, "a webhook that failed works again")
		}
	})
	return nil
}

// Ailing returns the endpoint that an entry of the feed is about, if this
// program wrote it and it stands as the entry says; ok is false otherwise.
func (o *Outbox) Ailing(ctx context.Context, r db.Reader, entry feed.Entry) (e Endpoint, ok bool, err error) {
	all, err := db.All(ctx, r, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e WHERE id = $1 AND active = TRUE`, entry.ObjectID)
	if err != nil || len(all) == 0 || !o.genuine(all[0]) {
		return e, false, err
	}
	e = all[0]
	switch entry.Kind {
	case EventFailing:
		return e, e.Health() == Failing, nil
	case EventPaused:
		return e, e.Health() == Paused, nil
	default:
		return e, false, nil
	}
}

// Resume ends the pause of an endpoint, and the wait after a failure: what
// waits for it goes out at once, in its order, under its own ids.
func (o *Outbox) Resume(ctx context.Context, by party.Actor, id string) error {
	if err := auth.MayNow(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return err
	}
	now := o.Clock.Now()
	return o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		e, err := o.ownGenuine(o.own(ctx, tx, by, id))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE endpoints SET paused_at = NULL, failing_since = NULL, down_since = NULL, told_at = NULL, retry_at = NULL, failures = 0 WHERE id = $1`, e.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE deliveries SET next_at = $2, queued_at = $2, tried_before = attempts WHERE endpoint_id = $1 AND state = 'waiting'`,
			e.ID, db.Micros(now)); err != nil {
			return err
		}
		tx.AfterCommit(o.due.Wake)
		return o.record(ctx, tx, by, "webhook.resumed", id, now)
	})
}
