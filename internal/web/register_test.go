package web_test

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/flagger"
)

var entryAddress = regexp.MustCompile(`/register-entries/[0-9a-f-]+`)

// workbook is an XLSX file with rows.
func workbook(t *testing.T, rows ...[]any) string {
	t.Helper()
	f := excelize.NewFile()
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		must(t, err)
		must(t, f.SetSheetRow("Sheet1", cell, &row))
	}
	var b bytes.Buffer
	must(t, f.Write(&b))
	return b.String()
}

// The workbook goes through a real worker: a process of its own, locked in.
func TestWhatWasDecidedBeforeStandsOnACase(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, "https://ruangsuara.example/v/77")
	page := d.brings(t, "/registers", "lama.xlsx", workbook(t,
		[]any{"Tautan", "Tanggal", "Keputusan", "Nomor", "Status", "Catatan"},
		[]any{"https://ruangsuara.example/v/77", "12/03/2019", "Pemutusan <akses>", "KK-118", "dicabut", "setelah keberatan"},
		[]any{"https://ruangsuara.example/v/78", "", "", "", "", ""},
	))
	page.want(t, http.StatusOK)
	for _, want := range []string{"lama.xlsx", "Simpan 1 baris", "Pemutusan &lt;akses&gt;", "Tidak berlaku lagi", "12 Maret 2019", "tidak menyebut kapan diputus", "Tidak dapat disimpan"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the preview lacks %q", want)
		}
	}
	if strings.Contains(page.body, "apat dilaporkan") {
		t.Error("the preview speaks of reports")
	}
	path := page.url.Path
	twice := d.post(t, path+"/columns", url.Values{
		"column-0": {"location"}, "column-1": {"decided"}, "column-2": {"decision"}, "column-3": {"reference"}, "column-4": {"reference"}, "column-5": {""},
	})
	if twice.status != http.StatusUnprocessableEntity || !strings.Contains(twice.body, "Dua kolom disebut berisi “nomor rujukan”") {
		t.Errorf("two columns with references: %d", twice.status)
	}
	d.post(t, path+"/start", nil).want(t, http.StatusOK)
	id := flagger.ID(strings.TrimPrefix(path, "/registers/"))
	comes(t, x, "the end of the register", func() bool {
		l, err := x.App.Flagger.Get(t.Context(), d.Actor, id)
		return err == nil && l.State == flagger.Done
	})
	told := d.get(t, "/cases/"+string(c.ID))
	for _, want := range []string{"Pernah diputus", "Nomor KK-118, 12 Maret 2019", "Tidak berlaku lagi", "Pemutusan &lt;akses&gt; · dicabut"} {
		if !strings.Contains(told.body, want) {
			t.Errorf("the case lacks %q", want)
		}
	}
	entry := entryAddress.FindString(told.body)
	at(t, x, "reviewer").get(t, entry).want(t, http.StatusOK)
	for _, who := range []string{"same-analyst", "officer", "eu-analyst"} {
		at(t, x, who).get(t, entry).want(t, http.StatusNotFound)
		at(t, x, who).get(t, path).want(t, http.StatusNotFound)
	}
	at(t, x, "platform").get(t, entry).want(t, http.StatusNotFound)
	if page := d.get(t, entry); page.status != http.StatusOK || !strings.Contains(page.body, c.Ref) || !strings.Contains(page.body, "setelah keberatan") {
		t.Errorf("the entry: %d", page.status)
	}
	if found := d.get(t, "/find?q=KK-118"); !strings.Contains(found.body, entry) {
		t.Error("search does not find it")
	}
	if found := at(t, x, "same-analyst").get(t, "/find?q=KK-118"); found.status != http.StatusOK || strings.Contains(found.body, entry) {
		t.Errorf("another agency finds it: %d", found.status)
	}
	if lists := d.get(t, strings.Replace(path, "/registers/", "/lists/", 1)); lists.url.Path != path {
		t.Errorf("a register stands among lists: %s", lists.url)
	}
	undone := d.post(t, path+"/undo", nil)
	if undone.status != http.StatusOK || !strings.Contains(undone.body, "menarik kembali daftar ini") || strings.Contains(undone.body, "/undo") {
		t.Errorf("after it was taken back: %d", undone.status)
	}
	d.get(t, entry).want(t, http.StatusNotFound)
	if told := d.get(t, "/cases/"+string(c.ID)); strings.Contains(told.body, "Pernah diputus") {
		t.Error("the case still tells of what was taken back")
	}
	d.get(t, "/registers").want(t, http.StatusOK)
}
