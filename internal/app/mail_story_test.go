package app_test

import (
	"bytes"
	"crypto/x509"
	"io"
	"mime/quotedprintable"
	netmail "net/mail"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/mail/mailtest"
)

// withMail lets a server send through s.
func withMail(s *mailtest.Server) func(*app.Config) {
	return func(c *app.Config) {
		c.SMTP, c.SMTPRoots, c.MailFrom, c.MailBounces = s.Addr, s.Roots, "tangkal@tangkal.example", "bounces@tangkal.example"
	}
}

// eachMailing starts a server with mail on both databases.
func eachMailing(t *testing.T, c func() clock.Clock, f func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server)) {
	t.Helper()
	run := func(name string, url func(t *testing.T) string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.Start(t, mailtest.Options{})
			f(t, exchangetest.StartOn(t, url(t), c(), withMail(s)), s)
		})
	}
	run("sqlite", func(t *testing.T) string { t.Helper(); return "sqlite:" + filepath.Join(t.TempDir(), "tangkal.db") })
	run("postgres", func(t *testing.T) string { t.Helper(); return dbtest.PostgresURL(t) })
}

func systemClock() clock.Clock { return clock.System{} }

// plain returns subject and text of a letter.
func plain(t *testing.T, l mailtest.Letter) (string, string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(l.Raw))
	if err != nil {
		t.Fatal(err)
	}
	var body io.Reader = m.Body
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return m.Header.Get("Subject"), string(text)
}

// lettersTo returns the letters that came for an address.
func lettersTo(s *mailtest.Server, address string) []mailtest.Letter {
	var out []mailtest.Letter
	for _, l := range s.Letters() {
		if len(l.To) == 1 && l.To[0] == address {
			out = append(out, l)
		}
	}
	return out
}

// A notice by mail announces: it names reference, authority and time, and
// neither what it is about nor a link that acts. An answer by mail changes
// nothing; a letter that comes back is the issuer's task until the platform is
// reached otherwise.
func TestANoticeIsAnnouncedByMail(t *testing.T) {
	eachMailing(t, systemClock, func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server) {
		st := inIndonesia(t, x).told(t, 1)
		st.sent(t)
		const to = "safety@ruangsuara.example"
		eventually(t, "the announcement", func() bool { return len(lettersTo(s, to)) == 1 })
		letter := lettersTo(s, to)[0]
		subject, text := plain(t, letter)
		for _, want := range []string{st.ref, "Kem. Komunikasi"} {
			if !strings.Contains(subject, want) || !strings.Contains(text, want) {
				t.Errorf("it does not name %q:\n%s\n%s", want, subject, text)
			}
		}
		if !strings.Contains(text, "4 jam") {
			t.Errorf("it does not say how long there is:\n%s", text)
		}
		for _, never := range []string{st.link, "ruangsuara.example/v", st.id, st.caseID, "recruitment", "/orders", "/inbox", "?", "Dit. Tangkal"} {
			if strings.Contains(text, never) || strings.Contains(subject, never) {
				t.Errorf("it says %q:\n%s", never, text)
			}
		}
		eventually(t, "the proof of delivery", func() bool { return proved(st.view(t, st.officer), "taken") == 1 })

		before := st.view(t, st.officer)
		spoofed := "From: " + to + "\nTo: " + letter.From + "\nSubject: Re: removed\n\nremoved " + st.ref + "\n"
		came, err := x.App.Mail.Incoming(t.Context(), strings.NewReader(spoofed), letter.From)
		if err != nil || came != mail.CameWritten {
			t.Errorf("a mail that says removed is taken as %s (%v)", came, err)
		}
		after := st.view(t, st.officer)
		if after.Life != before.Life || after.Delivery != before.Delivery || len(after.Items) != len(before.Items) || after.Items[0].State != before.Items[0].State {
			t.Errorf("a mail changed the notice: %+v, before %+v", after, before)
		}

		back := strings.ReplaceAll(bounce, "ADDRESS", letter.From)
		if came, err := x.App.Mail.Incoming(t.Context(), strings.NewReader(back), ""); err != nil || came != mail.CameBack {
			t.Fatalf("a bounce is taken as %s (%v)", came, err)
		}
		officer := x.Cast(t, "officer")
		open, err := x.App.Mail.Open(t.Context(), officer.Actor)
		if err != nil || len(open) != 1 || open[0].Ref != st.ref {
			t.Fatalf("tasks of the issuer: %+v (%v)", open, err)
		}
		eventually(t, "the bounce in the proof of delivery", func() bool { return proved(st.view(t, st.officer), "returned") == 1 })

		st.platform.must(t, "POST", "/notices/"+st.id+"/receive", map[string]any{}, nil)
		eventually(t, "the task to end with the receipt", func() bool {
			open, err := x.App.Mail.Open(t.Context(), officer.Actor)
			return err == nil && len(open) == 0
		})
	})
}

