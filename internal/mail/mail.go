// Package mail keeps letters until the operator's mail server has taken them,
// and knows which of them came back.
//
// A letter is a row written in the transaction of what it is about, once for
// each reason, so nothing that was decided is forgotten and nothing undecided
// leaves. It announces and does no more: no authority, no link that acts and no
// content travels in it, and nothing that comes in by mail changes what an
// organisation has decided. A letter that comes back is a task for whoever it
// was written for (threat-model T12, T18). The wire is spoken by an injected
// Sender.
package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// A State is how far a letter is.
type State string

// The states of a letter.
const (
	Waiting  State = "waiting"
	Taken    State = "taken"    // the mail server answered 250; no proof that anybody read it
	Returned State = "returned" // refused, or came back later
	GivenUp  State = "given-up" // the mail server took it within no reasonable time, or the row was altered
)

// A Letter is plain text for one address.
type Letter struct {
	ID       string
	Once     string         // why it is written; the same reason writes nothing again
	Purpose  string         // as "notice.issued" or "digest"
	Party    party.ID       // the organisation it goes to
	Person   party.PersonID // and the person, "" for its contact address
	Owner    party.ID       // whose task it is if it comes back, "" for nobody's
	Object   string         // the noun of what it is about, as "notice"
	ObjectID string
	Ref      string
	Address  string // see Address
	Subject  string
	Text     string

	State      State
	Attempts   int
	NextAt     time.Time
	CreatedAt  time.Time
	DoneAt     time.Time
	LastCode   int    // the server's reply code (RFC 5321, section 4.2), 0 for none
	LastError  string // a word or two, for the operator and the owner: no content
	ReturnedAt time.Time
	SettledAt  time.Time

	mac []byte
}

// A Message is a letter as its sender sees it.
type Message struct {
	ID         string // the same on every attempt
	ReturnPath string // where a delivery report goes; it names the letter (VERP)
	To         string
	Subject    string
	Text       string
	At         time.Time
}

// A Result is what became of one attempt.
type Result struct {
	OK    bool
	Final bool // refused for good, because of this letter and not of the server's state
	Code  int
	Error string
}

// A Sender speaks SMTP.
type Sender func(ctx context.Context, m Message) Result

// Deps are what a Mail stands on.
type Deps struct {
	DB      *db.DB
	Feed    *feed.Feed
	Clock   clock.Clock
	MAC     func(purpose string, data []byte) []byte // under the instance key
	Log     *slog.Logger
	Send    Sender // nil: no mail server is configured, and no letter is written
	Bounces string // address that delivery reports go to, as bounces@tangkal.example
}

// A Mail writes and sends letters. It is safe for concurrent use.
type Mail struct {
	Deps
	due feed.Signal
}

// New returns a Mail.
func New(d Deps) *Mail { return &Mail{Deps: d} }

// Enabled reports whether letters are sent at all.
func (m *Mail) Enabled() bool { return m.Send != nil }

// maxText bounds a letter in bytes.
const maxText = 64 << 10

// Write keeps a letter in the transaction of its reason. One with the same
// reason (Once) is written once. Without a mail server it does nothing.
func (m *Mail) Write(ctx context.Context, tx *db.Tx, l Letter) error {
	if !m.Enabled() {
		return nil
	}
	if l.Once == "" || l.Purpose == "" || l.Address == "" {
		return errors.New("write a letter: its reason, purpose and address are needed")
	}
	l.ID, l.CreatedAt = db.NewID(), m.Clock.Now()
	if len(l.Text) > maxText {
		return fmt.Errorf("write a letter: %d bytes, at most %d", len(l.Text), maxText)
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO mails (id, once, purpose, party_id, person_id, owner_id, object, object_id, ref, address, subject, body, created_at, mac,
			state, attempts, next_at, last_code, last_error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'waiting', 0, $13, 0, '') ON CONFLICT (once) DO NOTHING`,
		l.ID, l.Once, l.Purpose, l.Party, l.Person, l.Owner, l.Object, l.ObjectID, l.Ref, l.Address, l.Subject, l.Text,
		db.Micros(l.CreatedAt), tx.Sealer().Seal(table, l.values()...))
	if err != nil {
		return fmt.Errorf("write a letter: %w", err)
	}
	tx.AfterCommit(m.due.Wake)
	return nil
}

const table = "mails"

// values are what the MAC of a letter stands over: everything but its way.
func (l Letter) values() []any {
	return []any{
		l.ID, l.Once, l.Purpose, string(l.Party), string(l.Person), string(l.Owner), l.Object, l.ObjectID, l.Ref,
		l.Address, l.Subject, l.Text, l.CreatedAt,
	}
}

// genuine reports whether this program wrote the letter.
func genuine(r db.Reader, l Letter) bool { return r.Sealer().Holds(table, l.ID, l.mac, l.values()...) }

const columns = `id, once, purpose, party_id, person_id, owner_id, object, object_id, ref, address, subject, body, created_at, mac,
	state, attempts, next_at, done_at, last_code, last_error, returned_at, settled_at`

func scan(row db.Row) (Letter, error) {
	var l Letter
	err := row.Scan(&l.ID, &l.Once, &l.Purpose, &l.Party, &l.Person, &l.Owner, &l.Object, &l.ObjectID, &l.Ref, &l.Address, &l.Subject, &l.Text,
		db.Time(&l.CreatedAt), &l.mac, &l.State, &l.Attempts, db.Time(&l.NextAt), db.Time(&l.DoneAt), &l.LastCode, &l.LastError,
		db.Time(&l.ReturnedAt), db.Time(&l.SettledAt))
	return l, err
}

// About returns the letters about one object, oldest first. The caller has
// checked that the reader may see the object.
func About(ctx context.Context, r db.Reader, object, id string) ([]Letter, error) {
	return db.All(ctx, r, scan, `SELECT `+columns+` FROM mails WHERE object = $1 AND object_id = $2 ORDER BY created_at, id LIMIT 100`, object, id)
}

// Address returns what a person wrote as an address in the form that a letter
// can be sent to: local part and host alone, the host in ASCII (RFC 5321,
// section 4.1.2; RFC 5891). ok is false for anything else, as a telephone
// number, a list of addresses, or a text around one.
func Address(s string) (address string, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > 254 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "", false
	}
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return "", false
	}
	at := strings.LastIndexByte(s, '@')
	local, host := s[:at], s[at+1:]
	host, err = idna.Lookup.ToASCII(host)
	if err != nil || local == "" || len(local) > 64 || strings.ContainsFunc(local, func(r rune) bool { return !localChar(r) }) {
		return "", false
	}
	return local + "@" + host, true
}

// localChar reports whether r may stand in a local part without quotes
// (RFC 5322, section 3.2.3).
func localChar(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r))
}

// Line returns a text as one line of at most maxRunes: what would begin a new
// line or a new header, turn the writing direction or hide, becomes a space.
// Every word that somebody else has chosen goes through it on its way into a
// letter.
func Line(s string, maxRunes int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs, unicode.Co) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxRunes {
		s = strings.TrimSpace(string(runes[:maxRunes-1])) + "…"
	}
	return s
}
