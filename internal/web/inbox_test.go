package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/pagetest"
	"github.com/tangkal/tangkal/notes"
)

// A mailroom is a running server whose platform has an inbox.
type mailroom struct {
	*exchangetest.Exchange
	who *exchangetest.Person // who opens pages
	n   int
}

func openMailroom(t *testing.T) *mailroom {
	t.Helper()
	x := exchangetest.Start(t)
	return &mailroom{Exchange: x, who: x.As(t, "platform")}
}

// as is the same server seen by somebody else.
func (m *mailroom) as(t *testing.T, name string) *mailroom {
	t.Helper()
	return &mailroom{Exchange: m.Exchange, who: m.As(t, name), n: m.n + 1000}
}

// until runs do at every step of the feed, until it reports true.
func (m *mailroom) until(t *testing.T, what string, do func() bool) {
	t.Helper()
	wake, stop := m.App.Feed.Sequenced().Listen()
	defer stop()
	late := time.NewTimer(2 * time.Minute)
	defer late.Stop()
	tick := time.NewTicker(50 * time.Millisecond) // dispatch comes after the feed's last step
	defer tick.Stop()
	for !do() {
		select {
		case <-wake:
		case <-tick.C:
		case <-late.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// sends brings a notice about so many links of a platform all the way there.
func (m *mailroom) sends(t *testing.T, kind notes.NoticeKind, platform string, links int) notice.View {
	t.Helper()
	m.n++
	analyst, approver, officer := m.As(t, "analyst"), m.As(t, "approver"), m.As(t, "officer")
	if kind == notes.Referral { // issued by the agency itself
		analyst, approver, officer = m.As(t, "same-analyst"), m.As(t, "same-approver"), m.As(t, "same-officer")
	}
	var urls []string
	for i := range links {
		form := "https://ruangsuara.example/v/%d-%d"
		if platform == "kabarkita" {
			form = "https://kabarkita.example/s/%d-%d"
		}
		urls = append(urls, fmt.Sprintf(form, m.n, i+1))
	}
	id := m.assessed(t, analyst, urls, kind)
	minutes := 240
	if kind == notes.Referral {
		minutes = 0
	}
	in := notice.DraftInput{CaseID: id, Kind: kind, DeadlineMinutes: minutes}
	if kind == notes.RemovalOrder {
		in.Emergency = "Ajakan rekaan sedang berlangsung."
	}
	n, err := m.App.Notice.Draft(t.Context(), analyst.Actor, in)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(p *exchangetest.Person) notice.Sig { return notice.Sig{Key: p.Key, Value: p.SignBytes(n.Digest)} }
	for _, step := range []func() (notice.Notice, error){
		func() (notice.Notice, error) {
			return m.App.Notice.Propose(t.Context(), analyst.Actor, n.ID, sign(analyst))
		},
		func() (notice.Notice, error) {
			return m.App.Notice.Approve(t.Context(), approver.Actor, n.ID, sign(approver))
		},
		func() (notice.Notice, error) {
			return m.App.Notice.Issue(t.Context(), officer.Actor, n.ID, sign(officer))
		},
	} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	var v notice.View
	m.until(t, "the notice leaves", func() bool {
		v, err = m.App.Notice.Get(t.Context(), analyst.Actor, n.ID)
		if err != nil {
			t.Fatal(err)
		}
		return v.Life == notice.Open
	})
	return v
}

func (m *mailroom) assessed(t *testing.T, analyst *exchangetest.Person, urls []string, kind notes.NoticeKind) casework.ID {
	t.Helper()
	rec, err := m.App.Report.Submit(t.Context(), report.Submission{
		Channel: report.Web, Locations: urls, Category: report.Recruitment, Lang: "id", Agency: analyst.Code,
	})
	if err != nil {
		t.Fatal(err)
	}
	var id casework.ID
	m.until(t, "a case is opened", func() bool {
		cases, err := m.App.Casework.OfReport(t.Context(), analyst.Actor, rec.ReportID)
		if err != nil {
			t.Fatal(err)
		}
		if len(cases) > 0 {
			id = cases[0].ID
		}
		return id != ""
	})
	if _, err := m.App.Casework.Take(t.Context(), analyst.Actor, id); err != nil {
		t.Fatal(err)
	}
	up := []casework.Upload{{Name: "bukti.txt", MediaType: "text/plain", Content: strings.NewReader("contoh bukti rekaan")}}
	if _, err := m.App.Casework.AddCapture(t.Context(), analyst.Actor, id, "", up); err != nil {
		t.Fatal(err)
	}
	v, err := m.App.Casework.Get(t.Context(), analyst.Actor, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.App.Casework.Assess(t.Context(), analyst.Actor, id, v.Case.Assessed, judged(kind)); err != nil {
		t.Fatal(err)
	}
	return id
}

// judged is an assessment that leaves nothing open.
func judged(kind notes.NoticeKind) casework.Assessment {
	a := casework.Assessment{
		Measure: string(kind), Public: notes.Yes, Functions: []notes.Function{notes.FunctionRecruitment},
		Tier: notes.TierPromotional, Listed: notes.Listed{Class: notes.ListNone},
		Necessity: notes.Necessity{Tried: []notes.Measure{{Measure: "Rujukan", Outcome: "Tanpa jawaban"}}},
		Scope:     notes.Scope{Territories: []string{"ID"}},
		Reasons:   notes.Text{Binding: "id", Texts: map[string]string{"id": "Mengajak ikut kelompok rekaan.", "en": "Invites people to an invented group."}},
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
	return a
}

// An inboxAnswer is what the server answered.
type inboxAnswer struct {
	status int
	path   string
	kind   string
	body   string
}

func (m *mailroom) read(t *testing.T, resp *http.Response, err error) inboxAnswer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := inboxAnswer{resp.StatusCode, resp.Request.URL.Path, resp.Header.Get("Content-Type"), string(raw)}
	if strings.HasPrefix(a.kind, "text/html") {
		pagetest.Check(t, a.path, a.body)
		if bad := regexp.MustCompile(`%!|<no value>`).FindString(a.body); bad != "" {
			t.Errorf("%s says %q", a.path, bad)
		}
	}
	return a
}

func (m *mailroom) get(t *testing.T, path string) inboxAnswer {
	t.Helper()
	resp, err := m.who.Browser.Get(m.URL + path)
	return m.read(t, resp, err)
}

func (m *mailroom) post(t *testing.T, path string, form url.Values) inboxAnswer {
	t.Helper()
	resp, err := m.who.Browser.PostForm(m.URL+path, form)
	return m.read(t, resp, err)
}

// sendFile uploads a file of answers.
func (m *mailroom) sendFile(t *testing.T, content string) inboxAnswer {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "jawaban.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := m.who.Browser.Post(m.URL+"/inbox/answers?lang=en", w.FormDataContentType(), &b)
	return m.read(t, resp, err)
}

// says fails the test unless the answer has the status and every text.
func (a inboxAnswer) says(t *testing.T, status int, texts ...string) inboxAnswer {
	t.Helper()
	body := strings.Join(strings.Fields(html.UnescapeString(a.body)), " ")
	if a.status != status {
		t.Fatalf("%s answered %d, want %d: %.600s", a.path, a.status, status, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("%s does not say %q", a.path, text)
		}
	}
	return a
}

// silent fails the test if the answer holds one of the texts.
func (a inboxAnswer) silent(t *testing.T, texts ...string) inboxAnswer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s holds %q", a.path, text)
		}
	}
	return a
}

// hidden is the value of a hidden field.
func (a inboxAnswer) hidden(t *testing.T, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(a.body)
	if found == nil {
		t.Fatalf("%s has no field %s", a.path, name)
	}
	return html.UnescapeString(found[1])
}

// items is what the platform said about each item, in order.
func (m *mailroom) items(t *testing.T, id notice.ID) []notice.ItemView {
	t.Helper()
	v, err := m.App.Notice.Get(t.Context(), m.As(t, "analyst").Actor, id)
	if err != nil {
		t.Fatal(err)
	}
	return v.Items
}

func (m *mailroom) receives(t *testing.T, id notice.ID) {
	t.Helper()
	if _, err := m.App.Notice.Receive(t.Context(), m.As(t, "platform").Actor, id, notice.ReceiptInput{}); err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptyInboxSaysWhatBelongsThere(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	m.get(t, "/inbox?lang=id").says(t, http.StatusOK, "Tidak ada yang menunggu jawaban")
	for _, tab := range []string{"hour", "today", "referrals", "asked", "answered", "no-such-tab"} {
		m.get(t, "/inbox?lang=en&tab="+tab).says(t, http.StatusOK, "Trust & safety inbox")
	}
}

// Looking is no receipt; acknowledging is one signed press that starts the
// answer clock.
func TestReceivingIsSignedAndStartsTheClock(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 2)
	path := "/inbox/" + string(v.ID)
	m.get(t, "/inbox?lang=en").says(t, http.StatusOK, v.Ref, "then 4 hours", "Delivered", "Under 1 hour")
	page := m.get(t, path+"?lang=en").says(t, http.StatusOK, "Signature is valid", "Acknowledge receipt", "The answer clock starts when you press: 4 hours", "Soliciting to a group",
		"hxxps://ruangsuara[.]example/v/1-1", "Invites people to an invented group.", "in Indonesian, the binding text", "may tell the user: yes")
	page.silent(t, "https://ruangsuara.example/v/", "Officer", "Approver")
	if n := m.items(t, v.ID); !n[0].StartedAt.IsZero() {
		t.Fatal("looking has started the clock")
	}
	digest, err := base64.StdEncoding.DecodeString(page.hidden(t, "digest"))
	if err != nil || len(digest) != 32 {
		t.Fatalf("digest %q", page.hidden(t, "digest"))
	}
	form := url.Values{"document": {page.hidden(t, "document")}, "digest": {page.hidden(t, "digest")}, "key": {string(m.who.Key)}}
	form.Set("signature", base64.StdEncoding.EncodeToString(make([]byte, 64)))
	m.post(t, path+"/receive?lang=en", form).says(t, http.StatusUnprocessableEntity, "The signature does not fit", "Acknowledge receipt")
	form.Set("signature", m.who.Sign([32]byte(digest)))
	m.post(t, path+"/receive?lang=en", form).says(t, http.StatusOK, "Receipt is on record", "Answer for each link")
	got, err := m.App.Notice.Get(t.Context(), m.who.Actor, v.ID)
	if err != nil || got.ReceivedAt.IsZero() || got.Delivery != notice.Received {
		t.Fatalf("received %v, delivery %s: %v", got.ReceivedAt, got.Delivery, err)
	}
	if !strings.Contains(string(got.ReceiptDoc), `"channel":"portal"`) {
		t.Errorf("the receipt says %s", got.ReceiptDoc)
	}
	m.post(t, path+"/receive?lang=en", form).says(t, http.StatusConflict, "received already")
}

func TestAnOldReceiptIsMadeAnew(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 1)
	old, err := notes.Canonical(notes.Receipt{
		V: notes.Version, Instance: "TEST", ID: "01a20231-dc07-784e-b213-88d37df222dd", Reference: v.Ref, Notice: notes.Hex(v.Digest), Party: string(m.who.Party),
		ReceivedAt: notes.At(m.Clock.Now().Add(-11 * time.Minute)), Channel: notes.ChannelPortal, By: "person",
	})
	if err != nil {
		t.Fatal(err)
	}
	m.post(t, "/inbox/"+string(v.ID)+"/receive?lang=en", url.Values{
		"document": {base64.StdEncoding.EncodeToString(old)}, "signature": {m.who.Sign(notes.Digest(notes.KindReceipt, old))}, "key": {string(m.who.Key)},
	}).says(t, http.StatusUnprocessableEntity, "stood open for too long", "Acknowledge receipt")
	if got, err := m.App.Notice.Get(t.Context(), m.who.Actor, v.ID); err != nil || !got.ReceivedAt.IsZero() {
		t.Fatalf("received %v: %v", got.ReceivedAt, err)
	}
	fresh := m.get(t, "/inbox/"+string(v.ID)+"/receipt").says(t, http.StatusOK)
	fresh.hidden(t, "document")
	// Without script there is no key: a plain acknowledgement counts as well.
	m.post(t, "/inbox/"+string(v.ID)+"/receive?lang=en", url.Values{"document": {fresh.hidden(t, "document")}, "signature": {""}, "key": {""}}).
		says(t, http.StatusOK, "Receipt is on record")
}

