package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// kinds of keys that passkeys may have: ES256, EdDSA and RS256, which Windows
// Hello still makes (WebAuthn Level 3, section 5.4).
var passkeyKinds = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// BeginEnrol asks the actor's authenticator for a new passkey.
func (p *Passkeys) BeginEnrol(ctx context.Context, by party.Actor) (Ceremony, error) {
	if err := p.mayEnrol(by); err != nil {
		return Ceremony{}, err
	}
	me, err := party.GetPerson(ctx, p.auth.db, by.Person)
	if err != nil {
		return Ceremony{}, err
	}
	has, err := party.Passkeys(ctx, p.auth.db, by.Person)
	if err != nil {
		return Ceremony{}, err
	}
	handle, err := p.handle(ctx, p.auth.db, by.Person)
	if err != nil {
		return Ceremony{}, err
	}
	return p.begin(string(by.Person), holder{PasskeyRecord: party.PasskeyRecord{Handle: handle}, name: me.Email, displayName: me.Name}, has)
}

// Enrol adds the passkey that the actor's authenticator made.
func (p *Passkeys) Enrol(ctx context.Context, by party.Actor, answer PasskeyAnswer, label string) (party.Key, error) {
	if err := p.mayEnrol(by); err != nil {
		return party.Key{}, err
	}
	if err := p.auth.mayEnrol(ctx, by); err != nil {
		return party.Key{}, err
	}
	var k party.Key
	now := p.auth.clock.Now()
	err := p.auth.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		handle, err := p.handle(ctx, tx, by.Person)
		if err != nil {
			return err
		}
		if k, err = p.add(ctx, tx, made{subject: string(by.Person), person: by.Person, handle: handle, answer: answer, label: label}, now); err != nil {
			return err
		}
		return p.auth.record(ctx, tx, by, "key.enrolled", "key", string(k.ID), map[string]any{"method": party.Passkey}, now)
	})
	return k, err
}

// mayEnrol reports whether the actor sits at a browser that can have passkeys.
func (p *Passkeys) mayEnrol(by party.Actor) error {
	switch {
	case !by.Known() || by.APIKey != "":
		return fault.New(fault.Denied, "auth.sign-in")
	case !p.On():
		return fault.New(fault.Conflict, "auth.no-passkeys")
	}
	return nil
}

// BeginJoin asks the authenticator of an invited person for their passkey.
func (p *Passkeys) BeginJoin(ctx context.Context, secret string) (Ceremony, error) {
	i, err := p.auth.Invited(ctx, p.auth.db, secret)
	if err != nil {
		return Ceremony{}, err
	}
	return p.begin(i.ID, holder{PasskeyRecord: party.PasskeyRecord{Handle: p.newHandle(i.ID)}, name: i.Email, displayName: i.Name}, nil)
}

// Join takes up an invitation with a passkey: the person, their passkey and
// the end of the invitation are one transaction.
func (p *Passkeys) Join(ctx context.Context, secret string, j Joining, answer PasskeyAnswer) (party.Person, error) {
	if !p.On() {
		return party.Person{}, fault.New(fault.Conflict, "auth.no-passkeys")
	}
	return p.auth.join(ctx, secret, j, func(ctx context.Context, tx *db.Tx, i Invitation, person party.Person, now time.Time) error {
		_, err := p.add(ctx, tx, made{subject: i.ID, person: person.ID, handle: p.newHandle(i.ID), answer: answer, label: j.Label}, now)
		return err
	})
}

// handle is the user handle of a person: that of the passkeys they have, so
// that an authenticator keeps one entry for each account.
func (p *Passkeys) handle(ctx context.Context, r db.Reader, id party.PersonID) ([]byte, error) {
	has, err := party.Passkeys(ctx, r, id)
	if err != nil || len(has) > 0 {
		return firstHandle(has), err
	}
	return p.newHandle(string(id)), nil
}

func firstHandle(has []party.PasskeyRecord) []byte {
	if len(has) == 0 {
		return nil
	}
	return has[0].Handle
}

// newHandle tells nothing of whom it stands for.
func (p *Passkeys) newHandle(subject string) []byte {
	return p.auth.mac("passkey-handle", []byte(subject))
}

