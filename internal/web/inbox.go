package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// inboxRoutes are the desk of a platform: what every state sent it, one notice
// with its answers, and answers for many at once.
func (s *Server) inboxRoutes() []Route {
	return []Route{
		{"GET /inbox", auth.NoticeRead, s.platformOnly(s.inbox)},
		{"GET /inbox/{id}", auth.NoticeRead, s.platformOnly(s.inboxNotice)},
		{"GET /inbox/{id}/receipt", auth.NoticeReceive, s.platformOnly(s.receiptForm)},
		{"POST /inbox/{id}/receive", auth.NoticeReceive, s.platformOnly(s.receiveNotice)},
		{"POST /inbox/{id}/answers", auth.NoticeAnswer, s.platformOnly(s.answerNotice)},
		{"POST /inbox/{id}/messages", auth.NoticeWrite, s.platformOnly(s.writeToIssuer)},
		{"POST /inbox/bulk", auth.NoticeAnswer, s.platformOnly(s.answerMany)},
		{"GET /inbox/answers", auth.NoticeAnswer, s.platformOnly(s.answerFile)},
		{"GET /inbox/answers.csv", auth.NoticeAnswer, s.platformOnly(s.answerTemplate)},
		{"POST /inbox/answers", auth.NoticeAnswer, s.platformOnly(s.takeAnswerFile)},
		{"POST /inbox/answers/failed", auth.NoticeAnswer, s.platformOnly(s.failedRows)},
	}
}

// platformOnly hides the inbox from whoever decides about notices: theirs are
// the pages under /orders.
func (s *Server) platformOnly(do handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if actorOf(r.Context()).PartyKind != party.Platform {
			return fault.Hidden("page")
		}
		return do(w, r)
	}
}

// What the inbox shows, by tab.
const (
	tabAll       = ""
	tabHour      = "hour"
	tabToday     = "today"
	tabReferrals = "referrals"
	tabAsked     = "asked"
	tabAnswered  = "answered"
)

func inboxTabs() []string {
	return []string{tabAll, tabHour, tabToday, tabReferrals, tabAsked, tabAnswered}
}

const (
	// inboxRead bounds of how many open notices one page reads the clocks, to
	// sort them by the soonest.
	inboxRead = 1000
	// inboxStep is how many answered ones a page shows.
	inboxStep = 200
	// inboxShow is how many rows a page shows at first, and how many more each
	// time somebody asks.
	inboxShow = 100
)

// InboxPage lists the notices addressed to the reader's platform and, beside
// them, one of them.
type InboxPage struct {
	components.ConsolePage
	Figures []components.Fact
	Tabs    []InboxTab
	Rows    []InboxRow
	Empty   components.Empty
	More    string // address that shows more rows, "" at the end
	Reload  string
	Bulk    bool // rows may be answered together
	Basis   []components.Choice
	Notice  *NoticePane // nil if there is none to show
	Chosen  bool        // the address names the notice: on a narrow screen it is the page
	Toast   *components.Toast
}

// An InboxTab is a tab with its count.
type InboxTab struct {
	Label  string
	Count  string
	Href   string
	Active bool
	Hot    bool
}

// An InboxRow is one notice in the list.
type InboxRow struct {
	ID       string
	Href     string
	Ref      string
	Kind     string
	Deadline components.Deadline
	Window   string // under the deadline: what follows, or of how much
	State    string // code of the issuer's state
	From     string
	Icon     string
	Target   string
	Place    string // path of the first item on the platform itself, and how many more
	Chip     components.Chip
	Current  bool
	Open     bool // something can be answered
}

// An inboxFilter is what the address says about the list.
type inboxFilter struct {
	tab  string
	show int
	more string // cursor among the answered ones
}

func readInboxFilter(q url.Values) inboxFilter {
	f := inboxFilter{tab: q.Get("tab"), show: inboxShow, more: q.Get("cursor")}
	if !slices.Contains(inboxTabs(), f.tab) {
		f.tab = tabAll
	}
	if n, err := strconv.Atoi(q.Get("show")); err == nil && n > inboxShow && n <= inboxRead {
		f.show = n
	}
	return f
}

