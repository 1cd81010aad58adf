package policy

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/i18n"
)

// A Figure is a number of the law or of operation, with the source it was read
// in. An unverified one is used, since something has to be, but it is not
// quoted on a public page until somebody has read the law's own text.
type Figure struct {
	Value     int64      `json:"value"`
	Unit      string     `json:"unit"` // minutes, working-days, days, months, count, points, percent, idr, eur
	Source    string     `json:"source"`
	Verified  bool       `json:"verified"`
	Provision *Text      `json:"provision"` // article, nil if none is known
	Note      *Text      `json:"note"`      // why it is not verified, or a remark
	Pointer   string     `json:"pointer"`   // where it stands in the pack, RFC 6901
	Key       string     `json:"key"`       // the same, lasting: deadlines.removal-order.urgent
	Kind      SourceKind `json:"kind"`      // kind of its source
}

// Int returns the figure's value; the schema bounds it far below overflow.
func (f Figure) Int() int { return int(f.Value) }

// Duration returns a figure of minutes as a duration.
func (f Figure) Duration() time.Duration { return time.Duration(f.Value) * time.Minute }

// A Standing says how far a figure can be relied on.
type Standing string

// The standings, as the admin page shows them.
const (
	Verified   Standing = "verified"
	Unverified Standing = "unverified"
	Fixed      Standing = "fixed" // a limit of the program that no pack can widen
)

// Standing returns how far the figure can be relied on.
func (f Figure) Standing() Standing {
	switch {
	case !f.Verified:
		return Unverified
	case f.Kind == SourceSystem:
		return Fixed
	default:
		return Verified
	}
}

// Label returns what the figure is, in the printer's language.
func (f Figure) Label(p *i18n.Printer) string {
	s := strings.Split(f.Key, ".")
	switch {
	case s[0] == "deadlines" && len(s) == 4:
		return p.T("policy.figure.deadlines.choices", "Kind", p.T("policy.kind."+s[1]))
	case s[0] == "deadlines":
		return p.T("policy.figure.deadlines."+s[2], "Kind", p.T("policy.kind."+s[1]))
	case s[0] == "chains":
		return p.T("policy.figure.chains."+s[4], "Kind", p.T("policy.kind."+s[1]), "Act", p.T("policy.act."+s[3]))
	case s[0] == "ladder":
		return p.T("policy.figure.ladder.after", "Rung", p.T("policy.rung."+s[2]))
	case s[0] == "redress":
		n, _ := strconv.Atoi(s[1]) // a place in a list, counted from 0
		return p.T("policy.figure.redress.deadline", "Number", n+1)
	case s[0] == "penalties":
		return p.T("policy.figure.penalties.figure", "Code", s[1])
	default:
		return p.T("policy.figure." + f.Key)
	}
}

// Words returns the value with its unit, in the printer's language; minutes
// that make whole hours or days are said so.
func (f Figure) Words(p *i18n.Printer) string {
	n, unit := f.Int(), f.Unit
	switch {
	case unit == "minutes" && n > 1440 && n%1440 == 0:
		n, unit = n/1440, "days"
	case unit == "minutes" && n >= 60 && n%60 == 0:
		n, unit = n/60, "hours"
	}
	return p.N("policy.unit."+unit, n)
}

// Figures returns every figure of the pack in the order of its file.
func (p Pack) Figures() []Figure { return slices.Clone(p.figures) }

// Unverified returns the figures whose text in law nobody has read, or on which
// sources disagree, in the order of the file. Their notes say which.
func (p Pack) Unverified() []Figure {
	return slices.DeleteFunc(p.Figures(), func(f Figure) bool { return f.Verified })
}

// UnverifiedClauses returns the pointers of sentences that are not verified, in
// the order of the file.
func (p Pack) UnverifiedClauses() []string {
	var out []string
	for key, at := range p.leafAt {
		pointer, isFlag := strings.CutSuffix(at, "/verified")
		if isFlag && p.leaves[key] == "false" && !slices.ContainsFunc(p.figures, func(f Figure) bool { return f.Pointer == pointer }) {
			out = append(out, pointer)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(p.lines[a]-p.lines[b], strings.Compare(a, b)) })
	return out
}

// A Change is one value that differs between two packs.
type Change struct {
	Key     string // lasting name: list entries by their code, not their place
	Pointer string // in the new pack, or in the old one if it was taken away
	Before  string // "" if it was added
	After   string // "" if it was taken away
}

// Diff returns what changed from a to b, by key. The version's own number is
// left out.
func Diff(a, b Pack) []Change {
	keys := slices.Collect(maps.Keys(a.leaves))
	for k := range b.leaves {
		if _, known := a.leaves[k]; !known {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []Change
	for _, k := range keys {
		before, was := a.leaves[k]
		after, is := b.leaves[k]
		if k == "version" || (was && is && before == after) {
			continue
		}
		out = append(out, Change{Key: k, Pointer: cmp.Or(b.leafAt[k], a.leafAt[k]), Before: before, After: after})
	}
	return out
}

// index walks a validated tree. It fills the pack's leaves and writes into each
// figure where it stands, so that the typed pack keeps it.
type index struct {
	leaves, leafAt map[string]string
	sources        map[string]any
	figures        []map[string]any
}

func (x *index) walk(v any, pointer, key string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			x.walk(e, pointer+"/"+escape(k), join(key, k))
		}
		if isFigure(v) {
			v["pointer"], v["key"] = pointer, key
			if s, ok := x.sources[v["source"].(string)].(map[string]any); ok {
				v["kind"] = s["kind"]
			}
			x.figures = append(x.figures, v)
		}
	case []any:
		for i, e := range v {
			x.walk(e, pointer+"/"+strconv.Itoa(i), join(key, identity(e, i)))
		}
	default:
		x.leaves[key], x.leafAt[key] = scalar(v), pointer
	}
}

// isFigure reports whether a map of a valid pack is a figure.
func isFigure(m map[string]any) bool {
	_, value := m["value"]
	_, unit := m["unit"]
	return value && unit
}

// identity names a list entry by what it is called rather than where it stands,
// so that an entry put in before it does not show as a change of all.
func identity(v any, i int) string {
	if m, ok := v.(map[string]any); ok {
		if isFigure(m) {
			return scalar(m["value"])
		}
		for _, name := range []string{"code", "kind", "act", "key", "date"} {
			if s, ok := m[name].(string); ok {
				return s
			}
		}
	}
	return strconv.Itoa(i)
}

func join(key, part string) string {
	if key == "" {
		return part
	}
	return key + "." + part
}

// escape writes a key as part of a pointer (RFC 6901, section 3).
func escape(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}
