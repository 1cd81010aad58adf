package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

// empty serves an instance that nobody has founded, and is no demonstration.
func empty(t *testing.T) (a *app.App, address string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	address = "http://" + strings.Replace(s.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	a, err := app.Open(t.Context(), app.Config{
		Data: t.TempDir(), DB: "sqlite:" + t.TempDir() + "/tangkal.db", Listen: s.Listener.Addr().String(), PublicURL: address,
		EvidenceOrigin: "http://evidence.localhost:1", InstanceCode: "TEST", InstanceName: "Test", Jurisdiction: "id",
	}, clock.System{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = h
	s.Start()
	t.Cleanup(s.Close)
	return a, address
}

func TestFoundingJoiningAndSigningInByKey(t *testing.T) {
	t.Parallel()
	a, address := empty(t)
	secret, err := a.Auth.FirstRun(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := browsertest.Open(t, browsertest.View{Lang: "en"})
	p.Go(address + "/first-run")
	type field struct{ id, text string }
	for _, f := range []field{{"secret", "tgf_wrong"}, {"org", "Dit. Tangkal Daring"}, {"code", "tangkal-daring"}, {"contact", "duty@tangkal.example"}, {"name", "Bima A."}, {"email", "bima@tangkal.example"}} {
		p.Run(chromedp.SendKeys("#"+f.id, f.text, chromedp.ByQuery))
	}
	p.Run(chromedp.SetValue("#jurisdiction", "id", chromedp.ByQuery))
	p.Run(chromedp.Click(`main button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible("#secret-error", chromedp.ByQuery))
	axetest.Check(t, p.Context, "")
	p.Run(chromedp.SetValue("#secret", secret, chromedp.ByQuery), chromedp.Click(`main button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible(`form[data-new-key]`, chromedp.ByQuery))
	axetest.Check(t, p.Context, "")
	p.Shot("join")
	p.Run(chromedp.SendKeys("#label", "office laptop", chromedp.ByQuery), chromedp.Click(`form[data-new-key] [data-browser-key]`, chromedp.ByQuery),
		chromedp.WaitVisible(".rail", chromedp.ByQuery))

	p.Go(address + "/profile")
	axetest.Check(t, p.Context, "")
	p.Shot("profile")
	if err := p.Has("office laptop", "Bima A.", "Dit. Tangkal Daring", "1 valid"); err != nil {
		t.Error(err)
	}
	// The menu is opened for the hand: a click that comes while the page still
	// takes its shape may miss it.
	p.Run(chromedp.Evaluate(`document.querySelector("details.rail-menu.up").open = true`, nil), chromedp.WaitVisible(`details.rail-menu.up form[action="/sign-out"] button`, chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelector('details.rail-menu.up form[action="/sign-out"] button').click()`, nil), chromedp.WaitVisible(`body.pub`, chromedp.ByQuery))
	p.Go(address + "/profile") // which asks to sign in, and then leads back
	p.Run(chromedp.WaitNotVisible("[data-no-key]", chromedp.ByQuery), chromedp.Click(`form[data-sign] button[type="submit"]`, chromedp.ByQuery),
		chromedp.WaitVisible("#me", chromedp.ByQuery))
	var at string
	p.Run(chromedp.Location(&at))
	if at != address+"/profile" {
		t.Errorf("signed in to %s", at)
	}
	// A second key, and the first one's end: it opens nothing any more.
	p.Run(chromedp.SendKeys("#label", "second", chromedp.ByQuery), chromedp.Click(`form[data-new-key] [data-browser-key]`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	if err := p.Has("This browser can sign now.", "2 valid"); err != nil {
		t.Error(err)
	}
	p.Run(chromedp.Click(`[aria-label="Revoke the key office laptop"]`, chromedp.ByQuery), chromedp.WaitNotPresent(`[aria-label="Revoke the key office laptop"]`, chromedp.ByQuery))
	if err := p.Has("Key revoked.", "1 valid"); err != nil {
		t.Error(err)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}

func TestOneClickSignInIsForDemonstrationsAlone(t *testing.T) {
	t.Parallel()
	a, address := empty(t)
	v := stranger{&http.Client{}, t, address}
	for _, person := range []string{"", "x"} {
		if status, _ := v.post("/demo/sign-in", url.Values{"person": {person}}); status != http.StatusNotFound {
			t.Errorf("%q: %d, want %d", person, status, http.StatusNotFound)
		}
	}
	if _, body := v.get("/sign-in"); strings.Contains(body, "/demo/sign-in") {
		t.Error("the page offers one-click sign-ins")
	}
	if a.Config.Demo {
		t.Fatal("this instance is a demonstration")
	}

	x := exchangetest.Start(t)
	d := visitor(t, x)
	if status, _ := d.post("/demo/sign-in", url.Values{"person": {"nobody"}}); status != http.StatusNotFound {
		t.Errorf("an unknown person: %d", status)
	}
	_, body := d.get("/sign-in")
	if !strings.Contains(body, string(x.As(t, "analyst").Actor.Person)) {
		t.Error("the page of the demonstration does not offer its analyst")
	}
	pagetest.Check(t, "sign-in", body)
}

func TestAWrongSignatureOpensNothingAndSaysSo(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	_, form := v.get("/sign-in")
	_, rest, _ := strings.Cut(form, `name="challenge" value="`)
	challenge, _, _ := strings.Cut(rest, `"`)
	status, body := v.post("/sign-in", url.Values{"challenge": {challenge}, "key": {string(x.As(t, "analyst").Key)}, "signature": {"AAAA"}, "next": {"//elsewhere.example"}})
	if status != http.StatusForbidden || !strings.Contains(body, "<title>Error: ") || strings.Contains(body, "elsewhere.example") {
		t.Errorf("%d\n%.300s", status, body)
	}
	if status, body := v.get("/profile?lang=en"); status != http.StatusOK || !strings.Contains(body, `name="challenge"`) {
		t.Errorf("the profile of nobody: %d", status)
	}
}

func TestAPersonChoosesLanguageAndZone(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	who := x.As(t, "approver")
	v := stranger{who.Browser, t, x.URL}
	status, body := v.post("/profile", url.Values{"lang": {"en"}, "zone": {"Asia/Makassar"}})
	if status != http.StatusOK || !strings.Contains(body, "Language and time zone saved.") || !strings.Contains(body, `value="Asia/Makassar" selected`) {
		t.Errorf("%d", status)
	}
	pagetest.Check(t, "profile", body)
	me, err := party.GetPerson(t.Context(), x.App.DB, who.Actor.Person)
	if err != nil || me.Lang != "en" || me.Zone != "Asia/Makassar" || !me.Has(party.Approver) {
		t.Errorf("stored %+v, %v", me, err)
	}
	if status, body = v.post("/profile", url.Values{"lang": {"en"}, "zone": {"Mars/Base"}}); status != http.StatusUnprocessableEntity || !strings.Contains(body, `href="#zone"`) {
		t.Errorf("a zone that is none: %d", status)
	}
}
