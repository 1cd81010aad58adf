package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/notes"
)

// proposes makes that many like orders that wait for an approver.
func (h *orderHouse) proposes(t *testing.T, n int) (ids []notice.ID) {
	t.Helper()
	for i := range n {
		made := h.drafted(t, notes.RemovalOrder, "https://ruangsuara.example/v/batch-"+strconv.Itoa(i))
		h.signs(t, h.analyst, made.ID, "propose")
		ids = append(ids, made.ID)
	}
	return ids
}

// Five like orders are approved by one touch, by the keyboard alone: the draw,
// each drawn dossier with its evidence, and the signature; then each of them
// leaves by itself.
func TestABatchIsApprovedByOneTouchWithTheKeyboard(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	ids := h.proposes(t, 5)
	p, _ := h.device(t, h.approver)
	p.Go(h.URL + "/approvals")
	p.Run(chromedp.WaitVisible(`[data-batch] form button`, chromedp.ByQuery), chromedp.Poll(`!!window.htmx`, nil))
	axetest.Check(t, p.Context, "")
	p.Shot("batch-offered")
	p.Run(chromedp.Focus(`[data-batch] form button`, chromedp.ByQuery), press(kb.Enter), chromedp.WaitVisible("#batch-h", chromedp.ByQuery))
	axetest.Check(t, p.Context, "")
	p.Shot("batch-drawn")
	mine := h.As(t, h.approver).Actor
	open, err := h.App.Notice.Batches(t.Context(), mine)
	if err != nil || len(open) != 1 || open[0].Unopened() != 4 {
		t.Fatalf("drawn %+v (%v), want one batch with a sample of 4", open, err)
	}
	b := open[0]
	next := func(arrived string) {
		t.Helper()
		p.Run(chromedp.Poll(`!!window.htmx`, nil), press(kb.Enter, input.ModifierCtrl, input.ModifierShift), arrives(arrived))
	}
	for i, it := range b.Items {
		if !it.Sampled {
			continue
		}
		next(`location.pathname === "/approvals/` + string(it.Notice) + `"`)
		if i == 0 {
			axetest.Check(t, p.Context, "")
			p.Shot("batch-dossier")
		}
		next(`location.search.includes("open=1")`) // its one item
	}
	next(`location.pathname === "/approvals/batches/` + string(b.ID) + `" && document.querySelector("aside form[data-sign]") !== null`)
	axetest.Check(t, p.Context, "")
	p.Shot("batch-sign")
	next(`document.querySelector("[data-toast]") !== null`)
	p.Shot("batch-approved")
	for _, id := range ids {
		if v := h.view(t, id); v.Life != notice.Approved {
			t.Errorf("%s is %s", v.Ref, v.Life)
		}
		if body := h.gets(t, h.officer, "/approvals/"+string(id)); !strings.Contains(body, "Disetujui dalam kelompok berisi 5") {
			t.Errorf("the officer is not told of the batch: %s", firstWords(body))
		}
		h.signs(t, h.officer, id, "issue")
	}
	for _, id := range ids {
		h.until(t, "the dispatch", func() bool { return h.view(t, id).Life == notice.Open })
	}
	n, err := db.Value[int64](t.Context(), h.App.DB, `SELECT count(*) FROM notice_signatures WHERE batch_id = $1 AND method = 'passkey'`, b.ID)
	if err != nil || n != 5 {
		t.Errorf("%d signatures of the batch (%v), want 5", n, err)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// gets is a page that somebody may read.
func (h *orderHouse) gets(t *testing.T, who, path string) string {
	t.Helper()
	resp, err := h.As(t, who).Browser.Get(h.URL + path)
	status, body := h.page(t, who, resp, err)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, firstWords(body))
	}
	return body
}

// Nothing is signed before the sample is open, one that goes back ends the
// batch, and to everybody else it is an absent one. Both languages say so.
func TestABatchOnThePages(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	ids := h.proposes(t, 5)
	f := url.Values{}
	for _, id := range ids {
		f.Add("notice", string(id))
	}
	h.does(t, http.StatusOK, h.approver, "/approvals/batches", f)
	open, err := h.App.Notice.Batches(t.Context(), h.As(t, h.approver).Actor)
	if err != nil || len(open) != 1 {
		t.Fatalf("%d batches (%v)", len(open), err)
	}
	b, at := open[0], "/approvals/batches/"+string(open[0].ID)
	sign := url.Values{"signature": {h.As(t, h.approver).Sign(b.Digest)}, "key": {string(h.As(t, h.approver).Key)}}
	if body := h.does(t, http.StatusConflict, h.approver, at+"/approve", sign); !strings.Contains(body, "Buka semua berkas yang terundi") {
		t.Errorf("unopened: %s", firstWords(body))
	}
	for _, who := range []string{"same-approver", h.analyst, h.officer, "platform"} {
		for _, step := range []string{"/open", "/without", "/approve"} {
			h.does(t, http.StatusNotFound, who, at+step, sign)
		}
	}
	for _, lang := range []string{"id", "en"} {
		body := h.gets(t, h.approver, at+"?lang="+lang)
		if want := map[string]string{"id": "Sampel diundi", "en": "Drawn sample"}[lang]; !strings.Contains(body, want) {
			t.Errorf("%s: %q is not said", lang, want)
		}
	}
	var drawn notice.ID
	for _, it := range b.Items {
		if it.Sampled {
			drawn = it.Notice
			h.does(t, http.StatusOK, h.approver, at+"/open", url.Values{"n": {strconv.Itoa(it.N)}})
		}
	}
	h.does(t, http.StatusOK, h.approver, "/orders/"+string(drawn)+"/return", url.Values{"reason": {"too-wide"}, "text": {"Terlalu luas."}})
	if body := h.does(t, http.StatusConflict, h.approver, at+"/approve", sign); !strings.Contains(body, "undian baru") {
		t.Errorf("a notice went back: %s", firstWords(body))
	}
	for _, id := range ids {
		if v := h.view(t, id); v.Life == notice.Approved {
			t.Errorf("%s is approved", v.Ref)
		}
	}
}

// The pages of a batch on a phone, in the dark, in English.
func TestABatchOnAPhone(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	ids := h.proposes(t, 6)
	if _, err := h.App.Notice.Draw(t.Context(), h.As(t, h.approver).Actor, ids); err != nil {
		t.Fatal(err)
	}
	open, err := h.App.Notice.Batches(t.Context(), h.As(t, h.approver).Actor)
	if err != nil || len(open) != 1 {
		t.Fatal(len(open), err)
	}
	p := browsertest.Open(t, browsertest.View{Phone: true, Dark: true, Lang: "en"})
	p.Bring(h.As(t, h.approver).Browser.Jar, h.URL)
	for name, path := range map[string]string{"batch-phone": "/approvals/batches/" + string(open[0].ID), "batch-list-phone": "/approvals"} {
		p.Go(h.URL + path + "?lang=en")
		axetest.Check(t, p.Context, "")
		p.Shot(name)
		if wide := p.Overflow(); wide > 0 {
			t.Errorf("%s is %d pixels too wide", path, wide)
		}
	}
}
