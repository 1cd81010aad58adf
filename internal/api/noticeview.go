package api

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

type chainBody struct {
	Step   string     `json:"step"`
	Party  string     `json:"party"`
	Name   string     `json:"party_name"`
	Role   string     `json:"role"`
	Person string     `json:"person" doc:"Empty for the platform"`
	Key    string     `json:"key"`
	Method string     `json:"method"`
	At     *time.Time `json:"at,omitempty" doc:"Absent while to come"`
}

type givenBody struct {
	Version int       `json:"version"`
	Call    string    `json:"call"`
	Answer  notes.Row `json:"answer"`
	At      time.Time `json:"at"`
	Late    bool      `json:"late"`
}

type pauseBody struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`
	Ground     string     `json:"ground"`
	Text       string     `json:"text"`
	From       time.Time  `json:"from"`
	Until      *time.Time `json:"until,omitempty"`
	Ended      *time.Time `json:"ended,omitempty"`
	Resolution string     `json:"resolution"`
}

type itemBody struct {
	N           int          `json:"n"`
	URL         string       `json:"url" doc:"Canonical, not defanged"`
	Location    string       `json:"location"`
	Platform    string       `json:"platform"`
	Kind        string       `json:"kind"`
	ContentType string       `json:"content_type"`
	Language    string       `json:"language"`
	State       string       `json:"state"`
	Answer      string       `json:"answer"`
	AnsweredAt  *time.Time   `json:"answered_at,omitempty"`
	VerifiedAt  *time.Time   `json:"verified_at,omitempty"`
	DueAt       *time.Time   `json:"due_at,omitempty"`
	Reopened    int          `json:"reopened"`
	Clock       string       `json:"clock"`
	History     []givenBody  `json:"history" doc:"Every version of the answer, oldest first"`
	Pauses      []pauseBody  `json:"pauses"`
	Acts        []buttonBody `json:"acts"`
}

func (s *server) itemOf(ctx context.Context, i notice.ItemView) itemBody {
	out := itemBody{
		N: i.N, URL: i.URL, Location: string(i.LocationID), Platform: i.Platform, Kind: i.Kind, ContentType: i.ContentType, Language: i.Language,
		State: string(i.State), Answer: string(i.Answer), AnsweredAt: at(i.AnsweredAt), VerifiedAt: at(i.VerifiedAt), DueAt: at(i.DueAt),
		Reopened: i.Reopened, Clock: string(i.Clock.State), History: []givenBody{}, Pauses: []pauseBody{}, Acts: []buttonBody{},
	}
	for _, h := range i.History {
		out.History = append(out.History, givenBody{h.Version, h.Call, h.Row, h.At, h.Late})
	}
	for _, p := range i.Pauses {
		out.Pauses = append(out.Pauses, pauseBody{p.ID, string(p.Kind), string(p.Ground), p.Text, p.From, at(p.Until), at(p.Ended), p.Resolution})
	}
	for _, b := range i.Buttons {
		out.Acts = append(out.Acts, s.button(ctx, string(b.Event), b.Open, b.Why))
	}
	return out
}

type lineBody struct {
	ID     string    `json:"id"`
	Party  string    `json:"party"`
	Person string    `json:"person"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}

func lineOf(m notice.Message) lineBody {
	return lineBody{m.ID, string(m.Party), string(m.Person), m.Text, m.At}
}

type proofBody struct {
	ID      string    `json:"id"`
	Channel string    `json:"channel" doc:"api, webhook, portal, mail or paper"`
	Step    string    `json:"step"`
	Result  string    `json:"result"`
	Party   string    `json:"party"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
}

func proofOf(d notice.DeliveryStep) proofBody {
	return proofBody{d.ID, d.Channel, d.Step, d.Result, string(d.Party), d.At, d.Text}
}

type deemedBody struct {
	Methods     []string   `json:"methods"`
	Text        string     `json:"text"`
	ProposedBy  string     `json:"proposed_by"`
	ProposedAt  time.Time  `json:"proposed_at"`
	ConfirmedBy string     `json:"confirmed_by"`
	ConfirmedAt *time.Time `json:"confirmed_at,omitempty"`
}

type attachmentBody struct {
	ID        string    `json:"id"`
	Purpose   string    `json:"purpose"`
	Name      string    `json:"name"`
	MediaType string    `json:"media_type"`
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`
	At        time.Time `json:"at"`
}

type noticeView struct {
	NoticeBody
	ProposerName string           `json:"proposer_name"`
	Document     json.RawMessage  `json:"document" doc:"What was signed, canonical; its schema is notes/schema/notice.json"`
	Chain        []chainBody      `json:"chain" doc:"Steps done and to come"`
	Items        []itemBody       `json:"items" doc:"The first ones; all by /items"`
	Messages     []lineBody       `json:"messages"`
	Timeline     []entryBody      `json:"timeline"`
	Deliveries   []proofBody      `json:"deliveries" doc:"Proof of delivery"`
	Deemed       *deemedBody      `json:"deemed,omitempty"`
	Files        []attachmentBody `json:"files"`
	PreserveTill *time.Time       `json:"preserve_until,omitempty"`
	Receipt      json.RawMessage  `json:"receipt,omitempty" doc:"The platform's receipt, canonical"`
	Acts         []buttonBody     `json:"acts" doc:"What the caller may do now"`
}