// to is a path of the inbox under this filter.
func (f inboxFilter) to(path string, kv ...string) string {
	q := url.Values{}
	if f.tab != tabAll {
		q.Set("tab", f.tab)
	}
	if f.show != inboxShow {
		q.Set("show", strconv.Itoa(f.show))
	}
	if f.more != "" {
		q.Set("cursor", f.more)
	}
	for i := 0; i+1 < len(kv); i += 2 {
		q.Set(kv[i], kv[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// inbox: GET /inbox.
func (s *Server) inbox(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.inboxPage(r, "", answerForm{}, receiptProblem{})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, inboxView(pg))
}

// inboxNotice: GET /inbox/{id}. Looking is no receipt.
func (s *Server) inboxNotice(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.inboxPage(r, notice.ID(r.PathValue("id")), answerForm{}, receiptProblem{})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, inboxView(pg))
}

// inboxPage reads the list and the notice beside it: the named one, else the
// first of the list. What a form said is shown again.
func (s *Server) inboxPage(r *http.Request, id notice.ID, form answerForm, unsigned receiptProblem) (InboxPage, error) {
	ctx, by, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	pg := InboxPage{Chosen: id != ""}
	f := readInboxFilter(r.URL.Query())
	crumbs := []components.Crumb{{Label: p.T("inbox.title"), Href: "/inbox"}, {Label: p.T("inbox.tab." + orAll(f.tab))}}
	var err error
	if pg.ConsolePage, err = s.console(r, "inbox", p.T("inbox.title"), crumbs...); err != nil {
		return pg, err
	}
	clocks, err := s.inboxClocks(ctx, by)
	if err != nil {
		return pg, err
	}
	if err := s.inboxList(ctx, by, &pg, f, clocks, id); err != nil {
		return pg, err
	}
	if pg.Figures, err = s.inboxFigures(ctx, by, p); err != nil {
		return pg, err
	}
	if id == "" && len(pg.Rows) > 0 {
		id = notice.ID(pg.Rows[0].ID)
		pg.Rows[0].Current = true
	}
	if id != "" {
		if pg.Notice, err = s.noticePane(r, pg.Page, id, f, form, unsigned); err != nil {
			return pg, err
		}
	}
	pg.Bulk = auth.Seat(by, auth.NoticeAnswer) && f.tab != tabAnswered
	pg.Basis = basisChoices(p, "")
	pg.Reload = f.to("/inbox")
	pg.Empty = inboxEmpty(p, f.tab)
	pg.Toast = inboxToast(p, r.URL.Query())
	pg.Failed = len(form.problems) > 0
	return pg, nil
}

func orAll(tab string) string {
	if tab == tabAll {
		return "all"
	}
	return tab
}

// inboxClocks reads the open notices, the soonest clock first: a receipt clock
// counts like an answer clock. A referral has none and comes last.
func (s *Server) inboxClocks(ctx context.Context, by party.Actor) ([]notice.Clock, error) {
	all, err := s.Notice.Clocks(ctx, by, inboxRead)
	slices.SortStableFunc(all, func(a, b notice.Clock) int {
		x, y := clockRank(a), clockRank(b)
		if x != y {
			return x - y
		}
		if c := a.DeadlineAt.Compare(b.DeadlineAt); c != 0 {
			return c
		}
		return a.SentAt.Compare(b.SentAt)
	})
	return all, err
}

// clockRank orders running clocks before stopped ones before none.
func clockRank(row notice.Clock) int {
	if !ticks(row.Kind, row.Deadline) {
		return 2
	}
	switch row.Deadline {
	case notice.AwaitsReceipt, notice.IsUnreceived, notice.Running, notice.Overdue:
		return 0
	case notice.ClockPaused:
		return 1
	case notice.NoDeadline, notice.FullyAnswered:
		return 2
	default:
		return 2
	}
}

// inTab reports whether an open notice belongs to a tab at now.
func inTab(row notice.Clock, tab string, now time.Time, zone *time.Location) bool {
	answered := row.Deadline == notice.FullyAnswered
	switch tab {
	case tabHour:
		return !answered && ticks(row.Kind, row.Deadline) && !row.DeadlineAt.IsZero() && row.DeadlineAt.Before(now.Add(time.Hour))
	case tabToday:
		y, m, d := now.In(zone).Date()
		return !answered && ticks(row.Kind, row.Deadline) && !row.DeadlineAt.IsZero() && row.DeadlineAt.Before(time.Date(y, m, d+1, 0, 0, 0, 0, zone))
	case tabReferrals:
		return !answered && row.Kind == notes.Referral
	case tabAsked:
		return row.Paused
	case tabAnswered:
		return answered
	default:
		return !answered
	}
}

// inboxList chooses the tab's rows and says them.
func (s *Server) inboxList(ctx context.Context, by party.Actor, pg *InboxPage, f inboxFilter, clocks []notice.Clock, id notice.ID) error {
	zone := localTime(by)
	for _, tab := range inboxTabs() {
		t := InboxTab{Label: pg.P.T("inbox.tab." + orAll(tab)), Href: inboxFilter{tab: tab, show: inboxShow}.to("/inbox"), Active: tab == f.tab}
		n := 0
		for _, row := range clocks {
			if inTab(row, tab, pg.Now, zone) {
				n++
			}
		}
		if tab != tabAnswered && (n > 0 || tab == tabAll) {
			t.Count, t.Hot = pg.P.Number(int64(n)), tab == tabHour
		}
		pg.Tabs = append(pg.Tabs, t)
	}
	var shown []notice.Row
	var err error
	if f.tab == tabAnswered {
		shown, err = s.answeredRows(ctx, by, pg, f)
	} else {
		var ids []notice.ID
		for _, row := range clocks {
			if inTab(row, f.tab, pg.Now, zone) {
				ids = append(ids, row.ID)
			}
		}
		if len(ids) > f.show {
			pg.More = inboxFilter{tab: f.tab, show: min(f.show+inboxShow, inboxRead)}.to("/inbox")
			ids = ids[:f.show]
		}
		shown, err = s.Notice.Addressed(ctx, by, ids)
	}
	if err != nil {
		return err
	}
	first, err := s.Notice.FirstItems(ctx, by, shown)
	if err != nil {
		return err
	}
	issuers := map[party.ID]string{}
	for _, row := range shown {
		line, err := s.inboxRow(ctx, pg.Page, row, first[row.ID], issuers)
		if err != nil {
			return err
		}
		line.Href, line.Current = f.to("/inbox/"+line.ID), row.ID == id
		pg.Rows = append(pg.Rows, line)
	}
	return nil
}

// answeredRows are the notices that ask for nothing more, the newest first.
func (s *Server) answeredRows(ctx context.Context, by party.Actor, pg *InboxPage, f inboxFilter) ([]notice.Row, error) {
	rows, next, err := s.Notice.List(ctx, by, notice.Filter{
		Lives: []notice.Life{notice.Open, notice.Closed, notice.Withdrawn, notice.Quashed}, Cursor: f.more, Limit: inboxStep,
	})
	if next != "" {
		pg.More = inboxFilter{tab: f.tab, show: inboxShow, more: next}.to("/inbox")
	}
	return slices.DeleteFunc(rows, func(row notice.Row) bool {
		return row.Life == notice.Open && row.Deadline != notice.FullyAnswered
	}), err
}

// inboxRow says one notice. The place of its first item is a path on the
// reader's own platform, and no link.
func (s *Server) inboxRow(ctx context.Context, page components.Page, row notice.Row, first string, issuers map[party.ID]string) (InboxRow, error) {
	p := page.P
	out := InboxRow{
		ID: string(row.ID), Ref: row.Ref, Kind: p.T("inbox.kind-of." + string(row.Kind)), From: row.IssuerName,
		Icon: kindIcon(row.ItemKind), Target: p.N(targetKey(p, row.ItemKind), row.ItemCount), Chip: inboxChip(p, row),
		Open: row.Life == notice.Open && row.Progress.Pending+row.Progress.Paused > 0,
	}
	out.Deadline, _ = noticeDeadline(p, row, page.Now)
	out.Deadline.Short = true
	out.Window = inboxWindow(p, row)
	if _, known := issuers[row.Issuer]; !known {
		org, err := party.Get(ctx, s.DB, row.Issuer)
		if err != nil {
			return out, err
		}
		issuers[row.Issuer] = org.Establishment
	}
	out.State = issuers[row.Issuer]
	if first != "" {
		out.Place = placeOf(first)
		if row.ItemCount > 1 {
			out.Place += " +" + p.Number(int64(row.ItemCount-1))
		}
	}
	return out, nil
}

func targetKey(p *i18n.Printer, kind string) string {
	if key := "inbox.target." + kind; p.Has(key) {
		return key
	}
	return "inbox.target.other"
}

// placeMax is how much of a path a row shows.
const placeMax = 28

// placeOf is where on its platform a location is, without the host.
func placeOf(raw string) string {
	out := raw
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		if out = strings.Trim(u.RequestURI(), "/"); out == "" {
			return defang(u.Host)
		}
	}
	if r := []rune(out); len(r) > placeMax {
		out = string(r[:placeMax-1]) + "…"
	}
	return out
}

// inboxWindow is the line under a deadline: the time that the receipt starts,
// or of which the deadline is the end.
func inboxWindow(p *i18n.Printer, row notice.Row) string {
	if row.DeadlineMinutes == 0 {
		return ""
	}
	window := p.Window(minutes(row.DeadlineMinutes))
	switch row.Deadline {
	case notice.AwaitsReceipt, notice.IsUnreceived:
		return p.T("inbox.window.then", "Window", window)
	case notice.Running, notice.Overdue:
		return p.T("ui.deadline.of", "Window", window)
	case notice.NoDeadline, notice.ClockPaused, notice.FullyAnswered:
	}
	return ""
}

// inboxChip says where a notice stands, as its addressee sees it.
func inboxChip(p *i18n.Printer, row notice.Row) components.Chip {
	switch {
	case row.Life == notice.Withdrawn:
		return components.Chip{State: components.StateLifted, Icon: "undo-2", Label: p.T("notice.life.withdrawn")}
	case row.Life == notice.Quashed:
		return components.Chip{State: components.StateOverturned, Label: p.T("notice.life.quashed")}
	case row.Life == notice.Closed:
		return components.Chip{State: components.StateClosed, Label: p.T("notice.outcome." + string(row.Outcome))}
	}
	switch row.Deadline {
	case notice.Overdue:
		return components.Chip{State: components.StateOverdue}
	case notice.ClockPaused:
		return components.Chip{State: components.StateClarify, Label: p.T("inbox.chip.asked")}
	case notice.FullyAnswered:
		return components.Chip{State: components.StateActioned, Label: p.T("notice.time.answered")}
	case notice.NoDeadline, notice.AwaitsReceipt, notice.IsUnreceived, notice.Running:
	}
	if clockStarted(row.Notice).IsZero() {
		return components.Chip{State: components.StateDelivered}
	}
	if row.ReceivedAt.IsZero() {
		return components.Chip{State: components.StateAcknowledged, Icon: "scale", Label: p.T("notice.delivery.deemed")}
	}
	return components.Chip{State: components.StateAcknowledged, Label: p.T("inbox.chip.received")}
}

// inboxFigures are how the platform answered in the last thirty days, as the
// public sees it too. A figure that would rest on few orders is a dash.
func (s *Server) inboxFigures(ctx context.Context, by party.Actor, p *i18n.Printer) ([]components.Fact, error) {
	org, err := party.Get(ctx, s.DB, by.Party)
	if err != nil {
		return nil, err
	}
	f, err := s.figures.Public(ctx, s.DB, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	onTime, median, refused := "–", "–", p.Number(0)
	for _, platform := range f.Platforms {
		if platform.Name != org.Name {
			continue
		}
		if platform.OnTimePercent != nil {
			onTime = p.Percent(int64(*platform.OnTimePercent), 100)
		}
		if platform.ToAnswer != nil {
			median = p.Span(minutes(*platform.ToAnswer))
		}
		refused = p.Number(int64(platform.Refused))
	}
	return []components.Fact{
		{Name: p.T("inbox.figure.on-time"), Value: onTime}, {Name: p.T("inbox.figure.median"), Value: median}, {Name: p.T("inbox.figure.refused"), Value: refused},
	}, nil
}

func inboxEmpty(p *i18n.Printer, tab string) components.Empty {
	e := components.Empty{Icon: "inbox", Title: p.T("inbox.empty." + orAll(tab)), Text: p.T("inbox.empty." + orAll(tab) + ".text")}
	if tab != tabAll {
		e.Action, e.Href = p.T("inbox.empty.back"), "/inbox"
	}
	return e
}

// inboxToast says what was just done.
func inboxToast(p *i18n.Printer, q url.Values) *components.Toast {
	n, err := strconv.Atoi(q.Get("n"))
	if err != nil || n < 0 || n > maxAnswers {
		n = 0
	}
	switch q.Get("done") {
	case "received":
		return &components.Toast{Icon: "mail-open", Text: p.T("inbox.done.received")}
	case "answered":
		return &components.Toast{Icon: "circle-check-big", Text: p.N("inbox.done.answered", n)}
	case "written":
		return &components.Toast{Icon: "message-square", Text: p.T("inbox.done.written")}
	default:
		return nil
	}
}
