package web

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

const (
	// fileBody bounds an upload: the room takes files of at most 32 MiB.
	fileBody = 33 << 20
	// reportProblems and reportTaken bound the rows that a report lists.
	reportProblems = 1000
	reportTaken    = 200
)

// AnswerFilePage takes answers as a file.
type AnswerFilePage struct {
	components.ConsolePage
	Answers []FileWord
	Columns []FileWord
	Errors  []components.FieldError
	Max     string
}

// A FileWord is a word that a file may hold, and what it means.
type FileWord struct{ Word, Means, Needs string }

// wrong is what is wrong with the file, "" if nothing.
func (pg AnswerFilePage) wrong() string { return fieldError(pg.Errors, "file") }

// answerFile: GET /inbox/answers.
func (s *Server) answerFile(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.answerFilePage(r, nil)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, answerFileView(pg))
}

func (s *Server) answerFilePage(r *http.Request, wrong []components.FieldError) (AnswerFilePage, error) {
	p := i18n.For(langOf(r))
	pg := AnswerFilePage{Errors: wrong, Max: p.Number(maxAnswers)}
	title := p.T("inbox.file.title")
	var err error
	pg.ConsolePage, err = s.console(r, "inbox", title, components.Crumb{Label: p.T("inbox.title"), Href: "/inbox"}, components.Crumb{Label: title})
	if err != nil {
		return pg, err
	}
	pg.Failed = len(wrong) > 0
	for _, k := range slices.Concat(mainAnswers, moreAnswers) {
		pg.Answers = append(pg.Answers, FileWord{Word: string(k), Means: p.T("inbox.answer." + string(k)), Needs: fileNeeds(k)})
	}
	for k, grounds := range answerGrounds {
		for _, g := range grounds {
			pg.Columns = append(pg.Columns, FileWord{Word: string(g), Means: p.T("inbox.ground." + string(g)), Needs: string(k)})
		}
	}
	slices.SortFunc(pg.Columns, func(a, b FileWord) int { return strings.Compare(a.Needs+a.Word, b.Needs+b.Word) })
	return pg, nil
}

// fileNeeds are the columns that an answer needs filled.
func fileNeeds(k notes.AnswerKind) string {
	var columns []string
	switch {
	case k == notes.Labelled: // needs no basis
		columns = []string{"at"}
	case acts(k):
		columns = []string{"at", "basis"}
	}
	for _, f := range answerFields[k] {
		if needs(k, f) {
			columns = append(columns, f)
		}
	}
	return strings.Join(columns, ", ")
}

// answerTemplate: GET /inbox/answers.csv is a file of the open items, to be
// filled in.
func (s *Server) answerTemplate(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	if err := s.Notice.WriteCSV(r.Context(), actorOf(r.Context()), langOf(r), &b); err != nil {
		return err
	}
	return attach(w, "tangkal-answers-"+s.Clock.Now().UTC().Format("20060102-1504")+".csv", b.Bytes())
}

// attach sends a CSV file to be saved.
func attach(w http.ResponseWriter, name string, content []byte) error {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	_, err := w.Write(content) //nolint:gosec // a download with its media type and nosniff
	return err
}

// takeAnswerFile: POST /inbox/answers {file} answers row by row and reports
// each.
func (s *Server) takeAnswerFile(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, fileBody)
	content, err := readFile(r)
	if err != nil {
		return s.fileAgain(w, r, err)
	}
	by := actorOf(r.Context())
	rep, err := s.answerStream(r.Context(), by, notice.ReadCSV(bytes.NewReader(content)), s.answerInput(r, by, nil))
	if err != nil {
		return err
	}
	switch {
	case len(rep.rows) == 0:
		return s.fileAgain(w, r, fault.New(fault.Invalid, "inbox.file.empty"))
	case len(rep.rows) == 1 && rep.rows[0].Problem != nil && headerFault(rep.rows[0].Problem):
		return s.fileAgain(w, r, rep.rows[0].Problem)
	}
	failed, err := failedFile(content, rep.rows)
	if err != nil {
		s.Log.DebugContext(r.Context(), "failed rows are not offered", "error", err)
	}
	return s.renderReport(w, r, rep, failed)
}

// headerFault reports whether a file was refused for its first line: no row of
// it was looked at.
func headerFault(e *fault.Error) bool {
	return e.Code == "notice.csv-header" || e.Code == "notice.csv-columns"
}

// readFile reads the uploaded file.
func readFile(r *http.Request) ([]byte, error) {
	const inMemory = 4 << 20
	if err := r.ParseMultipartForm(inMemory); err != nil { //nolint:gosec // the body is bounded by its caller
		if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
			return nil, fault.New(fault.Invalid, "notice.csv-line", "Max", fileBody)
		}
		return nil, fault.New(fault.Invalid, "inbox.file.none").Because(err)
	}
	defer r.MultipartForm.RemoveAll() //nolint:errcheck // temporary files
	f, _, err := r.FormFile("file")
	if err != nil {
		return nil, fault.New(fault.Invalid, "inbox.file.none").Because(err)
	}
	defer f.Close() //nolint:errcheck // read only
	content, err := io.ReadAll(f)
	if err == nil && len(content) == 0 {
		err = fault.New(fault.Invalid, "inbox.file.empty")
	}
	return content, err
}

