package notes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrPasskey is a passkey's assertion that is not over this document, at this
// origin, by a person who was present and verified.
var ErrPasskey = errors.New("assertion does not hold")

// Flags and lengths of authenticator data (WebAuthn Level 3, section 6.1).
const (
	flagUserPresent  = 0x01
	flagUserVerified = 0x04
	rpHashBytes      = 32
	leastAuthData    = rpHashBytes + 1 + 4 // hash, flags, counter
)

// collected are the members of clientDataJSON that decide (WebAuthn Level 3,
// section 5.8.1).
type collected struct {
	Type        string `json:"type"`
	Challenge   string `json:"challenge"`
	Origin      string `json:"origin"`
	CrossOrigin bool   `json:"crossOrigin"`
	TopOrigin   string `json:"topOrigin"`
}

// checkAssertion follows WebAuthn Level 3, section 7.2, steps 11 to 21, as far
// as they are about the assertion itself: its challenge is the digest, its
// origin and relying party are those that the key was made for, the person was
// present and verified, and the signature fits.
func checkAssertion(a Signature, key Key, digest [32]byte) error {
	if key.RPID == "" || a.RPID != key.RPID || key.Origin == "" || a.Origin != key.Origin {
		return fmt.Errorf("%w: made for another relying party or origin", ErrPasskey)
	}
	client, err := decode64("client_data", a.ClientData)
	if err != nil {
		return err
	}
	data, err := decode64("authenticator_data", a.AuthenticatorData)
	if err != nil {
		return err
	}
	value, err := decode64("value", a.Value)
	if err != nil {
		return err
	}
	if err := checkClientData(client, key.Origin, digest); err != nil {
		return err
	}
	if err := checkAuthenticatorData(data, key.RPID); err != nil {
		return err
	}
	hash := sha256.Sum256(client)
	return checkPublic(key.Public, append(data[:len(data):len(data)], hash[:]...), value)
}

func checkClientData(raw []byte, origin string, digest [32]byte) error {
	var c collected
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("client_data: %w: %w", ErrPasskey, err)
	}
	challenge := base64.RawURLEncoding.EncodeToString(digest[:])
	switch {
	case c.Type != "webauthn.get":
		return fmt.Errorf("%w: no assertion but %q", ErrPasskey, clip(c.Type))
	case subtle.ConstantTimeCompare([]byte(c.Challenge), []byte(challenge)) != 1:
		return fmt.Errorf("%w: over something else", ErrPasskey)
	case c.Origin != origin:
		return fmt.Errorf("%w: made at %q", ErrPasskey, clip(c.Origin))
	case c.CrossOrigin || c.TopOrigin != "":
		return fmt.Errorf("%w: the page was framed by another", ErrPasskey)
	}
	return nil
}

func checkAuthenticatorData(data []byte, rpID string) error {
	if len(data) < leastAuthData {
		return fmt.Errorf("%w: authenticator data of %d bytes", ErrPasskey, len(data))
	}
	hash, flags := sha256.Sum256([]byte(rpID)), data[rpHashBytes]
	switch {
	case subtle.ConstantTimeCompare(hash[:], data[:rpHashBytes]) != 1:
		return fmt.Errorf("%w: for another relying party", ErrPasskey)
	case flags&flagUserPresent == 0:
		return fmt.Errorf("%w: nobody was present", ErrPasskey)
	case flags&flagUserVerified == 0:
		return fmt.Errorf("%w: nobody was verified", ErrPasskey)
	}
	return nil
}

// checkPublic verifies with the algorithm that the kind of key stands for:
// ES256 on P-256, EdDSA on Ed25519, RS256 (RFC 9053, RFC 8812).
func checkPublic(spki, message, value []byte) error {
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return fmt.Errorf("public key: %w: %w", ErrEncoding, err)
	}
	sum, ok := sha256.Sum256(message), false
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		ok = k.Curve == elliptic.P256() && ecdsa.VerifyASN1(k, sum[:], value)
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, message, value)
	case *rsa.PublicKey:
		ok = k.N.BitLen() >= 2048 && rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], value) == nil
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

func decode64(name, text string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != text { // Go skips line ends
		return nil, fmt.Errorf("%s: %w: base64url without padding", name, ErrEncoding)
	}
	return b, nil
}
