package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/tangkal/tangkal/internal/vault"
)

// A Config says how an instance runs. Each field can be given as a flag, as
// TANGKAL_<NAME> in the environment, or in a YAML file; absent means sensible.
type Config struct {
	Data           string `help:"Directory for the database (SQLite), evidence and the instance key." default:"tangkal-data" env:"TANGKAL_DATA" type:"path"`
	DB             string `name:"db" help:"Database: sqlite:PATH or postgres://USER@HOST/NAME. Default: SQLite in the data directory." env:"TANGKAL_DB"`
	Listen         string `help:"Address to serve on." default:"127.0.0.1:8080" env:"TANGKAL_LISTEN"`
	PublicURL      string `help:"Address that people use, as https://tangkal.example. Default: that of --listen." env:"TANGKAL_PUBLIC_URL" placeholder:"URL"`
	EvidenceOrigin string `help:"Origin that evidence is served from: another host name for the same server, as https://evidence.tangkal.example." env:"TANGKAL_EVIDENCE_ORIGIN" placeholder:"URL"`
	TLSCert        string `name:"tls-cert" help:"Certificate chain (PEM). Without it, serve plain HTTP behind a proxy that ends TLS." env:"TANGKAL_TLS_CERT" type:"existingfile" placeholder:"FILE"`
	TLSKey         string `name:"tls-key" help:"Private key of the certificate (PEM)." env:"TANGKAL_TLS_KEY" type:"existingfile" placeholder:"FILE"`

	InstanceCode string `help:"Short code in every reference, 2 to 12 of A-Z and 0-9; fixed at the first start, TGK if none is given." env:"TANGKAL_INSTANCE_CODE"`
	InstanceName string `help:"Name of this installation." default:"Tangkal" env:"TANGKAL_INSTANCE_NAME"`
	Jurisdiction string `help:"Policy pack that routes reports." default:"id" env:"TANGKAL_JURISDICTION"`

	Packs      string `help:"Directory with further policy packs (YAML)." env:"TANGKAL_PACKS" type:"existingdir" placeholder:"DIR"`
	Platforms  string `help:"File with further rules for platforms' links (YAML)." env:"TANGKAL_PLATFORMS" type:"existingfile" placeholder:"FILE"`
	Recipients string `help:"age public keys of those who may unseal a reporter's contact, one a line." env:"TANGKAL_RECIPIENTS" type:"existingfile" placeholder:"FILE"`

	Demo          bool           `kong:"-" yaml:"-"` // one-click sign-ins and invented platforms
	AllowPrefixes []netip.Prefix `kong:"-" yaml:"-"` // inside addresses that captures and webhooks may reach: demo and tests
	AllowPorts    []uint16       `kong:"-" yaml:"-"` // and ports
}

// complete fills in what follows from other fields.
func (c *Config) complete() {
	if c.DB == "" {
		c.DB = "sqlite:" + filepath.Join(c.Data, "tangkal.db")
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Listen
		if c.TLSCert != "" {
			c.PublicURL = "https://" + c.Listen
		}
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
}

// Check names every fault of the configuration at once.
func (c Config) Check() error {
	c.complete()
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		add("listen %q: want HOST:PORT, as 127.0.0.1:8080", c.Listen)
	}
	public, err := url.Parse(c.PublicURL)
	if err != nil || public.Scheme != "https" && public.Scheme != "http" || public.Host == "" || public.Path != "" {
		add("public-url %q: want scheme and host alone, as https://tangkal.example", c.PublicURL)
	}
	evidence, err := url.Parse(c.EvidenceOrigin)
	switch {
	case c.EvidenceOrigin == "":
		add("evidence-origin: required, so that hostile material never runs on the origin of the pages; give another host name of this server, as https://evidence.tangkal.example")
	case err != nil || evidence.Host == "" || evidence.Path != "" || evidence.Scheme != "https" && evidence.Scheme != "http":
		add("evidence-origin %q: want scheme and host alone", c.EvidenceOrigin)
	case public != nil && evidence.Host == public.Host:
		add("evidence-origin %q: must be another host name than public-url's", c.EvidenceOrigin)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		add("tls-cert and tls-key: give both or neither")
	}
	if c.InstanceCode != "" && (len(c.InstanceCode) < 2 || len(c.InstanceCode) > 12 || strings.Trim(c.InstanceCode, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "") {
		add("instance-code %q: want 2 to 12 of A-Z and 0-9", c.InstanceCode)
	}
	if !strings.HasPrefix(c.DB, "sqlite:") && !strings.HasPrefix(c.DB, "postgres://") && !strings.HasPrefix(c.DB, "postgresql://") {
		add("db %q: want sqlite:PATH or postgres://USER@HOST/NAME", redact(c.DB))
	}
	return errors.Join(faults...)
}

// A Setting is one line of the effective configuration.
type Setting struct{ Name, Value string }

// Settings returns the configuration that holds, defaults filled in and the
// database's password hidden, in the order of the fields.
func (c Config) Settings() []Setting {
	c.complete()
	return []Setting{
		{"data", c.Data},
		{"db", redact(c.DB)},
		{"listen", c.Listen},
		{"public-url", c.PublicURL},
		{"evidence-origin", c.EvidenceOrigin},
		{"tls-cert", c.TLSCert},
		{"tls-key", c.TLSKey},
		{"instance-code", c.InstanceCode},
		{"instance-name", c.InstanceName},
		{"jurisdiction", c.Jurisdiction},
		{"packs", c.Packs},
		{"platforms", c.Platforms},
		{"recipients", c.Recipients},
	}
}

// redact hides a password in a database URL.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}

// secure reports whether people reach the pages over TLS.
func (c Config) secure() bool { return strings.HasPrefix(c.PublicURL, "https://") }

// vault returns where evidence and the instance key lie.
func (c Config) vault() vault.Config {
	return vault.Config{Dir: filepath.Join(c.Data, "vault"), KeyFile: filepath.Join(c.Data, "instance.key")}
}

// makeData creates the data directory for its owner only.
func (c Config) makeData() error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