// fileAgain says what is wrong with the file as a whole.
func (s *Server) fileAgain(w http.ResponseWriter, r *http.Request, cause error) error {
	wrong, err := fieldErrors(i18n.For(langOf(r)), cause, nil)
	if err != nil {
		return err
	}
	for i := range wrong {
		wrong[i].Field = "file"
	}
	pg, err := s.answerFilePage(r, wrong)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusUnprocessableEntity, answerFileView(pg))
}

// AnswerReportPage says row by row what became of many answers.
type AnswerReportPage struct {
	components.ConsolePage
	OK       string
	Same     int
	Problems int
	Ended    string
	Wrong    []AnswerReportRow
	Hidden   int // problems that are not listed
	Taken    []AnswerReportRow
	More     int    // taken rows that are not listed
	Failed   string // rows to be mended, as a file; "" offers none
}

// A AnswerReportRow is one row with what became of it.
type AnswerReportRow struct {
	Row     string
	Ref     string
	Item    string
	Said    []string
	Changed bool
}

func (s *Server) renderReport(w http.ResponseWriter, r *http.Request, rep bulkReport, failed string) error {
	p := i18n.For(langOf(r))
	pg := AnswerReportPage{Failed: failed, Problems: rep.tally.Problems, OK: p.N("inbox.report.ok", rep.tally.OK), Same: rep.tally.OK - rep.tally.Changed}
	title := p.T("inbox.report.title")
	var err error
	pg.ConsolePage, err = s.console(r, "inbox", title,
		components.Crumb{Label: p.T("inbox.title"), Href: "/inbox"}, components.Crumb{Label: p.T("inbox.file.title"), Href: "/inbox/answers"}, components.Crumb{Label: title})
	if err != nil {
		return err
	}
	pg.ConsolePage.Failed = pg.Problems > 0
	if rep.ended != nil {
		pg.Ended = p.N("inbox.report.ended", rep.tally.Rows)
	}
	for _, row := range rep.rows {
		line := AnswerReportRow{Row: p.Number(int64(row.Row)), Ref: row.Ref, Changed: row.Changed}
		if row.N > 0 {
			line.Item = p.Number(int64(row.N))
		}
		switch {
		case row.Problem != nil && len(pg.Wrong) == reportProblems:
			pg.Hidden++
		case row.Problem != nil:
			line.Said = problemWords(p, row.Problem)
			pg.Wrong = append(pg.Wrong, line)
		case len(pg.Taken) == reportTaken:
			pg.More++
		default:
			pg.Taken = append(pg.Taken, line)
		}
	}
	return s.render(w, r, http.StatusOK, answerReportView(pg))
}

// problemWords says what is wrong with a row, by column.
func problemWords(p *i18n.Printer, e *fault.Error) []string {
	parts := e.Parts
	if len(parts) == 0 {
		parts = []*fault.Error{e}
	}
	var out []string
	for _, part := range parts {
		text := p.Fault(part)
		if name := p.Field(part.Field); name != "" && !strings.Contains(text, name) {
			text = name + ": " + text
		}
		out = append(out, text)
	}
	return out
}

// failedFile gathers the rows that were not taken, as they came, so that they
// can be mended and sent again. Cells that a spreadsheet would run are written
// behind an apostrophe.
func failedFile(content []byte, rows []notice.RowReport) (string, error) {
	records, err := csvRecords(content)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	out := csv.NewWriter(&b)
	if err := out.Write(records[0]); err != nil {
		return "", err
	}
	n := 0
	for _, row := range rows {
		if row.Problem == nil || row.Row >= len(records) || records[row.Row] == nil {
			continue
		}
		cells := slices.Clone(records[row.Row])
		for i, c := range cells {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				cells[i] = "'" + c
			}
		}
		if err := out.Write(cells); err != nil {
			return "", err
		}
		n++
	}
	out.Flush()
	if n == 0 {
		return "", errors.New("no row can be given back")
	}
	return b.String(), out.Error()
}

// csvRecords reads a file as notice.ReadCSV does, into its cells: the header
// first, then one record for each row that it yields, nil for one that cannot
// be read.
func csvRecords(content []byte) ([][]string, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	head, _, _ := bytes.Cut(content[:min(len(content), 4096)], []byte("\n"))
	in := csv.NewReader(bytes.NewReader(content))
	in.FieldsPerRecord = -1
	for _, c := range []rune{';', '\t'} {
		if strings.Count(string(head), string(c)) > strings.Count(string(head), string(in.Comma)) {
			in.Comma = c
		}
	}
	var out [][]string
	for {
		record, err := in.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if len(out) == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return out, nil
		case errors.As(err, &broken) && len(out) > 0:
			out = append(out, nil)
		case err != nil:
			return nil, err
		case len(out) == 0 || slices.ContainsFunc(record, func(c string) bool { return strings.TrimSpace(c) != "" }):
			out = append(out, record)
		}
		if len(out) > maxAnswers+2 {
			return out, nil
		}
	}
}

// failedRows: POST /inbox/answers/failed {rows} hands the rows of a report back
// as a file. They are what the same person has just sent.
func (s *Server) failedRows(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 3*fileBody) // percent-encoded
	if err := r.ParseForm(); err != nil {
		return formFault(err)
	}
	rows := r.PostFormValue("rows")
	if rows == "" {
		return fault.New(fault.Invalid, "fault.required").At("/rows")
	}
	// A browser sends line ends of a form as CR LF (HTML Standard, 4.10.21.5).
	return attach(w, "tangkal-failed-rows-"+s.Clock.Now().In(time.UTC).Format("20060102-1504")+".csv", []byte(strings.ReplaceAll(rows, "\r\n", "\n")))
}
