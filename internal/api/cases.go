package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

type listCasesInput struct {
	Paging
	Queue    string   `query:"queue" maxLength:"60" doc:"Code of a queue of the jurisdiction's pack"`
	State    []string `query:"state" maxItems:"6" enum:"open,taken,proposed,decided,handed-over,closed" doc:"Any of these; those that wait for an analyst if absent"`
	Platform string   `query:"platform" maxLength:"60" doc:"Key of a platform"`
	Holder   string   `query:"holder" maxLength:"64" doc:"Person who has it"`
	Free     bool     `query:"free" doc:"Only what nobody has locked"`
	Lane     string   `query:"lane" maxLength:"64" doc:"Only the cases of that burst"`
	Ref      string   `query:"ref" maxLength:"60" doc:"The reference, or its end"`
}

type whyBody struct {
	Code   string `json:"code"`
	Points int    `json:"points"`
}

// CaseBody is a case as lists show it.
type CaseBody struct {
	ID           string     `json:"id"`
	Ref          string     `json:"ref"`
	Party        string     `json:"party"`
	State        string     `json:"state"`
	Holder       string     `json:"holder" doc:"Person who has taken it; empty if nobody"`
	LockedUntil  *time.Time `json:"locked_until,omitempty"`
	Jurisdiction string     `json:"jurisdiction"`
	Platform     string     `json:"platform"`
	Kind         string     `json:"kind"`
	Title        string     `json:"title" doc:"What and where in the caller's words; no content"`
	Locations    int        `json:"location_count"`
	Reports      int        `json:"report_count"`
	Queue        string     `json:"queue"`
	Priority     int        `json:"priority" minimum:"0" maximum:"100" doc:"Orders the queue, decides nothing"`
	Why          []whyBody  `json:"why" doc:"How the priority came about"`
	Deadline     *time.Time `json:"deadline,omitempty" doc:"The agency's own target"`
	OpenedAt     time.Time  `json:"opened_at"`
	ClosedAt     *time.Time `json:"closed_at,omitempty"`
	Outcome      string     `json:"outcome" doc:"Why it was closed; empty while it is not"`
	HeldUntil    *time.Time `json:"held_until,omitempty"`
	Version      int        `json:"version" doc:"Grows with every change"`
	Assessed     int        `json:"assessed" doc:"Version of the last assessment, 0 before one"`
	Complete     bool       `json:"complete" doc:"That assessment leaves nothing unanswered"`
	OrderFault   string     `json:"order_fault" doc:"Code of what closes the way to a notice; empty if nothing"`
	Opinion      string     `json:"opinion" doc:"Second opinion: empty, asked or given"`
	Captures     int        `json:"capture_count"`
	Lane         string     `json:"lane" doc:"Burst of like cases that it came in; empty if none"`
	TurnAt       *time.Time `json:"turn_at,omitempty" doc:"From when on a case of a burst counts as waiting; until then it stands behind the others"`
}

func (s *server) caseOf(ctx context.Context, c casework.Case) CaseBody {
	name := ""
	if p := s.Platforms.Get(c.Platform); p != nil {
		name = p.Name
	}
	out := CaseBody{
		ID: string(c.ID), Ref: c.Ref, Party: string(c.Party), State: string(c.State), Holder: string(c.Holder), LockedUntil: at(c.LockedUntil),
		Jurisdiction: c.Jurisdiction, Platform: c.Platform, Kind: c.Kind, Title: c.Title(printer(ctx), name), Locations: c.Locations,
		Reports: c.ReportCount, Queue: c.Queue, Priority: c.Priority, Why: make([]whyBody, 0, len(c.Why)), Deadline: at(c.Deadline),
		OpenedAt: c.OpenedAt, ClosedAt: at(c.ClosedAt), Outcome: c.Outcome, HeldUntil: at(c.HeldUntil), Version: c.Version,
		Assessed: c.Assessed, Complete: c.Complete, OrderFault: c.OrderFault, Opinion: c.Opinion, Captures: c.Captures,
		Lane: string(c.LaneID), TurnAt: at(c.TurnAt),
	}
	for _, w := range c.Why {
		out.Why = append(out.Why, whyBody(w))
	}
	return out
}

