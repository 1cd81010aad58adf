package web_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// path waits until the page is at a path.
func path(p string) chromedp.Action { return arrives(`location.pathname === "` + p + `"`) }

// TestKeysOfTheConsoleWorkOnEveryPage presses what "?" promises where it is not
// at home: going elsewhere, a break, the palette.
func TestKeysOfTheConsoleWorkOnEveryPage(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+"/profile"), arrives("true"))
	for keys, to := range map[string]string{"gt": "/triage", "go": "/orders", "ga": "/approvals", "gw": "/waiting"} {
		p.Run(swift(keys[:1], keys[1:]), path(to))
	}
	p.Run(press("?"), chromedp.WaitVisible("#keys", chromedp.ByQuery))
	if err := p.Has("tutup tanpa tindakan", "ke Triase", "mulai istirahat"); err != nil {
		t.Error(err)
	}
	p.Run(press(kb.Escape), chromedp.WaitNotVisible("#keys", chromedp.ByQuery), press("b"), path("/break"))
	// The palette: a command by its word, a case by its number.
	p.Run(chromedp.Navigate(d.URL+"/profile"), arrives("true"), press("k", input.ModifierCtrl), chromedp.WaitVisible("#cmdk-i", chromedp.ByQuery))
	p.Shot("console5-palette")
	p.Run(chromedp.KeyEvent("istirahat"), press(kb.Enter), path("/break"),
		press("k", input.ModifierCtrl), chromedp.WaitVisible("#cmdk-i", chromedp.ByQuery), chromedp.KeyEvent(c.Ref), press(kb.Enter), path("/cases/"+string(c.ID)))
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}

	platform := at(t, x, "platform")
	p = browsertest.Open(t, browsertest.View{})
	p.Bring(platform.Browser.Jar, platform.URL)
	p.Run(chromedp.Navigate(platform.URL+"/waiting"), arrives("true"), swift("g", "i"), path("/inbox"), press("?"), chromedp.WaitVisible("#keys", chromedp.ByQuery))
	if err := p.Has("jawaban: dihapus", "ke Kotak masuk"); err != nil {
		t.Error(err)
	}
	if text := p.Text("#keys"); strings.Contains(text, "tutup tanpa tindakan") || strings.Contains(text, "mulai istirahat") {
		t.Errorf("a platform is promised keys of a desk: %s", text)
	}
}

// TestAClosingIsUndoneAndAnOpinionAskedByKey presses U within its ten seconds,
// and asks a colleague from the keyboard.
func TestAClosingIsUndoneAndAnOpinionAskedByKey(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+"/triage"), arrives("true"))
	h := &hands{t: t, p: p}
	state := func() casework.State {
		t.Helper()
		v, err := x.App.Casework.Get(t.Context(), d.Actor, c.ID)
		must(t, err)
		return v.Case.State
	}
	h.next()
	h.close()
	if got := state(); got != casework.Closed {
		t.Fatalf("the case is %s", got)
	}
	h.wait(`(() => {
		const undo = document.querySelector('[data-toast] [data-key="U"]');
		undo?.focus(); // its seconds wait for whoever is at it
		return undo !== null && document.activeElement === undo;
	})()`)
	h.press("u")
	h.wait(`location.search.includes("said=undone")`)
	if got := state(); got != casework.Taken {
		t.Errorf("after the undo the case is %s", got)
	}
	// An opinion is about answers, so some are saved first.
	d.post(t, "/cases/"+string(c.ID)+"/assess", with(complete("referral"), "base", "1", "reasons", "Mengajak ikut kelompok rekaan.")).want(t, 200)
	p.Run(chromedp.Navigate(d.URL+"/cases/"+string(c.ID)), arrives("true"))
	h.press("s")
	p.Run(chromedp.WaitVisible("#ask[open]", chromedp.ByQuery))
	h.tabTo(`#ask [type="submit"]`)
	h.press(kb.Enter)
	h.wait(`location.search.includes("said=asked")`)
	at(t, x, "second-analyst").get(t, "/waiting?lang=en").want(t, 200, "one second opinion asked for")
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}

// TestNewCasesWaitBehindAPill reports while the queue is open: rows do not move,
// a pill counts, each case once, and what colleagues do to known ones not at all.
func TestNewCasesWaitBehindAPill(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	known := d.reported(t, aPost)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+"/triage"), arrives(`document.body.dataset.live === "on"`))
	at(t, x, "second-analyst").post(t, "/cases/"+string(known.ID)+"/take", nil).want(t, 200)
	one := d.reported(t, aPost+"-dua")
	d.reported(t, aPost+"-dua") // the same case again
	d.reported(t, aPost+"-tiga")
	p.Run(chromedp.Poll(`document.querySelector("[data-new-pill]").dataset.n === "2"`, nil), chromedp.WaitVisible(".newpill", chromedp.ByQuery))
	if text := p.Text(".newpill"); !strings.HasSuffix(text, " baru") {
		t.Errorf("the pill says %q", text)
	}
	p.Shot("console5-pill")
	if n := p.Count("[data-list-item]"); n != 1 {
		t.Errorf("%d rows moved in by themselves", n)
	}
	p.Run(chromedp.Click(".newpill", chromedp.ByQuery), arrives(`document.querySelectorAll("[data-list-item]").length === 3`))
	if err := p.Has(one.Ref); err != nil {
		t.Error(err)
	}
}

