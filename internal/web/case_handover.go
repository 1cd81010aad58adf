package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/components"
)

func (s *Server) handOverRoutes() []Route {
	return []Route{
		{"GET /cases/{id}/hand-over", auth.CaseWork, s.handOverForm},
		{"POST /cases/{id}/hand-over", auth.CaseWork, s.handOver},
		{"GET /hand-overs", auth.CaseRead, s.handOvers},
		{"GET /hand-overs/{id}", auth.CaseRead, s.handOverByID},
		{"POST /hand-overs/{id}/accept", auth.CaseAnswer, s.acceptHandOver},
		{"POST /hand-overs/{id}/return", auth.CaseAnswer, s.returnHandOver},
	}
}

// A HandOverLine is a hand-over in a list.
type HandOverLine struct {
	Ref, Href, With string
	Incoming        bool
	Chip            components.Chip
	At              string
	Items           string
	Reasons         string
	Answer          string
}

func handOverLine(page components.Page, h casework.HandedOn, with string) HandOverLine {
	p := page.P
	chip := components.Chip{State: components.StateReview, Label: p.T("triage.hand-over." + string(h.State)), Icon: "forward"}
	switch h.State {
	case casework.Offered:
		chip.State, chip.Icon = components.StatePending, "hourglass"
	case casework.AcceptedIt:
		chip.State, chip.Icon = components.StateActioned, "handshake"
	case casework.SplitIt:
		chip.State, chip.Icon = components.StateWarned, "split"
	case casework.ReturnedIt:
		chip.State, chip.Icon = components.StateRefused, "undo-2"
	}
	line := HandOverLine{Ref: h.Ref, Href: "/hand-overs/" + string(h.ID), With: with, Chip: chip, At: p.Exact(h.At, page.Zone), Answer: h.Answer}
	if len(h.Locations) > 0 {
		line.Items = p.N("triage.locations", len(h.Locations))
	}
	reasons := make([]string, 0, len(h.Reasons))
	for _, x := range h.Reasons {
		reasons = append(reasons, p.T("case.return."+x))
	}
	line.Reasons = strings.Join(reasons, ", ")
	return line
}

// HandOverPage offers a case to another organisation.
type HandOverPage struct {
	components.ConsolePage
	Path      string
	Ref       string
	CaseTitle string
	Receivers []components.Choice
	Locations []components.Choice
	Note      string
	Locked    string
	Errors    []components.FieldError
}

// handOverForm: GET /cases/{id}/hand-over.
func (s *Server) handOverForm(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.handOverPage(r, casework.HandOverInput{})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, handOverFormView(pg))
}

func (s *Server) handOverPage(r *http.Request, in casework.HandOverInput) (HandOverPage, error) {
	ctx, by := r.Context(), actorOf(r.Context())
	var pg HandOverPage
	v, err := s.Casework.Get(ctx, by, caseID(r))
	if err != nil {
		return pg, err
	}
	p := i18n.For(langOf(r))
	pg.Path, pg.Ref, pg.Note = "/cases/"+string(v.Case.ID), v.Case.Ref, in.Note
	pg.CaseTitle = v.Case.Title(p, s.platformTitle(v.Case.Platform))
	pg.ConsolePage, err = s.console(r, "triage", p.T("triage.hand-over.title", "Ref", pg.Ref),
		components.Crumb{Label: p.T("triage.title"), Href: "/triage"}, components.Crumb{Label: pg.Ref, Href: pg.Path}, components.Crumb{Label: p.T("triage.hand-over")})
	if err != nil {
		return pg, err
	}
	for _, b := range v.Buttons {
		if b.Event == casework.HandOver && !b.Open {
			pg.Locked = faultText(p, b.Why)
		}
	}
	all, err := party.List(ctx, s.DB, party.Agency, party.Authority, party.LawEnforcement, party.Helpline)
	if err != nil {
		return pg, err
	}
	for _, x := range all {
		if x.Active && x.ID != by.Party {
			pg.Receivers = append(pg.Receivers, components.Choice{Value: string(x.ID), Label: x.Name, Hint: p.T("web.party." + string(x.Kind)), Checked: in.To == x.ID})
		}
	}
	for _, l := range v.Locations {
		pg.Locations = append(pg.Locations, components.Choice{Value: string(l.ID), Label: l.Defanged(), Checked: len(in.LocationIDs) == 0 || slices.Contains(in.LocationIDs, l.ID)})
	}
	return pg, nil
}

