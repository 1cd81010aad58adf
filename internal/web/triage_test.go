package web_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

// desk is a running server and one person at it.
type desk struct {
	*exchangetest.Exchange
	*exchangetest.Person
	name string
}

func at(t *testing.T, x *exchangetest.Exchange, name string) desk {
	t.Helper()
	return desk{x, x.As(t, name), name}
}

// answer is what the server said, with its markup held to the rules of pages.
type answer struct {
	status int
	url    *url.URL
	body   string
}

func (d desk) read(t *testing.T, resp *http.Response, err error) answer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Request.URL, string(raw)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		pagetest.Check(t, d.name+" "+resp.Request.Method+" "+a.url.Path, a.body)
		for _, missing := range missingText.FindAllString(visible(t, a.body), -1) {
			t.Errorf("%s %s: no catalogue text for %q", d.name, a.url, missing)
		}
	}
	return a
}

// missingText is a key of these pages that had no text.
var missingText = regexp.MustCompile(`\btriage\.[a-z][a-z.-]*[a-z]\b|%!|<no value>`)

// visible is what a page says.
func visible(t *testing.T, body string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	return b.String()
}

func (d desk) get(t *testing.T, path string) answer {
	t.Helper()
	resp, err := d.Browser.Get(d.URL + path)
	return d.read(t, resp, err)
}

func (d desk) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	resp, err := d.Browser.PostForm(d.URL+path, form)
	return d.read(t, resp, err)
}

// want fails the test unless the page has the status and says every text.
func (a answer) want(t *testing.T, status int, texts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s answered %d, want %d: %s", a.url, a.status, status, clip(a.body))
	}
	said := strings.Join(strings.Fields(visible(t, a.body)), " ")
	for _, text := range texts {
		if !strings.Contains(said, text) && !strings.Contains(a.body, text) {
			t.Errorf("%s does not say %q: %s", a.url, text, clip(said))
		}
	}
	return a
}

func (a answer) not(t *testing.T, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s says %q", a.url, text)
		}
	}
	return a
}

func clip(s string) string {
	if len(s) > 1500 {
		return s[:1500] + "…"
	}
	return s
}

// reported submits a report about a link and waits for its case.
func (d desk) reported(t *testing.T, link string, files ...report.Upload) casework.Case {
	t.Helper()
	wake, stop := d.App.Feed.Sequenced().Listen()
	defer stop()
	r, err := d.App.Report.Submit(t.Context(), report.Submission{
		Channel: report.Web, Locations: []string{link}, Category: report.Recruitment, Description: "Ajakan rekaan, lihat https://lain.example/ajakan", Lang: "id", Files: files,
	})
	if err != nil {
		t.Fatal(err)
	}
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for {
		cases, err := d.App.Casework.OfReport(t.Context(), d.As(t, "analyst").Actor, r.ReportID)
		if err != nil {
			t.Fatal(err)
		}
		if len(cases) > 0 {
			return cases[0]
		}
		select {
		case <-wake:
		case <-late.C:
			t.Fatal("no case was opened")
		}
	}
}

// picture is a synthetic one; those with another tint are others.
func picture(t *testing.T, tint ...uint8) []byte {
	t.Helper()
	blue := append(tint, 90)[0]
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for x := range 64 {
		for y := range 48 {
			img.Set(x, y, color.RGBA{uint8(4 * x), uint8(5 * y), blue, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// uploads sends files as the form does.
func (d desk) uploads(t *testing.T, path string, content []byte) answer {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("location", ""); err != nil {
		t.Fatal(err)
	}
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="files"; filename="bingkai.png"`}, "Content-Type": {"image/png"}}
	part, err := w.CreatePart(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := d.Browser.Post(d.URL+path, w.FormDataContentType(), &b)
	return d.read(t, resp, err)
}

// complete is a form that leaves nothing open.
func complete(measure string) url.Values {
	f := url.Values{
		"base": {"0"}, "public": {"yes"}, "tier": {"promotional"}, "listed": {"none"}, "function": {"recruitment"}, "lighter": {"tried"}, "tried": {"Rujukan"},
		"outcome": {"Tanpa jawaban"}, "scope": {"own"}, "reasons": {"Mengajak ikut kelompok rekaan."}, "measure": {measure}, "deadline": {"240"},
		"purpose-why": {"Tidak ada tanda tujuan lain."}, "g-solicit-group": {"yes"}, "g-why-solicit-group": {"Ajakan pada menit 00.37."},
	}
	for _, g := range []string{"incite", "solicit-offence", "instruct", "threaten"} {
		f.Set("g-"+g, "no")
	}
	for _, p := range []string{"journalism", "education", "research", "art", "counter-speech"} {
		f.Set("c-"+p, "no")
		f.Set("p-"+p, "no")
	}
	return f
}

func with(f url.Values, kv ...string) url.Values {
	for i := 0; i < len(kv); i += 2 {
		f.Set(kv[i], kv[i+1])
	}
	return f
}

const aPost = "https://ruangsuara.example/v/84qe-90t"

func TestAnEmptyQueueIsGoodNews(t *testing.T) {
	t.Parallel()
	d := at(t, exchangetest.Start(t), "analyst")
	d.get(t, "/triage?lang=id").want(t, http.StatusOK, "Antrean kosong. Istirahatlah.")
	d.get(t, "/triage?lang=en").want(t, http.StatusOK, "The queue is empty. Take a rest.")
	d.get(t, "/triage?lang=en&platform=ruangsuara").want(t, http.StatusOK, "Nothing matches")
	d.post(t, "/break", nil).want(t, http.StatusOK)
	d.get(t, "/break?lang=id").want(t, http.StatusOK, "Selamat beristirahat")
}

func TestTheDeskBelongsToThoseWhoDecideOnCases(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	c := at(t, x, "analyst").reported(t, aPost)
	for _, name := range []string{"platform", "agency-admin"} {
		at(t, x, name).get(t, "/triage").want(t, http.StatusNotFound)
		at(t, x, name).get(t, "/cases/"+string(c.ID)).want(t, http.StatusNotFound)
	}
	for _, name := range []string{"same-analyst", "officer"} {
		at(t, x, name).get(t, "/cases/"+string(c.ID)).want(t, http.StatusNotFound)
		at(t, x, name).post(t, "/cases/"+string(c.ID)+"/take", nil).want(t, http.StatusNotFound)
	}
	at(t, x, "reviewer").get(t, "/cases/"+string(c.ID)).want(t, http.StatusOK, c.Ref).not(t, `action="/cases/`+string(c.ID)+`/take`)
}

func TestACaseIsShownWithoutALinkThatWorks(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"id", "en"} {
		d := at(t, exchangetest.Start(t), "analyst")
		c := d.reported(t, aPost)
		page := d.get(t, "/triage?lang="+lang).want(t, http.StatusOK, c.Ref, "hxxps://ruangsuara[.]example/v/84qe-90t", "hxxps://lain[.]example/ajakan")
		page.not(t, "https://ruangsuara.example", "https://lain.example")
		d.get(t, "/cases/"+c.Ref).want(t, http.StatusOK, c.Ref)
		d.get(t, "/triage?queue=public&lang="+lang).want(t, http.StatusOK, c.Ref)
		d.get(t, "/triage?bulk=1&lang="+lang).want(t, http.StatusOK, c.Ref)
		d.get(t, "/triage?state=closed&lang="+lang).want(t, http.StatusOK).not(t, c.Ref)
	}
}
