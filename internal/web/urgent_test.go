package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// soon files a report which says that somebody will be hurt soon, and returns
// the call that it raised.
func (e *orderHouse) soon(t *testing.T, link string) string {
	t.Helper()
	return soon(t, e.Exchange, link)
}

func soon(t *testing.T, x *exchangetest.Exchange, link string) (call string) {
	t.Helper()
	got, err := x.App.Report.Submit(t.Context(), report.Submission{
		Channel: report.Web, Locations: []string{link}, Category: report.Unsure, Lang: "id", Agency: "tangkal-daring", Soon: true,
	})
	must(t, err)
	comes(t, x, "the call", func() bool {
		call, err = db.Value[string](t.Context(), x.App.DB, `
			SELECT u.call_id FROM case_reports r JOIN urgent_call_cases u ON u.case_id = r.case_id WHERE r.report_id = $1`, got.ReportID)
		return err == nil
	})
	return call
}

// The public form names the emergency numbers before anything else and says
// that it is no emergency call. Sent all the same it calls duty: a strip
// stands on every page of the agency until one person says that they look.
func TestTheFormNamesTheNumbersAndCallsDuty(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	_, form := v.get("/report?lang=id")
	call, noCall, link := strings.Index(form, `href="tel:112"`), strings.Index(form, "bukan panggilan darurat"), strings.Index(form, `id="url"`)
	if call < 0 || noCall < call || link < noCall || !strings.Contains(form, `href="tel:110"`) || !strings.Contains(form, "polisi") {
		t.Fatalf("the numbers stand at %d, that it is no call at %d, the first link at %d", call, noCall, link)
	}
	typed := url.Values{"token": {x.App.Report.NewToken()}, "url": {"https://ruangsuara.example/v/soon"}, "category": {"unsure"}, "reply": {"id"}, "soon": {"yes"}}
	wrong := url.Values{"soon": {"yes"}, "token": typed["token"]}
	if status, again := v.post("/report", wrong); status != http.StatusUnprocessableEntity || !strings.Contains(again, `value="yes" class="cbx mt-0.5 size-5! shrink-0" checked`) {
		t.Errorf("what was ticked is lost when something is to be mended: %d", status)
	}
	status, receipt := v.post("/report", typed)
	if status != http.StatusOK || !strings.Contains(receipt, "sedang dipanggil") || !strings.Contains(receipt, `href="tel:112"`) {
		t.Fatalf("%d\n%s", status, receipt)
	}
	comes(t, x, "the call", func() bool {
		_, ok, err := x.App.Casework.StandingCall(t.Context(), x.App.DB, x.Cast(t, "analyst").Party)
		return err == nil && ok
	})
	c, _, err := x.App.Casework.StandingCall(t.Context(), x.App.DB, x.Cast(t, "analyst").Party)
	must(t, err)
	for _, who := range []string{"analyst", "approver"} {
		for _, path := range []string{"/triage", "/waiting", "/orders"} {
			if _, page := get(t, x, who, path+"?lang=en"); !strings.Contains(page, "Somebody will be hurt soon, a reporter says.") {
				t.Errorf("%s sees no strip on %s", who, path)
			}
		}
	}
	for _, who := range []string{"same-analyst", "officer", "platform", "reviewer"} {
		if _, page := get(t, x, who, "/waiting?lang=en"); strings.Contains(page, "hurt soon") {
			t.Errorf("%s of another organisation sees the strip", who)
		}
	}
	if _, page := get(t, x, "analyst", "/triage?lang=en"); !strings.Contains(page, "a reporter: somebody will be hurt soon") {
		t.Error("the queue does not say why the case comes first")
	}
	if _, page := get(t, x, "analyst", "/urgent?lang=en"); !strings.Contains(page, c.Cases[0].Ref) || !strings.Contains(page, "everybody with the right called, 3 people") {
		t.Errorf("the page of calls:\n%s", page)
	}
	if status, _ := post(t, x, "same-analyst", "/urgent/"+string(c.ID)+"/heed", url.Values{}); status != http.StatusNotFound {
		t.Errorf("another agency ends the call: %d", status)
	}
	if status, page := post(t, x, "approver", "/urgent/"+string(c.ID)+"/heed", url.Values{}); status != http.StatusOK || !strings.Contains(page, c.Cases[0].Ref) {
		t.Errorf("whoever looks is led to %d", status)
	}
	if status, page := post(t, x, "analyst", "/urgent/"+string(c.ID)+"/heed", url.Values{}); status != http.StatusConflict || !strings.Contains(page, "A colleague looks already") {
		t.Errorf("whoever comes second: %d", status)
	}
	if _, page := get(t, x, "analyst", "/triage?lang=en"); strings.Contains(page, "Nobody looks yet") {
		t.Error("the strip stands on")
	}
	if _, page := get(t, x, "analyst", "/urgent?lang=en"); !strings.Contains(page, "Approver looked, after") {
		t.Errorf("the page does not say who looked:\n%s", page)
	}
}

// The strip comes to pages that are open already, and goes when somebody looks.
func TestTheStripComesToOpenPages(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	ratna := x.As(t, "analyst")
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(ratna.Browser.Jar, x.URL)
	p.Go(x.URL + "/orders?lang=id")
	p.Run(chromedp.WaitReady("html.js"), chromedp.Poll(`window.htmx && document.querySelector("[data-live~='case.urgent']").matches("[data-htmx-powered]")`, nil))
	// The stream may begin after the first news: each case that joins is news.
	var id string
	n := 0
	comes(t, x, "the strip", func() bool {
		n++
		id = soon(t, x, fmt.Sprintf("https://ruangsuara.example/v/soon-%d", n))
		return p.Count(`[data-live~="case.urgent"] a[href="/urgent"]`) == 1
	})
	p.Shot("urgent-strip")
	_, err := x.App.Casework.Heed(t.Context(), x.Cast(t, "approver").Actor, casework.CallID(id))
	must(t, err)
	p.Run(chromedp.WaitNotPresent(`[data-live~="case.urgent"] a[href="/urgent"]`))
	if w := p.Complaints(); len(w) > 0 {
		t.Errorf("the page complained: %q", w)
	}
}

// Claims beyond those that stand ahead are counted where people are called, and
// one click shows them all.
func TestFurtherClaimsAreCountedAndListed(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	for i := range 8 {
		soon(t, x, fmt.Sprintf("https://ruangsuara.example/v/many-%d", i))
	}
	if _, page := get(t, x, "analyst", "/urgent?lang=en"); !strings.Contains(page, "2 more cases of which a reporter says") || !strings.Contains(page, `href="/triage?claims=further"`) {
		t.Errorf("they are not counted:\n%s", page)
	}
	_, page := get(t, x, "analyst", "/triage?claims=further&lang=en")
	if n := strings.Count(page, "danger claimed, waits its turn"); n != 2 || !strings.Contains(page, `name="claims" value="further"`) {
		t.Errorf("%d of them are listed, want 2", n)
	}
	if _, page := get(t, x, "same-analyst", "/urgent?lang=en"); strings.Contains(page, "more cases of which") {
		t.Error("another organisation is told")
	}
}
