// Package pagetest holds every page to the rules that its content security
// policy and the style of this project set, whatever data it shows.
package pagetest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
)

// Render renders c, checks it and returns the markup. Where the environment
// variable PAGES names a directory, the markup is also written there as
// name.html, to be looked at beside a copy of static/.
func Render(t *testing.T, name string, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatalf("render %s: %v", name, err)
	}
	if dir := os.Getenv("PAGES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	Check(t, name, b.String())
	return b.String()
}

// key matches a catalogue key that had no text and is shown as itself.
var key = regexp.MustCompile(`\b(ui|public|web|home|report|receipt|signin|fault|case|notice|admin|inbox|approval|queue)\.[a-z0-9-]+(\.[a-z0-9-]+)*\b`)

// Check fails the test for every inline style or script, double id, control or
// image without a name, link that runs code, and text that a catalogue lacks.
func Check(t *testing.T, name, markup string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(markup))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p := page{t: t, name: name, ids: map[string]bool{}, labelled: map[string]bool{}}
	p.collect(doc)
	p.walk(doc)
	for _, ref := range p.refs {
		if !p.ids[ref[1]] {
			t.Errorf("%s: %s names the id %q, which is not there", name, ref[0], ref[1])
		}
	}
}

type page struct {
	t        *testing.T
	name     string
	ids      map[string]bool
	labelled map[string]bool // ids that a label is for
	refs     [][2]string     // attribute, id
}

func (p *page) collect(n *html.Node) {
	if n.Type == html.ElementNode && n.Data == "label" {
		p.labelled[attr(n, "for")] = true
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.collect(c)
	}
}

func (p *page) walk(n *html.Node) {
	switch n.Type {
	case html.ElementNode:
		p.element(n)
	case html.TextNode:
		if m := key.FindString(n.Data); m != "" && n.Parent.Data != "code" {
			p.t.Errorf("%s: no catalogue text for %q", p.name, m)
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.walk(c)
	}
}

func (p *page) element(n *html.Node) {
	t := p.t
	t.Helper()
	for _, a := range n.Attr {
		switch {
		case a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on"):
			t.Errorf("%s: <%s %s=%q> is inline", p.name, n.Data, a.Key, a.Val)
		case (a.Key == "href" || a.Key == "action" || a.Key == "src") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:"):
			t.Errorf("%s: <%s %s=%q> runs code", p.name, n.Data, a.Key, a.Val)
		case a.Key == "id" && p.ids[a.Val]:
			t.Errorf("%s: id %q stands twice", p.name, a.Val)
		case a.Key == "id":
			p.ids[a.Val] = true
		case a.Key == "aria-describedby" || a.Key == "aria-labelledby" || a.Key == "aria-controls" || (a.Key == "for" && n.Data == "label"):
			for _, id := range strings.Fields(a.Val) {
				p.refs = append(p.refs, [2]string{a.Key, id})
			}
		case (a.Key == "aria-label" || a.Key == "title" || a.Key == "placeholder" || a.Key == "alt") && key.MatchString(a.Val):
			t.Errorf("%s: no catalogue text for %q in %s", p.name, a.Val, a.Key)
		}
	}
	switch n.Data {
	case "style":
		t.Errorf("%s: a style element", p.name)
	case "script":
		if attr(n, "src") == "" {
			t.Errorf("%s: an inline script", p.name)
		}
	case "img":
		if !has(n, "alt") {
			t.Errorf("%s: an image without alt", p.name)
		}
	case "button", "a":
		if name := strings.TrimSpace(text(n)); name == "" && attr(n, "aria-label") == "" && !has(n, "hidden") {
			t.Errorf("%s: <%s href=%q> without a name", p.name, n.Data, attr(n, "href"))
		}
	case "input", "select", "textarea":
		p.control(n)
	}
}

// control checks that a form control has a name a screen reader can say.
func (p *page) control(n *html.Node) {
	p.t.Helper()
	switch kind := attr(n, "type"); {
	case kind == "hidden" || kind == "submit":
		return
	case attr(n, "aria-label") != "" || attr(n, "aria-labelledby") != "" || p.labelled[attr(n, "id")] && attr(n, "id") != "":
		return
	}
	for up := n.Parent; up != nil; up = up.Parent {
		if up.Data == "label" {
			return
		}
	}
	p.t.Errorf("%s: <%s name=%q> without a label", p.name, n.Data, attr(n, "name"))
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what an element says: its text, and what its images stand for.
func text(n *html.Node) string {
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.Type {
		case html.TextNode:
			b.WriteString(c.Data)
		case html.ElementNode:
			b.WriteString(attr(c, "aria-label"))
			b.WriteString(text(c))
		}
	}
	return b.String()
}
