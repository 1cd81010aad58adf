package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// An AssessPane is the form of the assessment. Nothing in it is preset.
type AssessPane struct {
	P              *i18n.Printer
	Form           assessForm
	Path           string // of the case
	Query          string // of the list
	Locked         string // why it cannot be written now, "" if it can
	Profile        string // which rules
	Territory      string
	Grounds        []GroundQuestion
	Purposes       []PurposeQuestion
	Classes        []components.Choice
	Functions      []components.Choice
	Audience       []components.Choice
	Tiers          []components.Choice
	Measures       []MeasureChoice
	Deadlines      []components.Choice
	Platforms      []components.Choice // empty where the case has one
	Issuers        []components.Choice // empty where there is one
	Addressees     []components.Choice // empty where the platform is known
	Reasons        []components.Choice // of closing
	Binding        string              // the language that binds, in words
	Second         string              // the pack's second language, "" for none
	LastDay        string              // latest day to which telling the user may wait, YYYY-MM-DD
	Today          string
	Errors         []components.FieldError
	AssessConflict *AssessConflict
	State          AssessState
}

// An AssessState is how far the form has come: the counter, what is missing,
// and what closes the way.
type AssessState struct {
	P         *i18n.Printer
	Counter   string   // "14 / 23"
	Missing   []string // what is still unanswered
	Closed    string   // what closes the way to a notice, "" if nothing
	Approvers string   // who may approve
	Button    string   // what sending does
	Ready     bool
}

// A GroundQuestion is one of the five grounds.
type GroundQuestion struct {
	components.Ground
	Answer  components.Segmented
	Reasons string
}

// A PurposeQuestion is one of the five purpose tests.
type PurposeQuestion struct {
	components.Purpose
	Claimed, Actual components.Segmented
	Reasons         string
}

// A MeasureChoice is an action that may be proposed.
type MeasureChoice struct {
	components.Choice
	Icon, Key string
	Order     bool
}

// An AssessConflict is what somebody else assessed meanwhile: their version beside
// what was just sent, which the form still holds.
type AssessConflict struct {
	Who  string
	Own  bool // the same person, in another tab
	At   string
	Rows []ConflictRow
}

// A ConflictRow is a question that two people answered differently.
type ConflictRow struct{ Question, Theirs, Mine string }

func (s *Server) assessPane(ctx context.Context, by party.Actor, page components.Page, v casework.View, f assessForm, why func(error) string) (*AssessPane, error) {
	p := page.P
	pack, ok := s.Packs.Current(v.Case.Jurisdiction, page.Now)
	if !ok {
		return nil, fault.New(fault.Conflict, "triage.no-pack")
	}
	pane := &AssessPane{
		P: p, Form: f, Path: "/cases/" + string(v.Case.ID), Territory: territoryOf(v.Case),
		Profile: p.T("triage.profile", "Name", pack.Name.In(p.Lang()), "Version", pack.Version),
		Binding: p.T("triage.lang." + pack.Languages.Binding), Today: page.Now.In(page.Zone).Format(time.DateOnly),
		LastDay: page.Now.AddDate(0, 0, pack.Disclosure.WithholdMax.Int()).In(page.Zone).Format(time.DateOnly),
	}
	if len(pack.Languages.Others) > 0 {
		pane.Second = p.T("triage.lang." + pack.Languages.Others[0])
	}
	for _, b := range v.Buttons {
		if b.Event == casework.Assess && !b.Open {
			pane.Locked = why(b.Why)
		}
	}
	pane.lists(p, pack, v, s)
	issuers, err := s.caseIssuers(ctx, by, pack)
	if err != nil {
		return nil, err
	}
	for _, i := range issuers {
		if len(issuers) > 1 {
			pane.Issuers = append(pane.Issuers, components.Choice{Value: string(i.ID), Label: i.Name, Checked: f.Issuer == string(i.ID)})
		}
	}
	if pane.Addressees, err = s.caseAddressees(ctx, v, f); err != nil {
		return nil, err
	}
	pane.State, err = s.assessState(ctx, by, p, v, f, pack)
	return pane, err
}