func TestEveryAnswerHasItsFields(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 12)
	m.receives(t, v.ID)
	form := url.Values{
		"basis": {"this-order"}, "platform_reference": {"RS-7"},
		"1.answer": {"removed"},
		"2.answer": {"disabled"}, "2.disabled.where": {"id, MY"}, "2.disabled.until": {"2099-01-02T03:04"},
		"3.answer": {"account-suspended"},
		"4.answer": {"refused"}, "4.refused.ground": {"true-purpose"}, "4.refused.explanation": {"Liputan berita."},
		"5.answer": {"clarify"}, "5.clarify.question": {"Menit ke berapa?"},
		"6.answer": {"restricted"}, "6.restricted.how": {"demoted"},
		"7.answer": {"labelled"}, "7.labelled.label": {"Konteks"},
		"8.answer":  {"stream-ended"},
		"9.answer":  {"gone-before"},
		"10.answer": {"challenged"}, "10.challenged.court": {"Pengadilan rekaan"}, "10.challenged.suspensive": {"no"}, "10.challenged.explanation": {"Digugat."},
		"11.answer": {"impossible"}, "11.impossible.ground": {"technical"}, "11.impossible.explanation": {"Gangguan pusat data."},
		"12.answer": {"error"}, "12.error.ground": {"link-invalid"}, "12.error.explanation": {"Tautan terpotong."},
	}
	m.post(t, "/inbox/"+string(v.ID)+"/answers?lang=en", form).says(t, http.StatusOK, "12 answers are on record.", "Menit ke berapa?", "Conversation")
	want := []notes.AnswerKind{
		notes.Removed, notes.Disabled, notes.AccountSuspended, notes.Refused, notes.Clarify, notes.Restricted, notes.Labelled, notes.StreamEnded,
		notes.GoneBefore, notes.Challenged, notes.Impossible, notes.ManifestError,
	}
	for i, it := range m.items(t, v.ID) {
		if len(it.History) != 1 || it.History[0].Row.Answer != want[i] {
			t.Errorf("item %d: %+v, want %s", it.N, it.History, want[i])
		}
	}
	if row := m.items(t, v.ID)[1].History[0].Row; strings.Join(row.Where, " ") != "ID MY" || row.Until.UTC().Format(time.RFC3339) != "2099-01-01T20:04:00Z" {
		t.Errorf("disabled in %v until %v; want ID and MY until the time in the person's zone", row.Where, row.Until)
	}
	m.get(t, "/inbox?lang=en&tab=asked").says(t, http.StatusOK, v.Ref)

	// The issuer answers the question; it shows in the conversation.
	if _, err := m.App.Notice.ResolvePause(t.Context(), m.As(t, "officer").Actor, v.ID, notice.ResolveInput{Item: 5, How: notice.Resolve, Text: "Menit 00.37."}); err != nil {
		t.Fatal(err)
	}
	m.get(t, "/inbox/"+string(v.ID)+"?lang=en").says(t, http.StatusOK, "Menit 00.37.", "the clock of link 5 runs again")
	m.post(t, "/inbox/"+string(v.ID)+"/messages?lang=en", url.Values{"text": {"  "}}).says(t, http.StatusUnprocessableEntity, "There is a problem")
	m.post(t, "/inbox/"+string(v.ID)+"/messages?lang=en", url.Values{"text": {"Terima kasih."}}).says(t, http.StatusOK, "Message sent.", "Terima kasih.")
}

