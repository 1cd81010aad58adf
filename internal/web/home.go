package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/view"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// HomePage is the public's way in: report, follow a report, and what came of
// all of them.
type HomePage struct {
	components.PublicPage
	Emergency string   // number to call in danger, "" leaves the line out
	Figures   *Figures // nil until something was decided
	Latest    []Decision
	Log       *LogBand // nil where this instance keeps no public log
}

// Figures are the last 30 days in numbers, everything said and counted.
type Figures struct {
	From, To  time.Time
	Reports   int64
	Orders    int64
	CSV, JSON string // addresses of the same figures; "" leaves the button out
	Outcome   components.Shares
	Weeks     components.BarChart
	Facts     []HomeFact
	Platforms []PlatformLine
}

// A HomeFact is a figure with a sentence: refusals, appeals, reversals, blocks.
// They are shown with the same weight as removals.
type HomeFact struct {
	Value string
	Text  string
	Link  string // said after Text, as a link to Href
	Href  string
}

// A PlatformLine says how one platform answers.
type PlatformLine struct {
	Name    string
	Orders  string
	Median  string // time from receipt to answer
	Share   int    // the median in thousandths of the longest; 0 where too few stand behind it
	OnTime  string
	Behind  bool // under nine in ten on time
	Refused string
}

// A Decision is a line of the latest decisions; it shows neither link nor
// account.
type Decision struct {
	Ref      string
	Platform string
	Chip     components.Chip
	At       time.Time
	Href     string // "" where there is no page of its own
}

// LogBand invites a stranger to check the public log.
type LogBand struct {
	Text string // how many entries, and who signed the last checkpoint
	Href string
}

// howItWorks lists the four steps of the home page, by icon and catalogue key.
func howItWorks() []struct{ Icon, Key string } {
	return []struct{ Icon, Key string }{{"flag", "report"}, {"scale", "judge"}, {"user-check", "second"}, {"list-tree", "log"}}
}

// getHome: GET / is the way in.
func (s *Server) getHome(w http.ResponseWriter, r *http.Request) error {
	pg := HomePage{PublicPage: s.publicPage(r, "public.home", "")}
	if len(s.Emergency) > 0 {
		pg.Emergency = s.Emergency[0].Number
	}
	f, err := s.figures.Public(r.Context(), s.DB, s.Clock.Now())
	if err != nil {
		return err
	}
	if !f.None() {
		pg.Figures = homeFigureWords(pg.P, f, zoneOf(pg.Zone))
	}
	for _, d := range f.Latest {
		pg.Latest = append(pg.Latest, Decision{Ref: d.Ref, Platform: d.Platform, Chip: decisionChip(pg.P, d), At: d.At})
	}
	return s.render(w, r, http.StatusOK, homeView(pg))
}

