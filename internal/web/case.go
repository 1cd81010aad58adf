package web

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/components"
)

func (s *Server) caseRoutes() []Route {
	return []Route{
		{"GET /cases/{id}", auth.CaseRead, s.caseByID},
		{"GET /cases/{id}/captures", auth.CaseRead, s.capturesPart},
		{"POST /cases/{id}/take", auth.CaseWork, s.takeCase},
		{"POST /cases/{id}/release", auth.CaseWork, s.releaseCase},
		{"POST /cases/{id}/skip", auth.CaseWork, s.skipCase},
		{"POST /cases/{id}/assign", auth.CaseAssign, s.assignCase},
		{"POST /cases/{id}/opinion/ask", auth.CaseWork, s.askOpinion},
		{"POST /cases/{id}/opinion", auth.CaseWork, s.giveOpinion},
		{"POST /cases/{id}/hold", auth.CaseWork, s.holdCase},
		{"POST /cases/{id}/hold/end", auth.CaseWork, s.endHold},
		{"POST /cases/{id}/locations", auth.CaseWork, s.addLocations},
		{"POST /cases/{id}/captures", auth.CaseWork, s.uploadEvidence},
		{"POST /cases/{id}/captures/fetch", auth.CaseWork, s.requestCapture},
		{"POST /cases/{id}/captures/none", auth.CaseWork, s.noCapture},
		{"POST /cases/{id}/reports/{report}/reply", auth.ReportReply, s.replyReporter},
		{"POST /cases/{id}/check", auth.CaseWork, s.checkAssess},
		{"POST /cases/{id}/assess", auth.CaseWork, s.assessCase},
		{"POST /cases/{id}/propose", auth.NoticePropose, s.proposeCase},
		{"POST /cases/{id}/withdraw", auth.NoticeWithdraw, s.withdrawDraft},
	}
}

// A CasePane is one case as the split view shows it.
type CasePane struct {
	P         *i18n.Printer
	Zone      *time.Location
	Now       time.Time
	ID        string
	Ref       string
	Path      string // address of the case, without the list's filter
	Query     string // the list's filter, "" or with its "?"
	Back      string // address of the list
	Title     string
	Chip      components.Chip
	Target    components.Deadline // zero once the case does not wait
	HasTarget bool
	Opened    time.Time
	Queue     string // words: reports and how it came
	Errors    []string
	Notes     []components.Note
	Before    BeforePanel  // what old registers say
	Actions   []CaseAction // the bar
	More      []CaseAction // behind its menu
	Dialogs   CaseDialogs
	Media     MediaView
	Reviews   bool // the time that somebody spends here counts towards a break
	Locations []LocationLine
	Reports   ReportsPanel
	Captures  CapturesPanel
	Timeline  []components.Event
	Tabs      []components.Tab

	// One of them stands at the right.
	Assess  *AssessPane
	Opinion *OpinionPane
	Sign    *DraftPane
	Record  *RecordPane
}

// A CaseAction is something that can be done to the case: a POST, a dialog or
// another page.
type CaseAction struct {
	Icon, Label, Key string
	Post             string // address; "" for none
	Dialog           string // id; "" for none
	Href             string // "" for none
	Primary          bool
	Locked           string // why it cannot be done now, "" if it can
}

// CaseDialogs are the small forms of the bar.
type CaseDialogs struct {
	People       []components.Choice // to assign to, or to ask
	CanAssign    bool
	CanAsk       bool
	CanHold      bool
	CanEndHold   bool
	CanLocate    bool
	HoldReasons  []components.Choice
	HoldHours    []components.Choice
	HoldOutcomes []components.Choice
}

// A LocationLine is where something is, defanged.
type LocationLine struct {
	ID       string
	URL      components.Defanged
	Kind     string
	Icon     string
	Platform string
	Broad    []string
	CanFetch bool
}

// caseByID: GET /cases/{id}; a reference leads to its case too.
func (s *Server) caseByID(w http.ResponseWriter, r *http.Request) error {
	if ref := strings.ToUpper(r.PathValue("id")); referencePattern.MatchString(ref) {
		id, err := s.Casework.ByRef(r.Context(), actorOf(r.Context()), ref)
		if err != nil {
			return err
		}
		return seeOther(w, r, "/cases/"+string(id))
	}
	pg, err := s.triagePage(r, caseID(r))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, triageView(pg))
}