type noticeOut struct {
	ETag string `header:"ETag" doc:"Digest of the present version"`
	Body noticeView
}

// getNotice: GET /notices/{id}, permission notice.read. A platform's program
// that reads it has it: that stands in the proof of delivery.
func (s *server) getNotice(ctx context.Context, in *ByID) (*noticeOut, error) {
	by := auth.Actor(ctx)
	v, err := s.Notices.Get(ctx, by, notice.ID(in.ID))
	if err != nil {
		return nil, err
	}
	out := noticeView{
		NoticeBody: outward(by, rowOf(v.Row)), ProposerName: v.ProposerName, Document: v.Canonical, PreserveTill: at(v.PreserveTill),
		Receipt: v.ReceiptDoc, Chain: []chainBody{}, Items: []itemBody{}, Messages: allOf(v.Messages, lineOf).Body.Items,
		Timeline: []entryBody{}, Deliveries: allOf(v.Deliveries, proofOf).Body.Items, Files: []attachmentBody{}, Acts: []buttonBody{},
	}
	for _, c := range v.Chain {
		out.Chain = append(out.Chain, chainBody{string(c.Step), string(c.Party), c.PartyName, string(c.Role), string(c.Person), string(c.Key), string(c.Method), at(c.At)})
	}
	for _, i := range v.Items {
		out.Items = append(out.Items, s.itemOf(ctx, i))
	}
	for _, e := range v.Timeline {
		out.Timeline = append(out.Timeline, entryOf(by, e))
	}
	for _, f := range v.Files {
		out.Files = append(out.Files, attachmentBody{f.ID, f.Purpose, f.Name, f.MediaType, f.Size, f.SHA256, f.At})
	}
	if d := v.Deemed; d != nil {
		out.Deemed = &deemedBody{texts(d.Methods), d.Text, string(d.ProposedBy), d.ProposedAt, string(d.ConfirmedBy), at(d.ConfirmedAt)}
	}
	for _, b := range v.Buttons {
		out.Acts = append(out.Acts, s.button(ctx, string(b.Event), b.Open, b.Why))
	}
	return &noticeOut{ETag: `"` + out.Digest + `"`, Body: out}, nil
}

type listItemsInput struct {
	ByID
	Paging
}

// listItems: GET /notices/{id}/items, permission notice.read.
func (s *server) listItems(ctx context.Context, in *listItemsInput) (*listOut[itemBody], error) {
	after, err := number(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Notices.Items(ctx, auth.Actor(ctx), notice.ID(in.ID), int(after), in.Limit)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(rows) == in.Limit {
		next = strconv.Itoa(rows[len(rows)-1].N)
	}
	return pageOf(&in.Paging, rows, next, func(i notice.ItemView) itemBody { return s.itemOf(ctx, i) }), nil
}

type verifyInput struct {
	ByID
	Body struct {
		Items []int `json:"items" minItems:"1" maxItems:"1000" uniqueItems:"true" doc:"Numbers of items whose answers were checked"`
	}
}

// verifyItems: POST /notices/{id}/items/verify, permission notice.verify.
func (s *server) verifyItems(ctx context.Context, in *verifyInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Verify(ctx, auth.Actor(ctx), notice.ID(in.ID), in.Body.Items))
}

// ItemInput names one item of a notice.
type ItemInput struct {
	ByID
	N int `path:"n" minimum:"1" maximum:"100000"`
}