// getFiguresCSV: GET /figures.csv.
func (s *Server) getFiguresCSV(w http.ResponseWriter, r *http.Request) error {
	f, err := s.figures.Public(r.Context(), s.DB, s.Clock.Now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="tangkal-figures.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	return f.WriteCSV(w)
}

// getFiguresJSON: GET /figures.json.
func (s *Server) getFiguresJSON(w http.ResponseWriter, r *http.Request) error {
	f, err := s.figures.Public(r.Context(), s.DB, s.Clock.Now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(f)
}

// homeFigureWords says the figures.
func homeFigureWords(p *i18n.Printer, f view.Figures, zone *time.Location) *Figures {
	number := func(n int) string { return p.Number(int64(n)) }
	out := &Figures{
		From: f.From, To: f.At, Reports: int64(f.Reports.Total), Orders: int64(f.Reports.Ordered), CSV: "/figures.csv", JSON: "/figures.json",
		Weeks: components.BarChart{
			Label: p.T("public.home.weeks.label", "Weeks", len(f.Weeks)), Unit: p.T("public.home.week"), Phone: 6, Format: p.Number,
			Series: []components.Series{
				{Name: p.T("public.home.actioned"), Look: components.LookSolid},
				{Name: p.T("public.home.refused"), Look: components.LookHatch},
				{Name: p.T("public.home.open"), Look: components.LookDashed},
			},
		},
	}
	r := f.Reports
	for _, x := range []struct {
		key  string
		n    int
		look components.ShareLook
	}{
		{"closed", r.Closed, components.ShareClosed},
		{"open", r.Open, components.ShareOpen},
		{"asked", r.Referred, components.ShareAsked},
		{"bound", r.Ordered, components.ShareBound},
	} {
		out.Outcome.Parts = append(out.Outcome.Parts, components.Share{
			Name: p.T("public.home.share." + x.key), Value: int64(x.n), Look: x.look, Text: number(x.n), Part: p.Percent(int64(x.n), int64(r.Total)),
		})
	}
	out.Outcome.Label = p.N("public.home.orders", r.Ordered, "Reports", number(r.Total))
	for i, week := range f.Weeks {
		b := components.Bar{Name: p.Date(week.From, zone), Values: []int64{int64(week.Acted), int64(week.Refused), int64(week.Open)}}
		if i%3 == 0 || i == len(f.Weeks)-1 {
			b.Label = p.Day(week.From, zone)
		}
		out.Weeks.Bars = append(out.Weeks.Bars, b)
	}
	out.Facts = homeFacts(p, f)
	out.Platforms = platformLines(p, f.Platforms)
	return out
}

// homeFacts are what speaks against us and against the platforms, with the
// same weight as what was removed.
func homeFacts(p *i18n.Printer, f view.Figures) []HomeFact {
	median := "–"
	if f.Orders.ToAnswer != nil {
		median = p.Span(time.Duration(*f.Orders.ToAnswer) * time.Minute)
	}
	return []HomeFact{
		{Value: p.Number(int64(f.Orders.Refused)), Text: p.N("public.home.fact.refused", f.Orders.Refused)},
		{Value: p.Number(int64(f.Orders.Late)), Text: p.N("public.home.fact.late", f.Orders.Late)},
		{Value: p.Number(int64(f.Orders.Undone)), Text: p.N("public.home.fact.undone", f.Orders.Undone)},
		{Value: median, Text: p.T("public.home.fact.median")},
	}
}

func platformLines(p *i18n.Printer, all []view.Platform) []PlatformLine {
	longest := 1
	for _, x := range all {
		if x.ToAnswer != nil {
			longest = max(longest, *x.ToAnswer)
		}
	}
	out := make([]PlatformLine, len(all))
	for i, x := range all {
		l := PlatformLine{Name: x.Name, Orders: p.Number(int64(x.Total)), Refused: p.Number(int64(x.Refused)), Median: p.T("public.home.few"), OnTime: "–"}
		if x.ToAnswer != nil {
			l.Median, l.Share = p.Span(time.Duration(*x.ToAnswer)*time.Minute), *x.ToAnswer*1000/longest
		}
		if x.OnTimePercent != nil {
			l.OnTime, l.Behind = strconv.Itoa(*x.OnTimePercent)+"%", *x.OnTimePercent < 90
		}
		out[i] = l
	}
	return out
}

// decisionChip says how far a decision has come, and how long it took.
func decisionChip(p *i18n.Printer, d view.Decision) components.Chip {
	c := components.Chip{State: decisionStates[d.State]}
	if d.State != view.Acted {
		return c
	}
	if look, ok := answerStates[notes.AnswerKind(d.Answer)]; ok {
		c.State = look
	}
	if d.Minutes != nil {
		c.Label = p.T("public.home.within", "What", p.T("ui.state."+string(c.State)), "Time", p.Span(time.Duration(*d.Minutes)*time.Minute))
	}
	return c
}

var (
	decisionStates = map[view.State]components.State{
		view.Sent: components.StateDelivered, view.Received: components.StateAcknowledged, view.Overdue: components.StateOverdue,
		view.Acted: components.StateActioned, view.Refused: components.StateRefused, view.Withdrawn: components.StateClosed,
		view.Quashed: components.StateOverturned,
	}
	answerStates = map[notes.AnswerKind]components.State{
		notes.Removed: components.StateRemoved, notes.Disabled: components.StateGeoblocked, notes.AccountSuspended: components.StateSuspended,
	}
)
