package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

const (
	// sessionFor is how long a session lives at most, sessionIdle without use:
	// a working day, and a long lunch.
	sessionFor  = 12 * time.Hour
	sessionIdle = 2 * time.Hour

	sessionPerson = "person"
)

// Sessions keeps browser sessions in the database, under the hash of their
// token.
type Sessions struct {
	auth    *Auth
	manager *scs.SessionManager
}

// NewSessions returns the session keeper. secure is whether pages are served
// over TLS: the cookie is bound to it.
func (a *Auth) NewSessions(secure bool) *Sessions {
	m := scs.New()
	m.Lifetime, m.IdleTimeout = sessionFor, sessionIdle
	m.Store = &sessionStore{a}
	m.Codec = sessionCodec{a}
	m.HashTokenInStore = true
	m.Cookie.Name = "tangkal"
	if secure {
		m.Cookie.Name = "__Host-tangkal"
	}
	m.Cookie.HttpOnly, m.Cookie.Secure, m.Cookie.SameSite = true, secure, http.SameSiteLaxMode
	return &Sessions{a, m}
}

// Wrap makes a request's session available to the handlers under it.
func (s *Sessions) Wrap(next http.Handler) http.Handler { return s.manager.LoadAndSave(next) }

// OnError sets what answers a request whose session cannot be read or kept.
func (s *Sessions) OnError(answer func(http.ResponseWriter, *http.Request, error)) {
	s.manager.ErrorFunc = answer
}

// Begin signs a person in: the session's token is renewed, so that one planted
// before is worth nothing.
func (s *Sessions) Begin(ctx context.Context, by Arrival) error {
	if err := s.manager.RenewToken(ctx); err != nil {
		return err
	}
	s.manager.Put(ctx, sessionPerson, string(by.Person))
	token, _, err := s.manager.Commit(ctx)
	if err != nil {
		return err
	}
	return s.auth.began(ctx, rowOf(token), by)
}

// rowOf is the identifier under which scs asks for a token's row.
func rowOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// End signs the person out.
func (s *Sessions) End(ctx context.Context) error { return s.manager.Destroy(ctx) }

// Actor returns who the request's session belongs to, the zero Actor if
// nobody. Rights are read afresh each time, so a deactivation counts at once.
func (s *Sessions) Actor(ctx context.Context) (party.Actor, error) {
	id := party.PersonID(s.manager.GetString(ctx, sessionPerson))
	if id == "" {
		return party.Actor{}, nil
	}
	actor, err := actorOf(ctx, s.auth.db, id)
	if k := fault.Of(err); k == fault.Denied || k == fault.NotFound {
		return party.Actor{}, nil
	}
	if err != nil {
		return actor, err
	}
	actor.Session = rowOf(s.manager.Token(ctx))
	row, err := db.One(ctx, s.auth.db, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND ended_at IS NULL AND NOT EXISTS (
		SELECT 1 FROM recoveries WHERE recoveries.person_id = sessions.person_id AND ended = $2 AND recoveries.ended_at > began_at)`, actor.Session, EndUsed)
	if errors.Is(err, db.ErrAbsent) {
		return party.Actor{}, nil // it ended while this request was on its way, or a key that is no more began it
	}
	if now := s.auth.clock.Now(); err == nil && row.Person == id && hmac.Equal(row.mac, s.auth.sessionMAC(row)) {
		actor.Arrived, actor.Touched = recently(row.Began, now), recently(row.touched, now)
	}
	return actor, err
}

// Put and Pop keep a small text across one redirect, for a message to show.
func (s *Sessions) Put(ctx context.Context, key, value string) { s.manager.Put(ctx, key, value) }

// Pop returns what Put kept, once.
func (s *Sessions) Pop(ctx context.Context, key string) string {
	return s.manager.PopString(ctx, key)
}

// sessionStore keeps sessions as rows. It implements scs.CtxStore.
type sessionStore struct{ auth *Auth }

// FindCtx returns a session's data by its hashed token. What we did not write
// under that token is no session: a row that somebody put into the table, or
// changed, signs nobody in (threat-model T12).
func (s *sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	sealed, err := db.Value[[]byte](ctx, s.auth.db, `SELECT data FROM sessions WHERE id = $1 AND expires_at > $2 AND ended_at IS NULL`, token, db.Micros(s.auth.clock.Now()))
	if errors.Is(err, db.ErrAbsent) {
		return nil, false, nil
	}
	if err != nil || len(sealed) < sha256.Size {
		return nil, false, err
	}
	mac, b := sealed[:sha256.Size], sealed[sha256.Size:]
	return b, hmac.Equal(mac, s.mac(token, b)), nil
}

func (s *sessionStore) mac(token string, b []byte) []byte {
	return s.auth.mac("session", append([]byte(token+"|"), b...))
}

// CommitCtx stores a session's data. The person stands beside it in plain, so
// that all sessions of theirs can be ended; one that ended stays ended, though
// a request that began before commits it again.
func (s *sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	_, values, err := (scs.GobCodec{}).Decode(b)
	if err != nil {
		return err
	}
	person, _ := values[sessionPerson].(string)
	return s.auth.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO sessions (id, data, person_id, expires_at, used_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET data = excluded.data, person_id = excluded.person_id, expires_at = excluded.expires_at, used_at = excluded.used_at
			WHERE sessions.ended_at IS NULL`,
			token, append(s.mac(token, b), b...), db.OrNull(person), db.Micros(s.auth.told(expiry)), db.Micros(s.auth.clock.Now()))
		return err
	})
}

// DeleteCtx ends a session.
func (s *sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.auth.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE sessions SET ended_at = $2, data = $3, mac = NULL WHERE id = $1 AND ended_at IS NULL`, token, db.Micros(s.auth.clock.Now()), []byte{})
		return err
	})
}

// sessionCodec writes deadlines by the program's clock: scs reckons by the
// machine's.
type sessionCodec struct{ auth *Auth }

// Encode writes a session.
func (c sessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return scs.GobCodec{}.Encode(c.auth.told(deadline), values)
}

// Decode reads it back.
func (c sessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	deadline, values, err := scs.GobCodec{}.Decode(b)
	return deadline.Add(-c.auth.ahead()), values, err
}

// ahead is by how much the program's clock is ahead of the machine's.
func (a *Auth) ahead() time.Duration {
	machine := time.Now() //nolint:forbidigo // what scs reckons by
	return a.clock.Now().Sub(machine)
}

// told is a time of the machine's clock as the program's tells it.
func (a *Auth) told(t time.Time) time.Time { return t.Add(a.ahead()) }

// Find, Commit and Delete are never called: scs prefers the methods above.

// Find implements scs.Store.
func (s *sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s *sessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements scs.Store.
func (s *sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// SweepSessions removes sessions and idempotency keys whose time is over.
func (a *Auth) SweepSessions(ctx context.Context) error {
	now := a.clock.Now()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE expires_at < $1`, db.Micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE at < $1`, db.Micros(now.Add(-48*time.Hour)))
		return err
	})
}
