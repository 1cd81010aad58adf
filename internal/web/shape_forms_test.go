package web_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/flagger"
)

// sentForms notes which forms were sent on their way.
type sentForms struct {
	next  http.RoundTripper
	paths []string // of what was posted
}

func (s *sentForms) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		s.paths = append(s.paths, r.URL.Path)
	}
	if s.next == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return s.next.RoundTrip(r)
}

// unsent are the forms that everyForm does not send, and why.
var unsent = map[string]string{
	"POST /report":                    "the public's, without a session: public_story_test.go",
	"POST /report/ticket":             "as POST /report",
	"POST /report/lane/{ticket}":      "as POST /report",
	"POST /receipt":                   "the public's, told by a secret that the form names",
	"POST /receipt/message":           "as POST /receipt",
	"POST /receipt/material":          "as POST /receipt",
	"POST /receipt/message/{ticket}":  "as POST /receipt",
	"POST /receipt/material/{ticket}": "as POST /receipt",
	"POST /sign-in":                   "who comes is not known yet: signin_test.go",
	"POST /sign-in/passkey":           "as POST /sign-in",
	"POST /sign-out":                  "ends the session that the others need",
	"POST /demo/sign-in":              "not in a server that is no demonstration",
	"POST /invitation/{secret}":       "as POST /sign-in",
	"POST /recovery/{secret}":         "as POST /sign-in",
	"POST /first-run":                 "over before anybody can sign in",
	"POST /touch":                     "passes on what another form sent: touch_story_test.go",

	"POST /profile/passkeys":          "what an authenticator made, once: passkey_sign_test.go",
	"POST /profile/keys":              "a key drawn by chance, which the comparison would see: signin_test.go",
	"POST /profile/keys/{id}/revoke":  "takes the key that the others sign with",
	"POST /profile/sessions/{id}/end": "ends the session that the others need",
	"POST /profile/sessions/end":      "as POST /profile/sessions/{id}/end",

	"POST /profile/provider":             "a server with an identity provider has it: provider_own_test.go",
	"POST /profile/provider/end":         "as POST /profile/provider",
	"POST /invitation/{secret}/provider": "as POST /profile/provider",

	"POST /waiting/letters/{id}/reached": "needs a mail server that refuses: waiting_test.go",
	"POST /recoveries/{id}/confirm":      "shows a secret once and ends what colleagues need: recovery_story_test.go",
	"POST /recoveries/{id}/cancel":       "as POST /recoveries/{id}/confirm",

	"POST /organisation/people/{id}/recover":    "as POST /recoveries/{id}/confirm",
	"POST /organisation/people/{id}/provider":   "a server with an identity provider has it: provider_story_test.go",
	"POST /organisation/people/{id}/deactivate": "takes somebody whom the others need: admin_test.go",
	"POST /organisation/parties":                "the instance's own administrators send it, who are not of this chain: admin_test.go",

	"POST /triage/next":               "a form without a field, which leads to what is next: case_test.go",
	"POST /triage/undo":               "told by a secret that the form names: case_test.go",
	"POST /cases/{id}/assign":         "a lead sends it, who is not of this chain: case_test.go",
	"POST /cases/{id}/opinion/ask":    "stops the case that goes through the chain: case_test.go",
	"POST /cases/{id}/opinion":        "as POST /cases/{id}/opinion/ask",
	"POST /cases/{id}/captures/fetch": "goes to a machine elsewhere, as its own test in casework does",
	"POST /cases/{id}/check":          "the form of POST /cases/{id}/assess, kept unfinished",
	"POST /cases/{id}/propose":        "what POST /orders/{id}/propose does, from the page of the case: case_test.go",
	"POST /cases/{id}/withdraw":       "as POST /cases/{id}/propose",
	"POST /cases/{id}/hand-over":      "ends the case that goes through the chain: case_test.go",
	"POST /hand-overs/{id}/accept":    "as POST /cases/{id}/hand-over",
	"POST /hand-overs/{id}/return":    "as POST /cases/{id}/hand-over",

	"POST /orders/{id}/return":            "sends back the order that goes through the chain: order_test.go",
	"POST /orders/{id}/recorded":          "a form with files, as POST /cases/{id}/captures: order_test.go",
	"POST /orders/{id}/served":            "as POST /orders/{id}/recorded",
	"POST /orders/{id}/items/{n}/resolve": "the other way to end what is reopened: order_test.go",
	"POST /orders/{id}/deemed":            "needs days without a receipt: order_test.go",
	"POST /orders/{id}/deemed/confirm":    "as POST /orders/{id}/deemed",

	"POST /approvals/batches":              "signs many as one signs one: batch_browser_test.go",
	"POST /approvals/batches/{id}/open":    "as POST /approvals/batches",
	"POST /approvals/batches/{id}/without": "as POST /approvals/batches",
	"POST /approvals/batches/{id}/approve": "as POST /approvals/batches",

	"POST /inbox/bulk":           "answers many as one answers one: inbox_test.go",
	"POST /inbox/answers":        "a file of answers: answers_file tests in inbox_test.go",
	"POST /inbox/answers/failed": "hands back what POST /inbox/answers refused",
}

