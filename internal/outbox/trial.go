package outbox

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// testEvent reaches only the endpoint it names.
const testEvent = "webhook.test"

// A Trial is a test message and what became of it.
type Trial struct {
	Entry string // the entry of the feed that asked for it
	At    time.Time
	Done  bool
	LogEntry
}

// Test sends a "webhook.test" message to one endpoint, once and at once,
// whatever waits for it and also while it is paused. It returns the entry of
// the feed that stands for it, for AwaitTrial.
func (o *Outbox) Test(ctx context.Context, by party.Actor, id string) (entry string, err error) {
	if err := auth.MayNow(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return "", err
	}
	now := o.Clock.Now()
	err = o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := o.ownGenuine(o.own(ctx, tx, by, id)); err != nil {
			return err
		}
		entry, err = o.Feed.Record(ctx, tx, feed.Event{
			Kind: testEvent, Object: "webhook", ObjectID: id, Party: string(by.Party), Person: string(by.Person),
			Audience: []string{string(by.Party)}, At: now,
		})
		return err
	})
	return entry, err
}

// LastTrial returns the newest test of an endpoint of by's party; ok is false
// if there was none yet.
func (o *Outbox) LastTrial(ctx context.Context, by party.Actor, endpoint string) (t Trial, ok bool, err error) {
	if _, err := o.Endpoint(ctx, by, endpoint); err != nil {
		return t, false, err
	}
	all, err := db.All(ctx, o.DB, func(row db.Row) (t Trial, err error) {
		return t, row.Scan(&t.Entry, db.Time(&t.At), &t.Done, &t.N, db.Time(&t.LogEntry.At), &t.Status, &t.Error, &t.TookMS, &t.Message, &t.Seq, &t.Type, &t.State)
	}, `
		SELECT e.id, d.created_at, d.state <> 'waiting', COALESCE(a.n, 0), a.at, COALESCE(a.status, 0), COALESCE(a.error, ''), COALESCE(a.took_ms, 0), d.id, d.seq, d.type, d.state
		FROM deliveries d JOIN feed_entries e ON e.seq = d.seq LEFT JOIN delivery_attempts a ON a.delivery_id = d.id AND a.n = d.attempts
		WHERE d.endpoint_id = $1 AND d.party_id = $2 AND d.lane = 0 ORDER BY d.seq DESC LIMIT 1`, endpoint, by.Party)
	if err != nil || len(all) == 0 {
		return t, false, err
	}
	return all[0], true, nil
}

// AwaitTrial is LastTrial that waits for the test of an entry to be over, at
// most until ctx ends: then the test is still under way.
func (o *Outbox) AwaitTrial(ctx context.Context, by party.Actor, endpoint, entry string) (Trial, bool, error) {
	wake, stop := o.made.Listen()
	defer stop()
	look := time.NewTicker(sweepEvery) // another node may make the attempt
	defer look.Stop()
	for {
		t, ok, err := o.LastTrial(context.WithoutCancel(ctx), by, endpoint)
		if err != nil || ok && t.Entry >= entry && t.Done {
			return t, ok, err
		}
		select {
		case <-ctx.Done():
			return t, ok && t.Entry >= entry, nil
		case <-wake:
		case <-look.C:
		}
	}
}
