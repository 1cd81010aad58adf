package web_test

import (
	"bytes"
	gocmp "cmp"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web"
	"github.com/tangkal/tangkal/notes"
)

var update = flag.Bool("update", false, "write golden files anew")

// absent is an identifier that nothing has.
const absent = "0190a000-0000-7000-8000-000000000000"

// pageTable is every page there is. (The server stands on nothing.)
func pageTable() []web.Route {
	return web.New(web.Deps{
		Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Sessions: auth.New(nil, nil, clock.System{}, nil).NewSessions(true),
	}).Routes()
}

// estate is what one chain of organisations has, by the pages that name it.
type estate struct {
	*orderHouse
	columns []string                     // everybody who knocks, strangers first
	things  map[string]map[string]string // first words of a path: what its places mean
}

// possess lets tangkal-daring, kem-komunikasi and ruangsuara have one of
// everything that a page can name, and invites a stranger of every kind who
// has every role there is.
func possess(t *testing.T) *estate {
	t.Helper()
	h := startOrders(t)
	e := &estate{orderHouse: h, things: map[string]map[string]string{}}
	n := h.sent(t, notes.RemovalOrder, "https://ruangsuara.example/v/84qe-90t")
	h.receives(t, n.ID)
	e.give(t)
	e.things["waiting/letters"] = map[string]string{"id": e.letter(t, n)}
	e.things["orders"] = map[string]string{"id": string(n.ID), "n": "1", "file": absent}
	e.things["approvals"], e.things["inbox"] = e.things["orders"], e.things["orders"]
	b, err := h.App.Notice.Draw(t.Context(), h.As(t, h.approver).Actor, h.proposes(t, 2))
	must(t, err)
	e.things["approvals/batches"] = map[string]string{"id": string(b.ID)}
	e.columns = append([]string{"nobody"}, e.strangers(t)...)
	e.columns = append(e.columns, "other-platform", "same-analyst", "same-approver", "same-officer", "eu-analyst", "eu-approver", "eu-officer")
	e.columns = append(e.columns, "platform", "officer", "second-officer", "approver", "second-analyst", "analyst", "agency-admin", "reviewer")
	settle(t, h)
	return e
}

// strangers joins an organisation of every kind, with somebody who has every
// role. Oversight is not among them: it reads everything.
func (e *estate) strangers(t *testing.T) (names []string) {
	t.Helper()
	for _, k := range party.Kinds() {
		if k == party.Oversight {
			continue
		}
		org := party.Party{Code: "stranger-" + string(k), Kind: k, Name: "Stranger " + string(k), Contact: "desk@stranger.example", Languages: []string{"id"}, Zone: "Asia/Jakarta"}
		if k == party.Platform {
			org.PlatformKey, org.PlatformKinds, org.LegalRepresentative, org.Establishment = "forum-lain", []string{"social"}, "Stranger B.V.", "NL"
		}
		if slices.Contains([]party.Kind{party.Agency, party.Authority, party.LawEnforcement, party.Helpline}, k) {
			org.Jurisdiction, org.Establishment = "id", "ID"
		}
		e.Join(t, org.Code, org, party.Roles()...)
		names = append(names, org.Code)
	}
	return names
}

