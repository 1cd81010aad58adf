package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// TestKeysReachWhatIsOpenAndNothingElse walks where keys could do harm: a row
// in focus that is not the open case, words typed with no field in focus, and a
// form that the key would send twice.
func TestKeysReachWhatIsOpenAndNothingElse(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	d.reported(t, aPost)
	d.reported(t, aPost+"-lain")
	state := func(id casework.ID) casework.State {
		t.Helper()
		v, err := x.App.Casework.Get(t.Context(), d.Actor, id)
		if err != nil {
			t.Fatal(err)
		}
		return v.Case.State
	}
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+"/triage"), arrives("true"))

	var shown, focused casework.ID
	id := func(selector string) chromedp.Action {
		into := &shown
		if selector == ":focus" {
			into = &focused
		}
		return chromedp.Evaluate(`new URL(document.querySelector('`+selector+`').href).pathname.split('/')[2]`, into)
	}
	p.Run(id(`[data-list-item][aria-current="true"]`), press("j"), id(":focus"))
	if shown == focused {
		t.Fatal("J did not leave the open case")
	}
	p.Run(press("t"), chromedp.WaitVisible(".toast-own", chromedp.ByQuery))
	if got := state(shown); got != casework.Open {
		t.Errorf("T on the row below made the open case %s", got)
	}

	p.Run(press(kb.Enter), arrives(`location.pathname === "/cases/`+string(focused)+`"`))
	// Faster than the pause that makes a letter a shortcut: a word.
	// What a letter would send it sends before a timer that is set later.
	var sent int
	p.Run(chromedp.Evaluate(`window.sent = 0; addEventListener("submit", () => { window.sent += 1; }, true)`, nil),
		swift("t", "e", "n", "t", "u"),
		chromedp.Evaluate(`new Promise((done) => setTimeout(() => done(window.sent ?? -1), 300))`, &sent, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
	if got := state(focused); sent != 0 || got != casework.Open {
		t.Errorf("a typed word sent %d forms and made the case %s", sent, got)
	}
	p.Run(press(kb.Tab), press("t"), arrives(`location.search.includes("said=taken")`))

	// An answer has the focus: Ctrl Enter sends once, and here.
	p.Run(digit("3"), press(kb.Enter, input.ModifierCtrl), arrives(`location.pathname.endsWith("/assess")`))
	if err := p.Has("Ada yang perlu diperbaiki"); err != nil {
		t.Error(err)
	}
	if v, err := x.App.Casework.Get(t.Context(), d.Actor, focused); err != nil || len(v.Assessments) > 1 {
		t.Errorf("%d versions were saved by one press (%v)", len(v.Assessments), err)
	}
}

// TestAnswersSurviveOtherActs adds evidence while the assessment has answers
// that nobody saved.
func TestAnswersSurviveOtherActs(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+path), arrives("true"), digit("3"), digit("1"), digit("1"),
		chromedp.SetValue("#reasons", "Belum disimpan.", chromedp.ByQuery))
	captured := func(base string) {
		t.Helper()
		p.Run(chromedp.Click("#panel-evidence-tab", chromedp.ByQuery), chromedp.SetUploadFiles("#files", []string{p.File("bingkai.png", picture(t))}, chromedp.ByQuery),
			chromedp.Click(`form[action*="/captures"] [type="submit"]`, chromedp.ByQuery), arrives(`location.search.includes("said=captured") && document.querySelector('#assess-form [name="base"]').value === "`+base+`"`))
	}
	var held map[string]string
	answers := chromedp.Evaluate(`Object.fromEntries(new FormData(document.getElementById("assess-form")))`, &held)
	captured("0")
	p.Run(answers)
	if held["g-solicit-group"] != "yes" || held["g-incite"] != "no" || held["reasons"] != "Belum disimpan." {
		t.Errorf("after adding evidence the form holds %v", held)
	}

	// Somebody saves meanwhile: what was not sent does not lie over it.
	d.post(t, path+"/assess", with(complete("referral"), "reasons", "Versi yang disimpan.")).want(t, http.StatusOK)
	captured("1")
	p.Run(answers)
	if held["reasons"] != "Versi yang disimpan." {
		t.Errorf("old answers lie over a newer version: %v", held)
	}
}

// TestANumberIsFound goes where the palette's search goes.
func TestANumberIsFound(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	for _, tt := range []struct{ q, path string }{
		{c.Ref, "/cases/" + string(c.ID)},
		{" " + c.Ref + " ", "/cases/" + string(c.ID)},
		{c.Ref[len(c.Ref)-4:], "/find"},
		{"nothing", "/find"},
	} {
		if a := d.get(t, "/find?"+url.Values{"q": {tt.q}}.Encode()); a.status != http.StatusOK || a.url.Path != tt.path {
			t.Errorf("%q leads to %s with %d, want %s", tt.q, a.url, a.status, tt.path)
		}
	}
	// A platform does not learn that the case exists.
	path := "/cases/" + string(c.ID)
	for _, q := range []string{c.Ref[len(c.Ref)-4:], "Ruangsuara", strings.ToLower(c.Ref)[:12]} {
		if body := d.get(t, "/find?"+url.Values{"q": {q}}.Encode()).body; !strings.Contains(body, path) {
			t.Errorf("%q does not find the case", q)
		}
	}
	for _, who := range []string{"platform", "same-analyst"} {
		for _, q := range []string{c.Ref, c.Ref[len(c.Ref)-4:], "ruangsuara"} {
			if a := at(t, x, who).get(t, "/find?q="+q); a.status != http.StatusOK || strings.Contains(a.body, path) {
				t.Errorf("%s, %q: %d, found", who, q, a.status)
			}
		}
	}
}
