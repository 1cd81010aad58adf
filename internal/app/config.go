package app

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/deliver"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/tell"
	"github.com/tangkal/tangkal/internal/trace"
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
	Emergency  string `help:"Number to call in danger, shown on the public pages, as 112. Default: those of the jurisdiction." env:"TANGKAL_EMERGENCY" placeholder:"NUMBER"`
	ExitURL    string `name:"exit-url" help:"Harmless page to which the quick exit of the public pages leads." default:"https://www.wikipedia.org/" env:"TANGKAL_EXIT_URL" placeholder:"URL"`
	Counsel    string `help:"Name of a counsellors' line, shown on the receipt page to whoever is upset by what they saw." env:"TANGKAL_COUNSEL" placeholder:"NAME"`
	CounselURL string `name:"counsel-url" help:"Its address, as https://… or tel:…" env:"TANGKAL_COUNSEL_URL" placeholder:"URL"`

	Recipients string `help:"age public keys of those who may unseal a reporter's contact, one a line." env:"TANGKAL_RECIPIENTS" type:"existingfile" placeholder:"FILE"`

	SpareFiles string `help:"Free space below which no files are taken: texts still are." default:"2GiB" env:"TANGKAL_SPARE_FILES" placeholder:"SIZE"`
	SpareAll   string `help:"Free space below which only answers, appeals and withdrawals are taken." default:"512MiB" env:"TANGKAL_SPARE_ALL" placeholder:"SIZE"`

	SMTP             string `name:"smtp" help:"Mail server that takes our mail, as mail.example:587. Without one nobody is told by mail." env:"TANGKAL_SMTP" placeholder:"HOST:PORT"`
	SMTPTLS          string `name:"smtp-tls" help:"How the connection to it is protected: required (STARTTLS), implicit (TLS from the first byte), none (a server on this machine alone)." default:"required" enum:"required,implicit,none" env:"TANGKAL_SMTP_TLS"`
	SMTPUser         string `name:"smtp-user" help:"User name there, if it asks for one." env:"TANGKAL_SMTP_USER"`
	SMTPPasswordFile string `name:"smtp-password-file" help:"File with the password." env:"TANGKAL_SMTP_PASSWORD_FILE" type:"existingfile" placeholder:"FILE"`
	MailFrom         string `help:"Address that our mail comes from, as tangkal@tangkal.example." env:"TANGKAL_MAIL_FROM" placeholder:"ADDRESS"`
	MailBounces      string `help:"Address that delivery reports come back to, with +TOKEN added to its local part. Default: that of --mail-from." env:"TANGKAL_MAIL_BOUNCES" placeholder:"ADDRESS"`

	OIDCIssuer     string   `name:"oidc-issuer" help:"OpenID provider that says who the people of one organisation are, as https://login.example. Without one nobody comes that way." env:"TANGKAL_OIDC_ISSUER" placeholder:"URL"`
	OIDCName       string   `name:"oidc-name" help:"Its name on the button." default:"OpenID" env:"TANGKAL_OIDC_NAME" placeholder:"NAME"`
	OIDCClient     string   `name:"oidc-client" help:"Client identifier there." env:"TANGKAL_OIDC_CLIENT" placeholder:"ID"`
	OIDCSecretFile string   `name:"oidc-secret-file" help:"File with the client's secret." env:"TANGKAL_OIDC_SECRET_FILE" type:"existingfile" placeholder:"FILE"`
	OIDCOrg        string   `name:"oidc-org" help:"Code of the organisation whose people it knows; it speaks for no other." env:"TANGKAL_OIDC_ORG" placeholder:"CODE"`
	OIDCClaim      string   `name:"oidc-claim" help:"Claim that its tokens must carry, as groups=tangkal." env:"TANGKAL_OIDC_CLAIM" placeholder:"NAME=VALUE"`
	OIDCInside     []string `name:"oidc-inside" help:"Networks of one's own in which it may stand, as 10.20.0.0/24; otherwise only public addresses are asked." env:"TANGKAL_OIDC_INSIDE" placeholder:"NETWORK"`

	Metrics string `help:"Address on which Prometheus reads numbers (/metrics), as 127.0.0.1:9464: for the operator alone. Off unless given." env:"TANGKAL_METRICS" placeholder:"HOST:PORT"`

	Traces      string  `help:"Collector that takes OpenTelemetry traces (OTLP over HTTP), as http://127.0.0.1:4318. Off unless given." env:"TANGKAL_TRACES" placeholder:"URL"`
	TracesShare float64 `help:"Share of requests and jobs that are traced, up to 1." default:"0.1" env:"TANGKAL_TRACES_SHARE" placeholder:"SHARE"`

	HeedWithin time.Duration `name:"heed-within" help:"How long who is on duty has to say that they look when a report says that somebody will be hurt soon, before the deputy is called: 1m to 1h." default:"5m" env:"TANGKAL_HEED_WITHIN" placeholder:"DURATION"`

	QuietRate float64 `help:"Public reports a second up to which no work and no wait is asked of whoever reports." default:"20" env:"TANGKAL_QUIET_RATE" placeholder:"NUMBER"`

	Uncaged bool `help:"Open pictures in the server itself where the system has no cage for them. For development only." env:"TANGKAL_UNCAGED"`

	Places map[admit.Class]admit.Limits `kong:"-" yaml:"-"` // other places than the usual: tests

	DrainFor time.Duration `kong:"-" yaml:"-"` // how long requests in flight may take to finish at a stop; 0: a quarter of a minute

	SlowFor time.Duration `kong:"-" yaml:"-"` // how long the header of a request may take, and its body may stop: tests; 0: headerFor and the pace of patient

	Demo          bool           `kong:"-" yaml:"-"` // one-click sign-ins and invented platforms
	AllowPrefixes []netip.Prefix `kong:"-" yaml:"-"` // inside addresses that captures and webhooks may reach: demo and tests
	AllowPorts    []uint16       `kong:"-" yaml:"-"` // and ports
	SMTPRoots     *x509.CertPool `kong:"-" yaml:"-"` // whom the mail server's certificate may be from; nil: the system's
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
	c.QuietRate, c.TracesShare = cmp.Or(c.QuietRate, 20), cmp.Or(c.TracesShare, 0.1)
	c.SpareFiles, c.SpareAll = cmp.Or(c.SpareFiles, "2GiB"), cmp.Or(c.SpareAll, "512MiB")
	c.DrainFor = cmp.Or(c.DrainFor, drainFor)
	c.OIDCName = cmp.Or(c.OIDCName, "OpenID")
	c.ExitURL, c.HeedWithin = cmp.Or(c.ExitURL, "https://www.wikipedia.org/"), cmp.Or(c.HeedWithin, tell.UsualHeed)
	c.SMTPTLS, c.MailBounces = cmp.Or(c.SMTPTLS, string(deliver.Required)), cmp.Or(c.MailBounces, c.MailFrom)
}