func caseID(r *http.Request) casework.ID { return casework.ID(r.PathValue("id")) }

// casePane decides everything that the pane of a case shows.
func (s *Server) casePane(r *http.Request, page components.Page, v casework.View, f queueFilter) (*CasePane, error) {
	ctx, by, p, c := r.Context(), actorOf(r.Context()), page.P, v.Case
	names, err := s.peopleOf(ctx, c.Party)
	if err != nil {
		return nil, err
	}
	f.Bulk = false
	pane := &CasePane{
		P: p, Zone: page.Zone, Now: page.Now, ID: string(c.ID), Ref: c.Ref, Path: "/cases/" + string(c.ID), Query: f.query(), Back: "/triage" + f.query(),
		Title: c.Title(p, s.platformTitle(c.Platform)), Chip: stateChip(p, c, by, page.Now), Opened: c.OpenedAt,
		Queue: p.N("triage.reports", c.ReportCount) + " · " + p.N("triage.locations", len(v.Locations)),
	}
	if pane.HasTarget = (c.State == casework.Open || c.State == casework.Taken) && !c.Deadline.IsZero(); pane.HasTarget {
		pane.Target = components.Target(c.Deadline, c.Deadline.Sub(c.OpenedAt), page.Now)
		pane.Target.Label, pane.Target.Short = p.T("triage.target"), true
	}
	if pane.Before, err = s.decidedBefore(ctx, by, p, v); err != nil {
		return nil, err
	}
	can := allowed(v.Buttons)
	pane.Notes = caseNotes(p, page, v, names)
	pane.Actions, pane.More = caseActions(p, pane.Path, pane.Query, v.Buttons, by, v.Case, page.Now, whyClosed(page, v, names))
	pane.Dialogs = s.caseDialogs(p, by, v, names, can, page.Now)
	for _, l := range v.Locations {
		pane.Locations = append(pane.Locations, s.locationLine(p, l, can[casework.AddEvidence]))
	}
	pane.Timeline = caseTimeline(p, v, names)
	if pane.Reports, err = s.reportsPanel(ctx, by, page, v); err != nil {
		return nil, err
	}
	pane.Captures = s.capturesPanel(page, by, v, can)
	if pane.Media, err = s.mediaView(r, by, v, pane.Reports.files); err != nil {
		return nil, err
	}
	pane.Reviews = auth.Seat(by, auth.CaseEvidence)
	pane.Tabs = []components.Tab{
		{Label: p.T("triage.panel.reports"), Count: p.Number(int64(c.ReportCount)), Panel: "panel-reports", Active: true},
		{Label: p.T("triage.panel.evidence"), Count: p.Number(int64(len(v.Captures))), Panel: "panel-evidence"},
		{Label: p.T("triage.panel.locations"), Count: p.Number(int64(len(v.Locations))), Panel: "panel-locations"},
		{Label: p.T("triage.panel.timeline"), Panel: "panel-timeline"},
	}
	return pane, s.rightPane(ctx, by, page, v, names, pane)
}

// allowed are the acts that are open to the actor now.
func allowed(buttons []casework.Button) map[casework.Event]bool {
	can := map[casework.Event]bool{}
	for _, b := range buttons {
		can[b.Event] = b.Open
	}
	return can
}

// rightPane chooses what stands at the right: a draft to sign, an opinion to
// give, the assessment to write, else what is on record.
func (s *Server) rightPane(ctx context.Context, by party.Actor, page components.Page, v casework.View, names map[party.PersonID]party.Person, pane *CasePane) error {
	can := allowed(v.Buttons)
	rows, err := s.noticesOf(ctx, by, v.Case.ID)
	if err != nil {
		return err
	}
	if pane.Sign, err = s.draftPane(ctx, by, page, v, rows); err != nil || pane.Sign != nil {
		return err
	}
	_, works := can[casework.Assess]
	switch waits := v.Case.State == casework.Open || v.Case.State == casework.Taken; {
	case can[casework.GiveOpinion] && !can[casework.Assess]:
		pane.Opinion = opinionPane(page.P, v, names)
	case waits && works:
		f := assessForm{Grounds: map[string]groundAnswer{}, Purposes: map[string]purposeAnswer{}}
		if n := len(v.Assessments); n > 0 {
			f = formOf(v.Assessments[n-1], territoryOf(v.Case))
		}
		pane.Assess, err = s.assessPane(ctx, by, page, v, f, whyClosed(page, v, names))
	default:
		pane.Record = s.recordPane(page, v, names, rows)
	}
	return err
}

