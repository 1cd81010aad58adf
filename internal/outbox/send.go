package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
)

const (
	// maxSenders bounds how many endpoints are served at once.
	maxSenders = 64
	// sweepEvery is the safety net under the wake-ups.
	sweepEvery = time.Second
	// keenFor is how long a message is tried often: the 75 h that a receiver
	// may count on (threat T19), and a little more. Then daily.
	keenFor = 76 * time.Hour
	// giveUpAfter ends the daily tries.
	giveUpAfter = 30 * 24 * time.Hour
	// SendTimeout bounds one attempt: docs/webhooks.md promises receivers as
	// much. Deps.Send must not give up sooner.
	SendTimeout = 15 * time.Second
	// sharedClaim is how long a claim holds where several nodes send: longer than
	// any attempt, so that one which froze in the middle, or whose clock differs,
	// does not send what another sends too (threat-model G8).
	sharedClaim = 2 * SendTimeout
	// ownClaim is the same where this process is the only one, on SQLite: it is
	// renewed every renewEvery while its attempt goes on, so that what a killed
	// server had claimed is sent again soon after the next start.
	ownClaim   = 5 * time.Second
	renewEvery = time.Second
	// perTurn is how many deliveries one turn of a sender makes, so that its
	// place is given back now and then.
	perTurn = 200
)

// keen is the wait after each failed attempt in a row, the last one again and
// again.
var keen = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// backoff returns when to try again after the n-th attempt in a row failed, or
// false to give up. age is how long the message has waited; jitter is in
// [0, 1) and spreads the herd by up to a tenth.
func backoff(n int, age time.Duration, jitter float64) (time.Duration, bool) {
	wait := keen[min(max(n, 1), len(keen))-1]
	if age > keenFor {
		wait = 24 * time.Hour
	}
	if age > giveUpAfter {
		return 0, false
	}
	return wait + time.Duration(jitter*float64(wait)/10), true
}

// Run sends what is due until ctx ends, and waits for the attempts in flight.
func (o *Outbox) Run(ctx context.Context) error {
	wake, stop := o.due.Listen()
	defer stop()
	var senders sync.WaitGroup
	defer senders.Wait()
	senders.Go(func() { o.replays(ctx) })
	busy := &inFlight{ids: make(map[string]bool)}
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		ids, err := o.dueEndpoints(ctx)
		if err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "outbox", "error", err)
		}
		for _, id := range ids {
			if !busy.take(id) {
				continue
			}
			senders.Go(func() {
				defer busy.give(id)
				if err := o.serve(ctx, id); err != nil && ctx.Err() == nil {
					o.Log.ErrorContext(ctx, "outbox", "endpoint", id, "error", err)
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-ticker.C:
		}
	}
}

// inFlight knows which endpoints are being served here.
type inFlight struct {
	mu  sync.Mutex
	ids map[string]bool // guarded by mu
}

func (f *inFlight) take(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids[id] || len(f.ids) >= maxSenders {
		return false
	}
	f.ids[id] = true
	return true
}

func (f *inFlight) give(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, id)
}

func (o *Outbox) dueEndpoints(ctx context.Context) ([]string, error) {
	return db.All(ctx, o.DB, db.Scalar[string], `
		SELECT e.id FROM endpoints e
		WHERE e.active = TRUE AND (
			e.paused_at IS NULL AND (e.retry_at IS NULL OR e.retry_at <= $1)
				AND EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting' AND d.next_at <= $1)
			OR EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting' AND d.lane = 0 AND d.next_at <= $1))
		ORDER BY e.last_ok_at NULLS FIRST, e.id LIMIT $2`, db.Micros(o.Clock.Now()), 2*maxSenders)
}

// serve makes due deliveries to one endpoint, one after the other, until none
// is due, one fails or the turn is over.
func (o *Outbox) serve(ctx context.Context, id string) error {
	for range perTurn {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop; what is due stays due
		}
		now := o.Clock.Now()
		c, err := o.claim(ctx, id, now)
		if err != nil || c == nil {
			return err
		}
		if c.altered {
			continue
		}
		keys, err := o.keys(c.to, now)
		if err != nil {
			return err
		}
		attempt, cancel := context.WithTimeout(ctx, SendTimeout)
		release := o.hold(attempt, c.Delivery)
		result := o.Send(attempt, Message{ID: c.ID, URL: c.to.URL, Body: c.body, Keys: keys, At: now})
		release()
		cancel()
		if ctx.Err() != nil && !result.OK() {
			// We broke it off: no fault of the endpoint's.
			return o.putBack(context.WithoutCancel(ctx), c.Delivery, now)
		}
		if err := o.finish(context.WithoutCancel(ctx), c, now, result); err != nil {
			return err
		}
		if result.Down() && c.lane != testLane {
			return nil
		}
	}
	o.due.Wake()
	return nil
}

// A claim is a delivery that this node alone may make now.
type claim struct {
	Delivery
	to   Endpoint
	body []byte
	// altered tells that the delivery was given up instead: see mayLeave.
	altered bool
}

