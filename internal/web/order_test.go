package web_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/pagetest"
	"github.com/tangkal/tangkal/notes"
)

// orderHouse is a running server whose clock the test moves, with the people
// of one chain.
type orderHouse struct {
	*exchangetest.Exchange
	now                        *clock.Manual
	analyst, approver, officer string
	agency                     string
	emergency                  string // why the first order cannot wait, where the pack wants it
	reasons                    string // of drafts, if not the usual
	draft                      notice.DraftInput
}

func startOrders(t *testing.T) *orderHouse {
	t.Helper()
	now := clock.NewManual(time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC))
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", now)
	return &orderHouse{Exchange: x, now: now, analyst: "analyst", approver: "approver", officer: "officer"}
}

// european is the same house where one authority proposes and issues under
// Regulation (EU) 2021/784.
func (h *orderHouse) european(t *testing.T) *orderHouse {
	t.Helper()
	eu := *h
	eu.analyst, eu.approver, eu.officer = "eu-analyst", "eu-approver", "eu-officer"
	eu.agency, eu.emergency = h.As(t, "eu-analyst").Code, "Ancaman nyata yang rekaan."
	return &eu
}

// orderText is a key of these pages that had no text, or an argument that was
// not given.
var orderText = regexp.MustCompile(`\border\.[a-z][a-z.-]*[a-z]\b|<no value>|%!`)

// page reads an answer and holds its markup to the rules of pages.
func (h *orderHouse) page(t *testing.T, who string, resp *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := string(raw)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		name := who + " " + resp.Request.Method + " " + resp.Request.URL.Path
		pagetest.Check(t, name, body)
		if m := orderText.FindString(body); m != "" {
			t.Errorf("%s: no catalogue text for %q", name, m)
		}
	}
	return resp.StatusCode, body
}

// sees opens a page in both languages and wants its words in both; words after
// "en:" are those of the English page.
func (h *orderHouse) sees(t *testing.T, who, path string, words ...string) string {
	t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	var last string
	for _, lang := range []string{"en", "id"} {
		resp, err := h.As(t, who).Browser.Get(h.URL + path + sep + "lang=" + lang)
		status, body := h.page(t, who, resp, err)
		if status != http.StatusOK {
			t.Fatalf("%s got %d for %s", who, status, path)
		}
		for _, w := range words {
			want, english := strings.CutPrefix(w, "en:")
			if english == (lang == "en") && !strings.Contains(body, want) {
				t.Errorf("%s on %s in %s: no %q", who, path, lang, want)
			}
		}
		last = body
	}
	return last
}

// does posts a form and wants the status that follows the redirect.
func (h *orderHouse) does(t *testing.T, status int, who, path string, form url.Values) string {
	t.Helper()
	resp, err := h.As(t, who).Browser.PostForm(h.URL+path+"?lang=id", form)
	got, body := h.page(t, who, resp, err)
	if got != status {
		t.Fatalf("%s POST %s: %d, want %d: %s", who, path, got, status, firstWords(body))
	}
	return body
}

func firstWords(body string) string {
	if i := strings.Index(body, "<main"); i > 0 {
		body = body[i:]
	}
	return body[:min(len(body), 1200)]
}

// until waits for news after which ok holds.
func (h *orderHouse) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	comes(t, h.Exchange, what, ok)
}

// comes waits until ok holds: it looks at all news of the exchange and, as much
// of what follows from news makes none, now and then.
func comes(t *testing.T, x *exchangetest.Exchange, what string, ok func() bool) {
	t.Helper()
	wake, stop := x.App.Feed.Sequenced().Listen()
	defer stop()
	late := time.NewTimer(2 * time.Minute)
	defer late.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-wake:
		case <-tick.C:
		case <-late.C:
			t.Fatalf("%s never came", what)
		}
	}
}

