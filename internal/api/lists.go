package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
)

func (s *server) listRoutes() []route {
	const lists, registers = flagger.Reports, flagger.Register
	return []route{
		on(s, "POST", "/lists", auth.ListSend, "lists.add", s.addList(lists), created, reads(listSent{}, "list")),
		on(s, "GET", "/lists", auth.ListRead, "lists.list", s.listLists(lists)),
		on(s, "GET", "/lists/{id}", auth.ListRead, "lists.get", s.getList(lists)),
		on(s, "PUT", "/lists/{id}/columns", auth.ListSend, "lists.columns", s.setListColumns(lists)),
		on(s, "POST", "/lists/{id}/start", auth.ListSend, "lists.start", s.startList(lists), accepted),
		on(s, "GET", "/lists/{id}/faults", auth.ListRead, "lists.faults", s.listFaults(lists), octets),
		on(s, "DELETE", "/lists/{id}", auth.ListSend, "lists.discard", s.discardList(lists)),
		on(s, "POST", "/lists/{id}/undo", auth.ListSend, "lists.undo", s.undoList(lists), accepted),
		on(s, "POST", "/registers", auth.RegisterSend, "registers.add", s.addList(registers), created, reads(listSent{}, "list")),
		on(s, "GET", "/registers", auth.RegisterRead, "registers.list", s.listLists(registers)),
		on(s, "GET", "/registers/{id}", auth.RegisterRead, "registers.get", s.getList(registers)),
		on(s, "PUT", "/registers/{id}/columns", auth.RegisterSend, "registers.columns", s.setListColumns(registers)),
		on(s, "POST", "/registers/{id}/start", auth.RegisterSend, "registers.start", s.startList(registers), accepted),
		on(s, "GET", "/registers/{id}/faults", auth.RegisterRead, "registers.faults", s.listFaults(registers), octets),
		on(s, "DELETE", "/registers/{id}", auth.RegisterSend, "registers.discard", s.discardList(registers)),
		on(s, "POST", "/registers/{id}/undo", auth.RegisterSend, "registers.undo", s.undoList(registers)),
		on(s, "GET", "/cases/{id}/before", auth.CaseRead, "cases.before", s.decidedBefore),
	}
}

// listSent is what comes with a list.
type listSent struct {
	Lang    string   `json:"lang,omitempty" enum:"id,en" doc:"Language of the reports; that of the request if absent"`
	Columns []string `json:"columns,omitempty" maxItems:"40" doc:"What each column holds: location, note, hint, reference, found, or of a register location, decided, reference, decision, ground, platform, standing, note; an empty word for what is left alone. Absent leaves it to the headings" example:"[\"location\",\"note\",\"\"]"`
}

type listBody struct {
	ID        string         `json:"id"`
	State     string         `json:"state" enum:"draft,running,done,undone"`
	Name      string         `json:"name" doc:"Of the file; empty once its rows are gone"`
	Sheet     string         `json:"sheet" doc:"Of the workbook that was read; empty of text"`
	Lines     int            `json:"lines" doc:"Rows below the header"`
	Next      int            `json:"next" doc:"Rows that are done"`
	Made      int            `json:"made" doc:"Rows that became reports, or entries of a register"`
	Again     int            `json:"again" doc:"Rows that your organisation had sent before"`
	Wrong     int            `json:"wrong" doc:"Rows that became nothing: they could not be read, or were refused; the row says why"`
	Back      int            `json:"back" doc:"Reports that were taken back; the others had been taken up"`
	Party     string         `json:"party" doc:"Organisation that sent it"`
	CreatedAt time.Time      `json:"created_at"`
	Columns   []listColumn   `json:"columns"`
	Counts    map[string]int `json:"counts,omitempty" doc:"Rows by outcome: ready, reported, kept, before, faulty"`
	Rows      []listRow      `json:"rows,omitempty" doc:"Those asked for"`
}

