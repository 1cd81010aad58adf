package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/internal/web/components"
)

// maxReportsShown bounds the reports that a case's page opens; what more of
// them adds to a case is their number.
const maxReportsShown = 20

// A ReportsPanel is what people reported.
type ReportsPanel struct {
	Wave  *WavePanel // nil where no wave of reports came
	Shown []ReportPanel
	More  string // how many are not shown, "" for none
	files []sentFile
}

// A ReportPanel is one report, opened.
type ReportPanel struct {
	ID       string
	Ref      string
	Meta     string // channel, category, language
	At       time.Time
	Text     string // links in it are harmless
	Files    []SealedFile
	Messages []components.Event
	CanReply bool
	Contact  bool // the reporter left how to reach them, sealed
}

// A SealedFile is a sealed file with a link that soon ends.
type SealedFile struct {
	Name  string
	Facts string // kind, size
	Hash  string // SHA-256 in hex; "" where it is not shown
	Href  string
	Icon  string
}

// A sentFile is a reporter's file that may be a picture.
type sentFile struct {
	report report.ID
	file   report.File
}

func (s *Server) reportsPanel(ctx context.Context, by party.Actor, page components.Page, v casework.View) (ReportsPanel, error) {
	var out ReportsPanel
	p := page.P
	out.Wave = wavePanel(p, v)
	for i, id := range v.Reports {
		if i == maxReportsShown {
			out.More = p.Number(int64(len(v.Reports) - maxReportsShown))
			break
		}
		rep, err := s.Report.Get(ctx, by, id)
		if k := fault.Of(err); err != nil && (k == fault.NotFound || k == fault.Denied) {
			out.More = p.Number(int64(len(v.Reports) - len(out.Shown)))
			return out, nil // a reader of cases who is no reader of reports
		}
		if err != nil {
			return out, err
		}
		out.Shown = append(out.Shown, s.reportPanel(by, p, rep))
		for _, f := range rep.Files {
			out.files = append(out.files, sentFile{rep.ID, f})
		}
	}
	return out, nil
}

func (s *Server) reportPanel(by party.Actor, p *i18n.Printer, rep report.Report) ReportPanel {
	out := ReportPanel{
		ID: string(rep.ID), Ref: rep.Ref, At: rep.ReceivedAt, Text: harmless(rep.Description), CanReply: auth.Seat(by, auth.ReportReply) && !rep.Erased, Contact: rep.HasContact,
		Meta: p.T("triage.channel." + string(rep.Channel)),
	}
	if rep.Category != "" {
		out.Meta += " · " + p.T("triage.category."+string(rep.Category))
	}
	if rep.Lang != "" {
		out.Meta += " · " + strings.ToUpper(string(rep.Lang))
	}
	if rep.Erased {
		out.Text = p.T("triage.erased")
	}
	for _, f := range rep.Files {
		out.Files = append(out.Files, SealedFile{
			Name: f.Name, Facts: f.MediaType + ", " + p.Bytes(f.Size), Hash: f.SHA256.String(), Href: s.sentURL(by, rep.ID, f.ID), Icon: mediaIcon(f.MediaType),
		})
	}
	for _, m := range rep.Messages {
		e := components.Event{Icon: "message-square", Who: p.T("triage.reporter"), At: m.At, Quote: harmless(m.Text)}
		if m.Person != "" {
			e.Icon, e.Who, e.Tone = "reply", p.T("triage.us"), components.ToneTeal
		}
		out.Messages = append(out.Messages, e)
	}
	return out
}

func mediaIcon(mediaType string) string {
	switch kind, _, _ := strings.Cut(mediaType, "/"); kind {
	case "image":
		return "image"
	case "video":
		return "video"
	case "audio":
		return "headphones"
	default:
		return "file-lock-2"
	}
}

// A CapturesPanel is the chain of evidence.
type CapturesPanel struct {
	P         *i18n.Printer
	Zone      *time.Location
	Now       time.Time
	Path      string // of the case
	Lines     []CaptureLine
	NoCapture string // the written reason why there is none
	NoneWho   string
	Locations []components.Choice // to add evidence to
	CanAdd    bool
	CanSayNo  bool
	Pending   bool   // a fetch is under way: the panel asks again when told
	Error     string // of an upload
}

// A CaptureLine is one capture with its sealed files.
type CaptureLine struct {
	Source string
	Icon   string
	About  string // the location, defanged; "" for the case as a whole
	Status components.Chip
	Why    string // of a failed one
	At     time.Time
	Facts  string
	Files  []SealedFile
}

