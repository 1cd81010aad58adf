package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// house is the whole API on a real port over the real rooms, with two
// agencies, an authority, two platforms and an oversight body.
type house struct {
	*server
	url      string
	db       *db.DB
	feed     *feed.Feed
	sessions *auth.Sessions
	parties  map[string]party.Party
	people   map[string]*caller
	public   *caller
	n        int
}

// caller is somebody who calls with an API key, and with a session where a
// touch is needed, or nobody.
type caller struct {
	house   *house
	name    string
	actor   party.Actor
	secret  string // API key, "" for nobody
	private ed25519.PrivateKey
	lang    string
	cookie  func() string // of a session, for what no API key does; signs in at first
}

// cast is who is there: name, organisation, roles.
var cast = []struct {
	name, org string
	roles     []party.Role
}{
	{"ratna", "tangkal-daring", []party.Role{party.Analyst}},
	{"dimas", "tangkal-daring", []party.Role{party.Analyst}},
	{"sari", "tangkal-daring", []party.Role{party.Approver}},
	{"bima", "tangkal-daring", []party.Role{party.Admin}},
	{"bagus", "kem-komunikasi", []party.Role{party.Officer}},
	{"ayu", "kem-komunikasi", []party.Role{party.Approver}},
	{"lina", "ruangsuara", []party.Role{party.Analyst}},
	{"mika", "ruangsuara", []party.Role{party.Admin}},
	{"kira", "kabarkita", []party.Role{party.Analyst}},
	{"koko", "kabarkita", []party.Role{party.Admin}},
	{"lain", "lain", []party.Role{party.Analyst, party.Approver, party.Officer, party.Admin}},
	{"dewi", "dewan-pengawas", []party.Role{party.Auditor}},
}

func start(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{db: d, parties: map[string]party.Party{}, people: map[string]*caller{}}
	log := slog.New(slog.DiscardHandler)
	now := clock.System{}
	h.feed = feed.New(d, now, log)
	v, err := vault.Open(vault.Config{Dir: filepath.Join(t.TempDir(), "vault"), KeyFile: filepath.Join(t.TempDir(), "instance.key")})
	check(t, err)
	h.write(t, func(ctx context.Context, tx *db.Tx) error { return reference.Found(ctx, tx, "DEMO", "Demo", now.Now()) })
	platforms, err := canonical.Demo()
	check(t, err)
	packs := policy.Default()
	reports := report.New(report.Deps{DB: d, Feed: h.feed, Clock: now, Vault: v, Packs: packs, Platforms: platforms})
	cases := casework.New(casework.Deps{DB: d, Feed: h.feed, Clock: now, Vault: v, Packs: packs, Reports: reports})
	notices := notice.New(notice.Deps{DB: d, Feed: h.feed, Clock: now, Vault: v, Packs: packs, Reports: reports, Cases: cases})
	opened := cage.New(cage.Config{Uncaged: true})
	lists := flagger.New(flagger.Deps{DB: d, Feed: h.feed, Clock: now, Vault: v, Reports: reports, Cage: opened})
	a := auth.New(d, h.feed, now, v.MAC)
	box := outbox.New(outbox.Deps{DB: d, Feed: h.feed, Clock: now, Vault: v, Log: log, BaseURL: "http://localhost"})
	h.feed.Subscribe(cases.OnReport())
	for _, s := range notices.Subscriptions() {
		h.feed.Subscribe(s)
	}
	h.feed.Subscribe(box.Subscription())
	h.sessions = a.NewSessions(false)
	h.server = newServer(Deps{
		DB: d, Clock: now, Vault: v, Auth: a, Packs: packs, Platforms: platforms, Outbox: box, Reports: reports, Cases: cases,
		Notices: notices, Flagger: lists, Cage: opened, Feed: h.feed, Log: log, Sessions: h.sessions, BaseURL: "http://localhost",
	})
	h.settle(t)
	srv := httptest.NewServer(h.server.handler())
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

// settle makes the organisations and their people.
func (h *house) settle(t testing.TB) {
	t.Helper()
	for _, p := range []party.Party{
		{Code: "tangkal-daring", Kind: party.Agency, Name: "Dit. Tangkal Daring", Jurisdiction: "id", Contact: "meja@tangkal.example", Languages: []string{"id", "en"}},
		{Code: "kem-komunikasi", Kind: party.Authority, Name: "Kem. Komunikasi", Jurisdiction: "id", Contact: "meja@komunikasi.example", Languages: []string{"id"}},
		{Code: "lain", Kind: party.Agency, Name: "Badan Lain", Jurisdiction: "id", Contact: "meja@lain.example", Languages: []string{"id"}},
		{Code: "ruangsuara", Kind: party.Platform, PlatformKinds: []string{"social"}, PlatformKey: "ruangsuara", Name: "Ruangsuara", Contact: "legal@ruangsuara.example", LegalRepresentative: "Wakil Ruangsuara", Establishment: "SG", Languages: []string{"id", "en"}},
		{Code: "kabarkita", Kind: party.Platform, PlatformKinds: []string{"social"}, PlatformKey: "kabarkita", Name: "Kabarkita", Contact: "legal@kabarkita.example"},
		{Code: "dewan-pengawas", Kind: party.Oversight, Name: "Dewan Pengawas", Jurisdiction: "id"},
	} {
		p.Zone = "Asia/Jakarta"
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			made, err := party.Add(ctx, tx, p, h.Clock.Now())
			h.parties[p.Code] = made
			return err
		})
	}
	for _, c := range cast {
		h.join(t, c.name, c.org, c.roles...)
	}
	h.public = &caller{house: h, name: "nobody", lang: "en"}
}

