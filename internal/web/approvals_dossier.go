package web

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// A DossierView is a frozen dossier, as whoever signs reads it.
type DossierView struct {
	At        time.Time // frozen
	Pack      string
	Listed    string
	Functions string
	Tier      string
	Grounds   []GroundLine
	Tests     []TestLine
	Reasons   []LangText
	Lighter   []LighterLine
	Scope     string
	Disclose  string
	Changes   *ChangesView
	Items     []DossierItem
	Unread    int // number of the first item that was not opened, 0 for none
	MoreItems int // not listed here
	Evidence  []EvidenceLine
	Missing   []LangText // why there is none
	Seals     string
}

// A GroundLine is one of the five grounds with its finding.
type GroundLine struct {
	Ground components.Ground
	Met    bool
	Why    string
}

// A TestLine is one purpose test with its two findings.
type TestLine struct {
	Purpose         components.Purpose
	Claimed, Actual bool
	Why             string
}

// A LighterLine is a lighter measure that was tried, or why none was.
type LighterLine struct {
	Tried bool
	Text  string
}

// A ChangesView is what differs from the version that was sent back.
type ChangesView struct {
	From, To int
	By       string
	At       time.Time
	Words    string
	Lines    []ChangeLine
}

// A ChangeLine is one change.
type ChangeLine struct {
	Ground  *components.Ground
	Name    string
	Old     string
	New     string
	Purpose string
}

// A DossierItem is a location with the pictures that show it. They are fetched
// only once somebody opens the item, which is on record.
type DossierItem struct {
	N       int
	URL     components.Defanged
	Note    string
	Open    string // address that opens it; "" once it is open
	Opened  bool
	Images  []string
	Files   int // of evidence
	Picture bool
}

// An EvidenceLine is a file of the frozen manifest.
type EvidenceLine struct {
	Icon string
	Name string
	At   time.Time
	By   string
	Seal string // start of the content's SHA-256
	Full string
}

// maxDossierItems is how many items the dossier lists; the signed document
// holds them all.
const maxDossierItems = 100

// maxThumbs is how many pictures of one item are shown.
const maxThumbs = 4

// dossierView reads the dossier behind a notice. The room checked it against
// the digest under which it was frozen.
func (s *Server) dossierView(ctx context.Context, t orderTeller, rd reading) (DossierView, error) {
	d, err := s.Casework.Dossier(ctx, s.DB, t.v.DossierID)
	if err != nil {
		return DossierView{}, err
	}
	a, p := d.Document.Assessment, t.P
	out := DossierView{
		At: d.FrozenAt, Pack: t.basis().Pack, Listed: p.T("policy.listed." + string(a.Listed.Class)), Tier: p.T("policy.tier." + string(a.Tier)),
		Reasons: texts(t.v.Document.Reasons, p.Lang()), Scope: strings.Join(a.Scope.Territories, ", "), Lighter: t.lighter(a.Necessity), Disclose: t.disclosure(),
	}
	var functions []string
	for _, f := range a.Functions {
		functions = append(functions, p.T("policy.function."+string(f)))
	}
	out.Functions = strings.Join(functions, ", ")
	out.findings(a)
	t.dossierItems(s, &out, d, rd)
	t.evidence(&out, d.Document)
	if d.Document.EvidenceMissing != nil {
		out.Missing = texts(*d.Document.EvidenceMissing, p.Lang())
	}
	out.Changes, err = s.changes(ctx, t, d)
	return out, err
}

// findings lists all grounds and purpose tests, in their one order.
func (d *DossierView) findings(a notes.Assessment) {
	for _, g := range components.Grounds() {
		line := GroundLine{Ground: g}
		for _, f := range a.Grounds {
			if string(f.Ground) == g.Code {
				line.Met, line.Why = f.Met == notes.Yes, f.Reasons
			}
		}
		d.Grounds = append(d.Grounds, line)
	}
	for _, pt := range components.Purposes() {
		line := TestLine{Purpose: pt}
		for _, f := range a.PurposeTests {
			if string(f.Purpose) == pt.Code {
				line.Claimed, line.Actual, line.Why = f.Claimed == notes.Yes, f.Actual == notes.Yes, f.Reasons
			}
		}
		d.Tests = append(d.Tests, line)
	}
}

func (t orderTeller) lighter(n notes.Necessity) []LighterLine {
	var out []LighterLine
	for _, m := range n.Tried {
		text := m.Measure
		if !m.At.IsZero() {
			text += " " + t.P.When(m.At.Time, t.Now, t.Zone)
		}
		out = append(out, LighterLine{Tried: true, Text: text + ": " + m.Outcome})
	}
	if n.WhyNone != nil {
		for _, x := range texts(*n.WhyNone, t.P.Lang())[:1] {
			out = append(out, LighterLine{Text: x.Text})
		}
	}
	return out
}

