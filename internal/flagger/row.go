package flagger

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// Limits of one row.
const (
	maxPlaces    = 20    // locations
	maxNote      = 4_000 // characters
	maxReference = 100   // characters
	maxWords     = 200   // characters of what a register says in its own words
)

// A Row is one row of a list as it is read.
type Row struct {
	N         int // its number as a spreadsheet shows it
	Locations []string
	Note      string
	Category  report.Category
	Reference string
	Found     time.Time // the day, in UTC; zero if none is given
	Past                // what a register says
	Faults    []Wrong   // why it cannot be reported, or kept; nil if it can

	mark []byte
}

// A Wrong is one thing that is wrong with a row: the fault's text says what
// would be right.
type Wrong struct {
	Column int // index of the column, -1 for the whole row
	Value  string
	Fault  *fault.Error
}

// A reader reads the rows of one list.
type reader struct {
	room    *Room
	table   sheet.Table
	kind    Kind
	columns []Field
	party   party.ID
	now     time.Time
}

// rows reads all rows.
func (r reader) rows() []Row {
	out := make([]Row, len(r.table.Rows))
	for i, line := range r.table.Rows {
		out[i] = r.row(line)
	}
	return out
}

// row reads one row; every fault of it is found at once.
func (r reader) row(line sheet.Row) Row {
	out := Row{N: line.N, Category: report.Unsure}
	if line.Broken {
		out.Faults = []Wrong{{Column: -1, Fault: fault.New(fault.Invalid, "flagger.row.broken")}}
		return out
	}
	cell := func(f Field, read func(s string) *fault.Error) {
		i := slices.Index(r.columns, f)
		if i < 0 {
			return
		}
		if bad := read(line.Cells[i]); bad != nil {
			out.Faults = append(out.Faults, Wrong{Column: i, Value: clip(line.Cells[i]), Fault: bad})
		}
	}
	cell(Location, func(s string) (bad *fault.Error) { out.Locations, bad = r.places(s); return bad })
	cell(Note, func(s string) *fault.Error { out.Note = s; return tooLong(s, maxNote) })
	cell(Hint, func(s string) (bad *fault.Error) { out.Category, bad = category(s); return bad })
	cell(Reference, func(s string) *fault.Error { out.Reference = s; return tooLong(s, maxReference) })
	cell(Found, func(s string) (bad *fault.Error) { out.Found, bad = r.day(s); return bad })
	for f, to := range map[Field]*string{Decision: &out.Decision, Ground: &out.Ground, Service: &out.Service, Standing: &out.Standing} {
		cell(f, func(s string) *fault.Error { *to = s; return tooLong(s, maxWords) })
	}
	cell(Decided, func(s string) (bad *fault.Error) { out.Decided, bad = r.day(s); return bad })
	out.Withdrawn = gone(out.Standing)
	if r.kind == Register && out.Faults == nil && out.Reference == "" && out.Decided.IsZero() {
		out.Faults = []Wrong{{Column: -1, Fault: fault.New(fault.Invalid, "flagger.row.nameless")}}
	}
	slices.SortStableFunc(out.Faults, func(a, b Wrong) int { return cmp.Compare(a.Column, b.Column) })
	if out.Faults == nil {
		out.mark = r.mark(out)
	}
	return out
}

// mark tells the same row of the same organisation again.
func (r reader) mark(row Row) []byte {
	day := ""
	if !row.Found.IsZero() {
		day = row.Found.Format(time.DateOnly)
	}
	parts := []string{string(r.party), row.Note, string(row.Category), row.Reference, day}
	purpose := "flagger-row"
	if r.kind == Register {
		purpose, parts = "register-row", append(parts, row.Decided.Format(time.DateOnly), row.Decision, row.Ground, row.Service, row.Standing)
	}
	parts = append(parts, row.Locations...)
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%d:%s", len(p), p)
	}
	return r.room.Vault.MAC(purpose, []byte(b.String()))
}

