package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// The first administrator founds the instance, joins with a passkey, signs in
// with nothing but it, adds another way and only then removes the first.
func TestFoundingJoiningAndSigningInByPasskey(t *testing.T) {
	t.Parallel()
	a, address := empty(t)
	secret, err := a.Auth.FirstRun(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := browsertest.Open(t, browsertest.View{Lang: "en"})
	device := p.Authenticator()
	p.Go(address + "/first-run")
	for id, text := range map[string]string{"secret": secret, "org": "Dit. Tangkal Daring", "code": "tangkal-daring", "contact": "duty@tangkal.example", "name": "Bima A.", "email": "bima@tangkal.example"} {
		p.Run(chromedp.SendKeys("#"+id, text, chromedp.ByQuery))
	}
	p.Run(chromedp.Click(`main button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-passkey="create"]`, chromedp.ByQuery))
	axetest.Check(t, p.Context, "")
	p.Shot("join-passkey")

	device.Verifies(false) // the person does not pass: nothing is made, and the page says so
	p.Run(chromedp.SendKeys("#label", "work phone", chromedp.ByQuery), chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-sign-error]`, chromedp.ByQuery))
	if err := p.Has("No passkey was used. Nothing was sent."); err != nil {
		t.Error(err)
	}
	device.Verifies(true)
	p.Run(chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible(".rail", chromedp.ByQuery))
	if held := device.Passkeys(); held["localhost"] != 1 || len(held) != 1 {
		t.Errorf("the device holds %v", held)
	}

	signOut := func() {
		t.Helper()
		p.Go(address + "/profile")
		p.Run(chromedp.Evaluate(`document.querySelector('form[action="/sign-out"]').requestSubmit()`, nil), chromedp.WaitVisible(`body.pub`, chromedp.ByQuery))
	}
	signOut()
	p.Go(address + "/profile") // which asks to sign in, and then leads back
	axetest.Check(t, p.Context, "")
	p.Shot("sign-in-passkey")
	p.Run(chromedp.Click(`#by-passkey [data-passkey="get"]`, chromedp.ByQuery), chromedp.WaitVisible("#me", chromedp.ByQuery))
	if err := p.Has("work phone", "Bima A.", "1 valid"); err != nil {
		t.Error(err)
	}
	axetest.Check(t, p.Context, "")
	p.Shot("profile-passkey")

	// The only key cannot go; with a browser's key beside it, it can, and then
	// it opens nothing.
	p.Run(chromedp.Click(`[aria-label="Revoke the key work phone"]`, chromedp.ByQuery), chromedp.WaitNotPresent(`[aria-label="Revoke the key work phone"]`, chromedp.ByQuery))
	if err := p.Has("This is the last key that signs you in."); err != nil {
		t.Error(err)
	}
	p.Go(address + "/profile")
	p.Run(chromedp.Click(`form[data-new-key] [data-browser-key]`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery),
		chromedp.Click(`[aria-label="Revoke the key work phone"]`, chromedp.ByQuery), chromedp.WaitNotPresent(`[aria-label="Revoke the key work phone"]`, chromedp.ByQuery))
	if err := p.Has("Key revoked.", "1 valid"); err != nil {
		t.Error(err)
	}
	signOut()
	p.Go(address + "/sign-in")
	p.Run(chromedp.Click(`#by-passkey [data-passkey="get"]`, chromedp.ByQuery), chromedp.WaitVisible(`.error-summary, [role="alert"]:not(.hidden)`, chromedp.ByQuery))
	if err := p.Has("Signing in failed."); err != nil {
		t.Error(err)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}

// A second device is added on the profile, and signs in.
func TestAPasskeyIsAddedOnTheProfile(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	who := x.As(t, "approver")
	p := browsertest.Open(t, browsertest.View{})
	device := p.Authenticator()
	p.Bring(who.Browser.Jar, x.URL)
	p.Go(x.URL + "/profile")
	p.Run(chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	if err := p.Has("Kunci sandi ditambahkan."); err != nil {
		t.Error(err)
	}
	keys, err := party.Passkeys(t.Context(), x.App.DB, who.Actor.Person)
	if err != nil || len(keys) != 1 || keys[0].RPID != "localhost" || keys[0].Origin != x.URL {
		t.Fatalf("kept %+v, %v", keys, err)
	}
	// The device knows its person and makes no second passkey for them.
	p.Run(chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-sign-error]`, chromedp.ByQuery))
	if err := p.Has("Perangkat ini sudah menyimpan kunci sandi Anda."); err != nil {
		t.Error(err)
	}
	if held := device.Passkeys(); held["localhost"] != 1 {
		t.Errorf("the device holds %v", held)
	}
}

func TestAWrongPasskeyAnswerOpensNothingAndSaysSo(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	for _, answer := range []string{"", "{}", `{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{}}`, "not JSON"} {
		_, form := v.get("/sign-in")
		_, rest, _ := strings.Cut(form, `name="passkey-challenge" value="`)
		challenge, _, _ := strings.Cut(rest, `"`)
		status, body := v.post("/sign-in/passkey", url.Values{"passkey-challenge": {challenge}, "credential": {answer}, "next": {"//elsewhere.example"}})
		if challenge == "" || status != http.StatusForbidden || !strings.Contains(body, "<title>Error: ") || strings.Contains(body, "elsewhere.example") {
			t.Errorf("%q: %d\n%.300s", answer, status, body)
		}
	}
}