func (s *Server) capturesPanel(page components.Page, by party.Actor, v casework.View, can map[casework.Event]bool) CapturesPanel {
	p := page.P
	out := CapturesPanel{
		P: p, Zone: page.Zone, Now: page.Now, Path: "/cases/" + string(v.Case.ID), CanAdd: can[casework.AddEvidence], CanSayNo: can[casework.NoEvidence],
	}
	where := map[report.LocationID]string{}
	for _, l := range v.Locations {
		where[l.ID] = l.Defanged()
		out.Locations = append(out.Locations, components.Choice{Value: string(l.ID), Label: l.Defanged()})
	}
	for _, c := range slices.Backward(v.Captures) {
		out.Pending = out.Pending || c.Status == casework.Requested
		out.Lines = append(out.Lines, s.captureLine(p, by, c, where[c.Location]))
	}
	for _, n := range v.Notes {
		if n.Kind == string(casework.NoEvidence) {
			out.NoCapture = harmless(n.Text)
		}
	}
	return out
}

func (s *Server) captureLine(p *i18n.Printer, by party.Actor, c casework.Capture, about string) CaptureLine {
	line := CaptureLine{Source: p.T("triage.source." + c.Source), Icon: "scan-line", About: about, At: c.RequestedAt}
	if c.Source == "upload" {
		line.Icon = "upload"
	}
	switch c.Status {
	case casework.Requested:
		line.Status = components.Chip{State: components.StateDraft, Icon: "hourglass", Label: p.T("case.capture.requested")}
	case casework.Done:
		line.At, line.Status = c.CapturedAt, components.Chip{State: components.StateActioned, Icon: "file-lock-2", Label: p.T("triage.sealed")}
	case casework.Failed:
		line.Status = components.Chip{State: components.StateRefused, Icon: "circle-x", Label: p.T("case.capture.failed")}
		if line.Why = p.T("triage.capture.failed"); p.Has(c.Reason) {
			line.Why = p.Fault(fault.New(fault.Invalid, c.Reason))
		}
	}
	if c.HTTPStatus > 0 {
		line.Facts = p.T("triage.http", "Status", c.HTTPStatus)
	}
	for _, f := range c.Files {
		kind := p.T("case.capture." + f.Kind)
		name := kind
		if f.Kind == casework.FileUpload && f.Name != "" {
			name = f.Name
		}
		line.Files = append(line.Files, SealedFile{
			Name: name, Facts: f.MediaType + ", " + p.Bytes(f.Ref.Size), Hash: f.Ref.SHA256.String(), Href: s.captureURL(by, f.ID), Icon: mediaIcon(f.MediaType),
		})
	}
	return line
}

// capturesPart: GET /cases/{id}/captures is the panel of evidence alone, for
// when a capture has come.
func (s *Server) capturesPart(w http.ResponseWriter, r *http.Request) error {
	by := actorOf(r.Context())
	v, err := s.Casework.Get(r.Context(), by, caseID(r))
	if err != nil {
		return err
	}
	panel := s.capturesPanel(s.page(r, localTime(by), ""), by, v, allowed(v.Buttons))
	return s.render(w, r, http.StatusOK, capturesView(panel))
}

// A MediaView is the box in which pictures are looked at: blurred and grey
// until somebody holds a key. A picture is fetched, and the opening put on
// record, only for who works on the case or asks for it.
type MediaView struct {
	Src    string // of the picture; "" shows only that there is one
	Text   string // what it is: "2 of 5, PNG, 1.2 MB"
	Frames []MediaFrame
	None   bool // nothing here is a picture
	Ask    string
	Before string // says with which case the reader was shown this very picture; "" if with none
	Claims string // what reporters say it shows
}

// A MediaFrame chooses a picture.
type MediaFrame struct {
	Href    string
	Label   string
	Current bool
}

// maxFrames bounds the pictures that the strip offers.
const maxFrames = 12

// mediaView collects pictures: those of captures first, then what reporters
// sent. One that the reader was shown with another case stays covered until they
// ask for it.
func (s *Server) mediaView(r *http.Request, by party.Actor, v casework.View, sent []sentFile) (MediaView, error) {
	p := i18n.For(langOf(r))
	type picture struct {
		id, facts, src string
		sum            vault.Digest
	}
	var all []picture
	for _, c := range slices.Backward(v.Captures) {
		for _, f := range c.Files {
			if slices.Contains(shownTypes, f.MediaType) {
				all = append(all, picture{string(f.ID), f.MediaType + ", " + p.Bytes(f.Ref.Size), s.captureURL(by, f.ID), f.Ref.SHA256})
			}
		}
	}
	for _, f := range sent {
		if slices.Contains(shownTypes, f.file.MediaType) {
			all = append(all, picture{string(f.file.ID), f.file.MediaType + ", " + p.Bytes(f.file.Size), s.sentURL(by, f.report, f.file.ID), f.file.SHA256})
		}
	}
	out := MediaView{None: len(all) == 0}
	if out.None || !auth.Seat(by, auth.CaseEvidence) {
		out.None = true
		return out, nil
	}
	sums := make([]vault.Digest, len(all))
	for i, x := range all {
		sums[i] = x.sum
	}
	before, err := s.Casework.SeenBefore(r.Context(), by, v.Case.ID, sums)
	if err != nil {
		return out, err
	}
	asked := r.URL.Query().Get("media")
	holds := v.Case.State == casework.Taken && v.Case.Holder == by.Person
	at := slices.IndexFunc(all, func(x picture) bool { return x.id == asked })
	shows := at >= 0
	if at < 0 {
		at = max(0, slices.IndexFunc(all, func(x picture) bool { return before[x.sum] == "" }))
		shows = holds && before[all[at].sum] == ""
	}
	path := "/cases/" + string(v.Case.ID)
	for i, x := range all[:min(len(all), maxFrames)] {
		out.Frames = append(out.Frames, MediaFrame{
			Href: path + "?media=" + urlQuery(x.id), Label: p.T("triage.media.nth", "N", i+1, "Of", len(all)), Current: i == at && shows,
		})
	}
	if ref := before[all[at].sum]; ref != "" {
		out.Before = p.T("triage.media.before", "Ref", ref)
	}
	out.Text = p.T("triage.media.nth", "N", at+1, "Of", len(all)) + ", " + all[at].facts
	if out.Ask = path + "?media=" + urlQuery(all[at].id); shows {
		out.Src = all[at].src
	}
	return out, nil
}

