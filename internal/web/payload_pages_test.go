package web_test

import (
	"encoding/csv"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// rest makes what the other pages show: an office, lists, a call, a case handed
// over, a batch and a recovery. It returns what they are called by.
func (w *infested) rest(t *testing.T) map[string]string {
	t.Helper()
	ctx, d, admin := t.Context(), at(t, w.Exchange, w.analyst), w.As(t, "agency-admin").Actor
	things := map[string]string{"invitation": w.office(t)}
	w.register(t, things) // before as many drafts wait as may
	w.lists(t, things)
	w.until(t, "the case of a row", func() bool {
		told, err := db.All(ctx, w.App.DB, db.Scalar[string], `SELECT case_id FROM case_reports WHERE report_id IN (SELECT report_id FROM flagger_rows) LIMIT 1`)
		must(t, err)
		things["told"] = strings.Join(told, "")
		return len(told) == 1
	})
	w.soon(t, "https://ruangsuara.example/v/soon?"+url.Values{"q": payloads[:1]}.Encode())
	over := d.reported(t, "https://ruangsuara.example/v/handed?"+url.Values{"q": payloads[1:2]}.Encode())
	d.post(t, "/cases/"+string(over.ID)+"/take", nil)
	d.uploads(t, "/cases/"+string(over.ID)+"/captures", picture(t))
	w.assess(t, over.ID, notes.NoticeKind("hand-over"), w.long())
	authority, err := party.ByCode(ctx, w.App.DB, "kem-komunikasi")
	must(t, err)
	handed, err := w.App.Casework.HandOver(ctx, d.Actor, over.ID, casework.HandOverInput{To: authority.ID, Note: strings.Join(tame[:20], " ")})
	must(t, err)
	w.reasons = w.long()
	things["unread"] = string(w.sent(t, notes.RemovalOrder, "https://ruangsuara.example/v/unread?"+url.Values{"q": payloads[2:3]}.Encode()).ID)
	drawn, err := w.App.Notice.Draw(ctx, w.As(t, w.approver).Actor, w.proposes(t, 2))
	must(t, err)
	hooks, err := w.App.Outbox.Endpoints(ctx, admin)
	must(t, err)
	hurt, err := db.Value[string](ctx, w.App.DB, `SELECT id FROM people WHERE party_id = $1 AND name = $2`, string(admin.Party), tame[0])
	must(t, err)
	recovery, _, err := w.App.Auth.OpenRecovery(ctx, admin, party.PersonID(hurt))
	must(t, err)
	_, secret, err := w.App.Auth.ConfirmRecovery(ctx, w.As(t, w.approver).Actor, recovery.ID)
	must(t, err)
	things["hand-over"], things["batch"], things["webhook"], things["recovery"] = string(handed), string(drawn.ID), hooks[0].ID, secret
	return things
}

// lists sends files whose names, headings and cells are hostile: one is a
// draft, one is reported.
func (w *infested) lists(t *testing.T, things map[string]string) {
	t.Helper()
	by := w.As(t, w.analyst).Actor
	table := [][]string{append([]string{"link", "note", "reference", "date", "hint"}, tame[:30]...)}
	for _, p := range tame {
		link := "https://ruangsuara.example/v/listed?" + url.Values{"q": {p}}.Encode()
		table = append(table, append([]string{link, p, p}, make([]string, 32)...), append([]string{p, p, p, p, p}, tame[len(tame)-30:]...))
		w.put += 9
	}
	things["draft"] = string(w.list(t, tame[0], table, nil).ID)
	rows := [][]string{{"link", "note"}}
	for i := 0; i+6 <= len(tame); i += 6 {
		rows = append(rows, []string{"https://ruangsuara.example/v/listed", strings.Join(tame[i:i+6], " ")})
		w.put += 6
	}
	reported := w.list(t, tame[1], rows, []flagger.Field{flagger.Location, flagger.Note})
	must(t, w.App.Flagger.Start(t.Context(), by, reported.ID))
	w.until(t, "the end of the list", func() bool {
		l, err := w.App.Flagger.Get(t.Context(), by, reported.ID)
		must(t, err)
		return l.State == flagger.Done
	})
	things["reported"] = string(reported.ID)
	named := slices.DeleteFunc(slices.Clone(tame), func(p string) bool { return strings.Contains(p, "/") })
	for _, p := range named[:min(len(named), flagger.MaxWaiting-1)] {
		w.list(t, p, [][]string{{"link"}, {p}}, nil)
		w.put++
	}
}

// register brings in hostile decisions of before, of what the list reported.
func (w *infested) register(t *testing.T, things map[string]string) {
	t.Helper()
	by, rows := w.As(t, w.analyst).Actor, [][]string{{"link", "date", "decision", "ground", "reference", "platform", "status", "note"}}
	for _, p := range tame {
		rows = append(rows, []string{"https://ruangsuara.example/v/listed", "2019-03-12", p, p, p, p, p, p})
		w.put += 6
	}
	var file strings.Builder
	must(t, csv.NewWriter(&file).WriteAll(rows))
	l, err := w.App.Flagger.Upload(t.Context(), by, flagger.File{Kind: flagger.Register, Name: tame[2], Content: strings.NewReader(file.String()), Lang: "id"})
	must(t, err)
	must(t, w.App.Flagger.Start(t.Context(), by, l.ID))
	w.until(t, "the end of the register", func() bool {
		l, err := w.App.Flagger.Get(t.Context(), by, l.ID)
		must(t, err)
		return l.State == flagger.Done
	})
	v, err := w.App.Flagger.Look(t.Context(), by, l.ID, flagger.Choice{Outcome: flagger.Kept})
	must(t, err)
	if v.Counts[flagger.Kept] < len(tame)/2 {
		t.Fatalf("%v of the register", v.Counts)
	}
	things["register"], things["entry"] = string(l.ID), string(v.Rows[0].Entry)
}

// list uploads a table.
func (w *infested) list(t *testing.T, name string, table [][]string, columns []flagger.Field) flagger.List {
	t.Helper()
	var file strings.Builder
	must(t, csv.NewWriter(&file).WriteAll(table))
	l, err := w.App.Flagger.Upload(t.Context(), w.As(t, w.analyst).Actor, flagger.File{Kind: flagger.Reports, Name: name, Content: strings.NewReader(file.String()), Lang: "id", Columns: columns})
	must(t, err)
	return l
}

// visits are the pages that show what was written.
func (w *infested) visits(id casework.ID, n notice.ID, things map[string]string) map[string][]string {
	order := []string{"/orders", "/orders/" + string(n), "/orders/" + string(n) + "/print", "/approvals"}
	lists := []string{"/lists", "/lists/" + things["draft"], "/lists/" + things["draft"] + "?show=faulty", "/lists/" + things["reported"], "/registers", "/registers/" + things["register"], "/register-entries/" + things["entry"], "/cases/" + things["told"], "/accuracy"}
	desk := []string{
		"/triage", "/cases/" + string(id), "/cases/" + string(id) + "/captures", "/cases/" + string(id) + "/hand-over", "/hand-overs", "/urgent", "/urgent/strip", "/waiting", "/break", "/profile", "/organisation",
	}
	v := map[string][]string{
		"analyst":      slices.Concat(desk, lists, order),
		"approver":     append([]string{"/approvals/" + string(n), "/approvals/batches/" + things["batch"], "/cases/" + string(id), "/waiting", "/urgent"}, order...),
		"officer":      append([]string{"/hand-overs", "/hand-overs/" + things["hand-over"], "/waiting"}, order...),
		"reviewer":     append([]string{"/cases/" + string(id)}, order[:3]...),
		"platform":     {"/inbox", "/inbox/" + string(n), "/inbox/" + things["unread"] + "/receipt", "/orders/" + string(n) + "/print", "/inbox/answers"},
		"agency-admin": {"/organisation", "/organisation/record", "/organisation/duty", "/organisation/webhooks/" + things["webhook"], "/policy", "/policy/id", "/policy/id/compare?version=3", "/waiting", "/profile"},
		"nobody":       {"/", "/report", "/receipt", "/sign-in", "/invitation/" + things["invitation"], "/recovery/" + things["recovery"]},
	}
	for _, p := range payloads { // what an address says comes back on some pages
		q := url.QueryEscape(p)
		v["analyst"] = append(v["analyst"], "/find?q="+q)
		v["nobody"] = append(v["nobody"], "/"+url.PathEscape(p)+"?lang="+q+"&next="+q+"&said="+q)
	}
	for _, p := range payloads[:12] {
		q := url.QueryEscape(p)
		v["nobody"] = append(v["nobody"], "/sign-in?next="+q, "/report?location="+q+"&url="+q+"&agency="+q)
		v["analyst"] = append(v["analyst"], "/triage?said="+q+"&q="+q+"&state="+q+"&cursor="+q, "/lists/"+things["draft"]+"?show="+q+"&after="+q)
	}
	return v
}

// unvisited are the addresses that visits leaves out, and why.
var unvisited = map[string]string{
	"GET /figures.csv":               "a file, of numbers",
	"GET /figures.json":              "a file, of numbers",
	"GET /robots.txt":                "a file of ours",
	"GET /favicon.ico":               "a file of ours",
	"GET /.well-known/security.txt":  "a file of ours",
	"GET /report/lane/{ticket}":      "leads back to /report",
	"GET /receipt/message":           "leads back to /receipt",
	"GET /receipt/message/{ticket}":  "leads back to /receipt",
	"GET /receipt/material":          "leads back to /receipt",
	"GET /receipt/material/{ticket}": "leads back to /receipt",
	"GET /sign-in/provider":          "leads to the identity provider",
	"GET /profile/provider":          "leads to the identity provider",
	"GET /sign-in/provider/back":     "leads on from the identity provider",
	"GET /first-run":                 "over before anybody can write",
	"GET /events":                    "a stream of names of events, never opened as a page",
	"GET /lists/{id}/faults.csv":     "a file to be saved: flagger.Harmless",
	"GET /registers/{id}/faults.csv": "a file to be saved: flagger.Harmless",
	"GET /lists/accuracy.csv":        "a file to be saved: flagger.Harmless",
	"GET /accuracy.csv":              "a file to be saved: flagger.Harmless",
	"GET /orders/{id}/signed.json":   "a file to be saved",
	"GET /orders/{id}/files/{file}":  "a file to be saved",
	"GET /inbox/answers.csv":         "a file to be saved: flagger.Harmless",
}

// everyPage wants a visit that finds something at each address of the table
// that gives a page.
func (w *infested) everyPage(t *testing.T, visits map[string][]string) {
	t.Helper()
	left := map[string]bool{}
	for _, r := range pageTable() {
		if strings.HasPrefix(r.Pattern, "GET ") {
			left[r.Pattern] = true
		}
	}
	for pattern := range unvisited {
		if !left[pattern] {
			t.Errorf("there is no %s to excuse", pattern)
		}
		delete(left, pattern)
	}
	for who, paths := range visits {
		for _, path := range paths {
			bare, _, _ := strings.Cut(path, "?")
			for pattern := range maps.Clone(left) {
				if !likePath(strings.TrimPrefix(pattern, "GET ")).MatchString(bare) {
					continue
				}
				client := http.DefaultClient
				if who != "nobody" {
					client = w.As(t, who).Browser
				}
				resp, err := client.Get(w.URL + path) //nolint:noctx // a test's request
				must(t, err)
				must(t, resp.Body.Close())
				if resp.StatusCode != http.StatusOK || strings.Contains(resp.Request.URL.Path, "/sign-in") != strings.HasPrefix(bare, "/sign-in") {
					t.Errorf("%s finds nothing at %s: %d", who, path, resp.StatusCode)
				}
				delete(left, pattern)
			}
		}
	}
	for pattern := range left {
		t.Errorf("nobody visits %s", pattern)
	}
}
