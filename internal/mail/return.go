package mail

import (
	"context"
	"crypto/hmac"
	"encoding/base32"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// A return path names its letter (variable envelope return path): the reports'
// address, "+", and a token of the letter's identifier and a MAC over it. Who
// does not hold the instance key or the letter itself cannot make one.

// tokenText writes tokens: mail servers fold local parts to lower case.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// tokenMAC is the length of a token's MAC in bytes: a guess succeeds once in
// 2^80 tries, and opens a task at most.
const tokenMAC = 10

// ReturnPath returns the address that a letter comes back to.
func (m *Mail) ReturnPath(id string) string {
	u, err := uuid.Parse(id)
	if err != nil {
		return m.Bounces // no letter of ours; nothing can be told from it
	}
	raw := append(u[:], m.MAC("mail-return", u[:])[:tokenMAC]...)
	local, host, _ := strings.Cut(m.Bounces, "@")
	return local + "+" + tokenText.EncodeToString(raw) + "@" + host
}

// letterOf returns the identifier of the letter whose return path address is.
func (m *Mail) letterOf(address string) (id string, ok bool) {
	local, _, _ := strings.Cut(address, "@")
	_, token, found := strings.Cut(local, "+")
	raw, err := tokenText.DecodeString(strings.ToLower(token))
	if !found || err != nil || len(raw) != len(uuid.UUID{})+tokenMAC {
		return "", false
	}
	u, err := uuid.FromBytes(raw[:len(uuid.UUID{})])
	if err != nil || !hmac.Equal(raw[len(u):], m.MAC("mail-return", u[:])[:tokenMAC]) {
		return "", false
	}
	return u.String(), true
}

// A Came says what became of an incoming mail.
type Came string

// What an incoming mail can be. Only CameBack changes anything, and no more
// than that a task is opened: whatever else a mail says, it decides nothing.
const (
	CameBack    Came = "returned"   // the letter did not arrive
	CameAgain   Came = "known"      // that was known already
	CameLate    Came = "no-failure" // a report of delay or success
	CameWritten Came = "no-report"  // somebody or something has written; nobody reads it
	CameUnknown Came = "unknown"    // it names no letter of ours
)

// Incoming takes a mail that came to the reports' address. recipient is the
// address it came to, if the mail server tells; otherwise its headers are
// looked at. Only a delivery report (RFC 3464) that says "failed", to the
// signed return path of a letter, changes anything.
func (m *Mail) Incoming(ctx context.Context, raw io.Reader, recipient string) (Came, error) {
	in, err := readIncoming(raw)
	if err != nil {
		return CameWritten, nil //nolint:nilerr // no mail that can be read; a mail server would only send it on
	}
	id := ""
	for _, to := range append([]string{recipient}, in.to...) {
		if found, ok := m.letterOf(to); ok {
			id = found
			break
		}
	}
	switch {
	case id == "":
		return CameUnknown, nil
	case !in.report:
		return CameWritten, nil
	case !in.failed:
		return CameLate, nil
	}
	came := CameUnknown
	err = m.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		came = CameUnknown
		l, err := db.One(ctx, tx, scan, `SELECT `+columns+` FROM mails WHERE id = $1 FOR UPDATE`, id)
		if errors.Is(err, db.ErrAbsent) || err == nil && !genuine(tx, l) {
			return nil
		}
		if err != nil {
			return err
		}
		if came = CameAgain; !l.ReturnedAt.IsZero() {
			return nil
		}
		came = CameBack
		return m.cameBack(ctx, tx, l, in.status, m.Clock.Now())
	})
	return came, err
}

func (m *Mail) cameBack(ctx context.Context, tx *db.Tx, l Letter, status string, now time.Time) error {
	if _, err := tx.Exec(ctx, `
		UPDATE mails SET state = 'returned', done_at = COALESCE(done_at, $2), returned_at = $2, last_error = $3 WHERE id = $1`,
		l.ID, db.Micros(now), status); err != nil {
		return err
	}
	return m.news(ctx, tx, l, "mail."+string(Returned), now)
}

// Open returns the letters that came back to the actor's party and that nobody
// has settled yet, oldest first, at most 200. Rows that this program did not
// write are left out.
func (m *Mail) Open(ctx context.Context, by party.Actor) ([]Letter, error) {
	if !auth.Seat(by, auth.NoticeVerify) {
		return nil, nil
	}
	all, err := db.All(ctx, m.DB, scan, `
		SELECT `+columns+` FROM mails WHERE owner_id = $1 AND returned_at IS NOT NULL AND settled_at IS NULL ORDER BY returned_at, id LIMIT 200`, by.Party)
	var out []Letter
	for _, l := range all {
		if genuine(m.DB, l) {
			out = append(out, l)
		}
	}
	return out, err
}

// Settle ends the task that a returned letter is: its receiver was reached
// otherwise.
func (m *Mail) Settle(ctx context.Context, by party.Actor, id string) error {
	if err := auth.May(by, auth.NoticeVerify, auth.Object{What: "mail", Issuer: by.Party}); err != nil {
		return err
	}
	now := m.Clock.Now()
	return m.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		l, err := db.One(ctx, tx, scan, `SELECT `+columns+` FROM mails WHERE id = $1 AND owner_id = $2 AND returned_at IS NOT NULL FOR UPDATE`, id, by.Party)
		if errors.Is(err, db.ErrAbsent) || err == nil && !genuine(tx, l) {
			return fault.Hidden("mail")
		}
		if err != nil || !l.SettledAt.IsZero() {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE mails SET settled_at = $2, settled_by = $3 WHERE id = $1`, id, db.Micros(now), by.Person); err != nil {
			return err
		}
		_, err = m.Feed.Record(ctx, tx, feed.Event{
			Kind: "mail.settled", Object: "mail", ObjectID: id, Ref: l.Ref, Party: string(by.Party), Person: string(by.Person),
			Audience: []string{string(by.Party)}, At: now,
		})
		return err
	})
}

// SettleAbout ends every such task about an object that needs no letter any
// more, as a notice whose receipt was confirmed.
func (m *Mail) SettleAbout(ctx context.Context, tx *db.Tx, object, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE mails SET settled_at = $3 WHERE object = $1 AND object_id = $2 AND returned_at IS NOT NULL AND settled_at IS NULL`,
		object, id, db.Micros(now))
	return err
}
