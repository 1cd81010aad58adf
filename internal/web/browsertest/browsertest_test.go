package browsertest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/web/browsertest"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// mirror serves a page that says how it is looked at, and what was sent to it.
func mirror(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `<!doctype html><title>x</title><meta name="viewport" content="width=device-width"><style>
			@media (prefers-color-scheme: dark) { #dark { display: none } } @media (max-width: 400px) { #wide { display: none } }</style>
			<p id="dark">light</p><p id="wide">wide</p><p id="said">%s %s</p><p id="script">off</p>
			<form method="post" enctype="multipart/form-data"><input id="f" type="file" name="f"><button id="go">go</button></form>
			<script>document.getElementById("script").textContent = "on"; console.error("wrong")</script>`, r.Header.Get("Accept-Language"), r.Header.Get("Cookie"))
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		f, h, err := r.FormFile("f")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b, _ := io.ReadAll(f)
		_, _ = fmt.Fprintf(w, `<p id="got">%s %s</p>`, h.Filename, b)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAViewIsWhatItSays(t *testing.T) {
	t.Parallel()
	address := mirror(t)
	for name, c := range map[string]struct {
		view                     browsertest.View
		dark, wide, lang, script string
	}{
		"desk":             {browsertest.View{}, "light", "wide", "id", "on"},
		"phone, dark":      {browsertest.View{Phone: true, Dark: true}, "", "", "id", "on"},
		"no script":        {browsertest.View{NoScript: true, Lang: "en"}, "light", "wide", "en", "off"},
		"phone, no script": {browsertest.View{Phone: true, NoScript: true}, "light", "", "id", "off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := browsertest.Open(t, c.view)
			p.Go(address)
			var body string
			p.Run(chromedp.Text("body", &body, chromedp.ByQuery))
			for _, want := range []struct{ text, gone string }{{c.dark, "light"}, {c.wide, "wide"}} {
				if got := strings.Contains(body, want.gone); got != (want.text != "") {
					t.Errorf("the page says %q: %q seen is %v", body, want.gone, got)
				}
			}
			if got := p.Text("#said") + "," + p.Text("#script"); got != c.lang+","+c.script && got != c.lang+" ,"+c.script {
				t.Errorf("language and script are %q, want %s,%s", got, c.lang, c.script)
			}
			if said := p.Complaints(); (len(said) > 0) != (c.script == "on") {
				t.Errorf("complaints with script %s: %q", c.script, said)
			}
		})
	}
}

func TestAFileGoesUpWithoutScript(t *testing.T) {
	t.Parallel()
	p := browsertest.Open(t, browsertest.View{Phone: true, NoScript: true})
	p.Go(mirror(t))
	p.Run(chromedp.SetUploadFiles("#f", []string{p.File("gambar.txt", []byte("isi"))}, chromedp.ByQuery), chromedp.Click("#go", chromedp.ByQuery), chromedp.WaitVisible("#got", chromedp.ByQuery))
	if got := p.Text("#got"); got != "gambar.txt isi" {
		t.Errorf("the server got %q", got)
	}
}

func TestPagesShareNoCookies(t *testing.T) {
	t.Parallel()
	address := mirror(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: "1"}})
	with, without := browsertest.Open(t, browsertest.View{}), browsertest.Open(t, browsertest.View{})
	with.Bring(jar, address)
	with.Go(address)
	without.Go(address)
	if got := with.Text("#said"); got != "id session=1" {
		t.Errorf("the page with the session says %q", got)
	}
	if got := without.Text("#said"); got != "id" || len(without.Cookies()) != 0 {
		t.Errorf("the page without says %q and holds %q", got, without.Cookies())
	}
}

// Text that is cut off above or below is found, and what is whole, can be
// scrolled to or is shortened by lines is not.
func TestTextThatIsCutOffIsFound(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `<!doctype html><title>x</title><style>
			body { font: 16px/20px sans-serif } .btn { display: inline-flex; align-items: center; width: 90px; background: #fcc }
			.lines { display: -webkit-box; -webkit-line-clamp: 1; -webkit-box-orient: vertical; overflow: hidden; height: 20px; width: 90px } </style>
			<a class="btn" style="height: 24px">too high for its button</a>
			<button style="height: 24px; width: 90px">fits</button>
			<p style="height: 12px; overflow: hidden">half of it</p>
			<p style="height: 12px; overflow: auto" tabindex="0">scrolled to</p>
			<p class="lines">shortened to one line of the text</p>
			<p style="height: 12px; overflow: hidden; visibility: hidden">unseen</p>
			<button style="height: 24px; width: 90px"><b style="position: absolute; width: 1px; height: 1px; overflow: hidden">read <br>aloud <br>alone</b>x</button>
			<details><summary>more</summary><p style="height: 1px; overflow: hidden">closed</p></details>`)
	}))
	t.Cleanup(s.Close)
	p := browsertest.Open(t, browsertest.View{})
	p.Go(s.URL)
	if got := strings.Join(p.Clipped(), ", "); got != "too high for its button, half of it" {
		t.Errorf("cut off are: %s", got)
	}
}
