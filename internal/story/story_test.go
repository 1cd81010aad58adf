// Package story_test clicks through the whole exchange as its people do, in a
// real browser, and looks at every page.
package story_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// A telling is one way that the story goes.
type telling struct {
	lang, link, agency         string
	order, dark                bool // an order, or else a referral
	analyst, approver, officer string
}

// TestTheWholeStoryIsClicked goes from a report on a phone to the platform's
// answer on the reporter's receipt: an order by an
// agency and an authority, and a referral by one organisation that holds both
// roles.
func TestTheWholeStoryIsClicked(t *testing.T) {
	for name, s := range map[string]telling{
		"agency and authority": {lang: "id", analyst: "analyst", approver: "approver", officer: "officer", link: "https://ruangsuara.example/v/84qe-90t", agency: "tangkal-daring", order: true},
		"one organisation":     {lang: "en", dark: true, analyst: "same-analyst", approver: "same-approver", officer: "same-officer", link: "https://ruangsuara.example/v/77aa-1", agency: "meridia-cyber"},
	} {
		t.Run(name, func(t *testing.T) {
			x := exchangetest.Start(t)
			before := figures(t, x)
			reporter := browsertest.Open(t, browsertest.View{Phone: true, Dark: s.dark, Lang: s.lang})
			code := s.report(t, x, reporter)
			s.assess(t, x)
			s.sign(t, x, s.approver, "approve")
			s.sign(t, x, s.officer, "issue")
			s.answer(t, x)
			s.follow(t, x, reporter, code)
			if after := figures(t, x); after == before {
				t.Errorf("the public figures did not change: %s", after)
			}
		})
	}
}

var codeForm = regexp.MustCompile(`TGK(-[0-9A-HJKMNP-TV-Z]{4}){4}`)

// figures are the public figures as a stranger downloads them.
func figures(t *testing.T, x *exchangetest.Exchange) string {
	t.Helper()
	// The page may be as old as its short cache: wait for a newer one.
	resp, err := http.Get(x.URL + "/figures.csv") //nolint:noctx // a stranger's plain request
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("figures: %s, %v", resp.Status, err)
	}
	return string(b)
}

// report sends a link and a picture from a phone, and returns the receipt.
func (s telling) report(t *testing.T, x *exchangetest.Exchange, p *browsertest.Page) string {
	t.Helper()
	p.Go(x.URL + "/report")
	axetest.Check(t, p.Context, "")
	p.Run(
		chromedp.SendKeys("#url", s.link, chromedp.ByQuery),
		chromedp.Click(`input[name="category"][value="recruitment"]`, chromedp.ByQuery),
		chromedp.SetUploadFiles("#files", []string{p.File("tangkapan.png", picture(t))}, chromedp.ByQuery),
		chromedp.Evaluate(`{const a = document.querySelector('[name="agency"]'); if (a) a.value = "`+s.agency+`"}`, nil),
		chromedp.Click(`#report button[type="submit"]`, chromedp.ByQuery), shown("#done"),
	)
	axetest.Check(t, p.Context, "")
	code := codeForm.FindString(strings.ReplaceAll(p.Text("main"), "\n", ""))
	if code == "" {
		t.Fatalf("no receipt on the page: %s", p.Text("main"))
	}
	return code
}

// desk opens a page for a member of the cast, signed in.
func (s telling) desk(t *testing.T, x *exchangetest.Exchange, who string) *browsertest.Page {
	t.Helper()
	p := browsertest.Open(t, browsertest.View{Dark: s.dark, Lang: s.lang})
	p.Bring(x.As(t, who).Browser.Jar, x.URL)
	// The people of the cast read Indonesian; this one asks for another language.
	p.Run(network.SetCookie("lang", s.lang).WithURL(x.URL))
	t.Cleanup(func() {
		if said := p.Complaints(); len(said) > 0 {
			t.Errorf("%s's pages complained: %q", who, said)
		}
	})
	return p
}

// until waits for an expression to become true. A page that goes away while it
// is asked is asked again: the expression is about the one that comes.
func until(expression string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			yes := false
			if err := chromedp.Evaluate("Boolean("+expression+")", &yes).Do(ctx); err == nil && yes {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("until %s: %w", expression, ctx.Err())
			case <-tick.C:
			}
		}
	})
}

