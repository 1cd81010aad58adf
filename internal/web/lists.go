package web

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/components"
)

func (s *Server) listRoutes() []Route {
	return []Route{
		{"GET /lists", auth.ListRead, s.getLists},
		{"POST /lists", auth.ListSend, s.postList},
		{"GET /lists/{id}", auth.ListRead, s.getList},
		{"GET /lists/{id}/faults.csv", auth.ListRead, s.getListFaults},
		{"POST /lists/{id}/columns", auth.ListSend, s.postListColumns},
		{"POST /lists/{id}/start", auth.ListSend, s.postListStart},
		{"POST /lists/{id}/discard", auth.ListSend, s.postListDiscard},
	}
}

const (
	// listBody bounds a request with a list.
	listBody = sheet.MaxBytes + 1<<20
	// listPreview is how many rows of a draft are shown as they would be read.
	listPreview = 10
	// listPage is how many rows of a list are shown at once.
	listPage = 100
)

// ListsPage is where an organisation sends lists, and what it has sent.
type ListsPage struct {
	components.ConsolePage
	Sends  bool
	Lists  []ListLine
	Errors []components.FieldError
	Words  []ListWord
}

func (pg ListsPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// A ListLine is one list among others.
type ListLine struct{ Href, Name, When, State, Said string }

// A ListWord is a category with the words for it in a file.
type ListWord struct{ Means, Words string }

// getLists: GET /lists.
func (s *Server) getLists(w http.ResponseWriter, r *http.Request) error {
	return s.showLists(w, r, http.StatusOK, nil)
}

func (s *Server) showLists(w http.ResponseWriter, r *http.Request, status int, wrong []components.FieldError) error {
	actor, p := actorOf(r.Context()), i18n.For(langOf(r))
	all, err := s.Flagger.Lists(r.Context(), actor)
	if err != nil {
		return err
	}
	c, err := s.console(r, "lists", p.T("lists.title"), components.Crumb{Label: p.T("lists.title")})
	if err != nil {
		return err
	}
	pg := ListsPage{ConsolePage: c, Sends: auth.Seat(actor, auth.ListSend), Errors: wrong, Words: listWords(p)}
	pg.Failed = len(wrong) > 0
	for _, l := range all {
		pg.Lists = append(pg.Lists, ListLine{
			Href: listPath(l.ID), Name: listName(p, l), When: p.DateTime(l.CreatedAt, localTime(actor)), State: p.T("lists.state." + string(l.State)), Said: listSaid(p, l),
		})
	}
	return s.render(w, r, status, listsView(pg))
}

// listWords are the words that a file may hold for what something seems to be
// about.
func listWords(p *i18n.Printer) []ListWord {
	var out []ListWord
	words := flagger.Words()
	for _, c := range report.Categories() {
		out = append(out, ListWord{p.T("report.category." + string(c)), strings.Join(words[c], ", ")})
	}
	return out
}

func listPath(id flagger.ID) string { return "/lists/" + url.PathEscape(string(id)) }

func listName(p *i18n.Printer, l flagger.List) string {
	if l.Gone {
		return p.T("lists.gone")
	}
	return l.Name
}

// listSaid is what became of a list, in one line.
func listSaid(p *i18n.Printer, l flagger.List) string {
	if l.State == flagger.Draft {
		return p.N("lists.lines", l.Lines)
	}
	said := []string{p.N("lists.made", l.Made)}
	if l.Again > 0 {
		said = append(said, p.N("lists.again", l.Again))
	}
	if l.Wrong > 0 {
		said = append(said, p.N("lists.wrong", l.Wrong))
	}
	return strings.Join(said, ", ")
}

// postList: POST /lists {file} reads a list and shows how it would be reported.
func (s *Server) postList(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, listBody)
	content, name, err := listFile(r)
	if err == nil {
		var l flagger.List
		l, err = s.Flagger.Upload(r.Context(), actorOf(r.Context()), flagger.File{Name: name, Content: bytes.NewReader(content), Lang: langOf(r)})
		if err == nil {
			return seeOther(w, r, listPath(l.ID))
		}
	}
	wrong, err := fieldErrors(i18n.For(langOf(r)), err, map[string]string{"/file": "file"})
	if err != nil {
		return err
	}
	for i := range wrong {
		wrong[i].Field = "file"
	}
	return s.showLists(w, r, http.StatusUnprocessableEntity, wrong)
}

