package web

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// ApprovalsPage is what waits for a signature and, beside it, one dossier.
type ApprovalsPage struct {
	components.ConsolePage
	Heading string // of the list
	Rows    []ApprovalRow
	Batches []BatchCard
	Target  string // our own target for the step, "" for none
	Pane    *ApprovalPane
	Batch   *BatchPane // in the place of Pane
	Empty   components.Empty
	Alone   bool // the list is the page; on a small screen the dossier is not shown
	Toast   *components.Toast
}

// An ApprovalRow is a notice that waits. It shows no content.
type ApprovalRow struct {
	Href     string
	Current  bool
	Locked   bool
	Ref      string
	Platform string
	Title    string
	Grounds  []components.Ground
	By       string
	Initials string
	Age      string
	Version  string
	Again    bool // it came back once
	Chip     *components.Chip
	Note     string // why it is not the reader's to sign
}

// An ApprovalPane is one frozen dossier with what may be decided about it.
type ApprovalPane struct {
	Ref       string
	Href      string // of the notice
	Chips     []components.Chip
	MayTell   bool
	Binding   bool
	Title     string
	Chain     []components.ChainStep
	Notes     []components.Note
	Dossier   DossierView
	Reads     []ReadLine
	ReadSum   string
	Sign      *StepSign
	Batch     *BatchBar // in the place of Sign: it is read as part of a batch
	Lock      string    // why the reader may not sign
	Return    *ReturnPane
	Errors    []components.FieldError
	Oversight bool
}

// A ReadLine is a part of the dossier and whether it was opened.
type ReadLine struct {
	Done  bool
	Name  string
	Count string
}

// A StepSign is what the reader is about to sign.
type StepSign struct {
	Action string
	Title  string
	Text   string
	Digest string // short form, as it is compared
	Full   string // the whole digest, in groups of four
	Key    string
	Submit string
	Form   components.SignForm
	Fields []components.Hidden
	Void   string // when the signature ends to count
	ByKey  bool   // its shortcut signs; until every item was opened it opens the next
}

// A ReturnPane sends the notice back.
type ReturnPane struct {
	Action  string
	To      string
	Reasons []components.Choice
	Text    components.TextArea
	Error   string // of the reasons
}

// A reading is what the reader has opened of a dossier, as its addresses carry
// it: items by number, and since when.
type reading struct {
	items []int
	since time.Time
	batch string // the batch that it is read in, "" for none
}

// maxReading bounds how long one reading is taken for one.
const maxReading = 12 * time.Hour

func readReading(q url.Values, now time.Time) reading {
	rd := reading{since: now, batch: q.Get("batch")}
	for _, v := range q["open"] {
		if n, err := strconv.Atoi(v); err == nil && n > 0 && !slices.Contains(rd.items, n) && len(rd.items) < 200 {
			rd.items = append(rd.items, n)
		}
	}
	if sec, err := strconv.ParseInt(q.Get("since"), 10, 64); err == nil {
		if at := time.Unix(sec, 0); !at.After(now) && now.Sub(at) < maxReading {
			rd.since = at
		}
	}
	return rd
}

// query is the reading with one more item opened.
func (rd reading) query(more int) string {
	q := url.Values{"since": {strconv.FormatInt(rd.since.Unix(), 10)}}
	if rd.batch != "" {
		q.Set("batch", rd.batch)
	}
	for _, n := range rd.items {
		q.Add("open", strconv.Itoa(n))
	}
	if more > 0 && !slices.Contains(rd.items, more) {
		q.Add("open", strconv.Itoa(more))
	}
	return "?" + q.Encode()
}

// approvals: GET /approvals.
func (s *Server) approvals(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.approvalsPage(r, "", nil, orderForm{})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, approvalsView(pg))
}

// approval: GET /approvals/{id}.
func (s *Server) approval(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.approvalsPage(r, notice.ID(r.PathValue("id")), r.URL.Query(), orderForm{})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, approvalsView(pg))
}

