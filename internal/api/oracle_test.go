package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/party"
)

// An oracle knows from the rows alone, asking no room, who may read what.
type oracle map[string]map[string]auth.Object // list: identifier: what rights depend on

// live lets three organisations report, decide, hand over, order and answer, so
// that of every kind of thing several have several, at every stage.
func (h *house) live(t *testing.T) {
	t.Helper()
	h.possess(t)
	ratna, sari, bagus, lain := h.people["ratna"], h.people["sari"], h.people["bagus"], h.people["lain"]
	for i, who := range []*caller{ratna, sari, lain, lain, h.people["lina"]} {
		list, kind := form(t, "list", listSent{}, fmt.Sprintf("url\nhttps://ruangsuara.example/v/list-%d\n", i))
		who.do(t, "POST", "/lists", list, kind)
		old, kind := form(t, "list", listSent{}, fmt.Sprintf("url,ref\nhttps://ruangsuara.example/v/old-%d,KK-%d\n", i, i))
		who.do(t, "POST", "/registers", old, kind)
	}
	for i, agency := range []string{"tangkal-daring", "lain"} {
		soon := submitBody{Locations: []string{fmt.Sprintf("https://ruangsuara.example/v/soon-%d", i)}, Category: "unsure", Agency: agency, HurtSoon: true}
		h.public.do(t, "POST", "/reports", soon).want(t, 201, nil)
	}
	for i, platform := range []string{"ruangsuara", "kabarkita", "kabarkita", "ruangsuara"} {
		_, id := h.reported(t, fmt.Sprintf("https://%s.example/v/oracle-%d", platform, i))
		h.assessed(t, id, finding())
		var n NoticeBody
		ratna.do(t, "POST", "/notices", draftBody{Case: id, Kind: "removal-order", DeadlineMinutes: 240, Issuer: string(h.parties["kem-komunikasi"].ID)}).want(t, 201, &n)
		steps := []struct {
			who  *caller
			step string
		}{{ratna, "propose"}, {sari, "approve"}, {bagus, "issue"}}
		for _, s := range steps[:i%4] {
			s.who.do(t, "POST", "/notices/"+n.ID+"/"+s.step, s.who.sign(t, n.ID)).want(t, 200, nil)
		}
		h.settleDown(t)
		other := submitBody{Locations: []string{fmt.Sprintf("https://ruangsuara.example/v/lain-%d", i)}, Category: "unsure", Agency: "lain"}
		h.public.do(t, "POST", "/reports", other).want(t, 201, nil)
		lain.do(t, "POST", "/webhooks", map[string]any{"url": fmt.Sprintf("https://hooks.tangkal.example/lain-%d", i)}).want(t, 201, nil)
		lain.do(t, "POST", "/people/invitations", map[string]any{"name": "Tamu", "email": fmt.Sprintf("tamu%d@lain.example", i), "roles": []string{"analyst"}}).want(t, 201, nil)
	}
	h.settleDown(t)
}

// ask reads the rows.
func ask(t *testing.T, d *db.DB) oracle {
	t.Helper()
	o := oracle{}
	read := func(list, what, query string, fill func(o *auth.Object, parties [4]party.ID)) {
		type row struct {
			id string
			p  [4]party.ID
		}
		rows, err := db.All(t.Context(), d, func(r db.Row) (x row, err error) {
			err = r.Scan(&x.id, db.Text(&x.p[0]), db.Text(&x.p[1]), db.Text(&x.p[2]), db.Text(&x.p[3]))
			return x, err
		}, query)
		check(t, err)
		o[list] = map[string]auth.Object{}
		for _, r := range rows {
			object := auth.Object{What: what}
			fill(&object, r.p)
			o[list][r.id] = object
		}
	}
	owner := func(o *auth.Object, p [4]party.ID) { o.Owner = p[0] }
	read("/cases", "case", `SELECT id, party_id, NULL, NULL, NULL FROM cases`, owner)
	read("/reports", "report", `SELECT id, party_id, NULL, NULL, NULL FROM reports`, owner)
	read("/people", "party", `SELECT id, party_id, NULL, NULL, NULL FROM people`, owner)
	read("/keys", "party", `SELECT id, party_id, NULL, NULL, NULL FROM api_keys WHERE revoked_at IS NULL`, owner)
	read("/webhooks", "party", `SELECT id, party_id, NULL, NULL, NULL FROM endpoints`, owner)
	read("/people/invitations", "party", `SELECT id, party_id, NULL, NULL, NULL FROM invitations WHERE used_at IS NULL AND revoked_at IS NULL`, owner)
	read("/lists", "list", `SELECT id, party_id, NULL, NULL, NULL FROM flagger_imports WHERE kind = 'reports'`, owner)
	read("/registers", "register", `SELECT id, party_id, NULL, NULL, NULL FROM flagger_imports WHERE kind = 'register'`, owner)
	read("/urgent-calls", "case", `SELECT id, party_id, NULL, NULL, NULL FROM urgent_calls`, owner)
	read("/hand-overs", "handover", `SELECT id, party_id, to_party, NULL, NULL FROM handovers`, func(o *auth.Object, p [4]party.ID) { o.Owner, o.Receivers = p[0], []party.ID{p[1]} })
	read("/notices", "notice", `
		SELECT id, proposer, CASE WHEN issuer = proposer OR life NOT IN ('draft', 'proposed') THEN issuer END, CASE WHEN life NOT IN ('draft', 'proposed', 'approved', 'issued', 'logged') AND sent_mac IS NOT NULL THEN addressee END, NULL FROM notices`,
		func(o *auth.Object, p [4]party.ID) { o.Proposer, o.Issuer, o.Addressee = p[0], p[1], p[2] })
	o["/inbox"] = maps.Clone(o["/notices"])
	for id, object := range o["/inbox"] {
		o["/inbox"][id] = auth.Object{What: "notice", Addressee: object.Addressee}
	}
	return o
}

