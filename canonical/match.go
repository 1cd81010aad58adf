package canonical

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Match is what the platforms know of an address.
type Match struct {
	Platform string // key, "" if the host belongs to none
	Kind     Kind   // "" if no rule fits
	ID       string
	Host     string // the host, path and query to write instead
	Path     string
	Query    string
	Broad    bool // a collection, listing or search

	rewritten bool // Host, Path and Query hold
	fragment  bool // the fragment selects content
}

// Match reads a normalised host, path and query (without "?") by the rules of
// the platform that owns the host, or by the common shapes if none does.
func (ps *Platforms) Match(host, path, query string) Match {
	at, sub, ok := ps.find(host)
	segs := segments(path)
	if !ok {
		for i := range ps.shapes {
			if got, ok := ps.shapes[i].from.match(path, segs, query, nil); ok {
				return Match{Kind: ps.shapes[i].Kind, ID: got.id(), Broad: ps.shapes[i].Broad}
			}
		}
		return Match{}
	}
	p := at.platform
	m := Match{Platform: p.Key, ID: sub}
	for i := range p.Rules {
		r := &p.Rules[i]
		if (at.only != "" || len(r.On) > 0) && !r.on[at.only] {
			continue
		}
		if got, ok := r.from.match(path, segs, query, p); ok {
			m.Host = p.hostFor(r, at, host)
			return r.result(m, got, query)
		}
	}
	if at.host != "" && at.only == "" && host != at.host {
		// An alias of which only the host is understood.
		m.Host, m.Path, m.Query, m.rewritten = at.host, path, ps.withoutTracking(query), true
	}
	return m
}

func (p *Platform) hostFor(r *Rule, at place, host string) string {
	switch {
	case r.toHost != "":
		return r.toHost
	case r.To != "" && p.Host != "":
		return p.Host
	case at.only != "":
		return r.On[0]
	case at.host != "":
		return at.host
	default:
		return host
	}
}

func (r *Rule) result(m Match, got captures, query string) Match {
	m.Kind, m.Broad, m.fragment, m.rewritten = r.Kind, r.Broad, r.Fragment, true
	if len(got) > 0 {
		m.ID = got.id()
	}
	m.Path = r.to.path(got)
	m.Query = r.to.query(got)
	if extra := filterQuery(query, r.keeps); extra != "" {
		m.Query = tidyQuery(strings.Trim(m.Query+"&"+extra, "&"))
	}
	return m
}

// keeps reports further parameters that select content.
func (r *Rule) keeps(name string) bool {
	for _, p := range r.from.params {
		if p.name == name {
			return false
		}
	}
	return slices.Contains(r.Query, name) || slices.Contains(r.Query, "*")
}

// A template is a compiled path.
type template struct {
	segs   []piece
	params []param
	open   bool // ends in **
}

type piece struct {
	literal  string // the whole segment, or what stands before the variable
	variable string // "" for a literal
	class    string // "", num, name or rest
}

type param struct {
	name string
	piece
}

type capture struct{ name, value string }

// captures are the variables of one match, in the order of the path.
type captures []capture