// A RecordPane is what is on record of a case that nobody here assesses now.
type RecordPane struct {
	Facts     []components.Fact
	Grounds   []components.Ground
	Functions []string
	Reasons   string
	Lang      string
	Closed    string // why it was closed
	ClosedBy  string
	Notices   []CaseNotice
	HandOvers []HandOverLine
	None      bool
}

// A CaseNotice is a notice that came of the case.
type CaseNotice struct {
	Ref, Kind, Href, Platform string
	Chip                      components.Chip
}

func (s *Server) noticesOf(ctx context.Context, by party.Actor, id casework.ID) ([]notice.Row, error) {
	if !auth.Seat(by, auth.NoticeRead) {
		return nil, nil
	}
	rows, _, err := s.Notice.List(ctx, by, notice.Filter{CaseID: id})
	if k := fault.Of(err); k == fault.Denied || k == fault.NotFound {
		return nil, nil
	}
	return rows, err
}

func (s *Server) recordPane(page components.Page, v casework.View, names map[party.PersonID]party.Person, rows []notice.Row) *RecordPane {
	p := page.P
	pane := &RecordPane{None: len(v.Assessments) == 0}
	if !pane.None {
		a := v.Assessments[len(v.Assessments)-1]
		for _, g := range a.MetGrounds() {
			pane.Grounds = append(pane.Grounds, components.GroundOf(string(g)))
		}
		for _, f := range a.Functions {
			pane.Functions = append(pane.Functions, p.T("policy.function."+string(f)))
		}
		pane.Reasons, pane.Lang = harmless(a.Reasons.Texts[a.Reasons.Binding]), a.Reasons.Binding
		add := func(key, value string) {
			if value != "" {
				pane.Facts = append(pane.Facts, components.Fact{Name: p.T(key), Value: value})
			}
		}
		add("triage.record.by", names[a.Person].Name)
		add("triage.record.at", p.Exact(a.At, page.Zone))
		add("triage.record.version", p.Number(int64(a.Version)))
		add("triage.ask.public", findingText(p, string(a.Public)))
		if a.Tier != "" {
			add("triage.ask.tier", p.T("policy.tier."+string(a.Tier)))
		}
		if a.Listed.Class != "" {
			add("triage.ask.listed", p.T("policy.listed."+string(a.Listed.Class)))
		}
		add("triage.ask.scope", strings.Join(a.Scope.Territories, ", "))
		if a.Measure != "" {
			add("triage.ask.measure", p.T("case.measure."+a.Measure))
		}
	}
	if v.Case.State == casework.Closed && v.Case.Outcome != "" {
		if pane.Closed = v.Case.Outcome; p.Has("case.close." + v.Case.Outcome) {
			pane.Closed = p.T("case.close." + v.Case.Outcome)
		} else if p.Has("triage.outcome." + v.Case.Outcome) {
			pane.Closed = p.T("triage.outcome." + v.Case.Outcome)
		}
	}
	for _, row := range rows {
		pane.Notices = append(pane.Notices, CaseNotice{
			Ref: row.Ref, Kind: p.T("policy.kind." + string(row.Kind)), Href: "/orders/" + string(row.ID), Platform: row.AddresseeName,
			Chip: components.Chip{State: lifeState(row.Life), Label: p.T("triage.life." + string(row.Life))},
		})
	}
	for _, h := range v.HandOvers {
		pane.HandOvers = append(pane.HandOvers, handOverLine(page, h, ""))
	}
	return pane
}

func findingText(p *i18n.Printer, f string) string {
	if f == "" {
		return ""
	}
	return p.T("triage.finding." + f)
}

func lifeState(l notice.Life) components.State {
	switch l {
	case notice.Draft:
		return components.StateDraft
	case notice.Proposed:
		return components.StatePending
	case notice.Approved, notice.Logged:
		return components.StateApproved
	case notice.Open:
		return components.StateIssued
	case notice.Quashed:
		return components.StateOverturned
	case notice.Withdrawn:
		return components.StateLifted
	default:
		return components.StateClosed
	}
}