// lists fills in the closed lists of the form.
func (pane *AssessPane) lists(p *i18n.Printer, pack policy.Pack, v casework.View, s *Server) {
	f, locked := pane.Form, pane.Locked != ""
	for i, g := range components.Grounds() {
		a := f.Grounds[g.Code]
		pane.Grounds = append(pane.Grounds, GroundQuestion{Ground: g, Reasons: a.Reasons, Answer: components.Segmented{
			Name: "g-" + g.Code, Label: g.Full(p), Value: a.Met, Segments: components.YesNo(p, true), Small: true, Key: strconv.Itoa(i + 1), Locked: locked,
		}})
	}
	pane.purposes(p)
	pane.Classes = caseChoices(p, "policy.listed.", policy.ListClasses(), f.Class)
	pane.Tiers = caseChoices(p, "policy.tier.", policy.Tiers(), f.Tier)
	pane.Functions = caseChoices(p, "policy.function.", policy.Functions(), f.Functions...)
	pane.Audience = caseChoices(p, "triage.audience.", []notes.Audience{notes.AudienceMinors, notes.AudienceWomen}, f.Audience...)
	pane.Reasons = caseChoices(p, "case.close.", casework.CloseReasons(), f.CloseReason)
	for _, m := range []struct{ value, icon, key string }{
		{casework.MeasureNone, "archive", "X"},
		{string(policy.Referral), "message-square-share", "R"},
		{string(policy.RemovalOrder), "file-text", "O"},
		{casework.MeasureHandOver, "forward", ""},
	} {
		if kind := policy.NoticeKind(m.value); kind.Valid() {
			if _, ok := pack.Chain(kind); !ok {
				continue
			}
		}
		pane.Measures = append(pane.Measures, MeasureChoice{
			Choice: components.Choice{Value: m.value, Label: p.T("triage.measure." + m.value), Checked: f.Measure == m.value},
			Icon:   m.icon, Key: m.key, Order: m.value == string(policy.RemovalOrder),
		})
	}
	for _, d := range pack.Deadlines[policy.RemovalOrder].Choices {
		value := strconv.Itoa(d.Int())
		pane.Deadlines = append(pane.Deadlines, components.Choice{Value: value, Label: p.Span(d.Duration()), Hint: p.Window(d.Duration()), Checked: f.Deadline == value})
	}
	if of := platformsOf(v.Locations); len(of) > 1 {
		for _, key := range of {
			pane.Platforms = append(pane.Platforms, components.Choice{Value: key, Label: s.platformName(p, key), Checked: f.Platform == key})
		}
	}
}

// purposes fills in the purpose tests.
func (pane *AssessPane) purposes(p *i18n.Printer) {
	f, locked := pane.Form, pane.Locked != ""
	for i, t := range components.Purposes() {
		a, key := f.Purposes[t.Code], strconv.Itoa((i+6)%10)
		pane.Purposes = append(pane.Purposes, PurposeQuestion{
			Purpose: t, Reasons: a.Reasons,
			Claimed: components.Segmented{Name: "c-" + t.Code, Label: p.T("triage.ask.claimed", "Purpose", t.Label(p)), Value: a.Claimed, Segments: components.YesNo(p, false), Small: true, Key: "Alt+" + key, Locked: locked},
			Actual:  components.Segmented{Name: "p-" + t.Code, Label: p.T("triage.ask.actual", "Purpose", t.Label(p)), Value: a.Actual, Segments: components.YesNo(p, true), Small: true, Key: key, Locked: locked},
		})
	}
}

// choices are a closed list with its texts.
func caseChoices[S ~string](p *i18n.Printer, prefix string, values []S, chosen ...string) []components.Choice {
	out := make([]components.Choice, 0, len(values))
	for _, v := range values {
		out = append(out, components.Choice{Value: string(v), Label: p.T(prefix + string(v)), Checked: slices.Contains(chosen, string(v))})
	}
	return out
}

// issuers are the organisations that could issue what the actor proposes.
func (s *Server) caseIssuers(ctx context.Context, by party.Actor, pack policy.Pack) ([]party.Party, error) {
	chain, ok := pack.Chain(policy.RemovalOrder)
	if !ok || chain.Issuing == policy.SameParty {
		return nil, nil
	}
	for _, step := range chain.Steps {
		if step.Act != policy.Issue {
			continue
		}
		all, err := party.List(ctx, s.DB, party.Kind(step.Party))
		return slices.DeleteFunc(all, func(x party.Party) bool {
			return !x.Active || !strings.EqualFold(x.Jurisdiction, by.Jurisdiction)
		}), err
	}
	return nil, nil
}

