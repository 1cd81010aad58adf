package web

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/components"
)

// A listDesk is where lists of a kind are sent and looked at.
type listDesk struct {
	kind flagger.Kind
	base string // of its addresses
	send auth.Act
}

var (
	reportDesk   = listDesk{flagger.Reports, "/lists", auth.ListSend}
	registerDesk = listDesk{flagger.Register, "/registers", auth.RegisterSend}
)

func (s *Server) listRoutes() []Route {
	lists, registers := reportDesk, registerDesk
	return []Route{
		{"GET /lists", auth.ListRead, s.getLists(lists)},
		{"POST /lists", auth.ListSend, s.postList(lists)},
		{"GET /lists/{id}", auth.ListRead, s.getList(lists)},
		{"GET /lists/{id}/faults.csv", auth.ListRead, s.getListFaults},
		{"POST /lists/{id}/columns", auth.ListSend, s.postListColumns(lists)},
		{"POST /lists/{id}/start", auth.ListSend, s.postListStart(lists)},
		{"POST /lists/{id}/discard", auth.ListSend, s.postListDiscard(lists)},
		{"POST /lists/{id}/undo", auth.ListSend, s.postListUndo(lists)},
		{"GET /registers", auth.RegisterRead, s.getLists(registers)},
		{"POST /registers", auth.RegisterSend, s.postList(registers)},
		{"GET /registers/{id}", auth.RegisterRead, s.getList(registers)},
		{"GET /registers/{id}/faults.csv", auth.RegisterRead, s.getListFaults},
		{"POST /registers/{id}/columns", auth.RegisterSend, s.postListColumns(registers)},
		{"POST /registers/{id}/start", auth.RegisterSend, s.postListStart(registers)},
		{"POST /registers/{id}/discard", auth.RegisterSend, s.postListDiscard(registers)},
		{"POST /registers/{id}/undo", auth.RegisterSend, s.postListUndo(registers)},
		{"GET /register-entries/{entry}", auth.RegisterRead, s.getEntry},
	}
}

// say returns a text of the desk: a register's own, or the lists'.
func (d listDesk) say(p *i18n.Printer, key string, kv ...any) string {
	if own := "registers." + key; d.kind == flagger.Register && p.Has(own) {
		return p.T(own, kv...)
	}
	return p.T("lists."+key, kv...)
}

// count is say with a number.
func (d listDesk) count(p *i18n.Printer, key string, n int, kv ...any) string {
	if own := "registers." + key; d.kind == flagger.Register && p.Has(own) {
		return p.N(own, n, kv...)
	}
	return p.N("lists."+key, n, kv...)
}

func (d listDesk) path(id flagger.ID) string { return d.base + "/" + url.PathEscape(string(id)) }

// key is how the desk is called in the rail.
func (d listDesk) key() string { return strings.TrimPrefix(d.base, "/") }

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
	desk   listDesk
	Sends  bool
	Lists  []ListLine
	Whose  bool // they are of several organisations
	Errors []components.FieldError
	Words  []ListWord
	Own    AccuracyTable // of one's own organisation
}

func (pg ListsPage) say(key string) string { return pg.desk.say(pg.P, key) }

// whose says whose lists they are.
func (pg ListsPage) whose() string {
	if pg.Whose {
		return pg.say("everybodys")
	}
	return pg.say("mine")
}

