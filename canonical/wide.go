package canonical

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// listedReasons are those Broad reasons that come from lists of hosts.
var listedReasons = []string{BroadPopular, BroadShared, BroadNews, BroadAcademia, BroadGovernment, BroadHealth}

// broad says why a location may be wider than one thing. Protected names
// (news, academia, government, health) count for any page of theirs; popular
// and shared hosts only where no rule finds one thing on them.
func (ps *Platforms) broad(loc Location, a address, m Match) []string {
	var why []string
	add := func(is bool, reason string) {
		if is {
			why = append(why, reason)
		}
	}
	root := isRoot(a)
	// With an identifier a rule found one thing: a page, or one user's host.
	narrow := m.Kind != "" && !m.Broad || m.ID != ""
	bare := strings.TrimPrefix(loc.Host, "www.")
	add(root && bare == loc.Registrable && !a.ip.IsValid(), BroadApex)
	add(root && loc.ID == "" || m.Broad, BroadCollection)
	add(!narrow && (ps.wide[BroadPopular].has(loc.Host) || loc.Platform != ""), BroadPopular)
	add(!narrow && ps.wide[BroadShared].has(loc.Host) || !a.ip.IsValid() && isSuffix(loc.Host), BroadShared)
	for _, reason := range []string{BroadNews, BroadAcademia, BroadGovernment, BroadHealth} {
		add(ps.wide[reason].has(loc.Host), reason)
	}
	add(a.ip.IsValid(), BroadIP)
	add(mixed(loc.Host), BroadHomograph)
	slices.Sort(why)
	return why
}

// isSuffix reports a public suffix, under which strangers have their names.
func isSuffix(host string) bool {
	suffix, _ := publicsuffix.PublicSuffix(host)
	return suffix == host && strings.Contains(host, ".")
}

// A hostList holds names, each with all below it. An entry ending in ".*" is
// meant under any two-letter country domain: "gov.*" has moi.gov.tw.
type hostList struct{ names map[string]bool }

func (l *hostList) with(more []string) *hostList {
	out := &hostList{names: map[string]bool{}}
	if l != nil {
		maps.Copy(out.names, l.names)
	}
	for _, n := range more {
		out.names[strings.ToLower(n)] = true
	}
	return out
}

func (l *hostList) has(host string) bool {
	if l == nil {
		return false
	}
	for below := host; ; {
		if l.names[below] {
			return true
		}
		if label, country, ok := strings.Cut(below, "."); ok && len(country) == 2 && l.names[label+".*"] {
			return true
		}
		_, rest, ok := strings.Cut(below, ".")
		if !ok {
			return false
		}
		below = rest
	}
}

// A nameList holds parameter names in lower case, and beginnings of names.
type nameList struct {
	names    map[string]bool
	prefixes []string
}

func (l nameList) with(more []string) nameList {
	out := nameList{names: map[string]bool{}, prefixes: slices.Clone(l.prefixes)}
	maps.Copy(out.names, l.names)
	for _, n := range more {
		if p, ok := strings.CutSuffix(strings.ToLower(n), "*"); ok {
			out.prefixes = append(out.prefixes, p)
		} else {
			out.names[p] = true
		}
	}
	return out
}

func (l nameList) has(name string) bool {
	name = strings.ToLower(name)
	return l.names[name] || slices.ContainsFunc(l.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// withoutTracking returns a tidy query without the listed parameters.
func (ps *Platforms) withoutTracking(query string) string {
	return filterQuery(query, func(name string) bool { return !ps.tracking.has(name) })
}

// mixed reports a label that mixes scripts beyond the "highly restrictive"
// level of UTS 39 section 5.2, or is made of Cyrillic or Greek letters that all
// look Latin.
func mixed(host string) bool {
	if !strings.Contains(host, "xn--") {
		return false
	}
	shown, err := idna.Punycode.ToUnicode(host)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(strings.Split(shown, "."), mixedLabel)
}

const lookAlikes = "асԁеһіјӏорԛѕԝхуъьвкмнтгαονρτυικχ"

func mixedLabel(label string) bool {
	var latin, han, kana, hangul, bopomofo, other int
	seen := map[*unicode.RangeTable]bool{}
	alike := true
	for _, r := range label {
		if !unicode.IsLetter(r) {
			continue
		}
		alike = alike && strings.ContainsRune(lookAlikes, r)
		switch {
		case unicode.Is(unicode.Latin, r):
			latin = 1
		case unicode.Is(unicode.Han, r):
			han = 1
		case unicode.In(r, unicode.Hiragana, unicode.Katakana) || r == 'ー':
			kana = 1
		case unicode.Is(unicode.Hangul, r):
			hangul = 1
		case unicode.Is(unicode.Bopomofo, r):
			bopomofo = 1
		default:
			if t := scriptOf(r); !seen[t] {
				seen[t] = true
				other++
			}
		}
	}
	east := han + kana + hangul + bopomofo
	switch {
	case other == 1 && latin+east == 0:
		return alike
	case other > 0:
		return true
	default:
		return kana+hangul+bopomofo > 1
	}
}

// scriptOf returns the script of a letter, nil if it belongs to several.
func scriptOf(r rune) *unicode.RangeTable {
	for name, t := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(t, r) {
			return t
		}
	}
	return nil
}