// What the room refuses stands beside its item in the reader's language; what is
// right counts, and nothing that was entered is lost.
func TestAWrongAnswerComesBackBesideItsItem(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 3)
	m.receives(t, v.ID)
	path := "/inbox/" + string(v.ID) + "/answers"
	m.post(t, path+"?lang=en", url.Values{}).says(t, http.StatusUnprocessableEntity, "Choose an answer for at least one link.")
	form := url.Values{
		"basis": {"this-order"}, "1.answer": {"removed"}, "2.answer": {"refused"}, "2.refused.explanation": {"Alasan yang tidak boleh hilang."},
		"3.answer": {"disabled"}, "3.disabled.where": {"Mars"},
	}
	for lang, words := range map[string][]string{"id": {"Ada yang perlu diperbaiki", "Tautan 2:", "Tautan 3:"}, "en": {"There is a problem", "Link 2:", "Link 3:"}} {
		a := m.post(t, path+"?lang="+lang, form).says(t, http.StatusUnprocessableEntity, append(words, "Alasan yang tidak boleh hilang.", `value="MARS"`[:7])...)
		for _, id := range []string{"f-2-refused-ground-error", "f-3-disabled-where-error", "Mars"} {
			if !strings.Contains(a.body, id) {
				t.Errorf("in %s: no %s", lang, id)
			}
		}
	}
	items := m.items(t, v.ID)
	if items[0].State != notice.Answered || items[1].State != notice.Pending || items[2].State != notice.Pending {
		t.Fatalf("states %s, %s, %s; want the first alone answered", items[0].State, items[1].State, items[2].State)
	}
	m.post(t, path+"?lang=en", url.Values{"2.answer": {"removed"}, "at": {"yesterday"}, "basis": {"own-terms"}}).says(t, http.StatusUnprocessableEntity, "This time cannot be read", "f-at-error")
	m.post(t, path+"?lang=en", url.Values{"2.answer": {"removed"}}).says(t, http.StatusUnprocessableEntity, "f-basis")
	m.post(t, path+"?lang=en", url.Values{"99.answer": {"removed"}, "basis": {"own-terms"}}).says(t, http.StatusUnprocessableEntity, "There is no item 99")
	m.post(t, path+"?lang=en", url.Values{"2.answer": {"exploded"}}).says(t, http.StatusUnprocessableEntity, "There is a problem")
}