// begin makes the ceremony for subject, who alone may answer it.
func (p *Passkeys) begin(subject string, user holder, has []party.PasskeyRecord) (Ceremony, error) {
	c := p.auth.challenge(enrolChallenge, subject, enrolFor)
	digest := c.Digest()
	var known []protocol.CredentialDescriptor
	for _, r := range has {
		known = append(known, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: r.Credential})
	}
	creation, _, err := p.rp.BeginRegistration(user, webauthn.WithExclusions(known), webauthn.WithCredentialParameters(passkeyKinds),
		func(o *protocol.PublicKeyCredentialCreationOptions) error { o.Challenge = digest[:]; return nil })
	if err != nil {
		return Ceremony{}, err
	}
	options, err := json.Marshal(creation.Response)
	return Ceremony{Challenge: c.ID, Options: string(options)}, err
}

// made is a passkey that an authenticator made.
type made struct {
	subject string // of the challenge
	person  party.PersonID
	handle  []byte
	answer  PasskeyAnswer
	label   string
}

// add checks a new passkey and keeps it.
func (p *Passkeys) add(ctx context.Context, tx *db.Tx, m made, now time.Time) (party.Key, error) {
	refused := fault.New(fault.Invalid, "auth.passkey-refused")
	c, ok := p.auth.readChallenge(enrolChallenge, m.subject, m.answer.Challenge)
	if !ok || c.end.Before(now) {
		return party.Key{}, refused
	}
	credential, err := p.check(c.Digest(), m)
	if err != nil {
		return party.Key{}, refused.Because(err)
	}
	public, err := subjectPublicKey(credential.PublicKey)
	if err != nil {
		return party.Key{}, refused.Because(err)
	}
	if err := p.auth.spend(ctx, tx, c, now); err != nil {
		return party.Key{}, err
	}
	k := party.Key{ID: party.KeyIDOf(public), Person: m.person, Public: public, Label: m.label}
	r := party.PasskeyRecord{
		Key: k.ID, Credential: credential.ID, Handle: m.handle, COSE: credential.PublicKey, RPID: p.id, Origin: p.origin,
		AAGUID: credential.Authenticator.AAGUID, BackupEligible: credential.Flags.BackupEligible, BackedUp: credential.Flags.BackupState,
		SignCount: credential.Authenticator.SignCount,
	}
	r.MAC = p.auth.passkeyMAC(k, r)
	return party.AddPasskey(ctx, tx, k, r, now)
}

// check verifies an answer to a ceremony (WebAuthn Level 3, section 7.1).
func (p *Passkeys) check(digest [32]byte, m made) (*webauthn.Credential, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(m.answer.Credential)
	if err != nil {
		return nil, err
	}
	session := webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(digest[:]), RelyingPartyID: p.id, UserID: m.handle,
		UserVerification: protocol.VerificationRequired, CredParams: passkeyKinds,
	}
	return p.rp.CreateCredential(holder{PasskeyRecord: party.PasskeyRecord{Handle: m.handle}}, session, parsed)
}

// subjectPublicKey turns a COSE key (RFC 9052, section 7) into
// SubjectPublicKeyInfo in DER (RFC 5280, section 4.1), which anybody can read.
func subjectPublicKey(cose []byte) ([]byte, error) {
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		public, err := k.ToECDSA()
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKIXPublicKey(public)
	case webauthncose.OKPPublicKeyData:
		if len(k.XCoord) != ed25519.PublicKeySize {
			return nil, errors.New("not an Ed25519 key")
		}
		return x509.MarshalPKIXPublicKey(ed25519.PublicKey(bytes.Clone(k.XCoord)))
	case webauthncose.RSAPublicKeyData:
		exponent, err := webauthncose.ParseRSAPublicKeyDataExponent(&k)
		if err != nil {
			return nil, err
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(k.Modulus), E: exponent}
		if public.N.BitLen() < 2048 {
			return nil, errors.New("an RSA key of fewer than 2048 bits")
		}
		return x509.MarshalPKIXPublicKey(public)
	default:
		return nil, fmt.Errorf("a key of type %T", key)
	}
}