// compare wants every form of the table sent, or excused and not sent.
func (s *sentForms) compare(t *testing.T) {
	t.Helper()
	excused := maps.Clone(unsent)
	for _, r := range pageTable() {
		method, pattern, _ := strings.Cut(r.Pattern, " ")
		_, known := excused[r.Pattern]
		delete(excused, r.Pattern)
		sent := method == http.MethodPost && slices.ContainsFunc(s.paths, likePath(pattern).MatchString)
		if method == http.MethodPost && sent == known {
			t.Errorf("%s: sent %v, excused %v", r.Pattern, sent, known)
		}
	}
	for pattern := range excused {
		t.Errorf("there is no %s to excuse", pattern)
	}
}

// deskForms are what a desk does beside the case that goes through the chain.
func deskForms(t *testing.T, h *orderHouse) {
	t.Helper()
	ok, d := http.StatusOK, at(t, h.Exchange, "analyst")
	call := h.soon(t, "https://ruangsuara.example/v/soon")
	settle(t, h)
	h.does(t, ok, "approver", "/urgent/"+call+"/heed", nil)
	c := d.reported(t, "https://ruangsuara.example/v/other")
	report, err := db.Value[string](t.Context(), h.App.DB, `SELECT report_id FROM case_reports WHERE case_id = $1`, string(c.ID))
	must(t, err)
	path := "/cases/" + string(c.ID)
	h.does(t, ok, "analyst", path+"/skip", nil)
	h.does(t, ok, "analyst", path+"/take", nil)
	h.does(t, ok, "analyst", path+"/locations", url.Values{"locations": {"https://ruangsuara.example/v/more"}})
	h.does(t, ok, "analyst", path+"/captures/none", url.Values{"why": {"Sudah hilang."}})
	h.does(t, ok, "analyst", path+"/reports/"+report+"/reply", url.Values{"text": {"Terima kasih."}})
	h.does(t, ok, "analyst", path+"/hold", url.Values{"reason": {"court"}, "term": {"24h"}})
	h.does(t, ok, "analyst", path+"/hold/end", url.Values{"outcome": {"go-on"}})
	h.does(t, ok, "analyst", path+"/release", nil)
	h.does(t, ok, "analyst", "/triage/close", url.Values{"id": {string(c.ID)}, "reason": {"duplicate"}})
	h.does(t, ok, "analyst", "/exposure", url.Values{"seconds": {"3"}})
	h.does(t, ok, "analyst", "/break", nil)
	h.does(t, ok, "analyst", "/profile/mail", url.Values{"urgent": {"on"}, "daily": {"8"}})
	h.does(t, ok, "analyst", "/profile/topics", url.Values{"topic": {"financing"}})
	h.does(t, ok, "agency-admin", "/organisation/duty", url.Values{"role": {"approver"}, "day": {"1"}, "from": {"08:00"}, "to": {"16:00"}, "person": {string(h.As(t, "approver").Person)}})
	shifts, err := duty.Of(t.Context(), h.App.DB, d.Party)
	must(t, err)
	h.does(t, ok, "agency-admin", "/organisation/duty/"+shifts[0].ID+"/remove", nil)
	h.does(t, ok, "agency-admin", "/organisation/people/"+string(h.As(t, "second-analyst").Person)+"/sessions/end", nil)
	for _, of := range [][2]string{{"keys", "api_keys"}, {"invitations", "invitations"}} {
		id, err := db.Value[string](t.Context(), h.App.DB, `SELECT id FROM `+of[1]+` WHERE party_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1`, string(d.Party))
		must(t, err)
		h.does(t, ok, "agency-admin", "/organisation/"+of[0]+"/"+id+"/revoke", nil)
	}
}

