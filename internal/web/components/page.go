package components

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/static"
)

// A Theme is what a person chose; the zero value follows the device.
type Theme string

// The themes.
const (
	ThemeAuto  Theme = ""
	ThemeLight Theme = "light"
	ThemeDark  Theme = "dark"
)

// Page is what every page has.
type Page struct {
	P      *i18n.Printer
	Title  string // without the product's name
	Path   string // path and query of this page, for the language switch
	Theme  Theme
	Zone   *time.Location // the viewer's; nil is UTC
	Now    time.Time
	Failed bool // an error summary stands on the page; its title says so

	// LangForm is the id of a form that the language switch sends, with
	// ?lang= at Path and a field named switch, so that what the form holds is
	// kept without script; "" for a switch of plain links.
	LangForm string
	// LangPost is set on pages that came by a POST and cannot be asked for by
	// a link: the switch sends LangForm with script too.
	LangPost bool
}

// zone returns the viewer's zone.
func (p Page) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

// fullTitle starts with the word for error where something must be mended, so
// that a screen reader says it first (WCAG 2.2, 3.3.1).
func (p Page) fullTitle() string {
	t := p.Title + " · Tangkal"
	if p.Failed {
		return p.P.T("ui.error.prefix") + t
	}
	return t
}

func (p Page) langURL(lang i18n.Lang) string {
	u, err := url.ParseRequestURI(p.Path)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	q := u.Query()
	q.Set("lang", string(lang))
	return (&url.URL{Path: u.Path, RawQuery: q.Encode()}).String()
}

// PublicPage is a page that anyone may open.
type PublicPage struct {
	Page
	Active string // key of the page in the main navigation: report, status, …
	Narrow bool   // one column with the quick exit, for forms and receipts
	Exit   string // address that "leave now" opens in place of this page; a setting of each deployment
	NoFoot bool
	Signs  bool // the page signs with the browser's key
}

// A Seat is the kind of chair a person sits in; it colours the rail and
// nothing else.
type Seat string

// The seats. An authority and everybody without a colour of their own sits in
// the agency's petrol.
const (
	SeatAgency    Seat = "agency"
	SeatAuthority Seat = "authority"
	SeatPlatform  Seat = "platform"
	SeatPartner   Seat = "partner"
	SeatOversight Seat = "oversight"
	SeatCivil     Seat = "civil"
)

func (s Seat) icon() string {
	switch s {
	case SeatPlatform:
		return "building-2"
	case SeatOversight:
		return "scale"
	case SeatCivil:
		return "heart-handshake"
	case SeatPartner:
		return "globe"
	default:
		return "landmark"
	}
}

// ConsolePage is a page for staff.
type ConsolePage struct {
	Page
	Seat     Seat
	Party    Party
	Parties  []PartyLink // other parties this person may switch to; empty: no switch
	Person   Person
	Nav      []NavGroup
	Crumbs   []Crumb // from the outside in; the last is this page
	Exposure *Exposure
	Alert    *Alert
	AlertURL string         // where an open page asks for the alert again when one comes or ends; "" never
	Unread   int            // waiting notifications; shown in the page title too
	Waiting  string         // address of what waits, behind the bell
	Commands []CommandGroup // what the palette offers besides the navigation
	Find     string         // address that answers ?q= with the item of that number; "" for none
	KeysOff  bool           // the person switched single-key shortcuts off (WCAG 2.2, 2.1.4)
	BreakURL string         // where a POST begins a break; "" for who sees no evidence
	Events   string         // address of the event stream; "" for a page that does not live
	KeysURL  string         // where the browser's key is enrolled; "" if the person may not sign
	Demo     bool           // a browser without a key makes one as it is first asked to sign
}

// Party is an organisation as the rail shows it.
type Party struct {
	Name string
	Kind string // "Lembaga, Indonesia"
}

// PartyLink switches to another party by a POST to Action.
type PartyLink struct {
	Party
	ID     string
	Action string
}

// Person is who is signed in.
type Person struct {
	ID       string // keeps keys of people who share a browser apart
	Name     string
	Initials string
	Role     string
	SignOut  string // address that a POST signs out at
	Profile  string // address of the person's own settings; "" for none
}

// A NavGroup is a titled part of the rail; the first has no title.
type NavGroup struct {
	Title string
	Items []NavItem
}

// A NavItem is one line of the rail.
type NavItem struct {
	Icon   string
	Label  string
	Href   string
	Count  string // already formatted; "" for none
	Hot    bool   // the count waits for this person
	Live   bool   // something runs right now
	Active bool
	Topic  string // event type prefix that raises the count while the page stays open
	Key    string // the second key after G that goes there; "" for none
}

// A Crumb is one step of the breadcrumb.
type Crumb struct{ Label, Href string }

// Exposure is a reviewer's own dose of today, shown to them alone.
type Exposure struct {
	Seen, Limit time.Duration
	BreakIn     time.Duration // 0: a break is due
	BreakURL    string        // where a POST begins one
}

