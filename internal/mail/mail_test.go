package mail_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/party"
)

// A house is a Mail with a mail server that answers as the test says.
type house struct {
	*mail.Mail
	clock *clock.Manual
	wire  *wire
}

// wire is the far side: it remembers what it was given.
type wire struct {
	mu     sync.Mutex
	answer mail.Result    // guarded by mu
	got    []mail.Message // guarded by mu
}

func (w *wire) send(_ context.Context, m mail.Message) mail.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, m)
	return w.answer
}

func (w *wire) answers(r mail.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = r
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.got)
}

func start(t *testing.T, d *db.DB) *house {
	t.Helper()
	h := &house{clock: clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)), wire: &wire{answer: mail.Result{OK: true, Code: 250}}}
	log := slog.New(slog.DiscardHandler)
	h.Mail = mail.New(mail.Deps{
		DB: d, Feed: feed.New(d, h.clock, log), Clock: h.clock, MAC: dbtest.MAC, Log: log, Send: h.wire.send, Bounces: "bounces@tangkal.example",
	})
	return h
}

// issuer is whose task a returned letter is.
var issuer = party.Actor{Party: "issuer", PartyKind: party.Authority, Person: "p1", Roles: []party.Role{party.Officer}}

func (h *house) write(t *testing.T, once string) mail.Letter {
	t.Helper()
	err := h.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return h.Write(ctx, tx, mail.Letter{
			Once: once, Purpose: "notice.issued", Party: "platform", Owner: issuer.Party, Object: "notice", ObjectID: "n1", Ref: "T-PH-2026-00001",
			Address: "duty@platform.example", Subject: "A subject", Text: "A text\n",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return h.last(t)
}

func (h *house) last(t *testing.T) mail.Letter {
	t.Helper()
	all, err := mail.About(t.Context(), h.DB, "notice", "n1")
	if err != nil || len(all) == 0 {
		t.Fatal(len(all), err)
	}
	return all[len(all)-1]
}

func (h *house) serve(t *testing.T) {
	t.Helper()
	if err := h.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (h *house) sql(t *testing.T, text string, args ...any) {
	t.Helper()
	err := h.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { _, err := tx.Exec(ctx, text, args...); return err })
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) open(t *testing.T) []mail.Letter {
	t.Helper()
	all, err := h.Open(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestALetterIsWrittenAndTakenOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		h.write(t, "a")
		h.write(t, "a") // the same reason
		h.serve(t)
		h.serve(t)
		if h.wire.count() != 1 {
			t.Fatalf("%d letters left", h.wire.count())
		}
		if l := h.last(t); l.State != mail.Taken || l.Attempts != 1 || l.LastCode != 250 {
			t.Errorf("letter: %+v", l)
		}
		m := h.wire.got[0]
		if m.To != "duty@platform.example" || !strings.HasPrefix(m.ReturnPath, "bounces+") || !strings.HasSuffix(m.ReturnPath, "@tangkal.example") {
			t.Errorf("message: %+v", m)
		}
		if local, _, _ := strings.Cut(m.ReturnPath, "@"); len(local) > 64 {
			t.Errorf("the return path's local part has %d characters", len(local))
		}
	})
}

func TestALetterWaitsForAServerThatIsAway(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		h.write(t, "a")
		h.wire.answers(mail.Result{Error: "unreachable"})
		tries := 0
		for h.last(t).State == mail.Waiting {
			h.serve(t)
			tries++
			h.clock.Advance(6 * time.Hour)
			if tries == 3 {
				if n, why, err := h.Stuck(t.Context()); err != nil || n != 1 || why != "unreachable" {
					t.Errorf("stuck: %d %q %v", n, why, err)
				}
			}
			if tries > 200 {
				t.Fatal("it is tried for ever")
			}
		}
		if l := h.last(t); l.State != mail.GivenUp || l.DoneAt.Sub(l.CreatedAt) < 5*24*time.Hour {
			t.Errorf("given up after %v: %+v", l.DoneAt.Sub(l.CreatedAt), l)
		}
		if open := h.open(t); len(open) != 1 {
			t.Errorf("%d tasks", len(open))
		}
	})
}

func TestARefusedLetterIsATaskUntilItIsSettled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		l := h.write(t, "a")
		h.wire.answers(mail.Result{Final: true, Code: 550, Error: "550 5.1.1"})
		h.serve(t)
		open := h.open(t)
		if len(open) != 1 || open[0].ID != l.ID || open[0].LastError != "550 5.1.1" {
			t.Fatalf("tasks: %+v", open)
		}
		stranger := party.Actor{Party: "other", PartyKind: party.Authority, Person: "p2", Roles: []party.Role{party.Officer}}
		if all, err := h.Open(t.Context(), stranger); err != nil || len(all) != 0 {
			t.Errorf("another party sees %d tasks (%v)", len(all), err)
		}
		if err := h.Settle(t.Context(), stranger, l.ID); err == nil {
			t.Error("another party settled it")
		}
		if err := h.Settle(t.Context(), issuer, l.ID); err != nil {
			t.Fatal(err)
		}
		if open := h.open(t); len(open) != 0 {
			t.Errorf("tasks: %+v", open)
		}
	})
}