// join adds a person with an API key and a browser key.
func (h *house) join(t testing.TB, name, org string, roles ...party.Role) *caller {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	c := &caller{house: h, name: name, private: private, lang: "en"}
	var p party.Person
	h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = party.AddPerson(ctx, tx, party.Person{
			Party: h.parties[org].ID, Name: "Orang " + name, Email: name + "@org.example", Roles: roles, Lang: "id", Zone: "Asia/Jakarta",
		}, h.Clock.Now())
		if err != nil {
			return err
		}
		_, err = party.AddKey(ctx, tx, party.Key{Person: p.ID, Method: party.BrowserKey, Public: public, Label: "laptop"}, h.Clock.Now())
		return err
	})
	c.actor, err = auth.ActorFor(t.Context(), h.db, p.ID)
	check(t, err)
	_, c.secret, err = h.Auth.AddAPIKey(t.Context(), c.actor, p.ID, "test", []auth.Scope{auth.ScopeRead, auth.ScopeWrite}, time.Time{})
	check(t, err)
	c.cookie = sync.OnceValue(func() string { return h.signIn(t, c) })
	h.people[name] = c
	return c
}

func (h *house) write(t testing.TB, f func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	check(t, h.db.Write(t.Context(), f))
}

// settleDown lets everything that follows from what happened happen.
func (h *house) settleDown(t testing.TB) {
	t.Helper()
	for {
		n, err := h.feed.Drain(t.Context())
		check(t, err)
		sent, err := h.Notices.Dispatch(t.Context())
		check(t, err)
		if n+sent == 0 {
			return
		}
	}
}

// run keeps the feed and the dispatcher going until the test ends.
func (h *house) run(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, f := range []func(context.Context) error{h.feed.Run, h.Notices.Run} {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("background: %v", err)
			}
		})
	}
	t.Cleanup(func() { stop(); wg.Wait() })
}

// touches reports whether an operation needs a touch, which no API key can give.
func (h *house) touches(method, path string) bool {
	return slices.ContainsFunc(h.routes, func(r route) bool {
		want, got := strings.Split(prefix+r.path, "/"), strings.Split(path, "/")
		return r.method == method && auth.ProofOf(r.seat) == auth.Touch && slices.EqualFunc(want, got, func(w, g string) bool { return w == g || strings.HasPrefix(w, "{") })
	})
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body []byte
}