func TestAnotherPlatformsNoticeIsAbsent(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 1)
	other := m.as(t, "other-platform")
	other.get(t, "/inbox?lang=en").says(t, http.StatusOK).silent(t, v.Ref)
	for _, who := range []*mailroom{other, m.as(t, "analyst"), m.as(t, "officer"), m.as(t, "reviewer")} {
		who.get(t, "/inbox/"+string(v.ID)).says(t, http.StatusNotFound).silent(t, v.Ref)
		who.get(t, "/inbox/"+string(v.ID)+"/receipt").says(t, http.StatusNotFound)
		who.post(t, "/inbox/"+string(v.ID)+"/receive", nil).says(t, http.StatusNotFound)
		who.post(t, "/inbox/"+string(v.ID)+"/answers", url.Values{"1.answer": {"removed"}, "basis": {"own-terms"}}).says(t, http.StatusNotFound)
		who.post(t, "/inbox/"+string(v.ID)+"/messages", url.Values{"text": {"x"}}).says(t, http.StatusNotFound)
		who.post(t, "/inbox/bulk", url.Values{"n": {string(v.ID)}, "answer": {"removed"}, "basis": {"own-terms"}}).says(t, http.StatusNotFound)
	}
	m.get(t, "/inbox/no-such-notice").says(t, http.StatusNotFound)
	rows := "reference,item,answer,at,basis\n" + v.Ref + ",1,removed,2026-01-01T00:00:00Z,this-order\n"
	other.sendFile(t, rows).says(t, http.StatusOK, "1 row has a problem.")
	if items := m.items(t, v.ID); items[0].State != notice.Pending {
		t.Fatalf("somebody else answered: %s", items[0].State)
	}
}