type reopenInput struct {
	ItemInput
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"5000" doc:"Goes into the conversation; sealed"`
	}
}

// reopenItem: POST /notices/{id}/items/{n}/reopen, permission notice.verify.
func (s *server) reopenItem(ctx context.Context, in *reopenInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Reopen(ctx, auth.Actor(ctx), notice.ID(in.ID), in.N, in.Body.Why))
}

type resolveInput struct {
	ItemInput
	Body struct {
		How  string `json:"how" enum:"answer,refuse,consent" doc:"Answer the question, refuse the pause, or allow one more"`
		Text string `json:"text,omitempty" maxLength:"5000" doc:"Sealed; needed to answer or refuse"`
	}
}

// resolvePause: POST /notices/{id}/items/{n}/pause, permission notice.verify.
func (s *server) resolvePause(ctx context.Context, in *resolveInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.ResolvePause(ctx, auth.Actor(ctx), notice.ID(in.ID), notice.ResolveInput{
		Item: in.N, How: notice.Resolution(in.Body.How), Text: in.Body.Text,
	}))
}

// listMessages: GET /notices/{id}/messages, permission notice.read.
func (s *server) listMessages(ctx context.Context, in *ByID) (*listOut[lineBody], error) {
	all, err := s.Notices.Messages(ctx, auth.Actor(ctx), notice.ID(in.ID))
	if err != nil {
		return nil, err
	}
	return allOf(all, func(m notice.Message) lineBody {
		l := lineOf(m)
		if m.Party != auth.Actor(ctx).Party {
			l.Person = "" // another organisation's staff stay unnamed
		}
		return l
	}), nil
}

// writeMessage: POST /notices/{id}/messages, permission notice.write.
func (s *server) writeMessage(ctx context.Context, in *replyInput) (*struct{}, error) {
	return nil, s.Notices.Write(ctx, auth.Actor(ctx), notice.ID(in.ID), in.Body.Text)
}

// listNoticeDeliveries: GET /notices/{id}/deliveries, permission notice.read.
func (s *server) listNoticeDeliveries(ctx context.Context, in *ByID) (*listOut[proofBody], error) {
	v, err := s.Notices.Get(ctx, auth.Actor(ctx), notice.ID(in.ID))
	if err != nil {
		return nil, err
	}
	return allOf(v.Deliveries, proofOf), nil
}

// serviceBody is service on paper or by hand.
type serviceBody struct {
	Text string     `json:"text" minLength:"1" maxLength:"5000" doc:"By whom, to whom, where; sealed"`
	At   *time.Time `json:"at,omitempty" doc:"When it was handed over; absent for now"`
}

type noticeUpload struct {
	ByID
	Stream
}

// serveOnPaper: POST /notices/{id}/service, permission notice.verify.
func (s *server) serveOnPaper(ctx context.Context, in *noticeUpload) (*struct{}, error) {
	var body serviceBody
	files, err := s.attachments(ctx, in, "service", &body)
	if err != nil {
		return nil, err
	}
	service := notice.Service{Text: body.Text, Files: files}
	if body.At != nil {
		service.At = body.At.UTC()
	}
	return nil, s.Notices.ServeOnPaper(ctx, auth.Actor(ctx), notice.ID(in.ID), service)
}

// deemBody is what two people rest deemed service on.
type deemBody struct {
	Methods []string `json:"methods" minItems:"1" maxItems:"5" enum:"api,webhook,portal,mail,paper" doc:"Channels by which service was tried, each on record"`
	Text    string   `json:"text" minLength:"1" maxLength:"5000" doc:"What was done; sealed"`
}

// proposeDeemed: POST /notices/{id}/deemed, permission notice.deem.
func (s *server) proposeDeemed(ctx context.Context, in *noticeUpload) (*struct{}, error) {
	var body deemBody
	files, err := s.attachments(ctx, in, "evidence", &body)
	if err != nil {
		return nil, err
	}
	return nil, s.Notices.ProposeDeemed(ctx, auth.Actor(ctx), notice.ID(in.ID), notice.Evidence{Methods: body.Methods, Text: body.Text, Files: files})
}

// confirmDeemed: POST /notices/{id}/deemed/confirm, permission notice.deem.
func (s *server) confirmDeemed(ctx context.Context, in *ByID) (*one[NoticeBody], error) {
	by := auth.Actor(ctx)
	if _, err := s.Notices.Canonical(ctx, by, notice.ID(in.ID)); err != nil {
		return nil, err // whoever may not read it is not told what was proposed either
	}
	return s.moved(s.Notices.ConfirmDeemed(ctx, by, notice.ID(in.ID)))
}

// attachments reads a body with its files, scans of some pages each, which are
// held in memory until the room has sealed them.
func (s *server) attachments(ctx context.Context, in *noticeUpload, name string, body any) ([]notice.Upload, error) {
	files, err := s.form(ctx, in.r, name, body)
	if err != nil {
		return nil, err
	}
	var out []notice.Upload
	left := int64(maxBuffered)
	for f, err := range files {
		if err != nil {
			return nil, err
		}
		content, size, err := held(f.Content, left)
		if err != nil {
			return nil, err
		}
		left -= size
		out = append(out, notice.Upload{Name: f.Name, MediaType: f.MediaType, Content: content})
	}
	return out, nil
}

type noticeFileInput struct {
	ByID
	File string `path:"file" maxLength:"64"`
}

// openNoticeFile: GET /notices/{id}/files/{file}, permission notice.read. That
// it was opened is on record.
func (s *server) openNoticeFile(ctx context.Context, in *noticeFileInput) (*huma.StreamResponse, error) {
	f, content, err := s.Notices.OpenFile(ctx, auth.Actor(ctx), notice.ID(in.ID), in.File)
	if err != nil {
		return nil, err
	}
	return s.download(f.Name, f.MediaType, f.Size, content), nil
}
