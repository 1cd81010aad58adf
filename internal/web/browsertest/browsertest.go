// Package browsertest opens pages in a real Chromium, as people do: on a desk
// or a phone, light or dark, with scripts or without.
//
// One browser serves a whole test binary; each page has cookies and storage of
// its own. The binary's TestMain must be [Main], which ends the browser.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/needtest"
)

// runFor bounds one Run. Machines that run everything at once are slow; a page
// that never answers is a fault. How many Runs a page has is the test's affair.
const runFor = 3 * time.Minute

// A View is how a person looks at pages. The zero value is a desk of 1440 by
// 960 in light colours, in Indonesian, with scripts.
type View struct {
	Phone    bool // 390 by 844 with touch
	Dark     bool // the device prefers dark colours
	NoScript bool
	Lang     string // Accept-Language; "" is Indonesian
	Width    int    // CSS pixels, where neither desk nor phone will do; 0 is the view's own
}

// size returns the width and height of the window in CSS pixels.
func (v View) size() (width, height int64) {
	width, height = 1440, 960
	if v.Phone {
		width, height = 390, 844
	}
	if v.Width > 0 {
		width = int64(v.Width)
	}
	return width, height
}

// A Page is a tab without a past: no cookies, no storage, no cache. Its
// context is what chromedp takes.
type Page struct {
	Context context.Context //nolint:containedctx // chromedp keeps the tab in it
	t       testing.TB

	mu   sync.Mutex
	said []string // guarded by mu: what the page's console called wrong
}

// Open opens a page. It skips the test with the reason where the machine has
// no Chromium, and fails it there under CI.
func Open(t testing.TB, v View) *Page {
	t.Helper()
	shared.mu.Lock()
	browser, err := shared.start()
	shared.mu.Unlock()
	if errors.Is(err, errNoChromium) {
		needtest.Missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	tab, forget, err := newTab(browser)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forget)
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithTargetID(tab))
	t.Cleanup(closeTab)
	p := &Page{Context: ctx, t: t}
	chromedp.ListenTarget(ctx, p.hear)
	// The first Run attaches the tab for as long as its context lives.
	late := time.AfterFunc(runFor, closeTab)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("attach a tab: %v", err)
	}
	late.Stop()
	p.Run(p.dress(v)...)
	return p
}

// dress makes the tab what v says.
func (p *Page) dress(v View) []chromedp.Action {
	width, height := v.size()
	lang := v.Lang
	if lang == "" {
		lang = "id"
	}
	colours := "light"
	if v.Dark {
		colours = "dark"
	}
	return []chromedp.Action{
		emulation.SetDeviceMetricsOverride(width, height, 1, v.Phone),
		emulation.SetTouchEmulationEnabled(v.Phone),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: colours}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}),
		emulation.SetScriptExecutionDisabled(v.NoScript),
		network.SetExtraHTTPHeaders(network.Headers{"Accept-Language": lang}),
		log.Enable(),
	}
}

// hear keeps what the page calls wrong: exceptions, errors written to its
// console, and what the browser itself refuses, such as code that the content
// security policy forbids.
func (p *Page) hear(event any) {
	said := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError && len(e.Args) > 0 {
			said = string(e.Args[0].Value) + e.Args[0].Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork {
			said = e.Entry.Text
		}
	}
	if said == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, said)
}

// Complaints returns what the page called wrong so far. Answers with an error
// status are not among them: a page of errors is a page.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.said...)
}

// Run runs actions and stops the test when one fails, saying where the page
// was and what it complained of.
func (p *Page) Run(actions ...chromedp.Action) {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.Context, runFor)
	defer stop()
	if err := chromedp.Run(ctx, steady(actions)); err != nil {
		var at string
		ctx, stop := context.WithTimeout(p.Context, 10*time.Second)
		defer stop()
		_ = chromedp.Run(ctx, chromedp.Location(&at)) // the first error says more
		p.t.Fatalf("%v, at %q; the page said %q", err, at, p.Complaints())
	}
}

