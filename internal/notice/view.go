package notice

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/policy/clocks"
	"github.com/tangkal/tangkal/notes"
)

// Get returns everything about a notice that the actor may see. A platform's
// read through an API key stands in the proof of delivery: it has the bytes, as
// it has them with a mail server's "250"; only a receipt starts the clock.
func (r *Room) Get(ctx context.Context, by party.Actor, id ID) (View, error) {
	n, err := get(ctx, r.DB, id)
	if err != nil {
		return View{}, err
	}
	sigs, err := signatures(ctx, r.DB, id, n.Version)
	if err != nil {
		return View{}, err
	}
	o := r.object(n, acted(n, sigs, ""))
	if err := auth.May(by, auth.NoticeRead, o); err != nil {
		return View{}, err
	}
	if by.Party == n.Addressee && by.APIKey != "" {
		if n, err = r.pulled(ctx, by, id); err != nil {
			return View{}, err
		}
	}
	return r.view(ctx, by, n, sigs)
}

// ByRef is Get by reference.
func (r *Room) ByRef(ctx context.Context, by party.Actor, ref string) (View, error) {
	n, err := byRef(ctx, r.DB, ref)
	if err != nil {
		return View{}, err
	}
	return r.Get(ctx, by, n.ID)
}

// pulled records, once, that the addressee's program has read the notice.
func (r *Room) pulled(ctx context.Context, by party.Actor, id ID) (Notice, error) {
	var n Notice
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, err = lock(ctx, tx, id); err != nil {
			return err
		}
		before, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM notice_deliveries WHERE notice_id = $1 AND channel = 'api' AND step = 'read'`, id)
		if err != nil || before > 0 {
			return err
		}
		if err := logDelivery(ctx, tx, n, DeliveryStep{Channel: "api", Step: "read", Result: "ok", Party: by.Party, Person: by.Person, At: now}); err != nil {
			return err
		}
		if t, err := step(deliveryTable, "delivery", n.Delivery, EventAttempt); err == nil {
			n.Delivery = t.To
			if n.AcceptedAt.IsZero() {
				n.AcceptedAt = now
			}
			return save(ctx, tx, n)
		}
		return nil
	})
	return n, err
}

func (r *Room) view(ctx context.Context, by party.Actor, n Notice, sigs []Signature) (View, error) {
	row, err := r.row(ctx, n)
	if err != nil {
		return View{}, err
	}
	v := View{Row: row, Names: map[party.PersonID]string{}, homes: map[party.PersonID]party.ID{}}
	outside := by.Party == n.Addressee
	for _, part := range []func(context.Context, *View, party.Actor, []Signature) error{
		r.viewDocument, r.viewChain, r.viewItems, r.viewTalk, r.viewService,
	} {
		if err := part(ctx, &v, by, sigs); err != nil {
			return v, err
		}
	}
	if err := r.viewNames(ctx, &v); err != nil {
		return v, err
	}
	if outside {
		v.hideInside()
	} else if err := r.viewInside(ctx, &v); err != nil {
		return v, err
	}
	v.Buttons = r.Buttons(by, n, sigs)
	return v, nil
}

// hideInside takes out what a platform is not told: who decided as a person,
// and the deciders' own evidence.
func (v *View) hideInside() {
	for id, home := range v.homes {
		if home != v.Addressee {
			delete(v.Names, id)
		}
	}
	for i := range v.Chain {
		v.Chain[i].Person, v.Chain[i].PersonName, v.Chain[i].Read, v.Chain[i].ReadFor = "", "", nil, 0
	}
	v.DraftedBy, v.CaseID, v.CaseRef, v.DossierID = "", "", "", ""
	for i := range v.Timeline {
		if v.Timeline[i].Party != string(v.Addressee) {
			v.Timeline[i].Person = ""
		}
	}
	for i := range v.Deliveries {
		if v.Deliveries[i].Party != v.Addressee {
			v.Deliveries[i].Person, v.Deliveries[i].Text = "", ""
		}
	}
	for i := range v.Messages {
		if v.Messages[i].Party != v.Addressee {
			v.Messages[i].Person = ""
		}
	}
	if v.Deemed != nil {
		v.Deemed.ProposedBy, v.Deemed.ConfirmedBy = "", ""
	}
	for i := range v.Items {
		for j := range v.Items[i].Pauses {
			v.Items[i].Pauses[j].ResolvedBy = ""
		}
	}
}

func (r *Room) viewDocument(_ context.Context, v *View, _ party.Actor, _ []Signature) error {
	canon, err := r.open(v.Notice, v.sealedBytes, "canonical")
	if err != nil {
		return err
	}
	if notes.Digest(notes.KindNotice, canon) != v.Digest {
		return fault.New(fault.Conflict, "notice.damaged", "Ref", v.Ref, "Why", "digest")
	}
	v.Canonical = canon
	if err := json.Unmarshal(canon, &v.Document); err != nil {
		return err
	}
	if len(v.envelope) > 0 {
		if v.Envelope, err = r.open(v.Notice, v.envelope, "envelope"); err != nil {
			return err
		}
	}
	if v.PreserveMonths > 0 && !v.clockStart().IsZero() {
		v.PreserveTill = v.clockStart().AddDate(0, v.PreserveMonths, 0)
	}
	return nil
}

// viewChain sets the pack's steps beside the signatures that are there.
func (r *Room) viewChain(ctx context.Context, v *View, _ party.Actor, sigs []Signature) error {
	pack, err := r.pack(v.Notice)
	if err != nil {
		return err
	}
	proposer, err := party.Get(ctx, r.DB, v.Proposer)
	if err != nil {
		return err
	}
	v.ProposerName = proposer.Name
	chain, _ := pack.Chain(policy.NoticeKind(v.Kind))
	for _, s := range chain.Steps {
		count, of, name := 1, v.Proposer, proposer.Name
		var what notes.Step
		switch s.Act {
		case policy.Propose:
			what = notes.StepProposed
		case policy.Approve:
			what, count = notes.StepApproved, v.ApprovalsNeeded
		case policy.Issue:
			what, of, name = notes.StepIssued, v.Issuer, v.IssuerName
		default:
			continue
		}
		done := slices.DeleteFunc(slices.Clone(sigs), func(g Signature) bool { return g.Step != what })
		for i := range max(count, len(done)) {
			cs := ChainStep{Step: what, Party: of, PartyName: name, Role: party.Role(s.Role), Limit: s.Limit.Duration()}
			if i < len(done) {
				d := done[i]
				cs.Person, cs.Key, cs.Method, cs.At = d.Person, d.Key, d.Method, d.At
				cs.Read, cs.ReadFor = d.Read, time.Duration(d.ReadSeconds)*time.Second
				if cs.PersonName, err = r.name(ctx, v, d.Person); err != nil {
					return err
				}
				if b, err := d.batchOf(); err == nil && b != nil {
					cs.Batch, cs.BatchSample, cs.BatchOpened = len(b.Notices), len(b.Sample), len(d.Read) > 0
				}
			}
			v.Chain = append(v.Chain, cs)
		}
	}
	return nil
}

// name returns a person's name, remembered in the view.
func (r *Room) name(ctx context.Context, v *View, id party.PersonID) (string, error) {
	if id == "" {
		return "", nil
	}
	if name, ok := v.Names[id]; ok {
		return name, nil
	}
	p, err := party.GetPerson(ctx, r.DB, id)
	if err != nil {
		return "", err
	}
	v.Names[id], v.homes[id] = p.Name, p.Party
	return p.Name, nil
}

// viewNames looks up everybody who wrote, served, asked or answered.
func (r *Room) viewNames(ctx context.Context, v *View) error {
	var all []party.PersonID
	for _, m := range v.Messages {
		all = append(all, m.Person)
	}
	for _, d := range v.Deliveries {
		all = append(all, d.Person)
	}
	if v.Deemed != nil {
		all = append(all, v.Deemed.ProposedBy, v.Deemed.ConfirmedBy)
	}
	for _, it := range v.Items {
		for _, p := range it.Pauses {
			all = append(all, p.Person, p.ResolvedBy)
		}
	}
	for _, id := range all {
		if _, err := r.name(ctx, v, id); err != nil {
			return err
		}
	}
	return nil
}

// maxViewItems bounds the items of one view; the rest come with Items.
const maxViewItems = 500

func (r *Room) viewItems(ctx context.Context, v *View, by party.Actor, _ []Signature) error {
	var err error
	v.Items, err = r.itemViews(ctx, by, v.Notice, 0, maxViewItems)
	return err
}

// Items returns further items of a notice, those after the given number.
func (r *Room) Items(ctx context.Context, by party.Actor, id ID, after, limit int) ([]ItemView, error) {
	n, err := get(ctx, r.DB, id)
	if err != nil {
		return nil, err
	}
	if err := auth.May(by, auth.NoticeRead, r.object(n, nil)); err != nil {
		return nil, err
	}
	if limit <= 0 || limit > maxViewItems {
		limit = maxViewItems
	}
	views, err := r.itemViews(ctx, by, n, after, limit)
	if by.Party == n.Addressee {
		v := View{Items: views, Row: Row{Notice: n}}
		v.hideInside()
	}
	return views, err
}

func (r *Room) itemViews(ctx context.Context, by party.Actor, n Notice, after, limit int) ([]ItemView, error) {
	list, err := db.All(ctx, r.DB, scanItem, `SELECT `+itemColumns+` FROM notice_items WHERE notice_id = $1 AND n > $2 ORDER BY n LIMIT $3`, n.ID, after, limit)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	pack, err := r.pack(n)
	if err != nil {
		return nil, err
	}
	last := list[len(list)-1].N
	answers, err := r.history(ctx, n, after, last)
	if err != nil {
		return nil, err
	}
	pauses, err := r.pausesOf(ctx, n, after, last)
	if err != nil {
		return nil, err
	}
	now := r.Clock.Now()
	views := make([]ItemView, 0, len(list))
	for _, it := range list {
		url, err := r.open(n, it.sealedURL, "url")
		if err != nil {
			return nil, err
		}
		iv := ItemView{Item: it, URL: string(url), History: answers[it.N], Pauses: pauses[it.N], Buttons: r.itemButtons(by, n, it)}
		if it.State == Pending || it.State == Paused {
			iv.Clock = clockOf(pack, n, it, pauses[it.N]).At(now)
		}
		views = append(views, iv)
	}
	return views, nil
}

// history returns the answers of items after..last by item.
func (r *Room) history(ctx context.Context, n Notice, after, last int) (map[int][]GivenAnswer, error) {
	type given struct {
		n      int
		sealed []byte
		GivenAnswer
	}
	all, err := db.All(ctx, r.DB, func(row db.Row) (given, error) {
		var g given
		err := row.Scan(&g.n, &g.Version, &g.Call, &g.sealed, db.Time(&g.At), &g.Late)
		return g, err
	}, `SELECT n, version, answer_id, row_sealed, at, late FROM notice_item_answers WHERE notice_id = $1 AND n > $2 AND n <= $3 ORDER BY n, version`,
		n.ID, after, last)
	if err != nil {
		return nil, err
	}
	out := map[int][]GivenAnswer{}
	for _, g := range all {
		raw, err := r.open(n, g.sealed, "row")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &g.Row); err != nil {
			return nil, err
		}
		out[g.n] = append(out[g.n], g.GivenAnswer)
	}
	return out, nil
}

func (r *Room) pausesOf(ctx context.Context, n Notice, after, last int) (map[int][]Pause, error) {
	all, err := db.All(ctx, r.DB, scanPause, `SELECT `+pauseColumns+` FROM notice_pauses WHERE notice_id = $1 AND n > $2 AND n <= $3 ORDER BY n, from_at, id`, n.ID, after, last)
	if err != nil {
		return nil, err
	}
	out := map[int][]Pause{}
	for _, p := range all {
		text, err := r.open(n, p.sealed, "pause")
		if err != nil {
			return nil, err
		}
		p.Text = string(text)
		if len(p.resolution) > 0 {
			answer, err := r.open(n, p.resolution, "resolution")
			if err != nil {
				return nil, err
			}
			p.Resolution = string(answer)
		}
		out[p.N] = append(out[p.N], p)
	}
	return out, nil
}

// viewTalk reads conversation and timeline.
func (r *Room) viewTalk(ctx context.Context, v *View, by party.Actor, _ []Signature) error {
	var err error
	if v.Messages, err = r.messages(ctx, r.DB, v.Notice); err != nil {
		return err
	}
	all, err := feed.Of(ctx, r.DB, "notice", string(v.ID), 1000)
	if err != nil {
		return err
	}
	for _, e := range all {
		if by.Party == v.Addressee && !slices.Contains(announced, e.Kind) || by.Party == v.Addressee && e.At.Before(v.SentAt) {
			continue
		}
		v.Timeline = append(v.Timeline, e)
		if _, err := r.name(ctx, v, party.PersonID(e.Person)); err != nil {
			return err
		}
	}
	return nil
}

// viewService reads the proof of delivery, the receipt and deemed service.
func (r *Room) viewService(ctx context.Context, v *View, _ party.Actor, _ []Signature) error {
	var err error
	if v.Deliveries, err = deliveries(ctx, r.DB, v.ID); err != nil {
		return err
	}
	for i, d := range v.Deliveries {
		if len(d.sealed) > 0 {
			text, err := r.open(v.Notice, d.sealed, "delivery")
			if err != nil {
				return err
			}
			v.Deliveries[i].Text = string(text)
		}
	}
	sealed, err := db.Value[[]byte](ctx, r.DB, `SELECT document_sealed FROM notice_receipts WHERE notice_id = $1`, v.ID)
	if err == nil {
		v.ReceiptDoc, err = r.open(v.Notice, sealed, "receipt")
	}
	if err != nil && !errors.Is(err, db.ErrAbsent) {
		return err
	}
	if v.Life == Open && !v.SentAt.IsZero() {
		pack, err := r.pack(v.Notice)
		if err != nil {
			return err
		}
		v.Receipt = clocks.Receipt(v.SentAt, r.Clock.Now(), pack)
	}
	d, err := deemedOf(ctx, r.DB, v.ID)
	if errors.Is(err, db.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.holds(r.DB, v.Notice); err != nil {
		return err
	}
	text, err := r.open(v.Notice, d.sealed, "deemed")
	d.Text, v.Deemed = string(text), &d
	return err
}

// viewInside reads what only those who decide see.
func (r *Room) viewInside(ctx context.Context, v *View) error {
	var err error
	if v.Files, err = r.files(ctx, r.DB, v.Notice); err != nil {
		return err
	}
	d, err := r.Cases.Dossier(ctx, r.DB, v.DossierID)
	if err != nil {
		return err
	}
	v.Evidence = len(d.Document.Evidence)
	rows, err := versions(ctx, r.DB, v.ID)
	if err != nil {
		return err
	}
	back, err := r.returns(ctx, v.Notice)
	if err != nil {
		return err
	}
	for _, w := range rows {
		out := Version{Version: w.Version, DossierID: w.DossierID, Person: w.Person, At: w.At, Returned: back[w.Version]}
		copy(out.Digest[:], w.Digest)
		v.Versions = append(v.Versions, out)
		if _, err := r.name(ctx, v, w.Person); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) returns(ctx context.Context, n Notice) (map[int]*Returned, error) {
	type back struct {
		version int
		sealed  []byte
		Returned
	}
	all, err := db.All(ctx, r.DB, func(row db.Row) (back, error) {
		var b back
		err := row.Scan(&b.version, &b.Party, &b.Person, db.ListInto(&b.Reasons), &b.sealed, db.Time(&b.At))
		return b, err
	}, `SELECT version, party_id, person_id, reasons, text_sealed, at FROM notice_returns WHERE notice_id = $1 ORDER BY version`, n.ID)
	if err != nil {
		return nil, err
	}
	out := map[int]*Returned{}
	for _, b := range all {
		text, err := r.open(n, b.sealed, "return")
		if err != nil {
			return nil, err
		}
		b.Text = string(text)
		out[b.version] = &b.Returned
	}
	return out, nil
}

// buttons are the acts of people that start from a notice's page, in its order.
var buttons = []Event{
	EventRedraft, EventPropose, EventApprove, EventReturn, EventIssue, EventReceive, EventAnswer, EventVerify, EventDeem, EventServe, EventWrite, EventWithdraw,
}

// Buttons tells which acts on n are open to the actor now. Acts that their seat
// can never do are left out; the others, while locked, say why. Sigs are those
// of the present version.
func (r *Room) Buttons(by party.Actor, n Notice, sigs []Signature) []Button {
	var out []Button
	for _, e := range buttons {
		act, _ := actOf(e)
		err := auth.May(by, act, r.object(n, acted(n, sigs, e)))
		if err != nil && !fault.Is(err, "auth.same-person") {
			continue
		}
		if err == nil {
			_, err = n.check(e)
		}
		if err == nil {
			err = r.locked(by, n, e)
		}
		out = append(out, Button{Event: e, Open: err == nil, Why: err})
	}
	return out
}

// locked says what else stands in the way of an act that the life allows.
func (r *Room) locked(by party.Actor, n Notice, e Event) error {
	switch {
	case !n.IssuedAt.IsZero() && (e == EventIssue || e == EventReturn):
		return fault.New(fault.Conflict, "notice.issued", "Ref", n.Ref)
	case e == EventIssue && r.Clock.Now().Before(n.AdvanceFrom):
		return fault.New(fault.Conflict, "notice.advance", "From", n.AdvanceFrom.Format(time.RFC3339))
	case e == EventReceive && !n.ReceivedAt.IsZero():
		return fault.New(fault.Conflict, "notice.received", "Ref", n.Ref, "At", n.ReceivedAt.Format(time.RFC3339))
	case e == EventDeem:
		if _, err := step(deliveryTable, "delivery", n.Delivery, e); err != nil {
			return err
		}
		if pack, err := r.pack(n); err != nil || !pack.Receipt.Deemed.Allowed {
			return errors.Join(err, noDeemed(by, pack.Receipt.Deemed.Rule.Text))
		}
	}
	return nil
}

// itemButtons are the acts on one item.
func (r *Room) itemButtons(by party.Actor, n Notice, it Item) []Button {
	var out []Button
	for _, e := range []Event{EventAnswer, EventPause, EventResolve, EventVerify, EventReopen} {
		act, _ := actOf(e)
		if auth.May(by, act, r.object(n, nil)) != nil {
			continue
		}
		_, err := n.check(e)
		if err == nil {
			_, err = step(itemTable, "item", it.State, e)
		}
		out = append(out, Button{Event: e, Open: err == nil, Why: err})
	}
	return out
}
