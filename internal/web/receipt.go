package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/components"
)

// ReceiptPage confirms a report. The code is shown this once.
type ReceiptPage struct {
	components.PublicPage
	Code      string // TGK-XXXX-XXXX-XXXX-XXXX
	Ref       string // public reference
	At        time.Time
	Named     bool // the reporter left a contact
	Soon      bool // somebody will be hurt soon: duty is called, and so are the numbers to be
	Emergency []policy.EmergencyNumber
	Usual     time.Duration
	Counsel   string // words of the counsellors' line; a setting of each deployment, "" leaves it out
	CounselTo string // its address
}

// codeParts splits a code where a narrow screen may break it.
func (pg ReceiptPage) codeParts() [2]string {
	const half = len("TGK-0000-0000-")
	if len(pg.Code) <= half {
		return [2]string{pg.Code}
	}
	return [2]string{pg.Code[:half], pg.Code[half:]}
}

// CheckPage asks for a receipt code.
type CheckPage struct {
	components.PublicPage
	Typed  string // what was not a code; sixteen letters are mended, not typed again
	Errors []components.FieldError
}

// StatusPage shows the way of one report to who holds its code. The code
// travels in the body of each request, never in an address.
type StatusPage struct {
	components.PublicPage
	Code     string
	Ref      string
	Agency   string
	Headline components.Chip // where it stands
	Steps    []StatusStep    // the oldest first; the last is where it stands
	Messages []StatusMessage
	Files    int
	Links    int
	Saved    string // what was just done, said on top
	Errors   []components.FieldError
	Message  string // a message that was not accepted
	More     string // links that were not accepted
	Note     string // words to them
	Lane     string // ticket of whoever has waited, kept while they mend; "" for others
}

// action is where a form goes, whose address is front.
func (pg StatusPage) action(front string) string {
	if pg.Lane != "" {
		return front + "/" + pg.Lane
	}
	return front
}

// A StatusStep is a step of a report's way, in words.
type StatusStep struct {
	Icon string
	Text string
	Note string
	At   time.Time // zero: still to come
}

// A StatusMessage is one message between reporter and agency.
type StatusMessage struct {
	Ours bool // from the reporter
	From string
	Text string
	At   time.Time
}

func (pg StatusPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// getReceipt: GET /receipt asks for a code.
func (s *Server) getReceipt(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, checkView(CheckPage{PublicPage: s.narrowPage(r, "public.check.title", "status")}))
}

// toReceipt: a browser that opens the address of one of the forms below is
// asked for the code.
func (s *Server) toReceipt(w http.ResponseWriter, r *http.Request) error {
	return seeOther(w, r, "/receipt")
}

// postReceipt: POST /receipt shows what became of the report of a code. With
// as=confirmation it shows the confirmation again, in another language.
func (s *Server) postReceipt(w http.ResponseWriter, r *http.Request) error {
	in, err := readIntake(w, r)
	if err != nil {
		return err
	}
	code, err := report.ParseReceipt(in.texts.Get("code"))
	if err != nil {
		return s.askAgain(w, r, in.texts.Get("code"), err)
	}
	status, err := s.Report.Status(r.Context(), code)
	if err != nil {
		return s.askAgain(w, r, in.texts.Get("code"), err)
	}
	if in.texts.Get("as") == "confirmation" {
		return s.showReceipt(w, r, code, status.ReceivedAt, status.HasContact, status.Soon)
	}
	return s.showStatus(w, r, s.statusPage(r, code, status))
}

// askAgain asks for the code once more. Why it was not found stays unsaid:
// every wrong code gets one answer.
func (s *Server) askAgain(w http.ResponseWriter, r *http.Request, typed string, err error) error {
	if !fault.Is(err, "report.no-receipt") {
		return err
	}
	pg := CheckPage{PublicPage: s.narrowPage(r, "public.check.title", "status")}
	pg.Path, pg.Failed, pg.Typed = "/receipt", true, typed
	pg.Errors = []components.FieldError{{Field: "code", Text: pg.P.T("public.check.wrong")}}
	return s.render(w, r, http.StatusNotFound, checkView(pg))
}

// postReceiptMessage: POST /receipt/message writes to the agency.
func (s *Server) postReceiptMessage(w http.ResponseWriter, r *http.Request) error {
	in, err := readIntake(w, r)
	if err != nil {
		return err
	}
	code, text := in.texts.Get("code"), in.texts.Get("message")
	status, err := s.Report.Status(r.Context(), code)
	if err != nil {
		return s.askAgain(w, r, code, err)
	}
	if in.texts.Has("switch") { // the language switch of who waits
		return s.receiptWaits(w, r, "/receipt/message", in, true, "code", "message")
	}
	if !said(status, text) { // a reloaded page sends its form again
		var spend admit.Spend
		if spend, err = s.pay(r, in); err == nil {
			err = s.Report.Write(r.Context(), code, text, spend)
		}
	}
	if unpaid(err) {
		return s.receiptWaits(w, r, "/receipt/message", in, crowded(err), "code", "message")
	}
	return s.after(w, r, code, err, func(pg *StatusPage) {
		pg.Saved = pg.P.T("public.status.saved.message")
	}, func(pg *StatusPage, errs []components.FieldError) {
		pg.Message, pg.Errors = text, errs
	}, map[string]string{"text": "message"})
}

// said reports whether the reporter's last message is text.
func said(status report.Status, text string) bool {
	for _, m := range status.Messages[max(0, len(status.Messages)-1):] {
		return m.Side == report.Reporter && m.Text == strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	}
	return false
}

