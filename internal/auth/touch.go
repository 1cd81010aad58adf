package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// TouchChallenge returns what a key of the actor signs to show that its person
// is there now. Only their present session can answer it, once.
func (a *Auth) TouchChallenge(by party.Actor) Challenge {
	return a.challenge(touchChallenge, by.Session, challengeFor)
}

// touchFailed is the one answer to every wrong touch.
func touchFailed() *fault.Error { return fault.New(fault.Denied, "auth.touch-failed") }

// answered takes the actor's answer to c within tx.
func (a *Auth) answered(ctx context.Context, tx *db.Tx, by party.Actor, c Challenge) error {
	now := a.clock.Now()
	if err := a.spend(ctx, tx, c, now); err != nil {
		if fault.Of(err) == fault.Denied {
			return touchFailed().Because(err)
		}
		return err
	}
	return a.touchSession(ctx, tx, by, now)
}

// touchOf reads the challenge that the actor's session was given.
func (a *Auth) touchOf(by party.Actor, id string) (Challenge, bool) {
	c, ok := a.readChallenge(touchChallenge, by.Session, id)
	return c, ok && by.Session != "" && !c.end.Before(a.clock.Now())
}

// Touch takes the answer of one of the actor's own passkeys to a challenge of
// TouchChallenge: for touchFor the session may do what needs a touch. Any other
// answer changes nothing.
func (p *Passkeys) Touch(ctx context.Context, by party.Actor, answer PasskeyAnswer) error {
	c, ok := p.auth.touchOf(by, answer.Challenge)
	if !ok || !p.On() {
		return touchFailed()
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer.Credential)
	if err != nil {
		return touchFailed().Because(err)
	}
	held, err := p.holder(ctx, p.auth.db, parsed.RawID)
	if err != nil || held.person != by.Person {
		return touchFailed().Because(err)
	}
	digest := c.Digest()
	session := webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(digest[:]), RelyingPartyID: p.id, UserID: held.Handle,
		AllowedCredentialIDs: [][]byte{held.Credential}, UserVerification: protocol.VerificationRequired,
	}
	if _, err := p.rp.ValidateLogin(held, session, parsed); err != nil {
		return touchFailed().Because(err)
	}
	data := parsed.Response.AuthenticatorData
	return p.auth.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := party.UsePasskey(ctx, tx, held.Key, data.Counter, data.Flags.HasBackupState(), p.auth.clock.Now()); err != nil {
			return touchFailed().Because(err)
		}
		return p.auth.answered(ctx, tx, by, c)
	})
}

// TouchByKey is Touch for who has no passkey: the key of their browser signs
// once more. Whoever has a passkey touches it.
func (a *Auth) TouchByKey(ctx context.Context, by party.Actor, challenge string, key party.KeyID, signature []byte) error {
	c, ok := a.touchOf(by, challenge)
	if !ok {
		return touchFailed()
	}
	digest := c.Digest()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		k, err := party.GetKey(ctx, tx, key)
		if err != nil || k.Person != by.Person || k.Method != party.BrowserKey || !k.RevokedAt.IsZero() || !ed25519.Verify(k.Public, digest[:], signature) {
			return touchFailed().Because(err)
		}
		if err := noPasskey(ctx, tx, by); err != nil {
			return err
		}
		return a.answered(ctx, tx, by, c)
	})
}

// TouchDemo is Touch for the made-up people of a demonstration, who sign in by
// one press. The caller answers for it that this is one.
func (a *Auth) TouchDemo(ctx context.Context, by party.Actor) error {
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := noPasskey(ctx, tx, by); err != nil {
			return err
		}
		return a.touchSession(ctx, tx, by, a.clock.Now())
	})
}

func noPasskey(ctx context.Context, tx *db.Tx, by party.Actor) error {
	has, err := party.Passkeys(ctx, tx, by.Person)
	if err == nil && len(has) > 0 {
		err = touchFailed()
	}
	return err
}
