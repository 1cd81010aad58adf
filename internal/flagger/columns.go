package flagger

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/fault"
)

// headings are how columns are called in the two languages, without case,
// spaces and signs. A heading that begins so counts after those that are so.
var headings = map[Field][]string{
	Location:  {"location", "url", "link", "locations", "urls", "links", "uri", "lokasi", "tautan", "alamat", "address", "webaddress", "handle", "akun", "account", "contenturl", "urlkonten"},
	Note:      {"note", "notes", "catatan", "description", "deskripsi", "keterangan", "uraian", "comment", "comments", "komentar", "remarks", "reason", "alasan"},
	Hint:      {"hint", "ground", "grounds", "category", "kategori", "dasar", "dugaan", "jenis", "type", "tipe"},
	Reference: {"reference", "ref", "ownreference", "yourreference", "rujukan", "referensi", "nomorrujukan", "casenumber", "nomorperkara", "nomor", "number", "id", "no"},
	Found:     {"found", "foundon", "date", "datefound", "ditemukan", "tanggal", "tgl", "tanggaltemuan", "waktu", "time", "timestamp"},
	Decided:   {"decided", "decidedon", "date", "dateofdecision", "decisiondate", "tanggal", "tgl", "tanggalkeputusan", "tanggalputusan", "diputus", "issued", "issuedon"},
	Decision:  {"decision", "measure", "action", "kind", "type", "keputusan", "putusan", "tindakan", "jenis", "tipe"},
	Ground:    {"ground", "grounds", "legalbasis", "basis", "dasar", "dasarhukum", "category", "kategori", "alasan", "reason"},
	Service:   {"platform", "service", "provider", "layanan", "penyelenggara", "situs"},
	Standing:  {"standing", "state", "status", "keadaan"},
}

// plain is a heading as headings has it.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// Propose says what the columns of a list seem to hold, by their headings and,
// where none says that it has the locations, by what stands in them.
func Propose(k Kind, t sheet.Table) []Field {
	out := make([]Field, len(t.Head))
	for _, f := range k.Fields() {
		if i := headed(t.Head, out, f); i >= 0 {
			out[i] = f
		}
	}
	if !slices.Contains(out, Location) {
		best, most := -1, 0
		for i := range out {
			if n := links(t, i); out[i] == Nothing && n > most {
				best, most = i, n
			}
		}
		if best >= 0 {
			out[best] = Location
		}
	}
	return out
}

// headed returns the free column whose heading fits a field best, -1 if none
// does.
func headed(head []string, taken []Field, f Field) int {
	for _, fits := range []func(heading, word string) bool{
		func(heading, word string) bool { return heading == word },
		func(heading, word string) bool { return len(word) > 2 && strings.HasPrefix(heading, word) },
	} {
		for _, word := range headings[f] {
			if i := slices.IndexFunc(head, func(h string) bool { return fits(plain(h), word) }); i >= 0 && taken[i] == Nothing {
				return i
			}
		}
	}
	return -1
}

// sample is how many rows are looked at for what a column holds.
const sample = 50

// links counts the cells of a column that hold links.
func links(t sheet.Table, column int) int {
	n := 0
	for _, r := range t.Rows[:min(len(t.Rows), sample)] {
		if !r.Broken && strings.Contains(r.Cells[column], "://") {
			n++
		}
	}
	return n
}

// headless gives a table whose first line holds a link, and so is a row, a
// header without names.
func headless(t sheet.Table) sheet.Table {
	if !slices.ContainsFunc(t.Head, func(h string) bool { return strings.Contains(h, "://") }) {
		return t
	}
	first := sheet.Row{N: max(t.Rows[0].N-1, 1), Cells: t.Head}
	t.Head = make([]string, len(t.Head))
	t.Rows = append([]sheet.Row{first}, t.Rows...)
	return t
}

// checkColumns wants one field or none for each column, each field at most
// once, and the locations among them.
func (k Kind) checkColumns(columns []Field, width int) error {
	var c fault.Checker
	if len(columns) != width {
		c.Add("/columns", "flagger.columns", "Want", width, "Got", len(columns))
	}
	for i, f := range columns {
		at := fmt.Sprintf("/columns/%d", i)
		switch {
		case f == Nothing:
		case !slices.Contains(k.Fields(), f):
			c.Add(at, "flagger.field", "Value", clip(string(f)), "Fields", k.words())
		case slices.Contains(columns[:i], f):
			c.Add(at, "flagger.twice", "What", "column-"+string(f))
		}
	}
	if !slices.Contains(columns, Location) {
		c.Add("/columns", "flagger.no-location")
	}
	return c.Err()
}

// words are the fields as the API spells them.
func (k Kind) words() string {
	var out []string
	for _, f := range k.Fields() {
		out = append(out, string(f))
	}
	return strings.Join(out, ", ")
}

// clip shortens a value that a fault repeats.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