func proved(v noticeView, result string) int {
	n := 0
	for _, d := range v.Deliveries {
		if d.Channel == "mail" && d.Result == result {
			n++
		}
	}
	return n
}

const bounce = `From: MAILER-DAEMON@ruangsuara.example
To: ADDRESS
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.ruangsuara.example

Final-Recipient: rfc822; safety@ruangsuara.example
Action: failed
Status: 5.1.1

--b1--
`

// What is set about mail is checked before a start, every fault by its name.
func TestMailSettingsAreChecked(t *testing.T) {
	good := app.Config{Listen: "127.0.0.1:0", EvidenceOrigin: "http://evidence.localhost", PublicURL: "http://localhost", Jurisdiction: "id", Data: t.TempDir()}
	with := func(f func(*app.Config)) app.Config {
		c := good
		c.SMTP, c.MailFrom = "mail.example:587", "tangkal@tangkal.example"
		f(&c)
		return c
	}
	for name, c := range map[string]struct {
		config app.Config
		want   string // "" for none
	}{
		"none":             {good, ""},
		"server":           {with(func(*app.Config) {}), ""},
		"no server":        {with(func(c *app.Config) { c.SMTP = "" }), "smtp: required"},
		"no port":          {with(func(c *app.Config) { c.SMTP = "mail.example" }), "smtp \"mail.example\""},
		"plain":            {with(func(c *app.Config) { c.SMTPTLS = "none" }), "smtp-tls none"},
		"plain, here":      {with(func(c *app.Config) { c.SMTPTLS, c.SMTP = "none", "127.0.0.1:25" }), ""},
		"unknown security": {with(func(c *app.Config) { c.SMTPTLS = "maybe" }), "smtp-tls \"maybe\""},
		"no password":      {with(func(c *app.Config) { c.SMTPUser = "me" }), "smtp-user and smtp-password-file"},
		"gone password":    {with(func(c *app.Config) { c.SMTPUser, c.SMTPPasswordFile = "me", filepath.Join(t.TempDir(), "gone") }), "smtp-password-file"},
		"no sender":        {with(func(c *app.Config) { c.MailFrom = "Tangkal <tangkal@tangkal.example>" }), "mail-from"},
		"long bounces":     {with(func(c *app.Config) { c.MailBounces = strings.Repeat("b", 22) + "@tangkal.example" }), "mail-bounces"},
	} {
		err := c.config.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// check-config signs in at the mail server, and a server that takes nothing is
// said to.
func TestTheMailServerIsTried(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	c := app.Config{Listen: "127.0.0.1:0", EvidenceOrigin: "http://evidence.localhost", PublicURL: "http://localhost", Jurisdiction: "id", Data: t.TempDir()}
	withMail(s)(&c)
	for want, roots := range map[app.Level]*x509.CertPool{app.Fine: s.Roots, app.Warning: nil} {
		c.SMTPRoots = roots
		parts := c.Try(t.Context(), time.Now())
		i := slices.IndexFunc(parts, func(p app.Part) bool { return p.Name == "mail" })
		if i < 0 || parts[i].Level != want {
			t.Errorf("parts: %+v, want mail %s", parts, want)
		}
	}
	if len(s.Letters()) != 0 {
		t.Error("a check sent a letter")
	}
}