// listForms send two lists: one is reported and taken back, one is thrown away.
// And two old registers alike.
func listForms(t *testing.T, h *orderHouse) {
	t.Helper()
	ok, d := http.StatusOK, at(t, h.Exchange, "analyst")
	for _, of := range [][2]string{{"/lists", "note"}, {"/registers", "reference"}} {
		at, words := of[0], of[1]
		page := d.brings(t, at, "november.csv", "link,words\nhttps://ruangsuara.example/v/listed,rekaan\n")
		page.want(t, ok)
		path := page.url.Path
		h.does(t, ok, "analyst", path+"/columns", url.Values{"column-0": {"location"}, "column-1": {words}})
		h.does(t, ok, "analyst", path+"/start", nil)
		h.until(t, "the end of what was sent to "+at, func() bool {
			l, err := h.App.Flagger.Get(t.Context(), d.Actor, flagger.ID(strings.TrimPrefix(path, at+"/")))
			must(t, err)
			open, err := db.Value[int64](t.Context(), h.App.DB, `SELECT count(*) FROM reports WHERE id NOT IN (SELECT report_id FROM case_reports)`)
			return err == nil && open == 0 && l.State == flagger.Done
		})
		h.does(t, ok, "analyst", path+"/undo", nil)
		h.until(t, "the end of taking it back", func() bool {
			l, err := h.App.Flagger.Get(t.Context(), d.Actor, flagger.ID(strings.TrimPrefix(path, at+"/")))
			must(t, err)
			return l.Gone
		})
		page = d.brings(t, at, "lain.csv", "link\nhttps://ruangsuara.example/v/unlisted\n")
		page.want(t, ok)
		h.does(t, ok, "analyst", page.url.Path+"/discard", nil)
	}
}

// hookForms do everything with a webhook. Before each step what it would send
// has been sent.
func hookForms(t *testing.T, h *orderHouse) {
	t.Helper()
	ok, admin, came := http.StatusOK, at(t, h.Exchange, "agency-admin"), make(chan string, 64)
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { came <- r.Header.Get("Webhook-Id") }))
	t.Cleanup(r.Close)
	h.does(t, ok, "agency-admin", "/organisation/webhooks", url.Values{"url": {r.URL}, "label": {"x"}, "events": {"notice.issued"}})
	all, err := h.App.Outbox.Endpoints(t.Context(), admin.Actor)
	must(t, err)
	path := "/organisation/webhooks/" + all[0].ID
	tested := func() {
		h.does(t, ok, "agency-admin", path+"/test", nil)
		wait, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		trial, _, err := h.App.Outbox.LastTrial(t.Context(), admin.Actor, all[0].ID)
		must(t, err)
		if trial, _, err = h.App.Outbox.AwaitTrial(wait, admin.Actor, all[0].ID, trial.Entry); err != nil || !trial.OK() {
			t.Fatalf("the test: %+v, %v", trial, err)
		}
		arrival(t, came)
	}
	tested()
	settle(t, h)
	h.does(t, ok, "agency-admin", path+"/replay", url.Values{"since": {"2020-01-01T00:00"}})
	arrival(t, came)
	tested() // goes after what is sent again
	h.does(t, ok, "agency-admin", path+"/resume", nil)
	h.does(t, ok, "agency-admin", path+"/rotate", nil)
	h.does(t, ok, "agency-admin", path+"/remove", nil)
}