// drafted makes a case with links, evidence and an assessment, and a draft.
func (h *orderHouse) drafted(t *testing.T, kind notes.NoticeKind, links ...string) notice.Notice {
	t.Helper()
	ctx, by := t.Context(), h.As(t, h.analyst).Actor
	rec, err := h.App.Report.Submit(ctx, report.Submission{Channel: report.Web, Locations: links, Category: report.Recruitment, Lang: "id", Agency: h.agency})
	if err != nil {
		t.Fatal(err)
	}
	var cases []casework.Case
	h.until(t, "the case", func() bool {
		cases, err = h.App.Casework.OfReport(ctx, by, rec.ReportID)
		return err == nil && len(cases) > 0
	})
	id := cases[0].ID
	if _, err := h.App.Casework.Take(ctx, by, id); err != nil {
		t.Fatal(err)
	}
	v, err := h.App.Casework.Get(ctx, by, id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.App.Casework.AddCapture(ctx, by, id, v.Case.LocationIDs[0], []casework.Upload{{Name: "bukti.png", MediaType: "image/png", Content: bytes.NewReader(picture(t))}})
	if err != nil {
		t.Fatal(err)
	}
	h.assess(t, id, kind, cmp.Or(h.reasons, "Mengajak ikut kelompok rekaan, lihat https://lain.example/ajakan"))
	h.draft = notice.DraftInput{CaseID: id, Kind: kind, DeadlineMinutes: 240, Emergency: h.emergency}
	if kind == notes.Referral {
		h.draft.DeadlineMinutes = 0
	}
	if h.emergency != "" {
		h.draft.DeadlineMinutes = 60
		h.draft.Reasons = map[string]string{"en": "Invites to an invented group."}
	}
	n, err := h.App.Notice.Draft(ctx, by, h.draft)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// assess stores a new version of an assessment that leaves nothing open.
func (h *orderHouse) assess(t *testing.T, id casework.ID, kind notes.NoticeKind, reasons string) {
	t.Helper()
	by := h.As(t, h.analyst).Actor
	state, lang := strings.ToUpper(strings.Split(by.Jurisdiction, "-")[0]), "id"
	if state == "EU" {
		lang = "en"
	}
	a := casework.Assessment{
		Measure: string(kind), Public: notes.Yes, Functions: []notes.Function{notes.FunctionRecruitment}, Tier: notes.TierPromotional,
		Listed: notes.Listed{Class: notes.ListNone}, Scope: notes.Scope{Territories: []string{state}},
		Necessity: notes.Necessity{Tried: []notes.Measure{{Measure: "Rujukan", Outcome: "Tanpa jawaban"}}},
		Reasons:   notes.Text{Binding: lang, Texts: map[string]string{lang: reasons}},
	}
	for _, g := range notes.Grounds() {
		f := notes.GroundFinding{Ground: g, Met: notes.No}
		if g == notes.GroundSolicitGroup {
			f.Met, f.Reasons = notes.Yes, "Ajakan pada menit 00.37."
		}
		a.Grounds = append(a.Grounds, f)
	}
	for _, p := range notes.Purposes() {
		a.PurposeTests = append(a.PurposeTests, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: "Tidak ada tanda."})
	}
	v, err := h.App.Casework.Get(t.Context(), by, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.App.Casework.Assess(t.Context(), by, id, v.Case.Assessed, a); err != nil {
		t.Fatal(err)
	}
}

var digestField = regexp.MustCompile(`name="digest" value="([^"]+)"`)

// signed is the form that a person's browser sends after signing what the page
// shows.
func (h *orderHouse) signed(t *testing.T, who string, id notice.ID) url.Values {
	t.Helper()
	resp, err := h.As(t, who).Browser.Get(h.URL + "/approvals/" + string(id) + "?open=1")
	_, body := h.page(t, who, resp, err)
	m := digestField.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("%s is not asked to sign: %s", who, firstWords(body))
	}
	raw, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil || len(raw) != 32 {
		t.Fatalf("digest %q: %v", m[1], err)
	}
	p := h.As(t, who)
	return url.Values{"digest": {m[1]}, "signature": {p.Sign([32]byte(raw))}, "key": {string(p.Key)}, "read": {"assessment", "item-1"}, "since": {strconv.FormatInt(h.now.Now().Unix()-60, 10)}}
}

func (h *orderHouse) signs(t *testing.T, who string, id notice.ID, step string) string {
	t.Helper()
	return h.does(t, http.StatusOK, who, "/orders/"+string(id)+"/"+step, h.signed(t, who, id))
}

// sent is a notice that has gone through the pages and left.
func (h *orderHouse) sent(t *testing.T, kind notes.NoticeKind, links ...string) notice.Notice {
	t.Helper()
	n := h.drafted(t, kind, links...)
	h.signs(t, h.analyst, n.ID, "propose")
	h.signs(t, h.approver, n.ID, "approve")
	h.signs(t, h.officer, n.ID, "issue")
	h.until(t, "the dispatch", func() bool { return h.view(t, n.ID).Life == notice.Open })
	return h.view(t, n.ID).Notice
}

func (h *orderHouse) view(t *testing.T, id notice.ID) notice.View {
	t.Helper()
	v, err := h.App.Notice.Get(t.Context(), h.As(t, h.officer).Actor, id)
	if err != nil {
		v, err = h.App.Notice.Get(t.Context(), h.As(t, h.analyst).Actor, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *orderHouse) platform(t *testing.T) party.Actor { t.Helper(); return h.As(t, "platform").Actor }

func (h *orderHouse) receives(t *testing.T, id notice.ID) {
	t.Helper()
	if _, err := h.App.Notice.Receive(t.Context(), h.platform(t), id, notice.ReceiptInput{}); err != nil {
		t.Fatal(err)
	}
}

func (h *orderHouse) answers(t *testing.T, id notice.ID, rows ...notes.Row) {
	t.Helper()
	res, err := h.App.Notice.Answer(t.Context(), h.platform(t), id, notice.AnswerInput{Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Rows {
		if !r.OK {
			t.Fatalf("row %d: %v", r.Row, r.Problem)
		}
	}
}

// later moves the clock; whoever's session ended meanwhile signs in again.
func (h *orderHouse) later(t *testing.T, d time.Duration) {
	t.Helper()
	h.now.Advance(d)
	for _, who := range []string{h.analyst, h.approver, h.officer, "second-officer", "reviewer", "platform"} {
		h.As(t, who).Browser = nil
	}
	if err := h.App.Notice.Sweep(t.Context(), h.now.Now()); err != nil {
		t.Fatal(err)
	}
}

func links(n int) []string {
	var out []string
	for i := range n {
		out = append(out, "https://ruangsuara.example/v/84qe-9"+string(rune('0'+i)))
	}
	return out
}

func TestThreePeopleSignWhatTheySee(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(2)...)
	path := "/approvals/" + string(n.ID)

	h.sees(t, h.analyst, path, "Tandatangani usulan", "en:Sign the proposal", "en:Draft")
	h.signs(t, h.analyst, n.ID, "propose")
	h.sees(t, h.analyst, path, "Yang mengusulkan tidak menyetujui", "en:Whoever proposes does not approve")

	page := h.sees(t, h.approver, "/approvals", "Menunggu Anda", n.Ref, "hxxps://ruangsuara[.]example/v/84qe-90", "solicit-group", "en:Evidence manifest", "0 / 2")
	for _, never := range []string{"https://ruangsuara.example", "https://lain.example", "/e/"} {
		if strings.Contains(page, never) {
			t.Errorf("the dossier shows %q before anybody opened an item", never)
		}
	}
	page = h.sees(t, h.approver, path+"?open=1", "1 / 2", h.Evidence+"/e/", "data-safe", "en:Hold Space")
	if strings.Contains(page, string(n.CaseID)+"<") || strings.Contains(page, string(n.ID)+"<") {
		t.Error("the dossier shows an identifier as text")
	}
	page = h.signs(t, h.approver, n.ID, "approve")
	if !strings.Contains(page, "Tidak ada yang menunggu") || !strings.Contains(page, "Disetujui") {
		t.Errorf("after the last signature the queue is not empty: %s", firstWords(page))
	}

	h.sees(t, h.officer, "/approvals", n.Ref, "Tandatangani dan terbitkan", "4 jam", "en:answer clock of 4 hours")
	h.signs(t, h.officer, n.ID, "issue")
	h.until(t, "the dispatch", func() bool { return h.view(t, n.ID).Life == notice.Open })
	v := h.view(t, n.ID)
	var read []string
	for _, c := range v.Chain {
		read = append(read, c.Read...)
	}
	if !slices.Contains(read, "item-1") {
		t.Errorf("oversight sees that %v was read, without item-1", read)
	}
}

func TestASignatureThatIsNotOneIsRefusedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(1)...)
	h.signs(t, h.analyst, n.ID, "propose")
	form := h.signed(t, h.approver, n.ID)
	for name, c := range map[string]struct {
		change func(url.Values)
		status int
		says   string
	}{
		"none":           {func(f url.Values) { f.Del("signature") }, http.StatusUnprocessableEntity, "Tidak ada tanda tangan"},
		"another's key":  {func(f url.Values) { f.Set("key", string(h.As(t, h.analyst).Key)) }, http.StatusForbidden, "bukan milik Anda"},
		"another digest": {func(f url.Values) { f.Set("signature", h.As(t, h.approver).Sign([32]byte{1})) }, http.StatusUnprocessableEntity, "tidak cocok"},
	} {
		f := url.Values{}
		for k, v := range form {
			f[k] = slices.Clone(v)
		}
		c.change(f)
		if body := h.does(t, c.status, h.approver, "/orders/"+string(n.ID)+"/approve", f); !strings.Contains(body, c.says) {
			t.Errorf("%s: the page does not say %q: %s", name, c.says, firstWords(body))
		}
	}
	if got := h.view(t, n.ID).Life; got != notice.Proposed {
		t.Errorf("the notice is %s", got)
	}
	h.does(t, http.StatusNotFound, "second-analyst", "/orders/"+string(n.ID)+"/approve", form)
}

func TestOfTwoApproversOneIsFirst(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(1)...)
	h.signs(t, h.analyst, n.ID, "propose")
	form := h.signed(t, h.approver, n.ID)
	codes := make([]int, 2)
	var together sync.WaitGroup
	for i := range codes {
		client := h.As(t, h.approver).Browser
		together.Go(func() {
			resp, err := client.PostForm(h.URL+"/orders/"+string(n.ID)+"/approve", form)
			if err == nil {
				codes[i] = resp.StatusCode
				_ = resp.Body.Close() // only the status matters
			}
		})
	}
	together.Wait()
	slices.Sort(codes)
	if codes[0] != http.StatusOK || codes[1] != http.StatusConflict && codes[1] != http.StatusForbidden {
		t.Errorf("two signatures at once got %v, want one 200 and one refusal", codes)
	}
	if v := h.view(t, n.ID); v.Life != notice.Approved {
		t.Errorf("the notice is %s", v.Life)
	}
}

func TestAReturnedDossierShowsWhatChanged(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(1)...)
	h.signs(t, h.analyst, n.ID, "propose")
	back := "/orders/" + string(n.ID) + "/return"
	body := h.does(t, http.StatusUnprocessableEntity, h.approver, back, url.Values{"reason": {"too-wide"}, "text": {" "}})
	if !strings.Contains(body, `value="too-wide" checked`) {
		t.Error("the ticked reason is lost")
	}
	h.does(t, http.StatusOK, h.approver, back, url.Values{"reason": {"ground-unsupported", "purpose-tests"}, "text": {"G3 tidak didukung transkrip."}})
	h.sees(t, h.analyst, "/orders/"+string(n.ID), "G3 tidak didukung transkrip.", "Dikembalikan oleh", "en:Returned by")

	by := h.As(t, h.analyst).Actor
	h.now.Advance(time.Minute)
	h.assess(t, h.draft.CaseID, notes.RemovalOrder, "Mengaku mengajar, tanpa bahan ajar.")
	if _, err := h.App.Notice.Redraft(t.Context(), by, n.ID, h.draft); err != nil {
		t.Fatal(err)
	}
	h.signs(t, h.analyst, n.ID, "propose")
	h.sees(t, h.approver, "/approvals/"+string(n.ID), "Berubah sejak dikembalikan", "versi 1 → 2", "tanpa bahan ajar", "<del", "en:Changed since last return", "dikembalikan oleh Anda")
}

