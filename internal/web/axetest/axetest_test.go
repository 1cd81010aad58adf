package axetest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// The policy of our pages must not keep the check out.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; require-trusted-types-for 'script'; trusted-types tangkal")
		_, _ = w.Write([]byte(`<!doctype html><title>x</title><main><h1>x</h1><img src="a.png"><p style="color:#aaa">pale</p><input name="q"></main>`))
	}))
	t.Cleanup(s.Close)
	p := browsertest.Open(t, browsertest.View{})
	p.Run(chromedp.Navigate(s.URL))
	found, err := axetest.Find(p.Context)
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range found {
		rules = append(rules, f.Rule)
	}
	for _, want := range []string{"html-has-lang", "image-alt", "label"} {
		if !slices.Contains(rules, want) {
			t.Errorf("found %q, want %q among them", rules, want)
		}
	}
}

func TestWhatIsRightPasses(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<!doctype html><html lang="id"><title>Halaman</title><main><h1>Halaman</h1><label>Cari <input name="q"></label></main></html>`))
	}))
	t.Cleanup(s.Close)
	axetest.Check(t, browsertest.Open(t, browsertest.View{Phone: true, Dark: true}).Context, s.URL)
}

func TestTheListOfLicencesNamesTheFileWeHave(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/LICENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(script); !strings.Contains(string(list), hex.EncodeToString(sum[:])) {
		t.Errorf("LICENCES.md does not name the sum %x", sum)
	}
}