// claim takes the next due delivery of an endpoint, nil if none is due. The
// claim pushes the row's next try away by claimFor, which hold may renew: another
// node does not send it meanwhile, and a crash brings it back.
func (o *Outbox) claim(ctx context.Context, endpoint string, now time.Time) (*claim, error) {
	var c *claim
	err := o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		c = nil
		e, err := db.One(ctx, tx, scanEndpoint, `
			SELECT `+endpointColumns+` FROM endpoints e WHERE id = $1 AND active = TRUE FOR UPDATE SKIP LOCKED`, endpoint)
		if errors.Is(err, db.ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		to := replayLane
		if !e.PausedAt.IsZero() || e.RetryAt.After(now) {
			to = testLane
		}
		d, body, err := readDelivery(ctx, tx, `endpoint_id = $1 AND state = 'waiting' AND next_at <= $2 AND lane <= $3 ORDER BY lane, seq LIMIT 1 FOR UPDATE`,
			endpoint, db.Micros(now), int(to))
		if errors.Is(err, db.ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		c = &claim{d, e, body, !o.mayLeave(e, d, body)}
		if c.altered {
			return o.giveUpAltered(ctx, tx, e, d, now)
		}
		c.Attempts++
		_, err = tx.Exec(ctx, `UPDATE deliveries SET attempts = attempts + 1, next_at = $2 WHERE id = $1`, d.ID, db.Micros(now.Add(o.claimFor)))
		return err
	})
	return c, err
}

// hold renews the claim of a delivery while its attempt goes on, if the claim is
// shorter than that. The returned function ends it, and waits until no renewal
// is under way.
func (o *Outbox) hold(ctx context.Context, d Delivery) (release func()) {
	if o.claimFor > SendTimeout {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(o.renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := o.renew(ctx, d); err != nil && ctx.Err() == nil {
				o.Log.ErrorContext(ctx, "outbox: a claim could not be renewed, so its message may be sent twice", "delivery", d.ID, "error", err)
			}
		}
	})
	return func() {
		cancel()
		renewing.Wait()
	}
}

// renew pushes the next try of a claimed delivery away once more.
func (o *Outbox) renew(ctx context.Context, d Delivery) error {
	return o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE deliveries SET next_at = $2 WHERE id = $1 AND state = 'waiting' AND attempts = $3`,
			d.ID, db.Micros(o.Clock.Now().Add(o.claimFor)), d.Attempts)
		return err
	})
}

// putBack takes back a claim whose attempt was broken off by our own stop: the
// next start sends it at once, under the same id.
func (o *Outbox) putBack(ctx context.Context, d Delivery, now time.Time) error {
	return o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE deliveries SET attempts = attempts - 1, next_at = $2 WHERE id = $1 AND state = 'waiting' AND attempts = $3`,
			d.ID, db.Micros(now), d.Attempts)
		return err
	})
}

// finish records an attempt and what follows from it, in one transaction. The
// feed learns of the first acceptance and of giving up, so that a notice's
// proof of delivery is on record.
func (o *Outbox) finish(ctx context.Context, c *claim, at time.Time, r Result) error {
	now, d := o.Clock.Now(), c.Delivery
	return o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO delivery_attempts (delivery_id, n, at, status, error, took_ms, endpoint_id) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			d.ID, d.Attempts, db.Micros(at), r.Status, r.Error, r.Took.Milliseconds(), d.Endpoint); err != nil {
			return err
		}
		tx.AfterCommit(o.made.Wake)
		if r.OK() {
			return o.accepted(ctx, tx, c, r, now)
		}
		return o.failed(ctx, tx, c, r, now)
	})
}

func (o *Outbox) accepted(ctx context.Context, tx *db.Tx, c *claim, r Result, now time.Time) error {
	if err := o.fares(ctx, tx, c.to, now); err != nil {
		return err
	}
	d := c.Delivery
	n, err := tx.Exec(ctx, `
		UPDATE deliveries SET state = 'accepted', done_at = $2, accepted_at = COALESCE(accepted_at, $2), last_status = $3, last_error = NULL
		WHERE id = $1 AND state = 'waiting'`, d.ID, db.Micros(now), r.Status)
	if err != nil || n == 0 || !d.AcceptedAt.IsZero() { // what was asked for again is no news
		return err
	}
	return o.news(ctx, tx, d, eventAccepted, now)
}

func (o *Outbox) failed(ctx context.Context, tx *db.Tx, c *claim, r Result, now time.Time) error {
	d := c.Delivery
	wait, again := backoff(d.Attempts-d.triedBefore, now.Sub(d.queuedAt), rand.Float64()) //nolint:gosec // spreads load, guards nothing
	if !again || d.lane == testLane {
		n, err := tx.Exec(ctx, `UPDATE deliveries SET state = 'given-up', done_at = $2, last_status = $3, last_error = $4 WHERE id = $1 AND state = 'waiting'`,
			d.ID, db.Micros(now), r.Status, r.Error)
		if err != nil || n == 0 || d.lane == testLane || !d.AcceptedAt.IsZero() {
			return err
		}
		return o.news(ctx, tx, d, "delivery.given-up", now)
	}
	n, err := tx.Exec(ctx, `UPDATE deliveries SET next_at = $2, last_status = $3, last_error = $4 WHERE id = $1 AND state = 'waiting'`,
		d.ID, db.Micros(now.Add(wait)), r.Status, r.Error)
	if err != nil || n == 0 {
		return err
	}
	return o.ails(ctx, tx, c.to, r, now, wait)
}

// eventAccepted is recorded when a receiver first takes a message.
const eventAccepted = "delivery.accepted"

// news tells later rooms about a delivery. It has no audience: it is not sent
// anywhere itself.
func (o *Outbox) news(ctx context.Context, tx *db.Tx, d Delivery, kind string, now time.Time) error {
	_, err := o.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: d.Object, ObjectID: d.ObjectID, Ref: d.Ref, At: now,
		Data: map[string]any{"delivery": d.ID, "type": d.Type, "attempts": d.Attempts},
	})
	return err
}
