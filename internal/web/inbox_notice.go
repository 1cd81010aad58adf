package web

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// paneItems is how many items of a notice a page asks about at once.
const paneItems = 25

// A NoticePane is one notice as its addressee reads and answers it.
type NoticePane struct {
	P       *i18n.Printer
	Now     time.Time
	Zone    *time.Location
	ID      string
	Ref     string
	Kind    string
	Path    string // of the notice in the inbox
	Query   string // what the address says about the list, with its question mark
	Back    string
	Record  string // address of everything on record
	Signed  string // address of the signed document
	Keys    string // address of the issuer's public keys
	Digest  string
	Valid   bool // document, chain and seal hold
	Invalid string
	Issuer  string
	KeyID   string

	Deadline components.Deadline
	Clock    components.Deadline
	Status   []components.Note
	Grounds  []components.Ground
	Law      []string
	Reasons  []LangText
	Facts    []components.Fact
	More     []components.Fact // the small print
	Redress  []string

	Receipt  *ReceiptForm // nil once received, or where the reader may not
	Answers  bool         // items may be answered by the reader
	Items    []PaneItem
	Asked    int // items on this page that are still open
	Total    string
	Earlier  string // address of the items before, "" for none
	Later    string
	Shared   SharedAnswer
	Errors   []components.FieldError
	Accepted string // what of a partly refused form was taken
	After    int    // items up to this number are on earlier pages

	Talk    []InboxTalk
	Write   bool
	Message string
}

// A PaneItem is one item with what was said about it.
type PaneItem struct {
	N       int
	Anchor  string
	Place   string // path on the platform
	URL     string // defanged
	Icon    string
	Kind    string
	Note    string
	Chip    components.Chip
	History []InboxAnswer
	Ask     bool // may be answered
	Open    bool // has no answer yet
	Set     AnswerSet
}

// An InboxAnswer is one version of an item's answer.
type InboxAnswer struct {
	Chip components.Chip
	Text string
	At   time.Time
	Late bool
}

// An InboxTalk is one line of the conversation, a question or its answer.
type InboxTalk struct {
	Who  string
	Ours bool
	Text string
	Note string
	At   time.Time
}

// A ReceiptForm acknowledges receipt: the canonical receipt that the reader's
// key signs, made anew while the page stands open.
type ReceiptForm struct {
	Action   string
	Refresh  string // address that makes the form anew
	Document string // base64 of the canonical receipt
	Sign     components.SignForm
	Window   string // the time that starts, "" if none
	Stale    bool   // the page had stood open for too long
	Error    string
}

// noticePane reads a notice for the page.
func (s *Server) noticePane(r *http.Request, page components.Page, id notice.ID, f inboxFilter, form answerForm, unsigned receiptProblem) (*NoticePane, error) {
	ctx, by, p := r.Context(), actorOf(r.Context()), page.P
	v, err := s.Notice.Get(ctx, by, id)
	if err != nil {
		return nil, err
	}
	pane := &NoticePane{
		P: p, Now: page.Now, Zone: page.Zone, ID: string(v.ID), Ref: v.Ref, Kind: p.T("inbox.kind-of." + string(v.Kind)), Path: "/inbox/" + string(v.ID),
		Query: strings.TrimPrefix(f.to(""), "/"), Back: f.to("/inbox"), Record: "/orders/" + string(v.ID), Signed: "/orders/" + string(v.ID) + "/signed.json",
		Keys: "/api/v1/parties/" + string(v.Issuer) + "/keys", Digest: notes.Hex(v.Digest), Issuer: v.IssuerName,
		Shared: form.shared(p), Errors: form.summary(p), Message: form.values.Get("text"),
	}
	pane.Deadline, _ = noticeDeadline(p, v.Row, page.Now)
	pane.Deadline.Short = true
	s.paneSignature(ctx, pane, v)
	pane.facts(v)
	pane.status(v)
	for _, b := range v.Buttons {
		switch b.Event { //nolint:exhaustive // the other cases fall to what stands around the switch
		case notice.EventReceive:
			if b.Open {
				if pane.Receipt, err = s.receipt(ctx, by, v, page, unsigned); err != nil {
					return nil, err
				}
			}
		case notice.EventAnswer:
			pane.Answers = b.Open
		case notice.EventWrite:
			pane.Write = b.Open
		}
	}
	if err := s.paneItems(r, pane, v, f, form); err != nil {
		return nil, err
	}
	pane.talk(v)
	return pane, nil
}

