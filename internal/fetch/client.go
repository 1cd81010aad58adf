// Package fetch is the one way out to addresses that others gave us: webhook
// endpoints, reported links, media on a reported page (threat-model T17).
//
// Every connection is checked when it is made, after the name was resolved,
// against all special-purpose address ranges, so that neither an odd notation
// nor a changed DNS answer nor a redirect reaches the inside. Environment
// proxies are not used, cookies are not kept, and time, headers and bodies are
// bounded. A browser that takes a screenshot goes out through the same dialer.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
	"github.com/dustin/go-humanize"
	"golang.org/x/net/idna"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/fault"
)

// Limits that the configuration does not move.
const (
	// WebhookBytes is how much of a webhook's answer is read.
	WebhookBytes = 64 << 10
	// ScreenshotBytes is the largest screenshot kept.
	ScreenshotBytes = 5 << 20

	maxRedirects   = 5
	maxHeaderBytes = 64 << 10
	maxURLBytes    = 8 << 10
	dialTimeout    = 5 * time.Second
	tlsTimeout     = 10 * time.Second
)

// Config says where a Client may go and how far. The zero value reaches public
// addresses over HTTPS on port 443.
type Config struct {
	// UserAgent is what we call ourselves; "Tangkal" if empty.
	UserAgent string
	// AllowHTTP also permits plain HTTP, and port 80 with it.
	AllowHTTP bool
	// Ports replaces the ports that may be connected to.
	Ports []uint16
	// AllowHosts, if not empty, are the only hosts that may be asked for
	// (allow-list mode); their addresses are checked all the same.
	AllowHosts []string
	// AllowPrefixes are special-purpose addresses that may be reached in spite
	// of what they are: the demo's and the tests' own servers.
	AllowPrefixes []netip.Prefix
	// DenyPrefixes are public addresses that may not be reached, as the
	// operator's own networks.
	DenyPrefixes []netip.Prefix
	// RootCAs replaces the system's certificate authorities.
	RootCAs *x509.CertPool
	// Resolver replaces the system's name servers.
	Resolver *net.Resolver
	// Clock tells the time of captures; the system's if nil.
	Clock clock.Clock

	// Timeout bounds one request with its answer and redirects; 30 s if 0.
	Timeout time.Duration
	// HeaderTimeout bounds the wait for an answer's header; 10 s if 0.
	HeaderTimeout time.Duration
	// MaxBytes bounds what one Get or one Capture keeps, and the traffic of one
	// screenshot; 50 MB if 0.
	MaxBytes int64
	// MaxMedia bounds the media that a Capture fetches beside the page; 20 if 0.
	MaxMedia int

	// Browser is the path of a Chromium; if empty, the usual names are looked
	// for on the PATH.
	Browser string
	// BrowserUser is the account under which the browser runs if we are root;
	// "nobody" if empty.
	BrowserUser string
	// BrowserTimeout bounds a screenshot; 20 s if 0.
	BrowserTimeout time.Duration
}

// Validate names every fault of c at once.
func (c Config) Validate() error {
	var errs []error
	for _, h := range c.AllowHosts {
		if _, err := cleanHost(h); err != nil {
			errs = append(errs, fmt.Errorf("fetch: AllowHosts: %q is no host name", h))
		}
	}
	for _, p := range slices.Concat(c.AllowPrefixes, c.DenyPrefixes) {
		if !p.IsValid() {
			errs = append(errs, errors.New("fetch: a prefix is not valid"))
		}
	}
	if c.Timeout < 0 || c.HeaderTimeout < 0 || c.BrowserTimeout < 0 || c.MaxBytes < 0 || c.MaxMedia < 0 {
		errs = append(errs, errors.New("fetch: a limit is negative"))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.UserAgent = or(c.UserAgent, "Tangkal")
	c.Timeout = or(c.Timeout, 30*time.Second)
	c.HeaderTimeout = or(c.HeaderTimeout, 10*time.Second)
	c.MaxBytes = or(c.MaxBytes, 50<<20)
	c.MaxMedia = or(c.MaxMedia, 20)
	c.BrowserUser = or(c.BrowserUser, "nobody")
	c.BrowserTimeout = or(c.BrowserTimeout, 20*time.Second)
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if len(c.Ports) == 0 {
		c.Ports = []uint16{443}
		if c.AllowHTTP {
			c.Ports = []uint16{443, 80}
		}
	}
	if c.Resolver == nil {
		// Go's own resolver: the system's would read 0x7f.1 as an address.
		c.Resolver = &net.Resolver{PreferGo: true}
	}
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// A Client goes out. Any number of goroutines may share it.
type Client struct {
	cfg    Config
	hosts  map[string]bool // allow-list mode if not empty
	dialer *net.Dialer
	shots  chan struct{} // holds one token while a browser runs
}

// metadataPrefix is a cloud's metadata and host service on a public address,
// which no registry of special addresses lists.
var metadataPrefix = netip.MustParsePrefix("168.63.129.16/32")

// New returns a client for c.
func New(c Config) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	allow4, allow6 := split(c.AllowPrefixes)
	deny4, deny6 := split(c.DenyPrefixes)
	guard := ssrf.New(
		ssrf.WithPorts(c.Ports...),
		ssrf.WithAllowedV4Prefixes(allow4...), ssrf.WithAllowedV6Prefixes(allow6...),
		ssrf.WithDeniedV4Prefixes(append(deny4, metadataPrefix)...), ssrf.WithDeniedV6Prefixes(deny6...),
	)
	client := &Client{
		cfg:    c,
		hosts:  map[string]bool{},
		dialer: &net.Dialer{Timeout: dialTimeout, Resolver: c.Resolver, Control: guard.Safe},
		shots:  make(chan struct{}, 1),
	}
	for _, h := range c.AllowHosts {
		clean, err := cleanHost(h)
		if err != nil {
			return nil, err
		}
		client.hosts[clean] = true
	}
	return client, nil
}

func split(prefixes []netip.Prefix) (v4, v6 []netip.Prefix) {
	for _, p := range prefixes {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return v4, v6
}

// Check tells whether we would ask for raw at all, by its form alone: nothing
// is resolved or connected. The faults are Invalid: "fetch.url" (no absolute
// address, with credentials, or with a host in an odd notation), "fetch.scheme"
// and "fetch.refused" (a host or port that is not allowed).
func (c *Client) Check(raw string) error {
	_, err := c.parse(raw)
	return err
}

// parse checks raw and returns it with a clean host, a port of ours and no
// fragment.
func (c *Client) parse(raw string) (*url.URL, error) {
	if len(raw) > maxURLBytes {
		return nil, fault.New(fault.Invalid, "fetch.url")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" || u.User != nil {
		return nil, fault.New(fault.Invalid, "fetch.url").Because(err)
	}
	port := uint16(443)
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && c.cfg.AllowHTTP:
		port = 80
	default:
		return nil, fault.New(fault.Invalid, "fetch.scheme")
	}
	host, err := cleanHost(u.Hostname())
	if err != nil {
		return nil, fault.New(fault.Invalid, "fetch.url").Because(err)
	}
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fault.New(fault.Invalid, "fetch.url").Because(err)
		}
		port = uint16(n)
	}
	if !slices.Contains(c.cfg.Ports, port) || len(c.hosts) > 0 && !c.hosts[host] {
		return nil, refused(nil)
	}
	u.Host = joinHost(host, u.Port())
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

