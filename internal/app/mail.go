package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/deliver"
	"github.com/tangkal/tangkal/internal/mail"
)

// maxBounces is the longest local part that leaves room for "+" and the token
// of a return path within 64 characters (RFC 5321, section 4.5.3.1.1).
const maxBounces = 64 - 1 - 42

// checkMail names every fault of what is set about mail.
func (c Config) checkMail(f *faults) {
	if c.SMTP == "" {
		if c.SMTPUser != "" || c.SMTPPasswordFile != "" || c.MailFrom != "" {
			f.add("smtp: required, or leave out smtp-user, smtp-password-file and mail-from too")
		}
		return
	}
	host, port, err := net.SplitHostPort(c.SMTP)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || host == "" || n < 1 || n > 1<<16-1 {
		f.add("smtp %q: want HOST:PORT, as mail.example:587", c.SMTP)
	}
	switch deliver.Security(c.SMTPTLS) {
	case deliver.Required, deliver.Implicit:
	case deliver.Plain:
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			f.add("smtp-tls none: only for a mail server on this machine, not %q", host)
		}
	default:
		f.add("smtp-tls %q: want required, implicit or none", c.SMTPTLS)
	}
	if (c.SMTPUser == "") != (c.SMTPPasswordFile == "") {
		f.add("smtp-user and smtp-password-file: give both or neither")
	}
	if _, err := c.smtpPassword(); err != nil {
		f.add("smtp-password-file: %w", err)
	}
	if a, ok := mail.Address(c.MailFrom); !ok || a != c.MailFrom {
		f.add("mail-from %q: want an address alone, as tangkal@tangkal.example", c.MailFrom)
	}
	a, ok := mail.Address(c.MailBounces)
	local, _, _ := strings.Cut(a, "@")
	if !ok || a != c.MailBounces || len(local) > maxBounces || strings.Contains(local, "+") {
		f.add("mail-bounces %q: want an address alone, with at most %d characters before the @ and no +", c.MailBounces, maxBounces)
	}
}

func (c Config) smtpPassword() (string, error) {
	if c.SMTPPasswordFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(c.SMTPPasswordFile)
	password := strings.TrimRight(string(raw), "\r\n")
	if err == nil && (password == "" || strings.ContainsAny(password, "\r\n")) {
		err = errors.New("want one line with the password")
	}
	return password, err
}

// smtp returns the mail server as set, and false if there is none.
func (c Config) smtp() (s deliver.SMTP, ok bool, err error) {
	if c.SMTP == "" {
		return s, false, nil
	}
	host, port, err := net.SplitHostPort(c.SMTP)
	if err != nil {
		return s, false, err
	}
	s = deliver.SMTP{Host: host, Security: deliver.Security(c.SMTPTLS), User: c.SMTPUser, FromName: c.InstanceName, From: c.MailFrom, RootCAs: c.SMTPRoots}
	if s.Port, err = strconv.Atoi(port); err != nil {
		return s, false, err
	}
	s.Password, err = c.smtpPassword()
	return s, true, err
}

// openMail makes what writes and sends letters.
func (a *App) openMail() error {
	d := mail.Deps{DB: a.DB, Feed: a.Feed, Clock: a.Clock, MAC: a.Vault.MAC, Log: a.Log, Bounces: a.Config.MailBounces}
	s, ok, err := a.Config.smtp()
	if err != nil {
		return err
	}
	if ok {
		d.Send = a.tracedMail(s.Mail())
	}
	a.Mail = mail.New(d)
	return nil
}

// tryMail signs in at the mail server and sends nothing.
func (c Config) tryMail(ctx context.Context) Part {
	p := Part{Name: "mail", Level: Fine, What: "the mail server answers"}
	s, _, err := c.smtp()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		err = s.Try(ctx)
	}
	if err != nil {
		p.Level, p.What, p.Do, p.why = Warning, "the mail server cannot be used", "see why; everything but mail works meanwhile", err
	}
	return p
}

// mailPart says whether letters leave. Everything else works without them.
func (a *App) mailPart(ctx context.Context) Part {
	p := Part{Name: "mail", Level: Fine}
	n, why, err := a.Mail.Stuck(ctx)
	switch {
	case err != nil:
		p.Level, p.What, p.Do, p.why = Warning, "cannot be asked", "see the database", err
	case n > 0:
		p.Level, p.What, p.why = Warning, "letters wait: the mail server does not take them", fmt.Errorf("%d letters, last answer %q", n, why)
		p.Do = "look at the mail server and its password; letters are tried for five days"
	}
	return p
}