// approvalsPage builds the split view with that notice, or with the first that
// the reader may sign.
func (s *Server) approvalsPage(r *http.Request, id notice.ID, opened url.Values, form orderForm) (ApprovalsPage, error) {
	ctx, by, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	pg := ApprovalsPage{Alone: id == ""}
	waiting, err := s.Notice.Approvals(ctx, by)
	if err != nil {
		return pg, err
	}
	if pg.Alone {
		id = firstToSign(waiting)
	}
	crumbs := []components.Crumb{{Label: p.T("order.approvals"), Href: "/approvals"}}
	var v notice.View
	if id != "" {
		if v, err = s.Notice.Get(ctx, by, id); err != nil {
			return pg, err
		}
		crumbs = append(crumbs, components.Crumb{Label: v.Ref})
	}
	if pg.ConsolePage, err = s.console(r, "approvals", p.T("order.approvals"), crumbs...); err != nil {
		return pg, err
	}
	if id != "" {
		pg.Path = "/approvals/" + string(id)
	}
	if err := s.approvalRows(ctx, &pg, by, waiting, id); err != nil {
		return pg, err
	}
	if pg.Batches, err = s.batchCards(ctx, pg.ConsolePage, by, waiting, ""); err != nil {
		return pg, err
	}
	pg.Empty = nothingWaits(p)
	pg.Toast = orderToast(p, r.URL.Query())
	if id == "" {
		return pg, nil
	}
	pane, err := s.approvalPane(ctx, pg.ConsolePage, by, v, readReading(opened, pg.Now), form)
	if err != nil {
		return pg, err
	}
	pane.Batch, err = s.batchBar(ctx, pg.ConsolePage, by, v, notice.BatchID(opened.Get("batch")), pane.Dossier.Unread)
	pg.Pane, pg.Failed = &pane, len(form.Errors) > 0
	return pg, err
}

func nothingWaits(p *i18n.Printer) components.Empty {
	return components.Empty{Icon: "stamp", Title: p.T("order.approvals.empty"), Text: p.T("order.approvals.empty.text"), Action: p.T("order.approvals.empty.action"), Href: "/orders"}
}

func firstToSign(all []notice.Waiting) notice.ID {
	for _, w := range all {
		if w.Why == nil {
			return w.ID
		}
	}
	if len(all) > 0 {
		return all[0].ID
	}
	return ""
}

// approvalRows lists what waits for the reader; to those who sign nothing but
// proposals, what of their party is being decided.
func (s *Server) approvalRows(ctx context.Context, pg *ApprovalsPage, by party.Actor, waiting []notice.Waiting, current notice.ID) error {
	p := pg.P
	pg.Heading = p.T("order.approvals.waiting")
	if !auth.Seat(by, auth.NoticeApprove) && !auth.Seat(by, auth.NoticeIssue) {
		pg.Heading = p.T("order.approvals.deciding")
		rows, _, err := s.Notice.List(ctx, by, notice.Filter{Lives: []notice.Life{notice.Draft, notice.Proposed, notice.Approved}})
		if err != nil {
			return err
		}
		for _, row := range rows {
			waiting = append(waiting, notice.Waiting{Row: row, Since: lastStep(row.Notice)})
		}
	}
	names := map[party.PersonID]string{}
	for _, w := range waiting {
		name, err := s.personName(ctx, names, w.DraftedBy)
		if err != nil {
			return err
		}
		row := ApprovalRow{
			Href: "/approvals/" + string(w.ID), Current: w.ID == current, Locked: w.Why != nil, Ref: w.Ref, Platform: w.AddresseeName,
			Title: p.N("order.row."+string(w.Kind), w.ItemCount), By: name, Initials: initials(name), Version: "v" + strconv.Itoa(w.Version), Again: w.Version > 1,
			Age: p.T("order.waiting", "Span", p.Span(pg.Now.Sub(w.Since))), Note: whyNot(p, w.Why),
		}
		if fault.Is(w.Why, "auth.same-person") {
			row.Note = p.T("order.lock.same")
		}
		for _, g := range w.Grounds {
			row.Grounds = append(row.Grounds, components.GroundOf(string(g)))
		}
		if w.Step == "" {
			c := noticeChips(p, w.Row, pg.Now)[0]
			row.Chip = &c
		}
		if w.Limit > 0 {
			pg.Target = p.T("order.target", "Window", p.Window(w.Limit))
		}
		pg.Rows = append(pg.Rows, row)
	}
	return nil
}

func (s *Server) personName(ctx context.Context, known map[party.PersonID]string, id party.PersonID) (string, error) {
	if name, ok := known[id]; ok || id == "" {
		return name, nil
	}
	person, err := party.GetPerson(ctx, s.DB, id)
	known[id] = person.Name
	return person.Name, err
}