// listFile reads the file of a form.
func listFile(r *http.Request) (content []byte, name string, err error) {
	content, err = readFile(r)
	switch e, _ := fault.As(err); {
	case e != nil && e.Code == "notice.csv-line":
		return nil, "", fault.New(fault.Invalid, string(sheet.TooLarge)).At("/file")
	case e != nil && e.Code == "inbox.file.empty":
		return nil, "", fault.New(fault.Invalid, string(sheet.Empty)).At("/file")
	case err != nil:
		return nil, "", err
	}
	return content, r.MultipartForm.File["file"][0].Filename, nil
}

// ListPage is one list: how it would be reported, how far it is, or what became
// of it.
type ListPage struct {
	components.ConsolePage
	ID, Title, Sub string
	Draft, Running bool
	Gone, Sends    bool
	Sheet          string // says which sheet was read
	Columns        []ListColumn
	Fields         []Option
	Counts         []components.Tab
	Rows           []ListRow
	More           string // address of the next rows, "" if there are none
	Ready          int
	Faulty         int
	StartLabel     string
	Progress       string
	Done, All      string
	Errors         []components.FieldError
}

// rowsTitle says what the rows are: those of a draft are as they would be read.
func (pg ListPage) rowsTitle() string {
	if pg.Draft {
		return pg.P.T("lists.preview")
	}
	return pg.P.T("lists.rows")
}

func (pg ListPage) wrong() string { return fieldError(pg.Errors, "columns") }

// A ListColumn is a column with what it is said to hold.
type ListColumn struct{ ID, Name, Holds, Example string }

// A ListRow is a row as it is read.
type ListRow struct {
	N, Category, Reference, Found, Note string
	Locations, Faults                   []string
	Outcome                             string
	Ref                                 string
}

// getList: GET /lists/{id}?show=&after=.
func (s *Server) getList(w http.ResponseWriter, r *http.Request) error {
	return s.showList(w, r, http.StatusOK, nil, nil)
}

func (s *Server) showList(w http.ResponseWriter, r *http.Request, status int, wrong []components.FieldError, was []string) error {
	ctx, actor, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	id := flagger.ID(r.PathValue("id"))
	l, err := s.Flagger.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	name := listName(p, l)
	c, err := s.console(r, "lists", name, components.Crumb{Label: p.T("lists.title"), Href: "/lists"}, components.Crumb{Label: name})
	if err != nil {
		return err
	}
	pg := ListPage{
		ConsolePage: c, ID: url.PathEscape(string(l.ID)), Title: name, Sub: p.T("lists.sent", "When", p.DateTime(l.CreatedAt, localTime(actor))),
		Draft: l.State == flagger.Draft, Running: l.State == flagger.Running, Gone: l.Gone, Sends: auth.Seat(actor, auth.ListSend), Errors: wrong,
	}
	pg.Failed = len(wrong) > 0
	if l.Other > 0 {
		pg.Sheet = p.N("lists.sheet", l.Other, "Sheet", l.Sheet)
	}
	if pg.Running { // its rows are looked at when they are done
		pg.Progress, pg.Done, pg.All = p.T("lists.progress", "Done", p.Number(int64(l.Next)), "All", p.Number(int64(l.Lines))), strconv.Itoa(l.Next), strconv.Itoa(l.Lines)
		return s.render(w, r, status, listView(pg))
	}
	choice := flagger.Choice{Outcome: flagger.Outcome(r.URL.Query().Get("show")), Limit: listPage}
	choice.After, _ = strconv.Atoi(r.URL.Query().Get("after")) // anything else begins at the top
	if pg.Draft && choice.Outcome == "" {
		choice.Limit = listPreview
	}
	v, err := s.Flagger.Look(ctx, actor, id, choice)
	if err != nil {
		return err
	}
	pg.fill(p, v, choice, was)
	return s.render(w, r, status, listView(pg))
}