// disclosure is why the user may not be told yet, "" where they may.
func (t orderTeller) disclosure() string {
	d := t.v.Document.Disclosure
	if d.MayTellUser || d.Reason == nil {
		return ""
	}
	why := texts(*d.Reason, t.P.Lang())
	if len(why) == 0 {
		return ""
	}
	return t.P.T("order.withheld", "At", t.P.Date(d.Until.Time, t.Zone), "Why", why[0].Text)
}

func (t orderTeller) dossierItems(s *Server, out *DossierView, d casework.Dossier, rd reading) {
	all := d.Document.Locations
	if len(all) > maxDossierItems {
		out.MoreItems, all = len(all)-maxDossierItems, all[:maxDossierItems]
	}
	base := "/approvals/" + string(t.v.ID)
	for _, l := range all {
		it := DossierItem{
			N: l.N, URL: components.Defanged{Text: canonical.Defang(l.URL), Copy: true, Wide: true}, Opened: slices.Contains(rd.items, l.N),
			Note: t.P.T("order.itemkind."+l.Kind) + ", " + s.platformName(t.P, l.Platform),
		}
		for i, e := range d.Document.Evidence {
			if e.Item != l.N && e.Item != 0 || i >= len(d.Files) {
				continue
			}
			it.Files++
			if strings.HasPrefix(e.MediaType, "image/") && len(it.Images) < maxThumbs {
				it.Picture = true
				if it.Opened {
					it.Images = append(it.Images, s.captureURL(t.by, d.Files[i]))
				}
			}
		}
		if !it.Opened {
			it.Open = base + rd.query(l.N) + "#item-" + strconv.Itoa(l.N)
			if out.Unread == 0 {
				out.Unread = l.N
			}
		}
		out.Items = append(out.Items, it)
	}
}

// evidence lists the frozen manifest. The room has just compared the dossier
// with its digest, so every fingerprint in it is the one that was frozen; the
// vault checks a file's bytes against it whenever it is opened.
func (t orderTeller) evidence(out *DossierView, d notes.Dossier) {
	for _, e := range d.Evidence {
		icon, kind := "file-text", "file"
		switch base, _, _ := strings.Cut(e.MediaType, "/"); {
		case base == "image":
			icon, kind = "image", "image"
		case base == "video":
			icon, kind = "video", "video"
		case base == "audio":
			icon, kind = "volume-x", "audio"
		case strings.Contains(e.MediaType, "warc"):
			icon, kind = "archive", "warc"
		case e.MediaType == "text/html":
			icon, kind = "globe", "page"
		}
		name := t.P.T("order.evidence." + kind)
		if e.Item > 0 {
			name += ", " + t.P.T("order.evidence.item", "N", e.Item)
		}
		out.Evidence = append(out.Evidence, EvidenceLine{
			Icon: icon, Name: name + ", " + t.P.Bytes(e.Size), At: e.CapturedAt.Time, By: t.P.T("order.sealed." + e.SealedBy), Seal: e.SHA256[:min(12, len(e.SHA256))], Full: e.SHA256,
		})
	}
	out.Seals = t.P.T("order.seals", "N", len(d.Evidence), "At", t.P.Time(t.Now, t.Zone))
}

// parts are what the signature says was read: the sheet as a whole, and each
// item that was opened.
func (d DossierView) parts() []string {
	out := []string{"assessment", "evidence"}
	if d.Changes != nil {
		out = append(out, "changes")
	}
	for _, it := range d.Items {
		if it.Opened {
			out = append(out, "item-"+strconv.Itoa(it.N))
		}
	}
	return out
}

// reads tells what has been opened so far.
func (t orderTeller) reads(d DossierView) ([]ReadLine, string) {
	p := t.P
	of := func(n, all int) string { return p.Number(int64(n)) + " / " + p.Number(int64(all)) }
	var out []ReadLine
	if d.Changes != nil {
		out = append(out, ReadLine{Done: true, Name: p.T("order.read.changes"), Count: p.N("order.points", len(d.Changes.Lines))})
	}
	answers := len(d.Grounds) + 2*len(d.Tests)
	out = append(out, ReadLine{Done: true, Name: p.T("order.read.assessment"), Count: of(answers, answers)})
	opened := 0
	for _, it := range d.Items {
		if it.Opened {
			opened++
		}
	}
	all := len(d.Items) + d.MoreItems
	out = append(out, ReadLine{Done: opened == all, Name: p.T("order.read.items"), Count: of(opened, all)})
	n := len(d.Evidence)
	out = append(out, ReadLine{Done: true, Name: p.T("order.read.seals"), Count: of(n, n)})
	done := 0
	for _, l := range out {
		if l.Done {
			done++
		}
	}
	return out, p.T("order.read.sum", "N", done, "All", len(out))
}