// asking changes a request before it is sent.
type asking func(*http.Request)

func header(name, value string) asking { return func(r *http.Request) { r.Header.Set(name, value) } }

// do sends a request; body may be nil, a string or bytes as they are, or a
// value to be sent as JSON.
func (c *caller) do(t testing.TB, method, path string, body any, more ...asking) reply {
	t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		check(t, err)
		r = bytes.NewReader(raw)
	}
	if !strings.HasPrefix(path, "/api/") {
		path = prefix + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.house.url+path, r)
	check(t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.lang != "" {
		req.Header.Set("Accept-Language", c.lang)
	}
	switch {
	case c.cookie != nil && c.house.touches(method, req.URL.Path):
		req.Header.Set("Cookie", c.cookie())
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	case c.secret != "":
		req.Header.Set("Authorization", "Bearer "+c.secret)
	}
	for _, m := range more {
		m(req)
	}
	res, err := http.DefaultClient.Do(req)
	check(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	check(t, err)
	return reply{res, raw}
}

// want checks the status, and reads the body as JSON if into is not nil.
func (r reply) want(t testing.TB, status int, into any) reply {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d\n%s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	if into != nil {
		if err := json.Unmarshal(r.body, into); err != nil {
			t.Fatalf("%s %s: %v\n%s", r.Request.Method, r.Request.URL.Path, err, r.body)
		}
	}
	return r
}

// problem checks that the answer is a problem of that status and code, in the
// form of RFC 9457.
func (r reply) problem(t testing.TB, status int, code string) Problem {
	t.Helper()
	var p Problem
	r.want(t, status, &p)
	if got := r.Header.Get("Content-Type"); got != problemType {
		t.Errorf("%s %s: Content-Type %q, want %q", r.Request.Method, r.Request.URL.Path, got, problemType)
	}
	if code != "" && p.Code != code {
		t.Errorf("%s %s: code %q, want %q\n%s", r.Request.Method, r.Request.URL.Path, p.Code, code, r.body)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || p.Detail == p.Code || p.Instance == "" || p.Type == "" {
		t.Errorf("%s %s: incomplete problem\n%s", r.Request.Method, r.Request.URL.Path, r.body)
	}
	for _, e := range p.Errors {
		if e.Detail == "" || e.Detail == e.Code || e.In == "" {
			t.Errorf("%s %s: incomplete part %+v", r.Request.Method, r.Request.URL.Path, e)
		}
	}
	return p
}

// form is a multipart body: JSON first, then files.
func form(t testing.TB, name string, first any, files ...string) ([]byte, asking) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"`}, "Content-Type": {"application/json"}})
	check(t, err)
	check(t, json.NewEncoder(part).Encode(first))
	for i, content := range files {
		f, err := w.CreateFormFile("file", fmt.Sprintf("bukti-%d.txt", i+1))
		check(t, err)
		_, err = io.WriteString(f, content)
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes(), header("Content-Type", w.FormDataContentType())
}

// sign signs the canonical bytes of a notice.
func (c *caller) sign(t testing.TB, id string) signatureBody {
	t.Helper()
	raw := c.do(t, "GET", "/notices/"+id+"/canonical", nil).want(t, 200, nil).body
	digest := notes.Digest(notes.KindNotice, raw)
	return signatureBody{Key: string(party.KeyIDOf(c.private.Public().(ed25519.PublicKey))), Signature: ed25519.Sign(c.private, digest[:])}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// finding is a complete assessment that allows a notice.
func finding() AssessmentBody {
	a := AssessmentBody{
		Measure: "removal-order", Public: notes.Yes, Functions: []notes.Function{notes.FunctionRecruitment}, Tier: notes.TierPromotional,
		Listed:    notes.Listed{Class: notes.ListNone},
		Necessity: notes.Necessity{Tried: []notes.Measure{{Measure: "Rujukan", Outcome: "Tanpa jawaban"}}},
		Scope:     notes.Scope{Territories: []string{"ID"}},
		Reasons:   notes.Text{Binding: "id", Texts: map[string]string{"id": "Mengajak ikut kelompok rekaan."}},
	}
	for _, g := range notes.Grounds() {
		f := notes.GroundFinding{Ground: g, Met: notes.No}
		if g == notes.GroundSolicitGroup {
			f.Met, f.Reasons = notes.Yes, "Ajakan pada menit 00.37."
		}
		a.Grounds = append(a.Grounds, f)
	}
	for _, p := range notes.Purposes() {
		a.PurposeTests = append(a.PurposeTests, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: "Tidak ada tanda."})
	}
	return a
}

// reported files a report by nobody and returns its receipt and the case.
func (h *house) reported(t testing.TB, links ...string) (receipt, caseID string) {
	t.Helper()
	if len(links) == 0 {
		h.n++
		links = []string{fmt.Sprintf("https://ruangsuara.example/v/%d", 9000+h.n)}
	}
	var got receiptBody
	h.public.do(t, "POST", "/reports", submitBody{Locations: links, Category: "recruitment", Agency: "tangkal-daring"}).want(t, 201, &got)
	h.settleDown(t)
	var cases list[CaseBody]
	h.people["ratna"].do(t, "GET", "/cases?limit=200", nil).want(t, 200, &cases)
	for _, c := range cases.Items {
		var v caseView
		h.people["ratna"].do(t, "GET", "/cases/"+c.ID, nil).want(t, 200, &v)
		for _, l := range v.LocationList {
			if l.URL == links[0] {
				return got.Receipt, c.ID
			}
		}
	}
	t.Fatalf("no case for %q among %d", links, len(cases.Items))
	return "", ""
}

// assessed takes a case, uploads evidence and assesses it completely.
func (h *house) assessed(t testing.TB, id string, a AssessmentBody) {
	t.Helper()
	ratna := h.people["ratna"]
	ratna.do(t, "POST", "/cases/"+id+"/take", nil).want(t, 200, nil)
	body, kind := form(t, "capture", captureBody{}, "bukti rekaan")
	ratna.do(t, "POST", "/cases/"+id+"/captures", body, kind).want(t, 201, nil)
	ratna.do(t, "PUT", "/cases/"+id+"/assessment", a, header("If-Match", `"0"`)).want(t, 200, nil)
}

// sent takes a new case all the way to a platform's inbox.
func (h *house) sent(t testing.TB) (receipt string, n NoticeBody) {
	t.Helper()
	receipt, id := h.reported(t)
	h.assessed(t, id, finding())
	ratna, sari, bagus := h.people["ratna"], h.people["sari"], h.people["bagus"]
	ratna.do(t, "POST", "/notices", draftBody{Case: id, Kind: "removal-order", DeadlineMinutes: 240, Issuer: string(h.parties["kem-komunikasi"].ID)}).want(t, 201, &n)
	ratna.do(t, "POST", "/notices/"+n.ID+"/propose", ratna.sign(t, n.ID)).want(t, 200, nil)
	sari.do(t, "POST", "/notices/"+n.ID+"/approve", sari.sign(t, n.ID)).want(t, 200, nil)
	bagus.do(t, "POST", "/notices/"+n.ID+"/issue", bagus.sign(t, n.ID)).want(t, 200, nil)
	h.settleDown(t)
	return receipt, n
}

// answerTo signs a sign-in challenge.
func (c *caller) answerTo(ch challengeBody) map[string]any {
	public := c.private.Public().(ed25519.PublicKey)
	return map[string]any{"challenge": ch.ID, "key": party.KeyIDOf(public), "signature": ed25519.Sign(c.private, ch.Digest)}
}