// caseAddressees are the services that a site on a host of its own may depend
// on. None is chosen beforehand: who hosts a site is for the analyst to find.
func (s *Server) caseAddressees(ctx context.Context, v casework.View, f assessForm) ([]components.Choice, error) {
	if !slices.Contains(platformsOf(v.Locations), "") {
		return nil, nil
	}
	all, err := party.List(ctx, s.DB, party.Platform)
	var out []components.Choice
	for _, p := range all {
		if p.Active {
			out = append(out, components.Choice{Value: string(p.ID), Label: p.Name, Checked: f.Addressee == string(p.ID)})
		}
	}
	return out, err
}

// assessState says how far a form has come.
func (s *Server) assessState(ctx context.Context, by party.Actor, p *i18n.Printer, v casework.View, f assessForm, pack policy.Pack) (AssessState, error) {
	a := f.assessment(territoryOf(v.Case), pack.Languages.Binding)
	n, missing := answersIn(a)
	out := AssessState{P: p, Counter: strconv.Itoa(n) + " / " + strconv.Itoa(questions), Button: p.T("triage.send"), Ready: len(missing) == 0}
	for _, m := range missing {
		out.Missing = append(out.Missing, p.Fault(m))
	}
	switch f.Measure {
	case casework.MeasureNone:
		out.Button, out.Missing, out.Ready = p.T("triage.send.close"), nil, f.CloseReason != ""
		if !out.Ready {
			out.Missing = []string{p.T("triage.unanswered.close-reason")}
		}
		return out, nil
	case casework.MeasureHandOver:
		out.Button = p.T("triage.send.hand-over")
	case string(policy.RemovalOrder), string(policy.Referral):
		if _, err := f.draftInput(v, pack, time.UTC); err != nil {
			out.Missing, out.Ready = append(out.Missing, faultParts(p, err)...), false
		}
		if err := a.MayOrder(pack, opinionsOn(v)); err != nil && out.Ready {
			out.Closed, out.Ready = faultText(p, err), false
		}
	}
	if v.Case.Captures == 0 && !v.Case.NoCapture {
		out.Missing, out.Ready = append(out.Missing, p.T("triage.unanswered.evidence")), false
	}
	approvers, err := s.caseApprovers(ctx, by)
	out.Approvers = strings.Join(approvers, ", ")
	return out, err
}

// parts says every part of a fault.
func faultParts(p *i18n.Printer, err error) []string {
	e, ok := fault.As(err)
	if !ok {
		return nil
	}
	if len(e.Parts) == 0 {
		return []string{p.Fault(e)}
	}
	out := make([]string, 0, len(e.Parts))
	for _, part := range e.Parts {
		out = append(out, p.Fault(part))
	}
	return out
}

// opinionsOn are the opinions given on the last assessment.
func opinionsOn(v casework.View) []casework.Opinion {
	return slices.DeleteFunc(slices.Clone(v.Opinions), func(o casework.Opinion) bool { return o.Assessment != v.Case.Assessed || o.GivenBy == "" })
}

// approvers are who may take the next step, but for the actor.
func (s *Server) caseApprovers(ctx context.Context, by party.Actor) ([]string, error) {
	people, err := party.People(ctx, s.DB, by.Party)
	var out []string
	for _, x := range people {
		if x.Active && x.Has(party.Approver) && x.ID != by.Person {
			out = append(out, x.Name)
		}
	}
	return out, err
}

// checkAssess: POST /cases/{id}/check says how far the form has come and keeps
// nothing.
func (s *Server) checkAssess(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	ctx, by := r.Context(), actorOf(r.Context())
	v, err := s.Casework.Get(ctx, by, caseID(r))
	if err != nil {
		return err
	}
	pack, _ := s.Packs.Current(v.Case.Jurisdiction, s.Clock.Now())
	st, err := s.assessState(ctx, by, i18n.For(langOf(r)), v, readAssess(r.PostForm), pack)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, assessStateView(st, true))
}

// assess: POST /cases/{id}/assess keeps a version; with do=send it goes on to
// what the measure says: close, hand over, or a notice to sign.
func (s *Server) assessCase(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	ctx, by := r.Context(), actorOf(r.Context())
	v, err := s.Casework.Get(ctx, by, caseID(r))
	if err != nil {
		return err
	}
	pack, ok := s.Packs.Current(v.Case.Jurisdiction, s.Clock.Now())
	if !ok {
		return fault.New(fault.Conflict, "triage.no-pack")
	}
	f := readAssess(r.PostForm)
	to, err := s.keepAssessment(ctx, by, v, f, pack, r.PostForm.Get("do") == "send")
	if err != nil {
		return s.assessAgain(w, r, f, err)
	}
	return seeOther(w, r, withFilter(to, r.URL.RawQuery))
}

