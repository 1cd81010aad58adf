package auth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// apiKeyPrefix marks our API keys, so that scanners find leaked ones.
const apiKeyPrefix = "tgk_"

// A Scope narrows what an API key may be used for; its person's rights bound
// it too.
type Scope string

// The scopes.
const (
	ScopeRead  Scope = "read"  // GET
	ScopeWrite Scope = "write" // every method
)

// An APIKey is a machine's credential. It acts as its person, within its
// scopes, until it expires or is revoked.
type APIKey struct {
	ID        string
	Party     party.ID
	Person    party.PersonID
	Label     string
	Scopes    []Scope
	Prefix    string // the first characters, to tell keys apart
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	LastUsed  time.Time // to the hour; zero: never
	RevokedAt time.Time // zero while valid

	scopesText string // Scopes as they are stored
	hash, mac  []byte // see apikey_seal.go
}

const apiKeyColumns = `id, party_id, person_id, label, scopes, prefix, created_at, expires_at, last_used_at, revoked_at, hash, mac` //nolint:gosec // columns, no secret

func scanAPIKey(row db.Row) (APIKey, error) {
	var k APIKey
	err := row.Scan(&k.ID, &k.Party, &k.Person, &k.Label, &k.scopesText, &k.Prefix,
		db.Time(&k.CreatedAt), db.Time(&k.ExpiresAt), db.Time(&k.LastUsed), db.Time(&k.RevokedAt), &k.hash, &k.mac)
	if err == nil && json.Unmarshal([]byte(k.scopesText), &k.Scopes) != nil {
		k.Scopes = nil // altered: it opens nothing, and the other keys are shown
	}
	return k, err
}

// AddAPIKey makes a key for person, of by's party, and returns it with its
// secret, which is shown once and stored only as a MAC: 160 random bits need no
// slow hash. It takes a person at a browser: a key makes no key, so that one
// in wrong hands ends with its revocation and leaves no other behind.
func (a *Auth) AddAPIKey(ctx context.Context, by party.Actor, person party.PersonID, label string, scopes []Scope, expires time.Time) (APIKey, string, error) {
	act := PartyKey
	if by.Person != person {
		act = PartyAdmin
	}
	if err := MayNow(by, act, Object{What: "key", Owner: by.Party}); err != nil {
		return APIKey{}, "", err
	}
	now := a.clock.Now()
	if err := checkAPIKey(label, scopes, expires, now); err != nil {
		return APIKey{}, "", err
	}
	secret := newToken(apiKeyPrefix)
	k := APIKey{ID: db.NewID(), Party: by.Party, Person: person, Label: label, Scopes: scopes, Prefix: secret[:8], CreatedAt: now, ExpiresAt: expires}
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		p, err := party.GetPerson(ctx, tx, person)
		if err != nil {
			return err
		}
		if p.Party != by.Party || !p.Active {
			return fault.Hidden("person")
		}
		raw, err := json.Marshal(scopes)
		if err != nil {
			return err
		}
		k.scopesText, k.hash = string(raw), a.hashAPIKey(secret)
		if _, err := tx.Exec(ctx, `
			INSERT INTO api_keys (`+apiKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, NULL, $9, $10)`,
			k.ID, k.Party, k.Person, k.Label, k.scopesText, k.Prefix, db.Micros(now), db.MicrosOrNull(expires), k.hash, a.apiKeyMAC(k)); err != nil {
			return err
		}
		return a.record(ctx, tx, by, "key.added", "api-key", k.ID, map[string]any{"label": label, "scopes": scopes}, now)
	})
	return k, secret, err
}

func checkAPIKey(label string, scopes []Scope, expires, now time.Time) error {
	var c fault.Checker
	c.Require(label != "", "/label")
	if len(label) > 100 {
		c.Add("/label", "party.too-long", "Max", 100)
	}
	c.Require(len(scopes) > 0, "/scopes")
	for _, s := range scopes {
		if s != ScopeRead && s != ScopeWrite {
			c.Add("/scopes", "auth.scope", "Value", string(s))
		}
	}
	if !expires.IsZero() && !expires.After(now) {
		c.Add("/expires_at", "auth.past")
	}
	return c.Err()
}

// APIKeys returns the keys of by's party, the newest first.
func (a *Auth) APIKeys(ctx context.Context, by party.Actor) ([]APIKey, error) {
	if err := May(by, PartyAdmin, Object{What: "key", Owner: by.Party}); err != nil {
		return nil, err
	}
	return db.All(ctx, a.db, scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE party_id = $1 ORDER BY created_at DESC, id LIMIT 500`, by.Party)
}

// RevokeAPIKey ends a key of by's party at once.
func (a *Auth) RevokeAPIKey(ctx context.Context, by party.Actor, id string) error {
	if err := MayNow(by, PartyAdmin, Object{What: "key", Owner: by.Party}); err != nil {
		return err
	}
	now := a.clock.Now()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE api_keys SET revoked_at = $3, mac = NULL WHERE id = $1 AND party_id = $2 AND revoked_at IS NULL`, id, by.Party, db.Micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.Hidden("key")
		}
		return a.record(ctx, tx, by, "key.revoked", "api-key", id, nil, now)
	})
}

// FromAPIKey returns the actor of a presented key. Every wrong one gets the
// same answer.
func (a *Auth) FromAPIKey(ctx context.Context, secret string, write bool) (party.Actor, error) {
	refused := fault.New(fault.Denied, "auth.bad-key")
	if !looksLike(secret, apiKeyPrefix) {
		return party.Actor{}, refused
	}
	k, err := db.One(ctx, a.db, scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE hash = $1`, a.hashAPIKey(secret))
	if errors.Is(err, db.ErrAbsent) {
		return party.Actor{}, refused
	}
	if err != nil {
		return party.Actor{}, err
	}
	now := a.clock.Now()
	if !a.genuine(k) || !k.RevokedAt.IsZero() || !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now) {
		return party.Actor{}, refused
	}
	if write && !slices.Contains(k.Scopes, ScopeWrite) {
		return party.Actor{}, fault.New(fault.Denied, "auth.read-only-key")
	}
	actor, err := actorOf(ctx, a.db, k.Person)
	if err != nil {
		return party.Actor{}, refused.Because(err)
	}
	actor.APIKey = k.ID
	return actor, a.touch(ctx, k, now)
}

// touch notes the hour of a key's last use; a finer time would cost a write a
// request and tell more than administration needs.
func (a *Auth) touch(ctx context.Context, k APIKey, now time.Time) error {
	hour := now.Truncate(time.Hour)
	if k.LastUsed.Equal(hour) {
		return nil
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE api_keys SET last_used_at = $2 WHERE id = $1`, k.ID, db.Micros(hour))
		return err
	})
}
