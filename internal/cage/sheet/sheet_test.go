package sheet_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/tangkal/tangkal/internal/cage/sheet"
)

// wide is s in UTF-16 (RFC 2781).
func wide(s string, little, mark bool) []byte {
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	var b []byte
	for _, u := range units {
		if little {
			b = append(b, byte(u), byte(u>>8))
		} else {
			b = append(b, byte(u>>8), byte(u))
		}
	}
	return b
}

// two is the table that most files of these tests hold.
func two() sheet.Table {
	return sheet.Table{Head: []string{"Tautan", "Catatan"}, Rows: []sheet.Row{
		{N: 2, Cells: []string{"https://a.example/1", "satu, \"dua\"; é"}},
		{N: 3, Cells: []string{"https://a.example/2", ""}},
	}}
}

func TestTextIsReadHoweverItIsWritten(t *testing.T) {
	comma := "Tautan,Catatan\nhttps://a.example/1,\"satu, \"\"dua\"\"; é\"\nhttps://a.example/2,\n"
	semi := "Tautan;Catatan\r\nhttps://a.example/1;\"satu, \"\"dua\"\"; é\"\r\nhttps://a.example/2;\r\n"
	tab := "Tautan\tCatatan\nhttps://a.example/1\t\"satu, \"\"dua\"\"; é\"\nhttps://a.example/2"
	for name, data := range map[string][]byte{
		"comma": []byte(comma), "semicolon": []byte(semi), "tab": []byte(tab), "marked": []byte("\ufeff" + semi),
		"little": wide(tab, true, true), "big": wide(comma, false, true), "little without mark": wide(semi, true, false), "big without mark": wide(tab, false, false),
	} {
		got, err := sheet.ReadText(data)
		if diff := cmp.Diff(two(), got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	got, err := sheet.ReadText([]byte("sep=;\r\n" + semi))
	want := two()
	want.Rows[0].N, want.Rows[1].N = 3, 4
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("sep=: %v\n%s", err, diff)
	}
}

func TestRowsHaveTheNumbersThatASpreadsheetShows(t *testing.T) {
	got, err := sheet.ReadText([]byte("\na,b\n\n1,\"x\ny\"\n\n\n2,z\n3,\"bad\" quote\n4,w\n"))
	want := sheet.Table{Head: []string{"a", "b"}, Rows: []sheet.Row{
		{N: 4, Cells: []string{"1", "x\ny"}}, {N: 7, Cells: []string{"2", "z"}}, {N: 8, Broken: true}, {N: 9, Cells: []string{"4", "w"}},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// book makes a workbook.
func book(t testing.TB, fill func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	fill(f)
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAWorkbookIsReadAsValues(t *testing.T) {
	data := book(t, func(f *excelize.File) {
		f.SetSheetRow("Sheet1", "A1", &[]any{"url", "note", "n", "made"})
		f.SetSheetRow("Sheet1", "A3", &[]any{" https://a.example/1 ", "x\ty", 12345678901})
		f.SetCellFormula("Sheet1", "D3", `WEBSERVICE("https://evil.example/")`)
		f.SetCellHyperLink("Sheet1", "A3", "https://other.example/", "External")
		f.NewSheet("Sheet2")
		f.SetCellStr("Sheet2", "A1", "not read")
	})
	got, err := sheet.ReadWorkbook(data)
	want := sheet.Table{Name: "Sheet1", Other: 1, Head: []string{"url", "note", "n", "made"}, Rows: []sheet.Row{
		{N: 3, Cells: []string{"https://a.example/1", "x\ty", "12345678901", ""}},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	coded, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := sheet.Decode(coded)
	if diff := cmp.Diff(want, again); err != nil || diff != "" {
		t.Errorf("decoded: %v\n%s", err, diff)
	}
}

// archive makes a zip file of parts.
func archive(t testing.TB, parts map[string]func(io.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, write := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		write(w)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileFilesAreRefused(t *testing.T) {
	zeros := func(n int) func(io.Writer) {
		return func(w io.Writer) {
			for range n {
				w.Write(make([]byte, 1<<20))
			}
		}
	}
	many := func(rows, columns int) []byte {
		return []byte(strings.Repeat(strings.Repeat("x,", columns-1)+"x\n", rows+1))
	}
	for name, c := range map[string]struct {
		read func([]byte) (sheet.Table, error)
		data []byte
		want sheet.Reason
	}{
		"nothing":          {sheet.ReadText, nil, sheet.Empty},
		"a header alone":   {sheet.ReadText, []byte("url\n\n"), sheet.Empty},
		"a picture":        {sheet.ReadText, []byte("\x89PNG\r\n\x1a\n\x00\x00"), sheet.NotText},
		"Latin letters":    {sheet.ReadText, []byte("url,note\nx,caf\xe9\n"), sheet.NotText},
		"half a character": {sheet.ReadText, append(wide("url\nx\n", true, true), 'x'), sheet.NotText},
		"lone surrogates":  {sheet.ReadText, []byte("\xff\xfeu\x00\x00\xd8\n\x00"), sheet.NotText},
		"an old workbook":  {sheet.ReadText, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1..."), sheet.Old},
		"a broken header":  {sheet.ReadText, []byte("\"url\nx\n"), sheet.Damaged},
		"many rows":        {sheet.ReadText, many(sheet.MaxRows+1, 2), sheet.TooManyRows},
		"many columns":     {sheet.ReadText, many(1, sheet.MaxColumns+1), sheet.TooManyColumns},
		"a long cell":      {sheet.ReadText, []byte("url\n" + strings.Repeat("x", sheet.MaxCell+1)), sheet.TooLarge},
		"much text":        {sheet.ReadText, []byte("url\n" + strings.Repeat(strings.Repeat("x", 9_000)+"\n", 1_000)), sheet.TooLarge},
		"a long file":      {sheet.ReadText, make([]byte, sheet.MaxBytes+1), sheet.TooLarge},
		"a long book":      {sheet.ReadWorkbook, make([]byte, sheet.MaxBytes+1), sheet.TooLarge},
		"an archive":       {sheet.ReadWorkbook, archive(t, map[string]func(io.Writer){"a.txt": zeros(1)}), sheet.NotText},
		"a bomb":           {sheet.ReadWorkbook, archive(t, map[string]func(io.Writer){"[Content_Types].xml": zeros(1), "xl/worksheets/sheet1.xml": zeros(200)}), sheet.TooLarge},
		"half a book":      {sheet.ReadWorkbook, book(t, func(*excelize.File) {})[:900], sheet.Damaged},
		"an empty book":    {sheet.ReadWorkbook, book(t, func(*excelize.File) {}), sheet.Empty},
		"a far row":        {sheet.ReadWorkbook, book(t, func(f *excelize.File) { f.SetCellStr("Sheet1", "A1", "url"); f.SetCellStr("Sheet1", "A1048576", "x") }), sheet.TooManyRows},
		"a far column":     {sheet.ReadWorkbook, book(t, func(f *excelize.File) { f.SetCellStr("Sheet1", "A1", "url"); f.SetCellStr("Sheet1", "XFD2", "x") }), sheet.TooManyColumns},
	} {
		_, err := c.read(c.data)
		if e, ok := errors.AsType[*sheet.Error](err); !ok || e.Reason != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestABombThatLiesAboutItsSizeIsHeldToIt(t *testing.T) {
	data := book(t, func(f *excelize.File) {
		for i := range 5_000 {
			f.SetCellStr("Sheet1", fmt.Sprintf("A%d", i+1), strings.Repeat("0", 200))
		}
	})
	// The list at the end says that every part is a hundred bytes long.
	for at := bytes.Index(data, []byte("PK\x01\x02")); at >= 0 && at+28 < len(data); {
		copy(data[at+24:at+28], []byte{100, 0, 0, 0})
		next := bytes.Index(data[at+4:], []byte("PK\x01\x02"))
		if next < 0 {
			break
		}
		at += 4 + next
	}
	if got, err := sheet.ReadWorkbook(data); err == nil {
		t.Errorf("%d rows of a workbook that lies", len(got.Rows))
	}
}

func TestNothingThatAWorkerSaysIsBelieved(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON": `x`, "no rows": `{"head":["a"]}`, "rows in no order": `{"head":["a"],"rows":[{"n":2,"cells":["x"]},{"n":2,"cells":["y"]}]}`,
		"no number": `{"head":["a"],"rows":[{"cells":["x"]}]}`, "broken with cells": `{"head":["a"],"rows":[{"n":2,"cells":["x"],"broken":true}]}`,
		"neither": `{"head":["a"],"rows":[{"n":2}]}`, "a long name": `{"name":"` + strings.Repeat("x", 200) + `","head":["a"],"rows":[{"n":2,"cells":["x"]}]}`,
		"wide": `{"head":["a"],"rows":[{"n":2,"cells":["x"` + strings.Repeat(`,"x"`, sheet.MaxColumns) + `]}]}`,
	} {
		if got, err := sheet.Decode([]byte(data)); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
}

func FuzzReadText(f *testing.F) {
	f.Add([]byte("url,note\nhttps://a.example/1,x\n"))
	f.Add([]byte("sep=;\nurl;note\n\"a\nb\";x\n"))
	f.Add(wide("url\tnote\nx\ty\n", true, true))
	f.Fuzz(func(t *testing.T, data []byte) { held(t, data, sheet.ReadText) })
}

func FuzzReadWorkbook(f *testing.F) {
	f.Add(book(f, func(x *excelize.File) {
		x.SetSheetRow("Sheet1", "A1", &[]any{"url", "note"})
		x.SetSheetRow("Sheet1", "A2", &[]any{"https://a.example/1", 45_000.5})
	}))
	f.Fuzz(func(t *testing.T, data []byte) { held(t, data, sheet.ReadWorkbook) })
}

// held wants an error with a reason, or a table within all limits that is the
// same when it has passed from worker to server.
func held(t *testing.T, data []byte, read func([]byte) (sheet.Table, error)) {
	t.Helper()
	got, err := read(data)
	if err != nil {
		if _, ok := errors.AsType[*sheet.Error](err); !ok {
			t.Fatalf("an error without a reason: %v", err)
		}
		return
	}
	coded, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := sheet.Decode(coded)
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
}
