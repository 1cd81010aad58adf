package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
)

// things are one organisation's objects by the operation whose path names
// them. The first is the {id}, the second what else the path names.
type things map[string][2]string

// possess lets tangkal-daring, and ruangsuara where only a platform can, have
// one of everything.
func (h *house) possess(t *testing.T) things {
	t.Helper()
	bima, ratna := h.people["bima"], h.people["ratna"]
	victim := h.join(t, "korban", "tangkal-daring", party.Auditor)
	_, n := h.sent(t)
	h.people["lina"].do(t, "POST", "/notices/"+n.ID+"/receive", map[string]any{}).want(t, 200, nil)

	body, kind := form(t, "report", submitBody{Locations: []string{"https://ruangsuara.example/v/1"}, Category: "unsure", Agency: "tangkal-daring"}, "bukti")
	h.public.do(t, "POST", "/reports", body, kind).want(t, 201, nil)
	h.settleDown(t)
	var reports list[reportSummary]
	ratna.do(t, "GET", "/reports?limit=1", nil).want(t, 200, &reports)
	var rep reportBody
	ratna.do(t, "GET", "/reports/"+reports.Items[0].ID, nil).want(t, 200, &rep)

	var decided caseView
	ratna.do(t, "GET", "/cases/"+n.Case, nil).want(t, 200, &decided)
	_, open := h.reported(t)
	_, given := h.reported(t)
	a := finding()
	a.Measure = "hand-over"
	h.assessed(t, given, a)
	var over idBody
	ratna.do(t, "POST", "/cases/"+given+"/hand-overs", map[string]any{"to": h.parties["kem-komunikasi"].ID}).want(t, 201, &over)

	var hook webhookMade
	bima.do(t, "POST", "/webhooks", map[string]any{"url": "https://hooks.tangkal.example/in"}).want(t, 201, &hook)
	bima.do(t, "POST", "/webhooks/"+hook.ID+"/test", nil).want(t, 202, nil)
	h.settleDown(t)
	var deliveries list[deliveryBody]
	bima.do(t, "GET", "/webhooks/"+hook.ID+"/deliveries", nil).want(t, 200, &deliveries)
	key, _, err := h.Auth.AddAPIKey(t.Context(), bima.actor, bima.actor.Person, "a", []auth.Scope{auth.ScopeRead}, time.Time{})
	check(t, err)
	var invited invitedBody
	bima.do(t, "POST", "/people/invitations", map[string]any{"name": "Tamu", "email": "tamu@org.example", "roles": []string{"analyst"}}).want(t, 201, &invited)
	var mine list[keyBody]
	victim.do(t, "GET", "/people/me/keys", nil).want(t, 200, &mine)
	victim.cookie()
	browsers, err := h.Auth.Sessions(t.Context(), victim.actor, victim.actor.Person)
	check(t, err)

	var sent listBody
	listed, kind := form(t, "list", listSent{}, "url\nhttps://ruangsuara.example/v/77\n")
	ratna.do(t, "POST", "/lists", listed, kind).want(t, 201, &sent)

	var old listBody
	register, kind := form(t, "list", listSent{}, "url,ref\nhttps://ruangsuara.example/v/77,KK-7\n")
	ratna.do(t, "POST", "/registers", register, kind).want(t, 201, &old)

	return things{
		"lists": {sent.ID}, "registers": {old.ID},
		"batches": {h.batch(t)}, "reports": {rep.ID, rep.Files[0].ID}, "cases": {open}, "captures": {"", decided.CaptureList[0].Files[0].ID}, "hand-overs": {over.ID},
		"notices": {n.ID, absent}, "dossiers": {decided.Dossiers[0].ID}, "webhooks": {hook.ID}, "deliveries": {deliveries.Items[0].ID},
		"people/me/sessions": {browsers[0].ID}, "keys": {key.ID}, "people": {string(victim.actor.Person), mine.Items[0].ID}, "people/invitations": {invited.ID},
	}
}

// batch is what sari has drawn from two like orders.
func (h *house) batch(t *testing.T) string {
	t.Helper()
	ratna, sari := h.people["ratna"], h.people["sari"]
	var ids []notice.ID
	for range 2 {
		_, id := h.reported(t)
		h.assessed(t, id, finding())
		var n NoticeBody
		ratna.do(t, "POST", "/notices", draftBody{Case: id, Kind: "removal-order", DeadlineMinutes: 240, Issuer: string(h.parties["kem-komunikasi"].ID)}).want(t, 201, &n)
		ratna.do(t, "POST", "/notices/"+n.ID+"/propose", ratna.sign(t, n.ID)).want(t, 200, nil)
		ids = append(ids, notice.ID(n.ID))
	}
	b, err := h.Notices.Draw(t.Context(), sari.actor, ids)
	check(t, err)
	return string(b.ID)
}

