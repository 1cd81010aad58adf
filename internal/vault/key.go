package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// A Key is the data key of one case: what encrypts its files and its texts.
// It is an age X25519 identity, so that a file can also be opened with the age
// tool alone; keys for texts are derived from it. It shows nothing of itself
// in logs. The zero Key holds no secret, and using it is a bug that panics.
type Key struct{ text string } // as age writes it: AGE-SECRET-KEY-1…

// A WrappedKey is a Key encrypted under the instance key. The caller stores it
// with its case; destroying it, and the copies of it in logs and backups of
// the database, erases everything sealed under it.
type WrappedKey []byte

// newKey returns a new random key.
func newKey() Key {
	secret := make([]byte, 32)
	rand.Read(secret) //nolint:errcheck // never fails (crypto/rand)
	return Key{strings.ToUpper(bech32("age-secret-key-", secret))}
}

// identity is the key as age works with it. It costs a multiplication on the
// curve, some 0.2 ms, which texts do not need.
func (k Key) identity() (*age.X25519Identity, error) {
	if k.text == "" {
		panic("vault: use of the zero Key")
	}
	return age.ParseX25519Identity(k.text)
}

// bech32 spells bytes with a checksum (BIP 173), in lower case.
func bech32(prefix string, data []byte) string {
	const letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	values := make([]byte, 0, len(data)*8/5+8)
	bits, have := uint32(0), 0
	for _, b := range data {
		bits, have = bits<<8|uint32(b), have+8
		for ; have >= 5; have -= 5 {
			values = append(values, byte(bits>>(have-5)&31))
		}
	}
	if have > 0 {
		values = append(values, byte(bits<<(5-have)&31))
	}
	sum := uint32(1)
	add := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range []uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(prefix) {
		add(prefix[i] >> 5)
	}
	add(0)
	for i := range len(prefix) {
		add(prefix[i] & 31)
	}
	for _, v := range append(slices.Clone(values), 0, 0, 0, 0, 0, 0) {
		add(v)
	}
	sum ^= 1
	for i := range 6 {
		values = append(values, byte(sum>>(5*(5-i))&31))
	}
	var out strings.Builder
	out.WriteString(prefix + "1")
	for _, v := range values {
		out.WriteByte(letters[v])
	}
	return out.String()
}

// String hides the key.
func (Key) String() string { return "vault.Key(hidden)" }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }

// LogValue hides the key.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// derive returns a 32-byte key for one purpose (HKDF-SHA-256, RFC 5869).
func (k Key) derive(purpose string) []byte {
	if k.text == "" {
		panic("vault: use of the zero Key")
	}
	return derive([]byte(k.text), purpose)
}

func derive(secret []byte, purpose string) []byte {
	out, err := hkdf.Key(sha256.New, secret, nil, purpose, 32)
	if err != nil {
		panic(err) // only for lengths beyond 255 hashes
	}
	return out
}

const (
	sealPrefix = "tgs1" // text sealed under a case key, version 1
	wrapPrefix = "tgw1" // case key wrapped under the instance key, version 1
)

// Seal encrypts a small text under key with XChaCha20-Poly1305 and a random
// nonce. The caller's aad says what the text is and of which row (as
// "report/<id>/description"): it is not stored, and without the same aad the
// text does not open, so a text cannot be moved to another row or column. The
// result is len(plaintext)+44 bytes.
func Seal(key Key, plaintext []byte, aad string) []byte {
	return sealWith(key.derive("tangkal/vault/text/v1"), sealPrefix, plaintext, aad)
}

// Unseal opens what Seal made, or returns ErrDamaged: changed, cut, moved to
// another aad, or sealed under another key.
func Unseal(key Key, sealed []byte, aad string) ([]byte, error) {
	return unsealWith(key.derive("tangkal/vault/text/v1"), sealPrefix, sealed, aad)
}

func aead(key []byte) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // only for a key that is not 32 bytes
	}
	return a
}

func sealWith(key []byte, prefix string, plaintext []byte, aad string) []byte {
	a := aead(key)
	head := len(prefix) + a.NonceSize()
	out := make([]byte, head, head+len(plaintext)+a.Overhead())
	copy(out, prefix)
	_, _ = rand.Read(out[len(prefix):]) // never fails since Go 1.24
	return a.Seal(out, out[len(prefix):], plaintext, []byte(prefix+aad))
}