// loaded waits until the page's scripts listen.
var loaded = until(`document.readyState === "complete" && document.documentElement.classList.contains("js") && window.htmx !== undefined`)

// shown waits for an element of the page that comes.
func shown(selector string) chromedp.Action {
	return until("[...document.querySelectorAll(`" + selector + "`)].some((e) => e.checkVisibility())")
}

// step runs actions within half a minute and says where it was otherwise.
func step(t *testing.T, p *browsertest.Page, name string, actions ...chromedp.Action) {
	t.Helper()
	within, cancel := context.WithTimeout(p.Context, 45*time.Second)
	defer cancel()
	if err := chromedp.Run(within, actions...); err != nil {
		var at string
		_ = chromedp.Run(p.Context, chromedp.Location(&at))
		var wrong string
		_ = chromedp.Run(p.Context, chromedp.Evaluate(`[...document.querySelectorAll(".err-box, [role=alert], .err-txt")].map((e) => e.innerText).join(" | ")`, &wrong))
		t.Fatalf("%s: %v at %s; it complains %q; the page says: %.600s", name, err, at, wrong, strings.Join(strings.Fields(p.Text("main")), " "))
	}
}

// key presses one key, with modifiers.
func key(k string, mods ...input.Modifier) chromedp.Action {
	return chromedp.KeyEvent(k, chromedp.KeyModifiers(mods...))
}

