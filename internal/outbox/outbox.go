// Package outbox keeps what has to leave for other systems until it has
// arrived: webhook endpoints, deliveries, attempts, and the health of each.
//
// A delivery is a row written when its feed entry gets its place, in the same
// transaction, so nothing that was decided is forgotten and nothing undecided
// leaves. One bounded sender serves each endpoint: a dead endpoint delays
// nobody else (threat T19). The wire is spoken by an injected Sender.
package outbox

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// rotationFor is how long the previous keys of an endpoint go on signing
// beside the new ones.
const rotationFor = 24 * time.Hour

// maxEndpoints bounds the endpoints of one party.
const maxEndpoints = 20

// An Endpoint is where a party wants to be told.
type Endpoint struct {
	ID           string
	Party        party.ID
	URL          string
	Label        string
	Events       []string // event types, or prefixes as "notice.*"; none means all
	Public       ed25519.PublicKey
	Active       bool
	CreatedAt    time.Time
	LastOK       time.Time // zero: never
	FailingSince time.Time // since the first failure after the last success; zero while healthy
	DownSince    time.Time // since when it does not answer, or only by failures of its own; zero while it answers
	PausedAt     time.Time // zero unless paused: see Health
	RetryAt      time.Time // zero while healthy
	Failures     int       // attempts in a row that failed
	Waiting      int       // deliveries not yet made, counted to maxWaiting; set for its owner only

	secretSealed, privateSealed     []byte
	previousSecret, previousPrivate []byte
	previousUntil                   time.Time
	toldAt                          time.Time // when its people were told that it fails
	eventsText                      string    // Events as they are stored
	mac                             []byte    // see endpointMAC
}

// A Message is one delivery as its sender sees it.
type Message struct {
	ID   string // the same on every attempt
	URL  string
	Body []byte
	Keys []notes.HookSigner // the newest first; two during a rotation
	At   time.Time
}

// A Result is what became of one attempt. Status is the HTTP status, 0 when
// there was no answer.
type Result struct {
	Status int
	Error  string // for the owner of the endpoint: no addresses of ours, no content
	Took   time.Duration
}

// OK reports whether the receiver took the message.
func (r Result) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Down reports whether the endpoint, rather than this one message, is at
// fault: no answer, overload, or a failure of its own. Other messages wait
// then; a message that is merely refused holds up nobody else.
func (r Result) Down() bool {
	return r.Status == 0 || r.Status >= 500 || r.Status == http.StatusRequestTimeout || r.Status == http.StatusTooManyRequests
}

// A Sender speaks the wire.
type Sender func(ctx context.Context, m Message) Result

// Deps are what an Outbox stands on.
type Deps struct {
	DB    *db.DB
	Feed  *feed.Feed
	Clock clock.Clock
	Vault *vault.Vault
	Log   *slog.Logger
	Send  Sender
	// Concerned, if set, narrows an entry's audience to whom its object concerns
	// as it stands: an entry alone is no proof of that.
	Concerned func(ctx context.Context, tx *db.Tx, e feed.Entry) ([]string, error)
	BaseURL   string // of the public origin, without a final slash
	AllowHTTP bool   // plain-text endpoints, for the demo and tests only
}

// An Outbox is safe for concurrent use.
type Outbox struct {
	Deps
	due        feed.Signal   // something may leave
	made       feed.Signal   // an attempt was made
	asked      feed.Signal   // something is to be sent again
	claimFor   time.Duration // ownClaim or sharedClaim
	renewEvery time.Duration
}

// New returns an outbox.
func New(d Deps) *Outbox {
	o := &Outbox{Deps: d, claimFor: sharedClaim, renewEvery: renewEvery}
	if d.DB.Dialect() == db.SQLite {
		o.claimFor = ownClaim
	}
	return o
}

// AddEndpoint stores a new endpoint of by's party and returns it with its HMAC
// secret in Standard Webhooks' text form, which is shown once.
func (o *Outbox) AddEndpoint(ctx context.Context, by party.Actor, rawURL, label string, events []string) (Endpoint, string, error) {
	if err := auth.MayNow(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return Endpoint{}, "", err
	}
	if err := o.Check(rawURL, label, events); err != nil {
		return Endpoint{}, "", err
	}
	now := o.Clock.Now()
	e := Endpoint{ID: db.NewID(), Party: by.Party, URL: rawURL, Label: label, Events: events, Active: true, CreatedAt: now}
	secret := o.newKeys(&e)
	err := o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM endpoints WHERE party_id = $1 AND active = TRUE`, by.Party)
		if err != nil {
			return err
		}
		if n >= maxEndpoints {
			return fault.New(fault.Conflict, "outbox.too-many", "Max", maxEndpoints)
		}
		list, err := json.Marshal(append([]string{}, events...))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO endpoints (id, party_id, url, label, events, secret_sealed, private_sealed, public, active, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, TRUE, $9)`,
			e.ID, e.Party, e.URL, e.Label, string(list), e.secretSealed, e.privateSealed, []byte(e.Public), db.Micros(now)); err != nil {
			return err
		}
		if err := o.sealEndpoint(ctx, tx, e.ID); err != nil {
			return err
		}
		return o.record(ctx, tx, by, "webhook.added", e.ID, now)
	})
	return e, secret, err
}

