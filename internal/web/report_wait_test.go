package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

// busy starts an exchange that a crowd has just come to, on a clock that
// stands still.
func busy(t *testing.T) (*exchangetest.Exchange, *clock.Manual) {
	t.Helper()
	x := exchangetest.Prepare(t, "sqlite:"+t.TempDir()+"/tangkal.db")
	at := clock.NewManual(time.Now())
	x.Clock = at
	x.Config.QuietRate = 1
	x.Serve(t)
	crowd(x.App)
	return x, at
}

// crowd makes reports cost something: this many came, and none was paid.
func crowd(a *app.App) {
	for range 12 {
		a.Toll.Pass("", "") //nolint:errcheck // it only counts
	}
}

var laneAddress = regexp.MustCompile(`action="(/report/lane/[^"]+)"`)

// Without script, somebody who reports while very many do waits in a lane:
// what they typed is kept, coming early costs nothing, and nobody is refused.
func TestWhoReportsInACrowdWaitsTheirTurn(t *testing.T) {
	t.Parallel()
	x, at := busy(t)
	v := visitor(t, x)
	typed := url.Values{
		"token": {x.App.Report.NewToken()}, "url": {"https://ruangsuara.example/v/1", "https://ruangsuara.example/v/2"}, "urls": {"https://ruangsuara.example/v/3"},
		"category": {"threat"}, "description": {"pada menit <4>"}, "contact": {"saya@orang.example"}, "reply": {"en"}, "agency": {"tangkal-daring"},
	}
	status, body := v.post("/report", typed)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "waits its turn") {
		t.Fatalf("%d\n%s", status, body)
	}
	pagetest.Check(t, "wait", body)
	sent := hidden(body)
	for name, want := range typed {
		if strings.Join(sent[name], "\n") != strings.Join(want, "\n") {
			t.Errorf("%s is kept as %q, typed as %q", name, sent[name], want)
		}
	}
	lane := laneAddress.FindStringSubmatch(body)
	if lane == nil {
		t.Fatal("the page leads nowhere")
	}
	status, body = v.post(lane[1], sent)
	if again := laneAddress.FindStringSubmatch(body); status != http.StatusServiceUnavailable || again == nil || again[1] != lane[1] {
		t.Errorf("too early: %d, and then the place is %v", status, again)
	}
	at.Advance(12 * time.Second)
	crowd(x.App)
	wrong := url.Values{}
	for name, values := range sent {
		wrong[name] = values
	}
	wrong["category"] = nil
	status, body = v.post(lane[1], wrong)
	if again := laneAddress.FindStringSubmatch(body); status != http.StatusUnprocessableEntity || again == nil || again[1] != lane[1] {
		t.Errorf("whoever has something to mend loses their turn: %d %v", status, again)
	}
	status, body = v.post(lane[1], sent)
	if status != http.StatusOK || !strings.Contains(body, "TGK-") {
		t.Fatalf("in time: %d\n%s", status, body)
	}
	receipt := regexp.MustCompile(`value="(TGK(-[0-9A-Z]{4}){4})"`)
	given := receipt.FindString(body)
	if _, again := v.post(lane[1], sent); given == "" || receipt.FindString(again) != given {
		t.Errorf("the same report again gets the receipt %q, before it was %q", receipt.FindString(again), given)
	}
	sent.Set("token", x.App.Report.NewToken())
	if status, _ = v.post(lane[1], sent); status != http.StatusServiceUnavailable {
		t.Errorf("one turn was good for two reports: %d", status)
	}
	if status, body = v.get(lane[1]); status != http.StatusOK || !strings.Contains(body, `id="report"`) {
		t.Errorf("a page loaded afresh: %d", status)
	}
}

// hidden are the values that a page sends again.
func hidden(body string) url.Values {
	out := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		out.Add(m[1], strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(m[2]))
	}
	return out
}

// A program or a script works instead of waiting.
func TestWhoWorksNeedNotWait(t *testing.T) {
	t.Parallel()
	x, _ := busy(t)
	v := visitor(t, x)
	_, body := v.post("/report/ticket", nil)
	var k struct {
		Ticket string
		Bits   int
	}
	if err := json.Unmarshal([]byte(body), &k); err != nil || k.Bits == 0 {
		t.Fatalf("%v: %s", err, body)
	}
	form := url.Values{
		"url": {"https://ruangsuara.example/v/1"}, "category": {"unsure"}, "reply": {"id"},
		"ticket": {k.Ticket}, "work": {admit.Solve(k.Ticket, k.Bits)},
	}
	if status, body := v.post("/report", form); status != http.StatusOK {
		t.Errorf("paid: %d\n%s", status, body)
	}
	form.Set("url", "https://ruangsuara.example/v/2")
	if status, _ := v.post("/report", form); status != http.StatusServiceUnavailable {
		t.Errorf("paid twice with one ticket: %d", status)
	}
}