// postReceiptMaterial: POST /receipt/material adds links, files and words.
func (s *Server) postReceiptMaterial(w http.ResponseWriter, r *http.Request) error {
	in, err := readIntake(w, r)
	if in == nil {
		return err
	}
	defer in.drain()
	code, more, note := in.texts.Get("code"), in.texts.Get("urls"), in.texts.Get("note")
	if err == nil {
		if _, err := s.Report.Status(r.Context(), code); err != nil { // a wrong code waits for nothing
			return s.askAgain(w, r, code, err)
		}
		if in.texts.Has("switch") {
			return s.receiptWaits(w, r, "/receipt/material", in, true, "code", "urls", "note")
		}
		var spend admit.Spend
		if spend, err = s.pay(r, in); err == nil {
			err = s.Report.AddMaterial(r.Context(), code, report.Material{Text: note, Locations: filled(strings.Split(more, "\n")), More: in.uploads(), Spend: spend})
		}
	}
	if unpaid(err) {
		return s.receiptWaits(w, r, "/receipt/material", in, crowded(err), "code", "urls", "note")
	}
	return s.after(w, r, code, err, func(pg *StatusPage) {
		pg.Saved = pg.P.T("public.status.saved.material")
	}, func(pg *StatusPage, errs []components.FieldError) {
		pg.More, pg.Note, pg.Errors = more, note, errs
		if in.sawFile && fieldError(errs, "files") == "" {
			pg.Errors = append(pg.Errors, components.FieldError{Field: "files", Text: pg.P.T("public.report.files.again")})
		}
	}, map[string]string{"text": "note", "locations": "urls", "files": "files"})
}

// after shows the report after something was done to it: what was saved, or
// what is to be mended. fields names the form's fields by the first part of the
// room's JSON pointers.
func (s *Server) after(w http.ResponseWriter, r *http.Request, code string, err error,
	saved func(*StatusPage), refused func(*StatusPage, []components.FieldError), fields map[string]string,
) error {
	if fault.Is(err, "report.no-receipt") {
		return s.askAgain(w, r, code, err)
	}
	done := err == nil
	if e, ok := fault.As(err); ok && e.Code == "report.too-many-messages" {
		err = fault.New(fault.Invalid, e.Code, "Max", report.MaxMessages).At("/text")
	}
	parts, err := invalidParts(err)
	if err != nil {
		return err
	}
	status, err := s.Report.Status(r.Context(), code)
	if err != nil {
		return s.askAgain(w, r, code, err)
	}
	pg := s.statusPage(r, code, status)
	if done {
		saved(&pg)
		return s.showStatus(w, r, pg)
	}
	errs := make([]components.FieldError, len(parts))
	for i, part := range parts {
		errs[i] = components.FieldError{Field: fields[top(part.Field)], Text: pg.P.Fault(part)}
		if n, ok := index(part.Field, "/locations/"); ok {
			errs[i].Text = pg.P.T("public.report.nth", "N", n+1, "Text", errs[i].Text)
		}
	}
	pg.Failed, pg.Lane = true, r.PathValue("ticket")
	refused(&pg, joinFields(errs))
	return s.showStatus(w, r, pg)
}

func (s *Server) showStatus(w http.ResponseWriter, r *http.Request, pg StatusPage) error {
	status := http.StatusOK
	if pg.Failed {
		status = http.StatusUnprocessableEntity
	}
	return s.render(w, r, status, statusView(pg))
}

// statusPage says what became of a report.
func (s *Server) statusPage(r *http.Request, code string, status report.Status) StatusPage {
	pg := StatusPage{
		PublicPage: s.narrowPage(r, "public.status.title", "status"), Ref: status.Ref, Agency: status.Agency,
		Files: status.Files, Links: status.Locations,
	}
	pg.Code, _ = report.ParseReceipt(code) // Status knew it
	pg.Path, pg.LangForm, pg.LangPost = "/receipt", "again", true
	for _, step := range status.Steps {
		pg.Steps = append(pg.Steps, StatusStep{Icon: stepIcons[step.Kind], Text: step.Text(pg.P), At: step.At})
	}
	for _, m := range status.Messages {
		line := StatusMessage{Ours: m.Side == report.Reporter, From: status.Agency, Text: m.Text, At: m.At}
		if line.Ours {
			line.From = pg.P.T("public.status.you")
		}
		pg.Messages = append(pg.Messages, line)
	}
	pg.Headline = headline(pg.P, status.Steps)
	return pg
}

// stepIcons draw the steps of a report.
var stepIcons = map[report.StepKind]string{
	report.StepReceived: "circle-check-big", report.StepAdded: "paperclip", report.StepJoined: "inbox", report.StepReview: "scale",
	report.StepHandedOver: "landmark", report.StepReferred: "send", report.StepOrdered: "send", report.StepAnswered: "mail-open",
	report.StepOverdue: "alarm-clock", report.StepWithdrawn: "history", report.StepClosed: "archive", report.StepReopened: "history",
}

// headline is where the report stands, in two words: its last step that says
// anything about that.
func headline(p *i18n.Printer, steps []report.Step) components.Chip {
	states := map[report.StepKind]components.State{
		report.StepReferred: components.StateDelivered, report.StepOrdered: components.StateDelivered, report.StepAnswered: components.StateActioned,
		report.StepOverdue: components.StateOverdue, report.StepClosed: components.StateClosed,
	}
	kind, outcome := report.StepReceived, ""
	for _, step := range steps {
		if step.Kind != report.StepAdded {
			kind, outcome = step.Kind, step.Args["Answer"]
		}
	}
	c := components.Chip{State: components.StateReview, Label: p.T("public.status.head." + kind)}
	if state, ok := states[kind]; ok {
		c.State = state
	}
	if outcome == "refused" || outcome == "challenged" {
		c.State = components.StateRefused
	}
	return c
}