// withFilter adds the list's filter to an address that may have a query.
func withFilter(to, query string) string {
	switch {
	case query == "":
		return to
	case strings.Contains(to, "?"):
		return to + "&" + query
	default:
		return to + "?" + query
	}
}

// keep stores the form's assessment if it says anything new, and sends it on.
// It returns where to go.
func (s *Server) keepAssessment(ctx context.Context, by party.Actor, v casework.View, f assessForm, pack policy.Pack, send bool) (string, error) {
	id, path := v.Case.ID, "/cases/"+string(v.Case.ID)
	a := f.assessment(territoryOf(v.Case), pack.Languages.Binding)
	news := !sameAssessment(a, casework.Assessment{})
	if n := len(v.Assessments); n > 0 {
		news = f.Base != v.Case.Assessed || !sameAssessment(a, v.Assessments[n-1].Assessment)
	}
	if news {
		if _, err := s.Casework.Assess(ctx, by, id, f.Base, a); err != nil {
			return "", err
		}
	}
	if !send {
		return path + "?said=saved", nil
	}
	switch f.Measure {
	case casework.MeasureNone:
		done, err := s.Casework.Close(ctx, by, []casework.ID{id}, casework.CloseInput{Reason: f.CloseReason, Text: f.Reasons})
		return closedHref("/triage", 1, done.Token), err
	case casework.MeasureHandOver:
		return path + "/hand-over", a.Complete()
	case string(policy.Referral), string(policy.RemovalOrder):
		return path, s.draftNotice(ctx, by, v, f, a, pack)
	default:
		return "", a.Complete()
	}
}

// draft builds the notice to sign, or a new version of one that came back.
func (s *Server) draftNotice(ctx context.Context, by party.Actor, v casework.View, f assessForm, a casework.Assessment, pack policy.Pack) error {
	in, err := f.draftInput(v, pack, localTime(by))
	var faults fault.Checker
	for _, err := range []error{a.Complete(), err} {
		e, ok := fault.As(err)
		if err != nil && !ok {
			return err
		}
		if !ok {
			continue
		}
		for _, part := range e.Parts {
			faults.Add(part.Field, part.Code, arguments(part)...)
		}
	}
	if err := faults.Err(); err != nil {
		return err
	}
	rows, err := s.noticesOf(ctx, by, v.Case.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Life == notice.Draft && row.Kind == in.Kind {
			_, err := s.Notice.Redraft(ctx, by, row.ID, in)
			return err
		}
	}
	_, err = s.Notice.Draft(ctx, by, in)
	return err
}

// arguments are a fault's, as names and values.
func arguments(e *fault.Error) []any {
	out := make([]any, 0, 2*len(e.Args))
	for name, value := range e.Args {
		out = append(out, name, value)
	}
	return out
}

// assessFields maps what a room says is wrong to the fields of the form.
var assessFields = map[string]string{
	"/measure": "measure", "/public": "public", "/tier": "tier", "/grounds": "grounds", "/purpose_tests": "purposes", "/functions": "functions",
	"/audience": "functions", "/listed": "listed", "/necessity": "lighter", "/scope": "scope", "/reasons": "reasons", "/reason": "close-reason",
	"/deadline_minutes": "measure", "/platform": "measure", "/locations": "measure", "/issuer": "measure", "/addressee": "measure", "/withhold_until": "withhold-until", "/withhold": "withhold",
	"/emergency": "emergency", "/text": "reasons", "/kind": "measure",
}

