package deliver_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/deliver"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/mail/mailtest"
)

func wire(s *mailtest.Server) deliver.SMTP {
	return deliver.SMTP{Host: s.Host, Port: s.Port, FromName: "Tangkal", From: "tangkal@tangkal.example", RootCAs: s.Roots}
}

func message() mail.Message {
	return mail.Message{
		ID: "0190b6f2-5b1e-7c3a-9d4e-0123456789ab", ReturnPath: "bounces+abc@tangkal.example", To: "duty@platform.example",
		Subject: "Perintah penghapusan – DEMO-PH-2026-00001", Text: "Nomor: DEMO-PH-2026-00001\n", At: time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC),
	}
}

func TestALetterArrivesOverTLS(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Users: map[string]string{"tangkal": "a password"}})
	w := wire(s)
	w.User, w.Password = "tangkal", "a password"
	if r := w.Mail()(t.Context(), message()); !r.OK {
		t.Fatalf("not sent: %+v", r)
	}
	got := s.Wait(t, 1)[0]
	if !got.Secure || got.User != "tangkal" || got.From != "bounces+abc@tangkal.example" || !slices.Equal(got.To, []string{"duty@platform.example"}) {
		t.Errorf("envelope: %+v", got)
	}
	h, body := read(t, got.Raw)
	want := map[string]string{
		"From": `"Tangkal" <tangkal@tangkal.example>`, "To": "<duty@platform.example>", "Subject": "Perintah penghapusan – DEMO-PH-2026-00001",
		"Message-Id": "<0190b6f2-5b1e-7c3a-9d4e-0123456789ab@tangkal.example>", "Auto-Submitted": "auto-generated",
		"Date": "Sun, 22 Nov 2026 07:00:00 +0000",
	}
	for name, value := range want {
		if got := decoded(t, h.Get(name)); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if !strings.Contains(body, "DEMO-PH-2026-00001") {
		t.Errorf("body: %q", body)
	}
}

// Without TLS, with a certificate of somebody else, or without the password,
// nothing is said, and the letter waits.
func TestNothingIsSaidToAServerThatIsNotOurs(t *testing.T) {
	for name, change := range map[string]func(*mailtest.Server, *deliver.SMTP){
		"unknown certificate": func(_ *mailtest.Server, w *deliver.SMTP) { w.RootCAs = nil },
		"wrong password":      func(_ *mailtest.Server, w *deliver.SMTP) { w.Password = "another" },
		"other port":          func(_ *mailtest.Server, w *deliver.SMTP) { w.Port = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, mailtest.Options{Users: map[string]string{"tangkal": "a password"}})
			w := wire(s)
			w.User, w.Password = "tangkal", "a password"
			change(s, &w)
			if r := w.Mail()(t.Context(), message()); r.OK || r.Final || r.Error == "" {
				t.Errorf("answer: %+v", r)
			}
			if err := w.Try(t.Context()); err == nil {
				t.Error("the check finds nothing")
			}
			if got := s.Letters(); len(got) > 0 {
				t.Errorf("it got %d letters", len(got))
			}
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		s := mailtest.Start(t, mailtest.Options{NoTLS: true})
		if r := wire(s).Mail()(t.Context(), message()); r.OK || r.Final {
			t.Errorf("answer: %+v", r)
		}
		plain := wire(s)
		plain.Security = deliver.Plain
		if r := plain.Mail()(t.Context(), message()); !r.OK {
			t.Errorf("where it is allowed: %+v", r)
		}
	})
}

func TestARefusalIsSorted(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	for _, c := range []struct {
		answer *smtp.SMTPError
		want   mail.Result
	}{
		{&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}, mail.Result{Final: true, Code: 550, Error: "550 5.1.1"}},
		{&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}, mail.Result{Code: 451, Error: "451 4.3.0"}},
	} {
		s.Refuse(func(string) error { return c.answer })
		if diff := cmp.Diff(c.want, wire(s).Mail()(t.Context(), message())); diff != "" {
			t.Errorf("%d: (-want +got)\n%s", c.answer.Code, diff)
		}
	}
}

// TestNoNameAddsAHeader is "1,000 header injections: 0 extra headers" (issue 3,
// Must show 7): whatever stands in a subject or a name, the server gets the
// headers of an ordinary letter, each once, and one body.
func TestNoNameAddsAHeader(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	want := headerNames(t, sendOne(t, s, wire(s), message()))
	const letters = 1000
	r := rand.New(rand.NewPCG(1, 2))
	for i := range letters {
		hostile, m, w := hostileText(r, i), message(), wire(s)
		m.Subject, w.FromName = hostile, hostile
		got := sendOne(t, s, w, m)
		if names := headerNames(t, got); !maps.Equal(names, want) {
			t.Fatalf("%q: headers %v, want %v", hostile, names, want)
		}
		if _, body := read(t, got.Raw); strings.TrimSpace(body) != strings.TrimSpace(m.Text) {
			t.Fatalf("%q: body %q", hostile, body)
		}
		if len(got.To) != 1 || got.To[0] != m.To {
			t.Fatalf("%q: to %v", hostile, got.To)
		}
	}
}

// A writer that puts texts into headers as they are fails the same look: the
// test above can fail.
func TestTheLookFindsAnInjectedHeader(t *testing.T) {
	found := 0
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		raw := fmt.Appendf(nil, "From: <a@b.example>\r\nSubject: %s\r\n\r\nbody\r\n", hostileText(r, i))
		if h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw))).ReadMIMEHeader(); err != nil || len(h) != 2 {
			found++
		}
	}
	if found < 500 {
		t.Errorf("%d of 1000 texts are hostile to a careless writer", found)
	}
}

// hostileText is one of the texts that have split headers elsewhere.
func hostileText(r *rand.Rand, i int) string {
	breaks := []string{"\r\n", "\n", "\r", "\n\r", "\r\n ", "\r\n\t", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x00\r\n", "%0d%0a", "=0D=0A", "=?utf-8?q?=0d=0a?=", "\u560d\u560a", "\r\n\r\n"}
	headers := []string{"Bcc: everybody@else.example", "Reply-To: me@else.example", "X-Authority: yes", "Content-Type: text/html", "To: other@else.example", ".\r\nMAIL FROM:<x@else.example>", "Subject: another"}
	quotes := []string{"", `"`, `\`, "<", ">", "\" <x@else.example>, \"", "(", ";", ",", ":", "=?"}
	pick := func(all []string) string { return all[r.IntN(len(all))] }
	return fmt.Sprintf("Kem. Contoh %d%s%s%s%s%s", i, pick(quotes), breaks[i%len(breaks)], pick(headers), pick(breaks), strings.Repeat("x", r.IntN(400)))
}

func sendOne(t *testing.T, s *mailtest.Server, w deliver.SMTP, m mail.Message) mailtest.Letter {
	t.Helper()
	before := len(s.Letters())
	if r := w.Mail()(t.Context(), m); !r.OK {
		t.Fatalf("%q was not sent: %+v", m.Subject, r)
	}
	return s.Wait(t, before+1)[before]
}

func headerNames(t *testing.T, l mailtest.Letter) map[string]int {
	t.Helper()
	h, _ := read(t, l.Raw)
	out := map[string]int{}
	for name, values := range h {
		out[name] = len(values)
	}
	return out
}

func read(t *testing.T, raw []byte) (netmail.Header, string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, string(body)
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	out, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
