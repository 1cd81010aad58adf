package web

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/web/components"
)

// triageRoutes are the pages of the desk: the queue, a case, what is done to
// it, and what other parties hand over.
func (s *Server) triageRoutes() []Route {
	routes := []Route{
		{"GET /triage", auth.CaseRead, s.triage},
		{"POST /triage/next", auth.CaseWork, s.nextCase},
		{"POST /triage/close", auth.CaseWork, s.closeMany},
		{"POST /triage/undo", auth.CaseWork, s.undoClose},
		{"POST /exposure", auth.CaseEvidence, s.exposed},
		{"POST /break", auth.CaseRead, s.takeBreak},
		{"GET /break", auth.CaseRead, s.onBreak},
	}
	routes = append(routes, s.caseRoutes()...)
	return append(routes, s.handOverRoutes()...)
}

// TriagePage is the queue and, beside it, one case.
type TriagePage struct {
	components.ConsolePage
	Queue QueuePane
	Case  *CasePane // nil if none waits
	Alone bool      // the queue is the page; on a small screen the case is not shown
	Toast *components.Toast
}

// A QueuePane is the list of cases with what narrows it.
type QueuePane struct {
	Tabs      []components.Tab
	Filter    queueFilter
	Platforms []components.Choice
	States    []components.Choice
	Holders   []components.Choice
	Narrowed  int // how many filters are set
	Rows      []QueueRow
	Reload    string // address of this very list
	First     string // address of its first page, "" on it
	More      string // address of its next page, "" at the end
	Bulk      bool   // rows have check boxes
	BulkHref  string // switches to check boxes, and back
	Close     []components.Choice
	Errors    []components.FieldError // of closing many
	Empty     components.Empty
	HandOvers string // how many hand-overs wait, "" for none
	Mine      string // how many cases the person holds
	CanWork   bool
	Light     bool             // heavy cases are mixed with light ones
	Dose      *components.Note // the day's measure is reached; nil while it is not
}

// A QueueRow is a case in the list. It shows no content.
type QueueRow struct {
	ID       string
	Href     string
	Icon     string
	Title    string
	Ref      string
	Age      string
	Holder   string // who has it, "" if nobody
	Mine     bool
	Facts    []RowFact
	Priority string
	Hot      string          // red, amber or "" of the priority
	Why      string          // how the priority came about
	Chip     components.Chip // of a state that does not wait
	Waits    bool
	Target   components.Deadline
	Current  bool
	Checked  bool
}

// A RowFact is a small fact of a row: an icon and a word.
type RowFact struct{ Icon, Text string }

// A queueFilter is what the address says about the list.
type queueFilter struct {
	Queue, Platform, State, Who, Ref, Cursor string
	Further                                  bool // only claims that do not move their case forward
	Lane                                     string
	Bulk                                     bool
}

func readFilter(q url.Values) queueFilter {
	return queueFilter{
		Queue: q.Get("queue"), Platform: q.Get("platform"), State: q.Get("state"), Who: q.Get("who"), Ref: strings.TrimSpace(q.Get("ref")),
		Cursor: q.Get("cursor"), Further: q.Get("claims") == "further", Lane: q.Get("lane"), Bulk: q.Get("bulk") == "1",
	}
}

