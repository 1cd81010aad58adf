package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// A State is how far a delivery is.
type State string

// The states of a delivery.
const (
	Waiting  State = "waiting"
	Accepted State = "accepted" // the receiver answered 2xx; no proof that anybody read it
	GivenUp  State = "given-up"
)

// A Delivery is one message to one endpoint.
type Delivery struct {
	ID         string
	Endpoint   string
	Seq        int64 // its feed entry
	Type       string
	Object     string
	ObjectID   string
	Ref        string
	State      State
	Attempts   int
	NextAt     time.Time
	CreatedAt  time.Time
	DoneAt     time.Time
	LastStatus int
	LastError  string
	AcceptedAt time.Time // the first time that the receiver took it; zero: never

	party       party.ID
	lane        lane
	queuedAt    time.Time // since when it waits this time
	triedBefore int       // attempts before that
	mac         []byte    // see deliveryMAC
}

// A lane says which of an endpoint's messages go first.
type lane int

const (
	testLane   lane = iota // tried once and at once, whatever became of others
	newsLane               // what happens, in its order
	replayLane             // what somebody asked for again; the news do not wait for it
)

// An Attempt is one try of a delivery.
type Attempt struct {
	N      int
	At     time.Time
	Status int    // HTTP status; 0 without an answer
	Error  string // one of Failures; "" with an answer
	TookMS int
}

const deliveryColumns = `id, endpoint_id, seq, type, object, object_id, ref, state, attempts, next_at, created_at, done_at, COALESCE(last_status, 0), last_error,
	party_id, mac, lane, queued_at, tried_before, accepted_at`

func scanDelivery(row db.Row) (Delivery, error) {
	var d Delivery
	err := row.Scan(&d.ID, &d.Endpoint, &d.Seq, &d.Type, &d.Object, &d.ObjectID, &d.Ref, &d.State, &d.Attempts,
		db.Time(&d.NextAt), db.Time(&d.CreatedAt), db.Time(&d.DoneAt), &d.LastStatus, db.Text(&d.LastError),
		&d.party, &d.mac, &d.lane, db.Time(&d.queuedAt), &d.triedBefore, db.Time(&d.AcceptedAt))
	return d, err
}

// Subscription makes deliveries of entries: one for each active endpoint of
// each party in the audience that asked for the type.
func (o *Outbox) Subscription() feed.Subscription {
	return feed.Subscription{Name: "outbox", Ahead: o.ahead}
}

// administers reports whether entries about the noun are a party's own
// housekeeping, which its pages show and its machines need not hear of.
func administers(noun string) bool {
	switch noun {
	case "webhook", "mail", "api-key", "key", "person", "invitation", "party":
		return true
	default:
		return false
	}
}

// ahead reads the active endpoints of all who may hear of the entries. Whoever
// an entry does not concern after all is in its audience no longer when its turn
// comes.
func (o *Outbox) ahead(ctx context.Context, tx *db.Tx, all []feed.Entry) (feed.Do, error) {
	var parties []string
	for _, e := range all {
		parties = append(parties, e.Audience...)
	}
	slices.Sort(parties)
	endpoints, err := db.AllIn(ctx, tx, scanEndpoint, func(in string) string {
		return `SELECT ` + endpointColumns + ` FROM endpoints e WHERE party_id IN (` + in + `) AND active = TRUE`
	}, slices.Compact(parties))
	if err != nil {
		return nil, err
	}
	of := map[string][]Endpoint{}
	for _, e := range endpoints {
		of[string(e.Party)] = append(of[string(e.Party)], e)
	}
	return func(ctx context.Context, tx *db.Tx, e feed.Entry) error { return o.onEntry(ctx, tx, e, of) }, nil
}

