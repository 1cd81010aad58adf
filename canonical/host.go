package canonical

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	whaterr "github.com/nlnwa/whatwg-url/errors"
	whatwg "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/publicsuffix"
)

// An address is a link taken apart, its parts normalised each by itself.
type address struct {
	scheme   string // http or https; https where http has its default port
	host     string // ASCII, lower case, no trailing dot; an IPv6 address in brackets
	ip       netip.Addr
	port     string // "" for the default
	path     string // begins with "/"
	query    string // without "?"
	fragment string // without "#"
}

// browser is the WHATWG basic URL parser with nothing relaxed. It holds no
// state between calls.
var browser = whatwg.NewParser()

// otherScheme matches a scheme that is not a host name with a port.
var otherScheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):(?:[^0-9]|$|[0-9]+[^0-9/?#])`)

// split takes refanged text apart.
func split(s string) (address, error) {
	scheme, rest, _ := refangScheme(s)
	if scheme == "" {
		if m := otherScheme.FindStringSubmatch(rest); m != nil && !strings.ContainsAny(m[1], ".") {
			return address{}, refuse(BadScheme, m[1]+":")
		}
		scheme, rest = "https://", strings.TrimLeft(rest, "/\\")
	}
	head, tail := rest, ""
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		head, tail = rest[:end], rest[end:]
	}
	switch {
	case head == "" || strings.HasPrefix(head, ":"):
		return address{}, refuse(NoHost, s)
	case strings.Contains(head, "@"):
		return address{}, refuse(UserInfo, head)
	}
	if err := checkEscapes(tail); err != nil {
		return address{}, err
	}
	u, err := browser.Parse(scheme + head + tail)
	if err != nil {
		return address{}, refuse(reasonOf(err), head)
	}
	a := address{scheme: u.Scheme(), port: u.Port()}
	if err := a.setHost(u, head); err != nil {
		return address{}, err
	}
	if a.port == "0" {
		return address{}, refuse(BadPort, head)
	}
	if a.port == "" {
		a.scheme = "https"
	}
	a.path = collapse(normal(u.Pathname(), pathBytes))
	a.query = tidyQuery(normal(u.Query(), queryBytes))
	a.fragment = normal(u.Fragment(), queryBytes)
	return a, nil
}

func reasonOf(err error) Reason {
	switch whaterr.Type(err) {
	case whaterr.PortInvalid, whaterr.PortOutOfRange:
		return BadPort
	case whaterr.HostMissing:
		return NoHost
	default:
		return BadHost
	}
}

// setHost checks what the WHATWG parser made of the host: it takes more than
// the public DNS has.
func (a *address) setHost(u *whatwg.Url, shown string) error {
	host := strings.TrimSuffix(u.Hostname(), ".")
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if !public(ip) {
			return refuse(PrivateIP, shown)
		}
		a.host, a.ip = host, ip.Unmap()
		if ip.Is4In6() {
			a.host = a.ip.String()
		}
		return nil
	}
	labels := strings.Split(host, ".")
	if len(host) > 253 {
		return refuse(BadHost, shown)
	}
	for i, l := range labels {
		if !isLabel(l, i < len(labels)-2) {
			return refuse(BadHost, shown)
		}
	}
	switch last := labels[len(labels)-1]; {
	case len(labels) == 1 && last != "localhost":
		return refuse(SingleLabel, shown)
	case isReserved(labels):
		return refuse(Reserved, shown)
	}
	a.host = host
	return nil
}

// isLabel reports a label of RFC 1123 section 2.1, in the ASCII form; hosts
// below a registrable name do use underscores.
func isLabel(l string, underscore bool) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for i := range len(l) {
		c := l[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || underscore && c == '_') {
			return false
		}
	}
	return true
}

// isReserved reports names that are not on the public internet: RFC 6761
// (but for .example), RFC 6762, RFC 8375, RFC 9476, the .internal of ICANN,
// and suffixes that networks commonly use inside. An .onion name must be an
// address of version 3.
func isReserved(labels []string) bool {
	n := len(labels)
	switch labels[n-1] {
	case "localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "test", "invalid", "arpa", "alt":
		return true
	case "onion":
		return n < 2 || !onionV3(labels[n-2])
	}
	return false
}

// onionV3 reports 35 bytes in base 32, tor's rend-spec-v3 section 6.
func onionV3(l string) bool {
	return len(l) == 56 && strings.Trim(l, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// notPublic are the blocks of the IANA special-purpose registries (RFC 6890)
// that net/netip does not tell by itself.
var notPublic = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32",
	"2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		ps[i] = netip.MustParsePrefix(t)
	}
	return ps
}

// public reports an address that anyone may reach.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// registrable returns the public suffix of host and the label before it, or
// host itself if it is an address or a public suffix.
func registrable(host string) string {
	if _, err := strconv.Atoi(host[strings.LastIndexByte(host, '.')+1:]); err == nil || strings.HasPrefix(host, "[") || host == "" {
		return host
	}
	if r, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return r
	}
	return host
}