// listCases: GET /cases, permission case.read.
func (s *server) listCases(ctx context.Context, in *listCasesInput) (*listOut[CaseBody], error) {
	rows, next, err := s.Cases.Queue(ctx, auth.Actor(ctx), casework.Filter{
		Queue: in.Queue, States: words[casework.State](in.State), Platform: in.Platform, Holder: party.PersonID(in.Holder),
		Free: in.Free, Ref: in.Ref, Lane: casework.LaneID(in.Lane), Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return pageOf(&in.Paging, rows, next, func(c casework.Case) CaseBody { return s.caseOf(ctx, c) }), nil
}

type countsBody struct {
	Queues    map[string]int `json:"queues" doc:"Waiting cases by queue; 1000 is that or more, here and below"`
	Waiting   int            `json:"waiting"`
	Mine      int            `json:"mine"`
	Opinions  int            `json:"opinions"`
	Proposed  int            `json:"proposed"`
	HandOvers int            `json:"hand_overs"`
}

// countCases: GET /cases/counts, permission case.read.
func (s *server) countCases(ctx context.Context, _ *struct{}) (*one[countsBody], error) {
	c, err := s.Cases.Counts(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return answer(countsBody(c)), nil
}

type nextBody struct {
	Case *CaseBody `json:"case" doc:"Null if none waits"`
}

// nextCase: GET /cases/next, permission case.work.
func (s *server) nextCase(ctx context.Context, _ *struct{}) (*one[nextBody], error) {
	c, ok, err := s.Cases.Next(ctx, auth.Actor(ctx))
	if err != nil || !ok {
		return answer(nextBody{}), err
	}
	body := s.caseOf(ctx, c)
	return answer(nextBody{&body}), nil
}

type captureFileBody struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind" doc:"warc, page, media, screenshot or upload"`
	Name       string    `json:"name"`
	MediaType  string    `json:"media_type"`
	Size       int64     `json:"size" doc:"Bytes"`
	SHA256     string    `json:"sha256"`
	CapturedAt time.Time `json:"captured_at"`
}

type captureView struct {
	ID          string            `json:"id"`
	Location    string            `json:"location" doc:"Empty for the case as a whole"`
	Source      string            `json:"source" doc:"fetch or upload"`
	Status      string            `json:"status" doc:"requested, done or failed"`
	Reason      string            `json:"reason" doc:"Code of what failed"`
	Person      string            `json:"person"`
	RequestedAt time.Time         `json:"requested_at"`
	CapturedAt  *time.Time        `json:"captured_at,omitempty"`
	HTTPStatus  int               `json:"http_status"`
	Files       []captureFileBody `json:"files"`
}

type versionBody struct {
	AssessmentBody
	Version int       `json:"version"`
	Person  string    `json:"person"`
	At      time.Time `json:"at"`
	Pack    PackRef   `json:"pack"`
}

// PackRef names the exact version of a pack.
type PackRef struct {
	Code    string `json:"code"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

type opinionView struct {
	PurposeTests []notes.PurposeTest `json:"purpose_tests"`
	Reasons      string              `json:"reasons"`
	Assessment   int                 `json:"assessment" doc:"Version that it is about"`
	AskedBy      string              `json:"asked_by"`
	AskedOf      string              `json:"asked_of"`
	AskedAt      time.Time           `json:"asked_at"`
	GivenBy      string              `json:"given_by"`
	GivenAt      *time.Time          `json:"given_at,omitempty"`
}

type noteBody struct {
	Kind   string    `json:"kind"`
	Code   string    `json:"code"`
	Person string    `json:"person"`
	At     time.Time `json:"at"`
	Text   string    `json:"text"`
}

type dossierSummary struct {
	ID       string    `json:"id"`
	Version  int       `json:"version"`
	To       string    `json:"to"`
	Measure  string    `json:"measure"`
	Digest   string    `json:"digest"`
	State    string    `json:"state"`
	Outcome  string    `json:"outcome"`
	FrozenAt time.Time `json:"frozen_at"`
}

type buttonBody struct {
	Event string `json:"event"`
	Open  bool   `json:"open"`
	Why   string `json:"why" doc:"Why it is locked, in the caller's language"`
}

type caseView struct {
	CaseBody
	LocationList []locationBody   `json:"locations"`
	ReportIDs    []string         `json:"reports"`
	CaptureList  []captureView    `json:"captures"`
	Assessments  []versionBody    `json:"assessments" doc:"The first first; never edited"`
	Opinions     []opinionView    `json:"opinions"`
	Notes        []noteBody       `json:"notes"`
	Dossiers     []dossierSummary `json:"dossiers"`
	HandOvers    []handOverBody   `json:"hand_overs"`
	From         *handOverBody    `json:"from,omitempty" doc:"The hand-over it came from"`
	Timeline     []entryBody      `json:"timeline"`
	Acts         []buttonBody     `json:"acts" doc:"What the caller may do now"`
}

type caseOut struct {
	ETag string `header:"ETag" doc:"Version of the last assessment, for If-Match"`
	Body caseView
}

// getCase: GET /cases/{id}, permission case.read.
func (s *server) getCase(ctx context.Context, in *ByID) (*caseOut, error) {
	by := auth.Actor(ctx)
	v, err := s.Cases.Get(ctx, by, casework.ID(in.ID))
	if err != nil {
		return nil, err
	}
	out := caseView{CaseBody: s.caseOf(ctx, v.Case), LocationList: locations(v.Locations), ReportIDs: texts(v.Reports)}
	for _, c := range v.Captures {
		out.CaptureList = append(out.CaptureList, captureOf(c))
	}
	for _, a := range v.Assessments {
		out.Assessments = append(out.Assessments, versionOf(a))
	}
	for _, o := range v.Opinions {
		out.Opinions = append(out.Opinions, opinionView{o.PurposeTests, o.Reasons, o.Assessment, string(o.AskedBy), string(o.AskedOf), o.AskedAt, string(o.GivenBy), at(o.GivenAt)})
	}
	for _, n := range v.Notes {
		out.Notes = append(out.Notes, noteBody{n.Kind, n.Code, string(n.Person), n.At, n.Text})
	}
	for _, d := range v.Dossiers {
		out.Dossiers = append(out.Dossiers, dossierSummary{string(d.ID), d.Version, string(d.To), d.Measure, notes.Hex(d.Digest), string(d.State), d.Outcome, d.FrozenAt})
	}
	for _, h := range v.HandOvers {
		out.HandOvers = append(out.HandOvers, handOverOf(h))
	}
	if v.From != nil {
		from := handOverOf(*v.From)
		out.From = &from
	}
	for _, e := range v.Timeline {
		out.Timeline = append(out.Timeline, entryOf(by, e))
	}
	for _, b := range v.Buttons {
		out.Acts = append(out.Acts, s.button(ctx, string(b.Event), b.Open, b.Why))
	}
	return &caseOut{ETag: etag(v.Case.Assessed), Body: out}, nil
}

func (s *server) button(ctx context.Context, event string, open bool, why error) buttonBody {
	b := buttonBody{Event: event, Open: open}
	if f, ok := fault.As(why); ok {
		b.Why = printer(ctx).Fault(f)
	}
	return b
}

func captureOf(c casework.Capture) captureView {
	out := captureView{
		ID: string(c.ID), Location: string(c.Location), Source: c.Source, Status: string(c.Status), Reason: c.Reason, Person: string(c.Person),
		RequestedAt: c.RequestedAt, CapturedAt: at(c.CapturedAt), HTTPStatus: c.HTTPStatus, Files: []captureFileBody{},
	}
	for _, f := range c.Files {
		out.Files = append(out.Files, captureFileBody{string(f.ID), f.Kind, f.Name, f.MediaType, f.Ref.Size, f.Ref.SHA256.String(), f.CapturedAt})
	}
	return out
}

func versionOf(v casework.Version) versionBody {
	return versionBody{AssessmentBody(v.Assessment), v.Version, string(v.Person), v.At, PackRef(v.Pack)}
}

// takeCase: POST /cases/{id}/take, permission case.work.
func (s *server) takeCase(ctx context.Context, in *ByID) (*one[CaseBody], error) {
	c, err := s.Cases.Take(ctx, auth.Actor(ctx), casework.ID(in.ID))
	if err != nil {
		return nil, err
	}
	return answer(s.caseOf(ctx, c)), nil
}

// releaseCase: POST /cases/{id}/release, permission case.work.
func (s *server) releaseCase(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, s.Cases.Release(ctx, auth.Actor(ctx), casework.ID(in.ID))
}

// skipCase: POST /cases/{id}/skip, permission case.work.
func (s *server) skipCase(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, s.Cases.Skip(ctx, auth.Actor(ctx), casework.ID(in.ID))
}

type personInput struct {
	ByID
	Body struct {
		Person string `json:"person" minLength:"1" maxLength:"64" doc:"Identifier of a colleague"`
	}
}

// assignCase: POST /cases/{id}/assign, permission case.assign.
func (s *server) assignCase(ctx context.Context, in *personInput) (*struct{}, error) {
	return nil, s.Cases.Assign(ctx, auth.Actor(ctx), casework.ID(in.ID), party.PersonID(in.Body.Person))
}

type locationsInput struct {
	ByID
	Body struct {
		Locations []string `json:"locations" minItems:"1" maxItems:"1000" doc:"Links or handles that belong to the same matter"`
	}
}

// addCaseLocations: POST /cases/{id}/locations, permission case.work.
func (s *server) addCaseLocations(ctx context.Context, in *locationsInput) (*struct{}, error) {
	return nil, s.Cases.AddLocations(ctx, auth.Actor(ctx), casework.ID(in.ID), in.Body.Locations)
}

// AssessmentBody is casework.Assessment on the wire. An unfinished one may be
// kept, so nothing is required; nothing has a default either.
type AssessmentBody struct {
	Measure      string                `json:"measure" required:"false" doc:"A kind of notice, hand-over or none"`
	Public       notes.Finding         `json:"public" required:"false" doc:"Disseminated to the public? yes, no or unsure"`
	Grounds      []notes.GroundFinding `json:"grounds" required:"false" maxItems:"5" doc:"Each of the five grounds: met yes, no or unsure; yes and unsure with reasons"`
	Functions    []notes.Function      `json:"functions" required:"false" maxItems:"9"`
	Audience     []notes.Audience      `json:"audience,omitempty" maxItems:"2"`
	Tier         notes.Tier            `json:"tier" required:"false"`
	Listed       notes.Listed          `json:"listed" required:"false" doc:"A fact about the entity, never a ground"`
	PurposeTests []notes.PurposeTest   `json:"purpose_tests" required:"false" maxItems:"5" doc:"Each of the five purposes: claimed? the true one? with reasons"`
	Necessity    notes.Necessity       `json:"necessity" required:"false" doc:"Lighter measures tried, or why none works"`
	Scope        notes.Scope           `json:"scope" required:"false"`
	Reasons      notes.Text            `json:"reasons" required:"false" doc:"Statement of reasons; one language binds"`
}

type assessInput struct {
	ByID
	Match string `header:"If-Match" required:"true" maxLength:"40" doc:"ETag of the case as the assessor saw it; \"0\" before the first assessment" example:"\"0\""`
	Body  AssessmentBody
}

type assessOut struct {
	ETag string `header:"ETag"`
	Body versionBody
}

// assessCase: PUT /cases/{id}/assessment, permission case.work. Another
// assessment that came meanwhile makes it 412, and nothing is overwritten.
func (s *server) assessCase(ctx context.Context, in *assessInput) (*assessOut, error) {
	base, err := fromETag(in.Match)
	if err != nil {
		return nil, err
	}
	v, err := s.Cases.Assess(ctx, auth.Actor(ctx), casework.ID(in.ID), base, casework.Assessment(in.Body))
	if err != nil {
		return nil, err
	}
	return &assessOut{ETag: etag(v.Version), Body: versionOf(v)}, nil
}

// etag is a version as an entity tag (RFC 9110, section 8.8.3).
func etag(version int) string { return fmt.Sprintf(`"%d"`, version) }

func fromETag(tag string) (int, error) {
	n, err := strconv.Atoi(strings.Trim(tag, `"`))
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "api.if-match").At("header:/If-Match")
	}
	return n, nil
}

