package sheet

import (
	"archive/zip"
	"bytes"
	"errors"

	"github.com/xuri/excelize/v2"
)

// Limits of a workbook's archive.
const (
	maxUnpacked = 96 << 20 // bytes of all parts
	maxParts    = 2_000
	maxNumber   = 100_000 // of the last row: empty rows between are walked through
)

// ReadWorkbook reads the first sheet of a workbook that is not hidden. Errors
// are [*Error]. It takes some multiple of the unpacked size in memory: call it
// in a cage.
func ReadWorkbook(data []byte) (t Table, err error) {
	switch {
	case len(data) > MaxBytes:
		return Table{}, refuse(TooLarge)
	case isOld(data):
		return Table{}, refuse(Old)
	}
	if err := looksSane(data); err != nil {
		return Table{}, err
	}
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		RawCellValue: true,
		// Equal, so that no part is unpacked into a file beside it.
		UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpacked,
	})
	if err != nil {
		return Table{}, refuse(Damaged)
	}
	defer f.Close() //nolint:errcheck // read only, nothing of it is on disk
	var b builder
	if b.table.Name, err = firstSheet(f); err != nil {
		return Table{}, err
	}
	b.table.Other = len(f.GetSheetList()) - 1
	if p, err := f.GetWorkbookProps(); err == nil && p.Date1904 != nil {
		b.table.From1904 = *p.Date1904
	}
	rows, err := f.Rows(b.table.Name)
	if err != nil {
		return Table{}, refuse(Damaged)
	}
	defer rows.Close() //nolint:errcheck // read only
	for n := 1; rows.Next(); n++ {
		if n > maxNumber {
			return Table{}, refuse(TooManyRows)
		}
		cells, err := rows.Columns()
		if err == nil {
			err = b.add(n, cells)
		}
		if err != nil {
			return Table{}, reasonOf(err)
		}
	}
	if rows.Error() != nil {
		return Table{}, refuse(Damaged)
	}
	return b.done()
}

// firstSheet returns the name of the first sheet that is shown.
func firstSheet(f *excelize.File) (string, error) {
	for _, name := range f.GetSheetList() {
		if shown, err := f.GetSheetVisible(name); err == nil && shown && len(name) <= maxName {
			return name, nil
		}
	}
	return "", refuse(Empty)
}

// looksSane looks at the archive's own list before anything is unpacked. The
// unpacker holds each part to the size that the list says (archive/zip).
func looksSane(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return refuse(Damaged)
	}
	if len(z.File) > maxParts {
		return refuse(TooLarge)
	}
	var total uint64
	book := false
	for _, f := range z.File {
		if total += f.UncompressedSize64; f.UncompressedSize64 > maxUnpacked || total > maxUnpacked {
			return refuse(TooLarge)
		}
		book = book || f.Name == "[Content_Types].xml"
	}
	if !book {
		return refuse(NotText)
	}
	return nil
}
