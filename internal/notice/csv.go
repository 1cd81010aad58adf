package notice

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

const (
	maxCSVBytes = 32 << 20 // a whole file
	maxCSVLine  = 64 << 10
	maxCSVCols  = 40
)

// csvColumns are the columns of an answer file: the name in both languages and
// the field that it fills. A file needs reference or url, and answer.
var csvColumns = []struct {
	field, en, id string
}{
	{"reference", "reference", "nomor"},
	{"n", "item", "butir"},
	{"url", "url", "tautan"},
	{"answer", "answer", "jawaban"},
	{"at", "at", "waktu"},
	{"basis", "basis", "dasar"},
	{"where", "where", "wilayah"},
	{"until", "until", "sampai"},
	{"how", "how", "cara"},
	{"label", "label", "label"},
	{"ground", "ground", "alasan"},
	{"explanation", "explanation", "penjelasan"},
	{"question", "question", "pertanyaan"},
	{"court", "court", "pengadilan"},
	{"court_reference", "court_reference", "nomor_perkara"},
	{"suspensive", "suspensive", "menunda"},
	{"preserved_until", "preserved_until", "disimpan_sampai"},
	{"user_told_at", "user_told_at", "pengguna_diberi_tahu"},
	{"automated", "automated", "otomatis"},
}

// ReadCSV reads answers from a file as spreadsheets write them: UTF-8 with or
// without a byte order mark, comma, semicolon or tab, quoted where needed, the
// header in Indonesian or English. A record that cannot be read is the fault of
// its row, and reading goes on; a header that cannot be read is the only row.
func ReadCSV(r io.Reader) iter.Seq2[BulkRow, error] {
	return func(yield func(BulkRow, error) bool) {
		in := bufio.NewReaderSize(&bounded{r: r}, 4096)
		if bom, err := in.Peek(3); err == nil && string(bom) == "\ufeff" {
			_, _ = in.Discard(3) // was peeked
		}
		reader := csv.NewReader(in)
		reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = comma(in), -1, false
		header, err := reader.Read()
		if err != nil {
			yield(BulkRow{}, csvFault(err))
			return
		}
		fields, err := csvHeader(header)
		if err != nil {
			yield(BulkRow{}, err)
			return
		}
		for {
			record, err := reader.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				var broken *csv.ParseError
				if !yield(BulkRow{}, csvFault(err)) || !errors.As(err, &broken) {
					return
				}
				continue
			}
			if blank(record) {
				continue
			}
			if !yield(csvRow(fields, record)) {
				return
			}
		}
	}
}

// bounded fails on a line without an end and on a file without one.
type bounded struct {
	r           io.Reader
	line, total int
	err         error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.total += n
	for _, c := range p[:n] {
		b.line++
		if c == '\n' {
			b.line = 0
		}
		if b.line > maxCSVLine {
			b.err = fault.New(fault.Invalid, "notice.csv-line", "Max", maxCSVLine)
		}
	}
	if b.total > maxCSVBytes {
		b.err = fault.New(fault.Invalid, "notice.csv-line", "Max", maxCSVBytes)
	}
	if b.err != nil {
		return 0, b.err
	}
	return n, err
}

// comma looks at the header for what separates its columns.
func comma(in *bufio.Reader) rune {
	head, _ := in.Peek(4096) // whatever is there
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', strings.Count(line, ",")
	for _, c := range []rune{';', '\t'} {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

func csvFault(err error) error {
	if f, ok := fault.As(err); ok {
		return f
	}
	var broken *csv.ParseError
	if errors.As(err, &broken) {
		return fault.New(fault.Invalid, "notice.csv", "Line", broken.Line).Because(err)
	}
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "notice.csv-header", "Value", "")
	}
	return err
}

func blank(record []string) bool {
	return !slices.ContainsFunc(record, func(s string) bool { return strings.TrimSpace(s) != "" })
}

// csvHeader returns the field of each column. An unknown or repeated column is
// refused: a misspelt one would silently lose what it holds.
func csvHeader(header []string) ([]string, error) {
	if len(header) > maxCSVCols {
		return nil, fault.New(fault.Invalid, "notice.csv-header", "Value", strconv.Itoa(len(header)))
	}
	fields := make([]string, len(header))
	for i, name := range header {
		name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
		for _, c := range csvColumns {
			if name == c.en || name == c.id || name == c.field {
				fields[i] = c.field
			}
		}
		if fields[i] == "" || slices.Contains(fields[:i], fields[i]) {
			return nil, fault.New(fault.Invalid, "notice.csv-header", "Value", clip(strings.ToValidUTF8(name, "?"), 40))
		}
	}
	if !slices.Contains(fields, "answer") || !slices.Contains(fields, "reference") && !slices.Contains(fields, "url") {
		return nil, fault.New(fault.Invalid, "notice.csv-columns")
	}
	return fields, nil
}