type listColumn struct {
	Name  string `json:"name" doc:"Its heading, or its letter"`
	Holds string `json:"holds" doc:"A field, or empty"`
}

type listRow struct {
	N         int         `json:"n" doc:"As a spreadsheet numbers it"`
	Outcome   string      `json:"outcome" enum:"ready,reported,kept,before,faulty"`
	Locations []string    `json:"locations" doc:"Canonical"`
	Note      string      `json:"note"`
	Category  string      `json:"category"`
	Reference string      `json:"reference" doc:"Your own"`
	Found     string      `json:"found" doc:"Day, as 2026-11-22; empty if none"`
	Ref       string      `json:"ref" doc:"Public reference of the report"`
	Step      string      `json:"step" doc:"What became of it last, as its reporter is told"`
	Entry     string      `json:"entry,omitempty" doc:"That the row of a register became"`
	Past      *pastBody   `json:"past,omitempty" doc:"What the row of a register says"`
	Faults    []listFault `json:"faults"`
}

// pastBody is what an old register says of a decision, in its words.
type pastBody struct {
	Decided   string `json:"decided" doc:"Day, as 2019-11-22; empty if none"`
	Decision  string `json:"decision"`
	Ground    string `json:"ground"`
	Platform  string `json:"platform"`
	Standing  string `json:"standing"`
	Withdrawn bool   `json:"withdrawn" doc:"Its standing says that it no longer stands"`
}

func pastOf(p flagger.Past) *pastBody {
	out := &pastBody{Decision: p.Decision, Ground: p.Ground, Platform: p.Service, Standing: p.Standing, Withdrawn: p.Withdrawn}
	if !p.Decided.IsZero() {
		out.Decided = p.Decided.Format(time.DateOnly)
	}
	return out
}

// A registerEntry is a decision of before.
type registerEntry struct {
	ID        string   `json:"id"`
	Register  string   `json:"register" doc:"That it came with"`
	N         int      `json:"n" doc:"Its row, as a spreadsheet numbers it"`
	Reference string   `json:"reference" doc:"The register's own"`
	Locations []string `json:"locations" doc:"Canonical"`
	Note      string   `json:"note"`
	Past      pastBody `json:"past"`
}

type listFault struct {
	Column string `json:"column" doc:"Empty for the whole row"`
	Value  string `json:"value"`
	Code   string `json:"code"`
	Text   string `json:"text" doc:"What is wrong and what would be right"`
}

func listOf(l flagger.List, head []string) listBody {
	out := listBody{
		ID: string(l.ID), State: string(l.State), Name: l.Name, Sheet: l.Sheet, Lines: l.Lines, Next: l.Next, Made: l.Made, Again: l.Again, Wrong: l.Wrong, Back: l.Back, Party: string(l.Party),
		CreatedAt: l.CreatedAt, Columns: []listColumn{},
	}
	for i, f := range l.Columns {
		out.Columns = append(out.Columns, listColumn{flagger.ColumnName(head, i), string(f)})
	}
	return out
}