// Whoever can only write rows sends nothing: neither a letter of their own nor
// ours to another address (threat-model T12).
func TestAForgedLetterIsNotSent(t *testing.T) {
	for name, forge := range map[string]string{
		"address": `UPDATE mails SET address = 'me@else.example'`,
		"text":    `UPDATE mails SET body = 'Sign in at https://else.example'`,
		"copy": `INSERT INTO mails (id, once, purpose, party_id, person_id, owner_id, object, object_id, ref, address, subject, body, created_at, mac, state,
			attempts, next_at, last_code, last_error) SELECT '0190b6f2-5b1e-7c3a-9d4e-0123456789ab', 'b', purpose, party_id, person_id, owner_id, object, object_id, ref,
			'me@else.example', subject, body, created_at, mac, 'waiting', 0, next_at, 0, '' FROM mails`,
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				h := start(t, d)
				h.write(t, "a")
				h.sql(t, forge)
				h.serve(t)
				for _, m := range h.wire.got {
					if m.To != "duty@platform.example" || m.Text != "A text\n" {
						t.Errorf("left: %+v", m)
					}
				}
				n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM mails WHERE last_error = 'altered' AND state = 'given-up'`)
				if err != nil || n != 1 {
					t.Errorf("%d letters given up as altered (%v)", n, err)
				}
			})
		})
	}
}

// report is a delivery report as mail servers write it (RFC 3464).
func report(to, action, status string) string {
	return fmt.Sprintf(`From sender  Sun Nov 22 08:00:00 2026
Return-Path: <>
From: MAILER-DAEMON@platform.example
To: %s
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

The item was removed.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.platform.example

Final-Recipient: rfc822; duty@platform.example
Action: %s
Status: %s (bad destination mailbox)

--b1--
`, to, action, status)
}

func TestOnlyASignedReportOfFailureOpensATask(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		l := h.write(t, "a")
		h.serve(t)
		path := h.ReturnPath(l.ID)
		forged := strings.Replace(path, "+", "+a", 1)
		other := start(t, d)
		other.MAC = func(purpose string, data []byte) []byte { return dbtest.MAC("another key "+purpose, data) }
		words := "From: duty@platform.example\nTo: " + path + "\nSubject: removed\n\nremoved\n"
		for _, c := range []struct {
			name, raw, recipient string
			want                 mail.Came
		}{
			{"a person's answer", words, path, mail.CameWritten},
			{"a report of delay", report(path, "delayed", "4.4.1"), path, mail.CameLate},
			{"a report of success", report(path, "delivered", "2.0.0"), "", mail.CameLate},
			{"a report without token", report("bounces@tangkal.example", "failed", "5.1.1"), "", mail.CameUnknown},
			{"a report with an altered token", report(forged, "failed", "5.1.1"), forged, mail.CameUnknown},
			{"a report under another key", report(other.ReturnPath(l.ID), "failed", "5.1.1"), "", mail.CameUnknown},
			{"a report about no letter", report(h.ReturnPath(db.NewID()), "failed", "5.1.1"), "", mail.CameUnknown},
			{"no mail at all", "\x00\x01", path, mail.CameWritten},
			{"nothing", "", path, mail.CameWritten},
		} {
			got, err := h.Incoming(t.Context(), strings.NewReader(c.raw), c.recipient)
			if err != nil || got != c.want {
				t.Errorf("%s: %s (%v), want %s", c.name, got, err, c.want)
			}
			if diff := cmp.Diff(mail.Taken, h.last(t).State); diff != "" || len(h.open(t)) != 0 {
				t.Errorf("%s changed something: %s, %d tasks", c.name, diff, len(h.open(t)))
			}
		}
		for i, want := range []mail.Came{mail.CameBack, mail.CameAgain} {
			got, err := h.Incoming(t.Context(), strings.NewReader(strings.ReplaceAll(report(strings.ToUpper(path[:12])+path[12:], "failed", "5.1.1"), "\n", "\r\n")), "")
			if err != nil || got != want {
				t.Errorf("report %d: %s (%v), want %s", i, got, err, want)
			}
		}
		open := h.open(t)
		if len(open) != 1 || open[0].LastError != "5.1.1" || open[0].State != mail.Returned {
			t.Errorf("tasks: %+v", open)
		}
	})
}

func TestAnAddressIsOneAddress(t *testing.T) {
	for in, want := range map[string]string{
		"duty@platform.example": "duty@platform.example", " a.b+c@Platform.Example ": "a.b+c@platform.example", "x@bücher.example": "x@xn--bcher-kva.example",
		"": "", "+62 21 1234": "", "a@b.example, c@d.example": "", "Duty <a@b.example>": "", "a@b.example\r\nBcc: c@d.example": "", `"a b"@c.example`: "",
		"a@b.example\n": "a@b.example", "a\u0000@b.example": "", "duty@": "", "@b.example": "", "ü@b.example": "", "a@b@c.example": "",
	} {
		if got, ok := mail.Address(in); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, ok, want)
		}
	}
}

func TestALineIsOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"Kem. Komunikasi": "Kem. Komunikasi", "a\r\nBcc: b": "a Bcc: b", " a\u2028b\u0085c ": "a b c", "\u202eabc": "abc", "abcdefghijklmnopqrstuvwxyz": "abcdefghijklmnopqrs…",
	} {
		if got := mail.Line(in, 20); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzIncoming(f *testing.F) {
	f.Add(report("bounces+x@tangkal.example", "failed", "5.1.1"))
	f.Add("From x\n\n")
	f.Add("Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\n\n\nAction: failed\n--b--")
	m := mail.New(mail.Deps{MAC: dbtest.MAC, Bounces: "bounces@tangkal.example"})
	f.Fuzz(func(t *testing.T, raw string) {
		if got, err := m.Incoming(t.Context(), strings.NewReader(raw), ""); err != nil || got == mail.CameBack {
			t.Fatalf("%s %v", got, err) // without our key nothing comes back
		}
	})
}