// assessAgain shows the form with every answer still in it and what stood in
// the way.
func (s *Server) assessAgain(w http.ResponseWriter, r *http.Request, f assessForm, cause error) error {
	e, ok := fault.As(cause)
	if !ok || e.Kind == fault.NotFound || e.Kind == fault.Denied {
		return cause
	}
	pg, err := s.triagePage(r, caseID(r))
	if err != nil {
		return err
	}
	ctx, by := r.Context(), actorOf(r.Context())
	v, err := s.Casework.Get(ctx, by, caseID(r))
	if err != nil {
		return err
	}
	names, err := s.peopleOf(ctx, v.Case.Party)
	if err != nil {
		return err
	}
	f.Base = baseOf(v, f)
	pane, err := s.assessPane(ctx, by, pg.Page, v, f, whyClosed(pg.Page, v, names))
	if err != nil {
		return err
	}
	if pane.Query = pg.Case.Query; fault.Is(cause, "case.assessed-meanwhile") && len(v.Assessments) > 0 {
		last := v.Assessments[len(v.Assessments)-1]
		pane.AssessConflict = conflictOf(pg.P, f, formOf(last, pane.Territory))
		pane.AssessConflict.Own = last.Person == by.Person
		pane.AssessConflict.Who, pane.AssessConflict.At = names[last.Person].Name, pg.P.Exact(last.At, pg.Zone)
		pane.Form.Base = last.Version // whoever sends again has seen it
	} else if pane.Errors, err = fieldErrors(pg.P, cause, assessFields); err != nil {
		said := components.FieldError{Text: pg.P.Fault(e)}
		if fault.Is(cause, "case.no-evidence") {
			said.Field = "panel-evidence-tab" // where it is added
		}
		pane.Errors = []components.FieldError{said}
	}
	pg.Case.Assess, pg.Case.Opinion, pg.Case.Sign, pg.Case.Record = pane, nil, nil, nil
	pg.Failed = true
	return s.render(w, r, statusOf(e.Kind), triageView(pg))
}

// baseOf is the version that a form goes on from: its own if it was kept before
// something else stood in the way.
func baseOf(v casework.View, f assessForm) int {
	if n := len(v.Assessments); n > 0 {
		last := v.Assessments[n-1]
		if sameAssessment(f.assessment(territoryOf(v.Case), last.Reasons.Binding), last.Assessment) {
			return last.Version
		}
	}
	return f.Base
}

// conflictOf lists the questions that two forms answer differently.
func conflictOf(p *i18n.Printer, mine, theirs assessForm) *AssessConflict {
	c := &AssessConflict{}
	row := func(question, a, b string, say func(string) string) {
		if a == b {
			return
		}
		c.Rows = append(c.Rows, ConflictRow{Question: question, Mine: say(a), Theirs: say(b)})
	}
	plain := func(v string) string {
		if v == "" {
			return p.T("triage.finding.none")
		}
		return v
	}
	of := func(prefix string) func(string) string {
		return func(v string) string {
			if v == "" {
				return p.T("triage.finding.none")
			}
			return p.T(prefix + v)
		}
	}
	row(p.T("triage.ask.public"), mine.Public, theirs.Public, of("triage.finding."))
	for _, g := range components.Grounds() {
		row(g.Number+" "+g.Short(p), mine.Grounds[g.Code].Met, theirs.Grounds[g.Code].Met, of("triage.finding."))
		row(g.Number+" "+p.T("triage.ask.why"), mine.Grounds[g.Code].Reasons, theirs.Grounds[g.Code].Reasons, plain)
	}
	for _, t := range components.Purposes() {
		a, b := mine.Purposes[t.Code], theirs.Purposes[t.Code]
		row(p.T("triage.ask.claimed", "Purpose", t.Label(p)), a.Claimed, b.Claimed, of("triage.finding."))
		row(p.T("triage.ask.actual", "Purpose", t.Label(p)), a.Actual, b.Actual, of("triage.finding."))
	}
	row(p.T("triage.ask.purpose-why"), mine.WhyAll, theirs.WhyAll, plain)
	row(p.T("triage.ask.listed"), mine.Class, theirs.Class, of("policy.listed."))
	row(p.T("triage.ask.tier"), mine.Tier, theirs.Tier, of("policy.tier."))
	row(p.T("triage.ask.reasons"), mine.Reasons, theirs.Reasons, plain)
	row(p.T("triage.ask.measure"), mine.Measure, theirs.Measure, of("case.measure."))
	return c
}

// optionsOpen reports whether something stands in the part that is folded away.
func (pane *AssessPane) optionsOpen() bool {
	f := pane.Form
	if f.Withhold != "" || f.WithholdUntil != "" || f.Emergency != "" || f.Translation != "" {
		return true
	}
	return slices.ContainsFunc(pane.Errors, func(e components.FieldError) bool {
		return strings.HasPrefix(e.Field, "withhold") || e.Field == "emergency" || e.Field == ""
	})
}
