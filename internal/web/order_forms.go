package web

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/components"
)

// act decides the buttons of the page's head and the form that is open.
func (t orderTeller) act(pg *OrderPage, form orderForm) {
	v, p := t.v, t.P
	if !v.IssuedAt.IsZero() {
		pg.Acts = append(pg.Acts, OrderButton{Icon: "printer", Label: p.T("order.act.print"), Href: t.href() + "/print"})
		pg.Acts = append(pg.Acts, OrderButton{Icon: "braces", Label: p.T("order.act.signed"), Href: t.href() + "/signed.json", Download: true})
	}
	t.stepButton(pg)
	if t.inside() && t.open(notice.EventWrite) && v.Life == notice.Open {
		pg.Acts = append(pg.Acts, OrderButton{Icon: "message-square-plus", Label: p.T("order.act.record"), Href: t.href() + "?act=record#act"})
	}
	if v.ReceivedAt.IsZero() && !v.SentAt.IsZero() {
		t.formButton(pg, notice.EventServe, actServe, "mail")
		t.formButton(pg, notice.EventDeem, actDeem, "scale")
	}
	if b, ok := t.button(notice.EventWithdraw); ok && b.Open {
		pg.Withdraw = t.withdraw()
		pg.Acts = append(pg.Acts, OrderButton{Icon: "undo-2", Label: p.T("order.act.withdraw"), Href: t.href() + "?act=withdraw#act", Open: pg.Withdraw.ID, Danger: true})
	}
	pg.Errors = form.Errors
	if form.Act == actWrite {
		pg.Write = form.Values.Get("text")
		return
	}
	pg.Act = t.form(form)
}

// stepButton leads to the page where the next signature is given.
func (t orderTeller) stepButton(pg *OrderPage) {
	for _, e := range []notice.Event{notice.EventPropose, notice.EventApprove, notice.EventIssue} {
		if b, ok := t.button(e); ok && (b.Open || t.v.IssuedAt.IsZero() && waitsFor(t.v.Notice) == e) {
			pg.Acts = append(pg.Acts, OrderButton{Icon: "key-round", Label: t.P.T("notice.act." + string(e)), Href: "/approvals/" + string(t.v.ID)})
			return
		}
	}
}

// waitsFor is the signature that a notice waits for, "" for none.
func waitsFor(n notice.Notice) notice.Event {
	switch {
	case !n.IssuedAt.IsZero():
		return ""
	case n.Life == notice.Draft:
		return notice.EventPropose
	case n.Life == notice.Proposed:
		return notice.EventApprove
	case n.Life == notice.Approved:
		return notice.EventIssue
	default:
		return ""
	}
}

// formButton adds an act that has a form; a locked one says why.
func (t orderTeller) formButton(pg *OrderPage, e notice.Event, act, icon string) {
	b, ok := t.button(e)
	if !ok || act == actDeem && t.v.Deemed != nil {
		return
	}
	out := OrderButton{Icon: icon, Label: t.P.T("order.act." + act), Href: t.href() + "?act=" + act + "#act"}
	if !b.Open {
		out.Icon, out.Href, out.Why = "lock", "", t.why(b)
		pg.Why = append(pg.Why, out.Why)
	}
	pg.Acts = append(pg.Acts, out)
}

// form is the open form of an act that the reader may take now, else nil.
func (t orderTeller) form(in orderForm) *OrderAct {
	f := &OrderAct{Name: in.Act, Close: t.href(), Text1: components.TextArea{
		FieldBox: components.FieldBox{ID: "act-text", Small: true, Error: fieldError(in.Errors, "act-text")},
		Name:     "text", Rows: 4, MaxLength: 5000, Value: in.Values.Get("text"),
	}}
	ok := false
	switch in.Act {
	case actRecord:
		f.Icon, ok = "message-square-plus", t.inside() && t.open(notice.EventWrite)
		f.Action, f.At, f.Via = t.href()+"/recorded", t.moment(in), t.vias(in)
	case actServe:
		f.Icon, ok = "mail", t.open(notice.EventServe)
		f.Action, f.At, f.Files = t.href()+"/served", t.moment(in), true
	case actDeem:
		f.Icon, ok = "scale", t.open(notice.EventDeem) && t.v.Deemed == nil
		f.Action, f.Methods, f.Files = t.href()+"/deemed", t.methods(in), true
	case actWithdraw:
		f.Icon, ok, f.Danger = "undo-2", t.open(notice.EventWithdraw), true
		f.Action, f.Effects = t.href()+"/withdraw", t.withdrawEffects()
	case actReopen, actResolve:
		return t.itemForm(f, in)
	}
	if !ok {
		return nil
	}
	t.words(f)
	return f
}

