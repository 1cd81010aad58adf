package notes

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Headers of Standard Webhooks.
const (
	HeaderHookID        = "Webhook-Id"
	HeaderHookTimestamp = "Webhook-Timestamp"
	HeaderHookSignature = "Webhook-Signature"
)

// Prefixes under which Standard Webhooks writes keys, before standard base64.
const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
)

// HookTolerance is how far the time of a webhook may be from the receiver's.
const HookTolerance = 5 * time.Minute

// Standard Webhooks asks for secrets of 24 to 64 bytes.
const (
	minSecret = 24
	maxSecret = 64
)

// maxHookSignatures bounds the work that one header can cause.
const maxHookSignatures = 16

// Reasons for which [VerifyHook] refuses a message.
var (
	ErrHookHeaders   = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	ErrHookTime      = errors.New("webhook-timestamp is more than 5 minutes away")
	ErrHookSignature = errors.New("no signature fits")
	ErrHookKeys      = errors.New("no key to sign or verify with")
)

// A hook id stands before the first dot of the signed content, so it has none.
var hookID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// HookSigner holds the keys of one endpoint. During a rotation the sender signs
// with the old and the new ones.
type HookSigner struct {
	Key    ed25519.PrivateKey // for v1a; nil signs no v1a
	Secret []byte             // for v1; nil signs no v1
}

// HookKeys is what a receiver holds for one endpoint, several during a
// rotation. Each list that is not empty must be satisfied: with both, a
// message needs a good v1a and a good v1.
type HookKeys struct {
	Public  []ed25519.PublicKey
	Secrets [][]byte
}

