package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/web/components"
)

// PolicyPage shows one version of a jurisdiction's rules: every figure with
// its source, and which of them nobody has verified.
type PolicyPage struct {
	components.ConsolePage
	Title, Sub  string
	Tabs        []components.Tab
	Packs       []PackLink // the jurisdictions to choose from
	Versions    []PackLink // of this one, the newest first
	Compare     string     // address of the comparison with the version before, "" for none
	Filters     []components.Tab
	Figures     []FigureRow
	Grounds     []GroundRow
	Unavailable []ClauseRow
	Rungs       []RungRow
	Ends        ClauseRow
	Signs       []string
	Digest      string
	DigestParts []string
	Facts       []components.Fact
	Open        int // unverified figures
	OpenClauses int // unverified sentences
}

// A PackLink leads to a pack or to a version of it.
type PackLink struct {
	Label, Href string
	Active      bool
}

// A FigureRow is one number of the pack.
type FigureRow struct {
	Label, Key, Value, Source, Provision, Note string
	Standing                                   policy.Standing
}

// A GroundRow is the provision that stands for one of the five grounds.
type GroundRow struct {
	Ground components.Ground
	Clause ClauseRow
}

// A ClauseRow is a sentence with its source.
type ClauseRow struct {
	Name, Text, Source, Note string
	Verified                 bool
}

// A RungRow is a step of the ladder.
type RungRow struct{ Text, Earliest, Who string }

// policyIndex: GET /policy goes to the pack of the visitor's own jurisdiction.
func (s *Server) policyIndex(w http.ResponseWriter, r *http.Request) error {
	code := actorOf(r.Context()).Jurisdiction
	if _, ok := s.Packs.Current(code, s.Clock.Now()); !ok {
		codes := s.Packs.Codes()
		if len(codes) == 0 {
			return fault.Hidden("pack")
		}
		code = codes[0]
	}
	return seeOther(w, r, "/policy/"+url.PathEscape(code))
}

// namedPack returns the version that a request names, or the current one.
func (s *Server) namedPack(r *http.Request) (policy.Pack, error) {
	code := r.PathValue("code")
	if v := r.URL.Query().Get("version"); v != "" {
		n, err := strconv.Atoi(v)
		if p, ok := s.Packs.Version(code, n); err == nil && ok {
			return p, nil
		}
		return policy.Pack{}, fault.Hidden("pack")
	}
	if p, ok := s.Packs.Current(code, s.Clock.Now()); ok {
		return p, nil
	}
	return policy.Pack{}, fault.Hidden("pack")
}

// policyPack: GET /policy/{code}?version=&show=unverified
func (s *Server) policyPack(w http.ResponseWriter, r *http.Request) error {
	pack, err := s.namedPack(r)
	if err != nil {
		return err
	}
	p := i18n.For(langOf(r))
	name := pack.Name.In(p.Lang())
	c, err := s.console(r, "policy", p.T("admin.policy.title", "Name", name),
		components.Crumb{Label: p.T("web.nav.organisation"), Href: "/organisation"}, components.Crumb{Label: p.T("web.nav.policy")})
	if err != nil {
		return err
	}
	pg := PolicyPage{
		ConsolePage: c, Title: p.T("admin.policy.title", "Name", name), Sub: p.T("admin.policy.sub"),
		Tabs: s.adminTabs(p, actorOf(r.Context()), "policy"), Digest: pack.Ref.Digest,
		Open: len(pack.Unverified()), OpenClauses: len(pack.UnverifiedClauses()),
	}
	for i := 0; i+4 <= len(pack.Ref.Digest); i += 4 {
		pg.DigestParts = append(pg.DigestParts, pack.Ref.Digest[i:i+4])
	}
	s.linkPacks(&pg, pack)
	fillFigures(&pg, pack, r.URL.Query().Get("show") == "unverified")
	fillRules(&pg, pack)
	return s.render(w, r, http.StatusOK, policyView(pg))
}

func address(p policy.Pack) string {
	return fmt.Sprintf("/policy/%s?version=%d", url.PathEscape(p.Code), p.Version)
}

// linkPacks offers the other jurisdictions and the other versions.
func (s *Server) linkPacks(pg *PolicyPage, pack policy.Pack) {
	now := pg.Now
	for _, code := range s.Packs.Codes() {
		if p, ok := s.Packs.Current(code, now); ok {
			pg.Packs = append(pg.Packs, PackLink{p.Name.In(pg.P.Lang()), "/policy/" + url.PathEscape(code), code == pack.Code})
		}
	}
	current, _ := s.Packs.Current(pack.Code, now)
	for _, p := range s.Packs.All() {
		if p.Code != pack.Code {
			continue
		}
		label := pg.P.T("admin.policy.version", "Version", p.Version, "From", pg.P.Date(p.ValidFrom, pg.Zone))
		if p.Version == current.Version {
			label = pg.P.T("admin.policy.current", "Version", p.Version, "From", pg.P.Date(p.ValidFrom, pg.Zone))
		}
		pg.Versions = append([]PackLink{{label, address(p), p.Version == pack.Version}}, pg.Versions...)
	}
	if _, ok := s.Packs.Version(pack.Code, pack.Version-1); ok {
		pg.Compare = fmt.Sprintf("/policy/%s/compare?version=%d", url.PathEscape(pack.Code), pack.Version)
	}
	pg.Facts = []components.Fact{
		{Name: pg.P.T("admin.policy.in-force"), Value: pg.P.DateTime(pack.ValidFrom, pg.Zone)},
		{Name: pg.P.T("admin.policy.code"), Value: fmt.Sprintf("%s %d", pack.Code, pack.Version)},
		{Name: pg.P.T("admin.policy.binding"), Value: pack.Languages.Binding},
		{Name: pg.P.T("admin.policy.zone"), Value: pack.TimeZone},
	}
}

