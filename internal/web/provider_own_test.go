package web_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/auth/oidctest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// hop asks for one address as somebody's browser and follows nothing.
func hop(t *testing.T, jar http.CookieJar, address string) (status int, location string) {
	t.Helper()
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	must(t, err)
	resp, err := c.Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode, resp.Header.Get("Location")
}

// Whoever joined before there was a provider links their account by themselves,
// in a browser, and ends the link there.
func TestLinkingOnesOwnAccountOnTheProfile(t *testing.T) {
	t.Parallel()
	h, _ := startProvided(t)
	d := at(t, h.Exchange, "analyst")
	p := browsertest.Open(t, browsertest.View{Phone: true, Dark: true, Lang: "en"})
	p.Bring(d.Browser.Jar, h.URL)
	p.Go(h.URL + "/profile?lang=en")
	p.Run(chromedp.Click(`form[action="/profile/provider"] button`, chromedp.ByQuery), chromedp.WaitVisible(`a[href="/profile/provider"]`, chromedp.ByQuery))
	axetest.Check(t, p.Context, "")
	p.Shot("ops6-provider-go-phone")
	p.Run(chromedp.Click(`a[href="/profile/provider"]`, chromedp.ByQuery), chromedp.WaitVisible(`form[action="/profile/provider/end"]`, chromedp.ByQuery))
	if err := p.Has("is linked", "Linked"); err != nil {
		t.Error(err)
	}
	p.Shot("ops6-provider-linked-phone")
	if wide := p.Overflow(); wide > 0 {
		t.Errorf("the page is %d pixels too wide", wide)
	}
	who, err := h.App.Provider.PersonOf(t.Context(), auth.Subject{Issuer: h.App.Config.OIDCIssuer, ID: "subject-1"})
	if err != nil || who != d.Person.Person {
		t.Errorf("the account is %q, %v", who, err)
	}
	p.Run(chromedp.Click(`form[action="/profile/provider/end"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`form[action="/profile/provider/end"]`, chromedp.ByQuery))
	if _, err := h.App.Provider.PersonOf(t.Context(), auth.Subject{Issuer: h.App.Config.OIDCIssuer, ID: "subject-1"}); err == nil {
		t.Error("the link holds after its end")
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// Nobody is led into a link: it takes a press on the profile, the same session,
// a touch that is still fresh, and an account that is nobody else's.
func TestALinkIsMadeByWhoIsThereAlone(t *testing.T) {
	t.Parallel()
	h, op := startProvided(t)
	linked := func() (party.PersonID, bool) {
		who, err := h.App.Provider.PersonOf(t.Context(), auth.Subject{Issuer: op.URL, ID: "subject-1"})
		return who, err == nil
	}
	d := at(t, h.Exchange, "analyst")
	leave := func(d desk) (back string) {
		t.Helper()
		d.post(t, "/profile/provider?lang=en", nil).want(t, http.StatusOK, "Go on to Akun Contoh")
		status, to := hop(t, d.Browser.Jar, h.URL+"/profile/provider")
		if status != http.StatusSeeOther || !strings.HasPrefix(to, op.URL+"/authorize?") {
			t.Fatalf("%d to %s", status, to)
		}
		_, back = hop(t, d.Browser.Jar, to)
		return back
	}
	if status, to := hop(t, d.Browser.Jar, h.URL+"/profile/provider"); status != http.StatusSeeOther || to != "/profile" {
		t.Errorf("without a press: %d to %s", status, to)
	}
	back := leave(d)
	elsewhere, err := cookiejar.New(nil)
	must(t, err)
	if status, _ := hop(t, elsewhere, back); status != http.StatusForbidden {
		t.Errorf("in another browser: %d", status)
	}
	h.now.Advance(6 * time.Minute)
	if status, _ := hop(t, d.Browser.Jar, back); status != http.StatusSeeOther {
		t.Errorf("too late: %d", status)
	}
	d.get(t, "/profile?lang=en").want(t, http.StatusOK, "more than five minutes")
	if who, ok := linked(); ok {
		t.Fatalf("linked to %s", who)
	}
	d.post(t, "/profile/provider?lang=en", nil).want(t, http.StatusForbidden) // it asks for a touch

	// Somebody else sits down at the browser in between.
	other := at(t, h.Exchange, "second-analyst")
	back = leave(other)
	u, err := url.Parse(h.URL)
	must(t, err)
	other.Browser.Jar.SetCookies(u, h.As(t, "approver").Browser.Jar.Cookies(u))
	if status, _ := hop(t, other.Browser.Jar, back); status != http.StatusForbidden {
		t.Errorf("back in another session: %d", status)
	}
	if who, ok := linked(); ok {
		t.Fatalf("linked to %s", who)
	}

	must(t, h.App.Provider.Link(t.Context(), d.Actor, d.Person.Person, "subject-1"))
	fresh := at(t, h.Exchange, "agency-admin")
	op.Set(func(s *oidctest.Server) { s.Subject = "subject-1" })
	if status, _ := hop(t, fresh.Browser.Jar, leave(fresh)); status != http.StatusSeeOther {
		t.Errorf("another's account: %d", status)
	}
	fresh.get(t, "/profile?lang=en").want(t, http.StatusOK, "belongs to somebody else")
	if who, _ := linked(); who != d.Person.Person {
		t.Errorf("the account is %s's now", who)
	}
}
