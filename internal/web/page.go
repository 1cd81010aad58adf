package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// page returns what every page has.
func (s *Server) page(r *http.Request, zone *time.Location, title string) components.Page {
	return components.Page{
		P: i18n.For(langOf(r)), Title: title, Path: r.URL.RequestURI(), Theme: components.Theme(cookie(r, "theme")),
		Zone: zone, Now: s.Clock.Now(),
	}
}

// publicPage returns what every public page has. Times are shown in the zone
// of Jakarta, where the default pack is at home: nothing is asked of the
// visitor's browser.
func (s *Server) publicPage(r *http.Request, titleKey, active string) components.PublicPage {
	p := s.page(r, localTime(party.Actor{}), "")
	p.Title = p.P.T(titleKey)
	return components.PublicPage{Page: p, Active: active, Exit: s.ExitURL}
}

// console returns what every staff page has: whose chair it is, what waits and
// where one can go. active is the key of the page in the rail.
func (s *Server) console(r *http.Request, active, title string, crumbs ...components.Crumb) (components.ConsolePage, error) {
	w, err := s.waiting(r.Context(), actorOf(r.Context()))
	if err != nil {
		return components.ConsolePage{}, err
	}
	return s.consoleWith(r, w, active, title, crumbs...)
}

// consoleWith is console for a page that knows already what waits.
func (s *Server) consoleWith(r *http.Request, w waits, active, title string, crumbs ...components.Crumb) (components.ConsolePage, error) {
	ctx, actor := r.Context(), actorOf(r.Context())
	p := s.page(r, localTime(actor), title)
	org, err := party.Get(ctx, s.DB, actor.Party)
	if err != nil {
		return components.ConsolePage{}, err
	}
	c := components.ConsolePage{
		Page: p, Seat: seatOf(org.Kind), Party: components.Party{Name: org.Name, Kind: p.P.T("web.party." + string(org.Kind))},
		Person: components.Person{
			ID: string(actor.Person), Name: actor.Name, Initials: initials(actor.Name), Role: roleNames(p.P, actor.Roles), SignOut: "/sign-out", Profile: "/profile",
		},
		Nav: s.rail(p.P, actor, active, w), Crumbs: crumbs, Unread: w.forMe(), Waiting: w.where(), Events: "/events", Demo: s.Demo,
	}
	if auth.Seat(actor, auth.CaseHeed) {
		c.Alert, c.AlertURL = urgentAlert(p.P, w.call, w.called, zoneOf(p.Zone)), "/urgent/strip"
	}
	if auth.Seat(actor, auth.CaseWork) {
		e, err := s.Casework.Exposure(ctx, actor)
		if err != nil {
			return components.ConsolePage{}, err
		}
		seen := dose(e)
		c.Exposure = &seen
	}
	if auth.Seat(actor, auth.CaseRead) {
		c.BreakURL = "/break"
	}
	if auth.Seat(actor, auth.NoticeRead) {
		c.Find = "/find"
	}
	if signs(actor) {
		c.KeysURL = "/profile/keys"
	}
	return c, nil
}

// dose is a person's own exposure of today, as the rail shows it.
func dose(e casework.Exposure) components.Exposure {
	return components.Exposure{Seen: e.Visible, Limit: e.Limit, BreakIn: e.BreakIn, BreakURL: "/break"}
}

// signs reports whether the actor's roles ever sign anything.
func signs(a party.Actor) bool {
	for _, act := range []auth.Act{auth.NoticePropose, auth.NoticeApprove, auth.NoticeIssue, auth.NoticeReceive} {
		if auth.Seat(a, act) {
			return true
		}
	}
	return false
}

// waits is how much waits, for whom.
type waits struct {
	cases                             casework.Counts
	triage, mine, opinions, handOvers int
	approvals, issue, answers         int
	all                               int // on the page of what waits
	called                            bool
	call                              casework.Call
}

