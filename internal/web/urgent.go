package web

import (
	"net/http"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/tell"
	"github.com/tangkal/tangkal/internal/web/components"
)

func (s *Server) urgentRoutes() []Route {
	return []Route{
		{"GET /urgent", auth.CaseRead, s.getUrgent},
		{"GET /urgent/strip", auth.CaseHeed, s.urgentStrip},
		{"POST /urgent/{id}/heed", auth.CaseHeed, s.postHeed},
	}
}

// UrgentPage is who was called because somebody will be hurt soon, and who
// looked.
type UrgentPage struct {
	components.ConsolePage
	Standing []UrgentCall // what nobody looks at yet
	Past     []UrgentCall
	Within   string // time to heed
	Further  string // how many claims do not move their cases forward, "" for none
}

// An UrgentCall is one call, as the page shows it.
type UrgentCall struct {
	ID     string
	At     string
	What   string // how many cases and reports
	Cases  []UrgentCase
	More   string // of further cases
	Called []string
	Heeded string // who looked, and how soon; "" for nobody
	May    bool   // the visitor may say that they look
}

// An UrgentCase is a case of a call.
type UrgentCase struct{ Ref, Href, Reports string }

// urgentShown is how many calls the page lists.
const urgentShown = 50

// getUrgent: GET /urgent.
func (s *Server) getUrgent(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r.Context())
	p := i18n.For(langOf(r))
	c, err := s.console(r, "waiting", p.T("urgent.title"), components.Crumb{Label: p.T("web.nav.waiting"), Href: "/waiting"}, components.Crumb{Label: p.T("urgent.title")})
	if err != nil {
		return err
	}
	calls, err := s.Casework.LatestCalls(ctx, actor, urgentShown)
	if err != nil {
		return err
	}
	pg := UrgentPage{ConsolePage: c, Within: p.Span(s.Tell.Within())}
	for _, one := range calls {
		row, err := s.urgentRow(r, pg.ConsolePage, actor, one)
		if err != nil {
			return err
		}
		if one.Stands() {
			pg.Standing = append(pg.Standing, row)
		} else {
			pg.Past = append(pg.Past, row)
		}
	}
	further, err := s.Casework.Further(ctx, actor)
	if err != nil {
		return err
	}
	if further > 0 {
		pg.Further = p.N("urgent.further", further, "Count", upToMany(p, further))
	}
	return s.render(w, r, http.StatusOK, urgentView(pg))
}

// urgentRow says a call in words.
func (s *Server) urgentRow(r *http.Request, c components.ConsolePage, actor party.Actor, one casework.Call) (UrgentCall, error) {
	p := c.P
	row := UrgentCall{
		ID: string(one.ID), At: p.When(one.RaisedAt, c.Now, c.Zone), What: p.N("urgent.cases", one.Count),
		May: one.Stands() && auth.May(actor, auth.CaseHeed, one.Object()) == nil,
	}
	for _, k := range one.Cases {
		row.Cases = append(row.Cases, UrgentCase{Ref: k.Ref, Href: "/cases/" + string(k.ID), Reports: p.N("urgent.reports", k.Reports)})
	}
	if more := one.Count - len(one.Cases); more > 0 {
		row.More = p.N("urgent.more", more)
	}
	stages, err := tell.CalledFor(r.Context(), s.DB, one.ID)
	if err != nil {
		return row, err
	}
	for _, st := range stages {
		row.Called = append(row.Called, p.N("urgent.called."+stageWord(st.Stage), st.People, "At", p.Time(st.At, zoneOf(c.Zone))))
	}
	if !one.Stands() {
		who, err := party.GetPerson(r.Context(), s.DB, one.HeededBy)
		if err != nil {
			return row, err
		}
		row.Heeded = p.T("urgent.heeded", "Name", who.Name, "After", p.Span(one.HeededAt.Sub(one.RaisedAt).Truncate(time.Second)))
	}
	return row, nil
}

// stageWord is the key of a stage's words: all repeats share one.
func stageWord(s tell.Stage) string {
	switch s {
	case tell.OnDuty, tell.Deputies, tell.Everybody:
		return string(s)
	default:
		return "again"
	}
}

// postHeed: POST /urgent/{id}/heed: the visitor looks. They are led to the
// first of the cases.
func (s *Server) postHeed(w http.ResponseWriter, r *http.Request) error {
	c, err := s.Casework.Heed(r.Context(), actorOf(r.Context()), casework.CallID(r.PathValue("id")))
	if err != nil {
		return err
	}
	if len(c.Cases) > 1 {
		return seeOther(w, r, "/urgent")
	}
	return seeOther(w, r, "/cases/"+string(c.Cases[0].ID))
}

// urgentStrip: GET /urgent/strip is the strip over every page, for pages that
// are open already.
func (s *Server) urgentStrip(w http.ResponseWriter, r *http.Request) error {
	actor := actorOf(r.Context())
	c, ok, err := s.Casework.StandingCall(r.Context(), s.DB, actor.Party)
	if err != nil {
		return err
	}
	p := i18n.For(langOf(r))
	return s.render(w, r, http.StatusOK, components.AlertStrip(urgentAlert(p, c, ok, localTime(actor))))
}

// urgentAlert is the strip of a standing call, nil for none.
func urgentAlert(p *i18n.Printer, c casework.Call, ok bool, zone *time.Location) *components.Alert {
	if !ok || len(c.Cases) == 0 {
		return nil
	}
	return &components.Alert{
		Strong: p.T("urgent.strip"), Text: p.N("urgent.strip.text", c.Count, "Ref", c.Cases[0].Ref, "At", p.Time(c.RaisedAt, zone)),
		Href: "/urgent", Link: p.T("urgent.strip.open"),
	}
}