func (c captures) get(name string) string {
	for _, v := range c {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// id is the variable of that name, else all joined.
func (c captures) id() string {
	if id := c.get("id"); id != "" {
		return id
	}
	values := make([]string, len(c))
	for i, v := range c {
		values[i] = v.value
	}
	return strings.Join(values, "/")
}

// A span is where a segment stands in its path.
type span struct{ from, to int }

// maxSegments is how many segments rules look at.
const maxSegments = 16

// segments finds the non-empty segments; the last one of a long path takes all.
func segments(path string) []span {
	spans := make([]span, 0, 6)
	for i := 0; i < len(path); {
		if path[i] == '/' {
			i++
			continue
		}
		end := strings.IndexByte(path[i:], '/')
		if end < 0 || len(spans) == maxSegments-1 {
			end = len(path) - i
		}
		spans = append(spans, span{i, i + end})
		i += end
	}
	return spans
}

func (t *template) match(path string, segs []span, query string, p *Platform) (captures, bool) {
	rest := len(t.segs) > 0 && t.segs[len(t.segs)-1].class == "rest"
	if len(segs) < len(t.segs) || len(segs) > len(t.segs) && !t.open && !rest {
		return nil, false
	}
	var got captures
	for i, want := range t.segs {
		s := path[segs[i].from:segs[i].to]
		if want.class == "rest" {
			got = append(got, capture{want.variable, path[segs[i].from:]})
			break
		}
		v, ok := want.match(s, p)
		if !ok {
			return nil, false
		}
		if want.variable != "" {
			got = append(got, capture{want.variable, v})
		}
	}
	for _, want := range t.params {
		v, ok := want.match(valueOf(query, want.name), p)
		if !ok {
			return nil, false
		}
		if want.variable != "" {
			got = append(got, capture{want.variable, v})
		}
	}
	return got, true
}

func valueOf(query, name string) string {
	for query != "" {
		var p string
		p, query, _ = strings.Cut(query, "&")
		if n, v, _ := strings.Cut(p, "="); n == name {
			return v
		}
	}
	return ""
}

// match returns the value of the piece's variable in s.
func (w piece) match(s string, p *Platform) (string, bool) {
	if w.variable == "" {
		return "", s == w.literal
	}
	v, ok := strings.CutPrefix(s, w.literal)
	if !ok || !movable(v) {
		return "", false
	}
	if p != nil && p.lower[w.variable] {
		v = lower(v)
	}
	switch w.class {
	case "num":
		ok = strings.Trim(v, "0123456789") == ""
	case "name":
		ok = isName(v) && (p == nil || !p.reserved[strings.ToLower(v)])
	}
	return v, ok
}

var movableBytes = bytesOf(unreserved + "%:,")

// movable reports a value that means the same in a path and in a query.
func movable(v string) bool {
	if v == "" || v == "." || v == ".." {
		return false
	}
	return isNormal(v, movableBytes)
}

func (t *template) path(got captures) string {
	var b strings.Builder
	for _, s := range t.segs {
		b.WriteString("/" + s.literal + got.get(s.variable))
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

func (t *template) query(got captures) string {
	ps := make([]string, len(t.params))
	for i, p := range t.params {
		ps[i] = p.name + "=" + p.literal + got.get(p.variable)
	}
	return strings.Join(ps, "&")
}

var errTemplate = errors.New("a path begins with / and has literals, {name}, {name:num}, {name:name}, a last {name...} or **")

func compileTemplate(s string) (template, error) {
	var t template
	path, query, _ := strings.Cut(s, "?")
	if !strings.HasPrefix(path, "/") {
		return t, errTemplate
	}
	path, t.open = strings.CutSuffix(path, "/**")
	for seg := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if seg == "" {
			continue
		}
		p, err := compilePiece(seg)
		if err != nil || len(t.segs) > 0 && t.segs[len(t.segs)-1].class == "rest" {
			return t, errTemplate
		}
		t.segs = append(t.segs, p)
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		p, err := compilePiece(value)
		if err != nil || p.class == "rest" {
			return t, errTemplate
		}
		t.params = append(t.params, param{name, p})
	}
	slices.SortFunc(t.params, func(a, b param) int { return strings.Compare(a.name, b.name) })
	return t, nil
}

func compilePiece(s string) (piece, error) {
	literal, v, ok := strings.Cut(s, "{")
	if !ok {
		return piece{literal: s}, nil
	}
	v, ok = strings.CutSuffix(v, "}")
	if rest, is := strings.CutSuffix(v, "..."); is {
		return piece{variable: rest, class: "rest"}, nil
	}
	name, class, _ := strings.Cut(v, ":")
	if !ok || name == "" || !slices.Contains([]string{"", "num", "name"}, class) {
		return piece{}, errTemplate
	}
	return piece{literal, name, class}, nil
}

func (p *Platform) compile() error {
	switch {
	case p.Key == "" || p.Name == "" || p.Key != strings.ToLower(p.Key) || !isName(p.Key):
		return errors.New("key (lower case) and name are needed")
	case p.Host == "" && len(p.Hosts)+len(p.Wild) == 0:
		return errors.New("a host is needed")
	case len(p.Rules) > maxRules:
		return fmt.Errorf("more than %d rules", maxRules)
	case p.Handle != "" && !strings.Contains(p.Handle, "{name}"):
		return errors.New("a handle's path needs {name}")
	}
	p.lower, p.reserved = set(p.Lower), set(p.Reserved)
	for i := range p.Rules {
		if err := p.Rules[i].compile(p); err != nil {
			return err
		}
	}
	for h := range p.places() {
		if a, err := split(strings.TrimPrefix(h, "*.")); err != nil || a.host != strings.TrimPrefix(h, "*.") {
			return fmt.Errorf("%q is not a canonical host", h)
		}
	}
	return nil
}

func (r *Rule) compile(p *Platform) (err error) {
	if !slices.Contains(Kinds(), r.Kind) {
		return fmt.Errorf("rule %q: unknown kind %q", r.Path, r.Kind)
	}
	if r.from, err = compileTemplate(r.Path); err != nil {
		return fmt.Errorf("rule %q: %w", r.Path, err)
	}
	r.to, r.on = r.from, set(r.On)
	if r.To != "" {
		path := r.To
		if host, ok := strings.CutPrefix(r.To, "//"); ok {
			r.toHost, path, _ = strings.Cut(host, "/")
			path = "/" + path
		}
		if r.to, err = compileTemplate(path); err != nil {
			return fmt.Errorf("rule %q to %q: %w", r.Path, r.To, err)
		}
	}
	if p != nil && r.To != "" && p.Host == "" && len(r.On) > 0 {
		return fmt.Errorf("rule %q: the platform has no one host to lead to", r.Path)
	}
	return nil
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
