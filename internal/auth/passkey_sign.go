package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// An Assertion is what a passkey made over the digest of a document (WebAuthn
// Level 3, section 6.3.3). Reading one proves nothing: whoever takes it for a
// signature checks it against the document, as notes.CheckSignature does.
type Assertion struct {
	Key               party.KeyID
	ClientData        []byte // JSON, whose challenge is the digest
	AuthenticatorData []byte
	Signature         []byte
}

// SignOptions returns the JSON that asks the passkeys of a person, and no
// others, over the digest of what they read; "" for who has none at this
// origin, and signs with the key of their browser.
func (p *Passkeys) SignOptions(ctx context.Context, person party.PersonID, digest [32]byte) (string, error) {
	if !p.On() {
		return "", nil
	}
	has, err := party.Passkeys(ctx, p.auth.db, person)
	if err != nil {
		return "", err
	}
	has = slices.DeleteFunc(has, func(r party.PasskeyRecord) bool { return r.RPID != p.id || r.Origin != p.origin })
	if len(has) == 0 {
		return "", nil
	}
	o := protocol.PublicKeyCredentialRequestOptions{
		Challenge: digest[:], RelyingPartyID: p.id, UserVerification: protocol.VerificationRequired,
		Timeout: int(challengeFor.Milliseconds()),
	}
	for _, r := range has {
		o.AllowedCredentials = append(o.AllowedCredentials, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: r.Credential})
	}
	options, err := json.Marshal(o)
	return string(options), err
}

// ReadAssertion takes apart what a browser brought back from the options of
// SignOptions, the JSON of PublicKeyCredential.toJSON, and finds the standing
// passkey that it names.
func (p *Passkeys) ReadAssertion(ctx context.Context, credential []byte) (Assertion, error) {
	refused := fault.New(fault.Invalid, "auth.passkey-refused")
	var c struct {
		RawID    string `json:"rawId"`
		Response struct {
			ClientData        string `json:"clientDataJSON"`
			AuthenticatorData string `json:"authenticatorData"`
			Signature         string `json:"signature"`
		} `json:"response"`
	}
	if err := json.Unmarshal(credential, &c); err != nil {
		return Assertion{}, refused.Because(err)
	}
	var a Assertion
	var raw []byte
	for _, part := range []struct {
		text string
		into *[]byte
	}{{c.RawID, &raw}, {c.Response.ClientData, &a.ClientData}, {c.Response.AuthenticatorData, &a.AuthenticatorData}, {c.Response.Signature, &a.Signature}} {
		var err error
		if *part.into, err = base64.RawURLEncoding.DecodeString(part.text); err != nil || len(*part.into) == 0 {
			return Assertion{}, refused.Because(err)
		}
	}
	held, err := p.holder(ctx, p.auth.db, raw)
	if err != nil {
		return Assertion{}, refused.Because(err)
	}
	a.Key = held.Key
	return a, nil
}