// Check names every fault of an endpoint at once.
func (o *Outbox) Check(rawURL, label string, events []string) error {
	var c fault.Checker
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Host == "" || len(rawURL) > 2048:
		c.Add("/url", "outbox.url", "Value", rawURL)
	case u.User != nil:
		c.Add("/url", "outbox.url-user")
	case u.Scheme != "https" && (u.Scheme != "http" || !o.AllowHTTP):
		c.Add("/url", "outbox.url-https", "Value", rawURL)
	}
	if len(label) > 100 {
		c.Add("/label", "party.too-long", "Max", 100)
	}
	if len(events) > 50 {
		c.Add("/events", "outbox.events-many", "Max", 50)
	}
	for i, e := range events {
		if noun, verb, ok := strings.Cut(e, "."); !ok || noun == "" || verb == "" || len(e) > 60 {
			c.Add(fmt.Sprintf("/events/%d", i), "outbox.event", "Value", e)
		}
	}
	return c.Err()
}

// newKeys gives e fresh keys, sealed, and returns the secret's text form.
func (o *Outbox) newKeys(e *Endpoint) string {
	secret := make([]byte, 32)
	rand.Read(secret) //nolint:errcheck // never fails (crypto/rand)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // only for a reader that fails
	}
	e.Public = public
	e.secretSealed = o.Vault.SealOwn(secret, "endpoint/"+e.ID+"/secret")
	e.privateSealed = o.Vault.SealOwn(private.Seed(), "endpoint/"+e.ID+"/private")
	return notes.FormatHookSecret(secret)
}

// Rotate gives an endpoint new keys; the old ones go on signing beside them
// for a day. It returns the new secret, shown once.
func (o *Outbox) Rotate(ctx context.Context, by party.Actor, id string) (Endpoint, string, error) {
	if err := auth.MayNow(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return Endpoint{}, "", err
	}
	now := o.Clock.Now()
	var e Endpoint
	var secret string
	err := o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if e, err = o.ownGenuine(o.own(ctx, tx, by, id)); err != nil {
			return err
		}
		oldSecret, oldPrivate := e.secretSealed, e.privateSealed
		secret = o.newKeys(&e)
		if _, err := tx.Exec(ctx, `
			UPDATE endpoints SET secret_sealed = $2, private_sealed = $3, public = $4,
				previous_secret_sealed = $5, previous_private_sealed = $6, previous_until = $7 WHERE id = $1`,
			id, e.secretSealed, e.privateSealed, []byte(e.Public), oldSecret, oldPrivate, db.Micros(now.Add(rotationFor))); err != nil {
			return err
		}
		if err := o.sealEndpoint(ctx, tx, id); err != nil {
			return err
		}
		return o.record(ctx, tx, by, "webhook.rotated", id, now)
	})
	return e, secret, err
}

// RemoveEndpoint stops an endpoint. What still waits for it is given up, on
// record.
func (o *Outbox) RemoveEndpoint(ctx context.Context, by party.Actor, id string) error {
	if err := auth.MayNow(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return err
	}
	now := o.Clock.Now()
	return o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := o.own(ctx, tx, by, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE endpoints SET active = FALSE WHERE id = $1`, id); err != nil {
			return err
		}
		if err := o.sealEndpoint(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE deliveries SET state = 'given-up', done_at = $2 WHERE endpoint_id = $1 AND state = 'waiting'`, id, db.Micros(now)); err != nil {
			return err
		}
		return o.record(ctx, tx, by, "webhook.removed", id, now)
	})
}

