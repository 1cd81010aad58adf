package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// OrderPage is one notice: where it stands, what was asked and answered, what
// was said, and what the reader may do.
type OrderPage struct {
	components.ConsolePage
	Href     string
	Ref      string
	Title    string
	Chips    []components.Chip
	MayTell  bool
	Binding  bool // an order, not a referral: it says whether the user may be told
	Chain    []components.ChainStep
	CaseRef  string // "" for the platform
	CaseHref string
	Log      string // place in the feed, "" before it has one
	Rungs    []components.Rung
	Notes    []components.Note
	Acts     []OrderButton
	Why      []string  // why acts are locked, said under them
	Act      *OrderAct // the act whose form is open, nil for none
	Withdraw *components.Confirm
	Live     bool // the page redraws parts of itself

	Items     []OrderItem
	ItemsDone string
	MoreItems string
	Accept    []int // answered items that may be accepted at once
	Basis     OrderBasis
	Facts     []components.Fact
	Files     []OrderFile

	Talk     []TalkLine
	Sealed   bool
	CanWrite bool
	Write    string // a message that was not accepted
	Hint     string // who else reads

	Clocks   []OrderClock
	Service  *OrderService
	Timeline []components.Event
	Proof    []components.Event
	Errors   []components.FieldError
	Toast    *components.Toast
}

// An OrderButton is an act in the page's head: a link to its form, or locked.
type OrderButton struct {
	Icon, Label, Href string
	Why               string // locked, and why; "" while open
	Open              string // id of the dialog that it opens; Href is then for readers without script
	Danger            bool
	Download          bool
}

// An OrderBasis is the law under a notice.
type OrderBasis struct {
	Pack     string
	PackHref string
	Law      string
	Grounds  []components.Ground
	Listed   string
	Tests    string
	Reasons  []LangText
}

// A LangText is a text with its language, for passages in another one.
type LangText struct {
	Lang    string
	Text    string
	Binding bool
}

// An OrderFile is a file that proves service.
type OrderFile struct{ Href, Name, Note string }

// orderTeller tells one notice to one reader, in their language and zone.
type orderTeller struct {
	components.Page
	by   party.Actor
	v    notice.View
	pack policy.Pack
}

// order: GET /orders/{id}.
func (s *Server) order(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	item, _ := strconv.Atoi(q.Get("item")) // not a number: no such item
	pg, err := s.orderPage(r, orderForm{Act: q.Get("act"), Item: item})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, orderView(pg))
}

// orderPage builds the page around the form that is open, if any.
func (s *Server) orderPage(r *http.Request, form orderForm) (OrderPage, error) {
	ctx, by, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	var pg OrderPage
	v, err := s.Notice.Get(ctx, by, notice.ID(r.PathValue("id")))
	if err != nil {
		return pg, err
	}
	pack, ok := s.Packs.Get(v.Pack)
	if !ok {
		return pg, fault.New(fault.Conflict, "notice.pack-gone", "Code", v.Pack.Code, "Version", v.Pack.Version)
	}
	active, list := "orders", p.T("order.list.title")
	if by.PartyKind == party.Platform {
		active, list = "history", p.T("order.list.title.platform")
	}
	crumbs := []components.Crumb{{Label: list, Href: "/orders"}, {Label: v.AddresseeName, Href: orderFilter{Platform: v.Platform}.href()}, {Label: v.Ref}}
	if pg.ConsolePage, err = s.console(r, active, v.Ref, crumbs...); err != nil {
		return pg, err
	}
	pg.Path = "/orders/" + string(v.ID)
	t := orderTeller{Page: pg.Page, by: by, v: v, pack: pack}
	t.Zone = zoneOf(pg.Zone)
	if err := s.orderItems(r, &t, &pg); err != nil {
		return pg, err
	}
	t.head(&pg)
	t.body(&pg)
	t.act(&pg, form)
	pg.Failed = len(form.Errors) > 0
	pg.Toast = orderToast(p, r.URL.Query())
	return pg, nil
}

func (t orderTeller) href() string { return "/orders/" + string(t.v.ID) }

// inside reports whether the reader is one of those who decide, or oversight.
func (t orderTeller) inside() bool { return t.by.Party != t.v.Addressee }