// paneSignature checks the envelope as its reader can: document, steps, keys
// and seal.
func (s *Server) paneSignature(ctx context.Context, pane *NoticePane, v notice.View) {
	signed, err := notes.ParseSigned(v.Envelope)
	if err == nil {
		err = notes.Verify(signed, notice.Keys(ctx, s.DB))
		pane.KeyID = signed.Seal.Key
	}
	if pane.Valid = err == nil; err != nil {
		s.Log.ErrorContext(ctx, "a notice in the inbox does not verify", "ref", v.Ref, "error", err)
	}
}

// keyGroups writes a key's identifier in groups of four, as people compare it.
func keyGroups(id string) string {
	var parts []string
	for len(id) > 4 {
		parts, id = append(parts, id[:4]), id[4:]
	}
	return strings.Join(append(parts, id), "·")
}

// facts puts the notice into words, the reader's language first.
func (pane *NoticePane) facts(v notice.View) {
	p, doc := pane.P, v.Document
	for _, g := range doc.Grounds {
		pane.Grounds = append(pane.Grounds, components.GroundOf(string(g)))
	}
	for _, l := range doc.LegalBasis {
		if line := lawLine(l); !slices.Contains(pane.Law, line) {
			pane.Law = append(pane.Law, line)
		}
	}
	pane.Reasons = texts(doc.Reasons, p.Lang())
	for i := range pane.Reasons {
		pane.Reasons[i].Text = harmless(pane.Reasons[i].Text)
	}
	add := func(key, value string) {
		pane.Facts = append(pane.Facts, components.Fact{Name: p.T("inbox.fact." + key), Value: value})
	}
	add("notify", pane.disclosure(doc.Disclosure))
	if v.PreserveMonths > 0 {
		text := p.N("inbox.preserve", v.PreserveMonths)
		if !v.PreserveTill.IsZero() {
			text = p.T("inbox.preserve.till", "Months", text, "Date", p.Date(v.PreserveTill, pane.Zone))
		}
		add("preserve", text)
	}
	if n := doc.FirstNotice; n != nil && n.First {
		if n.Emergency == nil && !n.AdvanceAt.IsZero() {
			add("first", p.T("inbox.first.advance", "At", p.When(n.AdvanceAt.Time, pane.Now, pane.Zone)))
		} else if n.Emergency != nil {
			add("first", p.T("inbox.first.emergency", "Why", harmless(textFor(*n.Emergency, p.Lang()))))
		}
	}
	pane.smallPrint(doc)
}

// smallPrint is what a notice says beside what it asks.
func (pane *NoticePane) smallPrint(doc notes.Notice) {
	p := pane.P
	if doc.Scope != nil {
		pane.More = append(pane.More, components.Fact{Name: p.T("inbox.fact.scope"), Value: strings.Join(doc.Scope.Territories, ", ")})
	}
	c := doc.Feedback
	contact := slices.DeleteFunc([]string{c.Name, c.Email, c.Telephone, c.Hours}, func(s string) bool { return s == "" })
	pane.More = append(pane.More, components.Fact{Name: p.T("inbox.fact.contact"), Value: strings.Join(contact, ", ")})
	for _, way := range doc.Redress {
		if slices.Contains(way.For, "platform") || slices.Contains(way.For, "anyone") {
			pane.Redress = append(pane.Redress, strings.TrimSpace(way.Body+", "+way.Provision))
		}
	}
}

// lawLine names a provision once, though an article often repeats its law.
func lawLine(l notes.LegalBasis) string {
	if words := strings.Fields(l.Law); len(words) > 0 && strings.Contains(l.Article, words[0]) {
		return l.Article
	}
	return strings.TrimSpace(l.Law + " " + l.Article)
}

