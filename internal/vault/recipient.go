package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
)

// sealedMax bounds a text sealed to recipients: a contact, not a file.
const sealedMax = 64 << 10

// Recipients are those who alone can open what is sealed to them: the holders
// of the private keys, which the web process need not hold (threat-model T01).
// The zero value has none, and seals nothing.
type Recipients struct{ keys []age.Recipient }

// NewIdentity makes a key pair: the private half ("AGE-SECRET-KEY-1...") for
// the unsealing person alone, the public half ("age1...") for the recipients
// file.
func NewIdentity() (private, public string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", fmt.Errorf("make identity: %w", err)
	}
	return id.String(), id.Recipient().String(), nil
}

// ReadRecipients reads a recipients file in age's format: one public key a
// line, X25519 or hybrid; empty lines and lines with # are passed over.
func ReadRecipients(path string) (Recipients, error) {
	file, err := os.Open(path)
	if err != nil {
		return Recipients{}, fmt.Errorf("read recipients: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	r, err := ParseRecipients(io.LimitReader(file, 1<<20))
	if err != nil {
		return Recipients{}, fmt.Errorf("read recipients %s: %w", path, err)
	}
	return r, nil
}

// ParseRecipients reads what ReadRecipients reads.
func ParseRecipients(r io.Reader) (Recipients, error) {
	keys, err := age.ParseRecipients(r)
	if err != nil {
		return Recipients{}, err
	}
	return Recipients{keys}, nil
}

// Empty reports whether there is nobody to seal to.
func (r Recipients) Empty() bool { return len(r.keys) == 0 }

// SealTo encrypts a text of at most 64 KiB so that any one of the recipients
// can open it, and nobody else, this process included. About names the row it
// belongs to (as "report/<id>/contact", one line): it is sealed with the text,
// and UnsealFrom asks for it again. The result is an age file, which the age
// tool opens too.
func SealTo(r Recipients, text []byte, about string) ([]byte, error) {
	switch {
	case r.Empty():
		return nil, errors.New("seal to recipients: there are none")
	case len(text) > sealedMax:
		return nil, tooLarge(sealedMax)
	case strings.ContainsAny(about, "\r\n"):
		return nil, errors.New("seal to recipients: about has more than one line")
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r.keys...)
	if err != nil {
		return nil, fmt.Errorf("seal to recipients: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n%s", about, text)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("seal to recipients: %w", err)
	}
	return out.Bytes(), nil
}

// UnsealFrom opens what SealTo made with a private key, in the process of
// whoever holds it. It returns ErrDamaged if the text was changed, belongs to
// another about, or was sealed to others; a private key that is none is an
// error of its own.
func UnsealFrom(private string, sealed []byte, about string) ([]byte, error) {
	ids, err := age.ParseIdentities(strings.NewReader(private))
	if err != nil {
		return nil, errors.New("unseal: this is no private key") // not wrapped: it could quote the key
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), ids...)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", ErrDamaged)
	}
	plain, err := io.ReadAll(io.LimitReader(r, sealedMax+int64(len(about))+2))
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", ErrDamaged)
	}
	text, ok := bytes.CutPrefix(plain, []byte(about+"\n"))
	if !ok || len(text) > sealedMax {
		return nil, fmt.Errorf("unseal: %w", ErrDamaged)
	}
	return text, nil
}