// head fills what stands over the panes.
func (t orderTeller) head(pg *OrderPage) {
	v, p := t.v, t.P
	pg.Href, pg.Ref, pg.Title = t.href(), v.Ref, noticeTitle(p, v.Row)
	pg.Chips, pg.MayTell, pg.Binding = noticeChips(p, v.Row, t.Now), v.MayTell, v.Kind == notes.RemovalOrder
	pg.Chain = t.chain()
	if t.inside() && v.CaseRef != "" {
		pg.CaseRef, pg.CaseHref = v.CaseRef, "/cases/"+string(v.CaseID)
	}
	if v.LogSeq > 0 {
		pg.Log = p.Number(v.LogSeq)
	}
	pg.Rungs = t.rungs()
	pg.Notes = t.notes()
	pg.Live = v.Life != notice.Withdrawn && v.Life != notice.Quashed
}

// body fills the three panes.
func (t orderTeller) body(pg *OrderPage) {
	pg.Basis, pg.Facts, pg.Files = t.basis(), t.facts(), t.files()
	pg.Talk, pg.Sealed = t.talk(), true
	pg.CanWrite = t.open(notice.EventWrite)
	pg.Hint = t.P.T("order.write.hint", "Other", t.otherSide())
	pg.Clocks, pg.Service = t.clocks(), t.service()
	pg.Timeline, pg.Proof = t.timeline(), t.proof()
}

// otherSide is whom a message goes to.
func (t orderTeller) otherSide() string {
	if t.inside() {
		return t.v.AddresseeName
	}
	return t.v.IssuerName
}

// open reports whether the reader may take that act now.
func (t orderTeller) open(e notice.Event) bool {
	b, ok := t.button(e)
	return ok && b.Open
}

// button is the act as the room offers it; ok is false where the reader's seat
// never takes it.
func (t orderTeller) button(e notice.Event) (notice.Button, bool) {
	for _, b := range t.v.Buttons {
		if b.Event == e {
			return b, true
		}
	}
	return notice.Button{}, false
}

// why says in the reader's words why an act is locked.
func (t orderTeller) why(b notice.Button) string { return whyNot(t.P, b.Why) }

func whyNot(p *i18n.Printer, err error) string {
	if f, ok := fault.As(err); ok {
		return p.Fault(f)
	}
	return ""
}

// chain names who proposed, approved and issued; a platform is told the
// organisation alone.
func (t orderTeller) chain() []components.ChainStep {
	var out []components.ChainStep
	for i, c := range t.v.Chain {
		s := components.ChainStep{Act: t.P.T("order.chain." + string(c.Step)), Person: c.PersonName, Initials: initials(c.PersonName), At: c.At}
		if c.Party != t.v.Proposer {
			s.Class = "av-k"
		}
		switch {
		case s.Person == "" && c.At.IsZero():
			s.Act, s.Person = t.P.T("order.chain."+string(c.Step)+".next"), t.P.T("web.role."+string(c.Role))
		case s.Person == "":
			s.Person, s.Initials = t.P.T("web.role."+string(c.Role)), initials(c.PartyName)
		}
		if i+1 == len(t.v.Chain) || t.v.Chain[i+1].Party != c.Party {
			s.Party = c.PartyName
		}
		out = append(out, s)
	}
	return out
}

// notes are what has to be known before anything else.
func (t orderTeller) notes() []components.Note {
	v, p := t.v, t.P
	var out []components.Note
	if v.Refused != "" && v.Life != notice.Open {
		out = append(out, components.Note{Tone: components.ToneRed, Icon: "octagon-x", Strong: p.T("order.note.refused"), Text: p.T("notice.refusal."+v.Refused) + "."})
	}
	if !v.AdvanceFrom.IsZero() && v.IssuedAt.IsZero() && t.Now.Before(v.AdvanceFrom) {
		out = append(out, components.Note{Tone: components.ToneAmber, Icon: "hourglass", Strong: p.T("order.note.advance"), Text: p.T("order.note.advance.text", "At", p.DateTime(v.AdvanceFrom, t.Zone))})
	}
	if n, ok := t.batchNote(); ok {
		out = append(out, n)
	}
	if last := lastReturn(v); last != nil && v.Life == notice.Draft {
		out = append(out, components.Note{Tone: components.ToneAmber, Icon: "undo-2", Strong: p.T("order.note.returned", "Name", v.Names[last.Person]), Text: t.returned(last)})
	}
	return out
}

func lastReturn(v notice.View) *notice.Returned {
	if n := len(v.Versions); n > 0 {
		return v.Versions[n-1].Returned
	}
	return nil
}

// returned is why a version came back: the ticked reasons and the words.
func (t orderTeller) returned(r *notice.Returned) string {
	var why []string
	for _, code := range r.Reasons {
		why = append(why, t.P.T("notice.return."+code))
	}
	return strings.Join(why, ", ") + ": “" + harmless(r.Text) + "”"
}