// query is the filter as it stands in an address, "" or with its "?".
func (f queueFilter) query() string {
	q := url.Values{}
	for name, v := range map[string]string{"queue": f.Queue, "platform": f.Platform, "state": f.State, "who": f.Who, "ref": f.Ref, "cursor": f.Cursor, "lane": f.Lane} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if f.Further {
		q.Set("claims", "further")
	}
	if f.Bulk {
		q.Set("bulk", "1")
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// with returns the filter with one part changed, on the first page.
func (f queueFilter) with(change func(*queueFilter)) queueFilter {
	f.Cursor = ""
	change(&f)
	return f
}

// narrowed counts what is set beside the tab.
func (f queueFilter) narrowed() int {
	n := 0
	if f.Further {
		n++
	}
	for _, v := range []string{f.Platform, f.State, f.Who, f.Ref, f.Lane} {
		if v != "" {
			n++
		}
	}
	return n
}

const (
	whoMine = "mine"
	whoFree = "free"
	allOpen = "" // the states that wait for an analyst
)

func (f queueFilter) room(by party.Actor) casework.Filter {
	out := casework.Filter{Queue: f.Queue, Platform: f.Platform, Ref: f.Ref, Cursor: f.Cursor, Free: f.Who == whoFree, Further: f.Further, Lane: casework.LaneID(f.Lane)}
	if f.Who == whoMine {
		out.Holder = by.Person
	}
	switch {
	case f.State != allOpen:
		out.States = []casework.State{casework.State(f.State)}
	case f.Ref != "":
		out.States = casework.States() // whoever looks for a number wants it wherever it stands
	}
	return out
}

// triage: GET /triage.
func (s *Server) triage(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.triagePage(r, "")
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, triageView(pg))
}

// triagePage builds the split view with the case of that identifier, or with
// the first of the list.
func (s *Server) triagePage(r *http.Request, id casework.ID) (TriagePage, error) {
	ctx, by := r.Context(), actorOf(r.Context())
	var pg TriagePage
	f := readFilter(r.URL.Query())
	rows, next, err := s.Casework.Queue(ctx, by, f.room(by))
	if err != nil {
		return pg, err
	}
	light := f.State == allOpen && f.Ref == "" && f.Cursor == ""
	if light {
		rows = casework.Mix(rows)
	}
	pg.Alone = id == ""
	if pg.Alone && len(rows) > 0 && !f.Bulk {
		id = rows[0].ID
	}
	p := i18n.For(langOf(r))
	title, crumbs := p.T("triage.title"), []components.Crumb{{Label: p.T("triage.title"), Href: "/triage"}}
	var view casework.View
	if id != "" {
		if view, err = s.Casework.Get(ctx, by, id); err != nil {
			return pg, err
		}
	}
	if !pg.Alone {
		title = p.T("triage.title.case", "Ref", view.Case.Ref)
		crumbs = append(crumbs, components.Crumb{Label: view.Case.Ref})
	}
	waiting, err := s.waiting(ctx, by)
	if err != nil {
		return pg, err
	}
	if pg.ConsolePage, err = s.consoleWith(r, waiting, "triage", title, crumbs...); err != nil {
		return pg, err
	}
	pg.Commands = triageCommands(p)
	names, err := s.peopleOf(ctx, by.Party)
	if err != nil {
		return pg, err
	}
	pg.Queue = s.queuePane(by, pg.Page, f, rows, next, names, waiting.cases)
	pg.Queue.Light = light
	if err := s.markAvoided(ctx, by, p, pg.Queue.Rows, rows); err != nil {
		return pg, err
	}
	if pg.Exposure != nil && pg.Exposure.Seen >= pg.Exposure.Limit {
		pg.Queue.Dose = &components.Note{Tone: components.ToneAmber, Icon: "coffee", Strong: p.T("ui.exposure.full"), Text: p.T("triage.dose")}
	}
	for i := range pg.Queue.Rows {
		pg.Queue.Rows[i].Current = pg.Queue.Rows[i].ID == string(id)
	}
	pg.Toast = s.said(p, r.URL.Query())
	if id != "" {
		if pg.Case, err = s.casePane(r, pg.Page, view, f); err != nil {
			return pg, err
		}
	}
	return pg, nil
}

// triageCommands are what the palette offers on these pages.
func triageCommands(p *i18n.Printer) []components.CommandGroup {
	line := func(icon, key string, caps string, click string) components.Command {
		return components.Command{Icon: icon, Label: p.T("triage.command." + key), Keys: []string{caps}, Click: click}
	}
	return []components.CommandGroup{{Title: p.T("triage.commands"), Items: []components.Command{
		line("lock", "take", "T", `[data-key="T"]`),
		line("users", "opinion", "S", `[data-key="S"]`),
		line("user-plus", "assign", "A", `[data-key="A"]`),
		line("archive", "close", "X", `[data-key="X"]`),
		line("skip-forward", "skip", "E", `[data-key="E"]`),
	}}}
}

// names are the people of a party by identifier.
func (s *Server) peopleOf(ctx context.Context, of party.ID) (map[party.PersonID]party.Person, error) {
	people, err := party.People(ctx, s.DB, of)
	out := make(map[party.PersonID]party.Person, len(people))
	for _, p := range people {
		out[p.ID] = p
	}
	return out, err
}

// queuePane decides everything that the list shows.
func (s *Server) queuePane(by party.Actor, page components.Page, f queueFilter, rows []casework.Case, next string,
	names map[party.PersonID]party.Person, counts casework.Counts,
) QueuePane {
	p := page.P
	pane := QueuePane{
		Filter: f, Narrowed: f.narrowed(), Bulk: f.Bulk, Reload: "/triage" + f.query(), CanWork: auth.Seat(by, auth.CaseWork),
		BulkHref:  "/triage" + f.with(func(f *queueFilter) { f.Bulk = !f.Bulk }).query(),
		Platforms: s.platformOptions(p, f.Platform), Mine: count(p, counts.Mine), HandOvers: count(p, counts.HandOvers),
	}
	pane.Tabs = s.queueTabs(p, by, f, counts)
	if f.Cursor != "" {
		pane.First = "/triage" + f.with(func(*queueFilter) {}).query()
	}
	if next != "" {
		f.Cursor = next
		pane.More = "/triage" + f.query()
		f.Cursor = pane.Filter.Cursor
	}
	for _, st := range casework.States() {
		pane.States = append(pane.States, components.Choice{Value: string(st), Label: p.T("case.state." + string(st)), Checked: string(st) == f.State})
	}
	for _, who := range []string{whoFree, whoMine} {
		pane.Holders = append(pane.Holders, components.Choice{Value: who, Label: p.T("triage.who." + who), Checked: who == f.Who})
	}
	for _, reason := range casework.CloseReasons() {
		pane.Close = append(pane.Close, components.Choice{Value: reason, Label: p.T("case.close." + reason)})
	}
	for _, c := range rows {
		pane.Rows = append(pane.Rows, s.queueRow(by, page, c, f, names))
	}
	pane.Empty = components.Empty{Icon: "coffee", Title: p.T("triage.empty.title"), Text: p.T("triage.empty.text")}
	if f.narrowed() > 0 || f.Queue != "" {
		pane.Empty = components.Empty{
			Icon: "list-filter", Title: p.T("triage.none.title"), Text: p.T("triage.none.text"), Action: p.T("triage.none.action"), Href: "/triage",
		}
	}
	return pane
}

// count is a number that is not worth saying when it is zero.
func count(p *i18n.Printer, n int) string {
	if n == 0 {
		return ""
	}
	return upToMany(p, n)
}

// upToMany says a count that ends at casework.Many: "999+".
func upToMany(p *i18n.Printer, n int) string {
	if n >= casework.Many {
		return p.Number(casework.Many-1) + "+"
	}
	return p.Number(int64(n))
}

// queueTabs are all waiting cases and the queues of the pack, those that hold
// something first.
func (s *Server) queueTabs(p *i18n.Printer, by party.Actor, f queueFilter, counts casework.Counts) []components.Tab {
	tab := func(queue, label string, n int) components.Tab {
		return components.Tab{
			Label: label, Count: upToMany(p, n), Active: f.Queue == queue,
			Href: "/triage" + f.with(func(f *queueFilter) { f.Queue = queue }).query(),
		}
	}
	var full, empty []components.Tab
	pack, _ := s.rulesFor(by)
	for _, q := range pack.Queues {
		label := q.Name.In(p.Lang())
		if last := len(q.Filter.Channels)+len(q.Filter.Tiers)+len(q.Filter.Platforms)+len(q.Filter.Languages) == 0 && !q.Filter.Crisis; last {
			label = p.T("triage.tab.rest")
		}
		if n := counts.Queues[q.Code]; n > 0 {
			full = append(full, tab(q.Code, label, n))
		} else {
			empty = append(empty, tab(q.Code, label, n))
		}
	}
	return slices.Concat([]components.Tab{tab("", p.T("triage.tab.all"), counts.Waiting)}, full, empty)
}

// rulesFor is the rules of the actor's jurisdiction as they stand now.
func (s *Server) rulesFor(by party.Actor) (policy.Pack, bool) {
	return s.Packs.Current(strings.ToLower(by.Jurisdiction), s.Clock.Now())
}

func (s *Server) platformOptions(p *i18n.Printer, chosen string) []components.Choice {
	var out []components.Choice
	for _, pl := range s.Platforms.All() {
		out = append(out, components.Choice{Value: pl.Key, Label: s.platformName(p, pl.Key), Checked: pl.Key == chosen})
	}
	return out
}

// platformName is how a platform writes itself.
func (s *Server) platformName(p *i18n.Printer, key string) string {
	if pl := s.Platforms.Get(key); pl != nil && pl.Name != "" {
		return pl.Name
	}
	if key == "" {
		return p.T("triage.platform.unknown")
	}
	return key
}

var kindIcons = map[string]string{
	"post": "message-square-text", "account": "circle-user-round", "channel": "radio", "group": "users-round", "file": "file-text",
	"site": "globe", "domain": "globe", "payment": "hand-coins", "wallet": "wallet",
}

func kindIcon(kind string) string {
	if icon, ok := kindIcons[kind]; ok {
		return icon
	}
	return "file-text"
}

// What a priority looks like; it orders the queue and decides nothing.
const (
	hotPriority  = 80
	warmPriority = 55
)

func (s *Server) queueRow(by party.Actor, page components.Page, c casework.Case, f queueFilter, names map[party.PersonID]party.Person) QueueRow {
	p := page.P
	row := QueueRow{
		ID: string(c.ID), Href: "/cases/" + string(c.ID) + f.query(), Icon: kindIcon(c.Kind), Title: c.Title(p, s.platformTitle(c.Platform)), Ref: c.Ref,
		Age: p.Span(page.Now.Sub(c.OpenedAt)), Priority: strconv.Itoa(c.Priority), Why: whyText(p, c),
		Waits: c.State == casework.Open || c.State == casework.Taken, Chip: stateChip(p, c, by, page.Now),
	}
	switch {
	case c.Priority > hotPriority:
		row.Hot = "text-red-fg"
	case c.Priority > warmPriority:
		row.Hot = "text-amber-fg"
	default:
		row.Hot = "text-ink3"
	}
	if c.State == casework.Taken && c.Holder != "" && page.Now.Before(c.LockedUntil) {
		row.Holder, row.Mine = names[c.Holder].Name, c.Holder == by.Person
	}
	row.Facts = rowFacts(p, c, page.Now)
	return row
}

// platformTitle is a platform's name for a title, "" if it is unknown.
func (s *Server) platformTitle(key string) string {
	if pl := s.Platforms.Get(key); pl != nil {
		return pl.Name
	}
	return key
}

func rowFacts(p *i18n.Printer, c casework.Case, now time.Time) []RowFact {
	facts := []RowFact{{"users", p.N("triage.reports", c.ReportCount)}}
	add := func(ok bool, icon, key string) {
		if ok {
			facts = append(facts, RowFact{icon, p.T(key)})
		}
	}
	if c.Locations > 1 {
		facts = append(facts, RowFact{"link", p.N("triage.locations", c.Locations)})
	}
	add(c.Tier == policy.ThreatToLife, "siren", "triage.fact.life")
	add(c.Further(), "siren", "triage.fact.further")
	add(c.InTurns(now), "shuffle", "triage.fact.turns")
	add(c.Heavy, "image", "triage.fact.heavy")
	add(c.Held(now), "hand", "triage.fact.held")
	add(c.Opinion == "asked", "users", "triage.fact.opinion")
	add(c.HandedFrom != "", "forward", "triage.fact.handed")
	return facts
}

// whyText explains a priority in a sentence of its parts.
func whyText(p *i18n.Printer, c casework.Case) string {
	parts := make([]string, 0, len(c.Why))
	for _, w := range c.Why {
		parts = append(parts, p.T("triage.why", "Reason", p.T("case.why."+w.Code), "Points", w.Points))
	}
	if len(parts) == 0 && c.LaneID != "" {
		parts = append(parts, p.T("triage.fact.turns"))
	}
	return p.T("triage.priority", "Sum", c.Priority, "Parts", strings.Join(parts, ", "))
}

// stateChip is a case's state as a chip.
func stateChip(p *i18n.Printer, c casework.Case, by party.Actor, now time.Time) components.Chip {
	chip := components.Chip{State: components.StateReview, Label: p.T("case.state." + string(c.State))}
	switch c.State {
	case casework.Open:
		chip.Icon = "inbox"
	case casework.Taken:
		chip.Icon = "circle-dashed"
		if c.Holder == by.Person && now.Before(c.LockedUntil) {
			chip.Label = p.T("triage.state.mine")
		}
	case casework.Proposed:
		chip.State = components.StatePending
	case casework.Decided:
		chip.State = components.StateIssued
	case casework.HandedOver:
		chip.State, chip.Icon = components.StateClarify, "forward"
	case casework.Closed:
		chip.State = components.StateClosed
	}
	return chip
}

// reference is what an instance's references look like.
var referencePattern = regexp.MustCompile(`^[A-Z0-9]{1,12}-[A-Z]{2}-[0-9]{4}-[0-9]{1,9}$`)

// saids are what a page may say after an act led to it; the address names one
// of them, so that it can say nothing else.
var saids = []string{
	"taken", "released", "skipped", "assigned", "saved", "proposed", "asked", "given", "held", "hold-ended", "located", "captured",
	"requested", "no-capture", "replied", "handed", "accepted", "returned", "undone", "partly-undone", "withdrawn", "back", "none", "none-given",
}

// said is the toast after an act, and for a closing the way back.
func (s *Server) said(p *i18n.Printer, q url.Values) *components.Toast {
	what, ref := q.Get("said"), q.Get("ref-of")
	if n, err := strconv.Atoi(q.Get("closed")); err == nil && n > 0 && n <= 200 {
		return &components.Toast{
			Icon: "archive", Text: p.N("triage.said.closed", n), Undo: "/triage/undo", Fields: []components.Hidden{{Name: "token", Value: q.Get("undo")}},
		}
	}
	if !slices.Contains(saids, what) {
		return nil
	}
	if !referencePattern.MatchString(ref) {
		ref = ""
	}
	out := &components.Toast{Icon: "check", Text: strings.TrimSpace(p.T("triage.said."+what) + " " + ref)}
	if what == "none-given" {
		out.Icon, out.Way, out.WayTo = "info", p.T("triage.said.none-given.way"), "/triage"+queueFilter{Who: whoFree}.query()
	}
	return out
}
