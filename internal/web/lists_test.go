package web_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/party"
)

var warga = party.Party{Code: "jaring-warga", Kind: party.Civil, Name: "Jaring Warga", Languages: []string{"id"}, Contact: "meja@warga.example", Zone: "Asia/Jakarta"}

// lists sends a file to the page of lists.
func (d desk) lists(t *testing.T, name, content string) answer {
	t.Helper()
	return d.brings(t, "/lists", name, content)
}

// brings sends a file to a page that takes lists.
func (d desk) brings(t *testing.T, path, name, content string) answer {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	f, err := w.CreateFormFile("file", name)
	must(t, err)
	_, err = io.WriteString(f, content)
	must(t, err)
	must(t, w.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+path, &b)
	must(t, err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	resp, err := d.Browser.Do(req)
	return d.read(t, resp, err)
}

func TestAListIsReadAndReported(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	x.Join(t, "lena", warga, party.Analyst)
	d := at(t, x, "lena")
	page := d.lists(t, "november.csv", "Alamat;Catatan;Dugaan\nhttps://ruangsuara.example/v/1;\"<b>satu</b>\";perekrutan\nbukan tautan;=dua;G9\n")
	page.want(t, http.StatusOK)
	for _, want := range []string{"november.csv", "&lt;b&gt;satu&lt;/b&gt;", "ruangsuara[.]example", "Laporkan 1 baris", "Dugaan: Kata ini tidak dikenal"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the preview lacks %q", want)
		}
	}
	path := page.url.Path
	d.post(t, path+"/columns", url.Values{"column-0": {"note"}, "column-1": {"note"}, "column-2": {""}}).want(t, http.StatusUnprocessableEntity)
	d.post(t, path+"/columns", url.Values{"column-0": {"location"}, "column-1": {"note"}, "column-2": {"hint"}}).want(t, http.StatusOK)
	csv := d.get(t, path+"/faults.csv")
	if csv.status != http.StatusOK || !strings.Contains(csv.body, "3,Alamat,bukan tautan,") {
		t.Errorf("faults: %d %s", csv.status, csv.body)
	}
	d.post(t, path+"/start", nil).want(t, http.StatusOK)
	id := flagger.ID(strings.TrimPrefix(path, "/lists/"))
	comes(t, x, "the end of the list", func() bool {
		l, err := x.App.Flagger.Get(t.Context(), d.Actor, id)
		return err == nil && l.State == flagger.Done
	})
	done := d.get(t, path)
	done.want(t, http.StatusOK)
	if !strings.Contains(done.body, "TEST-LP-") || strings.Contains(done.body, "/start") {
		t.Errorf("the list after its end: %s", done.body)
	}
	again := d.lists(t, "november.csv", "Alamat;Catatan;Dugaan\nhttps://ruangsuara.example/v/1;\"<b>satu</b>\";perekrutan\n")
	if !strings.Contains(again.body, "Pernah dilaporkan") || strings.Contains(again.body, "Laporkan 1 baris") {
		t.Error("a row that was reported before can be reported again")
	}
	d.post(t, again.url.Path+"/discard", nil).want(t, http.StatusOK)
	d.post(t, path+"/undo", nil).want(t, http.StatusOK)
	comes(t, x, "the end of taking it back", func() bool {
		l, err := x.App.Flagger.Get(t.Context(), d.Actor, id)
		return err == nil && l.Gone
	})
	if undone := d.get(t, path); !strings.Contains(undone.body, "menarik kembali daftar ini") || !strings.Contains(undone.body, "1 dari 1 laporan.") || strings.Contains(undone.body, "Sisanya") || strings.Contains(undone.body, "/undo") {
		t.Errorf("the list after it was taken back: %s", undone.body)
	}
	d.lists(t, "kosong.csv", "").want(t, http.StatusUnprocessableEntity)
	if none := d.post(t, "/lists", nil); none.status != http.StatusUnprocessableEntity || !strings.Contains(none.body, "Pilih berkasnya dulu: CSV atau XLSX") {
		t.Errorf("without a file: %d", none.status)
	}
	d.lists(t, "lama.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").want(t, http.StatusUnprocessableEntity)
	at(t, x, "analyst").get(t, path).want(t, http.StatusNotFound)
}
