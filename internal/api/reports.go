package api

import (
	"context"
	"io"
	"iter"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// submitBody is a report as a program or a person sends it.
type submitBody struct {
	Locations   []string `json:"locations,omitempty" maxItems:"1000" doc:"Links or handles, as found; none only if a file comes with it" example:"[\"https://ruangsuara.example/v/9931\"]"`
	Category    string   `json:"category" enum:"incitement,recruitment,instructions,financing,threat,unsure" doc:"What it seems to be about; orders nothing"`
	Description string   `json:"description,omitempty" maxLength:"5000" doc:"Sealed; only the agency opens it"`
	HurtSoon    bool     `json:"hurt_soon,omitempty" doc:"Somebody will be hurt soon: the agency's duty is called to look. This is no emergency call; call the emergency number first"`
	Lang        string   `json:"lang,omitempty" enum:"id,en" doc:"Language of the timeline; that of the request if absent"`
	Agency      string   `json:"agency,omitempty" maxLength:"40" doc:"Code of an agency, see /reports/agencies; absent leaves it to the jurisdiction's rules"`
	Contact     string   `json:"contact,omitempty" maxLength:"500" doc:"How to reach you; sealed to its holder, usually absent"`
}

// WorkHeader is what a request of the public's pays with.
type WorkHeader struct {
	Work string `header:"Work" maxLength:"200" doc:"A ticket of /reports/tickets, a full stop and the number found for it: asked for by the problem admit.work while very many report, and never of a key whose person may read reports: one of an agency, an authority, law enforcement or a helpline" example:"AA…w.48213"`
}

type submitInput struct {
	Stream
	WorkHeader
	Token string `header:"Idempotency-Key" maxLength:"200" doc:"A token of /reports/tokens: the same report sent again with it gets the same receipt"`
}

type receiptBody struct {
	Receipt string `json:"receipt" doc:"Shown this once; whoever holds it is the reporter" example:"TGK-7Q4M-92XK-D3VR-8WPN"`
	Ref     string `json:"ref" doc:"Public reference"`
}

// submitReport: POST /reports, public.
func (s *server) submitReport(ctx context.Context, in *submitInput) (*one[receiptBody], error) {
	var body submitBody
	files, err := s.form(ctx, in.r, "report", &body)
	if err != nil {
		return nil, err
	}
	if body.Lang == "" {
		body.Lang = string(printer(ctx).Lang())
	}
	channel := report.API
	var from party.ID
	if by := auth.Actor(ctx); by.Known() {
		from = by.Party
	}
	if isPartner(auth.Actor(ctx)) {
		channel = report.Partner
	}
	spend, err := s.pay(ctx, in.Work)
	if err != nil {
		return nil, err
	}
	got, err := s.Reports.Submit(ctx, report.Submission{
		Channel: channel, From: from, Locations: body.Locations, Category: report.Category(body.Category), Description: body.Description, Soon: body.HurtSoon,
		Lang: i18n.Lang(body.Lang), Agency: body.Agency, Contact: body.Contact, More: uploads(files), Token: in.Token, Spend: spend,
	})
	if err != nil {
		return nil, err
	}
	return answer(receiptBody{got.Code, got.Ref}), nil
}

// isPartner reports whether what somebody reports is a voice of its own each
// time, opens closed cases again and costs nothing: whoever decides about reports
// themselves, helplines among them. Everybody else who has a key reports as the
// public does (threat-model T04).
func isPartner(by party.Actor) bool {
	return by.Known() && auth.May(by, auth.ReportRead, auth.Object{What: "report", Owner: by.Party}) == nil
}

// uploads turns the parts of a request into a report's files.
func uploads(files iter.Seq2[part, error]) report.Uploads {
	return func(yield func(report.Upload, error) bool) {
		for f, err := range files {
			if !yield(report.Upload{Name: f.Name, MediaType: f.MediaType, Content: f.Content}, err) {
				return
			}
		}
	}
}

// pay lets a report, or what is added to one, of somebody who is no partner pass.
func (s *server) pay(ctx context.Context, work string) (admit.Spend, error) {
	if isPartner(auth.Actor(ctx)) {
		return nil, nil
	}
	ticket, nonce, _ := strings.Cut(work, ".")
	return s.Toll.Pass(ticket, nonce)
}

// payFor is pay for what is added to the report of a receipt; for a wrong one
// nothing is paid.
func (s *server) payFor(ctx context.Context, code, work string) (admit.Spend, error) {
	if _, err := s.Reports.Status(ctx, code); err != nil {
		return nil, err
	}
	return s.pay(ctx, work)
}

type ticketBody struct {
	Ticket string `json:"ticket,omitempty" doc:"Absent while nothing is asked"`
	Bits   int    `json:"bits" doc:"Find a number n below 2^64, so that SHA-256(SHA-256(ticket) and n as eight bytes, the highest first) begins with so many zero bits; then send the report, the message or the material with the header Work: ticket.n, n in decimal. Good for ten minutes and one report."`
}

// newReportTicket: POST /reports/tickets, public.
func (s *server) newReportTicket(context.Context, *struct{}) (*one[ticketBody], error) {
	if s.Toll.Bits() == 0 {
		return answer(ticketBody{}), nil
	}
	k := s.Toll.Work()
	return answer(ticketBody{k.Text, k.Bits}), nil
}

type tokenBody struct {
	Token string `json:"token" doc:"Good for a day, as Idempotency-Key of one report"`
}

// newReportToken: POST /reports/tokens, public.
func (s *server) newReportToken(context.Context, *struct{}) (*one[tokenBody], error) {
	return answer(tokenBody{s.Reports.NewToken()}), nil
}

type agencyBody struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// listAgencies: GET /reports/agencies, public.
func (s *server) listAgencies(ctx context.Context, _ *struct{}) (*listOut[agencyBody], error) {
	all, err := s.Reports.Agencies(ctx)
	if err != nil {
		return nil, err
	}
	return allOf(all, func(a report.Agency) agencyBody { return agencyBody(a) }), nil
}

type stepBody struct {
	Kind string    `json:"kind" example:"in-review"`
	Text string    `json:"text" doc:"The same in the caller's language"`
	At   time.Time `json:"at"`
}

type messageBody struct {
	Side string    `json:"side" doc:"reporter or staff"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

type statusBody struct {
	Ref        string        `json:"ref"`
	Agency     string        `json:"agency" doc:"Name of the agency that has it"`
	Category   string        `json:"category"`
	ReceivedAt time.Time     `json:"received_at"`
	Steps      []stepBody    `json:"steps" doc:"What became of it, oldest first"`
	Messages   []messageBody `json:"messages"`
	Locations  int           `json:"locations"`
	Files      int           `json:"files"`
	HasContact bool          `json:"has_contact"`
}

// ReceiptHeader is the receipt of a request: in a header, never in an address,
// because addresses end in logs.
type ReceiptHeader struct {
	Code string `header:"Receipt" required:"true" maxLength:"100" doc:"The receipt's code" example:"TGK-7Q4M-92XK-D3VR-8WPN"`
}

// getReceipt: GET /receipts, by receipt.
func (s *server) getReceipt(ctx context.Context, in *ReceiptHeader) (*one[statusBody], error) {
	return s.status(ctx, in.Code)
}

type lookInput struct {
	Body struct {
		Receipt string `json:"receipt" maxLength:"100" doc:"The receipt's code"`
	}
}

// lookAtReceipt: POST /receipts, by receipt, for whoever cannot set a header.
func (s *server) lookAtReceipt(ctx context.Context, in *lookInput) (*one[statusBody], error) {
	return s.status(ctx, in.Body.Receipt)
}

func (s *server) status(ctx context.Context, code string) (*one[statusBody], error) {
	got, err := s.Reports.Status(ctx, code)
	if err != nil {
		return nil, err
	}
	return answer(statusBody{
		Ref: got.Ref, Agency: got.Agency, Category: string(got.Category), ReceivedAt: report.Hour(got.ReceivedAt),
		Steps: steps(printer(ctx), got.Steps), Messages: messages(got.Messages),
		Locations: got.Locations, Files: got.Files, HasContact: got.HasContact,
	}), nil
}

func steps(p *i18n.Printer, in []report.Step) []stepBody {
	out := make([]stepBody, 0, len(in))
	for _, st := range in {
		out = append(out, stepBody{st.Kind, st.Text(p), st.At})
	}
	return out
}

func messages(in []report.Message) []messageBody {
	out := make([]messageBody, 0, len(in))
	for _, m := range in {
		out = append(out, messageBody{string(m.Side), m.Text, m.At})
	}
	return out
}

type textBody struct {
	Text string `json:"text" minLength:"1" maxLength:"5000" doc:"Sealed"`
}

type writeInput struct {
	ReceiptHeader
	WorkHeader
	Body textBody
}

// writeToAgency: POST /receipts/messages, by receipt.
func (s *server) writeToAgency(ctx context.Context, in *writeInput) (*struct{}, error) {
	spend, err := s.payFor(ctx, in.Code, in.Work)
	if err != nil {
		return nil, err
	}
	return nil, s.Reports.Write(ctx, in.Code, in.Body.Text, spend)
}

// materialBody is what a reporter adds later.
type materialBody struct {
	Text      string   `json:"text,omitempty" maxLength:"5000" doc:"Sealed"`
	Locations []string `json:"locations,omitempty" maxItems:"1000"`
}

type materialInput struct {
	ReceiptHeader
	WorkHeader
	Stream
}

// addMaterial: POST /receipts/material, by receipt.
func (s *server) addMaterial(ctx context.Context, in *materialInput) (*struct{}, error) {
	var body materialBody
	files, err := s.form(ctx, in.r, "material", &body)
	if err != nil {
		return nil, err
	}
	spend, err := s.payFor(ctx, in.Code, in.Work)
	if err != nil {
		return nil, err
	}
	return nil, s.Reports.AddMaterial(ctx, in.Code, report.Material{Text: body.Text, Locations: body.Locations, More: uploads(files), Spend: spend})
}

type listReportsInput struct {
	Paging
	Channel  string `query:"channel" enum:"web,api,mail,match,watch,partner"`
	Category string `query:"category" enum:"incitement,recruitment,instructions,financing,threat,unsure"`
	Platform string `query:"platform" maxLength:"60" doc:"Key of a platform, see /platforms"`
	Location string `query:"location" maxLength:"40" doc:"Identifier of a location"`
}

type reportSummary struct {
	ID         string    `json:"id"`
	Ref        string    `json:"ref"`
	Channel    string    `json:"channel"`
	Category   string    `json:"category"`
	Lang       string    `json:"lang"`
	ReceivedAt time.Time `json:"received_at"`
	Locations  int       `json:"locations"`
	Files      int       `json:"files"`
	Messages   int       `json:"messages"`
}

// listReports: GET /reports, permission report.read.
func (s *server) listReports(ctx context.Context, in *listReportsInput) (*listOut[reportSummary], error) {
	rows, next, err := s.Reports.List(ctx, auth.Actor(ctx), report.Filter{
		Channel: report.Channel(in.Channel), Category: report.Category(in.Category), Platform: in.Platform,
		Location: report.LocationID(in.Location), Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return pageOf(&in.Paging, rows, next, func(r report.Summary) reportSummary {
		return reportSummary{string(r.ID), r.Ref, string(r.Channel), string(r.Category), r.Lang, r.ReceivedAt, r.Locations, r.Files, r.Messages}
	}), nil
}

type locationBody struct {
	ID       string   `json:"id"`
	URL      string   `json:"url" doc:"Canonical"`
	Defanged string   `json:"defanged" doc:"As it is shown to people"`
	Platform string   `json:"platform" doc:"Key; empty if unknown"`
	Kind     string   `json:"kind"`
	Broad    []string `json:"broad" doc:"Why it is wider than one thing; empty for a narrow one"`
}

func locations(in []report.Location) []locationBody {
	out := make([]locationBody, 0, len(in))
	for _, l := range in {
		out = append(out, locationBody{string(l.ID), l.URL, l.Defanged(), l.Platform, string(l.Kind), texts(l.Broad)})
	}
	return out
}

type fileBody struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	MediaType string    `json:"media_type" doc:"Found by us, not claimed"`
	Size      int64     `json:"size" doc:"Bytes"`
	SHA256    string    `json:"sha256"`
	AddedAt   time.Time `json:"added_at"`
}

type reportBody struct {
	ID          string         `json:"id"`
	Ref         string         `json:"ref"`
	Channel     string         `json:"channel"`
	Category    string         `json:"category"`
	HurtSoon    bool           `json:"hurt_soon" doc:"The reporter says that somebody will be hurt soon"`
	Lang        string         `json:"lang"`
	ReceivedAt  time.Time      `json:"received_at"`
	Description string         `json:"description"`
	Locations   []locationBody `json:"locations"`
	Files       []fileBody     `json:"files"`
	Messages    []messageBody  `json:"messages"`
	Steps       []stepBody     `json:"steps"`
	HasContact  bool           `json:"has_contact"`
	Erased      bool           `json:"erased"`
	Cases       []string       `json:"cases" doc:"Those it is part of, as far as the caller may read them"`
}

// ByID names one object.
type ByID struct {
	ID string `path:"id" maxLength:"64"`
}

// getReport: GET /reports/{id}, permission report.read.
func (s *server) getReport(ctx context.Context, in *ByID) (*one[reportBody], error) {
	r, err := s.Reports.Get(ctx, auth.Actor(ctx), report.ID(in.ID))
	if err != nil {
		return nil, err
	}
	cases, err := s.Cases.OfReport(ctx, auth.Actor(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, c := range cases {
		ids = append(ids, string(c.ID))
	}
	files := make([]fileBody, 0, len(r.Files))
	for _, f := range r.Files {
		files = append(files, fileBody{string(f.ID), f.Name, f.MediaType, f.Size, f.SHA256.String(), f.AddedAt})
	}
	return answer(reportBody{
		ID: string(r.ID), Ref: r.Ref, Channel: string(r.Channel), Category: string(r.Category), HurtSoon: r.Soon, Lang: string(r.Lang),
		ReceivedAt: r.ReceivedAt, Description: r.Description, Locations: locations(r.Locations), Files: files,
		Messages: messages(r.Messages), Steps: steps(printer(ctx), r.Steps), HasContact: r.HasContact, Erased: r.Erased, Cases: ids,
	}), nil
}

type replyInput struct {
	ByID
	Body textBody
}

// replyToReport: POST /reports/{id}/messages, permission report.reply.
func (s *server) replyToReport(ctx context.Context, in *replyInput) (*struct{}, error) {
	return nil, s.Reports.Reply(ctx, auth.Actor(ctx), report.ID(in.ID), in.Body.Text)
}

type reportFileInput struct {
	ByID
	File string `path:"file" maxLength:"64"`
}

// openReportFile: GET /reports/{id}/files/{file}, permission case.evidence.
func (s *server) openReportFile(ctx context.Context, in *reportFileInput) (*huma.StreamResponse, error) {
	f, content, err := s.Reports.OpenFile(ctx, auth.Actor(ctx), report.ID(in.ID), report.FileID(in.File))
	if err != nil {
		return nil, err
	}
	return s.download(f.Name, f.MediaType, f.Size, content), nil
}

// download gives evidence out so that no browser shows or runs it. A content
// that proves damaged on the way cuts the connection: the length was promised.
func (s *server) download(name, mediaType string, size int64, content io.ReadCloser) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer content.Close() //nolint:errcheck // read only
		ctx.SetHeader("Content-Type", "application/octet-stream")
		ctx.SetHeader("Tangkal-Media-Type", mediaType)
		ctx.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		ctx.SetHeader("Content-Security-Policy", "sandbox; default-src 'none'")
		ctx.SetHeader("Content-Length", strconv.FormatInt(size, 10))
		ctx.SetStatus(http.StatusOK)
		if _, err := io.Copy(ctx.BodyWriter(), content); err != nil {
			s.Log.WarnContext(ctx.Context(), "api: a download broke off", "error", logbook.Anonymous(err))
			panic(http.ErrAbortHandler)
		}
	}}
}