type askInput struct {
	ByID
	Body struct {
		Person string `json:"person,omitempty" maxLength:"64" doc:"A colleague; absent asks whoever is there"`
	}
}

// askOpinion: POST /cases/{id}/opinions, permission case.work.
func (s *server) askOpinion(ctx context.Context, in *askInput) (*struct{}, error) {
	return nil, s.Cases.AskOpinion(ctx, auth.Actor(ctx), casework.ID(in.ID), party.PersonID(in.Body.Person))
}

type opinionInput struct {
	ByID
	Body struct {
		PurposeTests []notes.PurposeTest `json:"purpose_tests" minItems:"5" maxItems:"5" doc:"All five, with reasons"`
		Reasons      string              `json:"reasons" maxLength:"5000"`
	}
}

// giveOpinion: PUT /cases/{id}/opinions, permission case.read; the room says
// who may.
func (s *server) giveOpinion(ctx context.Context, in *opinionInput) (*struct{}, error) {
	return nil, s.Cases.GiveOpinion(ctx, auth.Actor(ctx), casework.ID(in.ID), casework.Opinion{PurposeTests: in.Body.PurposeTests, Reasons: in.Body.Reasons})
}

// captureBody says what an uploaded capture shows.
type captureBody struct {
	Location string `json:"location,omitempty" maxLength:"64" doc:"Identifier of a location of the case; absent for the case as a whole"`
}