var receiptLane = regexp.MustCompile(` action="(/receipt/(?:message|material)/[^"]+)"`)

// What is added to a report pays as a report does: without script it waits in the
// lane with all that was typed, and a wrong code waits for nothing.
func TestWhatIsAddedInACrowdWaitsItsTurn(t *testing.T) {
	t.Parallel()
	x, at := busy(t)
	got, err := x.App.Report.Submit(t.Context(), report.Submission{
		Channel: report.Web, Category: report.Threat, Lang: i18n.ID, Locations: []string{"https://ruangsuara.example/v/1"},
	})
	must(t, err)
	v := visitor(t, x)
	for _, c := range []struct {
		front, title string
		typed, wrong url.Values
	}{
		{"/receipt/message", "Your message waits its turn", url.Values{"message": {"pukul <8>"}}, url.Values{"message": {" "}}},
		{"/receipt/material", "What you add waits its turn", url.Values{"urls": {"https://ruangsuara.example/v/2"}, "note": {"salinan & lain"}}, url.Values{"urls": {"http://"}}},
	} {
		c.typed.Set("code", "TGK-0000-0000-0000-0000")
		if status, _ := v.post(c.front, c.typed); status != http.StatusNotFound {
			t.Errorf("%s with a wrong code: %d", c.front, status)
		}
		c.typed.Set("code", got.Code)
		status, body := v.post(c.front, c.typed)
		lane := receiptLane.FindStringSubmatch(body)
		if status != http.StatusServiceUnavailable || lane == nil || !strings.HasPrefix(lane[1], c.front+"/") {
			t.Fatalf("%s: %d\n%s", c.front, status, body)
		}
		pagetest.Check(t, "receipt-wait", body)
		sent := hidden(body)
		for name, want := range c.typed {
			if sent.Get(name) != want[0] {
				t.Errorf("%s is kept as %q, typed as %q", name, sent.Get(name), want)
			}
		}
		sent.Set("switch", "en")
		status, body = v.post(lane[1]+"?lang=en", sent)
		if again := receiptLane.FindStringSubmatch(body); status != http.StatusServiceUnavailable || again == nil || again[1] != lane[1] || !strings.Contains(body, c.title) || strings.Contains(body, "Your report waits") {
			t.Errorf("the language switch: %d, the place is %v", status, again)
		}
		sent.Del("switch")
		at.Advance(20 * time.Second)
		crowd(x.App)
		c.wrong.Set("code", got.Code)
		status, body = v.post(lane[1], c.wrong)
		if again := receiptLane.FindStringSubmatch(body); status != http.StatusUnprocessableEntity || again == nil {
			t.Errorf("whoever has something to mend in %s loses their turn: %d", c.front, status)
		}
		if status, body = v.post(lane[1], sent); status != http.StatusOK {
			t.Fatalf("%s in time: %d\n%s", c.front, status, body)
		}
		sent.Set("message", "lagi")
		sent.Set("urls", "https://ruangsuara.example/v/3")
		if status, _ = v.post(lane[1], sent); status != http.StatusServiceUnavailable {
			t.Errorf("%s: one turn was good twice: %d", c.front, status)
		}
	}
	status, err := x.App.Report.Status(t.Context(), got.Code)
	must(t, err)
	if len(status.Messages) != 2 || status.Locations != 2 {
		t.Errorf("the report has %d messages and %d links, want 2 and 2", len(status.Messages), status.Locations)
	}
}