// Endpoint returns an active endpoint of by's party, or a hidden fault.
func (o *Outbox) Endpoint(ctx context.Context, by party.Actor, id string) (Endpoint, error) {
	if err := auth.May(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return Endpoint{}, err
	}
	e, err := db.One(ctx, o.DB, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e WHERE id = $1 AND party_id = $2 AND active = TRUE`, id, by.Party)
	if errors.Is(err, db.ErrAbsent) {
		return e, fault.Hidden("webhook")
	}
	if err != nil {
		return e, err
	}
	return e, o.countWaiting(ctx, &e)
}

// maxWaiting is how far messages that wait are counted: who sends and who gives
// entries their place must not pay for another's backlog, nor a page for its own.
const maxWaiting = 10_000

// countWaiting says how many messages wait for e, maxWaiting for that or more.
func (o *Outbox) countWaiting(ctx context.Context, e *Endpoint) error {
	n, err := db.Value[int64](ctx, o.DB, `SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE endpoint_id = $1 AND state = 'waiting' LIMIT $2) w`, e.ID, maxWaiting)
	e.Waiting = int(n)
	return err
}

// Endpoints returns the active endpoints of by's party, oldest first.
func (o *Outbox) Endpoints(ctx context.Context, by party.Actor) ([]Endpoint, error) {
	if err := auth.May(by, auth.PartyAdmin, auth.Object{What: "webhook", Owner: by.Party}); err != nil {
		return nil, err
	}
	all, err := db.All(ctx, o.DB, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e WHERE party_id = $1 AND active = TRUE ORDER BY created_at, id`, by.Party)
	for i := range all {
		err = errors.Join(err, o.countWaiting(ctx, &all[i]))
	}
	return all, err
}

// own returns an active endpoint of by's party under a row lock, or a hidden
// fault.
func (o *Outbox) own(ctx context.Context, tx *db.Tx, by party.Actor, id string) (Endpoint, error) {
	e, err := db.One(ctx, tx, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e WHERE id = $1 AND party_id = $2 AND active = TRUE FOR UPDATE`, id, by.Party)
	if errors.Is(err, db.ErrAbsent) {
		return e, fault.Hidden("webhook")
	}
	return e, err
}

func (o *Outbox) record(ctx context.Context, tx *db.Tx, by party.Actor, kind, id string, now time.Time) error {
	_, err := o.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: "webhook", ObjectID: id, Party: string(by.Party), Person: string(by.Person),
		Audience: []string{string(by.Party)}, At: now,
	})
	return err
}

const endpointColumns = `e.id, e.party_id, e.url, e.label, e.events, e.public, e.active, e.created_at, e.last_ok_at, e.failing_since, e.retry_at,
	e.failures, e.down_since, e.told_at, e.paused_at,
	e.secret_sealed, e.private_sealed, e.previous_secret_sealed, e.previous_private_sealed, e.previous_until, e.mac`

func scanEndpoint(row db.Row) (Endpoint, error) {
	var e Endpoint
	var public []byte
	err := row.Scan(&e.ID, &e.Party, &e.URL, &e.Label, &e.eventsText, &public, &e.Active, db.Time(&e.CreatedAt), db.Time(&e.LastOK),
		db.Time(&e.FailingSince), db.Time(&e.RetryAt), &e.Failures, db.Time(&e.DownSince), db.Time(&e.toldAt), db.Time(&e.PausedAt), &e.secretSealed, &e.privateSealed, &e.previousSecret, &e.previousPrivate,
		db.Time(&e.previousUntil), &e.mac)
	e.Public = public
	if err == nil && json.Unmarshal([]byte(e.eventsText), &e.Events) != nil {
		e.Events = nil // altered: nothing goes to it, and the others' messages do not wait for it
	}
	return e, err
}

// wants reports whether the endpoint asked for events of that type.
func (e Endpoint) wants(kind string) bool {
	if len(e.Events) == 0 {
		return true
	}
	return slices.ContainsFunc(e.Events, func(want string) bool {
		prefix, all := strings.CutSuffix(want, "*")
		return want == kind || all && strings.HasPrefix(kind, prefix)
	})
}

// keys unseals what a message to e is signed with.
func (o *Outbox) keys(e Endpoint, now time.Time) ([]notes.HookSigner, error) {
	var k []notes.HookSigner
	add := func(secretSealed, privateSealed []byte) error {
		secret, err := o.Vault.UnsealOwn(secretSealed, "endpoint/"+e.ID+"/secret")
		if err != nil {
			return err
		}
		seed, err := o.Vault.UnsealOwn(privateSealed, "endpoint/"+e.ID+"/private")
		if err != nil {
			return err
		}
		k = append(k, notes.HookSigner{Key: ed25519.NewKeyFromSeed(seed), Secret: secret})
		return nil
	}
	if err := add(e.secretSealed, e.privateSealed); err != nil {
		return k, fmt.Errorf("keys of endpoint %s: %w", e.ID, err)
	}
	if e.previousUntil.After(now) {
		if err := add(e.previousSecret, e.previousPrivate); err != nil {
			return k, fmt.Errorf("previous keys of endpoint %s: %w", e.ID, err)
		}
	}
	return k, nil
}