type captureInput struct {
	ByID
	Stream
}

type idBody struct {
	ID string `json:"id"`
}

// addCapture: POST /cases/{id}/captures, permission case.work. Evidence is
// streamed into the vault, so one call brings one file.
func (s *server) addCapture(ctx context.Context, in *captureInput) (*one[idBody], error) {
	var body captureBody
	files, err := s.form(ctx, in.r, "capture", &body)
	if err != nil {
		return nil, err
	}
	for f, err := range files {
		if err != nil {
			return nil, err
		}
		id, err := s.Cases.AddCapture(ctx, auth.Actor(ctx), casework.ID(in.ID), report.LocationID(body.Location),
			[]casework.Upload{{Name: f.Name, MediaType: f.MediaType, Content: f.Content}})
		if err != nil {
			return nil, err
		}
		return answer(idBody{string(id)}), nil
	}
	return nil, fault.New(fault.Invalid, "fault.required").At("/file")
}

type captureRequest struct {
	ByID
	Body struct {
		Location string `json:"location" minLength:"1" maxLength:"64" doc:"Identifier of a location of the case"`
	}
}

// requestCapture: POST /cases/{id}/captures/requests, permission case.work.
func (s *server) requestCapture(ctx context.Context, in *captureRequest) (*one[idBody], error) {
	id, err := s.Cases.RequestCapture(ctx, auth.Actor(ctx), casework.ID(in.ID), report.LocationID(in.Body.Location))
	if err != nil {
		return nil, err
	}
	return answer(idBody{string(id)}), nil
}

