package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

// What challenges are for. One made for one purpose answers no other.
const (
	signInChallenge = "sign-in"
	enrolChallenge  = "passkey-enrol"
	touchChallenge  = "touch"
)

const (
	// challengeFor is how long a sign-in may be answered, enrolFor how long the
	// page that makes a passkey may stand open.
	challengeFor = 5 * time.Minute
	enrolFor     = 30 * time.Minute
)

// A Challenge is what a key signs to sign in, or a new passkey to be enrolled:
// SHA-256 over "tangkal/<purpose>/v1\n" and the nonce, so that it can never be
// taken for the digest of a document.
type Challenge struct {
	ID    string
	Nonce []byte

	purpose string
	subject string // who alone may answer it, "" for anybody
	end     time.Time
}

// Digest returns the 32 bytes that the key signs.
func (c Challenge) Digest() [32]byte {
	return sha256.Sum256(append([]byte("tangkal/"+c.purpose+"/v1\n"), c.Nonce...))
}

// NewChallenge returns a challenge for one sign-in. It tells nothing about who
// exists, and nothing is stored for it: anybody may ask for any number.
func (a *Auth) NewChallenge() Challenge {
	return a.challenge(signInChallenge, "", challengeFor)
}

const (
	challengeSeed = 16 // random bytes
	challengeTag  = 16 // of the MAC over seed, time and subject
)

var challengeText = base64.RawURLEncoding

func (a *Auth) challenge(purpose, subject string, life time.Duration) Challenge {
	body := make([]byte, challengeSeed+8)
	rand.Read(body[:challengeSeed]) //nolint:errcheck // never fails (crypto/rand)
	end := a.clock.Now().Add(life)
	binary.BigEndian.PutUint64(body[challengeSeed:], uint64(end.UnixMicro())) //nolint:gosec // after 1970
	id := challengeText.EncodeToString(append(body, a.challengeTag(purpose, subject, body)...))
	return Challenge{ID: id, Nonce: a.mac(purpose+"-nonce", body), purpose: purpose, subject: subject, end: end}
}

func (a *Auth) challengeTag(purpose, subject string, body []byte) []byte {
	return a.mac(purpose+"-challenge", append(body[:len(body):len(body)], subject...))[:challengeTag]
}

// readChallenge returns the challenge of an identifier that we wrote for that
// purpose and subject.
func (a *Auth) readChallenge(purpose, subject, id string) (Challenge, bool) {
	raw, err := challengeText.Strict().DecodeString(id)
	if err != nil || len(raw) != challengeSeed+8+challengeTag {
		return Challenge{}, false
	}
	body, tag := raw[:challengeSeed+8], raw[challengeSeed+8:]
	if !hmac.Equal(tag, a.challengeTag(purpose, subject, body)) {
		return Challenge{}, false
	}
	end := time.UnixMicro(int64(binary.BigEndian.Uint64(body[challengeSeed:]))) //nolint:gosec // we wrote it
	return Challenge{ID: id, Nonce: a.mac(purpose+"-nonce", body), purpose: purpose, subject: subject, end: end}, true
}

// spend remembers that a challenge was answered, for longer than it lives, so
// that a clock set back brings none to life again.
func (a *Auth) spend(ctx context.Context, tx *db.Tx, c Challenge, now time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM challenges WHERE expires_at < $1`, db.Micros(now.Add(-24*time.Hour))); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `INSERT INTO challenges (id, nonce, purpose, subject, expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		c.ID, c.Nonce, c.purpose, c.subject, db.Micros(c.end))
	if err == nil && n == 0 {
		err = fault.New(fault.Denied, "auth.sign-in-failed")
	}
	return err
}