// disclosure says whether the user may be told.
func (pane *NoticePane) disclosure(d notes.Disclosure) string {
	p := pane.P
	switch {
	case d.MayTellUser:
		return p.T("inbox.notify.yes")
	case !d.Until.IsZero():
		return p.T("inbox.notify.until", "Date", p.DateTime(d.Until.Time, pane.Zone))
	default:
		return p.T("inbox.notify.no")
	}
}

// textFor is a text in the reader's language, else the binding one.
func textFor(t notes.Text, lang i18n.Lang) string {
	if s := t.Texts[string(lang)]; s != "" {
		return s
	}
	return t.Texts[t.Binding]
}

// status says in a note where the notice stands when nothing is to be done.
func (pane *NoticePane) status(v notice.View) {
	p := pane.P
	note := func(tone components.Tone, icon, key string, kv ...any) {
		pane.Status = append(pane.Status, components.Note{Tone: tone, Icon: icon, Strong: p.T("inbox.status."+key, kv...), Text: p.T("inbox.status." + key + ".text")})
	}
	switch {
	case v.Life == notice.Withdrawn:
		note(components.ToneViolet, "undo-2", "withdrawn", "At", p.When(v.WithdrawnAt, pane.Now, pane.Zone))
	case v.Life == notice.Quashed:
		note(components.ToneViolet, "gavel", "quashed")
	case v.Life == notice.Closed:
		note(components.ToneGreen, "circle-check-big", "closed", "At", p.When(v.ClosedAt, pane.Now, pane.Zone))
	case v.Deadline == notice.Overdue:
		note(components.ToneRed, "alarm-clock", "overdue")
	case !v.DeemedAt.IsZero() && v.ReceivedAt.IsZero():
		note(components.ToneAmber, "scale", "deemed", "At", p.When(v.DeemedAt, pane.Now, pane.Zone))
	}
}