type whyInput struct {
	ByID
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"5000" doc:"Sealed"`
	}
}

// noCapture: PUT /cases/{id}/no-capture, permission case.work.
func (s *server) noCapture(ctx context.Context, in *whyInput) (*struct{}, error) {
	return nil, s.Cases.NoCaptureReason(ctx, auth.Actor(ctx), casework.ID(in.ID), in.Body.Why)
}

type captureFileInput struct {
	File string `path:"file" maxLength:"64"`
}

// openCapture: GET /captures/files/{file}, permission case.evidence. Every
// opening is on record.
func (s *server) openCapture(ctx context.Context, in *captureFileInput) (*huma.StreamResponse, error) {
	f, err := s.Cases.OpenCapture(ctx, auth.Actor(ctx), casework.FileID(in.File))
	if err != nil {
		return nil, err
	}
	return s.download(f.Name, f.MediaType, f.Ref.Size, f.Content), nil
}

type closeInput struct {
	Body struct {
		IDs    []string `json:"ids" minItems:"1" maxItems:"200" uniqueItems:"true" doc:"Cases; all of them are closed or none"`
		Reason string   `json:"reason" enum:"no-ground,true-purpose,not-public,other-jurisdiction,gone,duplicate,not-enough,not-necessary"`
		Text   string   `json:"text,omitempty" maxLength:"5000" doc:"Sealed"`
	}
}

type closingBody struct {
	Undo  string    `json:"undo" doc:"Token for /cases/undo, for the same person"`
	Until time.Time `json:"until"`
	Cases []string  `json:"cases"`
}

// closeCases: POST /cases/close, permission case.work.
func (s *server) closeCases(ctx context.Context, in *closeInput) (*one[closingBody], error) {
	c, err := s.Cases.Close(ctx, auth.Actor(ctx), words[casework.ID](in.Body.IDs), casework.CloseInput{Reason: in.Body.Reason, Text: in.Body.Text})
	if err != nil {
		return nil, err
	}
	return answer(closingBody{c.Token, c.Until, texts(c.Cases)}), nil
}

type undoInput struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"64"`
	}
}

