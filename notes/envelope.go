package notes

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Signature is one person's, program's or organisation's signature over the
// digest of a document.
type Signature struct {
	Step   Step   `json:"step"`
	Party  string `json:"party"`
	Key    string `json:"key"` // see [KeyID]
	Method Method `json:"method"`
	At     Time   `json:"at"`
	Value  string `json:"value"` // base64url without padding

	// Passkeys only: what is needed to check the assertion again.
	RPID              string `json:"rp_id,omitempty"`
	Origin            string `json:"origin,omitempty"`
	ClientData        string `json:"client_data,omitempty"`
	AuthenticatorData string `json:"authenticator_data,omitempty"`

	// Approvals of several notices at once only: what was signed instead of the
	// document's digest. It covers the document, or the signature does not count.
	Batch *Batch `json:"batch,omitempty"`
}

// Signed is the envelope in which a signed document travels. Persons sign the
// document; the organisation's key seals document, signatures and time of issue
// together, so that none can be exchanged afterwards.
type Signed struct {
	V         int             `json:"v"`
	Kind      Kind            `json:"kind"`
	Document  json.RawMessage `json:"document"` // canonical bytes
	Approvals []Signature     `json:"approvals"`
	IssuedAt  Time            `json:"issued_at"`
	Seal      Signature       `json:"seal"`
}

// An envelope holds a document of MaxBytes and up to 16 signatures around it,
// each by a passkey over a batch at most.
const (
	maxSignedBytes = MaxBytes + 512<<10
	maxSignedDepth = maxDepth + 1
)

// ErrEncoding is a key or signature that is not written as it must be.
var ErrEncoding = errors.New("not written as it must be")

// KeyID names a public key: the first 16 hexadecimal digits of SHA-256 of its
// bytes, raw for Ed25519 and SubjectPublicKeyInfo for a passkey.
func KeyID(public []byte) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// SignDigest signs a digest, as a browser key does with WebCrypto: Ed25519
// over the 32 bytes, written as base64url without padding.
func SignDigest(key ed25519.PrivateKey, digest [32]byte) string {
	return base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, digest[:]))
}

// sealed is what the organisation's key signs.
type sealed struct {
	Kind      Kind        `json:"kind"`
	Digest    string      `json:"digest"`
	Approvals []Signature `json:"approvals"`
	IssuedAt  Time        `json:"issued_at"`
}

func (s sealed) problems() []Problem {
	var l list
	for i, a := range s.Approvals {
		l.add(!a.At.After(s.IssuedAt.Time), fmt.Sprintf("/approvals/%d/at", i), "must not be after issued_at")
	}
	return l
}

// SealBytes returns the canonical bytes that the organisation's key signs,
// as Digest(KindSeal, bytes): kind and digest of the document, the signatures
// and the time of issue.
func (s Signed) SealBytes() ([]byte, error) {
	return Canonical(sealed{s.Kind, Hex(Digest(s.Kind, s.Document)), s.Approvals, s.IssuedAt})
}

// SealWith puts the organisation's signature on s. Call it last.
func (s *Signed) SealWith(party string, key ed25519.PrivateKey) error {
	b, err := s.SealBytes()
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	s.Seal = Signature{
		Step: StepSealed, Party: party, Method: MethodOrganisation, At: s.IssuedAt,
		Key:   KeyID(key.Public().(ed25519.PublicKey)),
		Value: SignDigest(key, Digest(KindSeal, b)),
	}
	return nil
}

// Encode returns the envelope as canonical JSON, the form in which it is kept
// and sent.
func (s Signed) Encode() ([]byte, error) {
	return canonical(s, maxSignedBytes, maxSignedDepth)
}

// Digest is the digest of the document inside.
func (s Signed) Digest() [32]byte { return Digest(s.Kind, s.Document) }

// ParseSigned reads an envelope. The document comes out in canonical form even
// where a JSON library on the way has indented or escaped it, because its
// meaning is what was signed. Errors are those of [Canonical] and [Validate].
// What it returns is not verified.
func ParseSigned(raw []byte) (Signed, error) {
	canon, err := canonical(raw, maxSignedBytes, maxSignedDepth)
	if err != nil {
		return Signed{}, fmt.Errorf("signed document: %w", err)
	}
	if err := validateAs("signed", "signed document", canon); err != nil {
		return Signed{}, err
	}
	var s Signed
	d := json.NewDecoder(bytes.NewReader(canon))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Signed{}, fmt.Errorf("signed document: %w", err)
	}
	return s, nil
}
