package outbox

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

const (
	// MaxReplay is how many entries of the feed one replay may cover.
	MaxReplay = 10_000
	// replayPage is how many of them one transaction puts into the queue.
	replayPage = 100
)

// A Replay is a request to send an endpoint everything again that came after a
// place in the feed, under the ids that it had.
type Replay struct {
	ID      string
	After   int64 // the first entry is the one after it
	Until   int64 // the last entry: the end of the feed when it was asked for
	By      party.PersonID
	AskedAt time.Time
	Queued  int       // messages put into the queue so far
	DoneAt  time.Time // zero while it is being worked on

	endpoint string
	party    party.ID
	next     int64 // the last entry that was looked at
	mac      []byte
}

const replayColumns = `id, endpoint_id, party_id, after_seq, until_seq, asked_by, asked_at, next_seq, queued, done_at, mac`

func scanReplay(row db.Row) (Replay, error) {
	var p Replay
	err := row.Scan(&p.ID, &p.endpoint, &p.party, &p.After, &p.Until, &p.By, db.Time(&p.AskedAt), &p.next, &p.Queued, db.Time(&p.DoneAt), &p.mac)
	return p, err
}

// replayMAC is the MAC over what was asked for: nobody has messages sent again
// by SQL.
func (o *Outbox) replayMAC(p Replay) []byte {
	return o.Vault.MAC("outbox-replay", db.Spell(p.ID, p.endpoint, string(p.party), p.After, p.Until, string(p.By), p.AskedAt))
}

// messageID is the identifier of the message that tells an endpoint of an
// entry: always the same, so that a receiver knows it again even when our row
// is gone. It is a UUID of version 8 (RFC 9562, 5.8) that nobody can foretell.
func (o *Outbox) messageID(endpoint string, seq int64) string {
	var id uuid.UUID
	copy(id[:], o.Vault.MAC("outbox-message", db.Spell(endpoint, seq)))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id.String()
}

// mayReplay returns nil if the actor may have messages sent again: a program of
// an administrator, and an administrator who shows that they are there, as for
// all else that the page of a webhook does.
func mayReplay(by party.Actor) error {
	act := auth.PartyReplay
	if by.APIKey == "" {
		act = auth.PartyAdmin
	}
	return auth.MayNow(by, act, auth.Object{What: "webhook", Owner: by.Party})
}

