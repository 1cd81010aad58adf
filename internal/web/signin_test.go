package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/internal/web/static"
)

func TestSigningInLeadsToNoOtherSite(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/triage": "/triage", "/orders/x?tab=2": "/orders/x?tab=2", "": "", "triage": "", "//elsewhere.example": "", "///elsewhere.example": "",
		"/\\elsewhere.example": "", "\\\\elsewhere.example": "", "https://elsewhere.example/": "", "javascript:alert(1)": "", "/\t/elsewhere.example": "",
		"/a\r\nSet-Cookie: x=1": "", "/sign-in?next=/triage": "", "/sign-out": "", "http:elsewhere.example": "", "/events": "",
	} {
		if got := ownPath(next); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
	}
}

// TestOnePressSignsInADemonstration: whoever took a chair with one click has no
// key in this browser; the first signature makes and enrols one.
func TestOnePressSignsInADemonstration(t *testing.T) {
	t.Parallel()
	for name, demo := range map[string]bool{"demonstration": true, "elsewhere": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := i18n.For(i18n.EN)
			c := components.ConsolePage{
				Page: components.Page{P: p, Title: "Sign", Path: "/", Now: reported}, Demo: demo,
				Person: components.Person{Name: "Sari W.", Initials: "SW", SignOut: "/out"}, Crumbs: []components.Crumb{{Label: "Sign"}},
			}
			sign := components.SignForm{Digest: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", Enrol: "/profile/keys", Label: "Sari W."}
			body := templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
				if _, err := io.WriteString(w, `<h1>Sign</h1><form id="act" method="post" action="/approve" data-sign="act" data-keys="" data-enrol="/profile/keys" data-label="Sari W.">`); err != nil {
					return err
				}
				if err := components.SignFields(p, sign).Render(ctx, w); err != nil {
					return err
				}
				_, err := io.WriteString(w, `<button type="submit" id="go">Approve</button></form>`)
				return err
			})
			enrolled := make(chan string, 2)
			mux := http.NewServeMux()
			mux.Handle("GET "+static.Prefix, static.Handler())
			mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
				_ = components.Console(c).Render(templ.WithChildren(r.Context(), body), w)
			})
			mux.HandleFunc("POST /profile/keys", func(w http.ResponseWriter, r *http.Request) {
				enrolled <- r.FormValue("public")
				w.WriteHeader(http.StatusNoContent)
			})
			mux.HandleFunc("POST /approve", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, `<p id="signed">`+r.FormValue("key")+" "+r.FormValue("signature")+`</p>`)
			})
			h, err := Secure("", mux)
			if err != nil {
				t.Fatal(err)
			}
			s := httptest.NewServer(h)
			t.Cleanup(s.Close)
			b := browsertest.Open(t, browsertest.View{Lang: "en"})
			b.Go(at(s))
			b.Run(chromedp.WaitReady("html.js", chromedp.ByQuery), chromedp.Poll(`document.querySelector("#go").closest("form") && window.htmx`, nil), chromedp.Click("#go", chromedp.ByQuery))
			if !demo { // a person is asked first
				b.Run(chromedp.WaitVisible("[data-make-key]", chromedp.ByQuery), chromedp.Click("[data-make-key]", chromedp.ByQuery))
			}
			b.Run(chromedp.WaitVisible("#signed", chromedp.ByQuery))
			if len(enrolled) != 1 || len(b.Text("#signed")) < 16+1+88 {
				t.Errorf("%d keys enrolled, signed %q", len(enrolled), b.Text("#signed"))
			}
		})
	}
}
