package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

// OwnDocument is a platform's own canonical document with its signature.
type OwnDocument struct {
	Document  []byte         `json:"document,omitempty" doc:"Canonical bytes of the platform's own document, base64"`
	Signature *signatureBody `json:"signature,omitempty" doc:"Over the document's digest; needed with it"`
}

func (d OwnDocument) sig() *notice.Sig {
	if d.Signature == nil {
		return nil
	}
	sig := d.Signature.sig()
	return &sig
}

type receiveInput struct {
	ByID
	Body struct {
		OwnDocument
		Name      string `json:"name,omitempty" maxLength:"200" doc:"Desk or person, if the platform names one"`
		UTCOffset string `json:"utc_offset,omitempty" maxLength:"6" doc:"Of the platform's clock" example:"+07:00"`
	}
}

// receiveNotice: POST /notices/{id}/receive, permission notice.receive. The
// answer clock starts.
func (s *server) receiveNotice(ctx context.Context, in *receiveInput) (*one[NoticeBody], error) {
	by := auth.Actor(ctx)
	n, err := s.Notices.Receive(ctx, by, notice.ID(in.ID), notice.ReceiptInput{
		Channel: notes.ChannelAPI, Name: in.Body.Name, UTCOffset: in.Body.UTCOffset, Document: in.Body.Document, Sig: in.Body.sig(),
	})
	if err != nil {
		return nil, err
	}
	return answer(outward(by, noticeOf(n))), nil
}

type answerInput struct {
	ByID
	Body struct {
		OwnDocument
		Rows              []notes.Row `json:"rows,omitempty" maxItems:"10000" doc:"One for each item; which fields an answer needs is in notes/schema/answer.json"`
		PlatformReference string      `json:"platform_reference,omitempty" maxLength:"200"`
		UTCOffset         string      `json:"utc_offset,omitempty" maxLength:"6" example:"+07:00"`
	}
}

type rowBody struct {
	Row     int         `json:"row" doc:"From 1, in the order given"`
	Ref     string      `json:"ref"`
	N       int         `json:"n"`
	OK      bool        `json:"ok"`
	Changed bool        `json:"changed" doc:"False when the same was answered before"`
	Problem *rowProblem `json:"problem,omitempty"`
}

type rowProblem struct {
	Code   string `json:"code"`
	Detail string `json:"detail" doc:"In the caller's language"`
	Errors []Part `json:"errors"`
}

func (s *server) rowReport(ctx context.Context, r notice.RowReport) rowBody {
	out := rowBody{Row: r.Row, Ref: r.Ref, N: r.N, OK: r.OK, Changed: r.Changed}
	if r.Problem != nil {
		out.OK = false
		p := say(printer(ctx), r.Problem, "", "body")
		out.Problem = &rowProblem{p.Code, p.Detail, append([]Part{}, p.Errors...)}
	}
	return out
}

type answeredBody struct {
	Notice NoticeBody `json:"notice"`
	Rows   []rowBody  `json:"rows"`
}

// answerNotice: POST /notices/{id}/answers, permission notice.answer. Each row
// is judged by itself.
func (s *server) answerNotice(ctx context.Context, in *answerInput) (*one[answeredBody], error) {
	by := auth.Actor(ctx)
	if len(in.Body.Rows) == 0 && len(in.Body.Document) == 0 {
		return nil, fault.New(fault.Invalid, "fault.required").At("/rows")
	}
	res, err := s.Notices.Answer(ctx, by, notice.ID(in.ID), notice.AnswerInput{
		Rows: in.Body.Rows, Channel: notes.ChannelAPI, PlatformReference: in.Body.PlatformReference, UTCOffset: in.Body.UTCOffset,
		Document: in.Body.Document, Sig: in.Body.sig(),
	})
	if err != nil {
		return nil, err
	}
	out := answeredBody{Notice: outward(by, noticeOf(res.Notice)), Rows: []rowBody{}}
	for _, r := range res.Rows {
		out.Rows = append(out.Rows, s.rowReport(ctx, r))
	}
	return answer(out), nil
}

// maxLine bounds one line of a bulk call in bytes.
const maxLine = 64 << 10

// bulkLine is one line of a bulk call.
type bulkLine struct {
	Reference string `json:"reference,omitempty" doc:"Of the notice"`
	URL       string `json:"url,omitempty" doc:"Names the item where n is absent"`
	notes.Row
}