// steady runs actions one after another, and one again whose element was
// replaced between being found and being used: a page that follows the events
// stream redraws parts of itself at any moment. A Poll goes on for as long as a
// Run may take, not only for chromedp's half minute.
func steady(actions []chromedp.Action) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for _, a := range actions {
			if inner, ok := a.(chromedp.Tasks); ok {
				a = steady(inner)
			}
			err := a.Do(ctx)
			for err != nil && ctx.Err() == nil && (errors.Is(err, chromedp.ErrPollingTimeout) || strings.Contains(err.Error(), "node with given id")) {
				err = a.Do(ctx)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Go opens address and waits until it has loaded.
func (p *Page) Go(address string) {
	p.t.Helper()
	p.Run(chromedp.Navigate(address))
}

// Text returns the visible text of what the CSS selector finds first.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	var text string
	p.Run(chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

// File writes content under name to where the browser may read it, and returns
// the path, for chromedp.SetUploadFiles.
func (p *Page) File(name string, content []byte) string {
	p.t.Helper()
	shared.mu.Lock()
	profile := shared.profile
	shared.mu.Unlock()
	dir, err := os.MkdirTemp(profile, "files-")
	if err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // another account reads it
		p.t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another account reads it
		p.t.Fatal(err)
	}
	return path
}

// Bring gives the page the cookies that jar holds for address: a session that
// a test opened without the browser.
func (p *Page) Bring(jar http.CookieJar, address string) {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range jar.Cookies(u) {
		p.Run(network.SetCookie(c.Name, c.Value).WithURL(address).WithHTTPOnly(true).WithSameSite(network.CookieSameSiteLax))
	}
}

// An Authenticator is one that the browser itself simulates, with a person who
// always touches and verifies: the built-in one of a laptop or phone.
type Authenticator struct {
	page *Page
	id   webauthn.AuthenticatorID
}

// Authenticator gives the page's device an authenticator for passkeys.
func (p *Page) Authenticator() Authenticator {
	p.t.Helper()
	a := Authenticator{page: p}
	p.Run(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		a.id, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
	return a
}

// Verifies sets whether the person passes the authenticator's verification.
func (a Authenticator) Verifies(yes bool) {
	a.page.t.Helper()
	a.page.Run(webauthn.SetUserVerified(a.id, yes))
}

// Passkeys returns how many discoverable credentials the authenticator holds
// for each relying party.
func (a Authenticator) Passkeys() map[string]int {
	a.page.t.Helper()
	held := map[string]int{}
	a.page.Run(chromedp.ActionFunc(func(ctx context.Context) error {
		all, err := webauthn.GetCredentials(a.id).Do(ctx)
		for _, c := range all {
			if c.IsResidentCredential {
				held[c.RpID]++
			}
		}
		return err
	}))
	return held
}

// Cookies returns every cookie the page's browser holds, as name=value.
func (p *Page) Cookies() []string {
	p.t.Helper()
	var out []string
	p.Run(chromedp.ActionFunc(func(ctx context.Context) error {
		held, err := network.GetCookies().Do(ctx)
		for _, c := range held {
			out = append(out, c.Name+"="+c.Value)
		}
		return err
	}))
	return out
}

// Shot pictures the whole page as name.png in the directory that the
// environment variable SHOTS names, to be looked at; without it, it does
// nothing.
func (p *Page) Shot(name string) {
	p.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	p.Run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		_, _, _, _, _, whole, err := page.GetLayoutMetrics().Do(ctx)
		if err != nil {
			return err
		}
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).
			WithClip(&page.Viewport{Width: whole.Width, Height: min(whole.Height, 6000), Scale: 1}).Do(ctx)
		return err
	}))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Main runs the tests of a binary and then ends the browser they shared:
//
//	func TestMain(m *testing.M) { browsertest.Main(m) }
func Main(m *testing.M) {
	shared.mu.Lock()
	shared.ends = true
	shared.mu.Unlock()
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Focused returns the id of the element that has the focus, "" if it has none.
func (p *Page) Focused() string {
	p.t.Helper()
	var id string
	p.Run(chromedp.Evaluate(`document.activeElement?.id ?? ""`, &id))
	return id
}

// Overflow returns how many CSS pixels the page, or what it calls its main part,
// is wider than there is room: one that must be scrolled sideways (WCAG 2.2,
// 1.4.10).
func (p *Page) Overflow() int {
	p.t.Helper()
	var wide int
	p.Run(chromedp.Evaluate(`Math.max(...[document.documentElement, ...document.querySelectorAll("main")].map((e) => e.scrollWidth - e.clientWidth))`, &wide))
	return wide
}

// Count returns how many elements the CSS selector finds.
func (p *Page) Count(selector string) int {
	p.t.Helper()
	var nodes []*cdp.Node
	p.Run(chromedp.Nodes(selector, &nodes, chromedp.ByQueryAll, chromedp.AtLeast(0)))
	return len(nodes)
}

// Has reports whether the page's text holds every one of words.
func (p *Page) Has(words ...string) error {
	text := p.Text("body")
	for _, w := range words {
		if !strings.Contains(text, w) {
			return fmt.Errorf("the page does not say %q; it says:\n%s", w, text)
		}
	}
	return nil
}