func joinHost(host, port string) string {
	switch {
	case port != "":
		return net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}

// cleanHost returns host in lower-case ASCII. A host that ends in a number must
// be an address in its usual notation, as the URL Standard (host parsing, "ends
// in a number checker") demands: no octal, hexadecimal or short forms, which
// resolvers read differently. Zones of IPv6 addresses are refused.
func cleanHost(host string) (string, error) {
	ascii := strings.ToLower(host)
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		var err error
		if ascii, err = idna.Lookup.ToASCII(host); err != nil {
			return "", err
		}
	}
	if addr, err := netip.ParseAddr(ascii); err == nil {
		if addr.Zone() != "" {
			return "", errors.New("address with a zone")
		}
		return ascii, nil
	}
	name := strings.TrimSuffix(ascii, ".")
	labels := strings.Split(name, ".")
	if len(name) > 253 || numeric(labels[len(labels)-1]) {
		return "", errors.New("address in an odd notation")
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return "", errors.New("not a host name")
		}
	}
	return name, nil
}

// numeric reports whether a resolver could take label for a number.
func numeric(label string) bool {
	if rest, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func notInLabel(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
}

// refused is one answer for every address that may not be reached, so that
// nobody can map our inside by the differences.
func refused(cause error) error {
	return fault.New(fault.Invalid, "fetch.refused").Because(cause)
}

func tooLarge(limit int64) error {
	return fault.New(fault.Invalid, "fetch.too-large",
		"Limit", humanize.IBytes(uint64(max(limit, 0))), "Bytes", limit)
}

// sorted turns what a connection failed with into a fault; faults, and the end
// of ctx by the caller's own will, pass as they are.
func sorted(ctx context.Context, err error) error {
	if _, ok := fault.As(err); ok || err == nil {
		return err
	}
	if errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedPort) ||
		errors.Is(err, ssrf.ErrProhibitedNetwork) {
		return refused(err)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return fault.New(fault.Unavailable, "fetch.unreachable").Because(err)
}

func (c *Client) tlsConfig(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: c.cfg.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: protocols}
}

// HTTP returns a client for webhooks: every request is checked as by Check, a
// redirect is an answer and not followed, at most WebhookBytes of the answer
// can be read (beyond, Read returns the fault "fetch.too-large"), and the whole
// takes at most Config.Timeout. Errors are url.Error around faults.
func (c *Client) HTTP() *http.Client {
	return &http.Client{
		Transport: &guarded{c, &http.Transport{
			DialContext:            c.dialer.DialContext,
			TLSClientConfig:        c.tlsConfig(),
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    tlsTimeout,
			ResponseHeaderTimeout:  c.cfg.HeaderTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       c.cfg.Timeout,
	}
}

// guarded is the transport of HTTP.
type guarded struct {
	c    *Client
	next *http.Transport
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := g.c.parse(r.URL.String())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper must
		}
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL = u
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", g.c.cfg.UserAgent)
	}
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, sorted(r.Context(), err)
	}
	resp.Body = &capped{resp.Body, newBudget(WebhookBytes)}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (g *guarded) CloseIdleConnections() { g.next.CloseIdleConnections() }