func fillFigures(pg *PolicyPage, pack policy.Pack, onlyOpen bool) {
	lang := pg.P.Lang()
	for _, f := range pack.Figures() {
		if onlyOpen && f.Verified {
			continue
		}
		row := FigureRow{Label: f.Label(pg.P), Key: f.Key, Value: f.Words(pg.P), Standing: f.Standing(), Source: sourceOf(pack, f.Source)}
		if f.Provision != nil {
			row.Provision = f.Provision.In(lang)
		}
		if f.Note != nil {
			row.Note = f.Note.In(lang)
		}
		pg.Figures = append(pg.Figures, row)
	}
	here := address(pack)
	pg.Filters = []components.Tab{
		{Label: pg.P.T("admin.policy.all"), Count: pg.P.Number(int64(len(pack.Figures()))), Href: here, Active: !onlyOpen},
		{Label: pg.P.T("admin.policy.unverified"), Count: pg.P.Number(int64(pg.Open)), Href: here + "&show=unverified", Active: onlyOpen},
	}
}

// sourceOf names the source that a key stands for.
func sourceOf(pack policy.Pack, key string) string {
	if src, ok := pack.Sources[key]; ok {
		return src.Title
	}
	return key
}

func clauseRow(pg *PolicyPage, pack policy.Pack, name string, c policy.Clause) ClauseRow {
	row := ClauseRow{Name: name, Text: c.Text.In(pg.P.Lang()), Source: sourceOf(pack, c.Source), Verified: c.Verified}
	if c.Provision != nil {
		row.Source += ", " + c.Provision.In(pg.P.Lang())
	}
	if c.Note != nil {
		row.Note = c.Note.In(pg.P.Lang())
	}
	return row
}

func fillRules(pg *PolicyPage, pack policy.Pack) {
	lang := pg.P.Lang()
	for _, g := range policy.Grounds() {
		if c, ok := pack.Ground(g); ok {
			pg.Grounds = append(pg.Grounds, GroundRow{components.GroundOf(string(g)), clauseRow(pg, pack, "", c)})
		}
	}
	for _, u := range pack.UnavailableGrounds {
		pg.Unavailable = append(pg.Unavailable, clauseRow(pg, pack, u.Name.In(lang), u.Rule))
	}
	for _, rung := range pack.Ladder.Rungs {
		pg.Rungs = append(pg.Rungs, RungRow{
			Text:     rung.Text.In(lang),
			Earliest: pg.P.T("admin.policy.from."+string(rung.From), "After", rung.After.Words(pg.P)),
			Who:      pg.P.T("web.party."+string(rung.Party)) + ", " + pg.P.T("web.role."+string(rung.Role)),
		})
	}
	pg.Ends = clauseRow(pg, pack, "", pack.Ladder.Ends)
	for _, m := range pack.Signing.Methods {
		pg.Signs = append(pg.Signs, pg.P.T("admin.policy.method."+string(m)))
	}
}

// ComparePage shows what changed from one version of a pack to the next.
type ComparePage struct {
	components.ConsolePage
	Title, Sub string
	Tabs       []components.Tab
	Before     string
	After      string
	Changes    []policy.Change
	Back       string
}

// policyCompare: GET /policy/{code}/compare?version=N compares N with N-1.
func (s *Server) policyCompare(w http.ResponseWriter, r *http.Request) error {
	pack, err := s.namedPack(r)
	if err != nil {
		return err
	}
	before, ok := s.Packs.Version(pack.Code, pack.Version-1)
	if !ok {
		return fault.Hidden("pack")
	}
	p := i18n.For(langOf(r))
	title := p.T("admin.policy.compare", "Name", pack.Name.In(p.Lang()))
	c, err := s.console(r, "policy", title, components.Crumb{Label: p.T("web.nav.policy"), Href: address(pack)}, components.Crumb{Label: p.T("admin.policy.comparison")})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, compareView(ComparePage{
		ConsolePage: c, Title: title, Sub: p.T("admin.policy.compare.sub"), Tabs: s.adminTabs(p, actorOf(r.Context()), "policy"),
		Before: fmt.Sprintf("%s %d", before.Code, before.Version), After: fmt.Sprintf("%s %d", pack.Code, pack.Version),
		Changes: policy.Diff(before, pack), Back: address(pack),
	}))
}
