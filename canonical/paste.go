package canonical

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean returns raw without what surrounds an address in running text, or why
// it cannot be one.
func clean(raw string) (string, error) {
	if len(raw) > 4*MaxBytes {
		return "", refuse(TooLong, raw[:maxPart])
	}
	if !utf8.ValidString(raw) {
		return "", refuse(BadUTF8, "")
	}
	s := trim(raw)
	switch {
	case s == "":
		return "", refuse(Empty, "")
	case len(s) > MaxBytes:
		return "", refuse(TooLong, s)
	}
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Bidi_Control, r):
			return "", refuse(Bidi, s)
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return "", refuse(Control, s)
		}
	}
	if several(s) {
		return "", refuse(Several, s)
	}
	return s, nil
}

// several reports whether a second address follows after a space.
func several(s string) bool {
	for _, f := range strings.Fields(s)[1:] {
		f = strings.ToLower(f)
		if strings.HasPrefix(f, "http://") || strings.HasPrefix(f, "https://") || strings.HasPrefix(f, "hxxp") {
			return true
		}
	}
	return false
}

const (
	opening = "<(\"'“‘«„`"
	closing = ">)\"'”’»“`]}"
	// sentence is punctuation that ends a sentence, not an address.
	sentence = ".,;:!?…、。،؛؟"
)

// trim removes spaces, quotes, brackets and a sentence's punctuation around s.
func trim(s string) string {
	for {
		before := s
		s = strings.TrimFunc(s, invisible)
		s = strings.TrimLeft(s, opening)
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && !isAddress(s[1:len(s)-1]) {
			s = s[1 : len(s)-1]
		}
		s = trimEnd(s)
		if s == before {
			return s
		}
	}
}

// isAddress reports an IP address, whose brackets are its own.
func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// invisible reports spaces and characters without width.
func invisible(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200B' || r == '\u2060' || r == '\uFEFF' || r == '\u00AD'
}

// trimEnd removes the sentence's punctuation, and closing marks that nothing
// in s opened: the bracket of /wiki/Name_(place) stays.
func trimEnd(s string) string {
	for s != "" {
		r, n := utf8.DecodeLastRuneInString(s)
		switch {
		case strings.ContainsRune(sentence, r):
		case !strings.ContainsRune(closing, r):
			return s
		case r == ')' && strings.Count(s, "(") >= strings.Count(s, ")"),
			r == ']' && strings.Count(s, "[") >= strings.Count(s, "]"),
			r == '}' && strings.Count(s, "{") >= strings.Count(s, "}"):
			return s
		}
		s = s[:len(s)-n]
	}
	return s
}

var (
	fangedDot   = regexp.MustCompile(`(?i)\s*[\[({]\s*(?:\.|dot|titik)\s*[\])}]\s*`)
	fangedOther = regexp.MustCompile(`(?i)\s*[\[({]\s*(@|at|:|/)\s*[\])}]\s*`)
	schemeLike  = regexp.MustCompile(`(?i)^h(tt|xx|\*\*|__)p(s?)\s?(\[://\]|\[:\][/\\]*|:[/\\]*)`)
)

// Refang returns s as it was before somebody made it safe to show: hxxp is
// http again and [.] a dot. Text that was not made safe comes back unchanged.
func Refang(s string) string {
	scheme, rest, fanged := refangScheme(s)
	end := strings.IndexAny(rest, "/?#\\")
	if end < 0 || strings.HasPrefix(rest[end:], "/]") {
		end = len(rest)
	}
	head, tail := rest[:end], rest[end:]
	if strings.ContainsAny(head, "[({") {
		plain := refangOther(fangedDot.ReplaceAllLiteralString(head, "."))
		fanged = fanged || plain != head
		head = plain
	}
	if fanged {
		// A canonical address has no bare bracket after its host.
		tail = strings.NewReplacer("[.]", ".", "[dot]", ".").Replace(tail)
	}
	return scheme + head + tail
}

// refangScheme splits s into its scheme, as "https://" or "" without one, and
// the rest; fanged tells that the scheme had been made safe.
func refangScheme(s string) (scheme, rest string, fanged bool) {
	if strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "https:///") {
		return s[:8], s[8:], false
	}
	m := schemeLike.FindStringSubmatch(s)
	if m == nil {
		return "", s, false
	}
	fanged = !strings.EqualFold(m[1], "tt") || m[3][0] == '['
	return "http" + strings.ToLower(m[2]) + "://", s[len(m[0]):], fanged
}

// refangOther restores [@], [at], [:] and [/], in any bracket.
func refangOther(s string) string {
	return fangedOther.ReplaceAllStringFunc(s, func(m string) string {
		switch inner := strings.ToLower(strings.Trim(m, " \t[](){}")); inner {
		case "at":
			return "@"
		default:
			return inner
		}
	})
}

// Defang returns a canonical location so that no program makes a link of it
// and no person follows it by accident: hxxps://site[.]example/page. [Refang]
// undoes it.
func Defang(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return strings.ReplaceAll(s, ".", "[.]")
	}
	scheme = strings.Replace(scheme, "tt", "xx", 1)
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "://" + strings.ReplaceAll(rest[:end], ".", "[.]") + rest[end:]
}
