package web

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/internal/web/static"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// desk serves one console page with an htmx button, behind the real headers.
func desk(t *testing.T) *httptest.Server {
	t.Helper()
	p := i18n.For(i18n.ID)
	page := components.ConsolePage{
		Page: components.Page{P: p, Title: "Triase", Path: "/", Now: reported}, Seat: components.SeatAgency,
		Party: components.Party{Name: "Dit. Tangkal Daring", Kind: "Lembaga"}, Person: components.Person{Name: "Ratna S.", Initials: "RS", SignOut: "/out"},
		Crumbs: []components.Crumb{{Label: "Triase"}}, Find: "/find",
	}
	body := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, `<h1>Triase</h1><button id="load" hx-get="/part" hx-target="#into" data-key="R">muat</button><div id="into"></div>
			<span class="seg" role="radiogroup" aria-label="G1" data-key="1" data-key-cycle><input type="radio" name="g" value="yes" aria-label="ya"><input type="radio" name="g" value="no" aria-label="tidak"></span>
			<div data-safe data-reveal="0" id="safe">media</div>`)
		return err
	})
	mux := http.NewServeMux()
	mux.Handle("GET "+static.Prefix, static.Handler())
	mux.HandleFunc("GET /part", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `<b id="came">datang</b>`) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_ = components.Console(page).Render(templ.WithChildren(r.Context(), body), w)
	})
	h, err := Secure("", mux)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// at returns the server's address under the name that browsers trust with
// cryptography.
func at(s *httptest.Server) string {
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
}