func TestManyNoticesTakeOneAnswer(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	small, large, referral := m.sends(t, notes.RemovalOrder, "ruangsuara", 2), m.sends(t, notes.RemovalOrder, "ruangsuara", 21), m.sends(t, notes.Referral, "ruangsuara", 1)
	m.get(t, "/inbox?lang=en&tab=referrals").says(t, http.StatusOK, referral.Ref, "no deadline", "Voluntary referral").silent(t, ">"+small.Ref+"<")
	m.post(t, "/inbox/bulk?lang=en", url.Values{"answer": {"removed"}}).says(t, http.StatusUnprocessableEntity, "Select notices")

	// A few links go at once; an answer that lacks something asks for it.
	few := url.Values{"n": {string(small.ID), string(referral.ID)}, "answer": {"removed"}, "basis": {"own-terms"}}
	m.post(t, "/inbox/bulk?lang=en", url.Values{"n": few["n"], "answer": {"removed"}}).says(t, http.StatusOK, "Answer many at once", "3 links in 2 notices", "Nothing has been sent yet.", "acknowledges receipt as well")
	if m.items(t, small.ID)[0].State != notice.Pending {
		t.Fatal("asking for the basis has answered")
	}
	m.post(t, "/inbox/bulk?lang=en", few).says(t, http.StatusOK, "3 answers are on record.")

	// More than twenty are shown first.
	many := url.Values{"n": {string(large.ID)}, "answer": {"removed"}, "basis": {"this-order"}}
	m.post(t, "/inbox/bulk?lang=en", many).says(t, http.StatusOK, "Nothing has been sent yet.", "21 links in 1 notice", "hxxps://ruangsuara[.]example/v/2-21")
	if m.items(t, large.ID)[20].State != notice.Pending {
		t.Fatal("the preview has answered")
	}
	refuse := url.Values{"n": many["n"], "confirm": {"yes"}, "all.answer": {"refused"}, "all.refused.ground": {"true-purpose"}}
	m.post(t, "/inbox/bulk?lang=en", refuse).says(t, http.StatusUnprocessableEntity, "There is a problem", "f-all-refused-explanation-error")
	refuse.Set("all.refused.explanation", "Arsip pendidikan.")
	m.post(t, "/inbox/bulk?lang=en", refuse).says(t, http.StatusOK, "21 answers are on record.")
	m.get(t, "/inbox?lang=en&tab=answered").says(t, http.StatusOK, small.Ref, large.Ref, referral.Ref)
}