func TestEmptyPagesSayWhatBelongsThere(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	h.sees(t, "platform", "/orders", "Riwayat", "en:History")
	for _, path := range []string{"/approvals", "/approvals/x", "/orders/x"} {
		resp, err := h.As(t, "platform").Browser.Get(h.URL + path)
		if status, _ := h.page(t, "platform", resp, err); status != http.StatusNotFound {
			t.Errorf("a platform got %d for %s", status, path)
		}
	}
	h.sees(t, h.analyst, "/approvals", "Tidak ada yang menunggu", "en:Nothing waits")
	h.sees(t, "reviewer", "/orders", "Belum ada perintah", "en:No orders yet")
}

func TestAnOrderFromReceiptToTheLastItem(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.sent(t, notes.RemovalOrder, links(3)...)
	path := "/orders/" + string(n.ID)
	h.sees(t, h.officer, path, "Hapus 3 tautan di Ruangsuara", "Jam penerimaan", "Blokir DNS", "Dikirim ke Ruangsuara", "en:Remove 3 links on Ruangsuara", "en:court order only", "hxxps://ruangsuara[.]example/v/84qe-91")
	h.sees(t, h.officer, "/orders?show=awaits", n.Ref, "akui", "en:ack")

	h.now.Advance(14 * time.Minute)
	h.receives(t, n.ID)
	h.now.Advance(35 * time.Minute)
	h.answers(t, n.ID, notes.Row{N: 3, Answer: notes.Clarify, Question: "Tautan mana? Lihat https://lain.example/x"})
	page := h.sees(t, h.officer, path, "Minta klarifikasi", "hxxps://lain[.]example/x", "Jam jawab butir 3 berhenti sejak", "en:Answer clock of item 3 has stopped", "14 mnt dari 30 menit")
	if strings.Contains(page, "https://lain.example") {
		t.Error("a link in a message works")
	}
	h.sees(t, h.officer, path+"?act=resolve&item=3", "Platform bertanya", "Izinkan berhenti lagi", "en:The platform asks")
	h.does(t, http.StatusUnprocessableEntity, h.officer, path+"/items/3/resolve", url.Values{"text": {""}})
	h.now.Advance(41 * time.Minute)
	h.does(t, http.StatusOK, h.officer, path+"/items/3/resolve", url.Values{"text": {"Pesan nomor 4431."}, "how": {"answer"}})
	h.answers(t, n.ID, notes.Row{N: 1, Answer: notes.Removed, At: notes.At(h.now.Now()), Basis: notes.BasisThisOrder},
		notes.Row{N: 2, Answer: notes.Refused, Ground: notes.TermsNotBreached, Explanation: "Ketentuan kami tidak dilanggar."})
	h.later(t, 5*time.Hour)
	h.sees(t, h.officer, path, "Lewat tenggat", "ketentuan layanan tidak dilanggar", "berhenti", "Jam jawab butir 3 berhenti", "en:Overdue by", "en:Deadline missed")
	h.sees(t, h.officer, "/orders?show=overdue", n.Ref, "en:over")
	h.sees(t, "reviewer", path, n.Ref)
	told := h.sees(t, "platform", path, n.Ref, "Ketentuan kami tidak dilanggar.")
	for _, never := range []string{h.As(t, h.analyst).Name, h.As(t, h.approver).Name, h.As(t, h.officer).Name + "<", "/cases/"} {
		if strings.Contains(told, never) {
			t.Errorf("the platform is told %q", never)
		}
	}

	h.does(t, http.StatusUnprocessableEntity, h.officer, path+"/messages", url.Values{"text": {" "}})
	h.does(t, http.StatusOK, h.officer, path+"/messages", url.Values{"text": {"Mohon jawaban butir 3."}})
	h.sees(t, h.officer, path+"?act=record", "Lewat apa", "en:How it came")
	h.does(t, http.StatusUnprocessableEntity, h.officer, path+"/recorded", url.Values{"text": {"Akan dijawab"}, "at": {"kemarin"}})
	h.does(t, http.StatusOK, h.officer, path+"/recorded", url.Values{"text": {"Akan dijawab besok."}, "at": {"2026-11-02T09:00"}, "via": {"telephone"}})
	h.sees(t, h.analyst, path, "Mohon jawaban butir 3.", "Jawaban diterima lewat telepon", "Akan dijawab besok.")

	h.answers(t, n.ID, notes.Row{N: 3, Answer: notes.Removed, At: notes.At(h.now.Now()), Basis: notes.BasisOwnTerms})
	h.sees(t, h.officer, path+"?act=reopen&item=2", "Buka lagi butir 2", "en:Reopen item 2")
	h.does(t, http.StatusUnprocessableEntity, h.officer, path+"/items/2/reopen", url.Values{})
	h.does(t, http.StatusOK, h.officer, path+"/verify", url.Values{"item": {"1", "2", "3"}})
	h.sees(t, h.officer, path, "Ditutup: ", "en:Closed: Partly acted on", "terlambat")
	h.sees(t, h.officer, "/orders?show=done", n.Ref)
	h.does(t, http.StatusOK, h.officer, path+"/items/2/reopen", url.Values{"text": {"Masih daring."}})
	h.sees(t, h.officer, path, "Masih daring.", "dibuka lagi")
	h.does(t, http.StatusUnprocessableEntity, h.officer, path+"/withdraw", url.Values{"text": {""}})
	h.does(t, http.StatusOK, h.officer, path+"/withdraw", url.Values{"text": {"Salah alamat."}})
	h.sees(t, h.officer, path, "Ditarik kembali", "Salah alamat.")
	h.does(t, http.StatusConflict, h.officer, path+"/withdraw", url.Values{"text": {"Lagi."}})
}