// readActs says which right each list stands for.
var readActs = map[string]auth.Act{
	"/cases": auth.CaseRead, "/reports": auth.ReportRead, "/people": auth.PartyRead, "/keys": auth.PartyAdmin, "/webhooks": auth.PartyAdmin,
	"/people/invitations": auth.PartyAdmin, "/hand-overs": auth.CaseRead, "/notices": auth.NoticeRead, "/inbox": auth.NoticeReceive,
	"/lists": auth.ListRead, "/registers": auth.RegisterRead, "/urgent-calls": auth.CaseRead,
}

// unasked are the routes without a thing's identifier in their path that
// oracles are not asked about, and why.
var unasked = map[string]string{
	"/reports/agencies":     "public",
	"/receipts":             "one report, by its secret",
	"/cases/counts":         "numbers of /cases",
	"/cases/next":           "one of /cases",
	"/notices/approvals":    "part of /notices, by what one may sign: notice/approvals_test.go",
	"/notices/awaiting":     "numbers of /notices",
	"/answers/template":     "what is open in /inbox, as CSV",
	"/policies":             "everybody reads the rules",
	"/platforms":            "everybody reads who can be addressed",
	"/transparency/summary": "public numbers",
	"/feed":                 "entries by audience, without a thing's identifier: feed tests",
	"/parties":              "everybody reads who takes part",
	"/accuracy":             "numbers, without an identifier: accuracy tests",
	"/accuracy/own":         "numbers of one's own",
	"/people/me":            "oneself",
	"/people/me/keys":       "one's own",
	"/people/me/sessions":   "one's own",
	"/people/me/exposure":   "one's own",
}

// everyList wants each route that gives a list among the oracles, or excused.
func (h *house) everyList(t *testing.T, known oracle) {
	t.Helper()
	excused := maps.Clone(unasked)
	for _, r := range h.routes {
		_, asked := known[r.path]
		asked = asked || r.path == "/batches" // each person's own
		_, left := excused[r.path]
		if r.method != http.MethodGet || strings.Contains(r.path, "{") {
			continue
		}
		delete(excused, r.path)
		if asked == left {
			t.Errorf("GET %s: asked %v, excused %v", r.path, asked, left)
		}
	}
	for path := range excused {
		t.Errorf("there is no GET %s to excuse", path)
	}
}

// TestEveryListIsWhatOneMayRead asks every list as everybody and wants exactly
// those of all things that the table of rights lets them read: nothing more,
// nothing less (threat-model T08).
func TestEveryListIsWhatOneMayRead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		h.live(t)
		for _, k := range party.Roles() {
			h.join(t, "a-"+string(k), "tangkal-daring", k)
			h.join(t, "p-"+string(k), "ruangsuara", k)
			h.join(t, "o-"+string(k), "dewan-pengawas", k)
		}
		known, shown := ask(t, d), 0
		h.everyList(t, known)
		for _, name := range slices.Sorted(maps.Keys(h.people)) {
			for list, all := range known {
				want := []string{}
				for id, object := range all {
					if auth.May(h.people[name].actor, readActs[list], object) == nil {
						want = append(want, id)
					}
				}
				slices.Sort(want)
				got := h.listed(t, name, list)
				shown += len(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s as %s (- may, + is shown):\n%s", list, name, diff)
				}
			}
		}
		batches := map[string][]string{} // by who drew them
		for name, one := range h.people {
			mine, err := db.All(t.Context(), d, db.Scalar[string], `SELECT id FROM notice_batches WHERE person_id = $1 AND state = 'drawn' ORDER BY id`, string(one.actor.Person))
			check(t, err)
			if len(mine) > 0 {
				batches[name] = mine
			}
			if got := h.listed(t, name, "/batches"); !slices.Equal(got, mine) {
				t.Errorf("/batches as %s: %v, drew %v", name, got, mine)
			}
		}
		if len(batches) == 0 || len(known["/lists"]) < 4 || len(known["/registers"]) < 4 || len(known["/urgent-calls"]) < 2 {
			t.Errorf("too few: %d people drew batches, %d lists, %d calls", len(batches), len(known["/lists"]), len(known["/urgent-calls"]))
		}
		if shown < 300 {
			t.Errorf("only %d things were shown", shown)
		}
	})
}

// listed returns the sorted identifiers of a whole list, page by page; a list
// that refuses shows nothing.
func (h *house) listed(t *testing.T, name, path string) []string {
	t.Helper()
	ids, cursor := []string{}, ""
	for {
		query := "?limit=3&cursor=" + cursor
		if path == "/cases" {
			query += "&state=open,taken,proposed,decided,handed-over,closed"
		}
		if auth.PartyAdmin == readActs[path] || slices.Contains([]string{"/people", "/lists", "/registers", "/urgent-calls", "/batches"}, path) {
			query = "" // one's own organisation has few: no pages
		}
		got := h.people[name].do(t, "GET", path+query, nil)
		if got.StatusCode == http.StatusForbidden || got.StatusCode == http.StatusNotFound {
			return ids
		}
		var page list[struct {
			ID string `json:"id"`
		}]
		got.want(t, http.StatusOK, &page)
		for _, i := range page.Items {
			ids = append(ids, i.ID)
		}
		if cursor = page.Next; cursor == "" {
			slices.Sort(ids)
			return ids
		}
	}
}
