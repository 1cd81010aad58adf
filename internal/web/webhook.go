package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/web/components"
)

// HookPage is one webhook: how it fares, its last test, and its log.
type HookPage struct {
	components.ConsolePage
	Title, Sub string
	Tabs       []components.Tab
	Hook       HookRow
	Host       string
	State      string // what its health means, in a sentence
	Resume     string // label of the button that ends a pause or a wait; "" for none
	Trial      *TrialBox
	Rows       []AttemptRow
	Older      string // address of the next page, "" at the end
	First      bool   // the newest page of the log
	Replays    []ReplayRow
	ZoneName   string // of the times that are typed in
	Errors     []components.FieldError
	Since      string // what was typed in
}

// A TrialBox is what became of the last test.
type TrialBox struct {
	Title, Text string
	Look        string // ok, bad, or wait
	Again       string // where to look again, while it is under way
}

// An AttemptRow is one attempt in the log.
type AttemptRow struct {
	At, Type, Ref, Message, N, Answer, Took string
	OK, Repeat                              bool
}

// A ReplayRow is what somebody asked to have sent again.
type ReplayRow struct{ What, Done string }

const (
	// logPage is how many attempts one page shows.
	logPage = 50
	// trialWait is how long a page waits for the test that it was opened for.
	trialWait = 4 * time.Second
)

// webhook: GET /organisation/webhooks/{id}?before=CURSOR&test=ENTRY. Opened for
// a test it waits a little for what becomes of it.
func (s *Server) webhook(w http.ResponseWriter, r *http.Request) error {
	return s.showWebhook(w, r, http.StatusOK, func(*HookPage) {})
}

// showWebhook renders the page after change has added what a POST left to say.
func (s *Server) showWebhook(w http.ResponseWriter, r *http.Request, status int, change func(*HookPage)) error {
	ctx, actor, id := r.Context(), actorOf(r.Context()), r.PathValue("id")
	p := i18n.For(langOf(r))
	trial, tried, err := s.trial(ctx, r, id)
	if err != nil {
		return err
	}
	h, err := s.Outbox.Endpoint(ctx, actor, id)
	if err != nil {
		return err
	}
	before, err := outbox.ParseCursor(r.URL.Query().Get("before"))
	if err != nil {
		before = outbox.Cursor{} // a link that was cut off shows the newest
	}
	rows, next, err := s.Outbox.History(ctx, actor, id, before, logPage)
	if err != nil {
		return err
	}
	host := hostOf(h.URL)
	c, err := s.console(r, "organisation", p.T("admin.hook.title", "Host", host),
		components.Crumb{Label: p.T("web.nav.organisation"), Href: "/organisation"}, components.Crumb{Label: p.T("admin.hook.title", "Host", host)})
	if err != nil {
		return err
	}
	pg := HookPage{
		ConsolePage: c, Title: c.Party.Name, Sub: p.T("admin.hook.sub"), Tabs: s.adminTabs(p, actor, "people"),
		Hook: hookRow(c, h), Host: host, First: before == outbox.Cursor{}, ZoneName: c.Zone.String(),
	}
	pg.fares(h)
	if tried {
		pg.Trial = trialBox(c, host, id, trial)
	}
	for _, l := range rows {
		pg.Rows = append(pg.Rows, attemptRow(c, l))
	}
	if next != (outbox.Cursor{}) {
		pg.Older = "/organisation/webhooks/" + id + "?before=" + url.QueryEscape(next.String())
	}
	if err := s.fillReplays(r, &pg, id); err != nil {
		return err
	}
	change(&pg)
	pg.Failed = len(pg.Errors) > 0
	return s.render(w, r, status, webhookView(pg))
}

