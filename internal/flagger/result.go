package flagger

import (
	"context"
	"encoding/csv"
	"io"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// An Outcome is what becomes of a row.
type Outcome string

// The outcomes.
const (
	Ready    Outcome = "ready"    // can be reported
	Reported Outcome = "reported" // became a report
	Kept     Outcome = "kept"     // became an entry
	Before   Outcome = "before"   // the organisation has sent the same row before
	Faulty   Outcome = "faulty"   // cannot be read, or was refused; Row.Faults says why
)

// A Result is a row with what became of it.
type Result struct {
	Row
	Outcome Outcome
	Report  report.ID   // of Reported and Before, in a list of reports
	Entry   EntryID     // of Kept and Before, in a register
	Ref     string      // the report's public reference
	Step    report.Step // the last that its reporter is told of
}

// A View is a list, looked at.
type View struct {
	List
	Head   []string        // names of the columns; "" for those without
	Counts map[Outcome]int // of all rows
	Rows   []Result        // those that were asked for

	sample [][]string // cells of the first rows
}

// Example is what stands in a column of the first row that was looked at and
// has something there.
func (v View) Example(column int) string {
	for _, cells := range v.sample {
		if column < len(cells) && cells[column] != "" {
			return clip(cells[column])
		}
	}
	return ""
}

// A Choice says which rows of a list are looked at.
type Choice struct {
	Outcome Outcome // "" for all
	After   int     // number of the row before the first; 0 begins at the top
	Limit   int     // at most 200; 50 if 0
}

const (
	defaultPage = 50
	maxPage     = 200
)

// Look returns a list and some of its rows, as they would be reported or were.
func (r *Room) Look(ctx context.Context, by party.Actor, id ID, c Choice) (View, error) {
	l, err := r.mine(ctx, by, id)
	if err != nil {
		return View{}, err
	}
	if l.Gone {
		return View{List: l.List, Counts: map[Outcome]int{l.Kind.done(): l.Made - l.Back, Before: l.Again, Faulty: l.Wrong}}, nil
	}
	in, all, err := r.results(ctx, l)
	if err != nil {
		return View{}, err
	}
	v := View{List: l.List, Head: in.table.Head, Counts: map[Outcome]int{}}
	for _, line := range in.table.Rows[:min(len(in.table.Rows), sample)] {
		v.sample = append(v.sample, line.Cells)
	}
	if c.Limit <= 0 {
		c.Limit = defaultPage
	}
	for _, row := range all {
		v.Counts[row.Outcome]++
		if row.N > c.After && len(v.Rows) < min(c.Limit, maxPage) && (c.Outcome == "" || c.Outcome == row.Outcome) {
			v.Rows = append(v.Rows, row)
		}
	}
	return v, r.steps(ctx, v.Rows)
}

// results are all rows of a list with what became of them.
func (r *Room) results(ctx context.Context, l row) (reader, []Result, error) {
	in, rows, err := r.read(ctx, l)
	if err != nil {
		return in, nil, err
	}
	if err := r.refused(ctx, l, rows); err != nil {
		return in, nil, err
	}
	known, err := marked(ctx, r.DB, l.List, marks(rows))
	if err != nil {
		return in, nil, err
	}
	mine, err := db.All(ctx, r.DB, db.Scalar[int], `SELECT n FROM `+l.Kind.rows()+` WHERE import_id = $1 ORDER BY n`, l.ID)
	if err != nil {
		return in, nil, err
	}
	out, seen := make([]Result, len(rows)), map[string]bool{}
	for i, row := range rows {
		m, before := known[string(row.mark)]
		_, here := slices.BinarySearch(mine, row.N)
		out[i] = Result{Row: row, Ref: m.ref}
		if l.Kind == Register {
			out[i].Entry = EntryID(m.id)
		} else {
			out[i].Report = report.ID(m.id)
		}
		switch {
		case here:
			out[i].Outcome = l.Kind.done()
		case len(row.Faults) > 0:
			out[i].Outcome = Faulty
		case before, seen[string(row.mark)]:
			out[i].Outcome = Before
		default:
			out[i].Outcome = Ready
		}
		seen[string(row.mark)] = true
	}
	return in, out, nil
}

// rows is the table of what rows of such a list have become.
func (k Kind) rows() string {
	if k == Register {
		return "register_entries"
	}
	return "flagger_rows"
}

// steps fills in how far the reports of rows are.
func (r *Room) steps(ctx context.Context, rows []Result) error {
	var ids []report.ID
	for _, row := range rows {
		if row.Report != "" {
			ids = append(ids, row.Report)
		}
	}
	last, err := r.Reports.LastSteps(ctx, r.DB, ids)
	for i, row := range rows {
		rows[i].Step = last[row.Report]
	}
	return err
}

// ColumnName is what a column is called: by its heading, or by its letter.
func ColumnName(head []string, column int) string {
	if column < 0 || column >= len(head) {
		return ""
	}
	if head[column] != "" {
		return head[column]
	}
	name := ""
	for n := column + 1; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}

// WriteFaults writes what is wrong with a list as CSV, one line for each fault.
func (r *Room) WriteFaults(ctx context.Context, by party.Actor, id ID, p *i18n.Printer, w io.Writer) error {
	l, err := r.mine(ctx, by, id)
	if err != nil {
		return err
	}
	in, rows, err := r.read(ctx, l)
	if err != nil {
		return err
	}
	if err := r.refused(ctx, l, rows); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	line := func(cells ...string) error {
		for i := range cells {
			cells[i] = Harmless(cells[i])
		}
		return out.Write(cells)
	}
	err = line(p.T("flagger.csv.row"), p.T("flagger.csv.column"), p.T("flagger.csv.value"), p.T("flagger.csv.fault"))
	for _, row := range rows {
		for _, f := range row.Faults {
			if err == nil {
				err = line(p.Number(int64(row.N)), ColumnName(in.table.Head, f.Column), f.Value, p.Fault(f.Fault))
			}
		}
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

// Harmless is a cell's text that no spreadsheet takes for a formula: behind an
// apostrophe if it begins like one (OWASP, CSV injection).
func Harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) {
		return "'" + s
	}
	return s
}