// handOver: POST /cases/{id}/hand-over {to, location…, note}.
func (s *Server) handOver(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	in := casework.HandOverInput{To: party.ID(r.PostForm.Get("to")), Note: r.PostForm.Get("note"), LocationIDs: locationIDs(r, "location")}
	_, err := s.Casework.HandOver(r.Context(), actorOf(r.Context()), caseID(r), in)
	if err == nil {
		return s.backToCase(w, r, "handed")
	}
	e, ok := fault.As(err)
	if !ok || e.Kind == fault.NotFound || e.Kind == fault.Denied {
		return err
	}
	pg, perr := s.handOverPage(r, in)
	if perr != nil {
		return perr
	}
	if pg.Errors, perr = fieldErrors(pg.P, err, map[string]string{"/to": "to", "/note": "note", "/locations": "locations"}); perr != nil {
		pg.Errors = []components.FieldError{{Text: pg.P.Fault(e)}}
	}
	pg.Failed = true
	return s.render(w, r, statusOf(e.Kind), handOverFormView(pg))
}

func locationIDs(r *http.Request, field string) []report.LocationID {
	var out []report.LocationID
	for _, id := range r.PostForm[field] {
		out = append(out, report.LocationID(id))
	}
	return out
}

// HandOversPage lists what was handed to and by the actor's party.
type HandOversPage struct {
	components.ConsolePage
	Lines []HandOverLine
	More  string
	Empty components.Empty
}

// handOvers: GET /hand-overs.
func (s *Server) handOvers(w http.ResponseWriter, r *http.Request) error {
	ctx, by := r.Context(), actorOf(r.Context())
	all, next, err := s.Casework.HandOvers(ctx, by, "", casework.HandOverID(r.URL.Query().Get("cursor")), 0)
	if err != nil {
		return err
	}
	p := i18n.For(langOf(r))
	pg := HandOversPage{Empty: components.Empty{Icon: "forward", Title: p.T("triage.hand-overs.none"), Text: p.T("triage.hand-overs.none.text"), Action: p.T("triage.back"), Href: "/triage"}}
	pg.ConsolePage, err = s.console(r, "triage", p.T("triage.hand-overs"),
		components.Crumb{Label: p.T("triage.title"), Href: "/triage"}, components.Crumb{Label: p.T("triage.hand-overs")})
	if err != nil {
		return err
	}
	for _, h := range all {
		other := h.Party
		if h.Party == by.Party {
			other = h.To
		}
		with, err := party.Get(ctx, s.DB, other)
		if err != nil {
			return err
		}
		line := handOverLine(pg.Page, h, with.Name)
		line.Incoming = h.To == by.Party
		pg.Lines = append(pg.Lines, line)
	}
	if next != "" {
		pg.More = "/hand-overs?cursor=" + urlQuery(string(next))
	}
	return s.render(w, r, http.StatusOK, handOversView(pg))
}

// OfferPage is a hand-over as its receiver, or its sender, reads it.
type OfferPage struct {
	components.ConsolePage
	Path      string
	Line      HandOverLine
	From, To  string
	Note      string
	Locations []LocationLine
	Files     []SealedFile
	NewCase   string // address of the receiver's own case, "" before it accepted
	CanAnswer bool
	Reasons   []components.Choice
	Accept    []report.LocationID
	Text      string
	Grounds   []components.Ground
	First     string // the sender's reasons; "" while they may not be read
	Hidden    bool   // the sender's assessment waits until the receiver made its own
	Errors    []components.FieldError
}

// handOverByID: GET /hand-overs/{id}.
func (s *Server) handOverByID(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.offerPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, offerView(pg))
}