// of returns the objects that a row's path names.
func (th things) of(r route) ([2]string, bool) {
	noun, _, named := strings.Cut(strings.TrimPrefix(r.path, "/"), "/{")
	noun, _, _ = strings.Cut(strings.TrimSuffix(noun, "/files"), "/{")
	ids, ok := th[noun]
	return ids, ok && named
}

func fillWith(r route, ids [2]string) string {
	return strings.NewReplacer("{id}", ids[0], "{file}", ids[1], "{key}", ids[1], "{n}", "1").Replace(r.path)
}

// strangers have nothing to do with what tangkal-daring has.
var strangers = []string{"nobody", "kira", "koko", "lain"}

// TestAnothersObjectIsAnAbsentOne tries every operation on an object that is
// named by its path, as everybody, once with tangkal-daring's and once with
// one that nobody has. For strangers both answers are the same; the golden
// file is what everybody gets (threat-model T08).
func TestAnothersObjectIsAnAbsentOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := h.readSpec(t)
		owned := h.possess(t)
		var b strings.Builder
		b.WriteString("# status with tangkal-daring's object / with one that nobody has\n")
		tried := 0
		for _, r := range h.routes {
			ids, ok := owned.of(r)
			if !ok {
				continue
			}
			fmt.Fprintf(&b, "%s %s\n ", r.method, r.path)
			for _, name := range append([]string{"nobody"}, names()...) {
				own, none := h.both(t, s, r, name, ids)
				fmt.Fprintf(&b, " %s %d/%d", name, own.StatusCode, none.StatusCode)
				if slices.Contains(strangers, name) {
					tried++
					refusedAlike(t, r, name, own, none)
				}
			}
			b.WriteString("\n")
		}
		if tried < 150 {
			t.Errorf("%d attempts of strangers, want at least 150", tried)
		}
		golden(t, "matrix.golden", b.String())
	})
}

func names() []string {
	var out []string
	for _, c := range cast {
		out = append(out, c.name)
	}
	return out
}

// both sends the same request about an object that exists and one that does
// not, the absent one first.
func (h *house) both(t *testing.T, s spec, r route, name string, ids [2]string) (own, none reply) {
	t.Helper()
	c := h.public
	if name != "nobody" {
		c = h.people[name]
	}
	send := func(ids [2]string) reply {
		if r.id == "captures.add" {
			body, kind := form(t, "capture", captureBody{}, "bukti")
			return c.do(t, r.method, fillWith(r, ids), body, kind)
		}
		if schema := s.body(r); schema != nil {
			return c.do(t, r.method, fillWith(r, ids), s.sample(schema), header("If-Match", `"0"`))
		}
		return c.do(t, r.method, fillWith(r, ids), nil)
	}
	none = send([2]string{absent, absent})
	return send(ids), none
}

func refusedAlike(t *testing.T, r route, name string, own, none reply) {
	t.Helper()
	a, b := own.problem(t, own.StatusCode, ""), none.problem(t, none.StatusCode, "")
	if !slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity}, own.StatusCode) {
		t.Errorf("%s %s as %s: %d", r.method, r.path, name, own.StatusCode)
	}
	if own.StatusCode != none.StatusCode || a.Code != b.Code || a.Detail != b.Detail || len(a.Errors) != len(b.Errors) {
		t.Errorf("%s %s as %s: %d %s (%s) for another's, %d %s (%s) for an absent one", r.method, r.path, name,
			own.StatusCode, a.Code, a.Detail, none.StatusCode, b.Code, b.Detail)
	}
}

// TestListsHoldOnesOwn asks every list for what another organisation has.
func TestListsHoldOnesOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		owned := h.possess(t)
		for _, name := range []string{"kira", "koko", "lain"} {
			for _, r := range h.routes {
				if r.method != http.MethodGet || strings.Contains(r.path, "{") || r.seat == public {
					continue
				}
				got := h.people[name].do(t, "GET", r.path, nil)
				for noun, ids := range owned {
					for _, id := range ids {
						if id != "" && id != absent && strings.Contains(string(got.body), id) {
							t.Errorf("GET %s as %s shows %s %s", r.path, name, noun, id)
						}
					}
				}
			}
		}
	})
}
