package notes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const (
	pagesRP     = "tangkal.example"
	pagesOrigin = "https://tangkal.example"
)

// An asserter is an authenticator in software, whose every part a test may
// change (WebAuthn Level 3, section 6.3.3).
type asserter struct {
	key       crypto.Signer
	rpID      string // hashed into the authenticator data
	flags     byte
	client    map[string]any // over what the browser would write
	truncated int            // bytes left off the authenticator data
}

func newAsserter(key crypto.Signer) asserter {
	return asserter{key: key, rpID: pagesRP, flags: flagUserPresent | flagUserVerified, client: map[string]any{}}
}

func (p asserter) held(t testing.TB) Key {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return Key{Public: spki, Party: "kem-komunikasi", Person: "p-pass", Method: MethodPasskey, RPID: pagesRP, Origin: pagesOrigin}
}

// sign makes the signature of a step over digest.
func (p asserter) sign(t testing.TB, digest [32]byte) Signature {
	t.Helper()
	said := map[string]any{"type": "webauthn.get", "challenge": base64.RawURLEncoding.EncodeToString(digest[:]), "origin": pagesOrigin, "crossOrigin": false}
	for name, value := range p.client {
		said[name] = value
	}
	client, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	rp, hash := sha256.Sum256([]byte(p.rpID)), sha256.Sum256(client)
	data := append(rp[:], p.flags, 0, 0, 0, 7)
	data = data[:len(data)-p.truncated]
	message := append(data[:len(data):len(data)], hash[:]...)
	hashed, options := message, crypto.Hash(0) // Ed25519 takes the message
	if _, ok := p.key.(ed25519.PrivateKey); !ok {
		sum := sha256.Sum256(message)
		hashed, options = sum[:], crypto.SHA256
	}
	value, err := p.key.Sign(rand.Reader, hashed, options)
	if err != nil {
		t.Fatal(err)
	}
	return Signature{
		Step: StepIssued, Party: "kem-komunikasi", Key: KeyID(p.held(t).Public), Method: MethodPasskey, At: moment("01:26"),
		Value: base64.RawURLEncoding.EncodeToString(value), RPID: pagesRP, Origin: pagesOrigin,
		ClientData: base64.RawURLEncoding.EncodeToString(client), AuthenticatorData: base64.RawURLEncoding.EncodeToString(data),
	}
}

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issuedBy is an order whose officer signed with a passkey.
func issuedBy(t *testing.T, sig func(digest [32]byte) Signature) Signed {
	t.Helper()
	s := signedOrder(t)
	s.Approvals = append(s.Approvals[:2:2], sig(s.Digest()))
	sealAs(t, &s, "ministry")
	return s
}

// with finds key beside the cast's.
func with(key Key) Keys {
	return func(id string) (Key, error) {
		if id == KeyID(key.Public) {
			return key, nil
		}
		return castKeys(id)
	}
}

