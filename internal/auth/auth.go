package auth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// A MAC is HMAC-SHA-256 under a key that is kept outside of the database, one
// key for each purpose.
type MAC func(purpose string, data []byte) []byte

// Auth establishes actors. It is safe for concurrent use.
type Auth struct {
	db    *db.DB
	feed  *feed.Feed
	clock clock.Clock
	mac   MAC
}

// New returns an Auth over d.
func New(d *db.DB, f *feed.Feed, c clock.Clock, mac MAC) *Auth {
	return &Auth{db: d, feed: f, clock: c, mac: mac}
}

// tokenBytes is the length of a secret that grants access: 160 random bits,
// twice what domain.md asks for.
const tokenBytes = 20

var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newToken returns a fresh secret with its type as prefix.
func newToken(prefix string) string {
	b := make([]byte, tokenBytes)
	rand.Read(b) //nolint:errcheck // never fails (crypto/rand)
	return prefix + tokenText.EncodeToString(b)
}

// looksLike reports whether s could be a token of that type; anything else is
// refused before it reaches the database.
func looksLike(s, prefix string) bool {
	return strings.HasPrefix(s, prefix) && len(s) == len(prefix)+tokenText.EncodedLen(tokenBytes)
}

// actorOf makes the actor of an active person of an active party.
func actorOf(ctx context.Context, r db.Reader, id party.PersonID) (party.Actor, error) {
	p, err := party.GetPerson(ctx, r, id)
	if err != nil {
		return party.Actor{}, err
	}
	org, err := party.Get(ctx, r, p.Party)
	if err != nil {
		return party.Actor{}, err
	}
	if !p.Active || !org.Active {
		return party.Actor{}, fault.New(fault.Denied, "auth.inactive")
	}
	return party.Actor{
		Party: org.ID, PartyKind: org.Kind, Jurisdiction: org.Jurisdiction,
		Person: p.ID, Name: p.Name, Roles: p.Roles, Lang: p.Lang, Zone: p.Zone,
	}, nil
}

// ActorFor returns the actor of a person without a sign-in: for the command
// line, whose caller holds the database anyway and is there, and for tests.
func ActorFor(ctx context.Context, r db.Reader, id party.PersonID) (party.Actor, error) {
	a, err := actorOf(ctx, r, id)
	a.Touched = err == nil
	return a, err
}

// record adds an act of administration to the chained record.
func (a *Auth) record(ctx context.Context, tx *db.Tx, by party.Actor, kind, object, id string, data any, now time.Time) error {
	_, err := a.feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: object, ObjectID: id, Party: string(by.Party), Person: string(by.Person),
		Audience: []string{string(by.Party)}, Data: data, At: now,
	})
	return err
}

type actorKey struct{}

// With returns a context that carries the actor of its request.
func With(ctx context.Context, a party.Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// Actor returns the actor of a request's context; the zero Actor if nobody
// signed in. For edges: below them the actor is an argument.
func Actor(ctx context.Context) party.Actor {
	a, _ := ctx.Value(actorKey{}).(party.Actor)
	return a
}