// A program pays for what it adds by its receipt, too.
func TestAProgramPaysForWhatItAdds(t *testing.T) {
	t.Parallel()
	x, _ := busy(t)
	got, err := x.App.Report.Submit(t.Context(), report.Submission{
		Channel: report.Web, Category: report.Threat, Lang: i18n.ID, Locations: []string{"https://ruangsuara.example/v/1"},
	})
	must(t, err)
	send := func(path, receipt, work, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.URL+"/api/v1"+path, strings.NewReader(body))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Receipt", receipt)
		req.Header.Set("Work", work)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		defer resp.Body.Close() //nolint:errcheck // read to its end
		raw, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(raw)
	}
	for path, body := range map[string]string{"/receipts/messages": `{"text": "lagi"}`, "/receipts/material": `{"locations": ["https://ruangsuara.example/v/2"]}`} {
		if status, said := send(path, got.Code, "", body); status != http.StatusTooManyRequests || !strings.Contains(said, "admit.work") {
			t.Errorf("%s unpaid: %d %s", path, status, said)
		}
		if status, said := send(path, "TGK-0000-0000-0000-0000", "", body); status != http.StatusNotFound {
			t.Errorf("%s with a wrong receipt: %d %s", path, status, said)
		}
		k := x.App.Toll.Work()
		paid := k.Text + "." + admit.Solve(k.Text, k.Bits)
		if status, said := send(path, got.Code, paid, body); status != http.StatusCreated {
			t.Errorf("%s paid: %d %s", path, status, said)
		}
		if status, said := send(path, got.Code, paid, strings.Replace(body, "2", "3", 1)); status != http.StatusTooManyRequests {
			t.Errorf("%s paid twice with one ticket: %d %s", path, status, said)
		}
	}
}

// In a real browser the device works for what is added, too.
func TestABrowserPaysForAMessage(t *testing.T) {
	t.Parallel()
	x, at := busy(t)
	got, err := x.App.Report.Submit(t.Context(), report.Submission{
		Channel: report.Web, Category: report.Threat, Lang: i18n.ID, Locations: []string{"https://ruangsuara.example/v/1"},
	})
	must(t, err)
	write := chromedp.Tasks{
		chromedp.Navigate(x.URL + "/receipt"),
		chromedp.SendKeys("#code", got.Code, chromedp.ByQuery), chromedp.Click(`main form button[type="submit"]`, chromedp.ByQuery),
		chromedp.WaitVisible("#message", chromedp.ByQuery),
	}
	send := chromedp.Click(`form[data-front="/receipt/message"] button[type="submit"]`, chromedp.ByQuery)
	p := browsertest.Open(t, browsertest.View{Phone: true})
	p.Run(write, chromedp.SendKeys("#message", "satu", chromedp.ByQuery), send, chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the page said %q", said)
	}
	crowd(x.App)
	p = browsertest.Open(t, browsertest.View{Phone: true, NoScript: true, Dark: true})
	p.Run(write, chromedp.SendKeys("#message", "dua", chromedp.ByQuery), send, chromedp.WaitVisible("[data-work-status]", chromedp.ByQuery))
	p.Shot("receipt-wait-phone-dark")
	at.Advance(12 * time.Second)
	crowd(x.App)
	p.Run(chromedp.Click(`#wait button[type="submit"].btn-big`, chromedp.ByQuery), chromedp.WaitVisible("#message", chromedp.ByQuery))
	status, err := x.App.Report.Status(t.Context(), got.Code)
	if err != nil || len(status.Messages) != 2 {
		t.Errorf("%d messages, %v", len(status.Messages), err)
	}
}

// In a real browser the device works in a worker before it sends, without a
// word of the content security policy; without script the same form waits.
func TestABrowserPaysForAReport(t *testing.T) {
	t.Parallel()
	x, at := busy(t)
	fill := chromedp.Tasks{
		chromedp.Navigate(x.URL + "/report"),
		chromedp.SendKeys("#url", "https://ruangsuara.example/v/1", chromedp.ByQuery),
		chromedp.Click(`input[name="category"][value="unsure"]`, chromedp.ByQuery),
		chromedp.SendKeys("#description", "ditulis tangan", chromedp.ByQuery),
		chromedp.Click(`#report button[type="submit"].btn-big`, chromedp.ByQuery),
	}
	p := browsertest.Open(t, browsertest.View{Phone: true})
	p.Run(fill, chromedp.WaitVisible("#done", chromedp.ByQuery))
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the page said %q", said)
	}
	crowd(x.App)
	p = browsertest.Open(t, browsertest.View{Phone: true, NoScript: true, Dark: true})
	p.Run(fill, chromedp.WaitVisible("[data-work-status]", chromedp.ByQuery))
	p.Shot("wait-phone-dark")
	at.Advance(12 * time.Second)
	crowd(x.App)
	p.Run(chromedp.Click(`#report button[type="submit"].btn-big`, chromedp.ByQuery), chromedp.WaitVisible("#done", chromedp.ByQuery))
	n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM reports`)
	if err != nil || n != 2 {
		t.Errorf("%d reports, %v", n, err)
	}
}
