package web_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// drafts is all that a page's origin keeps of unsent answers.
func drafts(p *browsertest.Page) string {
	var all string
	p.Run(chromedp.Evaluate(`Object.entries(localStorage).filter(([k]) => k.startsWith("tangkal:draft:")).map(([k, v]) => k + v).join(" ")`, &all))
	return all
}

// typed puts text into a field as if it were typed, without what a browser
// takes for a person's press: it would ask before the page is left.
func typed(selector, text string) chromedp.Action {
	return chromedp.Tasks{
		chromedp.SetValue(selector, text, chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelector('`+selector+`').dispatchEvent(new Event("input", { bubbles: true }))`, nil),
	}
}

// offline takes the network away from the page, or gives it back.
func offline(yes bool) chromedp.Action {
	return chromedp.Tasks{network.OverrideNetworkState(yes, 0, -1, -1), chromedp.Poll(`navigator.onLine === `+map[bool]string{true: "false", false: "true"}[yes], nil)}
}

// TestAReportersDraftIsKeptOnlyWhenAskedFor types on a phone: nothing stays
// before the box is ticked, never a contact, and nothing after sending or the
// quick exit.
func TestAReportersDraftIsKeptOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, func(c *app.Config) { c.ExitURL = "https://cuaca.example/" })
	p := browsertest.Open(t, browsertest.View{Phone: true})
	form := func() chromedp.Action {
		return chromedp.Tasks{chromedp.Navigate(x.URL + "/report"), chromedp.WaitReady(`#report[data-drafting]`, chromedp.ByQuery)}
	}
	write := chromedp.Tasks{
		chromedp.Click(`[data-add-row="links"]`, chromedp.ByQuery), typed("#url", "https://ruangsuara.example/v/1"),
		typed(`#links > div input`, "https://ruangsuara.example/v/2"), typed("#description", "Ajakan rekaan"), typed("#contact", "saya@contoh.example"),
	}
	offer := func() (shown bool) {
		t.Helper()
		p.Run(chromedp.Evaluate(`document.querySelector("[data-draft-offer]").checkVisibility()`, &shown))
		return shown
	}
	p.Run(form(), write)
	if got := drafts(p); got != "" {
		t.Fatalf("kept unasked: %s", got)
	}
	if p.Run(form()); offer() {
		t.Fatal("a draft is offered that nobody asked for")
	}

	p.Run(chromedp.Click("[data-draft-keep]", chromedp.ByQuery), write)
	if got := drafts(p); !strings.Contains(got, "Ajakan rekaan") || strings.Contains(got, "saya@contoh") {
		t.Fatalf("the draft is %s", got)
	}
	p.Run(form())
	var description string
	if p.Run(chromedp.Value("#description", &description, chromedp.ByQuery)); !offer() || description != "" {
		t.Fatalf("offered %v; filled in unasked: %q", offer(), description)
	}
	p.Shot("console5-draft-phone")
	var urls []string
	p.Run(chromedp.Click("[data-draft-restore]", chromedp.ByQuery), chromedp.Value("#description", &description, chromedp.ByQuery),
		chromedp.Evaluate(`[...document.querySelectorAll("[name=url]")].map((f) => f.value)`, &urls))
	if description != "Ajakan rekaan" || strings.Join(urls, " ") != "https://ruangsuara.example/v/1 https://ruangsuara.example/v/2" || offer() {
		t.Errorf("restored %q, %q; still offered: %v", description, urls, offer())
	}

	// The connection is lost as it is sent: the page stays, and so does the draft.
	p.Run(chromedp.Click(`#category-0, [name="category"]`, chromedp.ByQuery), offline(true))
	var said string
	p.Run(chromedp.Evaluate(`(() => {
		let said = "";
		document.addEventListener("tangkal:say", (e) => { said = e.detail; });
		const form = document.getElementById("report");
		form.requestSubmit(form.querySelector('button[type="submit"]'));
		return said;
	})()`, &said))
	if !strings.Contains(said, "Anda luring") {
		t.Errorf("offline the page says %q", said)
	}
	if got := drafts(p); !strings.Contains(got, "Ajakan rekaan") {
		t.Errorf("offline the draft is %q", got)
	}
	p.Run(offline(false), chromedp.Click(`#report button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-draft-sent="report"]`, chromedp.ByQuery),
		chromedp.Poll(`Object.keys(localStorage).every((k) => !k.startsWith("tangkal:draft:"))`, nil)) // after sending there is none

	p.Run(form(), chromedp.Click("[data-draft-keep]", chromedp.ByQuery), write)
	if drafts(p) == "" {
		t.Fatal("nothing is kept")
	}
	left(p, x.Config.ExitURL, chromedp.Click("[data-quick-exit]", chromedp.ByQuery))
	if p.Run(form()); drafts(p) != "" || offer() {
		t.Errorf("after the quick exit there is %q", drafts(p))
	}
}

// TestAnAnalystsDraftSurvivesTheTab leaves answers unsaved, finds them again,
// and finds none that were saved or discarded, nor after signing out.
func TestAnAnalystsDraftSurvivesTheTab(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	// The page asks before it is left over answers; this person goes all the same.
	chromedp.ListenTarget(p.Context, func(ev any) {
		if _, ok := ev.(*page.EventJavascriptDialogOpening); ok {
			go func() { _ = chromedp.Run(p.Context, page.HandleJavaScriptDialog(true)) }()
		}
	})
	open := chromedp.Tasks{chromedp.Navigate(d.URL + path), arrives(`document.querySelector("#assess-form").dataset.drafting === "yes"`)}
	var reasons string
	read := chromedp.Value("#reasons", &reasons, chromedp.ByQuery)

	p.Run(open, typed("#reasons", "Belum disimpan."), open, chromedp.WaitVisible("[data-draft-offer]", chromedp.ByQuery), read)
	if reasons != "" {
		t.Errorf("filled in unasked: %q", reasons)
	}
	if got := drafts(p); !strings.Contains(got, string(d.Person.Person)) {
		t.Errorf("a draft of nobody: %s", got)
	}
	p.Shot("console5-draft")
	if p.Run(chromedp.Click("[data-draft-restore]", chromedp.ByQuery), read); reasons != "Belum disimpan." {
		t.Errorf("restored %q", reasons)
	}
	p.Run(chromedp.Click(`#assess-form [name="do"][value="save"]`, chromedp.ByQuery), arrives(`location.search.includes("said=saved")`), open, read)
	if got := drafts(p); got != "" || reasons != "Belum disimpan." {
		t.Errorf("after saving there is %q, and the form says %q", got, reasons)
	}
	p.Run(typed("#reasons", "Lain lagi."), open, chromedp.Click("[data-draft-discard]", chromedp.ByQuery), read)
	if got := drafts(p); got != "" || reasons != "Belum disimpan." {
		t.Errorf("after discarding there is %q, and the form says %q", got, reasons)
	}
	// Signing out leaves nothing; it is asked in the press itself, before the page goes.
	var after int
	p.Run(typed("#reasons", "Masih lain."), chromedp.Evaluate(`(() => {
		document.querySelector('form[action="/sign-out"]').requestSubmit();
		return Object.keys(localStorage).filter((k) => k.startsWith("tangkal:draft:")).length;
	})()`, &after))
	if after != 0 {
		t.Errorf("after signing out %d drafts are left", after)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}
