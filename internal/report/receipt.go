package report

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

const (
	receiptPrefix = "TGK"
	receiptBytes  = 10 // 80 random bits (threat-model T02)
)

// crockford is Crockford's base32: no I, L, O, U, so that a code can be read
// aloud and copied by hand.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// alike maps what people write for a digit, and what they put between groups.
var alike = strings.NewReplacer("O", "0", "I", "1", "L", "1", "-", "", "\u2010", "", "\u2011", "", "\u2012", "",
	"\u2013", "", "\u2014", "", "\u2212", "", "_", "", ".", "", " ", "", "\u00A0", "", "\t", "", "\r", "", "\n", "")

// ParseReceipt reads a receipt code as people type it, in any case, with or
// without prefix, dashes and spaces, O for 0, I or L for 1, and returns it as
// it was printed: TGK-XXXX-XXXX-XXXX-XXXX. Anything else is the fault that a
// wrong code gets.
func ParseReceipt(s string) (string, error) {
	if len(s) > 100 {
		return "", noReceipt()
	}
	body := alike.Replace(strings.ToUpper(s))
	if len(body) > crockford.EncodedLen(receiptBytes) {
		body = strings.TrimPrefix(body, receiptPrefix)
	}
	if len(body) != crockford.EncodedLen(receiptBytes) { // the decoder passes over a rest
		return "", noReceipt()
	}
	raw, err := crockford.DecodeString(body)
	if err != nil {
		return "", noReceipt()
	}
	return receiptText(raw), nil
}

// noReceipt is the one answer for a code that is malformed, wrong, or right
// for something erased.
func noReceipt() *fault.Error { return fault.New(fault.NotFound, "report.no-receipt").At("/receipt") }

func receiptText(raw []byte) string {
	s := crockford.EncodeToString(raw)
	return fmt.Sprintf("%s-%s-%s-%s-%s", receiptPrefix, s[:4], s[4:8], s[8:12], s[12:])
}

// receiptMAC is what is stored of a parsed code.
func (r *Room) receiptMAC(code string) []byte { return r.vault.MAC("receipt", []byte(code)) }

// tokenLife is how long a form may be sent again with one effect. After it a
// token is passed over, so that a page left in a browser's cache shows nobody
// the receipt again.
const tokenLife = 24 * time.Hour

const (
	tokenRandom = 16
	tokenBody   = tokenRandom + 4 // and the hour of issue
	tokenTag    = 12
)

var tokenText = base64.RawURLEncoding

// NewToken returns a fresh value for the hidden field of a form. Sending the
// same report with it again, within a day, gives the same receipt and stores
// nothing more; another report with it is another report.
func (r *Room) NewToken() string {
	raw := make([]byte, tokenBody, tokenBody+tokenTag)
	rand.Read(raw[:tokenRandom])                                                     //nolint:errcheck // never fails (crypto/rand)
	binary.BigEndian.PutUint32(raw[tokenRandom:], uint32(r.clock.Now().Unix()/3600)) //nolint:gosec // hours since 1970 fit until the year 491 936
	return tokenText.EncodeToString(append(raw, r.tokenTag(raw)...))
}

func (r *Room) tokenTag(body []byte) []byte { return r.vault.MAC("report-token", body)[:tokenTag] }

// checkToken returns the token's bytes, nil for none or an old one, or a
// fault. Only tokens of our own making count: of a guessable one two reporters
// could hold the same, and one get the other's receipt.
func (r *Room) checkToken(token string, now time.Time) ([]byte, *fault.Error) {
	if token == "" {
		return nil, nil
	}
	raw, err := tokenText.DecodeString(token)
	if err != nil || len(raw) != tokenBody+tokenTag || !hmac.Equal(raw[tokenBody:], r.tokenTag(raw[:tokenBody])) {
		return nil, fault.New(fault.Invalid, "report.token").At("/token")
	}
	issued := time.Unix(int64(binary.BigEndian.Uint32(raw[tokenRandom:]))*3600, 0)
	if now.Sub(issued) > tokenLife+time.Hour {
		return nil, nil
	}
	return raw[:tokenBody], nil
}

// newReceipt returns a receipt code. Without a token it is random. With one it
// is derived from the token and all that was sent, under a key outside of the
// database: as unguessable as the token's 128 random bits, and the same when
// the same form comes again, with nothing stored to make it so.
func (r *Room) newReceipt(token []byte, content [sha256.Size]byte) string {
	raw := make([]byte, receiptBytes)
	if token == nil {
		rand.Read(raw) //nolint:errcheck // never fails (crypto/rand)
		return receiptText(raw)
	}
	copy(raw, r.vault.MAC("receipt-of-token", append(append([]byte{}, token...), content[:]...)))
	return receiptText(raw)
}

// contentOf digests a submission with its canonical locations and its files,
// each field with its length, so that no two read alike.
func contentOf(s Submission, locations []found, files []file) [sha256.Size]byte {
	h := sha256.New()
	put := func(v string) { fmt.Fprintf(h, "%d:%s,", len(v), v) }
	for _, v := range []string{string(s.Channel), string(s.Category), string(s.Lang), s.Agency, s.Description, s.Contact, fmt.Sprint(len(locations))} {
		put(v)
	}
	for _, l := range locations {
		put(l.URL)
	}
	if s.Soon { // and nothing otherwise: receipts of forms sent before there was such a thing stay theirs
		put("soon")
	}
	for _, f := range files {
		put(f.Name)
		put(f.Ref.SHA256.String())
	}
	return [sha256.Size]byte(h.Sum(nil))
}
