package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// PrintPage is a notice as it is served on paper: every field of Regulation
// (EU) 2021/784, Annex I, in every language of the notice, with what is needed
// to check it against the signed bytes.
type PrintPage struct {
	components.ConsolePage
	Langs   []*i18n.Printer // of the notice, the binding one first
	Back    string
	Ref     string
	Title   string
	Issuer  string
	Place   string // jurisdiction
	Head    []PrintFact
	First   []string // what the law says of a first order, if it is one
	Items   []PrintItem
	Asks    []string // what is asked, in each language
	Law     []PrintFact
	Grounds []PrintGround
	Reasons []LangText
	Tests   string
	Listed  string
	Redress []PrintFact
	Contact string
	Tell    []string
	Signed  []PrintSignature
	Digest  string
	Verify  []string
	Printed string
}

// A PrintFact is a field of the form.
type PrintFact struct{ Name, Value string }

// A PrintItem is one location as it is served: on paper a link is text.
type PrintItem struct {
	N    int
	URL  string
	Note string
}

// A PrintGround is a ground with the law's words in each language.
type PrintGround struct {
	Code  string
	Texts []string
	Where string // provision
}

// A PrintSignature is one signature over the digest, or the seal.
type PrintSignature struct{ Step, Party, Key, At string }

func errNotIssued(ref string) error {
	return fault.New(fault.Conflict, "notice.not-issued", "Ref", ref)
}

// printNotice: GET /orders/{id}/print. The room records that it was printed.
func (s *Server) printNotice(w http.ResponseWriter, r *http.Request) error {
	paper, err := s.Notice.Print(r.Context(), actorOf(r.Context()), notice.ID(r.PathValue("id")))
	if err != nil {
		return err
	}
	pg := PrintPage{Back: "/orders/" + string(paper.ID), Ref: paper.Ref}
	title := i18n.For(langOf(r)).T("order.print.title", "Ref", paper.Ref)
	if pg.ConsolePage, err = s.console(r, "orders", title, components.Crumb{Label: paper.Ref, Href: pg.Back}, components.Crumb{Label: title}); err != nil {
		return err
	}
	pg.Langs = noticeLangs(paper.Document.Reasons.Binding, paper.Document.Languages)
	pt := printer{&pg, paper, zoneOf(pg.Zone), func(key string) string { return s.platformName(pg.P, key) }}
	pt.head()
	pt.content()
	pt.law()
	pt.proof()
	return s.render(w, r, http.StatusOK, printView(pg))
}

// noticeLangs are the languages of the notice that this program writes, the
// binding one first; at least its own.
func noticeLangs(binding string, all []string) []*i18n.Printer {
	var out []*i18n.Printer
	for _, want := range append([]string{binding}, all...) {
		for _, l := range i18n.Langs() {
			if want == string(l) && !slices.ContainsFunc(out, func(p *i18n.Printer) bool { return p.Lang() == l }) {
				out = append(out, i18n.For(l))
			}
		}
	}
	if len(out) == 0 {
		out = append(out, i18n.For(i18n.EN))
	}
	return out
}

// both says a key in every language of the notice.
func (pg PrintPage) both(key string, kv ...any) string {
	return strings.Join(pg.each(key, kv...), " / ")
}

