// Package canonical turns the links and handles that people paste into one
// spelling, says on which platform they are and what they name, and warns of
// targets that are wider than one thing.
//
// # The canonical form
//
// Links are read as browsers read them (WHATWG URL Standard, section 4.4, the
// basic URL parser) and then made equal as RFC 3986 section 6.2 allows:
//
//   - section 6.2.2.1: scheme, host and the digits of escapes have one case;
//   - section 6.2.2.2: needlessly escaped unreserved characters are decoded,
//     and what may not stand bare in a path or query (section 3.3, 3.4; so
//     brackets and braces too) is escaped. %2F and / stay different;
//   - section 6.2.2.3: dot segments are resolved, by the WHATWG parser;
//   - section 6.2.3: default ports, a root's missing slash and an empty query go.
//
// Beyond both texts, because the purpose is to know the same thing again:
//
//   - http becomes https, unless a port other than 80 or 443 is named: who
//     fetches a canonical address tries https, then http;
//   - runs of slashes become one, but for those after a colon in an address
//     carried inside a path;
//   - parameters known to track people are removed, by a list; the others are
//     kept, sorted by name, equal names in their order. On a known platform
//     the rule that matched says which parameters select content;
//   - a fragment goes (RFC 3986 section 3.5: it selects inside a page), except
//     one that starts with "/" or "!", by which sites made of script choose
//     the page, and where a platform's rule keeps it;
//   - punctuation at the end is taken for the sentence's. Escaped, as in
//     /page%2E, it is kept, and written so;
//   - WHATWG drops tabs and line ends anywhere and repairs bad escapes; here
//     they are refused, because who reports should see what was read.
//
// # Names and addresses
//
// Hosts are kept as ASCII (UTS 46, non-transitional). A public IP address is a
// site, flagged as wide; any other is refused. Names of RFC 6761 and of inside
// networks are refused. The .example name is accepted, and so are .onion
// addresses of version 3 (RFC 7686), which name sites although DNS does not
// know them. Mixed scripts are flagged, not refused: the look-alike may be
// what is reported.
//
// All functions may be used by many goroutines at once.
package canonical

import (
	"slices"
	"strings"
)

// MaxBytes bounds an input after trimming and a canonical form. Browsers and
// servers in use keep to about 2,000; no public page needs more.
const MaxBytes = 2048

// A Kind is what a location names.
type Kind string

// The kinds of location.
const (
	Post    Kind = "post"    // one publication, or one page of a site
	Account Kind = "account" // a profile
	Channel Kind = "channel" // one-to-many, followed by many
	Group   Kind = "group"   // many-to-many, joined
	File    Kind = "file"    // a stored file or folder
	Site    Kind = "site"    // a whole host below a registrable name, or an IP address
	Domain  Kind = "domain"  // a registrable name as a whole
	Payment Kind = "payment" // a page that collects money
	Wallet  Kind = "wallet"  // a payment address outside the web
)

// Kinds returns every kind.
func Kinds() []Kind {
	return []Kind{Post, Account, Channel, Group, File, Site, Domain, Payment, Wallet}
}

// Why a location may be wider than one thing, or hit more than its author:
// each asks for a higher quorum.
const (
	BroadApex       = "apex"        // a whole registrable name
	BroadCollection = "collection"  // a whole host, listing, search or collection
	BroadPopular    = "popular"     // a widely used host, and not one thing on it
	BroadShared     = "shared"      // a host, suffix or network that many unrelated sites share
	BroadNews       = "news"        // a news name
	BroadAcademia   = "academia"    // a university's or school's name
	BroadGovernment = "government"  // a government's, military's or treaty body's name
	BroadHealth     = "health"      // a health or emergency name
	BroadIP         = "ip-address"  // an address, which any number of sites may share
	BroadHomograph  = "mixed-names" // letters of several scripts, or look-alikes: which site is meant?
)