// receipt makes the form that acknowledges receipt. What is signed is a receipt
// of this moment (notes.Receipt); the clock starts when it is pressed.
func (s *Server) receipt(ctx context.Context, by party.Actor, v notice.View, page components.Page, bad receiptProblem) (*ReceiptForm, error) {
	form := &ReceiptForm{Action: "/inbox/" + string(v.ID) + "/receive", Refresh: "/inbox/" + string(v.ID) + "/receipt", Stale: bad.stale, Error: bad.text}
	if v.DeadlineMinutes > 0 {
		form.Window = page.P.Window(minutes(v.DeadlineMinutes))
	}
	inst, err := reference.Of(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	canon, err := notes.Canonical(notes.Receipt{
		V: notes.Version, Instance: inst.Code, ID: db.NewID(), Reference: v.Ref, Notice: notes.Hex(v.Digest), Party: string(by.Party),
		ReceivedAt: notes.At(page.Now), UTCOffset: page.Now.In(page.Zone).Format("-07:00"), Channel: notes.ChannelPortal, By: "person",
	})
	if err != nil {
		return nil, err
	}
	digest := notes.Digest(notes.KindReceipt, canon)
	form.Document = base64.StdEncoding.EncodeToString(canon)
	form.Sign, _, err = s.signForm(ctx, page.P, by, digest)
	return form, err
}

// paneItems says the items of one page of the notice.
func (s *Server) paneItems(r *http.Request, pane *NoticePane, v notice.View, f inboxFilter, form answerForm) error {
	p := pane.P
	after, err := strconv.Atoi(r.FormValue("after"))
	if err != nil || after < 0 || after >= v.ItemCount {
		after = 0
	}
	items, err := s.Notice.Items(r.Context(), actorOf(r.Context()), v.ID, after, paneItems)
	if err != nil {
		return err
	}
	pane.After = after
	if after > 0 {
		pane.Earlier = f.to(pane.Path, "after", strconv.Itoa(max(0, after-paneItems)))
	}
	if after+len(items) < v.ItemCount {
		pane.Later = f.to(pane.Path, "after", strconv.Itoa(after+len(items)))
	}
	for _, it := range items {
		pane.Items = append(pane.Items, pane.item(it, v, form))
		if pane.Items[len(pane.Items)-1].Open {
			pane.Asked++
		}
	}
	done := v.Progress.Answered + v.Progress.Verified
	pane.Total = p.T("inbox.items.done", "Done", p.Number(int64(done)), "All", p.Number(int64(v.ItemCount)))
	return nil
}

func (pane *NoticePane) item(it notice.ItemView, v notice.View, form answerForm) PaneItem {
	p := pane.P
	out := PaneItem{
		N: it.N, Anchor: "item-" + strconv.Itoa(it.N), Place: placeOf(it.URL), URL: defang(it.URL), Icon: kindIcon(it.Kind),
		Chip: itemChip(p, it), Open: it.State == notice.Pending || it.State == notice.Paused,
	}
	out.Kind = p.N(targetKey(p, it.Kind), 1)
	if i := slices.IndexFunc(v.Document.Items, func(d notes.Item) bool { return d.N == it.N }); i >= 0 && v.Document.Items[i].Extra != "" {
		out.Note = harmless(v.Document.Items[i].Extra)
	}
	if it.Reopened > 0 {
		out.Note = strings.TrimSpace(p.T("inbox.item.reopened") + " " + out.Note)
	}
	for _, h := range it.History {
		out.History = append(out.History, pane.given(h))
	}
	slices.Reverse(out.History)
	for _, b := range it.Buttons {
		out.Ask = out.Ask || pane.Answers && b.Open && b.Event == notice.EventAnswer
	}
	place := strconv.Itoa(it.N)
	out.Set = form.answerSet(p, place, out.Place)
	return out
}

// given says one version of an answer.
func (pane *NoticePane) given(h notice.GivenAnswer) InboxAnswer {
	p, row := pane.P, h.Row
	out := InboxAnswer{Chip: answerChip(p, row.Answer), At: h.At, Late: h.Late}
	out.Chip.Label = p.T("inbox.answer." + string(row.Answer))
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if row.Basis != "" {
		add(p.T("inbox.basis." + string(row.Basis)))
	}
	if row.Ground != "" {
		add(p.T("inbox.ground." + string(row.Ground)))
	}
	if row.How != "" {
		add(p.T("inbox.how." + row.How))
	}
	add(strings.Join(row.Where, ", "))
	if !row.Until.IsZero() {
		add(p.T("inbox.given.until", "At", p.DateTime(row.Until.Time, pane.Zone)))
	}
	add(row.Label)
	add(row.Court)
	add(harmless(row.Explanation))
	add(harmless(row.Question))
	out.Text = strings.Join(parts, ". ")
	return out
}

// talk is the conversation: messages, questions about items and their answers,
// in order.
func (pane *NoticePane) talk(v notice.View) {
	p := pane.P
	for _, m := range v.Messages {
		who := v.IssuerName
		switch m.Party {
		case v.Addressee:
			who = v.AddresseeName
		case v.Proposer:
			who = v.ProposerName
		}
		pane.Talk = append(pane.Talk, InboxTalk{Who: who, Ours: m.Party == v.Addressee, Text: harmless(m.Text), At: m.At})
	}
	for _, it := range v.Items {
		for _, ps := range it.Pauses {
			about := p.T("inbox.talk.about", "Kind", p.T("inbox.answer."+pauseAnswer(ps.Kind)), "N", it.N)
			pane.Talk = append(pane.Talk, InboxTalk{Who: v.AddresseeName, Ours: true, Text: harmless(ps.Text), Note: about, At: ps.From})
			if ps.Resolution != "" {
				at := ps.Ended
				note := p.T("inbox.talk.runs", "N", it.N)
				if !ps.RefusedAt.IsZero() {
					at, note = ps.RefusedAt, p.T("inbox.talk.refused", "N", it.N)
				}
				pane.Talk = append(pane.Talk, InboxTalk{Who: v.IssuerName, Text: harmless(ps.Resolution), Note: note, At: at})
			}
		}
	}
	slices.SortStableFunc(pane.Talk, func(a, b InboxTalk) int { return a.At.Compare(b.At) })
}

// pauseAnswer is the answer that stopped a clock.
func pauseAnswer(k policy.PauseKind) string { return string(k) }
