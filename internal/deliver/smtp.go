package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/textproto"

	gomail "github.com/wneessen/go-mail"

	"github.com/tangkal/tangkal/internal/mail"
)

// A Security is how a connection to the mail server is protected.
type Security string

// The securities. The zero value is Required.
const (
	Required Security = "required" // STARTTLS, or nothing is sent (RFC 3207)
	Implicit Security = "implicit" // TLS from the first byte (RFC 8314)
	Plain    Security = "none"     // for a server on the same machine alone
)

// An SMTP is the operator's own mail server, which takes what we send.
type SMTP struct {
	Host     string
	Port     int
	Security Security
	User     string // "" for a server that asks for none
	Password string
	FromName string
	From     string         // address in the header; the envelope has the return path
	RootCAs  *x509.CertPool // nil: the system's
}

// maxSubject is the length of a subject in characters.
const maxSubject = 200

// Mail returns the sender of letters: one connection for each, plain text, with
// a request for a report if it fails (RFC 3461).
func (s SMTP) Mail() mail.Sender {
	return func(ctx context.Context, m mail.Message) mail.Result {
		msg, err := s.message(m)
		if err != nil {
			return mail.Result{Final: true, Error: "address"}
		}
		return s.send(ctx, msg)
	}
}

// Try connects, protects the connection and signs in, and sends nothing.
func (s SMTP) Try(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return err
	}
	return c.Close()
}

// message is m on the wire. Nobody answers it by mail, and no program should.
func (s SMTP) message(m mail.Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.EnvelopeFrom(m.ReturnPath), msg.To(m.To)); err != nil {
		return nil, err
	}
	msg.FromMailAddress(&netmail.Address{Name: mail.Line(s.FromName, 100), Address: s.From})
	msg.Subject(mail.Line(m.Subject, maxSubject))
	msg.SetMessageIDWithValue(m.ID + "@" + host(s.From))
	msg.SetDateWithValue(m.At)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, section 5
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return msg, nil
}

func (s SMTP) client() (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTLSConfig(&tls.Config{ServerName: s.Host, RootCAs: s.RootCAs, MinVersion: tls.VersionTLS12}),
		gomail.WithHELO(host(s.From)), gomail.WithDSNMailReturnType(gomail.DSNMailReturnHeadersOnly),
		gomail.WithDSNRcptNotifyType(gomail.DSNRcptNotifyFailure),
	}
	switch s.Security {
	case Implicit:
		options = append(options, gomail.WithSSL())
	case Plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	return gomail.NewClient(s.Host, options...)
}

func (s SMTP) send(ctx context.Context, msg *gomail.Msg) mail.Result {
	c, err := s.client()
	if err == nil {
		err = c.DialAndSendWithContext(ctx, msg)
	}
	if msg.IsDelivered() {
		return mail.Result{OK: true, Code: 250} // a goodbye that failed undoes nothing
	}
	return refusal(err)
}

// refusal sorts why a letter was not taken. Only what the server says for good
// about this receiver or this text is the letter's own fault; a refused sender,
// sign-in or connection is to be mended here, and the letter waits.
func refusal(err error) mail.Result {
	if err == nil {
		return mail.Result{Error: "unsent"}
	}
	r := mail.Result{Error: reason(err)}
	var protocol *textproto.Error
	if errors.As(err, &protocol) {
		r.Code, r.Error = protocol.Code, fmt.Sprint(protocol.Code)
	}
	var sent *gomail.SendError
	if errors.As(err, &sent) && sent.ErrorCode() > 0 {
		r.Code, r.Error = sent.ErrorCode(), fmt.Sprint(sent.ErrorCode())
		if code := sent.EnhancedStatusCode(); code != "" {
			r.Error += " " + code
		}
		about := sent.Reason == gomail.ErrSMTPRcptTo || sent.Reason == gomail.ErrSMTPData || sent.Reason == gomail.ErrSMTPDataClose
		r.Final = about && !sent.IsTemp() && r.Code >= 500
	}
	return r
}

// host is the host of an address.
func host(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == '@' {
			return address[i+1:]
		}
	}
	return "localhost"
}
