package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// ReadText reads a table from text: the separator is the one that the header
// has most of, or that a first line "sep=;" names. Errors are [*Error].
func ReadText(data []byte) (Table, error) {
	switch {
	case len(data) > MaxBytes:
		return Table{}, refuse(TooLarge)
	case isOld(data):
		return Table{}, refuse(Old)
	}
	text, err := decode(data)
	if err != nil {
		return Table{}, err
	}
	n := 0 // lines before the table
	comma, rest := separator(text)
	if rest != text {
		n = 1
	}
	in := csv.NewReader(strings.NewReader(rest))
	in.Comma, in.FieldsPerRecord = comma, -1
	var b builder
	for end := 0; ; {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return b.done()
		}
		start, last := span(in, cells, err)
		// A line of the file is a row of the spreadsheet, but those within
		// quotes; empty ones count.
		n += max(start-end, 1)
		end = max(last, start)
		switch {
		case err == nil:
			err = b.add(n, cells)
		case b.table.Head == nil:
			err = refuse(Damaged)
		default:
			err = b.row(Row{N: n, Broken: true})
		}
		if err != nil {
			return Table{}, reasonOf(err)
		}
	}
}

// span returns the lines on which the record that was just read begins and
// ends.
func span(in *csv.Reader, cells []string, err error) (start, end int) {
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		return broken.StartLine, broken.Line
	}
	start, _ = in.FieldPos(0)
	end, _ = in.FieldPos(len(cells) - 1)
	return start, end + strings.Count(cells[len(cells)-1], "\n")
}

// decode returns the text in UTF-8, by its mark or by how it looks.
func decode(data []byte) (string, error) {
	order := unicode.BigEndian
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = unicode.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
	case len(data) >= 4 && data[1] == 0 && data[3] == 0:
		order = unicode.LittleEndian
	case len(data) >= 4 && data[0] == 0 && data[2] == 0:
	default:
		data = bytes.TrimPrefix(data, []byte("\ufeff"))
		if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
			return "", refuse(NotText)
		}
		return string(data), nil
	}
	text, err := unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(data)
	if err != nil || len(data)%2 != 0 || bytes.ContainsRune(text, utf8.RuneError) || bytes.IndexByte(text, 0) >= 0 {
		return "", refuse(NotText)
	}
	return string(text), nil
}

// separators are those that programs write.
const separators = ",;\t"

// separator returns what stands between cells, and the text without the line
// that says so.
func separator(text string) (rune, string) {
	first, rest, _ := strings.Cut(text, "\n")
	if name, ok := strings.CutPrefix(strings.ToLower(strings.TrimRight(first, "\r")), "sep="); ok && len(name) == 1 && strings.Contains(separators, name) {
		return rune(name[0]), rest
	}
	counts, quoted := map[rune]int{}, false
	for _, r := range text {
		if r == '"' {
			quoted = !quoted
		}
		if r == '\n' && !quoted && len(counts) > 0 {
			break
		}
		if !quoted && strings.ContainsRune(separators, r) {
			counts[r]++
		}
	}
	best := ','
	for _, r := range separators {
		if counts[r] > counts[best] {
			best = r
		}
	}
	return best, text
}
