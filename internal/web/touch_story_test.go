package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// stale lets every touch and arrival there was be over.
const stale = 6 * time.Minute

// Whoever invites after the touch is over is asked in place, and what was typed
// goes on; without verification nothing does.
func TestATouchIsAskedInPlaceAndNothingTypedIsLost(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	p, hand := h.device(t, "agency-admin")
	h.now.Advance(stale)
	p.Go(h.URL + "/organisation")
	p.Run(chromedp.Evaluate(`document.querySelector("#invite-name").closest("details").open = true`, nil),
		chromedp.SendKeys("#invite-name", "Tamu Baru", chromedp.ByQuery), chromedp.SendKeys("#invite-email", "tamu.baru@tangkal.example", chromedp.ByQuery),
		chromedp.Click(`#invite-roles input[value="analyst"]`, chromedp.ByQuery), chromedp.Click(`#invite-roles input[value="reviewer"]`, chromedp.ByQuery),
		chromedp.Click(`form[action="/organisation/people"] button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible("#touch [data-passkey]", chromedp.ByQuery))
	if err := p.Has("Pastikan bahwa ini Anda", "Isian Anda tetap ada"); err != nil {
		t.Error(err)
	}
	axetest.Check(t, p.Context, "")
	p.Shot("touch-passkey")
	if wide := p.Overflow(); wide > 0 {
		t.Errorf("the page is %d pixels too wide", wide)
	}
	hand.Verifies(false)
	p.Run(chromedp.Click("#touch [data-passkey]", chromedp.ByQuery), chromedp.WaitVisible("#touch [data-sign-error]", chromedp.ByQuery))
	admin := h.As(t, "agency-admin").Actor
	if all, err := h.App.Auth.Invitations(t.Context(), admin); err != nil || len(all) > 0 {
		t.Fatalf("without verification there are %d invitations, %v", len(all), err)
	}
	hand.Verifies(true)
	p.Run(chromedp.Click("#touch [data-passkey]", chromedp.ByQuery), chromedp.WaitVisible("[data-secret]", chromedp.ByQuery))
	all, err := h.App.Auth.Invitations(t.Context(), admin)
	if err != nil || len(all) != 1 || all[0].Name != "Tamu Baru" || all[0].Email != "tamu.baru@tangkal.example" || len(all[0].Roles) != 2 {
		t.Fatalf("invited %+v, %v", all, err)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// Who has no passkey uses the key of their browser once more.
func TestATouchByTheBrowsersKey(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	p := browsertest.Open(t, browsertest.View{Dark: true, Lang: "en"})
	p.Bring(h.As(t, "agency-admin").Browser.Jar, h.URL)
	p.Go(h.URL + "/profile?lang=en")
	p.Run(chromedp.Click(`form[data-new-key] [data-browser-key]`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	h.now.Advance(stale)
	p.Go(h.URL + "/organisation")
	p.Run(chromedp.Evaluate(`document.querySelector("#key-label").closest("details").open = true`, nil), chromedp.SendKeys("#key-label", "nightly export", chromedp.ByQuery),
		chromedp.Click(`form[action="/organisation/keys"] button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible("#touch", chromedp.ByQuery))
	axetest.Check(t, p.Context, "")
	p.Shot("touch-key")
	p.Run(chromedp.Click(`#touch button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible("[data-secret]", chromedp.ByQuery))
	keys, err := h.App.Auth.APIKeys(t.Context(), h.As(t, "agency-admin").Actor)
	if err != nil || len(keys) != 1 || keys[0].Label != "nightly export" {
		t.Errorf("keys %+v, %v", keys, err)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// Every page whose act needs a touch asks for one, and does nothing meanwhile.
func TestEveryPageThatNeedsATouchAsksForIt(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	admin, officer := h.As(t, "agency-admin"), h.As(t, h.officer)
	h.now.Advance(stale)
	asked := 0
	for _, r := range pageTable() {
		method, pattern, _ := strings.Cut(r.Pattern, " ")
		if method == http.MethodGet || auth.ProofOf(r.Act) != auth.Touch {
			continue
		}
		who := admin
		if r.Act == auth.NoticeConfirm {
			who = officer
		}
		path := strings.NewReplacer("{id}", absent).Replace(pattern)
		resp, err := who.Browser.PostForm(h.URL+path, url.Values{"what": {"was typed"}})
		status, body := h.page(t, path, resp, err)
		if status != http.StatusForbidden || !strings.Contains(body, `name="what" value="was typed"`) || !strings.Contains(body, `action="/touch?to=`+url.QueryEscape(path)+`"`) {
			t.Errorf("%s: %d %s", r.Pattern, status, firstWords(body))
		}
		asked++
	}
	if asked < 12 {
		t.Errorf("only %d pages ask", asked)
	}
	// A wrong touch asks again, with everything; a right one goes on. It leads to
	// this site alone.
	form := url.Values{"what": {"was typed"}, "touch-challenge": {"x"}, "touch-credential": {"{}"}}
	h.does(t, http.StatusNotFound, "agency-admin", "/touch", form)
	for to, want := range map[string]int{"/organisation/people": http.StatusForbidden, "https://evil.example/": http.StatusNotFound, "//evil.example": http.StatusNotFound} {
		resp, err := admin.Browser.PostForm(h.URL+"/touch?to="+url.QueryEscape(to), form)
		if status, body := h.page(t, to, resp, err); status != want || want == http.StatusForbidden && !strings.Contains(body, "was typed") {
			t.Errorf("%s: %d", to, status)
		}
	}
	form = url.Values{"touch-demo": {"yes"}, "name": {"Tamu"}, "email": {"tamu@tangkal.example"}, "roles": {"analyst"}}
	resp, err := admin.Browser.PostForm(h.URL+"/touch?to=/organisation/people", form)
	if status, body := h.page(t, "demo", resp, err); status != http.StatusOK || !strings.Contains(body, "/invitation/tgi_") {
		t.Errorf("a right touch: %d %s", status, firstWords(body))
	}
}

// The profile shows where one is signed in, and ends what one does not know.
func TestSessionsOnTheProfile(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	p, _ := h.device(t, "approver") // the jar's session, of a Go client
	other := browsertest.Open(t, browsertest.View{})
	other.Go(h.URL + "/sign-in")
	other.Run(chromedp.Evaluate(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = "/demo/sign-in"; const i = document.createElement("input"); i.name = "person"; i.value = "`+string(h.As(t, "approver").Person)+`"; f.append(i); document.body.append(f); f.submit(); })()`, nil),
		chromedp.WaitVisible(".rail", chromedp.ByQuery))
	p.Go(h.URL + "/profile?lang=en")
	if err := p.Has("Where you are signed in", "Chrome on Linux", "this one", "by one press, in the demonstration"); err != nil {
		t.Error(err)
	}
	axetest.Check(t, p.Context, "")
	p.Shot("profile-sessions")
	p.Run(chromedp.Click(`[aria-label="End the session in Chrome on Linux"]`, chromedp.ByQuery), chromedp.WaitNotPresent(`[aria-label="End the session in Chrome on Linux"]`, chromedp.ByQuery))
	if err := p.Has("The session has ended."); err != nil {
		t.Error(err)
	}
	other.Go(h.URL + "/approvals")
	other.Run(chromedp.WaitVisible("body.pub", chromedp.ByQuery)) // it is asked to sign in
	// An administrator ends what is left.
	h.does(t, http.StatusOK, "agency-admin", "/organisation/people/"+string(h.As(t, "approver").Person)+"/sessions/end", nil)
	p.Go(h.URL + "/approvals")
	p.Run(chromedp.WaitVisible("body.pub", chromedp.ByQuery))
}