// dialled is a number as one dials it.
var dialled = regexp.MustCompile(`^\+?[0-9][0-9 -]{0,19}$`)

// spare reads the two sizes of free space.
func (c Config) spare() (files, all int64, err error) {
	read := func(name, text string) int64 {
		n, bad := humanize.ParseBytes(text)
		if bad != nil || n > 1<<50 {
			err = errors.Join(err, fmt.Errorf("%s %q: want a size, as 2GiB", name, text))
			return 0
		}
		return int64(n) //nolint:gosec // bounded above
	}
	files, all = read("spare-files", c.SpareFiles), read("spare-all", c.SpareAll)
	if err == nil && files < all {
		err = fmt.Errorf("spare-files %s: want at least spare-all, which is %s", c.SpareFiles, c.SpareAll)
	}
	return files, all, err
}

// Check names every fault of the configuration at once.
func (c Config) Check() error {
	c.complete()
	var f faults
	c.checkAddresses(&f)
	c.checkWatching(&f)
	c.checkIntake(&f)
	c.checkMail(&f)
	c.checkProvider(&f)
	c.checkFiles(&f)
	return errors.Join(f...)
}

// faults are what is wrong with a configuration, each with its option in front.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

// checkAddresses names what is wrong with where the server is found, and its
// name.
func (c Config) checkAddresses(f *faults) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		f.add("listen %q: want HOST:PORT, as 127.0.0.1:8080", c.Listen)
	}
	public, err := url.Parse(c.PublicURL)
	if err != nil || !alone(public) {
		f.add("public-url %q: want scheme and host alone, as https://tangkal.example", c.PublicURL)
	}
	evidence, err := url.Parse(c.EvidenceOrigin)
	switch {
	case c.EvidenceOrigin == "":
		f.add("evidence-origin: required, so that hostile material never runs on the origin of the pages; give another host name of this server, as https://evidence.tangkal.example")
	case err != nil || !alone(evidence):
		f.add("evidence-origin %q: want scheme and host alone", c.EvidenceOrigin)
	case public != nil && strings.EqualFold(evidence.Hostname(), public.Hostname()):
		// Another port alone would share the pages' cookies (RFC 6265, section 8.5).
		f.add("evidence-origin %q: must be another host name than public-url's", c.EvidenceOrigin)
	case public != nil && public.Scheme == "https" && evidence.Scheme != "https":
		f.add("evidence-origin %q: want https, as public-url: browsers show no picture of a plain origin on a secure page", c.EvidenceOrigin)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		f.add("tls-cert and tls-key: give both or neither")
	}
	if c.InstanceCode != "" && (len(c.InstanceCode) < 2 || len(c.InstanceCode) > 12 || strings.Trim(c.InstanceCode, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "") {
		f.add("instance-code %q: want 2 to 12 of A-Z and 0-9", c.InstanceCode)
	}
	if err := db.Check(c.DB); err != nil {
		f.add("db %q: %w", redact(c.DB), err)
	}
}

