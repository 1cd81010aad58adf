// Package passkeytest is an authenticator in software, for tests that need
// passkeys without a browser: it makes discoverable ES256 credentials without
// attestation and signs with them (WebAuthn Level 3, sections 6.3.2 and 6.3.3).
// Everything that a hostile one could change can be changed.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// Flags of authenticator data (WebAuthn Level 3, section 6.1).
const (
	UserPresent  = 0x01
	UserVerified = 0x04
	attested     = 0x40
)

// An Authenticator holds one discoverable credential in a browser at Origin.
type Authenticator struct {
	Origin string // of the page that asks
	RPID   string // relying party that it signs for
	Flags  byte   // UserPresent | UserVerified unless a test says otherwise
	Count  uint32 // the next signature's counter; stays 0 for who does not count
	Steady bool   // the counter does not move

	CrossOrigin bool   // the page says that it is framed by another
	Type        string // of the client data; "" is what the ceremony asks for
	Handle      []byte // user handle
	ID          []byte // of the credential

	key *ecdsa.PrivateKey
}

// New returns an authenticator with a fresh key.
func New(t testing.TB, origin, rpID string) *Authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 32)
	rand.Read(id) //nolint:errcheck // never fails (crypto/rand)
	return &Authenticator{Origin: origin, RPID: rpID, Flags: UserPresent | UserVerified, Count: 1, ID: id, key: key}
}

// Clone returns an authenticator with the same key: a copied one.
func (a *Authenticator) Clone() *Authenticator {
	b := *a
	return &b
}

var b64 = base64.RawURLEncoding

// options are the parts of both ceremonies' options that an authenticator reads.
type options struct {
	Challenge string `json:"challenge"`
	User      struct {
		ID string `json:"id"`
	} `json:"user"`
}

func read(t testing.TB, text string) options {
	t.Helper()
	var o options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("options %s: %v", text, err)
	}
	return o
}

// Create answers the options of a registration with the JSON that a browser
// sends.
func (a *Authenticator) Create(t testing.TB, optionsJSON string) []byte {
	t.Helper()
	o := read(t, optionsJSON)
	handle, err := b64.DecodeString(o.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	a.Handle = handle
	client := a.clientData(t, "webauthn.create", o.Challenge)
	data := a.data(a.Flags | attested)
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.ID)))
	data = append(append(data, a.ID...), a.cose(t)...)
	object := []byte{0xa3, 0x63, 'f', 'm', 't', 0x64, 'n', 'o', 'n', 'e', 0x67, 'a', 't', 't', 'S', 't', 'm', 't', 0xa0, 0x68, 'a', 'u', 't', 'h', 'D', 'a', 't', 'a', 0x59}
	object = append(binary.BigEndian.AppendUint16(object, uint16(len(data))), data...)
	return a.credential(t, map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "attestationObject": b64.EncodeToString(object), "transports": []string{"internal"},
	})
}

// Get answers the options of an assertion with the JSON that a browser sends.
func (a *Authenticator) Get(t testing.TB, optionsJSON string) []byte {
	t.Helper()
	challenge, err := b64.DecodeString(read(t, optionsJSON).Challenge)
	if err != nil {
		t.Fatal(err)
	}
	client, data, signature := a.Assert(t, challenge)
	return a.credential(t, map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data),
		"signature": b64.EncodeToString(signature), "userHandle": b64.EncodeToString(a.Handle),
	})
}

// Assert signs a challenge and returns the three parts of an assertion.
func (a *Authenticator) Assert(t testing.TB, challenge []byte) (clientData, authenticatorData, signature []byte) {
	t.Helper()
	clientData = a.clientData(t, "webauthn.get", b64.EncodeToString(challenge))
	authenticatorData = a.data(a.Flags)
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(authenticatorData[:len(authenticatorData):len(authenticatorData)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return clientData, authenticatorData, signature
}

// Public returns the public key.
func (a *Authenticator) Public() *ecdsa.PublicKey { return &a.key.PublicKey }

func (a *Authenticator) credential(t testing.TB, response map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"id": b64.EncodeToString(a.ID), "rawId": b64.EncodeToString(a.ID), "type": "public-key",
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{}, "response": response,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (a *Authenticator) clientData(t testing.TB, kind, challenge string) []byte {
	t.Helper()
	if a.Type != "" {
		kind = a.Type
	}
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": a.CrossOrigin})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// data is the fixed part of authenticator data: whose, how, and the counter.
func (a *Authenticator) data(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.RPID))
	data := binary.BigEndian.AppendUint32(append(hash[:], flags), a.Count)
	if !a.Steady && a.Count > 0 {
		a.Count++
	}
	return data
}

// cose is the public key as an ES256 COSE_Key (RFC 9053, section 7.1.1).
func (a *Authenticator) cose(t testing.TB) []byte {
	t.Helper()
	point, err := a.key.PublicKey.Bytes() // 0x04, x, y
	if err != nil {
		t.Fatal(err)
	}
	out := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}
	out = append(out, point[1:33]...)
	return append(append(out, 0x22, 0x58, 0x20), point[33:]...)
}
