package web_test

import (
	"encoding/json"
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