// SignHook returns the headers of Standard Webhooks for a body, signed over
// "id.timestamp.body" with ed25519 (v1a) and HMAC-SHA-256 (v1). The id is the
// same on every retry; at is the time of this attempt. Errors: ErrHookHeaders
// for an id that is not 1 to 64 letters, digits, - or _; ErrHookKeys.
func SignHook(id string, at time.Time, body []byte, by ...HookSigner) (http.Header, error) {
	if !hookID.MatchString(id) {
		return nil, fmt.Errorf("sign webhook: %w", ErrHookHeaders)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	content := hookContent(id, stamp, body)
	var v1a, v1 []string
	for _, s := range by {
		if len(s.Key) == ed25519.PrivateKeySize {
			v1a = append(v1a, "v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(s.Key, content)))
		}
		if len(s.Secret) > 0 {
			v1 = append(v1, "v1,"+base64.StdEncoding.EncodeToString(hookMAC(s.Secret, content)))
		}
	}
	all := append(v1a, v1...)
	if len(all) == 0 || len(all) > maxHookSignatures {
		return nil, fmt.Errorf("sign webhook: %w", ErrHookKeys)
	}
	h := http.Header{}
	h.Set(HeaderHookID, id)
	h.Set(HeaderHookTimestamp, stamp)
	h.Set(HeaderHookSignature, strings.Join(all, " "))
	return h, nil
}

// VerifyHook checks a webhook as it came and returns its id, by which the
// receiver drops repeats: within [HookTolerance] a recorded message can come
// again. The body must be the bytes as received. Errors wrap one of the ErrHook
// values.
func VerifyHook(h http.Header, body []byte, now time.Time, keys HookKeys) (id string, err error) {
	if len(keys.Public) == 0 && len(keys.Secrets) == 0 {
		return "", ErrHookKeys
	}
	id, stamp, signatures, err := hookHeaders(h)
	if err != nil {
		return "", err
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != stamp {
		return "", fmt.Errorf("webhook-timestamp: %w", ErrHookHeaders)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > HookTolerance || age < -HookTolerance {
		return "", ErrHookTime
	}
	content := hookContent(id, stamp, body)
	if len(keys.Public) > 0 && !anyEd25519(signatures["v1a"], content, keys.Public) {
		return "", fmt.Errorf("v1a: %w", ErrHookSignature)
	}
	if len(keys.Secrets) > 0 && !anyMAC(signatures["v1"], content, keys.Secrets) {
		return "", fmt.Errorf("v1: %w", ErrHookSignature)
	}
	return id, nil
}

func hookContent(id, stamp string, body []byte) []byte {
	return append([]byte(id+"."+stamp+"."), body...)
}

func hookMAC(secret, content []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(content)
	return m.Sum(nil)
}

// hookHeaders returns id, timestamp and the decoded signatures by version.
// Each header must be there exactly once.
func hookHeaders(h http.Header) (id, stamp string, signatures map[string][][]byte, err error) {
	for _, name := range []string{HeaderHookID, HeaderHookTimestamp, HeaderHookSignature} {
		if len(h.Values(name)) != 1 {
			return "", "", nil, fmt.Errorf("%s: %w", strings.ToLower(name), ErrHookHeaders)
		}
	}
	id = h.Get(HeaderHookID)
	if !hookID.MatchString(id) {
		return "", "", nil, fmt.Errorf("webhook-id: %w", ErrHookHeaders)
	}
	parts := strings.SplitN(h.Get(HeaderHookSignature), " ", maxHookSignatures+1)
	if len(parts) > maxHookSignatures {
		return "", "", nil, fmt.Errorf("webhook-signature: %w", ErrHookHeaders)
	}
	signatures = map[string][][]byte{}
	for _, p := range parts {
		version, value, _ := strings.Cut(p, ",")
		b, err := base64.StdEncoding.Strict().DecodeString(value)
		if err != nil || base64.StdEncoding.EncodeToString(b) != value {
			continue // a version we do not know, or rubbish: it verifies nothing
		}
		signatures[version] = append(signatures[version], b)
	}
	return id, h.Get(HeaderHookTimestamp), signatures, nil
}

func anyEd25519(signatures [][]byte, content []byte, keys []ed25519.PublicKey) bool {
	for _, s := range signatures {
		for _, k := range keys {
			if len(k) == ed25519.PublicKeySize && ed25519.Verify(k, content, s) {
				return true
			}
		}
	}
	return false
}

func anyMAC(signatures [][]byte, content []byte, secrets [][]byte) bool {
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue
		}
		want := hookMAC(secret, content)
		for _, s := range signatures {
			if hmac.Equal(s, want) {
				return true
			}
		}
	}
	return false
}

// FormatHookSecret writes an HMAC secret as whsec_<base64>.
func FormatHookSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// ParseHookSecret reads whsec_<base64> of 24 to 64 bytes. Errors wrap
// ErrEncoding and never repeat the secret.
func ParseHookSecret(s string) ([]byte, error) {
	b, err := decodeHookKey(s, secretPrefix)
	if err != nil {
		return nil, err
	}
	if len(b) < minSecret || len(b) > maxSecret {
		return nil, fmt.Errorf("webhook secret: %w: %d bytes, must be %d to %d", ErrEncoding, len(b), minSecret, maxSecret)
	}
	return b, nil
}

// FormatHookPublic writes an ed25519 public key as whpk_<base64>.
func FormatHookPublic(key ed25519.PublicKey) string {
	return publicPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParseHookPublic reads whpk_<base64> of 32 bytes. Errors wrap ErrEncoding.
func ParseHookPublic(s string) (ed25519.PublicKey, error) {
	b, err := decodeHookKey(s, publicPrefix)
	if err != nil {
		return nil, err
	}
	if len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("webhook public key: %w: %d bytes, must be 32", ErrEncoding, len(b))
	}
	return b, nil
}

// FormatHookPrivate writes an ed25519 private key as whsk_<base64>: the 32
// bytes of the seed and the 32 of the public key.
func FormatHookPrivate(key ed25519.PrivateKey) string {
	return privatePrefix + base64.StdEncoding.EncodeToString(key)
}

// ParseHookPrivate reads whsk_<base64>: a seed of 32 bytes, alone or followed
// by its public key. Errors wrap ErrEncoding and never repeat the key.
func ParseHookPrivate(s string) (ed25519.PrivateKey, error) {
	b, err := decodeHookKey(s, privatePrefix)
	if err != nil {
		return nil, err
	}
	if len(b) != ed25519.SeedSize && len(b) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("webhook private key: %w: %d bytes, must be 32 or 64", ErrEncoding, len(b))
	}
	key := ed25519.NewKeyFromSeed(b[:ed25519.SeedSize])
	if len(b) == ed25519.PrivateKeySize && !key.Equal(ed25519.PrivateKey(b)) {
		return nil, fmt.Errorf("webhook private key: %w: seed and public key do not belong together", ErrEncoding)
	}
	return key, nil
}

func decodeHookKey(s, prefix string) ([]byte, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return nil, fmt.Errorf("webhook key: %w: must begin with %s", ErrEncoding, prefix)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(rest)
	if err != nil || base64.StdEncoding.EncodeToString(b) != rest {
		return nil, fmt.Errorf("webhook key: %w: standard base64 after %s", ErrEncoding, prefix)
	}
	return b, nil
}
