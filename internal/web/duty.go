package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

func (s *Server) dutyRoutes() []Route {
	return []Route{
		{"GET /organisation/duty", auth.PartyRead, s.getDuty},
		{"POST /organisation/duty", auth.PartyAdmin, s.postDuty},
		{"POST /organisation/duty/{id}/remove", auth.PartyAdmin, s.postDutyRemove},
	}
}

// DutyPage is who is on duty: now, in the next days, and by which shifts.
type DutyPage struct {
	components.ConsolePage
	Title, Sub string
	Tabs       []components.Tab
	Admin      bool
	Zone       string
	Now        []DutyLine
	Days       []DutyDay
	Roles      []Option
	People     []Option // who can be on duty
	Weekdays   []components.Choice
	Errors     []components.FieldError
	Was        url.Values
}

func (pg DutyPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// A DutyLine is one shift: whose, and when.
type DutyLine struct{ ID, Role, Hours, Person, Deputy string }

// A DutyDay is one day of the next seven.
type DutyDay struct {
	Name  string
	Lines []DutyLine
}

// getDuty: GET /organisation/duty.
func (s *Server) getDuty(w http.ResponseWriter, r *http.Request) error {
	return s.showDuty(w, r, http.StatusOK, func(*DutyPage) {})
}

// showDuty renders the page after change has added what a POST left to say.
func (s *Server) showDuty(w http.ResponseWriter, r *http.Request, status int, change func(*DutyPage)) error {
	ctx, actor := r.Context(), actorOf(r.Context())
	p := i18n.For(langOf(r))
	c, err := s.console(r, "organisation", p.T("admin.duty"),
		components.Crumb{Label: p.T("web.nav.organisation"), Href: "/organisation"}, components.Crumb{Label: p.T("admin.duty")})
	if err != nil {
		return err
	}
	org, err := party.Get(ctx, s.DB, actor.Party)
	if err != nil {
		return err
	}
	people, err := party.People(ctx, s.DB, actor.Party)
	if err != nil {
		return err
	}
	shifts, err := duty.Of(ctx, s.DB, actor.Party)
	if err != nil {
		return err
	}
	pg := DutyPage{
		ConsolePage: c, Title: org.Name, Sub: p.T("admin.duty.sub"), Tabs: s.adminTabs(p, actor, "duty"),
		Admin: auth.Seat(actor, auth.PartyAdmin), Zone: org.Zone, Was: url.Values{},
	}
	pg.fill(shifts, people, localTime(party.Actor{Zone: org.Zone}))
	change(&pg)
	pg.Failed = len(pg.Errors) > 0
	return s.render(w, r, status, dutyView(pg))
}

// fill says who is on duty now and in the next seven days.
func (pg *DutyPage) fill(shifts []duty.Shift, people []party.Person, zone *time.Location) {
	names := map[party.PersonID]string{}
	for _, m := range people {
		names[m.ID] = m.Name
		if m.Active && slices.ContainsFunc(duty.Roles(), m.Has) {
			pg.People = append(pg.People, Option{Value: string(m.ID), Label: m.Name})
		}
	}
	p, now := pg.P, pg.Page.Now.In(zone)
	line := func(s duty.Shift) DutyLine {
		l := DutyLine{ID: s.ID, Role: p.T("web.role." + string(s.Role)), Hours: p.T("admin.duty.hours", "From", p.TimeOfDay(s.From), "To", p.TimeOfDay(s.To)), Person: names[s.Person]}
		if s.Deputy != "" {
			l.Deputy = names[s.Deputy]
		}
		return l
	}
	for _, role := range duty.Roles() {
		pg.Roles = append(pg.Roles, Option{Value: string(role), Label: p.T("web.role." + string(role))})
		for _, s := range duty.On(shifts, role, pg.Page.Now, zone) {
			pg.Now = append(pg.Now, line(s))
		}
	}
	for i := range 7 {
		day := now.AddDate(0, 0, i)
		d := DutyDay{Name: p.Weekday(day.Weekday()) + ", " + p.Day(day, zone)}
		for _, s := range shifts {
			if s.Weekday == day.Weekday() {
				d.Lines = append(d.Lines, line(s))
			}
		}
		pg.Days = append(pg.Days, d)
		first := (int(time.Monday) + i) % 7
		pg.Weekdays = append(pg.Weekdays, components.Choice{Value: strconv.Itoa(first), Label: p.Weekday(time.Weekday(first))})
	}
}

// postDuty: POST /organisation/duty with role, day (several), from, to (as
// 08:00), person and deputy.
func (s *Server) postDuty(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	f := r.PostForm
	plan := duty.Plan{
		Role: party.Role(f.Get("role")), From: dayMinutes(f.Get("from")), To: dayMinutes(f.Get("to")),
		Person: party.PersonID(f.Get("person")), Deputy: party.PersonID(f.Get("deputy")),
	}
	for _, d := range f["day"] {
		n, err := strconv.Atoi(d)
		if err != nil {
			n = -1 // said to be no day
		}
		plan.Weekdays = append(plan.Weekdays, time.Weekday(n))
	}
	err := s.Duty.Add(r.Context(), actorOf(r.Context()), plan)
	if err == nil {
		return seeOther(w, r, "/organisation/duty")
	}
	wrong, err := fieldErrors(i18n.For(langOf(r)), err, map[string]string{
		"/role": "role", "/weekdays": "day", "/from": "from", "/to": "to", "/person": "person", "/deputy": "deputy",
	})
	if err != nil {
		return err
	}
	return s.showDuty(w, r, http.StatusUnprocessableEntity, func(pg *DutyPage) {
		pg.Errors, pg.Was = wrong, f
		for i, d := range pg.Weekdays {
			pg.Weekdays[i].Checked = slices.Contains(f["day"], d.Value)
		}
	})
}

// dayMinutes reads a time of day, as 08:00; -1 for anything else.
func dayMinutes(s string) int {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return -1
	}
	return t.Hour()*60 + t.Minute()
}

// postDutyRemove: POST /organisation/duty/{id}/remove.
func (s *Server) postDutyRemove(w http.ResponseWriter, r *http.Request) error {
	if err := s.Duty.Remove(r.Context(), actorOf(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation/duty")
}