func (pg ListsPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// A ListLine is one list among others.
type ListLine struct{ Href, Name, When, State, Said, Party string }

// A ListWord is a category with the words for it in a file.
type ListWord struct{ Means, Words string }

// getLists: GET /lists, GET /registers.
func (s *Server) getLists(d listDesk) handler {
	return func(w http.ResponseWriter, r *http.Request) error { return s.showLists(w, r, d, http.StatusOK, nil) }
}

func (s *Server) showLists(w http.ResponseWriter, r *http.Request, d listDesk, status int, wrong []components.FieldError) error {
	actor, p := actorOf(r.Context()), i18n.For(langOf(r))
	all, err := s.Flagger.Lists(r.Context(), actor, d.kind)
	if err != nil {
		return err
	}
	c, err := s.console(r, d.key(), d.say(p, "title"), components.Crumb{Label: d.say(p, "title")})
	if err != nil {
		return err
	}
	pg := ListsPage{ConsolePage: c, desk: d, Sends: auth.Seat(actor, d.send), Errors: wrong}
	pg.Failed = len(wrong) > 0
	if d.kind == flagger.Reports {
		pg.Words = listWords(p)
		if pg.Own, err = s.ownAccuracy(r, p); err != nil {
			return err
		}
	}
	orgs, err := s.othersOf(r, all)
	if err != nil {
		return err
	}
	pg.Whose = len(orgs) > 0
	for _, l := range all {
		pg.Lists = append(pg.Lists, ListLine{
			Party: orgs[l.Party],
			Href:  d.path(l.ID), Name: d.name(p, l), When: p.DateTime(l.CreatedAt, localTime(actor)), State: d.say(p, "state."+string(l.State)), Said: d.said(p, l),
		})
	}
	return s.render(w, r, status, listsView(pg))
}

// othersOf are the names of the organisations whose lists they are, for a reader
// who sees those of others: none, if all are the reader's own.
func (s *Server) othersOf(r *http.Request, all []flagger.List) (map[party.ID]string, error) {
	by := actorOf(r.Context())
	if !slices.ContainsFunc(all, func(l flagger.List) bool { return l.Party != by.Party }) {
		return nil, nil
	}
	orgs, err := party.List(r.Context(), s.DB)
	out := make(map[party.ID]string, len(orgs))
	for _, o := range orgs {
		out[o.ID] = o.Name
	}
	return out, err
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

func (d listDesk) name(p *i18n.Printer, l flagger.List) string {
	if l.Name == "" {
		return d.say(p, "gone")
	}
	return l.Name
}

// said is what became of a list, in one line.
func (d listDesk) said(p *i18n.Printer, l flagger.List) string {
	if l.State == flagger.Draft {
		return d.count(p, "lines", l.Lines)
	}
	said := []string{d.count(p, "made", l.Made)}
	if l.Again > 0 {
		said = append(said, d.count(p, "again", l.Again))
	}
	if l.Wrong > 0 {
		said = append(said, d.count(p, "wrong", l.Wrong))
	}
	if l.Back > 0 {
		said = append(said, d.count(p, "back-of", l.Back))
	}
	return strings.Join(said, ", ")
}

// postList: POST /lists {file}, POST /registers {file} reads a list and shows
// how it would be taken.
func (s *Server) postList(d listDesk) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, listBody)
		content, name, err := listFile(r)
		if err == nil {
			var l flagger.List
			l, err = s.Flagger.Upload(r.Context(), actorOf(r.Context()), flagger.File{Kind: d.kind, Name: name, Content: bytes.NewReader(content), Lang: langOf(r)})
			if err == nil {
				return seeOther(w, r, d.path(l.ID))
			}
		}
		wrong, err := fieldErrors(i18n.For(langOf(r)), err, map[string]string{"/file": "file"})
		if err != nil {
			return err
		}
		for i := range wrong {
			wrong[i].Field = "file"
		}
		return s.showLists(w, r, d, http.StatusUnprocessableEntity, wrong)
	}
}

// listFile reads the file of a form.
func listFile(r *http.Request) (content []byte, name string, err error) {
	content, err = readFile(r)
	switch e, _ := fault.As(err); {
	case e != nil && e.Code == "notice.csv-line":
		return nil, "", fault.New(fault.Invalid, string(sheet.TooLarge)).At("/file")
	case e != nil && e.Code == "inbox.file.none":
		return nil, "", fault.New(fault.Invalid, "lists.file.none").At("/file")
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
	desk           listDesk
	Base           string // address of the list
	Title, Sub     string
	Draft, Running bool
	Gone, Sends    bool
	CanUndo        bool
	Back           bool   // its reports are being taken back
	Undone         string // who took it back and when, "" if nobody has
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

func (pg ListPage) say(key string) string { return pg.desk.say(pg.P, key) }

// register reports whether the rows are decisions of before.
func (pg ListPage) register() bool { return pg.desk.kind == flagger.Register }

// rowsTitle says what the rows are: those of a draft are as they would be read.
func (pg ListPage) rowsTitle() string {
	if pg.Draft {
		return pg.say("preview")
	}
	return pg.say("rows")
}

// outcomeTitle heads what became of the rows, or would.
func (pg ListPage) outcomeTitle() string {
	if pg.Draft {
		return pg.say("col.outcome")
	}
	return pg.say("col.outcome.done")
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
	Past                                PastLine // of a register
	Href                                string   // of its entry, "" if there is none
}

// getList: GET /lists/{id}?show=&after=, GET /registers/{id}?show=&after=.
func (s *Server) getList(d listDesk) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return s.showList(w, r, d, http.StatusOK, nil, nil)
	}
}

