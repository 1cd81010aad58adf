// Package sheet reads tables that people keep in spreadsheets: CSV as the
// programs of two continents write it (RFC 4180, with commas, semicolons or
// tabs, in UTF-8 or UTF-16), and Office Open XML workbooks (ISO/IEC 29500,
// .xlsx). It reads what the cells hold and nothing else: no formula is worked
// out, no link is followed, no macro is looked at.
//
// Everything is bounded: bytes, rows, columns, text. A workbook is an archive
// and belongs into package cage; text may be read anywhere.
package sheet

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// Limits of a file.
const (
	MaxBytes   = 10 << 20 // of the file
	MaxRows    = 10_000   // below the header
	MaxColumns = 40
	MaxCell    = 20_000  // bytes of one cell
	MaxText    = 8 << 20 // bytes of all cells
)

// MaxEncoded bounds a table's JSON in bytes: a byte of text takes two at most,
// a cell three besides, a row forty.
const MaxEncoded = 2*MaxText + MaxRows*(40+3*MaxColumns)

// A Reason says why a file is not read. Its value is a catalogue code.
type Reason string

// The reasons.
const (
	Empty          Reason = "sheet.empty"            // no header, or no row below it
	NotText        Reason = "sheet.not-text"         // neither a workbook nor text in UTF-8 or UTF-16
	Old            Reason = "sheet.old"              // a workbook of before 2007, or one with a password
	Damaged        Reason = "sheet.damaged"          // does not follow its format
	TooLarge       Reason = "sheet.too-large"        // bytes of the file, or of what it unpacks to
	TooManyRows    Reason = "sheet.too-many-rows"    // more than MaxRows
	TooManyColumns Reason = "sheet.too-many-columns" // more than MaxColumns
)

// Reasons returns every reason.
func Reasons() []Reason {
	return []Reason{Empty, NotText, Old, Damaged, TooLarge, TooManyRows, TooManyColumns}
}

// An Error is a refusal. It holds nothing of the file.
type Error struct{ Reason Reason }

func (e *Error) Error() string { return string(e.Reason) }

func refuse(r Reason) error { return &Error{Reason: r} }

// A Table is what a file holds: the first line that is not empty as the names of
// columns, and the lines below it that are not empty.
type Table struct {
	Name  string   `json:"name,omitempty"`  // of the workbook's sheet that was read, "" of text
	Other int      `json:"other,omitempty"` // sheets of the workbook that were not read
	Head  []string `json:"head"`
	Rows  []Row    `json:"rows"`
	// From1904 is that numbers which stand for days count from 1904-01-01
	// instead of 1899-12-30 (ISO/IEC 29500-1, 18.2.28).
	From1904 bool `json:"from_1904,omitempty"`
}

// A Row is one line below the header.
type Row struct {
	N     int      `json:"n"`               // its number as a spreadsheet shows it; the first line of a file is 1
	Cells []string `json:"cells,omitempty"` // as many as there are columns
	// Broken is that the line could not be taken apart, as when a quote is never
	// closed: it has no cells.
	Broken bool `json:"broken,omitempty"`
}

// IsWorkbook reports whether a file is an archive, as workbooks are, by its
// first bytes.
func IsWorkbook(data []byte) bool {
	return strings.HasPrefix(string(data[:min(len(data), 4)]), "PK\x03\x04")
}

// isOld reports whether a file is a compound file ([MS-CFB]): a workbook of
// before 2007, or a newer one that is encrypted.
func isOld(data []byte) bool {
	return strings.HasPrefix(string(data[:min(len(data), 8)]), "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
}

// A builder gathers a table line by line, and holds its limits.
type builder struct {
	table Table
	text  int
}

// add takes the line with a number. Empty lines are left out.
func (b *builder) add(n int, cells []string) error {
	var out []string
	last := 0
	for i, c := range cells {
		if c = clean(c); c != "" {
			last = i + 1
		}
		if b.text += len(c); len(c) > MaxCell || b.text > MaxText {
			return refuse(TooLarge)
		}
		if i < MaxColumns {
			out = append(out, c)
		}
	}
	switch {
	case last == 0:
		return nil
	case last > MaxColumns:
		return refuse(TooManyColumns)
	}
	out = out[:last]
	if b.table.Head == nil {
		b.table.Head = out
		return nil
	}
	return b.row(Row{N: n, Cells: out})
}

func (b *builder) row(r Row) error {
	if len(b.table.Rows) == MaxRows {
		return refuse(TooManyRows)
	}
	b.table.Rows = append(b.table.Rows, r)
	return nil
}

// done gives every line as many cells as the longest has.
func (b *builder) done() (Table, error) {
	if len(b.table.Rows) == 0 {
		return Table{}, refuse(Empty)
	}
	width := len(b.table.Head)
	for _, r := range b.table.Rows {
		width = max(width, len(r.Cells))
	}
	pad := func(cells []string) []string {
		for len(cells) < width {
			cells = append(cells, "")
		}
		return cells
	}
	b.table.Head = pad(b.table.Head)
	for i, r := range b.table.Rows {
		if !r.Broken {
			b.table.Rows[i].Cells = pad(r.Cells)
		}
	}
	return b.table, nil
}

// clean returns a cell's text without what cannot be seen at its ends, and
// without characters that no text holds.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s))
	return strings.TrimSpace(s)
}

// Encode returns the table as JSON, for Decode.
func (t Table) Encode() ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	err := out.Encode(t)
	return b.Bytes(), err
}

// Decode reads what Encode wrote, believing nothing: whoever wrote it may have
// been broken into. Errors are [*Error].
func Decode(data []byte) (Table, error) {
	var t Table
	if len(data) > MaxEncoded || json.Unmarshal(data, &t) != nil {
		return Table{}, refuse(Damaged)
	}
	b := builder{}
	if err := b.add(1, t.Head); err != nil {
		return Table{}, err
	}
	before := 0
	for _, r := range t.Rows {
		if r.N <= before || len(r.Cells) > 0 == r.Broken {
			return Table{}, refuse(Damaged)
		}
		before = r.N
		var err error
		if r.Broken {
			err = b.row(r)
		} else {
			err = b.add(r.N, r.Cells)
		}
		if err != nil {
			return Table{}, err
		}
	}
	b.table.Name, b.table.Other, b.table.From1904 = clean(t.Name), max(t.Other, 0), t.From1904
	if len(b.table.Name) > maxName {
		return Table{}, refuse(Damaged)
	}
	return b.done()
}

// maxName bounds the name of a sheet in bytes: 31 characters (ISO/IEC 29500-1,
// 18.2.19).
const maxName = 31 * utf8.UTFMax

// reasonOf sorts what a reader says.
func reasonOf(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return refuse(Damaged)
}
