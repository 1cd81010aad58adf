package web_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/report"
)

// evidenceLinks are the addresses on the evidence origin that a page names.
func evidenceLinks(t *testing.T, d desk, page answer) []string {
	t.Helper()
	links := regexp.MustCompile(regexp.QuoteMeta(d.Evidence)+`/e/[A-Za-z0-9_.-]+`).FindAllString(page.body, -1)
	if len(links) == 0 {
		t.Fatalf("the page links to no evidence: %s", clip(page.body))
	}
	return links
}

// opens asks the evidence origin with nothing but a link.
func opens(t *testing.T, link, dest string) (*http.Response, []byte) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	origin := u.Host
	u.Host = strings.Replace(u.Host, "evidence.", "", 1) // the name need not resolve here
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = origin
	if dest != "" {
		req.Header.Set("Sec-Fetch-Dest", dest)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// other is s with another letter at place i.
func other(s string, i int) string {
	letter := "A"
	if s[i] == 'A' {
		letter = "B"
	}
	return s[:i] + letter + s[i+1:]
}

func TestEvidenceIsOpenedByAShortLinkAndOnRecord(t *testing.T) {
	t.Parallel()
	d := at(t, exchangetest.Start(t), "analyst")
	shot := picture(t)
	c := d.reported(t, aPost, report.Upload{Name: "catatan.txt", MediaType: "text/plain", Content: strings.NewReader("catatan rekaan")})
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	page := d.uploads(t, path+"/captures", shot)
	page.want(t, http.StatusOK, `<img class="media`)
	d.post(t, path+"/release?lang=en", nil).want(t, http.StatusOK, "Load the picture, still hidden").not(t, `<img class="media`)

	seen := map[string]bool{}
	for _, link := range evidenceLinks(t, d, page) {
		resp, body := opens(t, link, "image") //nolint:bodyclose // the test is over with it
		kind := resp.Header.Get("Content-Type")
		seen[kind] = true
		for name, want := range map[string]string{
			"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
			"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "no-store", "Set-Cookie": "",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		switch attached := strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment"); {
		case kind == "image/png" && (attached || !bytes.Equal(body, shot)):
			t.Errorf("the picture came as attachment %v, %d bytes of %d", attached, len(body), len(shot))
		case kind != "image/png" && (!attached || string(body) != "catatan rekaan"):
			t.Errorf("the note came as attachment %v: %q", attached, body)
		}
		if alone, _ := opens(t, link, "document"); !strings.HasPrefix(alone.Header.Get("Content-Disposition"), "attachment") {
			t.Error("a picture opened by itself stands there unblurred")
		}
		for _, forged := range []string{link[:len(link)-1], other(link, len(link)-8), other(link, len(link)-40), other(link, strings.Index(link, "/e/")+12)} {
			if resp, _ := opens(t, forged, ""); resp.StatusCode != http.StatusNotFound {
				t.Errorf("a forged link answers %s", resp.Status)
			}
		}
		// The console's own origin, where cookies and scripts live, opens none.
		if console, body := opens(t, strings.Replace(link, d.Evidence, d.URL, 1), "image"); console.StatusCode != http.StatusNotFound || bytes.Equal(body, shot) {
			t.Errorf("on the console's origin the link answers %s", console.Status)
		}
	}
	if !seen["image/png"] || !seen["application/octet-stream"] {
		t.Errorf("kinds opened: %v", seen)
	}
	v, err := d.App.Casework.Get(t.Context(), d.Actor, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	for _, e := range v.Timeline {
		if e.Kind == "case.evidence-opened" && e.Person == string(d.Actor.Person) {
			opened++
		}
	}
	if opened == 0 {
		t.Error("no opening is on record")
	}
}

func TestAnEvidenceLinkEnds(t *testing.T) {
	t.Parallel()
	at0 := time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC)
	c := clock.NewManual(at0)
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/t.db", c)
	d := at(t, x, "analyst")
	cs := d.reported(t, aPost)
	path := "/cases/" + string(cs.ID)
	d.post(t, path+"/take", nil)
	link := evidenceLinks(t, d, d.uploads(t, path+"/captures", picture(t)))[0]
	if resp, _ := opens(t, link, ""); resp.StatusCode != http.StatusOK {
		t.Fatalf("a fresh link answers %s", resp.Status)
	}
	c.Advance(5 * time.Minute)
	resp, body := opens(t, link, "")
	if resp.StatusCode != http.StatusNotFound || string(body) != "404\n" {
		t.Errorf("after five minutes: %s %q", resp.Status, body)
	}
	for _, path := range []string{"/", "/triage", "/e/", "/e/x", "/e/x.y", "/static/tangkal.css"} {
		if resp, _ := opens(t, d.Evidence+path, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the evidence origin answers %s", path, resp.Status)
		}
	}
}