func (pg PrintPage) each(key string, kv ...any) []string {
	var out []string
	for _, p := range pg.Langs {
		if s := p.T(key, kv...); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// printer fills the page from the paper.
type printer struct {
	pg    *PrintPage
	paper notice.Paper
	zone  *time.Location
	// platform returns how a platform writes itself.
	platform func(key string) string
}

// said is a pack's text in every language of the notice.
func (pt printer) said(t policy.Text) []string {
	var out []string
	for _, p := range pt.pg.Langs {
		if s := t.In(p.Lang()); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// moment is a time as the record shows it, with UTC beside it.
func (pt printer) moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return pt.pg.Langs[0].DateTime(at, pt.zone) + " (" + at.UTC().Format("2006-01-02T15:04:05Z") + ")"
}

func (pt printer) head() {
	pg, doc := pt.pg, pt.paper.Document
	pg.Title, pg.Issuer, pg.Place = pg.both("policy.kind."+string(doc.Kind)), doc.Issuer.Name, doc.Jurisdiction
	add := func(key, value string) {
		if value != "" {
			pg.Head = append(pg.Head, PrintFact{pg.both("order.print." + key), value})
		}
	}
	add("reference", doc.Reference)
	add("issued", pt.moment(pt.paper.IssuedAt))
	add("issuer", doc.Issuer.Name+partyState(doc.Issuer))
	if doc.Proposer.ID != doc.Issuer.ID {
		add("proposer", doc.Proposer.Name+partyState(doc.Proposer))
	}
	add("addressee", doc.Addressee.Name)
	add("representative", doc.Addressee.LegalRepresentative)
	add("contact-point", doc.Addressee.Contact)
	add("establishment", doc.Addressee.StateOfMainEstablishment)
	if h := doc.HomeAuthorityCopy; h != nil && h.Applies {
		add("home-copy", strings.Trim(h.Authority+", "+h.State, ", "))
	}
	if doc.DeadlineMinutes > 0 {
		window := time.Duration(doc.DeadlineMinutes) * time.Minute
		var spans []string
		for _, p := range pg.Langs {
			spans = append(spans, p.T("order.print.deadline.text", "Window", p.Window(window)))
		}
		add("deadline", strings.Join(spans, " / "))
	} else {
		add("deadline", pg.both("ui.deadline.none"))
	}
	if f := doc.FirstNotice; f != nil && f.First {
		pg.First = pg.each("order.print.first")
		if f.Emergency != nil {
			for _, x := range texts(*f.Emergency, pg.Langs[0].Lang()) {
				pg.First = append(pg.First, x.Text)
			}
		}
	}
}

func partyState(p notes.Party) string {
	if p.State == "" {
		return ""
	}
	return " (" + p.State + ")"
}

func (pt printer) content() {
	pg, doc := pt.pg, pt.paper.Document
	key := "order.print.asks.removal-order"
	if doc.Kind == notes.Referral {
		key = "order.print.asks.referral"
	}
	scope := ""
	if doc.Scope != nil {
		scope = strings.Join(doc.Scope.Territories, ", ")
	}
	for _, p := range pg.Langs {
		pg.Asks = append(pg.Asks, p.N(key, len(doc.Items), "Scope", scope))
	}
	for _, it := range doc.Items {
		note := []string{pg.both("order.itemkind." + it.Kind), pt.platform(it.Platform)}
		if it.ContentType != it.Kind && it.ContentType != "other" {
			note = append(note, pg.both("order.content."+it.ContentType))
		}
		if it.Language != "und" {
			note = append(note, it.Language)
		}
		if it.Extra != "" {
			note = append(note, it.Extra)
		}
		pg.Items = append(pg.Items, PrintItem{N: it.N, URL: it.URL, Note: strings.Join(note, ", ")})
	}
	if d := doc.Duties; d != nil && d.PreserveMonths > 0 {
		for _, p := range pg.Langs {
			pg.Asks = append(pg.Asks, p.N("order.print.preserve", d.PreserveMonths))
		}
	}
	if d := doc.Duties; d != nil && d.Statement != nil {
		for _, x := range texts(*d.Statement, pg.Langs[0].Lang()) {
			pg.Asks = append(pg.Asks, x.Text)
		}
	}
	pg.Tell = pg.each("order.print.tell")
	if !doc.Disclosure.MayTellUser {
		pg.Tell = nil
		for _, p := range pg.Langs {
			pg.Tell = append(pg.Tell, p.T("order.print.nottell", "At", p.Date(doc.Disclosure.Until.Time, pt.zone)))
		}
		if doc.Disclosure.Reason != nil {
			for _, x := range texts(*doc.Disclosure.Reason, pg.Langs[0].Lang()) {
				pg.Tell = append(pg.Tell, x.Text)
			}
		}
	}
}

func (pt printer) law() {
	pg, doc := pt.pg, pt.paper.Document
	for _, b := range doc.LegalBasis {
		pg.Law = append(pg.Law, PrintFact{b.Law, joined(b.Title, b.Article)})
	}
	for _, g := range pt.paper.Grounds {
		line := PrintGround{Code: string(g.Ground), Texts: pt.said(g.Clause.Text)}
		if len(line.Texts) == 0 {
			for _, p := range pg.Langs {
				line.Texts = append(line.Texts, components.GroundOf(line.Code).Full(p))
			}
		}
		if g.Clause.Provision != nil {
			line.Where = strings.Join(pt.said(*g.Clause.Provision), " / ")
		}
		pg.Grounds = append(pg.Grounds, line)
	}
	pg.Reasons = texts(doc.Reasons, pg.Langs[0].Lang())
	if doc.Listed != nil {
		pg.Listed = pg.both("policy.listed." + string(doc.Listed.Class))
	}
	if len(doc.PurposeTests) > 0 {
		var sums []string
		for _, p := range pg.Langs {
			sums = append(sums, orderTeller{Page: components.Page{P: p}}.tests(doc.PurposeTests))
		}
		pg.Tests = strings.Join(sums, " / ")
	}
	for _, r := range doc.Redress {
		term := pg.both("order.print.noterm")
		if days, ok := isoDays(r.Deadline); ok {
			var spans []string
			for _, p := range pg.Langs {
				spans = append(spans, p.N("ui.span.days", days))
			}
			term = strings.Join(spans, " / ")
		}
		pg.Redress = append(pg.Redress, PrintFact{r.Body, strings.Trim(r.Provision+", "+term+", "+r.URL, ", ")})
	}
	c := doc.Feedback
	pg.Contact = joined(c.Name, c.Email, c.Telephone, c.URL, c.Hours, strings.ToUpper(strings.Join(c.Languages, ", ")))
}

// isoDays reads a term as P14D (ISO 8601); others are not written by packs.
func isoDays(s string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(s, "P"), "D"))
	return n, err == nil && strings.HasPrefix(s, "P") && strings.HasSuffix(s, "D")
}

// joined are the parts that say something.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func (pt printer) proof() {
	pg := pt.pg
	for _, c := range pt.paper.Chain {
		if !c.At.IsZero() {
			pg.Signed = append(pg.Signed, PrintSignature{pg.both("notice.step." + string(c.Step)), c.PartyName, string(c.Key), c.At.UTC().Format("2006-01-02T15:04:05Z")})
		}
	}
	seal := pt.paper.Seal
	pg.Signed = append(pg.Signed, PrintSignature{pg.both("order.print.seal"), pt.paper.IssuerName, seal.Key, seal.At.UTC().Format("2006-01-02T15:04:05Z")})
	pg.Digest, pg.Verify = pt.paper.Commit, pg.each("order.print.verify", "Ref", pt.paper.Ref)
	pg.Printed = pt.moment(pt.paper.PrintedAt)
}