// forMe counts what waits for this very person: it stands in the page title.
func (w waits) forMe() int { return w.opinions + w.handOvers + w.approvals + w.issue + w.answers }

// where is the address of what waits first.
func (w waits) where() string {
	switch {
	case w.approvals+w.issue > 0:
		return "/approvals"
	case w.answers > 0:
		return "/inbox"
	default:
		return "/triage"
	}
}

// waiting counts what waits for the actor's party and person.
func (s *Server) waiting(ctx context.Context, actor party.Actor) (waits, error) {
	var w waits
	c, err := s.Tell.Count(ctx, actor)
	if err != nil {
		return w, err
	}
	w.cases = c.Cases
	w.triage, w.mine, w.opinions, w.handOvers = c.Cases.Waiting, c.Cases.Mine, c.Cases.Opinions, c.Cases.HandOvers
	w.approvals, w.issue, w.answers, w.all = c.Notices.Approve, c.Notices.Issue, c.Notices.Answer, c.Total()
	w.called, w.call = c.Called, c.Call
	return w, nil
}

// A place is a line of the rail and the act that its page needs.
type place struct {
	key, icon, href string
	act             auth.Act
	count           func(waits) int
	hot             bool
	topic           string
}

// goKeys lead to a place after G (ui/principles.md 7).
var goKeys = map[string]string{"waiting": "W", "triage": "T", "approvals": "A", "orders": "O", "inbox": "I", "history": "O"}

// rail lists where the actor can go; a page that their seat does not open is
// not shown.
func (s *Server) rail(p *i18n.Printer, actor party.Actor, active string, w waits) []components.NavGroup {
	work := []place{
		{"triage", "inbox", "/triage", auth.CaseRead, func(w waits) int { return w.triage }, false, "case"},
		{"approvals", "user-check", "/approvals", auth.NoticePropose, func(w waits) int { return w.approvals + w.issue }, true, "notice.proposed"},
		{"orders", "file-text", "/orders", auth.NoticeRead, nil, false, ""},
	}
	if auth.Seat(actor, auth.NoticeApprove) || auth.Seat(actor, auth.NoticeIssue) {
		work[1].act = auth.NoticeRead
	}
	if actor.PartyKind == party.Platform {
		work = []place{
			{"inbox", "inbox", "/inbox", auth.NoticeRead, func(w waits) int { return w.answers }, true, "notice.sent"},
			{"history", "history", "/orders", auth.NoticeRead, nil, false, ""},
		}
	}
	work = append(work, place{"lists", "file-spreadsheet", "/lists", auth.ListRead, nil, false, ""}, place{"registers", "archive", "/registers", auth.RegisterRead, nil, false, ""})
	own := []place{
		{"accuracy", "target", "/accuracy", auth.AccuracyRead, nil, false, ""},
		{"organisation", "settings-2", "/organisation", auth.PartyRead, nil, false, ""},
		{"policy", "scale", "/policy", auth.PolicyRead, nil, false, ""},
	}
	work = append([]place{{"waiting", "bell-ring", "/waiting", auth.PolicyRead, func(w waits) int { return w.all }, true, ""}}, work...)
	groups := []components.NavGroup{{Items: items(p, actor, active, w, work)}}
	return append(groups, components.NavGroup{Title: p.T("web.nav.accountability"), Items: items(p, actor, active, w, own)})
}

func items(p *i18n.Printer, actor party.Actor, active string, w waits, places []place) []components.NavItem {
	var out []components.NavItem
	for _, pl := range places {
		if !auth.Seat(actor, pl.act) {
			continue
		}
		item := components.NavItem{Icon: pl.icon, Label: p.T("web.nav." + pl.key), Href: pl.href, Active: pl.key == active, Topic: pl.topic, Key: goKeys[pl.key]}
		if pl.count != nil {
			if n := pl.count(w); n > 0 {
				item.Count, item.Hot = upToMany(p, n), pl.hot
			}
		}
		out = append(out, item)
	}
	return out
}