// approvalPane shows one dossier and what the reader may decide about it.
func (s *Server) approvalPane(ctx context.Context, c components.ConsolePage, by party.Actor, v notice.View, rd reading, form orderForm) (ApprovalPane, error) {
	p := c.P
	t := orderTeller{Page: c.Page, by: by, v: v}
	t.Zone = zoneOf(c.Zone)
	var ok bool
	if t.pack, ok = s.Packs.Get(v.Pack); !ok {
		return ApprovalPane{}, fault.New(fault.Conflict, "notice.pack-gone", "Code", v.Pack.Code, "Version", v.Pack.Version)
	}
	pane := ApprovalPane{
		Ref: v.Ref, Href: t.href(), MayTell: v.MayTell, Binding: v.DeadlineMinutes > 0, Chain: t.chain(), Notes: t.notes(), Errors: form.Errors,
		Title: p.N("order.propose."+string(v.Kind), v.ItemCount, "Platform", v.AddresseeName),
	}
	if waitsFor(v.Notice) == "" {
		pane.Title = noticeTitle(p, v.Row)
	}
	var err error
	if pane.Dossier, err = s.dossierView(ctx, t, rd); err != nil {
		return pane, err
	}
	pane.Chips = append(noticeChips(p, v.Row, t.Now)[:1], components.Chip{State: components.StateIssued, Icon: "snowflake", Label: p.T("order.frozen", "At", p.When(pane.Dossier.At, t.Now, t.Zone), "N", v.Version)})
	pane.Reads, pane.ReadSum = t.reads(pane.Dossier)
	event := waitsFor(v.Notice)
	b, has := t.button(event)
	switch {
	case event == "":
		pane.Lock = p.T("order.lock.done")
	case !has:
		pane.Lock = p.T("order.lock."+string(event), "Party", t.signer(event))
	case fault.Is(b.Why, "auth.same-person"):
		pane.Lock = p.T("order.lock.same")
	case !b.Open:
		pane.Lock = t.why(b)
	default:
		if pane.Sign, err = s.stepSign(ctx, t, event, pane.Dossier, rd); err != nil {
			return pane, err
		}
	}
	if t.open(notice.EventReturn) {
		pane.Return = t.returnPane(form)
	}
	return pane, nil
}

// signer is the organisation whose signature is awaited.
func (t orderTeller) signer(e notice.Event) string {
	if e == notice.EventIssue {
		return t.v.IssuerName
	}
	return t.v.ProposerName
}

// stepSign is the form that the person's passkey signs, or their browser's key.
func (s *Server) stepSign(ctx context.Context, t orderTeller, e notice.Event, d DossierView, rd reading) (*StepSign, error) {
	p, v := t.P, t.v
	form, device, err := s.signForm(ctx, p, t.by, v.Digest)
	if err != nil {
		return nil, err
	}
	if device == "" {
		device = p.T("order.key.none")
	}
	digest := base64.StdEncoding.EncodeToString(v.Digest[:])
	out := &StepSign{
		Action: t.href() + "/" + string(e), Title: p.T("order.sign.title"), Submit: p.T("order.sign." + string(e)),
		Digest: digest[:4] + "·" + digest[4:8] + "·" + digest[8:12], Full: digest, Key: device,
		ByKey: d.Unread == 0, Form: form, Void: p.T("order.sign.void"),
	}
	key := "order.sign.text." + string(e)
	if v.DeadlineMinutes == 0 {
		key += ".referral"
	}
	out.Text = p.T(key, "N", v.Version, "Issuer", v.IssuerName, "Platform", v.AddresseeName, "Window", p.Window(time.Duration(v.DeadlineMinutes)*time.Minute))
	out.Fields = append(out.Fields, components.Hidden{Name: "since", Value: strconv.FormatInt(rd.since.Unix(), 10)})
	for _, part := range d.parts() {
		out.Fields = append(out.Fields, components.Hidden{Name: "read", Value: part})
	}
	return out, nil
}

func (t orderTeller) returnPane(form orderForm) *ReturnPane {
	r := &ReturnPane{
		Action: t.href() + "/return", To: t.v.Names[t.v.DraftedBy], Error: fieldError(form.Errors, "return-reasons"),
		Text: components.TextArea{
			FieldBox: components.FieldBox{ID: "return-text", Label: t.P.T("order.return.what"), Small: true, Error: fieldError(form.Errors, "return-text")},
			Name:     "text", Rows: 3, MaxLength: 5000, Value: form.Values.Get("text"),
		},
	}
	for _, code := range notice.ReturnReasons() {
		r.Reasons = append(r.Reasons, components.Choice{Value: code, Label: t.P.T("notice.return." + code), Checked: slices.Contains(form.Values["reason"], code)})
	}
	return r
}