// TestWorkWithoutABreakIsNoticed reviews without any picture for fifty minutes,
// then sees all that a day allows.
func TestWorkWithoutABreakIsNoticed(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC))
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", now)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	dose := func() casework.Exposure {
		t.Helper()
		e, err := x.App.Casework.Exposure(t.Context(), d.Actor)
		must(t, err)
		return e
	}
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+"/cases/"+string(c.ID)), arrives("true"))
	for range 7 { // what a browser does by itself once a minute, while somebody works
		p.Run(chromedp.Evaluate(`sessionStorage.removeItem("tangkal:review"); window.shown = document.querySelector("[data-dose]")`, nil),
			press("j"), chromedp.Poll(`document.querySelector("[data-dose]") !== window.shown`, nil))
		now.Advance(9 * time.Minute)
	}
	p.Run(chromedp.Evaluate(`sessionStorage.removeItem("tangkal:review")`, nil), press("j"), chromedp.WaitVisible(`[data-dose="break"]`, chromedp.ByQuery))
	if e := dose(); !e.Break || e.Visible != 0 {
		t.Errorf("after an hour of work the dose is %+v", e)
	}
	if err := p.Has("Waktunya istirahat"); err != nil {
		t.Error(err)
	}
	p.Shot("console5-break")
	p.Run(press(kb.Shift), press("b"), path("/break")) // a letter right after a letter is a word
	if e := dose(); e.Break {
		t.Error("a break was begun and is still due")
	}
	for !dose().Full {
		_, err := x.App.Casework.AddExposure(t.Context(), d.Actor, 15*60)
		must(t, err)
		now.Advance(15 * time.Minute)
		d.get(t, "/break").want(t, 200) // the session goes on
	}
	p.Run(chromedp.Navigate(d.URL+"/triage"), chromedp.WaitVisible(`[data-dose="full"]`, chromedp.ByQuery))
	if err := p.Has("Takaran hari ini tercapai", "hanya memberi kasus ringan"); err != nil {
		t.Error(err)
	}
	p.Shot("console5-full")
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}

// left waits until the tab has left for an address of elsewhere, which a test
// does not reach, and returns the addresses that Back can go to.
func left(p *browsertest.Page, to string, act chromedp.Action) []string {
	gone := make(chan struct{}, 1)
	ctx, stop := context.WithCancel(p.Context)
	defer stop()
	chromedp.ListenTarget(ctx, func(ev any) {
		if e, ok := ev.(*page.EventFrameNavigated); ok && e.Frame.ParentID == "" && strings.HasPrefix(e.Frame.UnreachableURL+e.Frame.URL, to) {
			select {
			case gone <- struct{}{}:
			default:
			}
		}
	})
	var was []string
	p.Run(network.SetBlockedURLs().WithURLPatterns([]*network.BlockPattern{{URLPattern: to + "*", Block: true}}), act, chromedp.ActionFunc(func(ctx context.Context) error {
		select {
		case <-gone:
		case <-ctx.Done():
			return ctx.Err()
		}
		_, entries, err := page.GetNavigationHistory().Do(ctx)
		for err != nil && ctx.Err() == nil { // the tab is changing to its new page
			_, entries, err = page.GetNavigationHistory().Do(ctx)
		}
		for _, e := range entries {
			was = append(was, e.URL)
		}
		return err
	}))
	return was
}

// TestTheQuickExitReplacesThePage leaves the form by the button, and by Shift
// three times: what was typed is not in the page that Back shows.
func TestTheQuickExitReplacesThePage(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, func(c *app.Config) { c.ExitURL = "https://cuaca.example/" })
	for name, exit := range map[string]chromedp.Action{
		"button": chromedp.Click("[data-quick-exit]", chromedp.ByQuery),
		"shift":  swift("Shift", "Shift", "Shift"),
	} {
		t.Run(name, func(t *testing.T) {
			p := browsertest.Open(t, browsertest.View{Phone: name == "button"})
			p.Run(chromedp.Navigate(x.URL+"/report"), chromedp.WaitReady("html.js", chromedp.ByQuery),
				chromedp.SendKeys("#description", "Rahasia", chromedp.ByQuery), swift("Shift", "a", "Shift", "Shift"))
			if err := p.Has("Riwayat peramban tidak terhapus"); err != nil {
				t.Error(err) // the page is still there, and says what the exit cannot do
			}
			was := left(p, x.Config.ExitURL, chromedp.Tasks{press("a"), exit})
			if strings.Contains(strings.Join(was, " "), "/report") {
				t.Errorf("Back leads to %q", was)
			}
		})
	}
}
