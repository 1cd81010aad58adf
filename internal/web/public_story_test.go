package web_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

// stranger is a visitor without a past. Its jar shows what we make it keep.
type stranger struct {
	*http.Client
	t    testing.TB
	base string
}

func visitor(t testing.TB, x *exchangetest.Exchange) stranger {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return stranger{&http.Client{Jar: jar, Timeout: time.Minute}, t, x.URL}
}

// ask sends one request and returns status, header and body; pages must keep
// the rules of pages.
func (v stranger) ask(req *http.Request) (int, http.Header, string) {
	v.t.Helper()
	resp, err := v.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func (v stranger) get(path string) (int, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	status, _, body := v.ask(req)
	return status, body
}

func (v stranger) post(path string, form url.Values) (int, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept-Language", "en")
	status, _, body := v.ask(req)
	return status, body
}

// formFile is a file of a form.
type formFile struct{ name, kind, content string }

// send posts a form with files, texts first, as a browser does.
func (v stranger) send(path string, texts url.Values, files ...formFile) (int, string) {
	v.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, values := range texts {
		for _, value := range values {
			if err := m.WriteField(name, value); err != nil {
				v.t.Fatal(err)
			}
		}
	}
	for _, f := range files {
		p, err := m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q; filename=%q", "files", f.name)}, "Content-Type": {f.kind}})
		if err != nil {
			v.t.Fatal(err)
		}
		if _, err := io.WriteString(p, f.content); err != nil {
			v.t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		v.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.base+path, &b)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", m.FormDataContentType())
	req.Header.Set("Accept-Language", "en")
	status, _, body := v.ask(req)
	return status, body
}

var receiptCode = regexp.MustCompile(`TGK(-[0-9A-HJKMNP-TV-Z]{4}){4}`)

// smallPicture is a small PNG of no meaning.
func smallPicture(t testing.TB) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 40, 40))
	for i := range 40 {
		img.Set(i, i, color.RGBA{R: 90, G: 120, B: 200, A: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAReportOnAPhoneWithoutScript(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	p := browsertest.Open(t, browsertest.View{Phone: true, NoScript: true})
	p.Go(x.URL + "/")
	p.Shot("home-phone")
	p.Run(chromedp.Click(`main a[href="/report"]`, chromedp.ByQuery), chromedp.WaitVisible("#report", chromedp.ByQuery))
	p.Shot("report-phone")

	// Sent empty: the form says what it needs and keeps the little it got.
	p.Run(chromedp.SendKeys("#description", "menit ke-2", chromedp.ByQuery), chromedp.Click(`#report button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible(".err-box", chromedp.ByQuery))
	if err := p.Has("Isi satu tautan, atau lampirkan satu berkas.", "Pilih satu jawaban."); err != nil {
		t.Error(err)
	}
	var title, kept string
	p.Run(chromedp.Title(&title), chromedp.Value("#description", &kept, chromedp.ByQuery))
	if !strings.HasPrefix(title, "Galat: ") || kept != "menit ke-2" {
		t.Errorf("title %q, description %q", title, kept)
	}
	p.Shot("report-error-phone")

	// The other language, without a script and without losing anything.
	p.Run(chromedp.Click(`.lang button[value="en"]`, chromedp.ByQuery), chromedp.WaitVisible(`html[lang="en"] #report`, chromedp.ByQuery),
		chromedp.Value("#description", &kept, chromedp.ByQuery))
	if kept != "menit ke-2" {
		t.Errorf("after the switch the description is %q", kept)
	}
	p.Run(
		chromedp.SendKeys("#url", "https://ruangsuara.example/v/84qe-90t", chromedp.ByQuery),
		chromedp.Click(`input[name="category"][value="recruitment"]`, chromedp.ByQuery),
		chromedp.SetUploadFiles("#files", []string{p.File("tangkapan.png", smallPicture(t))}, chromedp.ByQuery),
		chromedp.Click(`#report button[type="submit"]`, chromedp.ByQuery),
		chromedp.WaitVisible("#done", chromedp.ByQuery),
	)
	p.Shot("receipt-phone")
	code := receiptCode.FindString(strings.ReplaceAll(p.Text("main section"), "\n", ""))
	var address string
	p.Run(chromedp.Location(&address))
	if code == "" || strings.Contains(address, "TGK") {
		t.Fatalf("code %q at %q; the page says %q", code, address, p.Text("main"))
	}
	// The confirmation in the first language again: the code is still there.
	p.Run(chromedp.Click(`.lang button[value="id"]`, chromedp.ByQuery), chromedp.WaitVisible(`html[lang="id"] #done`, chromedp.ByQuery))
	if err := p.Has("Laporan diterima", code[:14]); err != nil {
		t.Error(err)
	}
	p.Run(chromedp.Click(`main form:not(#again) button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible("#messages", chromedp.ByQuery))
	if err := p.Has("1 tautan, 1 berkas", "Laporan Anda sudah diterima."); err != nil {
		t.Error(err)
	}
	p.Run(chromedp.SendKeys("#message", "Akun ini mengunggah lagi.", chromedp.ByQuery),
		chromedp.Click(`form[action="/receipt/message"] button`, chromedp.ByQuery), chromedp.WaitVisible(".msg-us", chromedp.ByQuery))
	if err := p.Has("Pesan terkirim.", "Akun ini mengunggah lagi."); err != nil {
		t.Error(err)
	}
	p.Shot("status-phone")
	for _, c := range p.Cookies() {
		if !strings.HasPrefix(c, "lang=") {
			t.Errorf("the reporter's browser keeps %q", c)
		}
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}

func TestAReportWithScriptShowsHowItGoes(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	p := browsertest.Open(t, browsertest.View{Phone: true, Lang: "en"})
	p.Go(x.URL + "/report")
	p.Run(
		chromedp.SendKeys("#url", "https://ruangsuara.example/v/1", chromedp.ByQuery),
		chromedp.Click(`[data-add-row="links"]`, chromedp.ByQuery),
		chromedp.SendKeys(`#links [data-row-of-list] input`, "https://kabarkita.example/p/2", chromedp.ByQuery),
		chromedp.SetUploadFiles("#files", []string{p.File("a.png", smallPicture(t))}, chromedp.ByQuery),
		chromedp.Click(`#report button[type="submit"]`, chromedp.ByQuery),
		chromedp.WaitVisible(".err-box", chromedp.ByQuery), // no category was chosen
	)
	if err := p.Has("Choose one answer.", "Choose your files again."); err != nil {
		t.Error(err)
	}
	var second, focus string
	p.Run(chromedp.Value(`#links [data-row-of-list] input`, &second, chromedp.ByQuery), chromedp.Evaluate(`document.activeElement.className`, &focus))
	if second != "https://kabarkita.example/p/2" || !strings.Contains(focus, "err-box") {
		t.Errorf("second link %q, focus on %q", second, focus)
	}
	p.Run(
		chromedp.Click(`input[name="category"][value="threat"]`, chromedp.ByQuery),
		chromedp.SetUploadFiles("#files", []string{p.File("a.png", smallPicture(t))}, chromedp.ByQuery),
		chromedp.Click(`#report button[type="submit"]`, chromedp.ByQuery),
		chromedp.WaitVisible("#done", chromedp.ByQuery),
	)
	if code := receiptCode.FindString(strings.ReplaceAll(p.Text("main section"), "\n", "")); code == "" {
		t.Errorf("no code in %q", p.Text("main section"))
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the pages complained: %q", said)
	}
}

func TestPublicPagesAreAccessible(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	code := reported(t, visitor(t, x), url.Values{"url": {"https://ruangsuara.example/v/1"}, "category": {"unsure"}})
	for _, look := range []browsertest.View{{}, {Dark: true, Phone: true, Lang: "en"}, {Width: 320}} {
		p := browsertest.Open(t, look)
		shot := func(name string) { p.Shot(fmt.Sprintf("%s-%v-%v-%d", name, look.Phone, look.Dark, look.Width)) }
		for _, path := range []string{"/", "/report", "/receipt", "/sign-in", "/first-run", "/nowhere"} {
			axetest.Check(t, p.Context, x.URL+path)
			if wide := p.Overflow(); wide > 0 {
				t.Errorf("%s is %d px too wide in %+v", path, wide, look)
			}
			shot("page" + strings.ReplaceAll(path, "/", "-"))
		}
		p.Go(x.URL + "/report")
		p.Run(chromedp.Click(`#report button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible(".err-box", chromedp.ByQuery))
		axetest.Check(t, p.Context, "")
		p.Go(x.URL + "/receipt")
		p.Run(chromedp.SendKeys("#code", code, chromedp.ByQuery), chromedp.Click(`main button[type="submit"]`, chromedp.ByQuery), chromedp.WaitVisible("#messages", chromedp.ByQuery))
		axetest.Check(t, p.Context, "")
		if wide := p.Overflow(); wide > 0 {
			t.Errorf("the status page is %d px too wide in %+v", wide, look)
		}
		shot("status")
	}
}

// reported reports something and returns the receipt code.
func reported(t testing.TB, v stranger, form url.Values) string {
	t.Helper()
	status, body := v.send("/report", form)
	code := receiptCode.FindString(regexp.MustCompile(`</span><span[^>]*>`).ReplaceAllString(body, ""))
	if status != http.StatusOK || code == "" {
		t.Fatalf("reporting %v: %d\n%s", form, status, body)
	}
	return code
}

func TestHostileLinksAreNamedAndNothingIsKept(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	for _, link := range hostileLinks() {
		status, body := v.post("/report", url.Values{"url": {link}, "category": {"unsure"}, "description": {"kept <b>&"}})
		switch {
		case status != http.StatusUnprocessableEntity && status != http.StatusOK:
			t.Errorf("%q: %d", link, status)
		case status == http.StatusUnprocessableEntity && (!strings.Contains(body, "kept &lt;b&gt;&amp;") || !strings.Contains(body, "<title>Error: ")):
			t.Errorf("%q: the form came back without its answers", link)
		case strings.Contains(body, "<script>alert"):
			t.Errorf("%q runs in the answer", link)
		}
		if status == http.StatusOK {
			t.Errorf("%q was taken for a public link", link)
		}
		pagetest.Check(t, "report", body)
	}
	if n := reportsIn(t, x); n != 0 {
		t.Errorf("%d reports were stored", n)
	}
}

// hostileLinks are sixty things that are no public address.
func hostileLinks() []string {
	links := []string{
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "about:blank",
		"http://", "https://", "https:///x", "//", "http://localhost/", "http://localhost:5432", "http://127.0.0.1/", "http://127.1/", "http://2130706433/",
		"http://0x7f000001/", "http://0177.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://10.0.0.1/", "http://172.16.0.1/",
		"http://192.168.0.1/", "http://169.254.169.254/latest/meta-data", "http://100.64.0.1/", "http://[fe80::1]/", "http://[fd00::1]/", "http://[::]/",
		"http://224.0.0.1/", "http://255.255.255.255/", "http://router/", "http://intranet/x", "http://db.internal/", "http://printer.local/", "http://x.localhost/",
		"http://user:secret@example.com/", "http://example.com:99999/", "http://example.com:0/", "http://example.com:-1/", "http://exa mple.com/",
		"http://example..com/", "http://-.com/", "http://.com/", "http://a_b/", "http://" + strings.Repeat("a", 64) + ".com/", "http://" + strings.Repeat("a.", 130) + "com/",
		"http://example.com/" + strings.Repeat("a", 5000), "http://ex\u202Eample.com/", "http://example.com/\u202Egnp.exe", "http://example.com/a\x00b", "http://example.com/\x7f",
		"http://example.com/%zz", "ftp://example.com/x", "gopher://example.com/", "ws://example.com/", "http://exam\u200bple.com\x01/", "<script>alert(1)</script>",
		"' OR 1=1 --", "../../etc/passwd", "\uFEFF", "http://[::1", "http://\u2488\u24ea/", "@", "@@", "😀", "mailto:a@example.com", "tel:112", "blob:https://example.com/1",
	}
	return links
}

func TestHostileLinksAreRefusedOneByOneInAList(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	status, body := visitor(t, x).post("/report", url.Values{"url": {"https://ruangsuara.example/v/1", "http://127.0.0.1/"}, "urls": {"https://kabarkita.example/p/2\n\njavascript:alert(1)"}, "category": {"unsure"}})
	if status != http.StatusUnprocessableEntity {
		t.Fatalf("%d", status)
	}
	for _, want := range []string{"Link 2: ", "Link 4: ", `href="#urls"`, `value="http://127.0.0.1/"`, "javascript:alert(1)</textarea>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the form does not hold %q", want)
		}
	}
}

func TestWrongFilesAreNamed(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	good := url.Values{"category": {"unsure"}, "urls": {"https://ruangsuara.example/v/1"}}
	many := make([]formFile, 11)
	for i := range many {
		many[i] = formFile{fmt.Sprintf("%d.txt", i), "text/plain", "teks"}
	}
	for name, c := range map[string]struct {
		files []formFile
		want  string
	}{
		"a program called a picture": {[]formFile{{"a.png", "image/png", "MZ\x90\x00 not a picture"}}, "a.png"},
		"nothing":                    {[]formFile{{"empty.png", "image/png", ""}}, "empty.png"},
		"eleven":                     {many, "10"},
	} {
		status, body := v.send("/report", good, c.files...)
		if status != http.StatusUnprocessableEntity || !strings.Contains(body, c.want) || !strings.Contains(body, `id="files-error"`) {
			t.Errorf("%s: %d, without %q beside the field", name, status, c.want)
		}
	}
	if n := reportsIn(t, x); n != 0 {
		t.Errorf("%d reports were stored", n)
	}
	for _, f := range filesIn(t, filepath.Join(x.App.Config.Data, "vault")) {
		if name := filepath.Base(f); name != "key-check" && !strings.HasPrefix(name, "done-") { // the vault's own
			t.Errorf("a file of a refused report stays: %s", f)
		}
	}
}

// filesIn lists what lies under dir.
func filesIn(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// reportsIn counts the stored reports.
func reportsIn(t testing.TB, x *exchangetest.Exchange) int64 {
	t.Helper()
	n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM reports`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheSameFormTwiceIsOneReport(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	_, form := v.get("/report")
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(form)
	if token == nil {
		t.Fatal("no token in the form")
	}
	once := url.Values{"token": {token[1]}, "url": {"https://ruangsuara.example/v/1"}, "category": {"unsure"}}
	first, second := reported(t, v, once), reported(t, v, once)
	if first != second || reportsIn(t, x) != 1 {
		t.Errorf("codes %s and %s, %d reports", first, second, reportsIn(t, x))
	}
}

func TestWrongCodesGetOneAnswer(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	code := reported(t, v, url.Values{"url": {"https://ruangsuara.example/v/1"}, "category": {"unsure"}})
	typed := regexp.MustCompile(` value="[^"]*"`)
	var answers []string
	for _, wrong := range []string{"", "x", "TGK-0000-0000-0000-0000", code[:len(code)-1], strings.Repeat("9", 5000)} {
		status, body := v.post("/receipt", url.Values{"code": {wrong}})
		if status != http.StatusNotFound {
			t.Errorf("%.30q: %d", wrong, status)
		}
		answers = append(answers, typed.ReplaceAllString(body, "")) // what was typed stays, to be mended
	}
	for _, a := range answers[1:] {
		if a != answers[0] {
			t.Error("two wrong codes get different answers")
		}
	}
	if status, _ := v.post("/receipt", url.Values{"code": {strings.ToLower(strings.ReplaceAll(code, "-", " "))}}); status != http.StatusOK {
		t.Errorf("the code as people type it: %d", status)
	}
}

func TestMaterialAndMessagesByReceipt(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	code := reported(t, v, url.Values{"url": {"https://ruangsuara.example/v/1"}, "category": {"unsure"}})
	status, body := v.send("/receipt/material", url.Values{"code": {code}, "urls": {"https://ruangsuara.example/v/2"}, "note": {"lagi"}}, formFile{"a.png", "image/png", string(smallPicture(t))})
	if status != http.StatusOK || !strings.Contains(body, "2 links, 1 file") {
		t.Errorf("material: %d\n%s", status, body)
	}
	status, body = v.send("/receipt/material", url.Values{"code": {code}, "urls": {"http://127.0.0.1/"}, "note": {"tetap ada"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "tetap ada") || !strings.Contains(body, "http://127.0.0.1/") {
		t.Errorf("wrong material: %d", status)
	}
	for range 2 { // the second is a reload
		if status, _ = v.post("/receipt/message", url.Values{"code": {code}, "message": {"Halo"}}); status != http.StatusOK {
			t.Errorf("message: %d", status)
		}
	}
	_, body = v.post("/receipt", url.Values{"code": {code}})
	if n := strings.Count(body, ">Halo</p>"); n != 1 {
		t.Errorf("the message stands there %d times", n)
	}
	if status, body = v.post("/receipt/message", url.Values{"code": {code}, "message": {" "}}); status != http.StatusUnprocessableEntity || !strings.Contains(body, `href="#message"`) {
		t.Errorf("an empty message: %d", status)
	}
	pagetest.Check(t, "status", body)
}

func TestErrorPagesSpeakBothLanguages(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	for lang, want := range map[string]string{"id": "Tidak ditemukan", "en": "Not found"} {
		status, body := v.get("/nowhere?lang=" + lang)
		if status != http.StatusNotFound || !strings.Contains(body, want) || !strings.Contains(body, `<html lang="`+lang+`"`) {
			t.Errorf("%s: %d", lang, status)
		}
		pagetest.Check(t, "error", body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.URL+"/report?lang=en", strings.NewReader("category=unsure"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://elsewhere.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _, body := v.ask(req); status != http.StatusForbidden || !strings.Contains(body, "another site") {
		t.Errorf("a form from another site: %d", status)
	}
}

func TestPublicPagesSetNoCookieButTheChosenLanguage(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	v := visitor(t, x)
	for _, path := range []string{"/", "/report", "/receipt", "/figures.csv", "/figures.json", "/robots.txt", "/.well-known/security.txt", "/nowhere"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, x.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		// A session is not even looked at: the page is the same with one.
		req.AddCookie(&http.Cookie{Name: "tangkal", Value: "forged"}) //nolint:gosec // a request's cookie has no attributes
		if _, h, _ := v.ask(req); len(h.Values("Set-Cookie")) > 0 {
			t.Errorf("%s sets %q", path, h.Values("Set-Cookie"))
		}
	}
	reported(t, v, url.Values{"url": {"https://ruangsuara.example/v/1"}, "category": {"unsure"}})
	u, err := url.Parse(x.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Jar.Cookies(u); len(got) != 0 {
		t.Errorf("the jar holds %v", got)
	}
	v.get("/report?lang=en")
	if got := v.Jar.Cookies(u); len(got) != 1 || got[0].Name != "lang" || got[0].Value != "en" {
		t.Errorf("after choosing a language the jar holds %v", got)
	}
}

func TestNothingOfAReporterIsWrittenDown(t *testing.T) {
	t.Parallel()
	said := &lines{}
	x := exchangetest.Start(t)
	v := visitor(t, x)
	const agent, referrer, words, contact = "CANARY-AGENT-7731", "https://canary-referrer-7731.example/page", "canary words 7731", "canary-7731@orang.example"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.URL+"/report", strings.NewReader(url.Values{
		"url": {"https://ruangsuara.example/v/canary-7731"}, "category": {"unsure"}, "description": {words}, "contact": {contact},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Referer", referrer)
	req.Header.Set("X-Forwarded-For", "203.0.113.77")
	req.Header.Set("Cookie", "canary=cookie-7731")
	if status, _, body := v.ask(req); status != http.StatusOK {
		t.Fatalf("%d\n%s", status, body)
	}
	for _, f := range filesIn(t, x.App.Config.Data) {
		b, err := os.ReadFile(f)                           //nolint:gosec // a file of this test
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the server's own probes come and go
			t.Fatal(err)
		}
		said.add(f, b)
	}
	dbFile := strings.TrimPrefix(x.App.Config.DB, "sqlite:")
	for _, f := range []string{dbFile, dbFile + "-wal"} {
		b, err := os.ReadFile(f) //nolint:gosec // a file of this test
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		said.add(f, b)
	}
	if said.bytes < 10_000 {
		t.Fatalf("only %d bytes were searched", said.bytes)
	}
	for _, canary := range []string{agent, "canary-referrer-7731", words, contact, "203.0.113.77", "cookie-7731", "canary-7731"} {
		if where := said.find(canary); where != "" {
			t.Errorf("%q stands in clear in %s", canary, where)
		}
	}
}

// lines is everything a program wrote down.
type lines struct {
	parts map[string][]byte
	bytes int
}

func (l *lines) add(name string, b []byte) {
	if l.parts == nil {
		l.parts = map[string][]byte{}
	}
	l.parts[name] = b
	l.bytes += len(b)
}

func (l *lines) find(s string) string {
	for name, b := range l.parts {
		if bytes.Contains(b, []byte(s)) {
			return name
		}
	}
	return ""
}

func TestHomeFiguresCountAReportAtOnce(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC))
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", now)
	v := visitor(t, x)
	if _, body := v.get("/"); !strings.Contains(body, "Belum ada keputusan") {
		t.Error("an empty instance shows figures")
	}
	reported(t, v, url.Values{"url": {"https://ruangsuara.example/v/1"}, "category": {"unsure"}})
	var figures struct{ Reports struct{ Total, Open int } }
	// After the two seconds that the page promises, or later where the machine took
	// long to count: then the next count is farther off.
	deadline := time.Now().Add(2 * time.Minute)
	for figures.Reports.Total == 0 && time.Now().Before(deadline) {
		now.Advance(2 * time.Second)
		_, body := v.get("/figures.json")
		if err := json.Unmarshal([]byte(body), &figures); err != nil {
			t.Fatal(err)
		}
	}
	if figures.Reports.Total != 1 || figures.Reports.Open != 1 {
		t.Errorf("figures %+v", figures)
	}
	_, body := v.get("/?lang=en")
	if !strings.Contains(body, "Of 1 reports, 0 became orders") {
		t.Errorf("home says nothing of it")
	}
	pagetest.Check(t, "home", body)
	_, body = v.get("/figures.csv")
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) < 20 || rows[1][0] != "reports" || rows[1][4] != "1" {
		t.Errorf("csv: %v, %q", err, rows)
	}
}

// Whoever is signed in while the database is away reads a page of ours, in
// their language.
func TestWithoutItsDatabaseThePageSaysSo(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	browser := x.As(t, "analyst").Browser
	comes(t, x, "the start of the job queue", func() bool {
		// Whose first start the database must not miss.
		resp, err := http.Get(x.URL + "/readyz") //nolint:noctx // of this test's own server
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	x.App.DB.Close()
	resp, err := browser.Get(x.URL + "/triage?lang=id")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode < 500 || !strings.Contains(string(body), `<html lang="id"`) {
		t.Errorf("%d: %s", resp.StatusCode, body)
	}
}