// signNotice: POST /orders/{id}/{propose,approve,issue} takes a signature over
// the digest that the page showed, and opens what waits next.
func (s *Server) signNotice(e notice.Event) handler {
	sign := map[notice.Event]func(context.Context, party.Actor, notice.ID, notice.Sig) (notice.Notice, error){
		notice.EventPropose: s.Notice.Propose, notice.EventApprove: s.Notice.Approve, notice.EventIssue: s.Notice.Issue,
	}[e]
	return func(w http.ResponseWriter, r *http.Request) error {
		by, id := actorOf(r.Context()), notice.ID(r.PathValue("id"))
		sig, err := s.formSig(w, r)
		var n notice.Notice
		if err == nil {
			n, err = sign(r.Context(), by, id, sig)
		}
		if err != nil {
			return s.approvalAgain(w, r, id, err)
		}
		if e == notice.EventPropose {
			return seeOther(w, r, "/orders/"+string(id)+"?done="+string(e))
		}
		return s.nextApproval(w, r, string(e), n.Ref)
	}
}

// nextApproval opens what the actor may sign next, and says which notice was
// done with just now: another one stands in its place.
func (s *Server) nextApproval(w http.ResponseWriter, r *http.Request, done, ref string) error {
	said := url.Values{"done": {done}, "ref-of": {ref}}.Encode()
	waiting, err := s.Notice.Approvals(r.Context(), actorOf(r.Context()))
	if err != nil {
		return err
	}
	for _, n := range waiting {
		if n.Why == nil {
			return seeOther(w, r, "/approvals/"+string(n.ID)+"?"+said)
		}
	}
	return seeOther(w, r, "/approvals?"+said)
}

// formSig decodes what the passkey or the browser's key made, and what was read.
func (s *Server) formSig(w http.ResponseWriter, r *http.Request) (notice.Sig, error) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return notice.Sig{}, fault.New(fault.Invalid, "notice.signature").Because(err)
	}
	f := r.PostForm
	sig, signed, err := s.formSignature(r)
	if err != nil {
		return sig, err
	}
	if !signed {
		return sig, fault.New(fault.Invalid, "order.unsigned")
	}
	rd := readReading(f, s.Clock.Now())
	sig.Read, sig.ReadSeconds = f["read"], int(s.Clock.Now().Sub(rd.since)/time.Second)
	return sig, nil
}

// returnNotice: POST /orders/{id}/return sends a notice back with reasons.
func (s *Server) returnNotice(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "fault.required").At("/text").Because(err)
	}
	id := notice.ID(r.PathValue("id"))
	n, err := s.Notice.Return(r.Context(), actorOf(r.Context()), id, notice.ReturnInput{Reasons: r.PostForm["reason"], Text: strings.TrimSpace(r.PostForm.Get("text"))})
	if err != nil {
		return s.approvalAgain(w, r, id, err)
	}
	return s.nextApproval(w, r, "return", n.Ref)
}

// approvalAgain shows the dossier as it stands now, with what was not right.
func (s *Server) approvalAgain(w http.ResponseWriter, r *http.Request, id notice.ID, err error) error {
	f, ok := fault.As(err)
	if !ok || f.Kind == fault.NotFound || f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return err
	}
	p := i18n.For(langOf(r))
	form := orderForm{Values: r.PostForm, Errors: []components.FieldError{{Text: p.Fault(f)}}}
	if f.Kind == fault.Invalid {
		names := map[string]string{"/reasons": "return-reasons", "/text": "return-text"}
		if form.Errors, err = fieldErrors(p, err, names); err != nil {
			return err
		}
	}
	if fault.Is(f, "auth.same-person") {
		form.Errors = []components.FieldError{{Text: p.T("order.lock.same")}}
	}
	pg, err := s.approvalsPage(r, id, url.Values{"since": r.PostForm["since"], "open": r.PostForm["open"]}, form)
	if err != nil {
		return err
	}
	return s.render(w, r, statusOf(f.Kind), approvalsView(pg))
}