func (s *Server) showList(w http.ResponseWriter, r *http.Request, d listDesk, status int, wrong []components.FieldError, was []string) error {
	ctx, actor, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	id := flagger.ID(r.PathValue("id"))
	l, err := s.Flagger.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	if l.Kind != d.kind { // it has an address of its own
		return seeOther(w, r, deskOf(l.Kind).path(l.ID))
	}
	name := d.name(p, l)
	c, err := s.console(r, d.key(), name, components.Crumb{Label: d.say(p, "title"), Href: d.base}, components.Crumb{Label: name})
	if err != nil {
		return err
	}
	pg := ListPage{
		ConsolePage: c, desk: d, Base: d.path(l.ID), Title: name, Sub: d.say(p, "sent", "When", p.DateTime(l.CreatedAt, localTime(actor))),
		Draft: l.State == flagger.Draft, Running: l.State == flagger.Running, Gone: l.Gone, Sends: auth.Seat(actor, d.send), Errors: wrong,
	}
	pg.CanUndo = pg.Sends && !l.Gone && (l.State == flagger.Running || l.State == flagger.Done)
	if orgs, err := s.othersOf(r, []flagger.List{l}); err != nil {
		return err
	} else if name := orgs[l.Party]; name != "" {
		pg.Sub = name + " · " + pg.Sub
	}
	pg.Failed = len(wrong) > 0
	if l.Other > 0 {
		pg.Sheet = d.count(p, "sheet", l.Other, "Sheet", l.Sheet)
	}
	if l.State == flagger.Undone {
		if pg.Undone, err = s.undoneBy(r, d, l); err != nil {
			return err
		}
	}
	if l.State == flagger.Undone && d.kind == flagger.Reports && !l.Gone {
		pg.Running, pg.Back = true, true
		pg.Progress, pg.Done, pg.All = d.say(p, "progress.back", "Back", p.Number(int64(l.Back)), "All", p.Number(int64(l.Made))), strconv.Itoa(l.Back), strconv.Itoa(l.Made)
		return s.render(w, r, status, listView(pg))
	}
	if pg.Running { // its rows are looked at when they are done
		pg.Progress, pg.Done, pg.All = d.say(p, "progress", "Done", p.Number(int64(l.Next)), "All", p.Number(int64(l.Lines))), strconv.Itoa(l.Next), strconv.Itoa(l.Lines)
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
	d, base := pg.desk, pg.Base
	pg.Ready, pg.Faulty = v.Counts[flagger.Ready], v.Counts[flagger.Faulty]
	pg.StartLabel = d.count(p, "start", pg.Ready)
	for _, o := range append([]flagger.Outcome{""}, v.Kind.Outcomes()...) {
		href, n := base, v.Lines
		if o != "" {
			href, n = base+"?show="+string(o), v.Counts[o]
		}
		if o == "" || n > 0 {
			pg.Counts = append(pg.Counts, components.Tab{Label: d.say(p, "show."+string(o)+allRows(o)), Count: p.Number(int64(n)), Href: href, Active: o == c.Outcome})
		}
	}
	for _, f := range append([]flagger.Field{flagger.Nothing}, v.Kind.Fields()...) {
		pg.Fields = append(pg.Fields, Option{Value: string(f), Label: d.say(p, "field."+string(f)+noField(f))})
	}
	for i, f := range v.Columns {
		col := ListColumn{ID: "column-" + strconv.Itoa(i), Name: flagger.ColumnName(v.Head, i), Holds: string(f), Example: v.Example(i)}
		if i < len(was) {
			col.Holds = was[i]
		}
		pg.Columns = append(pg.Columns, col)
	}
	for _, row := range v.Rows {
		pg.Rows = append(pg.Rows, d.row(p, v, row))
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

func (d listDesk) row(p *i18n.Printer, v flagger.View, row flagger.Result) ListRow {
	out := ListRow{
		N: p.Number(int64(row.N)), Category: p.T("report.category." + string(row.Category)), Reference: row.Reference, Note: row.Note,
		Ref: row.Ref, Outcome: d.say(p, "outcome."+string(row.Outcome)),
	}
	if d.kind == flagger.Register {
		out.Past = pastLine(p, row.Past)
		if row.Entry != "" {
			out.Href = entryPath(row.Entry)
		}
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
func (s *Server) postListColumns(d listDesk) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
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
		return s.listDone(w, r, d, s.Flagger.SetColumns(r.Context(), actorOf(r.Context()), id, columns), was)
	}
}

// postListStart: POST /lists/{id}/start.
func (s *Server) postListStart(d listDesk) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return s.listDone(w, r, d, s.Flagger.Start(r.Context(), actorOf(r.Context()), flagger.ID(r.PathValue("id"))), nil)
	}
}

// listDone leads back to the list, or shows what is wrong with its columns.
func (s *Server) listDone(w http.ResponseWriter, r *http.Request, d listDesk, err error, was []string) error {
	if err == nil {
		return seeOther(w, r, d.path(flagger.ID(r.PathValue("id"))))
	}
	wrong, err := fieldErrors(i18n.For(langOf(r)), err, map[string]string{"/columns": "columns"})
	if err != nil {
		return err
	}
	return s.showList(w, r, d, http.StatusUnprocessableEntity, wrong, was)
}

// postListDiscard: POST /lists/{id}/discard.
func (s *Server) postListDiscard(d listDesk) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.Flagger.Discard(r.Context(), actorOf(r.Context()), flagger.ID(r.PathValue("id"))); err != nil {
			return err
		}
		return seeOther(w, r, d.base)
	}
}

// postListUndo: POST /lists/{id}/undo, POST /registers/{id}/undo takes back what
// was started.
func (s *Server) postListUndo(d listDesk) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id := flagger.ID(r.PathValue("id"))
		if err := s.Flagger.Undo(r.Context(), actorOf(r.Context()), id); err != nil {
			return err
		}
		return seeOther(w, r, d.path(id))
	}
}

// getListFaults: GET /lists/{id}/faults.csv.
func (s *Server) getListFaults(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	if err := s.Flagger.WriteFaults(r.Context(), actorOf(r.Context()), flagger.ID(r.PathValue("id")), i18n.For(langOf(r)), &b); err != nil {
		return err
	}
	return attach(w, "tangkal-faults-"+s.Clock.Now().UTC().Format("20060102-1504")+".csv", b.Bytes())
}
