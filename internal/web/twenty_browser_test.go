package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// hands press keys on one page and count them; what is written in words is not
// counted.
type hands struct {
	t    *testing.T
	p    *browsertest.Page
	keys int
}

func (h *hands) press(key string, mods ...input.Modifier) {
	h.t.Helper()
	h.keys++
	if len(key) == 1 && key[0] >= '0' && key[0] <= '9' {
		h.p.Run(digit(key, mods...))
		return
	}
	h.p.Run(press(key, mods...))
}

// tabTo presses Tab until what the selector names has the focus.
func (h *hands) tabTo(selector string) {
	h.t.Helper()
	for range 40 {
		var there bool
		h.p.Run(chromedp.Evaluate(`document.activeElement.matches('`+selector+`')`, &there))
		if there {
			return
		}
		h.press(kb.Tab)
	}
	h.t.Fatalf("forty times Tab did not reach %s", selector)
}

func (h *hands) write(text string) { h.t.Helper(); h.p.Run(chromedp.KeyEvent(text)) }

func (h *hands) wait(question string) { h.t.Helper(); h.p.Run(arrives(question)) }

// next takes the next case of the queue.
func (h *hands) next() {
	h.t.Helper()
	h.press("n")
	h.wait(`location.pathname.startsWith("/cases/")`)
}

// close ends the open case without a notice.
func (h *hands) close() {
	h.t.Helper()
	h.press("x")
	h.press(kb.Tab)
	h.press(kb.ArrowDown)
	h.press(kb.Enter, input.ModifierCtrl)
	h.wait(`location.pathname === "/triage"`)
}

// propose assesses the open case and signs an order or a referral.
func (h *hands) propose(measure string) {
	h.t.Helper()
	h.press("3")
	h.press(kb.Tab)
	h.write("Ajakan pada menit 00.37.")
	h.press(kb.Tab)
	h.press("l")
	h.press("l")
	h.write("Tidak ada tanda tujuan lain.")
	h.press(kb.Tab)
	h.press("p")
	h.tabTo("#tier")
	h.press("p")
	h.press(kb.Tab)
	h.press("t")
	h.tabTo(`[name="function"]`)
	h.press(" ")
	h.tabTo(`[name="lighter"]`)
	h.press(" ")
	h.tabTo(`[name="tried"]`)
	h.write("Rujukan")
	h.press(kb.Tab)
	h.write("Tanpa jawaban")
	h.tabTo(`[name="scope"]`)
	h.press(" ")
	h.press(measure)
	if measure == "o" {
		h.press("2", input.ModifierShift)
	}
	h.press("w")
	h.write("Mengajak ikut kelompok rekaan.")
	h.p.Run(chromedp.Poll(`document.getElementById("assess-count").textContent.trim() === "23 / 23"`, nil))
	h.press(kb.Enter, input.ModifierCtrl)
	h.wait(`document.querySelector("#sign-form") !== null`)
	h.press(kb.Enter, input.ModifierCtrl)
	h.wait(`location.pathname === "/triage" && location.search.includes("said=proposed")`)
}

// TestTwentyCasesTakeFewKeys works a queue of twenty by keyboard alone, as a
// shift is: most reports are closed, some are proposed, some are left to others.
// Every case has its capture already, as fetching one is the machine's work. The
// aim is twelve keys a case, besides words (measured, not guessed; the figure is
// in the log).
func TestTwentyCasesTakeFewKeys(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	for i := range 20 {
		c := d.reported(t, fmt.Sprintf("%s-%d", aPost, i))
		d.post(t, "/cases/"+string(c.ID)+"/take", nil)
		d.uploads(t, "/cases/"+string(c.ID)+"/captures", picture(t, uint8(i)))
		d.post(t, "/cases/"+string(c.ID)+"/release", nil)
	}
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(d.Browser.Jar, d.URL)
	p.Run(chromedp.Navigate(d.URL+"/triage"), arrives("true"))
	h := &hands{t: t, p: p}
	for i := range 20 {
		h.next()
		switch {
		case i%10 == 3:
			h.propose("r")
		case i%10 == 6:
			h.propose("o")
		case i%10 == 8:
			h.press("e") // too heavy: somebody else will
			h.wait(`location.pathname === "/triage" || location.search.includes("said=")`)
		default:
			h.close()
		}
	}
	counts := map[casework.State]int{}
	cases, _, err := x.App.Casework.Queue(t.Context(), d.Actor, casework.Filter{States: casework.States(), Limit: 200})
	must(t, err)
	for _, c := range cases {
		counts[c.State]++
	}
	perCase := float64(h.keys) / 20
	t.Logf("%d keys for 20 cases, %.1f a case; %v", h.keys, perCase, counts)
	if counts[casework.Proposed] != 4 || counts[casework.Closed] != 14 {
		t.Errorf("the cases are %v", counts)
	}
	if perCase > 12 {
		t.Errorf("%.1f keys a case, want 12 at most", perCase)
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}