// caseNotes say what a reader must know before anything else.
func caseNotes(p *i18n.Printer, page components.Page, v casework.View, names map[party.PersonID]party.Person) []components.Note {
	var out []components.Note
	c := v.Case
	if c.Held(page.Now) {
		out = append(out, components.Note{
			Tone: components.ToneAmber, Icon: "hand", Strong: p.T("triage.note.held"), Text: p.T("triage.note.held.until", "Until", p.Exact(c.HeldUntil, page.Zone)),
		})
	}
	if c.Again != "" {
		out = append(out, components.Note{
			Tone: components.ToneAmber, Icon: "history", Strong: p.T("triage.note.again", "Why", p.T("case.reopened."+c.Again)), Text: p.T("triage.note.again.until", "Until", p.Exact(c.OpensAgain(), page.Zone)),
		})
	}
	if v.Lane != nil {
		out = append(out, laneNote(p, page, v))
	}
	for _, h := range v.HandOvers {
		if h.State == casework.Offered {
			out = append(out, components.Note{Tone: components.ToneBlue, Icon: "forward", Strong: p.T("triage.note.offered"), Text: p.Exact(h.At, page.Zone)})
		}
	}
	if n := caseReturn(v); n != nil && c.State == casework.Taken {
		codes := make([]string, 0, 2)
		for _, code := range strings.Fields(n.Code) {
			codes = append(codes, returnReason(p, code))
		}
		out = append(out, components.Note{
			Tone: components.ToneOrange, Icon: "undo-2", Strong: p.T("triage.note.returned", "Who", cmp.Or(names[n.Person].Name, p.T("triage.somebody"))),
			Text: strings.TrimSpace(strings.Join(codes, ", ") + ". " + n.Text),
		})
	}
	if v.From != nil && v.From.Note != "" {
		out = append(out, components.Note{Tone: components.ToneBlue, Icon: "forward", Strong: p.T("triage.note.from"), Text: v.From.Note})
	}
	return out
}

// laneNote says that a case came in a burst, and when its turn is.
func laneNote(p *i18n.Printer, page components.Page, v casework.View) components.Note {
	n := components.Note{
		Tone: components.ToneAmber, Icon: "shuffle", Strong: p.N("case.lane."+string(v.Lane.Kind), v.Lane.Cases),
		Action: p.T("triage.note.lane.all"), Href: "/triage?lane=" + string(v.Lane.ID),
	}
	switch {
	case v.Case.InTurns(page.Now):
		n.Text = p.T("triage.note.lane.turns", "At", p.Exact(v.Case.TurnAt, page.Zone))
	case v.Case.TurnAt.IsZero():
		n.Text = p.T("triage.note.lane.apart")
	}
	return n
}

// returnReason says a code with which a dossier came back.
func returnReason(p *i18n.Printer, code string) string {
	for _, key := range []string{"notice.return." + code, "triage.returned." + code} {
		if p.Has(key) {
			return p.T(key)
		}
	}
	return code
}

// caseReturn is the note of the last return since the case was proposed last.
func caseReturn(v casework.View) *casework.Note {
	for i := len(v.Notes) - 1; i >= 0; i-- {
		if v.Notes[i].Kind == string(casework.Return) {
			return &v.Notes[i]
		}
	}
	return nil
}

// whyClosed says why something cannot be done to a case now: a colleague's lock
// by their name and in the reader's time, anything else in the fault's words.
func whyClosed(page components.Page, v casework.View, names map[party.PersonID]party.Person) func(error) string {
	return func(err error) string {
		if f, ok := fault.As(err); ok && f.Code == "case.locked" && names[v.Case.Holder].Name != "" {
			return page.P.T("triage.locked", "Ref", v.Case.Ref, "Who", names[v.Case.Holder].Name, "Until", page.P.Time(v.Case.LockedUntil, page.Zone))
		}
		return faultText(page.P, err)
	}
}