func listViewOf(p *i18n.Printer, v flagger.View) listBody {
	out := listOf(v.List, v.Head)
	out.Counts, out.Rows = map[string]int{}, make([]listRow, 0, len(v.Rows))
	for outcome, n := range v.Counts {
		out.Counts[string(outcome)] = n
	}
	for _, r := range v.Rows {
		row := listRow{
			N: r.N, Outcome: string(r.Outcome), Locations: texts(r.Locations), Note: r.Note, Category: string(r.Category), Reference: r.Reference,
			Ref: r.Ref, Faults: []listFault{},
		}
		if v.Kind == flagger.Register {
			row.Entry, row.Past = string(r.Entry), pastOf(r.Past)
		}
		if !r.Found.IsZero() {
			row.Found = r.Found.Format(time.DateOnly)
		}
		if r.Step.Kind != "" {
			row.Step = r.Step.Text(p)
		}
		for _, f := range r.Faults {
			row.Faults = append(row.Faults, listFault{flagger.ColumnName(v.Head, f.Column), f.Value, f.Fault.Code, p.Fault(f.Fault)})
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// maxList bounds a request with a list: the file, and what stands around it.
const maxList = sheet.MaxBytes + 2<<20

type addListInput struct{ Stream }

// addList: POST /lists, permission list.send, and POST /registers,
// register.send.
func (s *server) addList(k flagger.Kind) func(context.Context, *addListInput) (*one[listBody], error) {
	return func(ctx context.Context, in *addListInput) (*one[listBody], error) {
		f, err := s.listFile(ctx, in)
		if err != nil {
			return nil, err
		}
		f.Kind = k
		l, err := s.Flagger.Upload(ctx, auth.Actor(ctx), f)
		if err != nil {
			return nil, err
		}
		return s.lookAtList(ctx, l.ID, flagger.Choice{})
	}
}

// listFile reads the list of a request.
func (s *server) listFile(ctx context.Context, in *addListInput) (flagger.File, error) {
	in.r.Body = http.MaxBytesReader(nil, in.r.Body, maxList)
	var body listSent
	files, err := s.form(ctx, in.r, "list", &body)
	if err != nil {
		return flagger.File{}, err
	}
	f := flagger.File{Lang: i18n.Lang(body.Lang), Columns: fields(body.Columns)}
	if f.Lang == "" {
		f.Lang = printer(ctx).Lang()
	}
	n := 0
	var content bytes.Buffer
	for part, err := range files {
		if err != nil {
			return flagger.File{}, err
		}
		if n++; n > 1 {
			return flagger.File{}, fault.New(fault.Invalid, "api.one-file").At("/file")
		}
		f.Name = part.Name
		if _, err := content.ReadFrom(io.LimitReader(part.Content, sheet.MaxBytes+1)); err != nil {
			return flagger.File{}, err
		}
	}
	if n == 0 {
		return flagger.File{}, fault.New(fault.Invalid, "fault.required").At("/file")
	}
	f.Content = &content
	return f, nil
}

func fields(in []string) []flagger.Field {
	if in == nil {
		return nil
	}
	out := make([]flagger.Field, len(in))
	for i, f := range in {
		out[i] = flagger.Field(f)
	}
	return out
}

func (s *server) lookAtList(ctx context.Context, id flagger.ID, c flagger.Choice) (*one[listBody], error) {
	v, err := s.Flagger.Look(ctx, auth.Actor(ctx), id, c)
	if err != nil {
		return nil, err
	}
	return answer(listViewOf(printer(ctx), v)), nil
}

// listLists: GET /lists, permission list.read, and GET /registers,
// register.read.
func (s *server) listLists(k flagger.Kind) func(context.Context, *struct{}) (*listOut[listBody], error) {
	return func(ctx context.Context, _ *struct{}) (*listOut[listBody], error) {
		all, err := s.Flagger.Lists(ctx, auth.Actor(ctx), k)
		if err != nil {
			return nil, err
		}
		return allOf(all, func(l flagger.List) listBody { return listOf(l, make([]string, len(l.Columns))) }), nil
	}
}

type getListInput struct {
	ByID
	Outcome string `query:"outcome" enum:"ready,reported,kept,before,faulty" doc:"Rows with this outcome alone"`
	After   int    `query:"after" minimum:"0" doc:"Rows below the one with this number"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many rows at most"`
}

// ofKind wants a list of a kind: at the addresses of another it is as if absent.
func (s *server) ofKind(ctx context.Context, k flagger.Kind, id flagger.ID) error {
	l, err := s.Flagger.Get(ctx, auth.Actor(ctx), id)
	if err == nil && l.Kind != k {
		err = fault.Hidden("list")
	}
	return err
}

// getList: GET /lists/{id}, permission list.read, and GET /registers/{id},
// register.read.
func (s *server) getList(k flagger.Kind) func(context.Context, *getListInput) (*one[listBody], error) {
	return func(ctx context.Context, in *getListInput) (*one[listBody], error) {
		if err := s.ofKind(ctx, k, flagger.ID(in.ID)); err != nil {
			return nil, err
		}
		return s.lookAtList(ctx, flagger.ID(in.ID), flagger.Choice{Outcome: flagger.Outcome(in.Outcome), After: in.After, Limit: in.Limit})
	}
}

type listColumnsInput struct {
	ByID
	Body struct {
		Columns []string `json:"columns" minItems:"1" maxItems:"40" doc:"What each column holds, as where the list is sent"`
	}
}

// setListColumns: PUT /lists/{id}/columns, permission list.send, and PUT
// /registers/{id}/columns, register.send.
func (s *server) setListColumns(k flagger.Kind) func(context.Context, *listColumnsInput) (*one[listBody], error) {
	return func(ctx context.Context, in *listColumnsInput) (*one[listBody], error) {
		if err := s.ofKind(ctx, k, flagger.ID(in.ID)); err != nil {
			return nil, err
		}
		if err := s.Flagger.SetColumns(ctx, auth.Actor(ctx), flagger.ID(in.ID), fields(in.Body.Columns)); err != nil {
			return nil, err
		}
		return s.lookAtList(ctx, flagger.ID(in.ID), flagger.Choice{})
	}
}

// toList does something to a list of a kind, and answers nothing.
func (s *server) toList(k flagger.Kind, do func(context.Context, party.Actor, flagger.ID) error) func(context.Context, *ByID) (*struct{}, error) {
	return func(ctx context.Context, in *ByID) (*struct{}, error) {
		if err := s.ofKind(ctx, k, flagger.ID(in.ID)); err != nil {
			return nil, err
		}
		return nil, do(ctx, auth.Actor(ctx), flagger.ID(in.ID))
	}
}

// startList: POST /lists/{id}/start, permission list.send, and POST
// /registers/{id}/start, register.send.
func (s *server) startList(k flagger.Kind) func(context.Context, *ByID) (*struct{}, error) {
	return s.toList(k, s.Flagger.Start)
}

// discardList: DELETE /lists/{id}, permission list.send, and DELETE
// /registers/{id}, register.send.
func (s *server) discardList(k flagger.Kind) func(context.Context, *ByID) (*struct{}, error) {
	return s.toList(k, s.Flagger.Discard)
}

// listFaults: GET /lists/{id}/faults, permission list.read, and GET
// /registers/{id}/faults, register.read, as CSV.
func (s *server) listFaults(k flagger.Kind) func(context.Context, *ByID) (*huma.StreamResponse, error) {
	return func(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
		if err := s.ofKind(ctx, k, flagger.ID(in.ID)); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := s.Flagger.WriteFaults(ctx, auth.Actor(ctx), flagger.ID(in.ID), printer(ctx), &b); err != nil {
			return nil, err
		}
		return s.download("tangkal-faults.csv", "text/csv", int64(b.Len()), io.NopCloser(&b)), nil
	}
}

// undoList: POST /lists/{id}/undo, permission list.send, and POST
// /registers/{id}/undo, register.send.
func (s *server) undoList(k flagger.Kind) func(context.Context, *ByID) (*struct{}, error) {
	return s.toList(k, s.Flagger.Undo)
}

// decidedBefore: GET /cases/{id}/before, permission case.read.
func (s *server) decidedBefore(ctx context.Context, in *ByID) (*listOut[registerEntry], error) {
	by := auth.Actor(ctx)
	v, err := s.Cases.Get(ctx, by, casework.ID(in.ID))
	if err != nil {
		return nil, err
	}
	all, err := s.Flagger.Before(ctx, by, v.Case.Party, v.Locations)
	if err != nil {
		return nil, err
	}
	return allOf(all, func(e flagger.Entry) registerEntry {
		return registerEntry{string(e.ID), string(e.List), e.N, e.Reference, texts(e.Locations), e.Note, *pastOf(e.Past)}
	}), nil
}