// itemForm is the form of an act on one item.
func (t orderTeller) itemForm(f *OrderAct, in orderForm) *OrderAct {
	i := slices.IndexFunc(t.v.Items, func(it notice.ItemView) bool { return it.N == in.Item })
	event := notice.EventReopen
	if in.Act == actResolve {
		event = notice.EventResolve
	}
	if i < 0 || !itemOpen(t.v.Items[i], event) {
		return nil
	}
	n := strconv.Itoa(in.Item)
	f.Icon, f.Action = "rotate-ccw", t.href()+"/items/"+n+"/"+in.Act
	t.words(f)
	f.Title = t.P.T("order.form."+in.Act+".title", "N", n)
	if in.Act == actReopen {
		return f
	}
	f.Icon = "message-square-reply"
	if ps := t.v.Items[i].Pauses; len(ps) > 0 && ps[len(ps)-1].Text != "" {
		f.Text = t.P.T("order.form.resolve.asked", "Text", ps[len(ps)-1].Text)
	}
	for _, how := range []notice.Resolution{notice.Consent, notice.Refuse} {
		f.How = append(f.How, components.Choice{Value: string(how), Label: t.P.T("order.how." + string(how)), Hint: t.P.T("order.how." + string(how) + ".hint")})
	}
	return f
}

// words are the texts of an act's form.
func (t orderTeller) words(f *OrderAct) {
	key := "order.form." + f.Name
	f.Title, f.Submit = t.P.T(key+".title", "N", ""), t.P.T(key+".submit")
	f.Text1.Label = t.P.T(key + ".label")
	f.Text = t.P.T(key+".text", "Platform", t.v.AddresseeName)
}

// moment asks when something happened, in the reader's own zone.
func (t orderTeller) moment(in orderForm) *components.Input {
	value := in.Values.Get("at")
	if value == "" {
		value = t.Now.In(t.Zone).Format(localForm)
	}
	return &components.Input{
		FieldBox: components.FieldBox{
			ID: "act-at", Label: t.P.T("order.form.at"), Hint: t.P.T("order.form.at.hint", "Zone", i18n.Zone(t.Now, t.Zone)), Small: true, Error: fieldError(in.Errors, "act-at"),
		},
		Name: "at", Type: "datetime-local", Value: value,
	}
}

// methods are the ways of service that stand in the proof of delivery.
func (t orderTeller) methods(in orderForm) *components.Choices {
	out := &components.Choices{FieldBox: components.FieldBox{ID: "act-methods", Label: t.P.T("order.form.methods"), Hint: t.P.T("order.form.methods.hint"), Small: true, Error: fieldError(in.Errors, "act-methods")}, Name: "method", Many: true}
	seen := map[string]bool{}
	for _, d := range t.v.Deliveries {
		tried := d.Channel != "record" && !strings.HasPrefix(d.Channel, dueRoute) // a route that is due was not yet tried
		if tried && !seen[d.Channel] {
			seen[d.Channel] = true
			out.Choices = append(out.Choices, components.Choice{Value: d.Channel, Label: t.P.T("notice.channel." + d.Channel), Checked: slices.Contains(in.Values["method"], d.Channel)})
		}
	}
	return out
}

func (t orderTeller) vias(in orderForm) *components.Choices {
	out := &components.Choices{FieldBox: components.FieldBox{ID: "act-methods", Label: t.P.T("order.form.via"), Small: true, Error: fieldError(in.Errors, "act-methods")}, Name: "via"}
	for _, v := range recordVias {
		out.Choices = append(out.Choices, components.Choice{Value: v, Label: t.P.T("order.via." + v), Checked: in.Values.Get("via") == v})
	}
	return out
}

// withdraw asks before a notice is taken back.
func (t orderTeller) withdraw() *components.Confirm {
	p := t.P
	return &components.Confirm{
		ID: "withdraw", Icon: "undo-2", Title: p.T("order.withdraw.title", "Ref", t.v.Ref), Text: p.T("order.form.withdraw.text", "Platform", t.v.AddresseeName),
		EffectHead: p.T("order.withdraw.head"), Effects: t.withdrawEffects(), Action: t.href() + "/withdraw", Submit: p.T("order.form.withdraw.submit"), Danger: true,
		Type: t.v.Ref, TypeLabel: p.T("order.withdraw.type", "Ref", t.v.Ref),
	}
}

func (t orderTeller) withdrawEffects() []string {
	if t.v.SentAt.IsZero() {
		return []string{t.P.T("order.withdraw.unsent"), t.P.T("order.withdraw.record")}
	}
	return []string{
		t.P.N("order.withdraw.items", t.v.ItemCount, "Platform", t.v.AddresseeName), t.P.T("order.withdraw.undo"), t.P.T("order.withdraw.record"),
	}
}

// signedNotice: GET /orders/{id}/signed.json hands over the notice as it was
// signed: canonical document, signatures and seal.
func (s *Server) signedNotice(w http.ResponseWriter, r *http.Request) error {
	v, err := s.Notice.Get(r.Context(), actorOf(r.Context()), notice.ID(r.PathValue("id")))
	if err != nil {
		return err
	}
	if len(v.Envelope) == 0 {
		return errNotIssued(v.Ref)
	}
	download(w, v.Ref+".json", "application/json")
	_, _ = w.Write(v.Envelope) // the reader went away
	return nil
}

// download marks the answer as a file to be kept under a name.
func download(w http.ResponseWriter, name, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}
