package auth

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Passkeys enrols passkeys and signs people in with them (WebAuthn Level 3).
// They are discoverable, so that nobody types a name, and the authenticator
// verifies its person each time. It is safe for concurrent use.
type Passkeys struct {
	auth   *Auth
	rp     *webauthn.WebAuthn // nil where the origin can have no passkeys
	id     string             // relying party: the host of the origin
	origin string
}

// A Ceremony is what a browser needs to ask an authenticator.
type Ceremony struct {
	Challenge string // comes back with the answer
	Options   string // JSON, for PublicKeyCredential.parse…OptionsFromJSON
}

// A PasskeyAnswer is what the browser brings back.
type PasskeyAnswer struct {
	Challenge  string
	Credential []byte // JSON, of PublicKeyCredential.toJSON
}

// NewPasskeys returns the passkeys of the pages at origin, as
// "https://tangkal.example": the relying party is its host. Browsers know no
// passkeys at an IP address, or at a plain one other than localhost: there
// On is false.
func (a *Auth) NewPasskeys(origin, name string) (*Passkeys, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("origin of the pages: %w", err)
	}
	p := &Passkeys{auth: a, id: u.Hostname(), origin: origin}
	_, notIP := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost")
	if notIP == nil || u.Scheme != "https" && !local {
		return p, nil
	}
	p.rp, err = webauthn.New(&webauthn.Config{
		RPID: p.id, RPDisplayName: name, RPOrigins: []string{origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		// Managers of passwords answer extensions that nobody asked for. We use none.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys of %s: %w", origin, err)
	}
	return p, nil
}

// On reports whether the pages' origin can have passkeys.
func (p *Passkeys) On() bool { return p.rp != nil }

// SignInOptions returns the JSON that asks for any passkey of this origin over
// c.
func (p *Passkeys) SignInOptions(c Challenge) (string, error) {
	digest := c.Digest()
	assertion, _, err := p.rp.BeginDiscoverableLogin(webauthn.WithChallenge(digest[:]), webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return "", err
	}
	options, err := json.Marshal(assertion.Response)
	return string(options), err
}

// SignIn answers a challenge of NewChallenge with a passkey and returns its
// person. It works once for each challenge; whatever is wrong, the answer is
// one.
func (p *Passkeys) SignIn(ctx context.Context, answer PasskeyAnswer) (party.PersonID, error) {
	refused := fault.New(fault.Denied, "auth.sign-in-failed")
	a, now := p.auth, p.auth.clock.Now()
	c, ok := a.readChallenge(signInChallenge, "", answer.Challenge)
	if !ok || c.end.Before(now) || !p.On() {
		return "", refused
	}
	held, count, err := p.assert(ctx, c.Digest(), answer.Credential)
	if err != nil {
		return "", refused.Because(err)
	}
	if _, err := actorOf(ctx, a.db, held.person); err != nil {
		return "", refused.Because(err)
	}
	err = a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := a.spend(ctx, tx, c, now); err != nil {
			return err
		}
		if err := party.UsePasskey(ctx, tx, held.Key, count.sign, count.backedUp, now); err != nil {
			return refused.Because(err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return held.person, nil
}

// told is what an assertion says besides that it fits.
type told struct {
	sign     uint32
	backedUp bool
}

// assert checks an assertion over digest and returns the passkey that made it.
func (p *Passkeys) assert(ctx context.Context, digest [32]byte, credential []byte) (holder, told, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(credential)
	if err != nil {
		return holder{}, told{}, err
	}
	session := webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(digest[:]), RelyingPartyID: p.id, UserVerification: protocol.VerificationRequired,
	}
	var held holder
	_, err = p.rp.ValidateDiscoverableLogin(func(raw, _ []byte) (webauthn.User, error) {
		var err error
		held, err = p.holder(ctx, p.auth.db, raw)
		return held, err
	}, session, parsed)
	if err != nil {
		return holder{}, told{}, err
	}
	flags := parsed.Response.AuthenticatorData
	return held, told{flags.Counter, flags.Flags.HasBackupState()}, nil
}

// holder returns a standing passkey that we wrote, with its person.
func (p *Passkeys) holder(ctx context.Context, r db.Reader, credential []byte) (holder, error) {
	record, err := party.PasskeyByCredential(ctx, r, credential)
	if err != nil {
		return holder{}, err
	}
	k, err := party.GetKey(ctx, r, record.Key)
	switch {
	case err != nil:
		return holder{}, err
	case !hmac.Equal(record.MAC, p.auth.passkeyMAC(k, record)):
		return holder{}, errors.New("the passkey's rows were not written by this program")
	case !k.RevokedAt.IsZero():
		return holder{}, errors.New("the passkey is revoked")
	}
	return holder{PasskeyRecord: record, person: k.Person}, nil
}

// passkeyMAC stands over everything of a passkey that never changes.
func (a *Auth) passkeyMAC(k party.Key, r party.PasskeyRecord) []byte {
	return a.mac("passkey", db.Spell(string(k.ID), string(k.Person), k.Public, r.Credential, r.Handle, r.COSE, r.RPID, r.Origin))
}

// A holder is a passkey with its person, as the library asks for them.
type holder struct {
	party.PasskeyRecord
	person            party.PersonID
	name, displayName string // while enrolling
}

// WebAuthnID implements webauthn.User.
func (h holder) WebAuthnID() []byte { return h.Handle }

// WebAuthnName implements webauthn.User.
func (h holder) WebAuthnName() string { return h.name }

// WebAuthnDisplayName implements webauthn.User.
func (h holder) WebAuthnDisplayName() string { return h.displayName }

// WebAuthnCredentials implements webauthn.User.
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	return []webauthn.Credential{{
		ID: h.Credential, PublicKey: h.COSE, Flags: webauthn.CredentialFlags{BackupEligible: h.BackupEligible, BackupState: h.BackedUp},
		Authenticator: webauthn.Authenticator{AAGUID: h.AAGUID, SignCount: h.SignCount},
	}}
}
