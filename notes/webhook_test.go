package notes

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// testKey is an ed25519 key made from a name; for tests only.
func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("tangkal test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func testPublic(name string) ed25519.PublicKey {
	return testKey(name).Public().(ed25519.PublicKey)
}

func testSecret(name string) []byte {
	s := sha256.Sum256([]byte("tangkal test secret " + name))
	return s[:]
}

func signer(name string) HookSigner { return HookSigner{testKey(name), testSecret(name)} }

func receiver(names ...string) HookKeys {
	var k HookKeys
	for _, n := range names {
		k.Public = append(k.Public, testPublic(n))
		k.Secrets = append(k.Secrets, testSecret(n))
	}
	return k
}

const hookBody = `{"v":1,"id":"msg_1","type":"notice.issued"}`

func signed(t testing.TB, at time.Time, by ...HookSigner) http.Header {
	t.Helper()
	h, err := SignHook("msg_1", at, []byte(hookBody), by...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWebhookVerifiesWithThePublicLibrary(t *testing.T) {
	t.Parallel()
	now := time.Now()
	h := signed(t, now, signer("a"))
	lib, err := standardwebhooks.NewWebhook(FormatHookSecret(testSecret("a")))
	if err != nil {
		t.Fatal(err)
	}
	if err := lib.Verify([]byte(hookBody), h); err != nil {
		t.Errorf("the public library refuses our v1: %v", err)
	}
	if err := lib.Verify([]byte(hookBody+" "), h); err == nil {
		t.Error("the public library accepts another body")
	}
	sig, err := lib.Sign("msg_1", now, []byte(hookBody))
	if err != nil {
		t.Fatal(err)
	}
	h.Set(HeaderHookSignature, sig)
	if id, err := VerifyHook(h, []byte(hookBody), now, HookKeys{Secrets: [][]byte{testSecret("a")}}); err != nil || id != "msg_1" {
		t.Errorf("we refuse the public library's v1: %q, %v", id, err)
	}
}

// The example of the Standard Webhooks specification and libraries.
func TestWebhookExampleOfTheSpecification(t *testing.T) {
	t.Parallel()
	secret, err := ParseHookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1614265330, 0)
	h, err := SignHook("msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`), HookSigner{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := h.Get(HeaderHookSignature); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestWebhookWithAnyByteFlippedIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_000_000, 0)
	good := signed(t, now, signer("a"))
	if _, err := VerifyHook(good, []byte(hookBody), now, receiver("a")); err != nil {
		t.Fatal(err)
	}
	for i := range len(hookBody) {
		body := []byte(hookBody)
		body[i] ^= 1
		if _, err := VerifyHook(good, body, now, receiver("a")); !errors.Is(err, ErrHookSignature) {
			t.Errorf("body byte %d flipped: %v", i, err)
		}
	}
	for _, name := range []string{HeaderHookID, HeaderHookTimestamp, HeaderHookSignature} {
		value := good.Get(name)
		for i := range len(value) {
			for _, flip := range []byte{1, 0x20} {
				h := good.Clone()
				b := []byte(value)
				b[i] ^= flip
				h.Set(name, string(b))
				if _, err := VerifyHook(h, []byte(hookBody), now, receiver("a")); err == nil {
					t.Errorf("%s %q accepted", name, b)
				}
			}
		}
	}
}

func TestWebhookOfAnotherTimeIsRefused(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_795_000_000, 0)
	h := signed(t, at, signer("a"))
	for shift, want := range map[time.Duration]error{
		0: nil, 5 * time.Minute: nil, -5 * time.Minute: nil,
		5*time.Minute + time.Second: ErrHookTime, -5*time.Minute - time.Second: ErrHookTime,
		6 * time.Minute: ErrHookTime, -6 * time.Minute: ErrHookTime, 150 * 365 * 24 * time.Hour: ErrHookTime,
	} {
		if _, err := VerifyHook(h, []byte(hookBody), at.Add(shift), receiver("a")); !errors.Is(err, want) {
			t.Errorf("read %s later: %v, want %v", shift, err, want)
		}
	}
	later := h.Clone()
	later.Set(HeaderHookTimestamp, strconv.FormatInt(at.Unix()+360, 10))
	if _, err := VerifyHook(later, []byte(hookBody), at.Add(6*time.Minute), receiver("a")); !errors.Is(err, ErrHookSignature) {
		t.Errorf("timestamp moved along: %v, want %v", err, ErrHookSignature)
	}
}

func TestWebhookForAnotherEndpointIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_000_000, 0)
	h := signed(t, now, signer("a"))
	mixed := HookKeys{Public: []ed25519.PublicKey{testPublic("b")}, Secrets: [][]byte{testSecret("a")}}
	for name, keys := range map[string]HookKeys{"b": receiver("b"), "public of b, secret of a": mixed} {
		if _, err := VerifyHook(h, []byte(hookBody), now, keys); !errors.Is(err, ErrHookSignature) {
			t.Errorf("endpoint %s: %v, want %v", name, err, ErrHookSignature)
		}
	}
}

