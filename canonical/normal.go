package canonical

import (
	"slices"
	"strings"
)

// A byteSet tells which bytes may stand bare.
type byteSet [256]bool

func bytesOf(s string) *byteSet {
	var b byteSet
	for i := range len(s) {
		b[s[i]] = true
	}
	return &b
}

const (
	alnum      = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	unreserved = alnum + "-._~"                    // RFC 3986 section 2.3
	pchar      = unreserved + "!$&'()*+,;=" + ":@" // section 3.3
)

var (
	plainBytes = bytesOf(unreserved)
	pathBytes  = bytesOf(pchar + "/")
	queryBytes = bytesOf(pchar + "/?") // sections 3.4 and 3.5
)

const upperHex = "0123456789ABCDEF"

// normal writes s with escapes where bare bytes are not allowed, without
// escapes where none is needed, and the rest as it was, in upper case.
func normal(s string, bare *byteSet) string {
	if isNormal(s, bare) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if plainBytes[c] {
				b.WriteByte(c)
			} else {
				escape(&b, c)
			}
		case bare[c]:
			b.WriteByte(c)
		default:
			escape(&b, c)
		}
	}
	return b.String()
}

func isNormal(s string, bare *byteSet) bool {
	for i := range len(s) {
		if !bare[s[i]] {
			return false
		}
	}
	return true
}

func escape(b *strings.Builder, c byte) {
	b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}

// checkEscapes refuses a % that escapes nothing (RFC 3986 section 2.1), and
// escaped control characters: all in a path, NUL anywhere.
func checkEscapes(tail string) error {
	inPath := true
	for i := range len(tail) {
		switch c := tail[i]; {
		case c == '?' || c == '#':
			inPath = false
		case c != '%':
		case i+2 >= len(tail) || !isHex(tail[i+1]) || !isHex(tail[i+2]):
			return refuse(BadEscape, tail[i:min(i+3, len(tail))])
		default:
			d := unhex(tail[i+1])<<4 | unhex(tail[i+2])
			if d == 0 || inPath && (d < 0x20 || d == 0x7F) {
				return refuse(Control, tail[i:i+3])
			}
		}
	}
	return nil
}

// collapse makes runs of slashes one, but for those after a colon.
func collapse(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := range len(path) {
		n := len(b)
		again := path[i] == '/' && n > 0 && b[n-1] == '/'
		if again && (n < 2 || b[n-2] != ':') {
			continue
		}
		b = append(b, path[i])
	}
	return string(b)
}

// tidyQuery drops empty parameters and sorts the others by name; those of one
// name keep their order.
func tidyQuery(q string) string {
	if !strings.Contains(q, "&") {
		return q
	}
	ps := slices.DeleteFunc(strings.Split(q, "&"), func(p string) bool { return p == "" })
	slices.SortStableFunc(ps, func(a, b string) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return strings.Join(ps, "&")
}

// sortKey is the parameter's name, all that can be escaped being so: [write]
// may have escaped its end.
func sortKey(param string) string { return normal(nameOf(param), plainBytes) }

func nameOf(param string) string {
	name, _, _ := strings.Cut(param, "=")
	return name
}

// filterQuery returns the parameters of a tidy query whose name is kept.
func filterQuery(q string, keep func(name string) bool) string {
	if q == "" {
		return ""
	}
	var b strings.Builder
	for p := range strings.SplitSeq(q, "&") {
		if !keep(nameOf(p)) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p)
	}
	return b.String()
}

// keepFragment returns the fragment if it selects content: always where a
// rule says so, else when it chooses a page.
func keepFragment(f string, always bool) string {
	if always || strings.HasPrefix(f, "/") && f != "/" || strings.HasPrefix(f, "!") && f != "!" {
		return f
	}
	return ""
}

// lower folds ASCII letters, but not the digits of escapes.
func lower(s string) string {
	b := []byte(strings.ToLower(s))
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:i+3], s[i:i+3])
		}
	}
	return string(b)
}

// write puts the parts together. A last byte that would be taken for the
// sentence's punctuation, if somebody pasted the result, is escaped.
func write(scheme, host, port, path, query, fragment string) string {
	var b strings.Builder
	b.Grow(len(scheme) + len(host) + len(path) + len(query) + len(fragment) + 16)
	b.WriteString(scheme + "://" + host)
	if port != "" {
		b.WriteString(":" + port)
	}
	b.WriteString(path)
	if query != "" {
		b.WriteString("?" + query)
	}
	if fragment != "" {
		b.WriteString("#" + fragment)
	}
	s := b.String()
	if trimEnd(s) == s {
		return s
	}
	last := s[len(s)-1]
	return s[:len(s)-1] + string([]byte{'%', upperHex[last>>4], upperHex[last&15]})
}