type undoneBody struct {
	Restored []string `json:"restored"`
	Kept     []string `json:"kept" doc:"Somebody has acted on them since"`
}

// undoClosing: POST /cases/undo, permission case.work.
func (s *server) undoClosing(ctx context.Context, in *undoInput) (*one[undoneBody], error) {
	u, err := s.Cases.Undo(ctx, auth.Actor(ctx), in.Body.Token)
	if err != nil {
		return nil, err
	}
	return answer(undoneBody{texts(u.Restored), texts(u.Kept)}), nil
}

type holdInput struct {
	ByID
	Body struct {
		Reason  string `json:"reason" enum:"operation,court,partner-inquiry"`
		Minutes int    `json:"minutes" minimum:"1" maximum:"4320" doc:"At most the pack's term"`
	}
}

// holdCase: POST /cases/{id}/hold, permission case.work.
func (s *server) holdCase(ctx context.Context, in *holdInput) (*struct{}, error) {
	return nil, s.Cases.Hold(ctx, auth.Actor(ctx), casework.ID(in.ID), in.Body.Reason, time.Duration(in.Body.Minutes)*time.Minute)
}

type endHoldInput struct {
	ByID
	Body struct {
		Outcome string `json:"outcome" enum:"go-on,not-needed,handed-over"`
	}
}

// endHold: POST /cases/{id}/hold/end, permission case.work.
func (s *server) endHold(ctx context.Context, in *endHoldInput) (*struct{}, error) {
	return nil, s.Cases.EndHold(ctx, auth.Actor(ctx), casework.ID(in.ID), in.Body.Outcome)
}
