package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/notes"
)

// TestAnOfficerSignsInTheBrowser signs with a key that the browser makes on the
// spot, and watches the notice live afterwards.
func TestAnOfficerSignsInTheBrowser(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(1)...)
	h.signs(t, h.analyst, n.ID, "propose")
	h.signs(t, h.approver, n.ID, "approve")

	p := browsertest.Open(t, browsertest.View{})
	p.Bring(h.As(t, h.officer).Browser.Jar, h.URL)
	p.Go(h.URL + "/approvals")
	p.Run(
		chromedp.Poll(`!!window.htmx`, nil), // scripts have started
		chromedp.Click(`aside form[data-sign] button[type="submit"]`, chromedp.ByQuery),
		chromedp.WaitVisible(`[data-toast]`, chromedp.ByQuery), // it has made a key, signed and gone on
	)
	h.until(t, "the dispatch", func() bool { return h.view(t, n.ID).Life == notice.Open })

	p.Go(h.URL + "/orders/" + string(n.ID))
	p.Run(chromedp.WaitVisible(`#talk[data-htmx-powered]`, chromedp.ByQuery))
	h.receives(t, n.ID)
	if err := h.App.Notice.Write(t.Context(), h.platform(t), n.ID, "Kami sedang memeriksa."); err != nil {
		t.Fatal(err)
	}
	p.Run(
		chromedp.Poll(`document.querySelector("#talk").textContent.includes("Kami sedang memeriksa.")`, nil),
		chromedp.Poll(`document.querySelector("#chips").textContent.includes("Diterima platform")`, nil),
	)
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %v", said)
	}
}
