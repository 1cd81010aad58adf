package web_test

import (
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// TestTheCounterFollowsTheLastAnswer answers three questions while the network
// holds every check back: the counter ends at what the last answer made of it,
// not at one of those before.
func TestTheCounterFollowsTheLastAnswer(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	d.post(t, "/cases/"+string(c.ID)+"/take", nil)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+"/cases/"+string(c.ID)), arrives(`document.querySelector("#assess-form") !== null`),
		chromedp.Evaluate(`(() => {
			window.held = { asked: 0, real: window.fetch };
			const let_go = new Promise((done) => { held.open = done; });
			window.fetch = async (...request) => { held.asked += 1; await let_go; return held.real.call(window, ...request); };
		})()`, nil))
	asked := func(n string) chromedp.Action { return chromedp.Poll(`held.asked >= `+n, nil) }
	p.Run(digit("3"), asked("1"), press(kb.Tab), chromedp.KeyEvent("Ajakan pada menit 00.37."), asked("2"), press(kb.Tab), press("l"), asked("3"))
	var want string
	p.Run(chromedp.Evaluate(`(async () => {
		const form = document.querySelector("#assess-form");
		const answer = await held.real.call(window, form.dataset.hxPost, { method: "POST", body: new URLSearchParams(new FormData(form)) });
		return /id="assess-count"[^>]*>([^<]*)</.exec(await answer.text())[1].trim();
	})()`, &want, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var before string
	p.Run(chromedp.Text("#assess-count", &before, chromedp.ByQuery))
	if before == want {
		t.Fatalf("the counter stands at %s before any check was answered", before)
	}
	p.Run(chromedp.Evaluate(`held.open()`, nil), chromedp.Poll(`document.getElementById("assess-count").textContent.trim() === "`+want+`"`, nil))
}
