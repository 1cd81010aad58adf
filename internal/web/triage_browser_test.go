package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// press presses one key, with Ctrl, Alt or Shift.
func press(key string, mods ...input.Modifier) chromedp.Action {
	return chromedp.KeyEvent(key, chromedp.KeyModifiers(mods...))
}

// swift presses keys at the pace of fingers, one right after another, however
// slow the machine is: the page does it itself, in one go. Each key has the
// name that the page reads, a letter as a small one.
func swift(keys ...string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf(`for (const key of %q.split(" ")) {
		const code = key.length === 1 ? "Key" + key.toUpperCase() : key + "Left";
		for (const kind of ["keydown", "keyup"]) document.activeElement.dispatchEvent(new KeyboardEvent(kind, { key, code, bubbles: true, cancelable: true }));
	}`, strings.Join(keys, " ")), nil)
}

// digit presses a digit by its place, as the page reads it.
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

// arrives waits until a page says yes; what it asked on the way to it is asked
// again.
func arrives(question string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			err := chromedp.Poll(question+` && document.readyState === "complete" && document.documentElement.classList.contains("js") && window.htmx !== undefined`, nil).Do(ctx)
			if err == nil || ctx.Err() != nil {
				return err
			}
		}
	})
}

// TestAProposalIsMadeByKeyboardAlone walks from the queue to a signed proposal
// with nothing but keys, in a real browser.
func TestAProposalIsMadeByKeyboardAlone(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	d.reported(t, aPost+"-lain")
	p := browsertest.Open(t, browsertest.View{})
	shot := p.File("bingkai.png", picture(t))
	step := func(name string, actions ...chromedp.Action) {
		t.Helper()
		t.Log(name)
		p.Run(actions...)
	}
	typed := func(text string) chromedp.Action { return chromedp.KeyEvent(text) }
	loaded := arrives("true")

	p.Bring(d.Browser.Jar, d.URL)
	step("open the queue", chromedp.Navigate(d.URL+"/triage?ref="+c.Ref), loaded)
	// J goes to the next case, Enter opens it.
	step("open the case", press("j"), press(kb.Enter), arrives(`location.pathname.startsWith("/cases/")`))
	step("take it", press("t"), arrives(`location.search.includes("said=taken") && document.activeElement.matches("main h1, main h2")`))
	// The evidence is chosen from the form: the file dialog is the system's.
	step("add evidence", chromedp.Evaluate(`document.getElementById("panel-evidence-tab").focus()`, nil), press(kb.Enter),
		chromedp.SetUploadFiles("#files", []string{shot}, chromedp.ByQuery), chromedp.Focus("#files", chromedp.ByQuery),
		press(kb.Tab), press(kb.Enter), arrives(`location.search.includes("said=captured")`))

	// Grounds: 3 is met, with its reason; the others are not.
	keys := []chromedp.Action{digit("3"), press(kb.Tab), typed("Ajakan pada menit 00.37."), chromedp.Evaluate(`document.activeElement.blur()`, nil)}
	for _, k := range []string{"1", "2", "4", "5"} {
		keys = append(keys, digit(k), digit(k))
	}
	for _, k := range []string{"6", "7", "8", "9", "0"} { // true purpose: no; claimed: no
		keys = append(keys, digit(k), digit(k), digit(k, input.ModifierAlt), digit(k, input.ModifierAlt))
	}
	step("answer grounds and purposes", keys...)
	var answers map[string]string
	step("read the answers", chromedp.Evaluate(`Object.fromEntries(new FormData(document.getElementById("assess-form")))`, &answers))
	for name, want := range map[string]string{"g-incite": "no", "g-solicit-group": "yes", "p-art": "no", "c-counter-speech": "no"} {
		if answers[name] != want {
			t.Errorf("%s is %q, want %q", name, answers[name], want)
		}
	}
	fill := func(selector, value string) chromedp.Action {
		return chromedp.Tasks{chromedp.Focus(selector, chromedp.ByQuery), typed(value)}
	}
	step("write the rest",
		fill(`[name="purpose-why"]`, "Tidak ada tanda tujuan lain."), chromedp.Evaluate(`document.activeElement.blur()`, nil),
		press("p"), chromedp.Focus(`[name="function"][value="recruitment"]`, chromedp.ByQuery), press(" "), fill("#tier", "pro"), fill("#listed", "tidak"),
		chromedp.Focus(`[name="lighter"][value="tried"]`, chromedp.ByQuery), press(" "), fill(`[name="tried"]`, "Rujukan"), fill(`[name="outcome"]`, "Tanpa jawaban"),
		chromedp.Focus(`[name="scope"][value="own"]`, chromedp.ByQuery), press(" "), chromedp.Evaluate(`document.activeElement.blur()`, nil),
		press("o"), digit("1", input.ModifierShift), press("w"), typed("Mengajak ikut kelompok rekaan."),
		chromedp.Evaluate(`document.activeElement.blur()`, nil),
		chromedp.Poll(`document.getElementById("assess-count").textContent.trim() === "23 / 23"`, nil))
	step("send", press("w"), press(kb.Enter, input.ModifierCtrl), arrives(`document.querySelector("#sign-form") !== null`))
	// This browser holds no key yet: a demonstration makes one unasked, which the
	// server then knows.
	step("sign", press(kb.Enter, input.ModifierCtrl), arrives(`location.pathname === "/triage" && location.search.includes("said=proposed")`))

	n := d.notice(t, c.ID)
	if n.Life != notice.Proposed || n.DeadlineMinutes != 240 {
		t.Errorf("the notice is %s with %d minutes", n.Life, n.DeadlineMinutes)
	}
	v, err := x.App.Casework.Get(t.Context(), d.Actor, c.ID)
	if err != nil || v.Case.State != casework.Proposed {
		t.Errorf("the case is %s: %v", v.Case.State, err)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}