func TestTheConsoleWorksUnderItsPolicy(t *testing.T) {
	t.Parallel()
	p := browsertest.Open(t, browsertest.View{})
	ctx, wrong := p.Context, p.Complaints
	var came, answer, revealed, hidden string
	var open bool
	space := func(kind string) chromedp.Action {
		return chromedp.Evaluate(`document.body.dispatchEvent(new KeyboardEvent("`+kind+`", {code: "Space", key: " ", bubbles: true}))`, nil)
	}
	err := chromedp.Run(ctx,
		chromedp.Navigate(at(desk(t))),
		chromedp.WaitReady("html.js"),
		chromedp.Poll(`window.htmx && document.querySelector("#load").matches("[data-htmx-powered]")`, nil),
		chromedp.KeyEvent("r"), // clicks the button, which swaps a fragment in
		chromedp.WaitVisible("#came"),
		chromedp.Text("#came", &came),
		chromedp.KeyEvent("1"), chromedp.KeyEvent("1"),
		chromedp.Evaluate(`document.querySelector("[name=g]:checked").value`, &answer),
		space("keydown"), chromedp.Evaluate(`document.querySelector("#safe").dataset.reveal`, &revealed),
		space("keyup"), chromedp.Evaluate(`document.querySelector("#safe").dataset.reveal`, &hidden),
		chromedp.Evaluate(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "k", code: "KeyK", ctrlKey: true, bubbles: true})); document.querySelector("#cmdk").open`, &open),
	)
	if err != nil {
		t.Fatalf("%v; the page said %q", err, wrong())
	}
	if came != "datang" || answer != "no" || revealed != "1" || hidden != "0" || !open {
		t.Errorf("swapped %q, answered %q, revealed %q then %q, palette open %v", came, answer, revealed, hidden, open)
	}
	if w := wrong(); len(w) > 0 {
		t.Errorf("the page complained: %q", w)
	}
}

func TestTextNeverBecomesCode(t *testing.T) {
	t.Parallel()
	ctx := browsertest.Open(t, browsertest.View{}).Context
	var html, code, worker string
	try := func(js string, out *string) chromedp.Action {
		return chromedp.Evaluate(`(() => { try { `+js+`; return "done" } catch (e) { return e.name } })()`, out)
	}
	err := chromedp.Run(ctx,
		chromedp.Navigate(at(desk(t))),
		chromedp.WaitReady("html.js"),
		try(`document.createElement("div").innerHTML = "<img>"`, &html),
		try(`document.createElement("script").text = "1"`, &code),
		try(`trustedTypes.createPolicy("other", {})`, &worker),
	)
	if err != nil {
		t.Fatal(err)
	}
	if html != "TypeError" || code != "TypeError" || worker != "TypeError" {
		t.Errorf("markup from text: %s, script from text: %s, another policy: %s; want TypeError each", html, code, worker)
	}
}

func TestABrowserKeySignsADigestAndCannotBeTaken(t *testing.T) {
	t.Parallel()
	ctx := browsertest.Open(t, browsertest.View{}).Context
	digest := sha256.Sum256([]byte("tangkal/notice/v1\n{}"))
	var got struct{ ID, Public, Signature, Export string }
	script := `(async () => {
		const { makeKey, signDigest, listKeys } = await import("/static/js/sign.js");
		await makeKey("Ratna S.");
		const [key] = await listKeys();
		let taken = "taken";
		try { await crypto.subtle.exportKey("pkcs8", key.private) } catch (e) { taken = e.name }
		return { ID: key.id, Public: key.public, Signature: await signDigest("` + base64.StdEncoding.EncodeToString(digest[:]) + `", key), Export: taken };
	})()`
	err := chromedp.Run(ctx,
		chromedp.Navigate(at(desk(t))),
		chromedp.WaitReady("html.js"),
		chromedp.Evaluate(script, &got, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
	)
	if err != nil {
		t.Fatal(err)
	}
	public, err := base64.StdEncoding.DecodeString(got.Public)
	if err != nil || len(public) != ed25519.PublicKeySize {
		t.Fatalf("public key %q", got.Public)
	}
	signature, err := base64.StdEncoding.DecodeString(got.Signature)
	if err != nil || !ed25519.Verify(public, digest[:], signature) {
		t.Errorf("signature %q does not verify", got.Signature)
	}
	sum := sha256.Sum256(public)
	if want := hex.EncodeToString(sum[:8]); got.ID != want {
		t.Errorf("key identifier %q, want %q", got.ID, want)
	}
	if got.Export != "InvalidAccessError" {
		t.Errorf("exporting the private key: %s", got.Export)
	}
}

func TestSigningInSignsTheNonceUnderItsOwnHeading(t *testing.T) {
	t.Parallel()
	nonce := []byte("0123456789abcdef0123456789abcdef")
	page := SignInPage{PublicPage: publicPage(t, i18n.For(i18n.EN), "Sign in", "/sign-in"), Challenge: "c1", Nonce: base64.StdEncoding.EncodeToString(nonce)}
	page.Signs = true
	sent := make(chan map[string]string, 1)
	mux := http.NewServeMux()
	mux.Handle("GET "+static.Prefix, static.Handler())
	mux.HandleFunc("GET /sign-in", func(w http.ResponseWriter, r *http.Request) { _ = signInView(page).Render(r.Context(), w) })
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		sent <- map[string]string{"challenge": r.FormValue("challenge"), "signature": r.FormValue("signature"), "key": r.FormValue("key")}
		_, _ = io.WriteString(w, `<p id="in">in</p>`)
	})
	h, err := Secure("", mux)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)

	ctx := browsertest.Open(t, browsertest.View{}).Context
	var public string
	err = chromedp.Run(ctx,
		chromedp.Navigate(at(s)+"/sign-in"),
		chromedp.WaitVisible("[data-no-key]"), // and nothing to sign with
		chromedp.Evaluate(`import("/static/js/sign.js").then((m) => m.makeKey("Ratna S.")).then((k) => k.public)`, &public,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
		chromedp.Reload(),
		chromedp.WaitNotVisible("[data-no-key]"),
		chromedp.Click(`form[data-sign] button[type="submit"]`),
		chromedp.WaitVisible("#in"),
	)
	if err != nil {
		t.Fatal(err)
	}
	form := <-sent
	key, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(form["signature"])
	digest := sha256.Sum256(append([]byte("tangkal/sign-in/v1\n"), nonce...))
	if err != nil || !ed25519.Verify(key, digest[:], signature) {
		t.Errorf("the signature %q is not over the nonce", form["signature"])
	}
	if sum := sha256.Sum256(key); form["key"] != hex.EncodeToString(sum[:8]) || form["challenge"] != "c1" {
		t.Errorf("sent %v", form)
	}
}