// digit presses a digit by its place on the keyboard.
func digit(d string, mods ...input.Modifier) chromedp.Action {
	var all input.Modifier
	for _, m := range mods {
		all |= m
	}
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for _, kind := range []input.KeyType{input.KeyRawDown, input.KeyUp} {
			if err := input.DispatchKeyEvent(kind).WithKey(d).WithCode("Digit" + d).WithModifiers(all).Do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

var leave = chromedp.Evaluate(`document.activeElement.blur()`, nil)

func fill(selector, value string) chromedp.Action {
	return chromedp.Tasks{chromedp.Focus(selector, chromedp.ByQuery), chromedp.KeyEvent(value)}
}

// assess takes the case, adds evidence, answers every question and proposes a
// notice, by keyboard alone (the system's own file dialog aside).
func (s telling) assess(t *testing.T, x *exchangetest.Exchange) {
	t.Helper()
	p := s.desk(t, x, s.analyst)
	step(t, p, "open the queue", chromedp.Navigate(x.URL+"/triage"), shown("[data-list-item]"), loaded)
	axetest.Check(t, p.Context, "")
	step(t, p, "open the case", key("j"), key(kb.Enter), until(`location.pathname.startsWith("/cases/")`), loaded)
	step(t, p, "take it", key("t"), until(`location.search.includes("said=taken")`), loaded)
	step(t, p, "add evidence", chromedp.Evaluate(`document.getElementById("panel-evidence-tab").focus()`, nil), key(kb.Enter),
		chromedp.SetUploadFiles("#files", []string{p.File("bingkai.png", picture(t))}, chromedp.ByQuery), chromedp.Focus("#files", chromedp.ByQuery),
		key(kb.Tab), key(kb.Enter), until(`location.search.includes("said=captured")`), loaded)
	axetest.Check(t, p.Context, "")
	keys := []chromedp.Action{digit("3"), key(kb.Tab), chromedp.KeyEvent("Ajakan pada menit 00.37."), leave}
	for _, k := range []string{"1", "2", "4", "5"} {
		keys = append(keys, digit(k), digit(k))
	}
	for _, k := range []string{"6", "7", "8", "9", "0"} {
		keys = append(keys, digit(k), digit(k), digit(k, input.ModifierAlt), digit(k, input.ModifierAlt))
	}
	step(t, p, "answer grounds and purposes", keys...)
	measure := key("r")
	if s.order {
		measure = chromedp.Tasks{key("o"), digit("1", input.ModifierShift)}
	}
	none := map[string]string{"id": "tidak", "en": "none"}[s.lang]
	step(t, p, "write the rest",
		fill(`[name="purpose-why"]`, "Tidak ada tanda tujuan lain."), leave,
		key("p"), chromedp.Focus(`input[name="function"]`, chromedp.ByQuery), key(" "), fill("#tier", "pro"), fill("#listed", none),
		chromedp.Focus(`[name="lighter"][value="tried"]`, chromedp.ByQuery), key(" "), fill(`[name="tried"]`, "Rujukan"), fill(`[name="outcome"]`, "Tanpa jawaban"),
		chromedp.Focus(`[name="scope"][value="own"]`, chromedp.ByQuery), key(" "), leave,
		measure, key("w"), chromedp.KeyEvent("Mengajak ikut kelompok rekaan."), leave,
		until(`document.getElementById("assess-count").textContent.trim() === "23 / 23"`))
	step(t, p, "send", key("w"), key(kb.Enter, input.ModifierCtrl), shown("#sign-form"), loaded)
	axetest.Check(t, p.Context, "")
	step(t, p, "sign with a new key of this browser", key(kb.Enter, input.ModifierCtrl), until(`location.pathname === "/triage" && location.search.includes("said=proposed")`))
}

// sign approves or issues what waits for a person, with a key made on the spot.
func (s telling) sign(t *testing.T, x *exchangetest.Exchange, who, act string) {
	t.Helper()
	p := s.desk(t, x, who)
	form := `form[action$="/` + act + `"][data-sign]`
	step(t, p, act+": open", chromedp.Navigate(x.URL+"/approvals"), shown(form), loaded)
	axetest.Check(t, p.Context, "")
	// The same keys first open what was not read yet.
	step(t, p, act+": read", key(kb.Enter, input.ModifierCtrl, input.ModifierShift), until(`location.search.includes("open=1")`), shown(form), loaded)
	step(t, p, act+": sign", key(kb.Enter, input.ModifierCtrl, input.ModifierShift), until(`!document.querySelector('`+form+`')`), loaded)
	axetest.Check(t, p.Context, "")
}

// answer receives the notice and answers it from the platform's inbox.
func (s telling) answer(t *testing.T, x *exchangetest.Exchange) {
	t.Helper()
	var n notice.Row
	eventually(t, "the notice is sent", func() bool {
		rows, _, err := x.App.Notice.Inbox(t.Context(), x.As(t, "platform").Actor, notice.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 1 {
			n = rows[0]
		}
		return len(rows) == 1
	})
	p := s.desk(t, x, "platform")
	receive := `form[action$="/receive"][data-sign]`
	step(t, p, "open the inbox", chromedp.Navigate(x.URL+"/inbox/"+string(n.ID)), shown(receive), loaded)
	axetest.Check(t, p.Context, "")
	step(t, p, "acknowledge receipt", chromedp.Click(receive+` button[type="submit"]`, chromedp.ByQuery), shown("#answers"), loaded)
	step(t, p, "answer", chromedp.Click(`#answers input[value="removed"]`, chromedp.ByQuery),
		chromedp.Click(`#answers input[name="basis"]`, chromedp.ByQuery), leave, key(kb.Enter, input.ModifierCtrl),
		until(`!document.querySelector('#answers input[value="removed"]:checked')`), loaded)
	axetest.Check(t, p.Context, "")
	eventually(t, "the answer is there", func() bool {
		v, err := x.App.Notice.Get(t.Context(), x.As(t, s.officer).Actor, n.ID)
		return err == nil && len(v.Items) == 1 && v.Items[0].State != notice.Pending
	})
}

// follow looks at the receipt again and finds what the platform did.
func (s telling) follow(t *testing.T, x *exchangetest.Exchange, p *browsertest.Page, code string) {
	t.Helper()
	want := map[string]string{"id": "Ruangsuara", "en": "Ruangsuara"}[s.lang]
	p.Go(x.URL + "/receipt")
	step(t, p, "follow the receipt", chromedp.SendKeys(`main input[name="code"]`, code, chromedp.ByQuery), chromedp.KeyEvent(kb.Enter), shown("#messages"))
	axetest.Check(t, p.Context, "")
	text := p.Text("main")
	if !strings.Contains(text, want) || strings.Contains(text, "Analyst") {
		t.Errorf("the receipt says: %s", text)
	}
	if wide := p.Overflow(); wide > 0 {
		t.Errorf("the receipt page is %d px too wide for a phone", wide)
	}
}

// eventually waits for what the sequencer and the dispatcher do by themselves.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}

// picture is a small drawing without meaning.
func picture(t testing.TB) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for y := range 200 {
		for x := range 320 {
			img.Set(x, y, color.RGBA{R: uint8(x * 3 / 4), G: uint8(y), B: uint8((x + y) / 3), A: 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