// changes compares the dossier with the one that was sent back last.
func (s *Server) changes(ctx context.Context, t orderTeller, now casework.Dossier) (*ChangesView, error) {
	vs := t.v.Versions
	if len(vs) < 2 || vs[len(vs)-2].Returned == nil {
		return nil, nil //nolint:nilnil // nothing was sent back: there is nothing to show
	}
	back := vs[len(vs)-2]
	old, err := s.Casework.Dossier(ctx, s.DB, back.DossierID)
	if err != nil {
		return nil, err
	}
	out := &ChangesView{From: back.Version, To: t.v.Version, By: t.v.Names[back.Returned.Person], At: back.Returned.At, Words: t.returned(back.Returned)}
	if back.Returned.Person == t.by.Person {
		out.By = t.P.T("order.you")
	}
	out.Lines = t.compare(old.Document, now.Document)
	return out, nil
}

// compare lists what differs between two dossiers in what decides.
func (t orderTeller) compare(a, b notes.Dossier) []ChangeLine {
	p := t.P
	yn := func(f notes.Finding) string { return strings.ToLower(p.T("order.finding." + string(f))) }
	var out []ChangeLine
	var was, is DossierView
	was.findings(a.Assessment)
	is.findings(b.Assessment)
	for i, g := range is.Grounds {
		if old := was.Grounds[i]; old.Met != g.Met {
			ground := g.Ground
			out = append(out, ChangeLine{Ground: &ground, Old: yn(findingOf(old.Met)), New: yn(findingOf(g.Met))})
		}
	}
	for i, x := range is.Tests {
		if old := was.Tests[i]; old.Claimed != x.Claimed || old.Actual != x.Actual {
			out = append(out, ChangeLine{Purpose: x.Purpose.Number, Name: x.Purpose.Label(p), Old: t.testWords(old), New: t.testWords(x)})
		}
	}
	add := func(key, before, after string) {
		if before != after {
			out = append(out, ChangeLine{Name: p.T("order.change." + key), Old: before, New: after})
		}
	}
	binding := func(x notes.Text) string { return quoted(x.Texts[x.Binding]) }
	add("reasons", binding(a.Assessment.Reasons), binding(b.Assessment.Reasons))
	add("tier", p.T("policy.tier."+string(a.Assessment.Tier)), p.T("policy.tier."+string(b.Assessment.Tier)))
	add("listed", p.T("policy.listed."+string(a.Assessment.Listed.Class)), p.T("policy.listed."+string(b.Assessment.Listed.Class)))
	add("scope", strings.Join(a.Assessment.Scope.Territories, ", "), strings.Join(b.Assessment.Scope.Territories, ", "))
	add("lighter", t.lighterWords(a.Assessment.Necessity), t.lighterWords(b.Assessment.Necessity))
	add("items", p.Number(int64(len(a.Locations))), p.Number(int64(len(b.Locations))))
	add("evidence", p.Number(int64(len(a.Evidence))), p.Number(int64(len(b.Evidence))))
	return out
}

func findingOf(yes bool) notes.Finding {
	if yes {
		return notes.Yes
	}
	return notes.No
}

func (t orderTeller) testWords(l TestLine) string {
	return t.P.T("order.change.test", "Claimed", strings.ToLower(t.P.T("order.finding."+string(findingOf(l.Claimed)))), "Actual", strings.ToLower(t.P.T("order.finding."+string(findingOf(l.Actual)))))
}

func (t orderTeller) lighterWords(n notes.Necessity) string {
	var out []string
	for _, l := range t.lighter(n) {
		out = append(out, l.Text)
	}
	return strings.Join(out, "; ")
}

// maxQuoted bounds a changed text in the list of changes, in characters.
const maxQuoted = 160

func quoted(s string) string {
	if r := []rune(s); len(r) > maxQuoted {
		s = string(r[:maxQuoted]) + "…"
	}
	return "“" + harmless(s) + "”"
}

// prefixed is a field under another id, where a form stands twice on a page.
func prefixed(f components.TextArea, prefix string) components.TextArea {
	f.ID = prefix + f.ID
	return f
}

// langName names the language of a text, and says if it binds.
func langName(p *i18n.Printer, x LangText) string {
	name := strings.ToUpper(x.Lang)
	if x.Binding {
		name += ", " + p.T("order.binding")
	}
	return name
}