// served sends the form of service with a file.
func (h *orderHouse) served(t *testing.T, who, path string, fields map[string][]string) (int, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, vs := range fields {
		for _, v := range vs {
			if err := w.WriteField(k, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	f, err := w.CreateFormFile("files", "tanda-terima.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("%PDF-1.7 rekaan")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := h.As(t, who).Browser.Post(h.URL+path, w.FormDataContentType(), &b)
	return h.page(t, who, resp, err)
}

func TestServiceIsDeemedByTwoPeople(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.sent(t, notes.RemovalOrder, links(1)...)
	path := "/orders/" + string(n.ID)
	h.later(t, 40*time.Minute)
	h.sees(t, h.officer, path, "Belum diterima", "Belum dikonfirmasi platform", "Paling cepat", "tidak pernah berarti peringatan", "en:no warning follows")
	h.sees(t, h.officer, path+"?act=serve", "Oleh siapa", "en:By whom")
	status, body := h.served(t, h.officer, path+"/served", map[string][]string{"text": {""}, "at": {"2026-11-02T08:30"}})
	if status != http.StatusUnprocessableEntity {
		t.Fatalf("service without words: %d %s", status, firstWords(body))
	}
	status, body = h.served(t, h.officer, path+"/served", map[string][]string{"text": {"Diserahkan di loket."}, "at": {"2026-11-02T08:30"}})
	if status != http.StatusOK || !strings.Contains(body, "tanda-terima.pdf") || !strings.Contains(body, "Diserahkan di loket.") {
		t.Fatalf("service: %d %s", status, firstWords(body))
	}
	deem := map[string][]string{"text": {"Tiga hari tanpa jawaban."}, "method": {"portal", "paper"}}
	if status, body = h.served(t, h.officer, path+"/deemed", deem); status < 400 || status >= 500 {
		t.Fatalf("deemed too early: %d %s", status, firstWords(body))
	}
	h.later(t, 9*24*time.Hour)
	form := h.sees(t, h.officer, path+"?act=deem", "Usulkan agar penerimaan dianggap terjadi", "en:Propose deemed service")
	var methods []string
	for _, m := range regexp.MustCompile(`name="method" value="([a-z-]+)"`).FindAllStringSubmatch(form, -1) {
		methods = append(methods, m[1])
	}
	deem["method"] = methods
	if status, body = h.served(t, h.officer, path+"/deemed", deem); status != http.StatusOK || !strings.Contains(body, "Menunggu orang kedua") {
		t.Fatalf("propose with %v: %d %s", methods, status, firstWords(body))
	}
	h.sees(t, h.officer, path, "Anda yang mengusulkan, jadi orang lain yang mengukuhkan", "en:somebody else confirms")
	h.does(t, http.StatusForbidden, h.officer, path+"/deemed/confirm", nil)
	h.sees(t, "second-officer", path, "Kukuhkan penerimaan", "en:Confirm receipt as deemed")
	h.does(t, http.StatusOK, "second-officer", path+"/deemed/confirm", nil)
	page := h.sees(t, h.officer, path, "Dianggap diterima", "Penerimaan dianggap terjadi", "en:Receipt is deemed")
	file := regexp.MustCompile(path + `/files/[0-9a-f-]+`).FindString(page)
	resp, err := h.As(t, h.officer).Browser.Get(h.URL + file)
	status, body = h.page(t, h.officer, resp, err)
	if status != http.StatusOK || !strings.HasPrefix(body, "%PDF") || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the file of service: %d %q %v", status, body, resp.Header)
	}
	resp, err = h.As(t, "platform").Browser.Get(h.URL + file)
	if status, _ = h.page(t, "platform", resp, err); status != http.StatusNotFound {
		t.Errorf("the platform got %d for the evidence of service", status)
	}
}

func TestTheUnionsLadderStopsWhereThePackSaysSo(t *testing.T) {
	t.Parallel()
	h := startOrders(t).european(t)
	n := h.sent(t, notes.RemovalOrder, links(1)...)
	h.later(t, 2*time.Hour)
	path := "/orders/" + string(n.ID)
	h.sees(t, h.officer, path, "Tangga berhenti di sini", "Penerimaan tidak dapat dianggap terjadi", "en:knows no deemed receipt", "en:The ladder stops", "Perintah 1 jam")
	status, body := h.served(t, h.officer, path+"/deemed", map[string][]string{"text": {"Tanpa jawaban."}, "method": {"portal"}})
	if status != http.StatusForbidden {
		t.Errorf("deemed service under the Regulation: %d %s", status, firstWords(body))
	}
}

func TestAReferralHasNoDeadline(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	h.analyst, h.approver, h.officer = "same-analyst", "same-approver", "same-officer" // a referral ends in the agency itself
	h.agency = h.As(t, h.analyst).Code
	n := h.sent(t, notes.Referral, links(2)...)
	h.receives(t, n.ID)
	page := h.sees(t, h.officer, "/orders/"+string(n.ID), "Rujukan 2 tautan ke Ruangsuara", "tanpa tenggat", "en:Referral of 2 links")
	if strings.Contains(page, "boleh memberi tahu pengguna") {
		t.Error("a referral speaks of disclosure")
	}
	h.sees(t, h.officer, "/orders?kind=referral&platform=ruangsuara", n.Ref)
	if page := h.sees(t, h.officer, "/orders?kind=removal-order", "Tidak ada yang cocok"); strings.Contains(page, n.Ref) {
		t.Error("the filter does not filter")
	}
}

func TestThePaperHoldsEveryFieldAndTheSignedBytes(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(1)...)
	path := "/orders/" + string(n.ID)
	for _, p := range []string{"/print", "/signed.json"} {
		resp, err := h.As(t, h.analyst).Browser.Get(h.URL + path + p)
		if status, _ := h.page(t, h.analyst, resp, err); status != http.StatusConflict {
			t.Errorf("%s of a draft: %d", p, status)
		}
	}
	h.signs(t, h.analyst, n.ID, "propose")
	h.signs(t, h.approver, n.ID, "approve")
	h.signs(t, h.officer, n.ID, "issue")
	v := h.view(t, n.ID)
	words := []string{n.Ref, "https://ruangsuara.example/v/84qe-90", "Tanda terima", "4 jam sejak diterima", v.Document.Addressee.Name, v.Document.Issuer.Name, v.Document.Feedback.Name, "solicit-group", "Mengajak ikut kelompok rekaan"}
	for _, c := range v.Chain {
		words = append(words, string(c.Key))
	}
	h.sees(t, h.officer, path+"/print", words...)
	resp, err := h.As(t, h.officer).Browser.Get(h.URL + path + "/signed.json")
	_, body := h.page(t, h.officer, resp, err)
	s, err := notes.ParseSigned([]byte(body))
	if err != nil || s.Digest() != v.Digest || !strings.Contains(resp.Header.Get("Content-Disposition"), n.Ref) {
		t.Errorf("the signed notice: %v, digest %x, %v", err, s.Digest(), resp.Header)
	}
}