type tallyBody struct {
	Done     bool     `json:"done"`
	Rows     int      `json:"rows"`
	OK       int      `json:"ok"`
	Changed  int      `json:"changed"`
	Problems int      `json:"problems"`
	Problem  *Problem `json:"problem,omitempty" doc:"Why the call ended early"`
}

type bulkInput struct{ Stream }

// answerBulk: POST /answers, permission notice.answer: at most 10,000 rows of
// any notices, as NDJSON or CSV, in and out as a stream. Every line of the
// answer is the report of one row, the last one the tally.
func (s *server) answerBulk(ctx context.Context, in *bulkInput) (*huma.StreamResponse, error) {
	body := http.MaxBytesReader(nil, in.r.Body, maxBuffered)
	var rows iter.Seq2[notice.BulkRow, error]
	switch mediaType(in.r) {
	case "application/x-ndjson", "application/jsonl":
		rows = ndjson(body)
	case "text/csv":
		rows = notice.ReadCSV(body)
	default:
		return nil, fault.New(fault.Invalid, "api.media-type")
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		_ = http.NewResponseController(w).EnableFullDuplex() // without it the answer follows the whole request
		hctx.SetHeader("Content-Type", "application/x-ndjson")
		hctx.SetStatus(http.StatusOK)
		out := json.NewEncoder(hctx.BodyWriter())
		out.SetEscapeHTML(false)
		t, err := s.Notices.AnswerBulk(ctx, auth.Actor(ctx), rows, notice.AnswerInput{Channel: notes.ChannelAPI}, func(r notice.RowReport) error {
			return out.Encode(s.rowReport(ctx, r))
		})
		last := tallyBody{err == nil, t.Rows, t.OK, t.Changed, t.Problems, nil}
		if err != nil {
			last.Problem = s.problem(ctx, err)
		}
		_ = out.Encode(last) // a caller that left needs no tally
	}}, nil
}

// ndjson reads rows, one a line. A line that cannot be read is the fault of
// its row, and reading goes on.
func ndjson(r io.Reader) iter.Seq2[notice.BulkRow, error] {
	return func(yield func(notice.BulkRow, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(make([]byte, 0, 4096), maxLine)
		for in.Scan() {
			line := bytes.TrimSpace(in.Bytes())
			if len(line) == 0 {
				continue
			}
			if !yield(readLine(line)) {
				return
			}
		}
		switch err := in.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(notice.BulkRow{}, fault.New(fault.Invalid, "api.too-large", "Max", "64 kB"))
		case err != nil:
			yield(notice.BulkRow{}, bodyFault(err))
		}
	}
}

func readLine(line []byte) (notice.BulkRow, error) {
	if err := checkJSON(line); err != nil {
		return notice.BulkRow{}, err
	}
	var row bulkLine
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&row); err != nil {
		f := fault.New(fault.Invalid, "api.row").Because(err)
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			f = f.At("/" + escape(wrong.Field))
		}
		return notice.BulkRow{}, f
	}
	return notice.BulkRow{Ref: row.Reference, URL: row.URL, Row: row.Row}, nil
}

// lines documents the bodies of a bulk call.
func lines(r *route) {
	r.document = func(registry huma.Registry, op *huma.Operation) {
		text := &huma.Schema{Type: huma.TypeString}
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/x-ndjson": {Schema: text, Example: `{"reference":"DEMO-PH-2026-01192","n":1,"answer":"removed","at":"2026-11-19T08:00:00Z","basis":"this-order"}`},
			"text/csv":             {Schema: text, Example: "reference,item,answer,at,basis\nDEMO-PH-2026-01192,1,removed,2026-11-19T08:00:00Z,this-order\n"},
		}}
	}
}

// answerTemplate: GET /answers/template, permission notice.answer: the open
// items as a file to be filled in.
func (s *server) answerTemplate(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	var b bytes.Buffer
	if err := s.Notices.WriteCSV(ctx, auth.Actor(ctx), printer(ctx).Lang(), &b); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", "text/csv; charset=utf-8")
		hctx.SetHeader("Content-Disposition", `attachment; filename="answers.csv"`)
		hctx.SetStatus(http.StatusOK)
		_, _ = hctx.BodyWriter().Write(b.Bytes()) // a caller that left needs no answer
	}}, nil
}