// alone reports whether u is scheme and host and nothing behind them.
func alone(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Path == ""
}

// checkWatching names what is wrong with metrics and traces.
func (c Config) checkWatching(f *faults) {
	if _, _, err := net.SplitHostPort(c.Metrics); c.Metrics != "" && (err != nil || c.Metrics == c.Listen) {
		f.add("metrics %q: want HOST:PORT of its own, as 127.0.0.1:9464", c.Metrics)
	}
	if c.Traces != "" {
		if err := trace.CheckEndpoint(c.Traces); err != nil {
			f.add("traces: %w", err) // not quoted: it may hold a secret
		}
	}
	if !(c.TracesShare > 0 && c.TracesShare <= 1) {
		f.add("traces-share %v: want a number above 0, up to 1", c.TracesShare)
	}
}

// checkIntake names what is wrong with how reports are taken and what the
// public form names.
func (c Config) checkIntake(f *faults) {
	if !(c.QuietRate > 0) {
		f.add("quiet-rate %v: want a number above 0", c.QuietRate)
	}
	if _, _, err := c.spare(); err != nil {
		*f = append(*f, err)
	}
	if c.HeedWithin < time.Minute || c.HeedWithin > time.Hour {
		f.add("heed-within %s: want 1m to 1h", c.HeedWithin)
	}
	if u, err := url.Parse(c.ExitURL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		f.add("exit-url %q: want https://…, as https://www.wikipedia.org/", c.ExitURL)
	}
	if c.Emergency != "" && !dialled.MatchString(c.Emergency) {
		f.add("emergency %q: want a number to dial, as 112", c.Emergency)
	}
	if (c.Counsel == "") != (c.CounselURL == "") {
		f.add("counsel and counsel-url: give both or neither")
	}
	if u, err := url.Parse(c.CounselURL); c.CounselURL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "tel") {
		f.add("counsel-url %q: want https://… or tel:…", c.CounselURL)
	}
}