// fillReplays lists what was asked for again.
func (s *Server) fillReplays(r *http.Request, pg *HookPage, id string) error {
	all, err := s.Outbox.Replays(r.Context(), actorOf(r.Context()), id)
	if err != nil || len(all) == 0 {
		return err
	}
	names, err := s.namesOf(r, actorOf(r.Context()))
	if err != nil {
		return err
	}
	for _, p := range all {
		row := ReplayRow{Done: pg.P.T("admin.hook.replay.running")}
		row.What = pg.P.T("admin.hook.replay.row", "At", pg.P.DateTime(p.AskedAt, pg.Zone), "By", names[string(p.By)], "After", pg.P.Number(p.After+1), "Until", pg.P.Number(p.Until))
		if !p.DoneAt.IsZero() {
			row.Done = pg.P.N("admin.hook.replay.done", p.Queued)
		}
		pg.Replays = append(pg.Replays, row)
	}
	return nil
}

// trial is the last test of a webhook; the one that the page was opened for is
// waited for.
func (s *Server) trial(ctx context.Context, r *http.Request, id string) (outbox.Trial, bool, error) {
	entry := r.URL.Query().Get("test")
	if entry == "" {
		return s.Outbox.LastTrial(ctx, actorOf(ctx), id)
	}
	short, cancel := context.WithTimeout(ctx, trialWait)
	defer cancel()
	t, ok, err := s.Outbox.AwaitTrial(short, actorOf(ctx), id, entry)
	if err == nil && !ok { // it has no place in the feed yet
		t, ok = outbox.Trial{Entry: entry}, true
	}
	return t, ok, err
}

// hostOf is the host of an address, so that nobody follows it by mistake.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return canonical.Defang(raw)
	}
	return canonical.Defang(u.Host)
}

// fares says how the webhook fares and what its people can do.
func (pg *HookPage) fares(h outbox.Endpoint) {
	p := pg.P
	when := func(t time.Time) string { return p.When(t, pg.Now, pg.Zone) }
	switch h.Health() {
	case outbox.Paused:
		pg.State = p.T("admin.hook.state.paused", "Since", when(h.PausedAt), "Down", p.Span(outbox.PauseAfter))
		pg.Resume = p.T("admin.hook.resume")
	case outbox.Failing:
		pg.State = p.N("admin.hook.state.failing", h.Failures, "Since", when(h.FailingSince))
		if !h.RetryAt.IsZero() {
			pg.Resume = p.T("admin.hook.now")
		}
	case outbox.Untried:
		pg.State = p.T("admin.hook.state.untried")
	case outbox.Well:
		pg.State = p.T("admin.hook.state.well", "At", when(h.LastOK))
	}
}

// trialBox says what became of a test, and if it failed what would be right.
func trialBox(c components.ConsolePage, host, id string, t outbox.Trial) *TrialBox {
	p := c.P
	switch {
	case !t.Done:
		return &TrialBox{
			Title: p.T("admin.hook.trial.wait"), Text: p.T("admin.hook.trial.wait.text"), Look: "wait",
			Again: "/organisation/webhooks/" + id + "?test=" + url.QueryEscape(t.Entry),
		}
	case t.OK():
		return &TrialBox{
			Title: p.T("admin.hook.trial.ok", "Status", t.Status, "Ms", p.Number(int64(t.TookMS))),
			Text:  p.T("admin.hook.trial.ok.text", "Host", host, "At", p.When(t.At, c.Now, c.Zone)), Look: "ok",
		}
	default:
		return &TrialBox{
			Title: p.T("admin.hook.trial.bad", "Why", answerOf(p, t.Status, t.Error), "Ms", p.Number(int64(t.TookMS)), "At", p.When(t.At, c.Now, c.Zone)),
			Text:  p.T("admin.hook.why."+whyOf(t.Status, t.Error), "Host", host, "Status", t.Status), Look: "bad",
		}
	}
}

// whyOf is the catalogue word for what would have to be mended.
func whyOf(status int, name string) string {
	switch {
	case status >= 500:
		return "failure"
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests:
		return "busy"
	case status >= 400:
		return "refusal"
	case status >= 300:
		return "redirect"
	case status > 0:
		return "taken"
	case name == outbox.Altered:
		return "altered"
	}
	for _, known := range outbox.Failures() {
		if name == known {
			return name
		}
	}
	return outbox.Unreachable // a word of an older version
}