func unsealWith(key []byte, prefix string, sealed []byte, aad string) ([]byte, error) {
	a := aead(key)
	rest, ok := bytes.CutPrefix(sealed, []byte(prefix))
	if !ok || len(rest) < a.NonceSize()+a.Overhead() {
		return nil, fmt.Errorf("unseal text: %w", ErrDamaged)
	}
	plain, err := a.Open(nil, rest[:a.NonceSize()], rest[a.NonceSize():], []byte(prefix+aad))
	if err != nil {
		return nil, fmt.Errorf("unseal text: %w", ErrDamaged)
	}
	return plain, nil
}

// master is the instance key: 32 random bytes from a file outside the database.
type master struct{ secret []byte }

// mac returns HMAC-SHA-256 of data under a key derived for purpose.
func (m master) mac(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, derive(m.secret, "tangkal/mac/v1/"+purpose))
	h.Write(data)
	return h.Sum(nil)
}

// mark tells the key from every other and reveals nothing of it.
func (m master) mark() string { return Digest(m.mac("vault-key-check", nil)).String() }

func (m master) wrap(k Key) WrappedKey {
	return sealWith(derive(m.secret, "tangkal/vault/wrap/v1"), wrapPrefix, []byte(k.text), "")
}

func (m master) unwrap(w WrappedKey) (Key, error) {
	plain, err := unsealWith(derive(m.secret, "tangkal/vault/wrap/v1"), wrapPrefix, w, "")
	if err != nil {
		return Key{}, err
	}
	return Key{string(plain)}, nil
}

// The instance key file: comment lines, then one line with the key.
const (
	masterPrefix  = "TANGKAL-INSTANCE-KEY-1 "
	masterComment = "# Tangkal instance key. Without this file nothing sealed can be read again.\n" +
		"# Keep a copy away from the database and its backups.\n"
)

// readMaster reads the instance key. A file that anybody but its owner can
// open is refused.
func readMaster(path string) (master, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return master{}, fmt.Errorf("the instance key %s is missing, and without it nothing sealed can be read: bring back the copy that is kept apart from the backups (%w)", path, fs.ErrNotExist)
	}
	if err != nil {
		return master{}, fmt.Errorf("read instance key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return master{}, fmt.Errorf("read instance key %s: mode is %#o, want 0600: only its owner may read it",
			path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return master{}, fmt.Errorf("read instance key: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		encoded, ok := strings.CutPrefix(strings.TrimSpace(line), masterPrefix)
		if !ok {
			continue
		}
		secret, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil || len(secret) != 32 {
			break
		}
		return master{secret}, nil
	}
	return master{}, fmt.Errorf("read instance key %s: no line %q with 32 bytes", path, strings.TrimSpace(masterPrefix))
}

// createMaster makes an instance key at path, durable and whole or not at all.
// If another process was first, its key stays.
func createMaster(path string) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	text := masterComment + masterPrefix + base64.RawURLEncoding.EncodeToString(secret) + "\n"
	return writeOnce(path, []byte(text))
}

// writeOnce writes a small file durably unless path exists already.
func writeOnce(path string, text []byte) error {
	temp := path + tempPrefix + rand.Text()
	file, err := osDisk{}.Create(temp)
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	defer os.Remove(temp) //nolint:errcheck // renamed by then, or of no use
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	// A link, unlike a rename, never replaces.
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create %s: %w", path, err)
	}
	if err := (osDisk{}).SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

// openMaster reads the instance key, or makes one where nothing has been
// sealed yet. The file named check, kept with the blobs, holds a MAC under the
// key: it tells a first run from a lost key, and this key from another's.
func openMaster(path, check string) (master, error) {
	want, err := os.ReadFile(check)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return master{}, fmt.Errorf("open instance key: %w", err)
	}
	m, err := readMaster(path)
	if errors.Is(err, fs.ErrNotExist) && fresh {
		if err := createMaster(path); err != nil {
			return master{}, err
		}
		m, err = readMaster(path)
	}
	if err != nil {
		return master{}, err
	}
	mark := []byte(m.mark() + "\n")
	if fresh {
		if err := writeOnce(check, mark); err != nil {
			return master{}, err
		}
		if want, err = os.ReadFile(check); err != nil {
			return master{}, fmt.Errorf("open instance key: %w", err)
		}
	}
	if !hmac.Equal(mark, want) {
		return master{}, fmt.Errorf("open instance key %s: %w", path, errOtherKey)
	}
	return m, nil
}

var errOtherKey = errors.New("this is not the key under which the vault was sealed")