func (o *Outbox) onEntry(ctx context.Context, tx *db.Tx, e feed.Entry, of map[string][]Endpoint) error {
	if administers(e.Object) && e.Kind != testEvent {
		return nil
	}
	if err := o.narrow(ctx, tx, &e); err != nil {
		return err
	}
	for _, p := range e.Audience {
		for _, to := range of[p] {
			if e.Kind == testEvent && e.ObjectID != to.ID || e.Kind != testEvent && !to.wants(e.Kind) {
				continue
			}
			in := newsLane
			if e.Kind == testEvent {
				in = testLane
			}
			if _, err := o.enqueue(ctx, tx, to, e, in); err != nil {
				return fmt.Errorf("enqueue for endpoint %s: %w", to.ID, err)
			}
		}
	}
	return nil
}

// narrow leaves in an entry's audience whom it concerns.
func (o *Outbox) narrow(ctx context.Context, tx *db.Tx, e *feed.Entry) (err error) {
	if o.Concerned != nil {
		e.Audience, err = o.Concerned(ctx, tx, *e)
	}
	return err
}

// enqueue writes the delivery of an entry to an endpoint; false if there is one.
func (o *Outbox) enqueue(ctx context.Context, tx *db.Tx, to Endpoint, e feed.Entry, in lane) (bool, error) {
	d := Delivery{
		ID: o.messageID(to.ID, e.Seq), Endpoint: to.ID, Seq: e.Seq, Type: e.Kind, Object: e.Object, ObjectID: e.ObjectID, Ref: e.Ref,
		CreatedAt: o.Clock.Now(), party: to.Party, lane: in,
	}
	body, err := notes.Canonical(notes.Webhook{
		V: 1, ID: d.ID, Type: e.Kind, Time: notes.At(e.ToldAt()), Party: string(to.Party), Reference: e.Ref,
		URL: o.BaseURL + "/api/v1/" + plural(e.Object) + "/" + e.ObjectID, Sequence: e.Seq,
	})
	if err != nil {
		return false, err
	}
	n, err := tx.Exec(ctx, `
		INSERT INTO deliveries (id, endpoint_id, party_id, seq, type, object, object_id, ref, body, state, attempts, next_at, created_at, queued_at, lane, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', 0, $10, $10, $10, $11, $12) ON CONFLICT (endpoint_id, seq) DO NOTHING`,
		d.ID, d.Endpoint, d.party, d.Seq, d.Type, d.Object, d.ObjectID, d.Ref, body, db.Micros(d.CreatedAt), int(d.lane), o.deliveryMAC(d, body))
	if err == nil && n > 0 {
		tx.AfterCommit(o.due.Wake)
	}
	return n > 0, err
}

// plural returns the noun as the API's paths have it.
func plural(noun string) string {
	switch noun {
	case "party":
		return "parties"
	case "person":
		return "people"
	case "batch":
		return "batches"
	default:
		return noun + "s"
	}
}

// Deliveries returns the deliveries to one endpoint of by's party, the newest
// first, before the given sequence number (0: from the end), at most n.
func (o *Outbox) Deliveries(ctx context.Context, by party.Actor, endpoint string, before int64, n int) ([]Delivery, error) {
	if err := auth.May(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return nil, err
	}
	if before <= 0 {
		before = 1 << 62
	}
	return db.All(ctx, o.DB, scanDelivery, `
		SELECT `+deliveryColumns+` FROM deliveries WHERE party_id = $1 AND endpoint_id = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4`,
		by.Party, endpoint, before, n)
}

// Attempts returns every try of a delivery of by's party, oldest first.
func (o *Outbox) Attempts(ctx context.Context, by party.Actor, delivery string) ([]Attempt, error) {
	if err := auth.May(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return nil, err
	}
	owner, err := db.Value[string](ctx, o.DB, `SELECT party_id FROM deliveries WHERE id = $1`, delivery)
	if err != nil || party.ID(owner) != by.Party {
		return nil, fault.Hidden("delivery")
	}
	return db.All(ctx, o.DB, func(row db.Row) (Attempt, error) {
		var a Attempt
		err := row.Scan(&a.N, db.Time(&a.At), &a.Status, &a.Error, &a.TookMS)
		return a, err
	}, `SELECT n, at, status, error, took_ms FROM delivery_attempts WHERE delivery_id = $1 ORDER BY n LIMIT 500`, delivery)
}