// answerOf says what the endpoint answered, or why there was no answer.
func answerOf(p *i18n.Printer, status int, name string) string {
	why := whyOf(status, name)
	if status > 0 {
		if why == "redirect" {
			return p.T("admin.hook.answer.redirect", "Status", status)
		}
		return p.T("admin.hook.answer.status", "Status", status)
	}
	return p.T("admin.hook.answer." + why)
}

func attemptRow(c components.ConsolePage, l outbox.LogEntry) AttemptRow {
	p := c.P
	return AttemptRow{
		At: p.DateTime(l.At, c.Zone), Type: l.Type, Ref: l.Ref, Message: l.Message, N: p.Number(int64(l.N)),
		Answer: answerOf(p, l.Status, l.Error), Took: p.Number(int64(l.TookMS)), OK: l.OK(), Repeat: l.Repeat,
	}
}

// addWebhook: POST /organisation/webhooks url, label, events
func (s *Server) addWebhook(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	f := r.PostForm
	_, secret, err := s.Outbox.AddEndpoint(r.Context(), actorOf(r.Context()), f.Get("url"), f.Get("label"), strings.Fields(f.Get("events")))
	if err != nil {
		return s.again(w, r, "webhook", err, map[string]string{"/url": "hook-url", "/label": "hook-label", "/events": "hook-events"})
	}
	return s.once(w, r, "webhook", secret)
}

// testWebhook: POST /organisation/webhooks/{id}/test
func (s *Server) testWebhook(w http.ResponseWriter, r *http.Request) error {
	entry, err := s.Outbox.Test(r.Context(), actorOf(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	return seeOther(w, r, "/organisation/webhooks/"+url.PathEscape(r.PathValue("id"))+"?test="+url.QueryEscape(entry))
}

// resumeWebhook: POST /organisation/webhooks/{id}/resume
func (s *Server) resumeWebhook(w http.ResponseWriter, r *http.Request) error {
	if err := s.Outbox.Resume(r.Context(), actorOf(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation/webhooks/"+url.PathEscape(r.PathValue("id")))
}

// replayWebhook: POST /organisation/webhooks/{id}/replay since, a date and time
// of the actor's zone.
func (s *Server) replayWebhook(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	actor, id := actorOf(r.Context()), r.PathValue("id")
	typed := strings.TrimSpace(r.PostForm.Get("since"))
	since, err := time.ParseInLocation("2006-01-02 15:04", strings.Replace(typed, "T", " ", 1), localTime(actor))
	if err != nil {
		err = fault.New(fault.Invalid, "admin.hook.replay.time").At("/since")
	} else {
		_, err = s.Outbox.ReplaySince(r.Context(), actor, id, since)
	}
	if err == nil {
		return seeOther(w, r, "/organisation/webhooks/"+url.PathEscape(id)+"#replays")
	}
	if fault.Is(err, "outbox.replay-running") {
		err = fault.New(fault.Invalid, "outbox.replay-running").At("/since")
	}
	wrong, err := fieldErrors(i18n.For(langOf(r)), err, map[string]string{"/since": "since"})
	if err != nil {
		return err
	}
	return s.showWebhook(w, r, http.StatusUnprocessableEntity, func(pg *HookPage) { pg.Errors, pg.Since = wrong, typed })
}

// rotateWebhook: POST /organisation/webhooks/{id}/rotate
func (s *Server) rotateWebhook(w http.ResponseWriter, r *http.Request) error {
	_, secret, err := s.Outbox.Rotate(r.Context(), actorOf(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.once(w, r, "webhook", secret)
}

// removeWebhook: POST /organisation/webhooks/{id}/remove
func (s *Server) removeWebhook(w http.ResponseWriter, r *http.Request) error {
	if err := s.Outbox.RemoveEndpoint(r.Context(), actorOf(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation")
}