func TestAnswersComeAsAFile(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 4)
	theirs := m.sends(t, notes.RemovalOrder, "kabarkita", 1)
	m.receives(t, v.ID)
	m.get(t, "/inbox/answers?lang=id").says(t, http.StatusOK, "Templat CSV", "account-suspended")

	template := m.get(t, "/inbox/answers.csv?lang=en").says(t, http.StatusOK, "hxxps://ruangsuara[.]example/v/1-1").silent(t, theirs.Ref)
	if !strings.HasPrefix(template.kind, "text/csv") {
		t.Errorf("the template is %s", template.kind)
	}
	records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(template.body, "\ufeff"))).ReadAll()
	if err != nil || len(records) != 5 || records[0][0] != "reference" {
		t.Fatalf("template %q: %v", records, err)
	}

	// As a spreadsheet of this country writes it: a mark, semicolons, formulas.
	file := "\ufeffnomor;butir;jawaban;waktu;dasar;alasan;penjelasan\r\n" +
		v.Ref + ";1;removed;2026-01-01T07:00:00+07:00;this-order;;\r\n" +
		v.Ref + ";2;refused;;;true-purpose;=HYPERLINK(\"hxxps://jahat.example\")\r\n" +
		v.Ref + ";3;meledak;;;;\r\n" +
		theirs.Ref + ";1;removed;2026-01-01T07:00:00+07:00;this-order;;\r\n" +
		v.Ref + ";99;removed;2026-01-01T07:00:00+07:00;this-order;;=1+1\r\n" +
		";;;;;;\r\n"
	file = strings.Replace(file, `=HYPERLINK("hxxps://jahat.example")`, `"=HYPERLINK(""hxxps://jahat.example"")"`, 1)
	a := m.sendFile(t, file).says(t, http.StatusOK, "2 answers are on record.", "3 rows have a problem.", "There is no item 99", "Download these rows")
	if got := m.items(t, theirs.ID)[0].State; got != notice.Pending {
		t.Fatalf("the other platform's item is %s", got)
	}
	failed := regexp.MustCompile(`(?s)<textarea name="rows"[^>]*>(.*?)</textarea>`).FindStringSubmatch(a.body)
	if failed == nil {
		t.Fatal("the failed rows are not offered")
	}
	back := m.post(t, "/inbox/answers/failed", url.Values{"rows": {html.UnescapeString(failed[1])}}).says(t, http.StatusOK, theirs.Ref, "meledak", "'=1+1").silent(t, "HYPERLINK")
	if !strings.HasPrefix(back.kind, "text/csv") || strings.Count(back.body, "\n") != 4 {
		t.Errorf("the failed rows came back as %s: %q", back.kind, back.body)
	}
	// Sent again, what was taken changes nothing.
	m.sendFile(t, file).says(t, http.StatusOK, "2 of them said what was on record before.")
	// A link may stand in place of reference and number.
	m.sendFile(t, "url\tanswer\nhxxps://ruangsuara[.]example/v/1-4\tgone-before\n").says(t, http.StatusOK, "1 answer is on record.")
}

