package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/vault"
)

// certificateSoon is how long before its end a certificate is warned about.
const certificateSoon = 14 * 24 * time.Hour

// Try looks at the place that a faultless configuration describes, and changes
// nothing of it: whether a start would succeed there at now, and what it would
// do. Part.Why holds the details.
func (c Config) Try(ctx context.Context, now time.Time) []Part {
	c.complete()
	out := []Part{c.tryData()}
	if c.TLSCert != "" {
		out = append(out, c.tryCertificate(now))
	}
	if c.SMTP != "" {
		out = append(out, c.tryMail(ctx))
	}
	return append(out, c.tryDatabase(ctx)...)
}

// Why returns the details of what is wrong, for whoever runs the machine: it
// may name paths and addresses.
func (p Part) Why() string {
	if p.why == nil {
		return ""
	}
	return p.why.Error()
}

func (c Config) tryData() Part {
	p := Part{Name: "data", Level: Fine}
	info, err := os.Stat(c.Data)
	owner, foreign := Foreign(c.Data, os.Geteuid())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.What = "will be made at the first start"
		if parent, perr := os.Stat(filepath.Dir(c.Data)); perr != nil || !parent.IsDir() {
			p.What, p.Do = "will be made at the first start, with the directories above it", ""
		}
	case err != nil || !info.IsDir():
		p.Level, p.What, p.Do, p.why = Failing, "is no directory that can be used", "give another --data", err
	case foreign:
		p.Level, p.What, p.Do = Warning, "belongs to the user "+owner+", and this check runs as root, who may do everything", "run it as that user, for it to say what a start would meet"
	case info.Mode().Perm()&0o077 != 0:
		p.Level, p.What, p.Do = Warning, fmt.Sprintf("is open to other users (mode %#o)", info.Mode().Perm()), "chmod 700 "+c.Data
	default:
		probe, err := os.CreateTemp(c.Data, ".tangkal-probe-")
		if err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
		if err != nil {
			p.Level, p.What, p.Do, p.why = Failing, "cannot be written", "give it to the user that the program runs as", err
		}
	}
	return p
}

// tryCertificate says whether browsers will take the certificate for both host
// names. Who signed it is not looked at: that is the browsers' matter.
func (c Config) tryCertificate(now time.Time) Part {
	p := Part{Name: "certificate", Level: Fine}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return Part{Name: p.Name, Level: Failing, What: "cannot be read", Do: "give a chain and its key as PEM", why: err}
	}
	for _, origin := range []string{c.PublicURL, c.EvidenceOrigin} {
		u, err := url.Parse(origin)
		if err == nil {
			err = pair.Leaf.VerifyHostname(u.Hostname())
		}
		if err != nil {
			return Part{Name: p.Name, Level: Failing, What: "is not for " + origin, Do: "get one for both host names", why: err}
		}
	}
	return certificatePart(pair.Leaf, now)
}

// certificatePart says whether a certificate holds at now, and for how long.
func certificatePart(leaf *x509.Certificate, now time.Time) Part {
	p := Part{Name: "certificate", Level: Fine, What: "holds until " + leaf.NotAfter.UTC().Format(time.RFC3339)}
	switch {
	case now.After(leaf.NotAfter) || now.Before(leaf.NotBefore):
		p.Level, p.Do = Failing, "renew it, start the program again, which reads the files at its start, and look whether the machine's clock is right"
		p.What = fmt.Sprintf("holds from %s to %s, and it is %s: browsers refuse it", leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly), now.UTC().Format(time.DateOnly))
	case leaf.NotAfter.Sub(now) < certificateSoon:
		p.Level, p.Do = Warning, "renew it, and start the program again: it reads the files at its start"
	}
	return p
}

// tryDatabase asks the database and the vault that belongs to it.
func (c Config) tryDatabase(ctx context.Context) []Part {
	p := Part{Name: "database", Level: Fine}
	if file, ok := strings.CutPrefix(c.DB, "sqlite:"); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			p.What = "will be made at the first start"
			return []Part{p, {Name: "vault", Level: Fine, What: "will be made at the first start"}}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d, err := db.Open(ctx, c.DB)
	if err != nil {
		p.Level, p.What, p.Do, p.why = Failing, "does not open", "mend what is said here; nothing was changed", err
		return []Part{p}
	}
	defer d.Close()
	pending, err := d.Pending(ctx)
	switch {
	case err != nil:
		p.Level, p.What, p.Do, p.why = Failing, "cannot be used", "see why", err
		return []Part{p}
	case len(pending) > 0:
		p.What = fmt.Sprintf("%d migrations would be applied at the start", len(pending))
		p.Level, p.Do = Warning, "back it up first, if anything is in it: they only go forward"
		return []Part{p}
	}
	if by, held := d.HeldBy(); held {
		p.Level, p.What, p.Do = Warning, "is in use by "+by.String(), "stop that one before another starts"
	}
	have, err := reference.Of(ctx, d)
	if err == nil && c.InstanceCode != "" && c.InstanceCode != have.Code {
		p.Level, p.What, p.why = Failing, "belongs to the instance "+have.Code+", not "+c.InstanceCode, reference.ErrOtherCode
		p.Do = "give that --instance-code, or none"
	}
	return []Part{p, c.tryVault(ctx, d)}
}

func (c Config) tryVault(ctx context.Context, d *db.DB) Part {
	p := Part{Name: "vault", Level: Fine}
	vc := c.vault()
	var err error
	if vc.Mark, err = reference.Mark(ctx, d); err == nil && vc.Mark == "" {
		p.What = "will be made or taken over at the first start"
		return p
	}
	var v *vault.Vault
	if err == nil {
		v, err = vault.Open(vc)
	}
	if err == nil {
		err = v.Probe()
	}
	if err != nil {
		p.Level, p.What, p.Do, p.why = Failing, "does not fit or cannot be used", "do not start with another key: see why", err
	}
	return p
}