// caseActions are the bar of the case and the menu behind it.
func caseActions(p *i18n.Printer, path, query string, buttons []casework.Button, by party.Actor, c casework.Case, now time.Time, why func(error) string) (bar, more []CaseAction) {
	mine := c.State == casework.Taken && c.Holder == by.Person && now.Before(c.LockedUntil)
	waits := c.State == casework.Open || c.State == casework.Taken
	for _, b := range buttons {
		if !waits && !b.Open {
			continue // nobody works on it now: the state says so already
		}
		a := CaseAction{Label: p.T("case.do." + string(b.Event))}
		if !b.Open {
			a.Locked = why(b.Why)
		}
		switch b.Event {
		case casework.Take:
			if mine {
				continue
			}
			a.Icon, a.Key, a.Post, a.Primary = "lock", "T", path+"/take"+query, true
		case casework.ReleaseLock:
			if !b.Open {
				continue
			}
			a.Icon, a.Post = "lock-open", path+"/release"+query
		case casework.Skip:
			a.Icon, a.Key, a.Post = "skip-forward", "E", path+"/skip"+query
		case casework.Assign:
			a.Icon, a.Key, a.Dialog, a.Label = "user-plus", "A", "assign", p.T("triage.assign")
		case casework.AskOpinion:
			a.Icon, a.Key, a.Dialog, a.Label = "users", "S", "ask", p.T("triage.opinion")
		case casework.Hold:
			a.Icon, a.Dialog = "hand", "hold"
		case casework.EndHold:
			if !b.Open {
				continue
			}
			a.Icon, a.Dialog = "play", "hold-end"
		case casework.HandOver:
			a.Icon, a.Href = "forward", path+"/hand-over"
		default:
			continue
		}
		if b.Event == casework.Hold || b.Event == casework.EndHold || b.Event == casework.HandOver || b.Event == casework.ReleaseLock {
			more = append(more, a)
			continue
		}
		if !b.Open && b.Event != casework.Take {
			a.Key = ""
		}
		bar = append(bar, a)
	}
	return bar, more
}

// faultText says why something cannot be done.
func faultText(p *i18n.Printer, err error) string {
	if e, ok := fault.As(err); ok {
		return p.Fault(e)
	}
	return ""
}

func (s *Server) caseDialogs(p *i18n.Printer, by party.Actor, v casework.View, names map[party.PersonID]party.Person, can map[casework.Event]bool, now time.Time) CaseDialogs {
	d := CaseDialogs{
		CanAssign: can[casework.Assign], CanAsk: can[casework.AskOpinion], CanHold: can[casework.Hold], CanEndHold: can[casework.EndHold],
		CanLocate: can[casework.AddEvidence],
	}
	for _, person := range slices.SortedFunc(maps.Values(names), func(a, b party.Person) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.ID), string(b.ID)))
	}) {
		if person.Active && person.Has(party.Analyst) {
			d.People = append(d.People, components.Choice{Value: string(person.ID), Label: person.Name, Checked: person.ID == by.Person})
		}
	}
	for _, x := range casework.HoldReasons() {
		d.HoldReasons = append(d.HoldReasons, components.Choice{Value: x, Label: p.T("case.hold." + x)})
	}
	for _, x := range casework.HoldOutcomes() {
		d.HoldOutcomes = append(d.HoldOutcomes, components.Choice{Value: x, Label: p.T("case.hold-outcome." + x)})
	}
	longest := 72 * time.Hour // domain.md, held; the pack may be stricter
	if pack, ok := s.Packs.Current(v.Case.Jurisdiction, now); ok {
		longest = pack.Limits.Hold.Duration()
	}
	for _, h := range []time.Duration{4 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 72 * time.Hour} {
		if h <= longest {
			d.HoldHours = append(d.HoldHours, components.Choice{Value: h.String(), Label: p.Window(h)})
		}
	}
	return d
}