func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 1)
	m.receives(t, v.ID)
	var long strings.Builder
	long.WriteString("reference,item,answer\n")
	for range 10_001 {
		long.WriteString("TEST-PH-2026-99999,1,removed\n")
	}
	for name, c := range map[string]struct {
		file   string
		status int
		says   string
	}{
		"empty":              {"", http.StatusUnprocessableEntity, "There is no answer in this file."},
		"a mark alone":       {"\ufeff", http.StatusUnprocessableEntity, "There is a problem"},
		"header alone":       {"reference,item,answer\n", http.StatusUnprocessableEntity, "There is no answer in this file."},
		"wrong header":       {"reference,item,answr\nx,1,removed\n", http.StatusUnprocessableEntity, "answr"},
		"repeated column":    {"reference,answer,answer\nx,1,removed\n", http.StatusUnprocessableEntity, "unknown or repeated"},
		"no answer column":   {"reference,item\nx,1\n", http.StatusUnprocessableEntity, "needs the column answer"},
		"markup":             {"<script>alert(1)</script>,answer\nx,removed\n", http.StatusUnprocessableEntity, "There is a problem"},
		"not text":           {"\x00\x01\x02\xff\xfe", http.StatusUnprocessableEntity, "There is a problem"},
		"open quote":         {"reference,item,answer\n\"" + v.Ref + ",1,removed\n", http.StatusOK, "cannot be read"},
		"too many cells":     {"reference,item,answer\n" + v.Ref + ",1,removed,5\n", http.StatusOK, "There are 4 cells"},
		"a number too large": {"reference,item,answer\n" + v.Ref + ",99999999999999999999,removed\n", http.StatusOK, "cannot be read in this column"},
		"too many rows":      {long.String(), http.StatusOK, "10,001 rows have a problem."},
	} {
		t.Run(name, func(t *testing.T) {
			m.sendFile(t, c.file).says(t, c.status, c.says).silent(t, "<script>alert")
		})
	}
	m.post(t, "/inbox/answers?lang=en", url.Values{"file": {"x"}}).says(t, http.StatusUnprocessableEntity, "Choose a CSV file first.")
	if got := m.items(t, v.ID)[0].State; got != notice.Pending {
		t.Fatalf("a hostile file answered: %s", got)
	}
}

// A notice of many items is answered page by page.
func TestALongNoticeHasPages(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 30)
	m.receives(t, v.ID)
	path := "/inbox/" + string(v.ID)
	m.get(t, path+"?lang=en").says(t, http.StatusOK, `name="25.answer"`, "Further links").silent(t, `name="26.answer"`)
	m.get(t, path+"?lang=en&after=25").says(t, http.StatusOK, `name="26.answer"`, "Earlier links").silent(t, `name="25.answer"`)
	m.get(t, path+"?lang=en&after=-1").says(t, http.StatusOK, `name="1.answer"`)
	m.post(t, path+"/answers?lang=en", url.Values{"after": {"25"}, "26.answer": {"refused"}}).says(t, http.StatusUnprocessableEntity, `name="26.answer"`)
}

// An administrator without a seat at the desk reads and changes nothing.
func TestWhoMayNotAnswerReadsOnly(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 1)
	var id party.PersonID
	err := m.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		p, err := party.AddPerson(ctx, tx, party.Person{
			Party: m.who.Party, Name: "Pengelola", Email: "pengelola@ruangsuara.example", Roles: []party.Role{party.Admin}, Lang: "id", Zone: "Asia/Jakarta",
		}, m.Clock.Now())
		id = p.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	reader := &mailroom{Exchange: m.Exchange, who: &exchangetest.Person{Browser: &http.Client{Jar: jar}}}
	reader.post(t, "/demo/sign-in", url.Values{"person": {string(id)}}).says(t, http.StatusOK)
	reader.get(t, "/inbox/"+string(v.ID)+"?lang=en").says(t, http.StatusOK, v.Ref, "Signature is valid").silent(t, "Acknowledge receipt", `name="n"`, "/inbox/answers")
	reader.post(t, "/inbox/"+string(v.ID)+"/receive", nil).says(t, http.StatusNotFound)
	reader.get(t, "/inbox/answers.csv").says(t, http.StatusNotFound)
}
