package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/api"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/notes"
)

// TestMain serves instead of testing in a process that was told to.
func TestMain(m *testing.M) {
	if file := os.Getenv(serveEnv); file != "" {
		if err := serve(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A client is a member of the cast at the API, or nobody.
type client struct {
	*exchangetest.Person // nil for nobody
	url                  string
	http                 *http.Client
}

func clientOf(t testing.TB, x *exchangetest.Exchange, name string) *client {
	t.Helper()
	c := &client{url: x.URL + "/api/v1", http: &http.Client{Timeout: time.Minute}}
	if name != "" {
		c.Person = x.Cast(t, name)
		if c.APIKey == "" {
			c.WithAPIKey(t)
		}
	}
	return c
}

// An upload is a multipart body: JSON first, then files.
type upload struct {
	name  string // of the JSON part
	first any
	files []string
}

// encode returns a body as bytes with its type.
func encode(body any) ([]byte, string, error) {
	u, ok := body.(upload)
	if !ok {
		raw, err := json.Marshal(body)
		return raw, "application/json", err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + u.name + `"`}, "Content-Type": {"application/json"}})
	if err != nil {
		return nil, "", err
	}
	if err := json.NewEncoder(part).Encode(u.first); err != nil {
		return nil, "", err
	}
	for i, content := range u.files {
		f, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename="bukti-%d.txt"`, i+1)}, "Content-Type": {"text/plain"},
		})
		if err != nil {
			return nil, "", err
		}
		if _, err := io.WriteString(f, content); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// A reply is an answer with its body read to the end.
type reply struct {
	what   string
	status int
	body   []byte
}

// inBrowser is the same person with a fresh session, for what no API key does.
func (c *client) inBrowser(t testing.TB) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &client{url: c.url, http: &http.Client{Jar: jar, Timeout: time.Minute}}
	res, err := b.http.PostForm(strings.TrimSuffix(c.url, "/api/v1")+"/demo/sign-in", url.Values{"person": {string(c.Actor.Person)}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // only the cookie matters
	if res.StatusCode != http.StatusOK {
		t.Fatalf("sign in: %s", res.Status)
	}
	return b
}

// ask sends one request, with header lines as "Name: value". An error means
// that no whole answer came: what was asked may or may not have happened.
func (c *client) ask(ctx context.Context, method, path string, body any, headers ...string) (reply, error) {
	var raw io.Reader
	kind := ""
	if body != nil {
		b, k, err := encode(body)
		if err != nil {
			return reply{}, err
		}
		raw, kind = bytes.NewReader(b), k
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, raw)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Accept-Language", "en")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Person != nil {
		req.Header.Set("Authorization", "Bearer "+c.APIKey)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	got, err := io.ReadAll(res.Body)
	return reply{method + " " + path, res.StatusCode, got}, err
}

// must is ask for a test of one story: anything but success ends it. It reads
// the answer into the value given, if any.
func (c *client) must(t testing.TB, method, path string, body, into any, headers ...string) {
	t.Helper()
	c.want(t, 0, method, path, body, into, headers...)
}

// want is must for one status; 0 is any success.
func (c *client) want(t testing.TB, status int, method, path string, body, into any, headers ...string) {
	t.Helper()
	r, err := c.ask(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	if status == 0 && r.status >= 300 || status != 0 && r.status != status {
		t.Fatalf("%s: %d, want %d\n%s", r.what, r.status, status, r.body)
	}
	if into != nil {
		if err := json.Unmarshal(r.body, into); err != nil {
			t.Fatalf("%s: %v\n%s", r.what, err, r.body)
		}
	}
}

// A list is a page of the API.
type list[T any] struct{ Items []T }

// A caseView is as much of a case as the tests look at.
type caseView struct {
	api.CaseBody
	Where []struct{ ID, URL string } `json:"locations"`
	Shots []struct {
		ID    string
		Files []struct{ ID string }
	} `json:"captures"`
}

// A noticeView is as much of a notice as the tests look at.
type noticeView struct {
	api.NoticeBody
	Document   json.RawMessage
	Items      []struct{ URL, State, Clock string }
	Deliveries []struct{ Channel, Step, Result string }
	Acts       []struct {
		Event string
		Open  bool
		Why   string
	}
}

// A receiptView is as much of a report as its reporter sees.
type receiptView struct {
	Ref   string
	Steps []struct{ Kind string }
}

func (v receiptView) steps() string {
	var kinds []string
	for _, s := range v.Steps {
		kinds = append(kinds, s.Kind)
	}
	return strings.Join(kinds, " ")
}

// signature signs a notice's present version with the person's own key.
func (c *client) signature(canonical []byte) map[string]any {
	return map[string]any{"key": c.Key, "signature": c.SignBytes(notes.Digest(notes.KindNotice, canonical))}
}

// sign takes one step of a notice: propose, approve or issue.
func (c *client) sign(t testing.TB, step, id string) {
	t.Helper()
	c.must(t, "POST", "/notices/"+id+"/"+step, c.signed(t, id), nil)
}

// signed is the person's signature over a notice as it is.
func (c *client) signed(t testing.TB, id string) map[string]any {
	t.Helper()
	canonical, err := c.ask(t.Context(), "GET", "/notices/"+id+"/canonical", nil)
	if err != nil || canonical.status != http.StatusOK {
		t.Fatalf("%s: %d %v\n%s", canonical.what, canonical.status, err, canonical.body)
	}
	return c.signature(canonical.body)
}

// finding is a complete assessment that allows a notice.
func finding(territory string) api.AssessmentBody {
	a := api.AssessmentBody{
		Measure: "removal-order", Public: notes.Yes, Functions: []notes.Function{notes.FunctionRecruitment}, Tier: notes.TierPromotional,
		Listed:    notes.Listed{Class: notes.ListNone},
		Necessity: notes.Necessity{Tried: []notes.Measure{{Measure: "Rujukan", Outcome: "Tanpa jawaban"}}},
		Scope:     notes.Scope{Territories: []string{territory}},
		Reasons:   notes.Text{Binding: "en", Texts: map[string]string{"en": "Asks to join an invented group.", "id": "Mengajak ikut kelompok rekaan."}},
	}
	for _, g := range notes.Grounds() {
		f := notes.GroundFinding{Ground: g, Met: notes.No}
		if g == notes.GroundSolicitGroup {
			f.Met, f.Reasons = notes.Yes, "The call at minute 00.37."
		}
		a.Grounds = append(a.Grounds, f)
	}
	for _, p := range notes.Purposes() {
		a.PurposeTests = append(a.PurposeTests, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: "No sign of it."})
	}
	return a
}

// A story is one notice on its way, told through the API.
type story struct {
	x                          *exchangetest.Exchange
	analyst, approver, officer *client
	second                     *client // another officer
	reporter                   *client
	platform                   *client
	territory                  string
	minutes                    int
	emergency                  string

	link, receipt, caseID, id, ref string
}

// inIndonesia is a story between two parties under the pack of Indonesia.
func inIndonesia(t testing.TB, x *exchangetest.Exchange) *story {
	t.Helper()
	return &story{
		x: x, analyst: clientOf(t, x, "analyst"), approver: clientOf(t, x, "approver"), officer: clientOf(t, x, "officer"),
		second: clientOf(t, x, "second-officer"), reporter: clientOf(t, x, ""), platform: clientOf(t, x, "platform"),
		territory: "ID", minutes: 240,
	}
}

// inEurope is a story under the Regulation, in one competent authority.
func inEurope(t testing.TB, x *exchangetest.Exchange) *story {
	t.Helper()
	s := inIndonesia(t, x)
	s.analyst, s.approver, s.officer = clientOf(t, x, "eu-analyst"), clientOf(t, x, "eu-approver"), clientOf(t, x, "eu-officer")
	s.second = nil
	s.territory, s.minutes, s.emergency = "EU", 60, "An invented threat to life."
	return s
}

// report files a report and waits for its case.
func (s *story) report(t testing.TB, n int) {
	t.Helper()
	s.link = fmt.Sprintf("https://ruangsuara.example/v/%d", 9000+n)
	var got struct{ Receipt string }
	s.reporter.must(t, "POST", "/reports", map[string]any{"locations": []string{s.link}, "category": "recruitment", "agency": s.analyst.Code}, &got)
	s.receipt = got.Receipt
	eventually(t, "a case for "+s.link, func() bool {
		var open list[api.CaseBody]
		s.analyst.must(t, "GET", "/cases?state=open&limit=200", nil, &open)
		for _, c := range open.Items {
			var v caseView
			s.analyst.must(t, "GET", "/cases/"+c.ID, nil, &v)
			if len(v.Where) > 0 && v.Where[0].URL == s.link {
				s.caseID = c.ID
				return true
			}
		}
		return false
	})
}

// draft takes the case, gives it evidence and a finding, and drafts a notice.
func (s *story) draft(t testing.TB) {
	t.Helper()
	s.analyst.must(t, "POST", "/cases/"+s.caseID+"/take", nil, nil)
	s.analyst.must(t, "POST", "/cases/"+s.caseID+"/captures", upload{"capture", struct{}{}, []string{"invented evidence"}}, nil)
	s.analyst.must(t, "PUT", "/cases/"+s.caseID+"/assessment", finding(s.territory), nil, `If-Match: "0"`)
	var n api.NoticeBody
	s.analyst.must(t, "POST", "/notices", map[string]any{
		"case": s.caseID, "kind": "removal-order", "deadline_minutes": s.minutes, "issuer": s.officer.Party, "emergency": s.emergency,
	}, &n)
	s.id, s.ref = n.ID, n.Ref
}

// issue takes the draft through its three signatures.
func (s *story) issue(t testing.TB) {
	t.Helper()
	s.analyst.sign(t, "propose", s.id)
	s.approver.sign(t, "approve", s.id)
	s.officer.sign(t, "issue", s.id)
}

// told is the whole way from a report to a notice that was issued.
func (s *story) told(t testing.TB, n int) *story {
	t.Helper()
	s.report(t, n)
	s.draft(t)
	s.issue(t)
	return s
}

// view reads the notice as somebody sees it.
func (s *story) view(t testing.TB, by *client) noticeView {
	t.Helper()
	var v noticeView
	by.must(t, "GET", "/notices/"+s.id, nil, &v)
	return v
}

// sent waits until the dispatcher has let the notice out.
func (s *story) sent(t testing.TB) {
	t.Helper()
	eventually(t, s.ref+" to be sent", func() bool { return s.view(t, s.officer).SentAt != nil })
}

// patience is how long an event of another goroutine or process may take on a
// busy machine.
const patience = time.Minute

// eventually asks again and again until what is awaited is true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	within(t, patience, what, is)
}

// within is eventually for what takes its time.
func within(t testing.TB, patience time.Duration, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}