func (s *Server) offerPage(r *http.Request) (OfferPage, error) {
	ctx, by := r.Context(), actorOf(r.Context())
	var pg OfferPage
	h, err := s.Casework.GetHandOver(ctx, by, casework.HandOverID(r.PathValue("id")))
	if err != nil {
		return pg, err
	}
	p := i18n.For(langOf(r))
	pg.ConsolePage, err = s.console(r, "triage", p.T("triage.hand-over.title", "Ref", h.Ref), components.Crumb{Label: p.T("triage.title"), Href: "/triage"},
		components.Crumb{Label: p.T("triage.hand-overs"), Href: "/hand-overs"}, components.Crumb{Label: h.Ref})
	if err != nil {
		return pg, err
	}
	for _, x := range []struct {
		into *string
		of   party.ID
	}{{&pg.From, h.Party}, {&pg.To, h.To}} {
		org, err := party.Get(ctx, s.DB, x.of)
		if err != nil {
			return pg, err
		}
		*x.into = org.Name
	}
	pg.Path, pg.Line, pg.Note = "/hand-overs/"+string(h.ID), handOverLine(pg.Page, h, pg.From), harmless(h.Note)
	pg.Line.Answer = harmless(h.Answer)
	pg.CanAnswer = h.State == casework.Offered && auth.May(by, auth.CaseAnswer, h.Object()) == nil
	for _, l := range h.Locations {
		pg.Locations = append(pg.Locations, s.locationLine(p, l, false))
		pg.Accept = append(pg.Accept, l.ID)
	}
	for i, e := range h.Evidence {
		line := SealedFile{Name: p.T("triage.exhibit", "N", e.N), Facts: e.MediaType + ", " + p.Bytes(e.Size), Hash: e.SHA256, Icon: mediaIcon(e.MediaType)}
		if i < len(h.Files) {
			line.Href = s.captureURL(by, h.Files[i])
		}
		pg.Files = append(pg.Files, line)
	}
	if by.Party == h.To && h.NewCase != "" {
		pg.NewCase = "/cases/" + string(h.NewCase)
	}
	pg.Reasons = caseChoices(p, "case.return.", casework.ReturnReasons())
	if pg.Hidden = h.Assessment == nil; !pg.Hidden {
		for _, g := range h.Assessment.Grounds {
			if g.Met == "yes" {
				pg.Grounds = append(pg.Grounds, components.GroundOf(string(g.Ground)))
			}
		}
		pg.First = harmless(h.Assessment.Reasons.Texts[h.Assessment.Reasons.Binding])
	}
	return pg, nil
}

// acceptHandOver: POST /hand-overs/{id}/accept {location…, reason…, text}; some
// of the locations split the hand-over.
func (s *Server) acceptHandOver(w http.ResponseWriter, r *http.Request) error {
	return s.answerHandOver(w, r, func(by party.Actor, id casework.HandOverID, a casework.HandOverAnswer) (string, error) {
		if len(a.Accept) == 0 {
			return "", fault.New(fault.Invalid, "triage.unanswered.accept").At("/accept")
		}
		made, err := s.Casework.AcceptHandOver(r.Context(), by, id, a)
		return "/cases/" + string(made) + "?said=accepted", err
	})
}

// returnHandOver: POST /hand-overs/{id}/return {reason…, text}.
func (s *Server) returnHandOver(w http.ResponseWriter, r *http.Request) error {
	return s.answerHandOver(w, r, func(by party.Actor, id casework.HandOverID, a casework.HandOverAnswer) (string, error) {
		return "/triage?said=returned", s.Casework.ReturnHandOver(r.Context(), by, id, a)
	})
}

func (s *Server) answerHandOver(w http.ResponseWriter, r *http.Request, do func(party.Actor, casework.HandOverID, casework.HandOverAnswer) (string, error)) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	a := casework.HandOverAnswer{Accept: locationIDs(r, "location"), Reasons: r.PostForm["reason"], Text: r.PostForm.Get("text")}
	to, err := do(actorOf(r.Context()), casework.HandOverID(r.PathValue("id")), a)
	if err == nil {
		return seeOther(w, r, to)
	}
	e, ok := fault.As(err)
	if !ok || e.Kind == fault.NotFound || e.Kind == fault.Denied {
		return err
	}
	pg, perr := s.offerPage(r)
	if perr != nil {
		return perr
	}
	if pg.Errors, perr = fieldErrors(pg.P, err, map[string]string{"/accept": "accept", "/reasons": "reasons", "/text": "text"}); perr != nil {
		pg.Errors = []components.FieldError{{Text: pg.P.Fault(e)}}
	}
	pg.Text, pg.Accept, pg.Failed = a.Text, a.Accept, true
	for i := range pg.Reasons {
		pg.Reasons[i].Checked = slices.Contains(a.Reasons, pg.Reasons[i].Value)
	}
	return s.render(w, r, statusOf(e.Kind), offerView(pg))
}

// key is the location's identifier as the rooms know it.
func (l LocationLine) key() report.LocationID { return report.LocationID(l.ID) }