// due is what the reviewer is to be told: "full" once the day's measure is
// reached, "break" while one is due, else "".
func (e Exposure) due() string {
	switch {
	case e.Limit > 0 && e.Seen >= e.Limit:
		return "full"
	case e.BreakIn <= 0:
		return "break"
	default:
		return ""
	}
}

// An Alert is a strip over the page, as for a running crisis.
type Alert struct {
	Strong string
	Text   string
	Href   string
	Link   string
}

// A CommandGroup is a titled part of the palette.
type CommandGroup struct {
	Title string
	Items []Command
}

// A Command is one line of the palette: it goes to Href, or presses what the
// selector Click finds on the page.
type Command struct {
	Icon  string
	Label string
	Keys  []string
	Href  string
	Click string
}

// themeName is what the root element carries for the first paint.
func (p Page) themeName() string {
	if p.Theme == ThemeAuto {
		return "auto"
	}
	return string(p.Theme)
}

// keyHelp lists the shortcuts of the console that work from the person's chair,
// for the dialog behind "?".
func (c ConsolePage) keyHelp() []shortcut {
	lines := []struct {
		keys, word string
		here       bool
	}{
		{"Ctrl K", "palette", true},
		{"?", "help", true},
		{"J K", "move", true},
		{"Enter", "open", true},
		{"Esc", "back", true},
		{"U", "undo", c.desk()},
		{"N", "next", c.desk()},
		{"T", "take", c.desk()},
		{"Space", "reveal", c.sees()},
		{"Shift Space", "revealfull", c.sees()},
		{"Z", "hideall", c.sees()},
		{"1–5", "grounds", c.desk()},
		{"6–0", "purposes", c.desk()},
		{"Alt 6–0", "claims", c.desk()},
		{"L", "rest", c.desk()},
		{"P", "public", c.desk()},
		{"W", "reasons", c.desk()},
		{"S", "second", c.desk()},
		{"X", "close", c.desk()},
		{"R", "referral", c.desk()},
		{"O", "order", c.desk()},
		{"Shift 1 2 3", "deadline", c.desk()},
		{"E", "skip", c.desk()},
		{"A", "assign", c.desk()},
		{"1–5", "answers", c.Seat == SeatPlatform},
		{"B", "break", c.sees()},
		{"Ctrl Enter", "send", true},
		{"Ctrl Shift Enter", "sign", c.KeysURL != ""},
	}
	var out []shortcut
	for _, l := range lines {
		if l.here {
			out = append(out, shortcut{Keys: splitKeys(c.P, l.keys), Does: c.P.T("ui.keys." + l.word)})
		}
	}
	for _, n := range c.goTo() {
		out = append(out, shortcut{Keys: []string{"G", n.Key}, Does: c.P.T("ui.keys.goto", "Page", n.Label)})
	}
	return out
}

// desk reports whether the person decides on cases.
func (c ConsolePage) desk() bool { return c.Exposure != nil }

// sees reports whether the person is shown evidence.
func (c ConsolePage) sees() bool { return c.BreakURL != "" }

// goTo are the pages that G and a second key lead to.
func (c ConsolePage) goTo() []NavItem {
	var out []NavItem
	for _, g := range c.Nav {
		for _, n := range g.Items {
			if n.Key != "" {
				out = append(out, n)
			}
		}
	}
	return out
}

type shortcut struct {
	Keys []string
	Does string
}

// splitKeys turns "Ctrl K" into its caps, in the reader's language.
func splitKeys(p *i18n.Printer, s string) []string {
	var caps []string
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != ' ' {
			continue
		}
		c := s[start:i]
		if c == "Space" {
			c = p.T("ui.key.space")
		}
		caps, start = append(caps, c), i+1
	}
	return caps
}

// scriptWords are the texts that scripts need, by the names they use.
func scriptWords(p *i18n.Printer) string {
	names := []string{
		"seconds", "minutes", "hours", "hm", "day", "days", "left", "over", "due",
		"copied", "copyfailed", "undo", "dismiss", "lost", "new", "uploading", "uploaded", "uploadfailed", "offline",
		"signing", "nokey", "noed25519", "nosecure", "signfailed", "nopasskeys", "passkeyhere", "passkeystopped", "passkeyfailed",
		"keymade", "seen", "removed", "busy", "printable", "openfirst", "working", "breakdue", "dosefull",
	}
	words := make(map[string]string, len(names)+1)
	for _, n := range names {
		words[n] = p.T("ui.js." + n)
	}
	b, err := json.Marshal(words)
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	return string(b)
}

var sprite = func() map[string]bool {
	known := map[string]bool{}
	for _, n := range static.Icons() {
		known[n] = true
	}
	return known
}()

// iconURL points into the sprite; an icon that is not in it is a bug that the
// gallery test finds.
func iconURL(name string) string {
	if !sprite[name] {
		panic("components: icon " + name + " is not in assets/icons.txt")
	}
	return static.URL("icons.svg") + "#i-" + name
}
