package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// An analyst has lost every key. An administrator and an approver help, each
// with one half, and the analyst is in again with a new passkey alone.
func TestTwoColleaguesRecoverAnAnalyst(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	lost := h.As(t, "analyst")
	before, err := party.WaysIn(t.Context(), h.App.DB, lost.Person)
	must(t, err)

	admin, _ := h.device(t, "agency-admin")
	admin.Go(h.URL + "/organisation?lang=en")
	opens := `form[action="/organisation/people/` + string(lost.Person) + `/recover"]`
	admin.Run(chromedp.Evaluate(`document.querySelector('`+opens+`').closest("details").open = true`, nil),
		chromedp.Click(opens+` button`, chromedp.ByQuery), chromedp.WaitVisible("[data-secret]", chromedp.ByQuery))
	code := strings.TrimSpace(admin.Text("[data-secret]"))
	axetest.Check(t, admin.Context, "")
	admin.Shot("recovery-opened")

	second := browsertest.Open(t, browsertest.View{Phone: true, Dark: true, Lang: "id"})
	second.Bring(h.As(t, "approver").Browser.Jar, h.URL)
	second.Go(h.URL + "/waiting")
	if err := second.Has("Pemulihan akses", "1 pemulihan akses untuk diperiksa", "Menunggu orang kedua"); err != nil {
		t.Error(err)
	}
	if wide := second.Overflow(); wide > 0 {
		t.Errorf("the page is %d pixels too wide", wide)
	}
	axetest.Check(t, second.Context, "")
	second.Shot("recovery-waits-phone")
	second.Run(chromedp.Click(`form[action$="/confirm"] button`, chromedp.ByQuery), chromedp.WaitVisible("#touch, [data-secret]", chromedp.ByQuery))
	address := strings.TrimSpace(second.Text("[data-secret]"))
	second.Shot("recovery-confirmed-phone")

	p := browsertest.Open(t, browsertest.View{Phone: true, Lang: "en"})
	device := p.Authenticator()
	p.Go(address)
	axetest.Check(t, p.Context, "")
	p.Shot("recovery-phone")
	if wide := p.Overflow(); wide > 0 {
		t.Errorf("the page is %d pixels too wide", wide)
	}
	p.Run(chromedp.SendKeys("#code", "0000-0000", chromedp.ByQuery), chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible("#code-error", chromedp.ByQuery))
	if err := p.Has("not the code that belongs to this address"); err != nil {
		t.Error(err)
	}
	p.Shot("recovery-wrong-code-phone")
	p.Run(chromedp.SetValue("#code", strings.ToLower(code), chromedp.ByQuery), chromedp.SetValue("#label", "new phone", chromedp.ByQuery),
		chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	if err := p.Has("Anda punya kunci baru. Semua kunci dan sesi lama sudah berakhir.", "new phone"); err != nil {
		t.Error(err)
	}
	if held := device.Passkeys(); held["localhost"] < 1 {
		t.Errorf("the device holds %v", held)
	}
	if after, err := party.WaysIn(t.Context(), h.App.DB, lost.Person); err != nil || before < 1 || after != 1 {
		t.Errorf("%d ways in before, %d after, %v", before, after, err)
	}
	resp, err := lost.Browser.Get(h.URL + "/profile") //nolint:noctx // a page
	must(t, err)
	must(t, resp.Body.Close())
	if resp.Request.URL.Path != "/sign-in" {
		t.Errorf("the old session is led to %s", resp.Request.URL.Path)
	}
	second.Go(h.URL + "/waiting")
	if err := second.Has("Kunci baru dibuat"); err != nil {
		t.Error(err)
	}
	for _, page := range []*browsertest.Page{admin, second, p} {
		if said := page.Complaints(); len(said) > 0 {
			t.Errorf("the pages complained: %q", said)
		}
	}
}

// The person themselves sees what is done in their name, and stops it.
func TestTheirOwnRecoveryIsShownAndCancelled(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	who := h.As(t, "analyst")
	r, _, err := h.App.Auth.OpenRecovery(t.Context(), h.As(t, "agency-admin").Actor, who.Person)
	must(t, err)
	p := browsertest.Open(t, browsertest.View{Lang: "en"})
	p.Bring(who.Browser.Jar, h.URL)
	p.Go(h.URL + "/waiting?lang=en")
	if err := p.Has("This is about you. If you did not ask for it, cancel it now.", "1 recovery of access to look at"); err != nil {
		t.Error(err)
	}
	axetest.Check(t, p.Context, "")
	p.Shot("recovery-own")
	p.Run(chromedp.Click(`form[action$="/cancel"] button`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	if err := p.Has("The recovery is cancelled."); err != nil {
		t.Error(err)
	}
	resp, err := h.As(t, "approver").Browser.PostForm(h.URL+"/recoveries/"+r.ID+"/confirm", url.Values{}) //nolint:noctx // a page
	if status, _ := h.page(t, "confirm", resp, err); status != http.StatusConflict {
		t.Errorf("a cancelled recovery is confirmed: %d", status)
	}
}