// give makes what the pages of cases and organisations name.
func (e *estate) give(t *testing.T) {
	t.Helper()
	d := at(t, e.Exchange, "analyst")
	e.things["urgent"] = map[string]string{"id": e.soon(t, "https://ruangsuara.example/v/matrix-soon")}
	settle(t, e.orderHouse) // its news is over before a webhook could carry it
	c := d.reported(t, "https://ruangsuara.example/v/matrix")
	over := d.reported(t, "https://ruangsuara.example/v/handed")
	d.post(t, "/cases/"+string(over.ID)+"/take", nil)
	d.uploads(t, "/cases/"+string(over.ID)+"/captures", picture(t))
	e.assess(t, over.ID, notes.NoticeKind("hand-over"), "Rekaan.")
	authority, err := party.ByCode(t.Context(), e.App.DB, "kem-komunikasi")
	must(t, err)
	handed, err := e.App.Casework.HandOver(t.Context(), d.Actor, over.ID, casework.HandOverInput{To: authority.ID})
	must(t, err)
	report, err := db.Value[string](t.Context(), e.App.DB, `SELECT report_id FROM case_reports WHERE case_id = $1`, string(c.ID))
	must(t, err)
	admin, victim := e.As(t, "agency-admin"), e.Join(t, "victim", party.Party{Code: "tangkal-daring", Zone: "Asia/Jakarta"}, party.Auditor)
	key, _, err := e.App.Auth.AddAPIKey(t.Context(), admin.Actor, admin.Person, "matrix", []auth.Scope{auth.ScopeRead}, time.Time{})
	must(t, err)
	invited, _, err := e.App.Auth.Invite(t.Context(), admin.Actor, admin.Party, "Tamu", "tamu@tangkal.example", []party.Role{party.Analyst})
	must(t, err)
	hook, _, err := e.App.Outbox.AddEndpoint(t.Context(), admin.Actor, "https://hooks.tangkal.example/in", "matrix", nil)
	must(t, err)
	e.things["cases"] = map[string]string{"id": string(c.ID), "report": report}
	e.things["hand-overs"] = map[string]string{"id": string(handed)}
	e.things["organisation/people"] = map[string]string{"id": string(victim.Person)}
	recovery, _, err := e.App.Auth.OpenRecovery(t.Context(), admin.Actor, victim.Person)
	must(t, err)
	e.things["recoveries"] = map[string]string{"id": recovery.ID}
	e.things["organisation/invitations"] = map[string]string{"id": invited.ID}
	e.things["organisation/keys"] = map[string]string{"id": key.ID}
	e.things["organisation/webhooks"] = map[string]string{"id": hook.ID}
	must(t, e.App.Duty.Add(t.Context(), admin.Actor, duty.Plan{Role: party.Approver, Weekdays: []time.Weekday{time.Monday}, To: 60, Person: e.Cast(t, "approver").Person}))
	shifts, err := duty.Of(t.Context(), e.App.DB, admin.Party)
	must(t, err)
	e.things["organisation/duty"] = map[string]string{"id": shifts[0].ID}
	e.things["policy"] = map[string]string{"code": "id"}
	session, err := db.Value[string](t.Context(), e.App.DB, `SELECT id FROM sessions WHERE person_id = $1`, string(e.As(t, "victim").Person))
	must(t, err)
	e.things["profile/sessions"] = map[string]string{"id": session}
	list, err := e.App.Flagger.Upload(t.Context(), d.Actor, flagger.File{Kind: flagger.Reports, Name: "matrix.csv", Content: strings.NewReader("url\nhttps://ruangsuara.example/v/listed\n"), Lang: "id"})
	must(t, err)
	e.things["lists"] = map[string]string{"id": string(list.ID)}
	file := flagger.File{Kind: flagger.Register, Name: "lama.csv", Content: strings.NewReader("url,ref\nhttps://ruangsuara.example/v/old,KK-7\n"), Lang: "id"}
	kept, err := e.App.Flagger.Upload(t.Context(), d.Actor, file)
	must(t, err)
	must(t, e.App.Flagger.Start(t.Context(), d.Actor, kept.ID))
	comes(t, e.Exchange, "the end of the register", func() bool {
		l, err := e.App.Flagger.Get(t.Context(), d.Actor, kept.ID)
		return err == nil && l.State == flagger.Done
	})
	v, err := e.App.Flagger.Look(t.Context(), d.Actor, kept.ID, flagger.Choice{})
	must(t, err)
	e.things["register-entries"] = map[string]string{"entry": string(v.Rows[0].Entry)}
	file.Content = strings.NewReader("url,ref\nhttps://ruangsuara.example/v/older,KK-6\n")
	draft, err := e.App.Flagger.Upload(t.Context(), d.Actor, file)
	must(t, err)
	e.things["registers"] = map[string]string{"id": string(draft.ID)}
	e.things["profile/keys"] = map[string]string{"id": string(d.Key)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plain leaves out of a page where it was asked for.
func plain(page, path string) string {
	return strings.NewReplacer(path, "PATH", url.QueryEscape(path), "PATH").Replace(page)
}

var place = regexp.MustCompile(`\{([a-z]+)\}`)

// path fills a pattern's places, with what there is or with what nobody has.
func (e *estate) path(pattern string, there bool) (path string, named bool) {
	noun := ""
	for n := range e.things {
		if strings.HasPrefix(pattern, "/"+n+"/{") && len(n) > len(noun) {
			noun = n
		}
	}
	path = place.ReplaceAllStringFunc(strings.ReplaceAll(pattern, "{$}", ""), func(p string) string {
		name := strings.Trim(p, "{}")
		if id := e.things[noun][name]; id != "" && there {
			return id
		}
		return absent
	})
	return path, noun != ""
}

// knock sends one request as somebody and follows nothing.
func (e *estate) knock(t *testing.T, who, method, path string, header http.Header) (status int, body string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute}
	if who != "nobody" {
		client.Jar = e.As(t, who).Browser.Jar
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), method, e.URL+path, strings.NewReader(url.Values{"lang": {"id"}}.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	if strings.HasPrefix(resp.Header.Get("Location"), "/sign-in") {
		return http.StatusUnauthorized, string(raw)
	}
	return resp.StatusCode, string(raw)
}

// lasting leaves out what tells of the visit, and of whoever came, alone.
func (e *estate) lasting(t *testing.T) []string {
	t.Helper()
	return dbtest.Dump(t, e.App.DB, "sessions", "challenges", "exposures").Texts()
}

// TestEveryPageByEverybody knocks at every page as everybody, once naming what
// one chain of organisations has and once what nobody has. The golden file is
// the answers, read by people; a page without a row there fails (threat-model
// T08). To those who have nothing to do with it, another's thing is an absent
// one: the same answer, and nothing in the database moves.
func TestEveryPageByEverybody(t *testing.T) {
	t.Parallel()
	e := possess(t)
	strangers := e.columns[:slices.Index(e.columns, "platform")]
	before := e.lasting(t)
	cells := map[string]map[string]string{}
	tried := 0
	for _, who := range e.columns {
		if who == "platform" {
			if diff := dbtest.Changed(before, e.lasting(t)); diff != "" {
				t.Errorf("strangers changed rows: %s", diff)
			}
		}
		for _, r := range pageTable() {
			method, pattern, _ := strings.Cut(r.Pattern, " ")
			if r.Act == "" || pattern == "/events" {
				continue // anybody may come, or the answer does not end
			}
			if cells[r.Pattern] == nil {
				cells[r.Pattern] = map[string]string{}
			}
			there, cell := e.cell(t, who, method, pattern, slices.Contains(strangers, who))
			tried += there
			cells[r.Pattern][who] = cell
		}
	}
	if tried < 1000 {
		t.Errorf("%d attempts of strangers, want at least 1,000", tried)
	}
	goldenPages(t, e.columns, cells)
}

// cell is what somebody gets for what there is, and for what nobody has.
func (e *estate) cell(t *testing.T, who, method, pattern string, stranger bool) (tried int, cell string) {
	t.Helper()
	gone, named := e.path(pattern, false)
	none, said := e.knock(t, who, method, gone, nil)
	if !named {
		return 0, outcome(none)
	}
	path, _ := e.path(pattern, true)
	own, got := e.knock(t, who, method, path, nil)
	if stranger {
		said, got = plain(said, gone), plain(got, path)
		if public := strings.HasPrefix(pattern, "/policy/"); !public && (own != none || let(own) || said != got) {
			t.Errorf("%s %s as %s: %d for another's, %d for an absent one\n%s", method, pattern, who, own, none, cmp.Diff(said, got))
		}
	}
	return 1, outcome(own) + "/" + outcome(none)
}

// let reports whether an answer is that of somebody who may.
func let(status int) bool {
	return status < 300 || status == http.StatusSeeOther || status == http.StatusConflict
}

// outcome is an answer as far as rights go: in, or why not.
func outcome(status int) string {
	if let(status) {
		return "in"
	}
	return strconv.Itoa(status)
}

// goldenPages compares the answers, one line for each different outcome.
func goldenPages(t *testing.T, columns []string, cells map[string]map[string]string) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# Every page by everybody: the answer for what tangkal-daring, kem-komunikasi and ruangsuara have / for what nobody has.\n")
	b.WriteString("# in: the page or its act; 401: sign in first; 403: not yours to do; 404: as if absent; 422: the form is looked at first.\n")
	for _, r := range pageTable() {
		row, ok := cells[r.Pattern]
		if !ok {
			fmt.Fprintf(&b, "%s\n  anybody\n", r.Pattern)
			continue
		}
		fmt.Fprintf(&b, "%s (%s)\n", r.Pattern, r.Act)
		writeRow(&b, columns, row)
	}
	file := filepath.Join("testdata", "pages.golden")
	if *update {
		must(t, os.MkdirAll("testdata", 0o750))
		must(t, os.WriteFile(file, b.Bytes(), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("rights of pages changed; read each line, then go test ./internal/web -run EveryPage -update:\n%s", diff)
	}
}

// writeRow writes who gets which answer, the commonest last and without names.
func writeRow(b *bytes.Buffer, columns []string, row map[string]string) {
	who := map[string][]string{}
	for _, c := range columns {
		who[row[c]] = append(who[row[c]], c)
	}
	answers := slices.SortedFunc(maps.Keys(who), func(a, z string) int {
		return gocmp.Or(gocmp.Compare(len(who[a]), len(who[z])), gocmp.Compare(a, z))
	})
	for i, answer := range answers {
		names := strings.Join(who[answer], " ")
		if i == len(answers)-1 {
			names = "everybody else"
			if i == 0 {
				names = "everybody"
			}
		}
		fmt.Fprintf(b, "  %s: %s\n", answer, names)
	}
}

// TestAPageHasItsMethodsAndNoOthers sends every other method to every page, as
// nobody, as who may and as a stranger with every role, and asks by header and
// field for another method than the one that is used: no such request does
// anything.
func TestAPageHasItsMethodsAndNoOthers(t *testing.T) {
	t.Parallel()
	e := possess(t)
	methods := map[string][]string{}
	for _, r := range pageTable() {
		method, pattern, _ := strings.Cut(r.Pattern, " ")
		methods[pattern] = append(methods[pattern], method)
		if method == http.MethodGet {
			methods[pattern] = append(methods[pattern], http.MethodHead)
		}
	}
	before, tried := e.lasting(t), 0
	for pattern, has := range methods {
		path, _ := e.path(pattern, true)
		for other, more := range methods {
			if likePath(other).MatchString(path) {
				has = append(has, more...) // as /inbox/{id} takes /inbox/bulk
			}
		}
		for _, who := range []string{"nobody", "stranger-agency", "analyst", "second-officer", "platform", "agency-admin"} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "PROPFIND"} {
				if slices.Contains(has, method) {
					continue
				}
				tried++
				if got, _ := e.knock(t, who, method, path, nil); got != http.StatusMethodNotAllowed && got != http.StatusNotFound {
					t.Errorf("%s %s as %s: %d", method, pattern, who, got)
				}
			}
		}
	}
	if diff := dbtest.Changed(before, e.lasting(t)); diff != "" {
		t.Errorf("something happened: %s", diff)
	}
	for pattern, has := range methods {
		path, _ := e.path(pattern, true)
		for _, who := range []string{"nobody", "stranger-agency", "analyst", "platform"} {
			if slices.Contains(has, http.MethodGet) && pattern != "/events" {
				e.overrides(t, who, path)
			}
		}
	}
	if tried < 1000 {
		t.Errorf("%d requests, want at least 1,000", tried)
	}
}

// likePath matches the paths that a pattern takes.
func likePath(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + place.ReplaceAllString(strings.ReplaceAll(pattern, "{$}", ""), "[^/]+") + "$")
}

// overrides asks a page for another method in the ways that some servers heed.
func (e *estate) overrides(t *testing.T, who, path string) {
	t.Helper()
	want, _ := e.knock(t, who, http.MethodGet, path, nil)
	if head, _ := e.knock(t, who, http.MethodHead, path, nil); head != want {
		t.Errorf("HEAD %s as %s: %d, GET %d", path, who, head, want)
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		for _, method := range []string{http.MethodPost, http.MethodDelete} {
			if got, _ := e.knock(t, who, http.MethodGet, path+"?_method="+method, http.Header{name: {method}}); got != want {
				t.Errorf("GET %s as %s with %s %s: %d, without %d", path, who, name, method, got, want)
			}
		}
	}
}