// seatOf is the colour of an organisation's chair.
func seatOf(k party.Kind) components.Seat {
	switch k {
	case party.Authority:
		return components.SeatAuthority
	case party.Platform:
		return components.SeatPlatform
	case party.State:
		return components.SeatPartner
	case party.Oversight, party.Court:
		return components.SeatOversight
	case party.Civil, party.Helpline:
		return components.SeatCivil
	default:
		return components.SeatAgency
	}
}

func roleNames(p *i18n.Printer, roles []party.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = p.T("web.role." + string(r))
	}
	return strings.Join(names, ", ")
}

// initials are the first letters of the first two words of a name.
func initials(name string) string {
	out := ""
	for _, w := range strings.Fields(name) {
		out += strings.ToUpper(string([]rune(w)[0]))
		if len([]rune(out)) == 2 {
			break
		}
	}
	return out
}

// errorPage says what happened, what was kept and what to do.
func (s *Server) errorPage(r *http.Request, e *fault.Error) templ.Component {
	pg := ErrorPage{PublicPage: s.publicPage(r, "web.error."+e.Kind.String(), ""), Icon: "circle-alert"}
	p := pg.P
	pg.What = p.Fault(e)
	for _, part := range e.Parts {
		pg.Parts = append(pg.Parts, p.Fault(part))
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && e.Code != "db.unsure" {
		pg.Kept = p.T("web.error.kept")
	}
	pg.Advice = p.T("web.error." + e.Kind.String() + ".advice")
	if ref, ok := e.Args["Ref"].(string); ok && e.Kind == fault.Internal {
		pg.Code = ref
	} else if e.Kind == fault.Unavailable {
		pg.Code = logbook.Ref(r.Context())
	}
	pg.Back = Option{Value: "/", Label: p.T("web.error.home")}
	if from := backTo(r); from != "" {
		pg.Back = Option{Value: from, Label: p.T("web.error.back")}
	}
	if e.Kind != fault.Unavailable { // the frame asks the database, too
		pg.Console = s.errorFrame(r, pg.Title)
	}
	return errorView(pg)
}

// errorFrame is the console's frame for somebody who is signed in, so that an
// error leaves them where they work; nil for everybody else, and wherever the
// frame itself cannot be made: an error page must not fail for it.
func (s *Server) errorFrame(r *http.Request, title string) *components.ConsolePage {
	if !actorOf(r.Context()).Known() {
		return nil
	}
	c, err := s.console(r, "", title, components.Crumb{Label: title})
	if err != nil {
		s.Log.DebugContext(r.Context(), "the error page has no frame", "error", err)
		return nil
	}
	return &c
}

// backTo is the page of ours that a request came from, "" if none.
func backTo(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || u.Path == "" {
		return ""
	}
	return u.RequestURI()
}

// fieldErrors turns the parts of an input fault into words beside their
// fields. names maps JSON pointers, by longest prefix, to fields of the form.
func fieldErrors(p *i18n.Printer, err error, names map[string]string) ([]components.FieldError, error) {
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid {
		return nil, err
	}
	parts := e.Parts
	if len(parts) == 0 {
		parts = []*fault.Error{e}
	}
	out := make([]components.FieldError, 0, len(parts))
	for _, part := range parts {
		field := part.Field
		for field != "" && names[field] == "" {
			field = field[:strings.LastIndexByte(field, '/')]
		}
		said := components.FieldError{Field: names[field], Text: p.Fault(part)}
		if !slices.Contains(out, said) { // a question of three parts is asked once
			out = append(out, said)
		}
	}
	return out, nil
}

func urlQuery(s string) string { return url.QueryEscape(s) }

// retryAfter is the header's whole seconds, at least one (RFC 9110, section
// 10.2.3).
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(int(d.Round(time.Second)/time.Second), 1))
}
