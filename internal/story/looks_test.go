package story_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web"
)

// choose lists every page, with the cases and notices that show most.
func (s *show) choose(t *testing.T, a *app.App) {
	t.Helper()
	cases, _, err := a.Casework.Queue(t.Context(), s.cast.Actor("ratna"), casework.Filter{Limit: 50})
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	free := slices.IndexFunc(cases[1:], func(c casework.Case) bool { return c.State == casework.Open }) + 1
	inbox, _, err := a.Notice.Inbox(t.Context(), s.cast.Actor("mika"), notice.Filter{Limit: 50})
	if err != nil || len(inbox) == 0 {
		t.Fatalf("no notices: %v", err)
	}
	order := inbox[0]
	for _, n := range inbox {
		if n.Issuer == s.cast.Actor("bagus").Party && n.Life == notice.Open && !n.ReceivedAt.IsZero() {
			order = n
		}
	}
	bima := s.cast.Actor("bima")
	bima.Touched = true
	hook, _, err := a.Outbox.AddEndpoint(t.Context(), bima, "https://hooks.tangkal.example/in", "case system", nil)
	if err != nil {
		t.Fatal(err)
	}
	brought := s.bring(t, a, cases[0].ID)
	handed, offered := s.offer(t, a, cases[free].ID)
	approval, batch := s.draw(t, a)
	invitation, recovery := s.admit(t, a)
	id := string(order.ID)
	s.looks = []look{
		{"home", "", "/"},
		{"report", "", "/report"},
		{"receipt", "", "/receipt"},
		{"sign-in", "", "/sign-in"},
		{"invitation", "", "/invitation/" + invitation},
		{"recovery", "", "/recovery/" + recovery},
		{"triage", "ratna", "/triage"},
		{"case", "ratna", "/cases/" + string(cases[0].ID)},
		{"break", "ratna", "/break"},
		{"hand-over", "ratna", "/cases/" + handed + "/hand-over"},
		{"hand-overs", "ratna", "/hand-overs"},
		{"hand-over-offered", "jonas", "/hand-overs/" + offered},
		{"profile", "ratna", "/profile"},
		{"waiting", "sari", "/waiting"},
		{"find", "ratna", "/find?q=ruangsuara"},
		{"urgent", "ratna", "/urgent"},
		{"accuracy", "ratna", "/accuracy"},
		{"lists", "laras", "/lists"},
		{"list", "laras", "/lists/" + brought.list},
		{"list-draft", "laras", "/lists/" + brought.draft},
		{"registers", "ratna", "/registers"},
		{"register", "ratna", "/registers/" + brought.register},
		{"register-entry", "ratna", "/register-entries/" + brought.entry},
		{"orders", "bagus", "/orders"},
		{"order", "bagus", "/orders/" + id},
		{"print", "bagus", "/orders/" + id + "/print"},
		{"approvals", "sari", "/approvals"},
		{"approval", "sari", "/approvals/" + approval},
		{"batch", "sari", "/approvals/batches/" + batch},
		{"issue", "bagus", "/approvals"},
		{"inbox", "mika", "/inbox"},
		{"inbox-notice", "mika", "/inbox/" + id},
		{"inbox-file", "mika", "/inbox/answers"},
		{"organisation", "bima", "/organisation"},
		{"webhook", "bima", "/organisation/webhooks/" + hook.ID},
		{"record", "bima", "/organisation/record"},
		{"duty", "bima", "/organisation/duty"},
		{"policies", "bima", "/policy"},
		{"policy", "bima", "/policy/id"},
		{"policy-compare", "bima", "/policy/id/compare?version=3"},
		{"policy-eu", "jonas", "/policy/eu-tco"},
		{"oversight-order", "hana", "/orders/" + id},
	}
}

// brought are the lists and registers that there are to look at.
type brought struct{ list, draft, register, entry string }