// fill says what is in a list.
func (pg *ListPage) fill(p *i18n.Printer, v flagger.View, c flagger.Choice, was []string) {
	base := listPath(v.ID)
	pg.Ready, pg.Faulty = v.Counts[flagger.Ready], v.Counts[flagger.Faulty]
	pg.StartLabel = p.N("lists.start", pg.Ready)
	for _, o := range append([]flagger.Outcome{""}, flagger.Outcomes()...) {
		href, n := base, v.Lines
		if o != "" {
			href, n = base+"?show="+string(o), v.Counts[o]
		}
		if o == "" || n > 0 {
			pg.Counts = append(pg.Counts, components.Tab{Label: p.T("lists.show." + string(o) + allRows(o)), Count: p.Number(int64(n)), Href: href, Active: o == c.Outcome})
		}
	}
	for _, f := range append([]flagger.Field{flagger.Nothing}, flagger.Fields()...) {
		pg.Fields = append(pg.Fields, Option{Value: string(f), Label: p.T("lists.field." + string(f) + noField(f))})
	}
	for i, f := range v.Columns {
		col := ListColumn{ID: "column-" + strconv.Itoa(i), Name: flagger.ColumnName(v.Head, i), Holds: string(f), Example: v.Example(i)}
		if i < len(was) {
			col.Holds = was[i]
		}
		pg.Columns = append(pg.Columns, col)
	}
	for _, row := range v.Rows {
		pg.Rows = append(pg.Rows, listRow(p, v, row))
	}
	if n := len(v.Rows); n == c.Limit {
		q := url.Values{"after": {strconv.Itoa(v.Rows[n-1].N)}, "show": {string(c.Outcome)}}
		pg.More = base + "?" + q.Encode()
	}
}

// allRows and noField end the keys of words for what has no name.
func allRows(o flagger.Outcome) string {
	if o == "" {
		return "all"
	}
	return ""
}

func noField(f flagger.Field) string {
	if f == flagger.Nothing {
		return "nothing"
	}
	return ""
}

func listRow(p *i18n.Printer, v flagger.View, row flagger.Result) ListRow {
	out := ListRow{
		N: p.Number(int64(row.N)), Category: p.T("report.category." + string(row.Category)), Reference: row.Reference, Note: row.Note,
		Ref: row.Ref, Outcome: p.T("lists.outcome." + string(row.Outcome)),
	}
	if !row.Found.IsZero() {
		out.Found = p.Date(row.Found, time.UTC)
	}
	for _, l := range row.Locations {
		out.Locations = append(out.Locations, canonical.Defang(l))
	}
	if row.Step.Kind != "" {
		out.Outcome = row.Step.Text(p)
	}
	for _, f := range row.Faults {
		text := p.Fault(f.Fault)
		if name := flagger.ColumnName(v.Head, f.Column); name != "" {
			text = name + ": " + text
		}
		out.Faults = append(out.Faults, text)
	}
	return out
}

// postListColumns: POST /lists/{id}/columns with column-0, column-1, …
func (s *Server) postListColumns(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	columns, was := []flagger.Field{}, []string{}
	for i := range sheet.MaxColumns {
		f, ok := r.PostForm["column-"+strconv.Itoa(i)]
		if !ok {
			break
		}
		columns, was = append(columns, flagger.Field(f[0])), append(was, f[0])
	}
	id := flagger.ID(r.PathValue("id"))
	err := s.Flagger.SetColumns(r.Context(), actorOf(r.Context()), id, columns)
	if err == nil {
		return seeOther(w, r, listPath(id))
	}
	wrong, err := fieldErrors(i18n.For(langOf(r)), err, map[string]string{"/columns": "columns"})
	if err != nil {
		return err
	}
	return s.showList(w, r, http.StatusUnprocessableEntity, wrong, was)
}

// postListStart: POST /lists/{id}/start.
func (s *Server) postListStart(w http.ResponseWriter, r *http.Request) error {
	id := flagger.ID(r.PathValue("id"))
	err := s.Flagger.Start(r.Context(), actorOf(r.Context()), id)
	if err == nil {
		return seeOther(w, r, listPath(id))
	}
	wrong, err := fieldErrors(i18n.For(langOf(r)), err, map[string]string{"/columns": "columns"})
	if err != nil {
		return err
	}
	return s.showList(w, r, http.StatusUnprocessableEntity, wrong, nil)
}

// postListDiscard: POST /lists/{id}/discard.
func (s *Server) postListDiscard(w http.ResponseWriter, r *http.Request) error {
	if err := s.Flagger.Discard(r.Context(), actorOf(r.Context()), flagger.ID(r.PathValue("id"))); err != nil {
		return err
	}
	return seeOther(w, r, "/lists")
}

// getListFaults: GET /lists/{id}/faults.csv.
func (s *Server) getListFaults(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	if err := s.Flagger.WriteFaults(r.Context(), actorOf(r.Context()), flagger.ID(r.PathValue("id")), i18n.For(langOf(r)), &b); err != nil {
		return err
	}
	return attach(w, "tangkal-faults-"+s.Clock.Now().UTC().Format("20060102-1504")+".csv", b.Bytes())
}