// places reads the locations of a cell, in their one spelling.
func (r reader) places(s string) ([]string, *fault.Error) {
	raw := strings.Fields(s)
	switch {
	case len(raw) == 0:
		return nil, fault.New(fault.Invalid, "flagger.row.no-location")
	case len(raw) > maxPlaces:
		return nil, fault.New(fault.Invalid, "flagger.row.places", "Max", maxPlaces, "Got", len(raw))
	}
	found, err := r.room.Reports.Read(raw)
	if e, ok := fault.As(err); ok {
		if len(e.Parts) > 0 {
			e = e.Parts[0]
		}
		return nil, e.At("")
	}
	out := make([]string, len(found))
	for i, l := range found {
		out[i] = l.URL
	}
	return out, nil
}

func tooLong(s string, most int) *fault.Error {
	if n := utf8.RuneCountInString(s); n > most {
		return fault.New(fault.Invalid, "flagger.row.too-long", "Max", most, "Got", n)
	}
	return nil
}

// categories are the words for what something seems to be about: the public
// form's categories, the grounds of Regulation (EU) 2021/784, Article 2(7), by
// code and by number, and the Indonesian words.
var categories = map[string]report.Category{
	"": report.Unsure, "unsure": report.Unsure, "other": report.Unsure, "tidak yakin": report.Unsure, "lainnya": report.Unsure,
	"incitement": report.Incitement, "incite": report.Incitement, "g1": report.Incitement, "hasutan": report.Incitement, "penghasutan": report.Incitement,
	"solicit-offence": report.Incitement, "g2": report.Incitement,
	"recruitment": report.Recruitment, "solicit-group": report.Recruitment, "g3": report.Recruitment, "perekrutan": report.Recruitment, "rekrutmen": report.Recruitment,
	"instructions": report.Instructions, "instruct": report.Instructions, "g4": report.Instructions, "panduan": report.Instructions, "petunjuk": report.Instructions,
	"financing": report.Financing, "pendanaan": report.Financing,
	"threat": report.Threat, "threaten": report.Threat, "g5": report.Threat, "ancaman": report.Threat,
}

// Words lists the words that a hint may be, for each category.
func Words() map[report.Category][]string {
	out := map[report.Category][]string{}
	for word, c := range categories {
		if word != "" {
			out[c] = append(out[c], word)
		}
	}
	for _, words := range out {
		slices.Sort(words)
	}
	return out
}

func category(s string) (report.Category, *fault.Error) {
	if c, ok := categories[strings.ToLower(strings.Join(strings.Fields(s), " "))]; ok {
		return c, nil
	}
	return report.Unsure, fault.New(fault.Invalid, "flagger.row.hint")
}

// layouts are how days are written: the year first, or the day first; never the
// month.
var layouts = []string{
	time.DateOnly, time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006/1/2", "20060102",
	"2/1/2006", "2-1-2006", "2.1.2006", "2/1/2006 15:04", "2/1/2006 15:04:05",
}

// earliest is before anything that could be reported was found.
var earliest = time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC)

// day reads a day, "" being none.
func (r reader) day(s string) (time.Time, *fault.Error) {
	if s == "" {
		return time.Time{}, nil
	}
	at, ok := r.serial(s)
	for _, layout := range layouts {
		if ok {
			break
		}
		parsed, err := time.Parse(layout, s)
		at, ok = parsed, err == nil
	}
	if !ok {
		return time.Time{}, fault.New(fault.Invalid, "flagger.row.date")
	}
	// Somewhere it is tomorrow already.
	if at.Before(earliest) || at.After(r.now.Add(24*time.Hour)) {
		return time.Time{}, fault.New(fault.Invalid, "flagger.row.date-range")
	}
	return at.UTC().Truncate(24 * time.Hour), nil
}

// serial reads a day as workbooks store it: a count of days (ISO/IEC 29500-1,
// 18.17.4), with a fraction for the time. Five digits are no year.
func (r reader) serial(s string) (time.Time, bool) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 10_000 || n >= 100_000 {
		return time.Time{}, false
	}
	begin := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if r.table.From1904 {
		begin = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return begin.AddDate(0, 0, int(math.Floor(n))), true
}

// description is what the agency reads of a row.
func (row Row) description(p *i18n.Printer) string {
	lines := []string{}
	if row.Note != "" {
		lines = append(lines, row.Note, "")
	}
	if row.Reference != "" {
		lines = append(lines, p.T("flagger.told.reference", "Reference", row.Reference))
	}
	if !row.Found.IsZero() {
		lines = append(lines, p.T("flagger.told.found", "Day", p.Date(row.Found, time.UTC)))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