// ReplayAfter has everything that came for by's party after an entry of the
// feed sent to one of its endpoints again. The news do not wait for it. The
// faults: Conflict outbox.replay-running, Invalid outbox.replay-many.
func (o *Outbox) ReplayAfter(ctx context.Context, by party.Actor, endpoint string, after int64) (Replay, error) {
	if err := mayReplay(by); err != nil {
		return Replay{}, err
	}
	now := o.Clock.Now()
	p := Replay{ID: db.NewID(), endpoint: endpoint, party: by.Party, After: max(after, 0), By: by.Person, AskedAt: now}
	err := o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if _, err := o.ownGenuine(o.own(ctx, tx, by, endpoint)); err != nil { // and its row is locked
			return err
		}
		open, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM endpoint_replays WHERE endpoint_id = $1 AND done_at IS NULL`, endpoint)
		if err != nil {
			return err
		}
		if open > 0 {
			return fault.New(fault.Conflict, "outbox.replay-running")
		}
		if p.Until, err = feed.Last(ctx, tx); err != nil {
			return err
		}
		p.After = min(p.After, p.Until)
		n, err := feed.CountOwn(ctx, tx, string(by.Party), p.After, p.Until, MaxReplay+1)
		if err != nil {
			return err
		}
		if n > MaxReplay {
			return fault.New(fault.Invalid, "outbox.replay-many", "Max", MaxReplay).At("/after")
		}
		p.next = p.After
		if _, err := tx.Exec(ctx, `
			INSERT INTO endpoint_replays (id, endpoint_id, party_id, after_seq, until_seq, asked_by, asked_at, next_seq, queued, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $4, 0, $8)`,
			p.ID, p.endpoint, p.party, p.After, p.Until, p.By, db.Micros(now), o.replayMAC(p)); err != nil {
			return err
		}
		tx.AfterCommit(o.asked.Wake)
		return o.record(ctx, tx, by, "webhook.replayed", endpoint, now)
	})
	return p, err
}

// ReplaySince is ReplayAfter for everything that got its place at a time or
// later.
func (o *Outbox) ReplaySince(ctx context.Context, by party.Actor, endpoint string, since time.Time) (Replay, error) {
	if err := mayReplay(by); err != nil {
		return Replay{}, err
	}
	after, err := feed.Before(ctx, o.DB, since)
	if err != nil {
		return Replay{}, err
	}
	p, err := o.ReplayAfter(ctx, by, endpoint, after)
	if e, ok := fault.As(err); ok && e.Field == "/after" {
		return p, e.At("/since")
	}
	return p, err
}

// Replays returns what was asked for again at an endpoint of by's party, the
// newest first, at most 20.
func (o *Outbox) Replays(ctx context.Context, by party.Actor, endpoint string) ([]Replay, error) {
	if _, err := o.Endpoint(ctx, by, endpoint); err != nil {
		return nil, err
	}
	return db.All(ctx, o.DB, scanReplay, `
		SELECT `+replayColumns+` FROM endpoint_replays WHERE endpoint_id = $1 AND party_id = $2 ORDER BY asked_at DESC, id DESC LIMIT 20`, endpoint, by.Party)
}

// replays works on what was asked for until ctx ends: a page of each replay in
// turn, so that none waits for another.
func (o *Outbox) replays(ctx context.Context) {
	wake, stop := o.asked.Listen()
	defer stop()
	look := time.NewTicker(sweepEvery)
	defer look.Stop()
	for {
		open, err := db.All(ctx, o.DB, db.Scalar[string], `SELECT id FROM endpoint_replays WHERE done_at IS NULL ORDER BY id LIMIT 100`)
		for _, id := range open {
			err = errors.Join(err, o.replayOn(ctx, id))
		}
		if err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "outbox: a replay waits", "error", err)
		}
		if err == nil && len(open) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-look.C:
		}
	}
}

// replayOn does one page of a replay. What was done and how far is one
// transaction: a kill in between repeats nothing and forgets nothing.
func (o *Outbox) replayOn(ctx context.Context, id string) error {
	return o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		p, err := db.One(ctx, tx, scanReplay, `SELECT `+replayColumns+` FROM endpoint_replays WHERE id = $1 AND done_at IS NULL FOR UPDATE SKIP LOCKED`, id)
		if errors.Is(err, db.ErrAbsent) {
			return nil // another node works on it
		}
		if err != nil {
			return err
		}
		now := o.Clock.Now()
		to, err := db.All(ctx, tx, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e WHERE id = $1 AND party_id = $2 AND active = TRUE`, p.endpoint, p.party)
		if err != nil {
			return err
		}
		if len(to) == 0 || !o.genuine(to[0]) || !hmac.Equal(p.mac, o.replayMAC(p)) {
			tx.AfterCommit(func() {
				o.Log.ErrorContext(ctx, "a replay was not done: its endpoint is gone, or a row was written by something else than this program", "replay", p.ID)
			})
			_, err = tx.Exec(ctx, `UPDATE endpoint_replays SET done_at = $2 WHERE id = $1`, p.ID, db.Micros(now))
			return err
		}
		entries, err := feed.Own(ctx, tx, string(p.party), p.next, p.Until, replayPage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			e.Audience = []string{string(p.party)}
			queued, err := o.replayEntry(ctx, tx, to[0], e, now)
			if err != nil {
				return fmt.Errorf("replay entry %d: %w", e.Seq, err)
			}
			if p.next = e.Seq; queued {
				p.Queued++
			}
		}
		done := any(nil)
		if len(entries) < replayPage {
			p.next, done = p.Until, db.Micros(now)
		}
		_, err = tx.Exec(ctx, `UPDATE endpoint_replays SET next_seq = $2, queued = $3, done_at = $4 WHERE id = $1`, p.ID, p.next, p.Queued, done)
		return err
	})
}

// replayEntry puts the message about an entry into the queue once more, if the
// endpoint may and wants to hear of it; false if not, or if it waits anyway.
func (o *Outbox) replayEntry(ctx context.Context, tx *db.Tx, to Endpoint, e feed.Entry, now time.Time) (bool, error) {
	if administers(e.Object) || !to.wants(e.Kind) {
		return false, nil
	}
	if err := o.narrow(ctx, tx, &e); err != nil || !slices.Contains(e.Audience, string(to.Party)) {
		return false, err
	}
	n, err := tx.Exec(ctx, `
		UPDATE deliveries SET state = 'waiting', lane = $3, next_at = $4, queued_at = $4, tried_before = attempts, done_at = NULL, last_error = NULL
		WHERE endpoint_id = $1 AND seq = $2 AND state <> 'waiting'`, to.ID, e.Seq, int(replayLane), db.Micros(now))
	if err != nil {
		return false, err
	}
	if n > 0 {
		tx.AfterCommit(o.due.Wake)
		return true, nil
	}
	if queued, err := o.enqueue(ctx, tx, to, e, replayLane); err != nil || !queued {
		return queued, err
	}
	return true, o.remember(ctx, tx, e, o.messageID(to.ID, e.Seq))
}

// remember gives a message whose row had been deleted the time at which its
// receiver took it, which the feed still knows: nobody is told of that twice.
func (o *Outbox) remember(ctx context.Context, tx *db.Tx, of feed.Entry, id string) error {
	_, err := tx.Exec(ctx, `
		UPDATE deliveries SET accepted_at = (
			SELECT min(at) FROM feed_entries WHERE object = $2 AND object_id = $3 AND kind = $4 AND data LIKE $5)
		WHERE id = $1`, id, of.Object, of.ObjectID, eventAccepted, `%"delivery":"`+id+`"%`)
	return err
}
