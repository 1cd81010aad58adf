package web_test

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/auth/oidctest"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// startProvided is a house in which a provider knows the people of
// tangkal-daring.
func startProvided(t *testing.T) (*orderHouse, *oidctest.Server) {
	t.Helper()
	op := oidctest.Start(t)
	now := clock.NewManual(time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC))
	op.Set(func(s *oidctest.Server) { s.Now = now.Now })
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte(op.Secret+"\n"), 0o600))
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", now, func(c *app.Config) {
		c.OIDCIssuer, c.OIDCName, c.OIDCClient, c.OIDCSecretFile, c.OIDCOrg = op.URL, "Akun Contoh", op.ClientID, secret, "tangkal-daring"
	})
	return &orderHouse{Exchange: x, now: now, analyst: "analyst", approver: "approver", officer: "officer"}, op
}

// An analyst, whom no administrator could link, has linked themselves, signs in through their
// organisation, looks and works, and is asked for a key where one is needed.
func TestSigningInThroughAProvider(t *testing.T) {
	t.Parallel()
	h, _ := startProvided(t)
	analyst := h.As(t, "analyst")
	admin := h.As(t, "agency-admin")
	link := func(who party.PersonID, subject string) (int, string) {
		t.Helper()
		resp, err := admin.Browser.PostForm(h.URL+"/organisation/people/"+string(who)+"/provider", url.Values{"subject": {subject}}) //nolint:noctx // a page
		return h.page(t, "link", resp, err)
	}
	if status, _ := link(analyst.Person, "subject-1"); status != http.StatusForbidden {
		t.Fatalf("linking a colleague: %d", status)
	}
	must(t, h.App.Provider.Link(t.Context(), analyst.Actor, analyst.Person, "subject-1"))
	if status, body := link(admin.Person, "subject-2"); status != http.StatusOK || !strings.Contains(body, `value="subject-2"`) || strings.Contains(body, "subject-1") ||
		strings.Count(body, "Akhiri tautan ke Akun Contoh")+strings.Count(body, "End the link to Akun Contoh") != 1 {
		t.Fatalf("linking oneself: %d", status)
	}
	p := browsertest.Open(t, browsertest.View{Lang: "en", Dark: true, Phone: true})
	p.Go(h.URL + "/sign-in?lang=en&next=/profile")
	if err := p.Has("Sign in with Akun Contoh", "still take a passkey"); err != nil {
		t.Error(err)
	}
	axetest.Check(t, p.Context, "")
	p.Shot("provider-sign-in-phone")
	if wide := p.Overflow(); wide > 0 {
		t.Errorf("the page is %d pixels too wide", wide)
	}
	p.Run(chromedp.Click(`a[href^="/sign-in/provider"]`, chromedp.ByQuery), chromedp.WaitVisible("#me", chromedp.ByQuery))
	if err := p.Has("through your organisation’s sign-in", analyst.Name); err != nil {
		t.Error(err)
	}
	p.Run(chromedp.Evaluate(`document.querySelector('form[action$="/revoke"]').requestSubmit()`, nil), chromedp.WaitVisible("#touch", chromedp.ByQuery))
	p.Shot("provider-touch-phone")
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// Somebody invited joins with their account, without a key, and makes their
// first passkey while they have just arrived.
func TestJoiningThroughAProvider(t *testing.T) {
	t.Parallel()
	h, op := startProvided(t)
	op.Set(func(s *oidctest.Server) { s.Subject = "subject-2" })
	admin := h.As(t, "agency-admin")
	_, secret, err := h.App.Auth.Invite(t.Context(), admin.Actor, admin.Party, "Dewi L.", "dewi@tangkal.example", []party.Role{party.Analyst})
	must(t, err)
	p := browsertest.Open(t, browsertest.View{})
	p.Authenticator()
	p.Go(h.URL + "/invitation/" + secret)
	axetest.Check(t, p.Context, "")
	p.Shot("provider-join")
	p.Run(chromedp.Click(`form[action$="/provider"] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-go-provider]`, chromedp.ByQuery))
	axetest.Check(t, p.Context, "")
	p.Shot("provider-join-asks")
	p.Run(chromedp.Click(`[data-go-provider]`, chromedp.ByQuery), chromedp.WaitVisible(".rail", chromedp.ByQuery))
	who, err := party.ByEmail(t.Context(), h.App.DB, "dewi@tangkal.example")
	must(t, err)
	ways, err := party.WaysIn(t.Context(), h.App.DB, who.ID)
	if err != nil || ways != 0 || !who.Has(party.Analyst) || len(who.Roles) != 1 {
		t.Errorf("joined as %+v with %d keys, %v", who, ways, err)
	}
	p.Go(h.URL + "/profile")
	p.Run(chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	if ways, err = party.WaysIn(t.Context(), h.App.DB, who.ID); err != nil || ways != 1 {
		t.Errorf("%d keys, %v", ways, err)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// Nobody becomes whom others chose by opening a link: it takes a press on the
// invitation's own page, which says who it makes them, in the browser that goes.
func TestAnInvitationIsTakenUpByAPressAlone(t *testing.T) {
	t.Parallel()
	h, op := startProvided(t)
	admin, d := h.As(t, "agency-admin"), at(t, h.Exchange, "analyst")
	_, secret, err := h.App.Auth.Invite(t.Context(), admin.Actor, admin.Party, "Dewi L.", "dewi@tangkal.example", []party.Role{party.Analyst})
	must(t, err)
	address := h.URL + "/invitation/" + secret + "/provider"
	if status, to := hop(t, d.Browser.Jar, address); status != http.StatusNotFound || to != "" {
		t.Errorf("a link: %d to %s", status, to)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
	must(t, err)
	req.Header.Set("Origin", "https://elsewhere.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := d.Browser.Do(req)
	if status, body := h.page(t, "another site's form", resp, err); status != http.StatusForbidden || strings.Contains(body, op.URL) {
		t.Errorf("another site's form: %d", status)
	}
	asks := d.post(t, "/invitation/"+secret+"/provider?lang=en", nil).want(t, http.StatusOK, "Dewi L.", "dewi@tangkal.example", "Go on to Akun Contoh", d.Name+" is signed in here now")
	m := regexp.MustCompile(`href="(` + regexp.QuoteMeta(op.URL) + `/authorize[^"]*)"`).FindStringSubmatch(asks.body)
	if m == nil {
		t.Fatal("the page leads nowhere")
	}
	status, back := hop(t, d.Browser.Jar, html.UnescapeString(m[1]))
	if status != http.StatusFound && status != http.StatusSeeOther {
		t.Fatalf("at the provider: %d", status)
	}
	elsewhere, err := cookiejar.New(nil)
	must(t, err)
	if status, _ := hop(t, elsewhere, back); status != http.StatusForbidden {
		t.Errorf("in another browser: %d", status)
	}
	if who, err := party.ByEmail(t.Context(), h.App.DB, "dewi@tangkal.example"); err == nil {
		t.Fatalf("%s has joined", who.Name)
	}
	if status, _ := hop(t, d.Browser.Jar, back); status != http.StatusSeeOther {
		t.Errorf("back in this browser: %d", status)
	}
	d.get(t, "/profile?lang=en").want(t, http.StatusOK, "Dewi L.", "through your organisation")
}

// What does not come from this browser's own trip opens nothing, leads nowhere
// else, and a provider that is away is said so.
func TestAProvidersAnswerIsThisBrowsersOwn(t *testing.T) {
	t.Parallel()
	h, op := startProvided(t)
	must(t, h.App.Provider.Link(t.Context(), h.As(t, "analyst").Actor, h.As(t, "analyst").Person, "subject-1"))
	browser := func() *http.Client {
		jar, err := cookiejar.New(nil)
		must(t, err)
		return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	get := func(c *http.Client, address string) (status int, location string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		must(t, err)
		resp, err := c.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		return resp.StatusCode, resp.Header.Get("Location")
	}
	mine, theirs := browser(), browser()
	status, to := get(mine, h.URL+"/sign-in/provider?next=//evil.example")
	if status != http.StatusSeeOther || !strings.HasPrefix(to, op.URL+"/authorize?") {
		t.Fatalf("%d to %s", status, to)
	}
	_, back := get(mine, to)
	if status, _ := get(theirs, back); status != http.StatusForbidden {
		t.Errorf("another browser with this answer: %d", status)
	}
	if status, _ := get(theirs, h.URL+"/profile"); status != http.StatusSeeOther {
		t.Errorf("and is in: %d", status)
	}
	if status, _ = get(mine, strings.Replace(back, "state=", "state=x", 1)); status != http.StatusForbidden {
		t.Errorf("another state: %d", status)
	}
	_, to = get(mine, h.URL+"/sign-in/provider?next=//evil.example")
	_, back = get(mine, to)
	if status, to := get(mine, back); status != http.StatusSeeOther || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
		t.Errorf("the right answer: %d to %s", status, to)
	}
	if status, _ := get(mine, h.URL+"/profile"); status != http.StatusOK {
		t.Errorf("and then: %d", status)
	}
	if status, _ := get(mine, back); status != http.StatusForbidden {
		t.Errorf("the answer once more: %d", status)
	}
	_, to = get(mine, h.URL+"/sign-in/provider")
	_, back = get(mine, to)
	op.Set(func(s *oidctest.Server) { s.Away = http.StatusBadGateway })
	if status, _ := get(mine, back); status != http.StatusServiceUnavailable {
		t.Errorf("a provider that is away: %d", status)
	}
}

// Without a provider there is nothing of it.
func TestWithoutAProviderThereIsNone(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	if _, body := v.get("/sign-in"); strings.Contains(body, "/sign-in/provider") {
		t.Error("the page offers one")
	}
	d := at(t, x, "analyst")
	d.get(t, "/profile").want(t, http.StatusOK).not(t, "/profile/provider")
	d.get(t, "/profile/provider").want(t, http.StatusNotFound)
	for _, path := range []string{"/profile/provider", "/profile/provider/end"} {
		d.post(t, path, nil).want(t, http.StatusNotFound)
	}
	for _, path := range []string{"/sign-in/provider", "/sign-in/provider/back?state=x&code=y"} {
		if status, _ := v.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}