func (s *Server) locationLine(p *i18n.Printer, l report.Location, fetch bool) LocationLine {
	line := LocationLine{
		ID: string(l.ID), URL: components.Defanged{Text: l.Defanged(), Copy: true, Wide: true}, Kind: p.T("case.kind." + string(l.Kind)),
		Icon: kindIcon(string(l.Kind)), Platform: s.platformName(p, l.Platform), CanFetch: fetch && l.URL != "" && l.Kind != canonical.Wallet,
	}
	if l.URL == "" {
		line.URL = components.Defanged{Text: p.T("triage.erased")}
	}
	for _, b := range l.Broad {
		line.Broad = append(line.Broad, p.T("triage.broad."+b))
	}
	return line
}

var eventIcons = map[string]string{
	"opened": "inbox", "joined": "users", "taken": "lock", "assigned": "user-plus", "released": "lock-open", "assessed": "pencil-line",
	"captured": "file-lock-2", "no-capture": "file-search", "opinion-asked": "users", "opinion-given": "user-check", "held": "hand",
	"hold-ended": "play", "proposed": "user-check", "returned": "undo-2", "decided": "stamp", "finished": "check", "handed-over": "forward",
	"accepted": "handshake", "split": "split", "hand-over-returned": "undo-2", "closed": "archive", "undone": "undo-2", "reopened": "rotate-ccw",
	"evidence-opened": "eye",
}

// caseTimeline is what happened, the last first; openings of evidence by one
// person in a row are one line.
func caseTimeline(p *i18n.Printer, v casework.View, names map[party.PersonID]party.Person) []components.Event {
	var out []components.Event
	last := ""
	for _, e := range slices.Backward(v.Timeline) {
		kind := strings.TrimPrefix(e.Kind, "case.")
		who := names[party.PersonID(e.Person)].Name
		if key := kind + " " + e.Person; kind == "evidence-opened" && key == last {
			continue
		} else {
			last = key
		}
		out = append(out, components.Event{
			Icon: cmp.Or(eventIcons[kind], "circle-dashed"), Who: who, Text: p.T("case.event." + kind), At: e.At, Note: eventNote(p, kind, e.Data),
		})
	}
	return out
}

// eventNote says the code of an entry in words, "" if it has none.
func eventNote(p *i18n.Printer, kind string, data json.RawMessage) string {
	var d struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(data, &d) != nil || d.Code == "" {
		return ""
	}
	prefixes := map[string]string{
		"closed": "case.close.", "held": "case.hold.", "hold-ended": "case.hold-outcome.", "captured": "case.capture.", "proposed": "case.measure.",
		"reopened": "case.reopened.",
	}
	if key := prefixes[kind] + d.Code; prefixes[kind] != "" && p.Has(key) {
		return p.T(key)
	}
	return ""
}

// link finds addresses in what people wrote.
var linkPattern = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"]+`)

// harmless is a text in which no link can be followed or copied by mistake.
func harmless(s string) string { return linkPattern.ReplaceAllStringFunc(s, canonical.Defang) }

func territoryOf(c casework.Case) string {
	state, _, _ := strings.Cut(strings.ToUpper(c.Jurisdiction), "-")
	return state
}

// platformsOf are the platforms of locations in the order in which they come.
func platformsOf(ls []report.Location) []string {
	var out []string
	for _, l := range ls {
		if !slices.Contains(out, l.Platform) {
			out = append(out, l.Platform)
		}
	}
	return out
}

// sideOpen reports whether the right pane must be seen on a small screen too.
func (c *CasePane) sideOpen() bool {
	return c.Sign != nil || c.Assess != nil && (len(c.Assess.Errors) > 0 || c.Assess.AssessConflict != nil) || c.Opinion != nil && len(c.Opinion.Errors) > 0
}

// firstURL is the location that stands in the head, on one line.
func (c *CasePane) firstURL() components.Defanged {
	d := c.Locations[0].URL
	d.Wide = false
	return d
}

// A KeyLine is a shortcut in the line below a case.
type KeyLine struct {
	Keys  []string
	Label string
}

func caseKeyLine(p *i18n.Printer) []KeyLine {
	var out []KeyLine
	for _, k := range []struct{ keys, label string }{
		{"J K", "move"}, {p.T("ui.key.space"), "reveal"}, {"1–0", "answer"}, {"S", "opinion"}, {"E", "skip"}, {"?", "all"},
	} {
		out = append(out, KeyLine{Keys: strings.Fields(k.keys), Label: p.T("triage.key." + k.label)})
	}
	return out
}