func TestWebhookSurvivesRotation(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_000_000, 0)
	tests := []struct {
		what  string
		by    []HookSigner
		keys  HookKeys
		valid bool
	}{
		{"receiver knows both, sender still old", []HookSigner{signer("old")}, receiver("old", "new"), true},
		{"receiver knows both, sender new", []HookSigner{signer("new")}, receiver("old", "new"), true},
		{"sender signs with both, receiver old", []HookSigner{signer("old"), signer("new")}, receiver("old"), true},
		{"sender signs with both, receiver new", []HookSigner{signer("old"), signer("new")}, receiver("new"), true},
		{"rotation over, sender old", []HookSigner{signer("old")}, receiver("new"), false},
		{"only v1a asked", []HookSigner{signer("new")}, HookKeys{Public: receiver("new").Public}, true},
		{"v1a asked, only v1 sent", []HookSigner{{Secret: testSecret("new")}}, receiver("new"), false},
	}
	for _, tt := range tests {
		_, err := VerifyHook(signed(t, now, tt.by...), []byte(hookBody), now, tt.keys)
		if (err == nil) != tt.valid {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
}

func TestWebhookHeadersMustBeWhole(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_000_000, 0)
	for what, change := range map[string]func(http.Header){
		"no id":             func(h http.Header) { h.Del(HeaderHookID) },
		"no timestamp":      func(h http.Header) { h.Del(HeaderHookTimestamp) },
		"no signature":      func(h http.Header) { h.Del(HeaderHookSignature) },
		"two ids":           func(h http.Header) { h.Add(HeaderHookID, "msg_2") },
		"id with a dot":     func(h http.Header) { h.Set(HeaderHookID, "msg.1") },
		"timestamp +":       func(h http.Header) { h.Set(HeaderHookTimestamp, "+"+h.Get(HeaderHookTimestamp)) },
		"timestamp word":    func(h http.Header) { h.Set(HeaderHookTimestamp, "now") },
		"17 signatures":     func(h http.Header) { h.Set(HeaderHookSignature, strings.Repeat("v1,AA== ", 17)) },
		"signature renamed": func(h http.Header) { h.Set(HeaderHookSignature, "v2,"+h.Get(HeaderHookSignature)[3:]) },
	} {
		h := signed(t, now, signer("a"))
		change(h)
		_, err := VerifyHook(h, []byte(hookBody), now, receiver("a"))
		if !errors.Is(err, ErrHookHeaders) && !errors.Is(err, ErrHookSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := VerifyHook(signed(t, now, signer("a")), []byte(hookBody), now, HookKeys{}); !errors.Is(err, ErrHookKeys) {
		t.Errorf("no keys: %v, want %v", err, ErrHookKeys)
	}
	if _, err := SignHook("a.b", now, nil, signer("a")); !errors.Is(err, ErrHookHeaders) {
		t.Errorf("sign with a dot in the id: %v", err)
	}
	if _, err := SignHook("a", now, nil); !errors.Is(err, ErrHookKeys) {
		t.Errorf("sign without keys: %v", err)
	}
}

func TestHookKeysReadBackWhatTheyWrite(t *testing.T) {
	t.Parallel()
	private, public, secret := testKey("a"), testPublic("a"), testSecret("a")
	if got, err := ParseHookPrivate(FormatHookPrivate(private)); err != nil || !got.Equal(private) {
		t.Errorf("private key: %v", err)
	}
	seedOnly := privatePrefix + base64.StdEncoding.EncodeToString(private.Seed())
	if got, err := ParseHookPrivate(seedOnly); err != nil || !got.Equal(private) {
		t.Errorf("private key as seed: %v", err)
	}
	if got, err := ParseHookPublic(FormatHookPublic(public)); err != nil || !got.Equal(public) {
		t.Errorf("public key: %v", err)
	}
	if got, err := ParseHookSecret(FormatHookSecret(secret)); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("secret: %v", err)
	}
	torn := append(bytes.Clone(private.Seed()), testPublic("b")...)
	for what, err := range map[string]error{
		"secret too short":     second(ParseHookSecret("whsec_AAAA")),
		"secret without name":  second(ParseHookSecret(base64.StdEncoding.EncodeToString(secret))),
		"secret not base64":    second(ParseHookSecret("whsec_!!!!")),
		"secret with line end": second(ParseHookSecret(FormatHookSecret(secret) + "\n")),
		"private as public":    second(ParseHookPublic(FormatHookPrivate(private))),
		"public too long":      second(ParseHookPublic(publicPrefix + base64.StdEncoding.EncodeToString(private))),
		"private torn":         second(ParseHookPrivate(FormatHookPrivate(torn))),
		"private too short":    second(ParseHookPrivate("whsk_AAAA")),
	} {
		if !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v, want %v", what, err, ErrEncoding)
		}
	}
}

func second[T any](_ T, err error) error { return err }
