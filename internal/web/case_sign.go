package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// A DraftPane is a drafted notice that awaits its proposer's signature.
type DraftPane struct {
	P        *i18n.Printer
	Path     string // of the case
	Query    string
	Notice   string
	Ref      string
	Kind     string
	Facts    []components.Fact
	Grounds  []components.Ground
	Reasons  []DraftReason
	Items    []string // defanged
	Broad    string   // what needs further approvers, "" if nothing
	Digest   string   // SHA-256 in hex
	Sign     components.SignForm
	Device   string // what will sign, in words
	MayTell  bool
	Error    string
	Approver string
}

// A DraftReason is the statement of reasons in one language.
type DraftReason struct {
	Lang, Label, Text string
	Binding           bool
}

// draftPane is the draft of a proposed case that the actor made, nil if there is
// none.
func (s *Server) draftPane(ctx context.Context, by party.Actor, page components.Page, v casework.View, rows []notice.Row) (*DraftPane, error) {
	if v.Case.State != casework.Proposed {
		return nil, nil
	}
	for _, row := range rows {
		if row.Life == notice.Draft && row.DraftedBy == by.Person {
			return s.signDraft(ctx, by, page, v, row)
		}
	}
	return nil, nil
}

func (s *Server) signDraft(ctx context.Context, by party.Actor, page components.Page, v casework.View, row notice.Row) (*DraftPane, error) {
	p := page.P
	n, err := s.Notice.Get(ctx, by, row.ID)
	if err != nil {
		return nil, err
	}
	sign, device, err := s.signForm(ctx, p, by, n.Digest)
	if err != nil {
		return nil, err
	}
	approvers, err := s.caseApprovers(ctx, by)
	if err != nil {
		return nil, err
	}
	pane := &DraftPane{
		P: p, Path: "/cases/" + string(v.Case.ID), Notice: string(n.ID), Ref: n.Ref, Kind: p.T("policy.kind." + string(n.Kind)),
		Digest: notes.Hex(n.Digest), MayTell: n.MayTell, Approver: strings.Join(approvers, ", "),
		Sign: sign, Device: device,
	}
	pane.say(p, n)
	return pane, nil
}

// say puts what will be signed into words: the same document, no more.
func (pane *DraftPane) say(p *i18n.Printer, n notice.View) {
	doc := n.Document
	add := func(key, value string) {
		pane.Facts = append(pane.Facts, components.Fact{Name: p.T(key), Value: value})
	}
	add("triage.sign.to", doc.Addressee.Name)
	add("triage.sign.issuer", doc.Issuer.Name)
	if n.DeadlineMinutes > 0 {
		add("triage.sign.deadline", p.Window(minutes(n.DeadlineMinutes)))
	} else {
		add("triage.sign.deadline", p.T("ui.deadline.none"))
	}
	add("triage.sign.items", p.N("triage.locations", n.ItemCount))
	add("triage.sign.approvals", p.Number(int64(n.ApprovalsNeeded)))
	for _, g := range doc.Grounds {
		pane.Grounds = append(pane.Grounds, components.GroundOf(string(g)))
	}
	broad := make([]string, 0, len(n.Broad))
	for _, b := range n.Broad {
		broad = append(broad, p.T("policy.broad."+b))
	}
	pane.Broad = strings.Join(broad, ", ")
	for _, lang := range doc.Languages {
		pane.Reasons = append(pane.Reasons, DraftReason{
			Lang: lang, Label: p.T("triage.lang." + lang), Text: harmless(doc.Reasons.Texts[lang]), Binding: lang == doc.Reasons.Binding,
		})
	}
	for _, it := range n.Items {
		pane.Items = append(pane.Items, defang(it.URL))
	}
}

// propose: POST /cases/{id}/propose {notice, and what formSignature reads} signs the draft as
// its proposer.
func (s *Server) proposeCase(w http.ResponseWriter, r *http.Request) error {
	sig, signed, err := s.formSignature(r)
	if !signed {
		err = fault.New(fault.Invalid, "triage.unsigned").At("/signature")
	}
	if err != nil {
		return s.actAgain(w, r, err)
	}
	n, err := s.Notice.Propose(r.Context(), actorOf(r.Context()), notice.ID(r.PostFormValue("notice")), sig)
	if err != nil {
		return s.actAgain(w, r, err)
	}
	return seeOther(w, r, withFilter("/triage?said=proposed&ref-of="+n.Ref, r.URL.RawQuery))
}

// withdrawDraft: POST /cases/{id}/withdraw {notice, why} gives the case back to
// its assessor.
func (s *Server) withdrawDraft(w http.ResponseWriter, r *http.Request) error {
	_, err := s.Notice.Withdraw(r.Context(), actorOf(r.Context()), notice.ID(r.PostFormValue("notice")), r.PostFormValue("why"))
	if err != nil {
		return s.actAgain(w, r, err)
	}
	return s.backToCase(w, r, "withdrawn")
}