// bring lets Meridia send a list, of which Ratna finds one thing lawful, and
// another that waits to be started; and Ratna bring in an old register that
// knows the things of a case.
func (s *show) bring(t *testing.T, a *app.App, id casework.ID) brought {
	t.Helper()
	laras, ratna := s.cast.Actor("laras"), s.cast.Actor("ratna")
	wake, stop := a.Feed.Sequenced().Listen()
	defer stop()
	send := func(by party.Actor, f flagger.File) flagger.ID {
		l, err := a.Flagger.Upload(t.Context(), by, f)
		if err == nil {
			err = a.Flagger.Start(t.Context(), by, l.ID)
		}
		for err == nil && l.State != flagger.Done {
			<-wake
			l, err = a.Flagger.Get(t.Context(), by, l.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		return l.ID
	}
	list := send(laras, flagger.File{Kind: flagger.Reports, Name: "november.csv", Lang: i18n.EN, Content: strings.NewReader(
		"url,note\nhttps://ruangsuara.example/v/4711,first\nhttps://ruangsuara.example/v/4712,second\nnot a link,third\n")})
	v, err := a.Flagger.Look(t.Context(), laras, list, flagger.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	told, err := a.Casework.OfReport(t.Context(), ratna, v.Rows[0].Report)
	for err == nil && len(told) == 0 {
		<-wake
		told, err = a.Casework.OfReport(t.Context(), ratna, v.Rows[0].Report)
	}
	if err == nil {
		_, err = a.Casework.Close(t.Context(), ratna, []casework.ID{told[0].ID}, casework.CloseInput{Reason: "no-ground"})
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Casework.Get(t.Context(), ratna, id)
	if err != nil {
		t.Fatal(err)
	}
	old := "tautan;tanggal;keputusan;dasar;nomor;status;catatan\n" +
		c.Locations[0].URL + ";12/03/2019;Pemutusan akses;Pasal 5;KK-118/2019;dicabut;Dibuka setelah keberatan pemilik.\n" +
		c.Locations[0].URL + ";01/06/2020;Peringatan;Pasal 5;KK-204/2020;berlaku;\nhttps://ruangsuara.example/v/4713;;Peringatan;;;;\n"
	kept := send(ratna, flagger.File{Kind: flagger.Register, Name: "keputusan-2019.csv", Lang: i18n.ID, Content: strings.NewReader(old)})
	view, err := a.Flagger.Look(t.Context(), ratna, kept, flagger.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	draft, err := a.Flagger.Upload(t.Context(), laras, flagger.File{Kind: flagger.Reports, Name: "december.csv", Lang: i18n.EN, Content: strings.NewReader(
		"link;seen;category;note;our number\nhttps://kabarkita.example/s/4714;21/11/2026;recruitment;asks to join;MR-1\nhttps://kabarkita.example/s/4715;32/11/2026;art;;MR-2\n")})
	if err != nil {
		t.Fatal(err)
	}
	return brought{string(list), string(draft.ID), string(kept), string(view.Rows[0].Entry)}
}

// offer lets Ratna assess a case so that it may be handed over, and finds one
// that the European authority was offered.
func (s *show) offer(t *testing.T, a *app.App, id casework.ID) (handed, offered string) {
	t.Helper()
	ctx, ratna := t.Context(), s.cast.Actor("ratna")
	like, _, err := a.Casework.Queue(ctx, ratna, casework.Filter{States: []casework.State{casework.Proposed}, Limit: 1})
	if err != nil || len(like) == 0 {
		t.Fatalf("nothing is proposed: %v", err)
	}
	v, err := a.Casework.Get(ctx, ratna, like[0].ID)
	var c casework.Case
	if err == nil {
		c, err = a.Casework.Take(ctx, ratna, id)
	}
	if err == nil {
		err = a.Casework.NoCaptureReason(ctx, ratna, id, "Tautan hanya terbuka bagi anggota.")
	}
	if err == nil {
		as := v.Assessments[len(v.Assessments)-1].Assessment
		as.Measure = casework.MeasureHandOver
		_, err = a.Casework.Assess(ctx, ratna, id, c.Assessed, as)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := a.Casework.HandOvers(ctx, s.cast.Actor("jonas"), casework.Offered, "", 1)
	if err != nil || len(all) == 0 {
		t.Fatalf("nothing is offered: %v", err)
	}
	return string(id), string(all[0].ID)
}

// draw lets Sari draw the largest batch that waits for her.
func (s *show) draw(t *testing.T, a *app.App) (approval, batch string) {
	t.Helper()
	sari := s.cast.Actor("sari")
	waiting, err := a.Notice.Approvals(t.Context(), sari)
	if err != nil {
		t.Fatal(err)
	}
	groups := a.Notice.Groups(waiting)
	if len(groups) == 0 {
		t.Fatalf("none of %d notices are alike", len(waiting))
	}
	largest := slices.MaxFunc(groups, func(a, b notice.Group) int { return len(a.Notices) - len(b.Notices) })
	var ids []notice.ID
	for _, w := range largest.Notices {
		ids = append(ids, w.ID)
	}
	b, err := a.Notice.Draw(t.Context(), sari, ids)
	if err != nil {
		t.Fatal(err)
	}
	return string(waiting[0].ID), string(b.ID)
}

// admit lets Bima invite somebody, and with Sari let Dimas back in.
func (s *show) admit(t *testing.T, a *app.App) (invitation, recovery string) {
	t.Helper()
	ctx, bima, sari := t.Context(), s.cast.Actor("bima"), s.cast.Actor("sari")
	bima.Touched, sari.Touched = true, true
	_, invitation, err := a.Auth.Invite(ctx, bima, bima.Party, "Wulan D.", "wulan@tangkal-daring.example", []party.Role{party.Analyst})
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := a.Auth.OpenRecovery(ctx, bima, s.cast.Actor("dimas").Person)
	if err == nil {
		_, recovery, err = a.Auth.ConfirmRecovery(ctx, sari, r.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return invitation, recovery
}

// unseen are the pages without a look, and why.
var unseen = map[string]string{
	"GET /figures.csv":               "a file",
	"GET /figures.json":              "a file",
	"GET /robots.txt":                "a file",
	"GET /favicon.ico":               "a file",
	"GET /.well-known/security.txt":  "a file",
	"GET /lists/{id}/faults.csv":     "a file",
	"GET /registers/{id}/faults.csv": "a file",
	"GET /lists/accuracy.csv":        "a file",
	"GET /accuracy.csv":              "a file",
	"GET /orders/{id}/signed.json":   "a file",
	"GET /orders/{id}/files/{file}":  "a file",
	"GET /inbox/answers.csv":         "a file",
	"GET /events":                    "a stream",
	"GET /report/lane/{ticket}":      "leads back to /report",
	"GET /receipt/message":           "leads back to /receipt",
	"GET /receipt/message/{ticket}":  "leads back to /receipt",
	"GET /receipt/material":          "leads back to /receipt",
	"GET /receipt/material/{ticket}": "leads back to /receipt",
	"GET /sign-in/provider":          "leads to the identity provider",
	"GET /profile/provider":          "leads to the identity provider",
	"GET /sign-in/provider/back":     "leads on from the identity provider",
	"GET /first-run":                 "over before there is a demonstration",
	"GET /urgent/strip":              "a part of every page of who is on duty",
	"GET /cases/{id}/captures":       "a part of the page of a case",
	"GET /inbox/{id}/receipt":        "a part of the page of a notice",
}

// everyRoute wants a look at each page of the table, or an excuse by name.
func (s *show) everyRoute(t *testing.T, routes []web.Route) {
	t.Helper()
	mux, left := http.NewServeMux(), map[string]bool{}
	for _, r := range routes {
		if strings.HasPrefix(r.Pattern, "GET ") {
			mux.Handle(r.Pattern, http.NotFoundHandler())
			left[r.Pattern] = true
		}
	}
	for pattern := range unseen {
		if !left[pattern] {
			t.Errorf("there is no %s to excuse", pattern)
		}
		delete(left, pattern)
	}
	for _, l := range s.looks {
		u, err := url.Parse(s.url + l.path)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: u, Host: u.Host})
		if pattern == "" {
			t.Errorf("look %s is at no page of the table: %s", l.name, l.path)
		}
		delete(left, pattern)
	}
	for _, pattern := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("nobody looks at %s", pattern)
	}
}