// basis is the law under the notice, from its pack and its own document.
func (t orderTeller) basis() OrderBasis {
	doc, p := t.v.Document, t.P
	b := OrderBasis{
		Pack: p.T("order.pack", "Name", t.pack.Name.In(p.Lang()), "Version", t.pack.Version), PackHref: "/policy/" + url.PathEscape(t.pack.Code) + "?version=" + strconv.Itoa(t.pack.Version),
		Law: t.pack.LegalBases[policy.NoticeKind(t.v.Kind)].Rule.Text.In(p.Lang()), Reasons: texts(doc.Reasons, p.Lang()),
	}
	for _, g := range doc.Grounds {
		b.Grounds = append(b.Grounds, components.GroundOf(string(g)))
	}
	if doc.Listed != nil && doc.Listed.Class != notes.ListNone {
		b.Listed = p.T("policy.listed." + string(doc.Listed.Class))
	}
	if len(doc.PurposeTests) > 0 {
		b.Tests = t.tests(doc.PurposeTests)
	}
	return b
}

// tests sums the purpose tests up in a sentence.
func (t orderTeller) tests(all []notes.PurposeTest) string {
	var claimed, actual []string
	for _, pt := range components.Purposes() {
		for _, x := range all {
			if string(x.Purpose) != pt.Code {
				continue
			}
			if x.Claimed == notes.Yes {
				claimed = append(claimed, strings.ToLower(pt.Label(t.P)))
			}
			if x.Actual == notes.Yes {
				actual = append(actual, strings.ToLower(pt.Label(t.P)))
			}
		}
	}
	none := t.P.T("order.tests.none")
	return t.P.T("order.tests", "N", len(all), "Claimed", orWord(claimed, none), "Actual", orWord(actual, none))
}

func orWord(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}

// texts are the languages of a text, the reader's own first.
func texts(t notes.Text, first i18n.Lang) []LangText {
	var out []LangText
	add := func(lang string) {
		if s := t.Texts[lang]; s != "" {
			out = append(out, LangText{Lang: lang, Text: s, Binding: lang == t.Binding && len(t.Texts) > 1})
		}
	}
	add(string(first))
	for _, lang := range sortedKeys(t.Texts) {
		if lang != string(first) {
			add(lang)
		}
	}
	return out
}

// facts are the small print of the notice.
func (t orderTeller) facts() []components.Fact {
	v, p := t.v, t.P
	var out []components.Fact
	add := func(key, value string) {
		if value != "" {
			out = append(out, components.Fact{Name: p.T("order.fact." + key), Value: value})
		}
	}
	if t.inside() {
		add("evidence", p.N("order.files", v.Evidence))
	}
	switch {
	case !v.PreserveTill.IsZero():
		add("keep", p.Date(v.PreserveTill, t.Zone))
	case v.PreserveMonths > 0:
		add("keep", p.N("order.months", v.PreserveMonths))
	}
	add("user", t.userTold())
	if n := v.Document.Previous; len(n) > 0 {
		refs := make([]string, len(n))
		for i, x := range n {
			refs[i] = x.Reference
		}
		add("previous", strings.Join(refs, ", "))
	}
	add("languages", strings.ToUpper(strings.Join(v.Document.Languages, ", ")))
	return out
}

// userTold says when the platform told its user, or whether it may.
func (t orderTeller) userTold() string {
	var at time.Time
	for _, it := range t.v.Items {
		for _, h := range it.History {
			if h.Row.UserToldAt.After(at) {
				at = h.Row.UserToldAt.Time
			}
		}
	}
	switch d := t.v.Document.Disclosure; {
	case !at.IsZero():
		return t.P.T("order.user.told", "At", t.P.When(at, t.Now, t.Zone))
	case !d.MayTellUser && !d.Until.IsZero():
		return t.P.T("order.user.until", "At", t.P.Date(d.Until.Time, t.Zone))
	default:
		return t.P.T("order.user.not")
	}
}

func (t orderTeller) files() []OrderFile {
	var out []OrderFile
	for _, f := range t.v.Files {
		out = append(out, OrderFile{
			Href: t.href() + "/files/" + f.ID, Name: f.Name,
			Note: t.P.T("order.file."+f.Purpose) + ", " + t.P.Bytes(f.Size) + ", " + t.P.When(f.At, t.Now, t.Zone),
		})
	}
	return out
}
