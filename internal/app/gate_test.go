package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// said is an answer, read to its end.
type said struct {
	status int
	header http.Header
	body   string
}

// say sends a request; header are names and values.
func say(t *testing.T, method, address, body string, header ...string) said {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return said{res.StatusCode, res.Header, string(raw)}
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// aReport is a public report, as a form and as JSON.
func aReport(link string) (form, body string) {
	return url.Values{"url": {link}, "category": {"recruitment"}, "reply": {"en"}}.Encode(),
		`{"locations":["` + link + `"],"category":"recruitment","lang":"en"}`
}

// While reports fill their places, whoever reports is told when to come again,
// in their language, and everybody else is served.
func TestACrowdOfReportsKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartWith(t, func(c *app.Config) {
		c.Places = map[admit.Class]admit.Limits{admit.Reports: {Workers: 1, Wait: 1500 * time.Millisecond, Body: 1 << 20}}
	})
	leave, err := x.App.Gate.Enter(t.Context(), admit.Reports)
	if err != nil {
		t.Fatal(err)
	}
	form, body := aReport("https://ruangsuara.example/v/1")
	for lang, words := range map[string]string{"en": "Very many people", "id": "sangat banyak orang"} {
		page := say(t, "POST", x.URL+"/report", form, "Content-Type", formType, "Accept-Language", lang)
		problem := say(t, "POST", x.URL+"/api/v1/reports", body, "Content-Type", jsonType, "Accept-Language", lang)
		for _, got := range []said{page, problem} {
			if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "2" || !strings.Contains(got.body, words) {
				t.Errorf("in %s: %d, Retry-After %q\n%s", lang, got.status, got.header.Get("Retry-After"), got.body)
			}
		}
		var p struct{ Code string }
		if err := json.Unmarshal([]byte(problem.body), &p); err != nil || p.Code != "admit.full" || problem.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("the API's answer is %v, %+v", err, problem)
		}
	}
	platform := x.Cast(t, "platform")
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/inbox", "", http.StatusOK},
		{"POST", "/notices/absent/receive", `{}`, http.StatusUnprocessableEntity},
		{"POST", "/notices/absent/answers", `{}`, http.StatusUnprocessableEntity},
	} {
		got := say(t, c.method, x.URL+"/api/v1"+c.path, c.body, "Content-Type", jsonType, "Authorization", "Bearer "+platform.APIKey)
		if got.status == http.StatusServiceUnavailable || got.status >= 500 {
			t.Errorf("%s %s beside a crowd: %d %s", c.method, c.path, got.status, got.body)
		}
	}
	if got := say(t, "GET", x.URL+"/report", ""); got.status != http.StatusOK {
		t.Errorf("the form beside a crowd: %d", got.status)
	}
	leave()
	if got := say(t, "POST", x.URL+"/report", form, "Content-Type", formType); got.status != http.StatusOK {
		t.Errorf("after the crowd: %d %s", got.status, got.body)
	}
}

// A nearly full disk takes texts without files, a full one only what must go
// on, and both say so.
func TestWhatADiskThatFillsTakes(t *testing.T) {
	t.Parallel()
	form, body := aReport("https://ruangsuara.example/v/1")
	var files bytes.Buffer
	w := multipart.NewWriter(&files)
	for name, value := range map[string]string{"url": "https://ruangsuara.example/v/2", "category": "recruitment", "reply": "en"} {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("files", "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(part, "invented") // into memory
	w.Close()
	for _, c := range []struct {
		name, files, all string
		file, text       int
		ready            int
		level            string
	}{
		{"nearly full", "900TiB", "1MiB", http.StatusServiceUnavailable, http.StatusOK, http.StatusOK, "is nearly full"},
		{"full", "900TiB", "900TiB", http.StatusServiceUnavailable, http.StatusServiceUnavailable, http.StatusServiceUnavailable, "is full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := exchangetest.StartWith(t, func(conf *app.Config) { conf.SpareFiles, conf.SpareAll = c.files, c.all })
			got := say(t, "POST", x.URL+"/report", files.String(), "Content-Type", w.FormDataContentType(), "Accept-Language", "en")
			if got.status != c.file || !strings.Contains(got.body, "no room") || got.header.Get("Retry-After") == "" {
				t.Errorf("a report with a file: %d %s", got.status, got.body)
			}
			if got := say(t, "POST", x.URL+"/report", form, "Content-Type", formType); got.status != c.text {
				t.Errorf("a report without: %d %s", got.status, got.body)
			}
			if got := say(t, "POST", x.URL+"/api/v1/reports", body, "Content-Type", jsonType); got.status/100 != c.text/100 {
				t.Errorf("a report by API: %d %s", got.status, got.body)
			}
			got = say(t, "POST", x.URL+"/api/v1/notices/absent/answers", `{}`, "Content-Type", jsonType, "Authorization", "Bearer "+x.Cast(t, "platform").APIKey)
			if got.status >= 500 {
				t.Errorf("an answer: %d %s", got.status, got.body)
			}
			if got := say(t, "GET", x.URL+"/readyz", ""); got.status != c.ready || !strings.Contains(got.body, c.level) {
				t.Errorf("readyz: %d %s", got.status, got.body)
			}
		})
	}
}

// While very many report, a program without a key works for its report; one
// with a key does not.
func TestAProgramPaysForAReport(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartWith(t, func(c *app.Config) { c.QuietRate = 0.1 })
	for range 5 {
		x.App.Toll.Pass("", "") //nolint:errcheck // it only counts
	}
	_, body := aReport("https://ruangsuara.example/v/1")
	send := func(header ...string) said {
		return say(t, "POST", x.URL+"/api/v1/reports", body, append([]string{"Content-Type", jsonType}, header...)...)
	}
	got := send()
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, `"admit.work"`) {
		t.Errorf("unpaid: %d %s", got.status, got.body)
	}
	var k struct {
		Ticket string
		Bits   int
	}
	if err := json.Unmarshal([]byte(say(t, "POST", x.URL+"/api/v1/reports/tickets", "").body), &k); err != nil || k.Bits == 0 {
		t.Fatalf("%+v, %v", k, err)
	}
	paid := k.Ticket + "." + admit.Solve(k.Ticket, k.Bits)
	if got := send("Work", paid); got.status != http.StatusCreated {
		t.Errorf("paid: %d %s", got.status, got.body)
	}
	if got := send("Work", paid); got.status != http.StatusTooManyRequests {
		t.Errorf("paid twice with one ticket: %d %s", got.status, got.body)
	}
	for who, want := range map[string]int{"analyst": http.StatusCreated, "platform": http.StatusTooManyRequests} { // a key alone makes no partner
		if got := send("Authorization", "Bearer "+x.Cast(t, who).WithAPIKey(t).APIKey); got.status != want {
			t.Errorf("with a key of the %s: %d %s, want %d", who, got.status, got.body, want)
		}
	}
}