func csvRow(fields, record []string) (BulkRow, error) {
	var row BulkRow
	if len(record) > len(fields) {
		return row, fault.New(fault.Invalid, "notice.csv-cells", "Got", len(record), "Want", len(fields))
	}
	var c fault.Checker
	for i, cell := range record {
		cell = strings.TrimSpace(cell)
		if cell == "" {
			continue
		}
		if err := row.set(fields[i], cell); err != nil {
			c.Add("/"+fields[i], "notice.csv-cell", "Value", clip(strings.ToValidUTF8(cell, "?"), 40))
		}
	}
	return row, c.Err()
}

// set fills one field of a row from its cell.
func (row *BulkRow) set(field, cell string) error {
	var err error
	switch field {
	case "reference":
		row.Ref = cell
	case "n":
		row.N, err = strconv.Atoi(cell)
	case "url":
		row.URL = canonical.Refang(strings.TrimPrefix(cell, "'"))
	case "answer":
		row.Answer = notes.AnswerKind(cell)
	case "at":
		row.At, err = csvTime(cell)
	case "until":
		row.Until, err = csvTime(cell)
	case "preserved_until":
		row.PreservedUntil, err = csvTime(cell)
	case "user_told_at":
		row.UserToldAt, err = csvTime(cell)
	case "basis":
		row.Basis = notes.Basis(cell)
	case "where":
		row.Where = strings.Fields(strings.NewReplacer(",", " ", ";", " ").Replace(cell))
	case "how":
		row.How = cell
	case "label":
		row.Label = cell
	case "ground":
		row.Ground = notes.AnswerGround(cell)
	case "explanation":
		row.Explanation = cell
	case "question":
		row.Question = cell
	case "court":
		row.Court = cell
	case "court_reference":
		row.CourtReference = cell
	case "suspensive":
		row.Suspensive, err = csvBool(cell)
	case "automated":
		row.Automated, err = csvBool(cell)
	}
	return err
}

// csvTime reads RFC 3339, with any offset.
func csvTime(cell string) (notes.Time, error) {
	t, err := time.Parse(time.RFC3339, cell)
	if err != nil || t.UTC().Year() < 2 || t.UTC().Year() > 9999 {
		return notes.Time{}, errors.Join(err, errors.New("not a time"))
	}
	return notes.At(t), nil
}

func csvBool(cell string) (*bool, error) {
	yes := true
	no := false
	switch strings.ToLower(cell) {
	case "yes", "ya", "true", "1":
		return &yes, nil
	case "no", "tidak", "false", "0":
		return &no, nil
	default:
		return nil, errors.New("neither yes nor no")
	}
}

// WriteCSV writes the open items of the actor's platform as a file to be filled
// in, header in the given language, links not clickable. A cell that a
// spreadsheet would run as a formula is written behind an apostrophe.
func (r *Room) WriteCSV(ctx context.Context, by party.Actor, lang i18n.Lang, w io.Writer) error {
	if err := auth.May(by, auth.NoticeAnswer, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	header := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		header[i] = c.en
		if lang == i18n.ID {
			header[i] = c.id
		}
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil { // so that spreadsheets take it as UTF-8
		return err
	}
	if err := out.Write(header); err != nil {
		return err
	}
	ids, err := db.All(ctx, r.DB, db.Scalar[ID], `
		SELECT id FROM notices WHERE addressee = $1 AND life = 'open' AND sent_mac IS NOT NULL
		ORDER BY COALESCE(due_at, 4611686018427387904), id LIMIT 2000`, by.Party)
	if err != nil {
		return err
	}
	left := maxRows
	for _, id := range ids {
		written, err := r.writeItems(ctx, id, left, out)
		if err != nil {
			return err
		}
		if left -= written; left <= 0 {
			break
		}
	}
	out.Flush()
	return out.Error()
}

// writeItems writes at most limit open items of one notice.
func (r *Room) writeItems(ctx context.Context, id ID, limit int, out *csv.Writer) (int, error) {
	n, err := get(ctx, r.DB, id)
	if err != nil || !r.sentRightly(n) {
		return 0, err
	}
	all, err := db.All(ctx, r.DB, scanItem, `SELECT `+itemColumns+` FROM notice_items WHERE notice_id = $1 AND state = 'pending' ORDER BY n LIMIT $2`, id, limit)
	if err != nil {
		return 0, err
	}
	for _, it := range all {
		url, err := r.open(n, it.sealedURL, "url")
		if err != nil {
			return 0, err
		}
		record := make([]string, len(csvColumns))
		record[0], record[1], record[2] = n.Ref, strconv.Itoa(it.N), inert(canonical.Defang(string(url)))
		if err := out.Write(record); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// inert keeps a spreadsheet from running a cell.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