// A Location is where something is.
type Location struct {
	Canonical   string   // the one spelling: a URL, or scheme:address for a wallet
	Host        string   // ASCII, lower case, without port; "" for a wallet
	Registrable string   // public suffix and one label; the host itself for addresses and suffixes
	Platform    string   // key of the platform, "" if unknown
	Kind        Kind     // what it names
	ID          string   // what the platform calls it, as in the URL; "" if no rule says
	Broad       []string // Broad reasons, sorted; nil for one narrow thing
}

// Parse reads a link or handle as people paste it. The platforms say what is
// known; with nil nothing is. A refusal is an [*Error]. Its cost is linear in
// the length of raw, about 15 microseconds for a usual link.
func Parse(raw string, ps *Platforms) (Location, error) {
	return ParseOn(raw, "", ps)
}

// ParseOn is [Parse] where the reporter said on which platform it is: a bare
// @name is then an account there. The key is of no effect on anything else.
func ParseOn(raw, platform string, ps *Platforms) (Location, error) {
	if ps == nil {
		ps = &Platforms{}
	}
	s, err := clean(raw)
	if err != nil {
		return Location{}, err
	}
	if w, ok, err := ps.wallet(s); ok || err != nil {
		return w, asError(err)
	}
	s, err = ps.expandHandle(Refang(s), platform)
	if err != nil {
		return Location{}, err
	}
	a, err := split(s)
	if err != nil {
		return Location{}, err
	}
	return ps.locate(a)
}

// asError keeps a nil *Error from becoming a non-nil error.
func asError(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// locate says what the address names and writes it in its one spelling.
func (ps *Platforms) locate(a address) (Location, error) {
	a.query = ps.withoutTracking(a.query)
	m := ps.Match(a.host, a.path, a.query)
	loc := Location{Host: a.host, Platform: m.Platform, Kind: m.Kind, ID: m.ID}
	plainPort := a.port == ""
	switch {
	case m.rewritten && plainPort:
		loc.Host = m.Host
		loc.Canonical = write("https", m.Host, "", m.Path, m.Query, keepFragment(a.fragment, m.fragment))
	default:
		loc.Canonical = write(a.scheme, a.host, a.port, a.path, a.query, keepFragment(a.fragment, false))
	}
	if len(loc.Canonical) > MaxBytes {
		return Location{}, refuse(TooLong, loc.Canonical)
	}
	loc.Registrable = registrable(loc.Host)
	if loc.Kind == "" {
		loc.Kind = kindOf(a, loc)
	}
	loc.Broad = ps.broad(loc, a, m)
	return loc, nil
}

// kindOf names an address that no rule knows by its form alone.
func kindOf(a address, loc Location) Kind {
	switch {
	case !isRoot(a) && hasFileName(a.path):
		return File
	case !isRoot(a):
		return Post
	case strings.TrimPrefix(loc.Host, "www.") == loc.Registrable && !a.ip.IsValid():
		return Domain
	default:
		return Site
	}
}

// isRoot reports whether nothing but a host is named.
func isRoot(a address) bool {
	return a.path == "/" && a.query == "" && keepFragment(a.fragment, false) == ""
}

// fileExtensions are those of things that are read or played as a whole.
var fileExtensions = []string{
	".7z", ".aac", ".apk", ".avi", ".docx", ".epub", ".flac", ".gif", ".jpeg", ".jpg", ".m4a", ".m4v", ".mkv", ".mov",
	".mp3", ".mp4", ".odt", ".ogg", ".pdf", ".png", ".pptx", ".rar", ".tar", ".torrent", ".wav", ".webm", ".webp", ".xlsx", ".zip",
}

func hasFileName(path string) bool {
	dot := strings.LastIndexByte(path, '.')
	return dot > strings.LastIndexByte(path, '/')+1 && slices.Contains(fileExtensions, strings.ToLower(path[dot:]))
}