// checkFiles reads what the configuration names.
func (c Config) checkFiles(f *faults) {
	if c.TLSCert != "" && c.TLSKey != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			f.add("tls-cert and tls-key: %w", err)
		}
	}
	if packs, err := c.packs(); err != nil {
		*f = append(*f, err)
	} else if !slices.Contains(packs.Codes(), c.Jurisdiction) {
		f.add("jurisdiction %q: there is no such policy pack, but %s", c.Jurisdiction, strings.Join(packs.Codes(), ", "))
	}
	if _, err := c.platforms(); err != nil {
		*f = append(*f, err)
	}
	if c.Recipients != "" {
		if _, err := vault.ReadRecipients(c.Recipients); err != nil {
			f.add("recipients: %w", err)
		}
	}
}

// packs reads the policy packs: ours and the operator's.
func (c Config) packs() (*policy.Set, error) {
	if c.Packs == "" {
		return policy.Default(), nil
	}
	found, err := filepath.Glob(filepath.Join(c.Packs, "*.yaml"))
	if err == nil && len(found) == 0 {
		err = errors.New("there is no *.yaml in it")
	}
	if err != nil {
		return nil, fmt.Errorf("policy packs in %s: %w", c.Packs, err)
	}
	packs, err := policy.LoadDir(c.Packs)
	if err != nil {
		return nil, fmt.Errorf("policy packs in %s: %w", c.Packs, err)
	}
	return packs, nil
}

// platforms reads the rules for platforms' links: ours and the operator's.
func (c Config) platforms() (*canonical.Platforms, error) {
	known := canonical.Builtin
	if c.Demo {
		known = canonical.Demo
	}
	all, err := known()
	if err != nil || c.Platforms == "" {
		return all, err
	}
	raw, err := os.ReadFile(c.Platforms)
	if err == nil {
		all, err = all.With(c.Platforms, raw)
	}
	if err != nil {
		return nil, fmt.Errorf("platform rules: %w", err)
	}
	return all, nil
}

// A Setting is one line of the effective configuration.
type Setting struct{ Name, Value string }

// Settings returns the configuration that holds, defaults filled in and passwords
// in addresses hidden, in the order of the fields.
func (c Config) Settings() []Setting {
	c.complete()
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
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
		{"emergency", c.Emergency},
		{"exit-url", c.ExitURL},
		{"counsel", c.Counsel},
		{"counsel-url", c.CounselURL},
		{"recipients", c.Recipients},
		{"spare-files", c.SpareFiles},
		{"spare-all", c.SpareAll},
		{"smtp", c.SMTP},
		{"smtp-tls", c.SMTPTLS},
		{"smtp-user", c.SMTPUser},
		{"smtp-password-file", c.SMTPPasswordFile},
		{"mail-from", c.MailFrom},
		{"mail-bounces", c.MailBounces},
		{"oidc-issuer", redact(c.OIDCIssuer)},
		{"oidc-name", c.OIDCName},
		{"oidc-client", c.OIDCClient},
		{"oidc-secret-file", c.OIDCSecretFile},
		{"oidc-org", c.OIDCOrg},
		{"oidc-claim", c.OIDCClaim},
		{"oidc-inside", strings.Join(c.OIDCInside, ",")},
		{"metrics", c.Metrics},
		{"traces", redact(c.Traces)},
		{"traces-share", number(c.TracesShare)},
		{"heed-within", c.HeedWithin.String()},
		{"quiet-rate", number(c.QuietRate)},
		{"uncaged", strconv.FormatBool(c.Uncaged)},
	}
}

// redact hides a password in an address.
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

// emergency are the numbers that the public pages name: the operator's, else
// the jurisdiction's.
func (c Config) emergency() []policy.EmergencyNumber {
	if c.Emergency != "" {
		return []policy.EmergencyNumber{{Number: c.Emergency}}
	}
	return policy.EmergencyNumbers(c.Jurisdiction)
}