func TestAPasskeySignsAnOrder(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ES256": ecKey(t, elliptic.P256()), "EdDSA": ed, "RS256": rsaKey(t)} {
		p := newAsserter(key)
		s := issuedBy(t, func(d [32]byte) Signature { return p.sign(t, d) })
		if err := Verify(s, with(p.held(t))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		raw, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseSigned(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(back, with(p.held(t))); err != nil {
			t.Errorf("%s, sent and read: %v", name, err)
		}
	}
}

// What an authenticator or a browser would not say, or would say of something
// else, is no approval: WebAuthn Level 3, section 7.2, each step with its test.
func TestAnAssertionOverSomethingElseIsNoApproval(t *testing.T) {
	t.Parallel()
	good := newAsserter(ecKey(t, elliptic.P256()))
	but := func(change func(*asserter)) asserter {
		p := good
		p.client = map[string]any{}
		change(&p)
		return p
	}
	other := sha256.Sum256([]byte("another notice"))
	for name, c := range map[string]struct {
		by   asserter
		want error
	}{
		"step 11, a registration":          {but(func(p *asserter) { p.client["type"] = "webauthn.create" }), ErrPasskey},
		"step 12, another challenge":       {but(func(p *asserter) { p.client["challenge"] = base64.RawURLEncoding.EncodeToString(other[:]) }), ErrPasskey},
		"step 12, no challenge":            {but(func(p *asserter) { p.client["challenge"] = "" }), ErrPasskey},
		"step 13, another origin":          {but(func(p *asserter) { p.client["origin"] = "https://evil.example" }), ErrPasskey},
		"step 13, another port":            {but(func(p *asserter) { p.client["origin"] = pagesOrigin + ":8443" }), ErrPasskey},
		"step 14, framed":                  {but(func(p *asserter) { p.client["crossOrigin"] = true }), ErrPasskey},
		"step 14, framed by a named one":   {but(func(p *asserter) { p.client["topOrigin"] = "https://evil.example" }), ErrPasskey},
		"step 15, another relying party":   {but(func(p *asserter) { p.rpID = "evil.example" }), ErrPasskey},
		"step 16, nobody present":          {but(func(p *asserter) { p.flags = flagUserVerified }), ErrPasskey},
		"step 17, nobody verified":         {but(func(p *asserter) { p.flags = flagUserPresent }), ErrPasskey},
		"step 18, data cut short":          {but(func(p *asserter) { p.truncated = 1 }), ErrPasskey},
		"step 21, another key of the kind": {but(func(p *asserter) { p.key = ecKey(t, elliptic.P256()) }), ErrSignature},
	} {
		s := issuedBy(t, func(d [32]byte) Signature {
			sig := c.by.sign(t, d)
			sig.Key = KeyID(good.held(t).Public)
			return sig
		})
		if err := Verify(s, with(good.held(t))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestAPasskeysKeyAndFieldsAreHeldToEachOther(t *testing.T) {
	t.Parallel()
	p := newAsserter(ecKey(t, elliptic.P256()))
	wide := newAsserter(ecKey(t, elliptic.P384()))
	for name, c := range map[string]struct {
		by     asserter
		change func(*Signature, *Key)
		want   error
	}{
		"says another relying party":   {p, func(s *Signature, _ *Key) { s.RPID = "evil.example" }, ErrPasskey},
		"says another origin":          {p, func(s *Signature, _ *Key) { s.Origin = "https://evil.example" }, ErrPasskey},
		"key of another relying party": {p, func(_ *Signature, k *Key) { k.RPID = "evil.example" }, ErrPasskey},
		"key of another origin":        {p, func(_ *Signature, k *Key) { k.Origin = "https://evil.example" }, ErrPasskey},
		"key of no relying party":      {p, func(_ *Signature, k *Key) { k.RPID = "" }, ErrPasskey},
		"key of a browser":             {p, func(_ *Signature, k *Key) { k.Method = MethodBrowserKey }, ErrMethod},
		"a curve that is not ES256's":  {wide, func(*Signature, *Key) {}, ErrSignature},
		"a value that is no base64url": {p, func(s *Signature, _ *Key) { s.Value = strings.Repeat("A", 85) + "B" }, ErrEncoding},
	} {
		key := c.by.held(t)
		s := issuedBy(t, func(d [32]byte) Signature {
			sig := c.by.sign(t, d)
			c.change(&sig, &key)
			return sig
		})
		if err := Verify(s, with(key)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// A browser's key that carries a passkey's fields would say of itself what
	// nobody checked.
	digest := sha256.Sum256([]byte("x"))
	plain := Signature{Value: SignDigest(testKey("bagus"), digest), RPID: pagesRP}
	if err := CheckSignature(plain, Key{Public: testPublic("bagus"), Method: MethodBrowserKey}, digest); !errors.Is(err, ErrMethod) {
		t.Errorf("a browser's key with a relying party: %v", err)
	}
}

// Every byte of an assertion counts: each of its bits flipped, one by one, in
// what was signed, in the signature and in the digest.
func TestEveryByteOfAnAssertionCounts(t *testing.T) {
	t.Parallel()
	p := newAsserter(ecKey(t, elliptic.P256()))
	key := p.held(t)
	digest := sha256.Sum256([]byte("the notice"))
	sig := p.sign(t, digest)
	if err := CheckSignature(sig, key, digest); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for name, part := range map[string]*string{"value": &sig.Value, "client data": &sig.ClientData, "authenticator data": &sig.AuthenticatorData} {
		was := *part
		raw, err := base64.RawURLEncoding.DecodeString(was)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			for bit := range 8 {
				raw[i] ^= 1 << bit
				*part = base64.RawURLEncoding.EncodeToString(raw)
				raw[i] ^= 1 << bit
				if err := CheckSignature(sig, key, digest); err == nil {
					t.Fatalf("%s: bit %d of byte %d does not count", name, bit, i)
				}
				tried++
			}
		}
		*part = was
	}
	for i := range digest {
		changed := digest
		changed[i] ^= 1
		if err := CheckSignature(sig, key, changed); !errors.Is(err, ErrPasskey) {
			t.Fatalf("byte %d of the digest does not count: %v", i, err)
		}
	}
	t.Logf("%d flipped bits, none accepted", tried)
}
