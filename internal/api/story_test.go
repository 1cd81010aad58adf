package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/notes"
)

func TestTheWholeStoryRunsThroughTheAPI(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		receipt, n := h.sent(t)
		lina := h.people["lina"]

		var inbox list[NoticeBody]
		lina.do(t, "GET", "/inbox", nil).want(t, 200, &inbox)
		if len(inbox.Items) != 1 || inbox.Items[0].Ref != n.Ref || inbox.Items[0].Case != "" {
			t.Fatalf("the inbox holds %+v, want %s without its case", inbox.Items, n.Ref)
		}
		signed, err := notes.ParseSigned(lina.do(t, "GET", "/notices/"+n.ID+"/signed", nil).want(t, 200, nil).body)
		check(t, err)
		if notes.Hex(signed.Digest()) != n.Digest || len(signed.Approvals) != 3 {
			t.Errorf("signed document has digest %s and %d signatures, want %s and 3", notes.Hex(signed.Digest()), len(signed.Approvals), n.Digest)
		}
		lina.do(t, "POST", "/notices/"+n.ID+"/receive", map[string]any{}).want(t, 200, nil)
		done := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
		var answered answeredBody
		lina.do(t, "POST", "/notices/"+n.ID+"/answers", map[string]any{
			"rows": []map[string]any{{"n": 1, "answer": "removed", "at": done, "basis": "this-order"}},
		}).want(t, 200, &answered)
		if len(answered.Rows) != 1 || !answered.Rows[0].OK || !answered.Rows[0].Changed {
			t.Fatalf("the answer was reported as %+v", answered.Rows)
		}
		h.people["bagus"].do(t, "POST", "/notices/"+n.ID+"/items/verify", map[string]any{"items": []int{1}}).want(t, 200, &n)
		if n.Life != "closed" || n.Outcome != "complied" {
			t.Errorf("the notice is %s with outcome %q, want closed and complied", n.Life, n.Outcome)
		}
		h.settleDown(t)

		var status statusBody
		h.public.do(t, "GET", "/receipts", nil, header("Receipt", receipt)).want(t, 200, &status)
		var kinds []string
		for _, s := range status.Steps {
			kinds = append(kinds, s.Kind)
		}
		if got := strings.Join(kinds, " "); got != "received joined in-review ordered answered closed" {
			t.Errorf("the reporter sees %q", got)
		}
	})
}

// Who is told that something happened learns which organisation did it, and the
// person's name only within it.
func TestTheFeedNamesOnesOwnPeopleOnly(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		_, n := h.sent(t)
		h.people["lina"].do(t, "POST", "/notices/"+n.ID+"/receive", map[string]any{}).want(t, 200, nil)
		h.settleDown(t)
		for _, name := range []string{"ratna", "bagus", "lina"} {
			c := h.people[name]
			var news list[entryBody]
			c.do(t, "GET", "/feed?limit=200", nil).want(t, 200, &news)
			own, others := 0, 0
			for _, e := range news.Items {
				switch {
				case e.Party == string(c.actor.Party) && e.Person != "":
					own++
				case e.Party != "" && e.Party != string(c.actor.Party):
					others++
					if e.Person != "" {
						t.Errorf("%s reads in %s that %s of another organisation did it", name, e.Type, e.Person)
					}
				}
			}
			if own == 0 || name != "lina" && others == 0 {
				t.Errorf("%s reads of %d acts of their own people and %d of others", name, own, others)
			}
		}
	})
}

func TestTheFeedWaitsForNews(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		h.run(t)
		ratna, kira := h.people["ratna"], h.people["kira"]
		got := make(chan list[entryBody], 1)
		go func() {
			var page list[entryBody]
			ratna.do(t, "GET", "/feed?wait=25", nil).want(t, 200, &page)
			got <- page
		}()
		h.public.do(t, "POST", "/reports", submitBody{Locations: []string{"https://ruangsuara.example/v/1"}, Category: "unsure", Agency: "tangkal-daring"}).want(t, 201, nil)
		page := <-got
		if len(page.Items) == 0 || page.Next == "" {
			t.Fatalf("the feed gave %+v, want the report", page)
		}
		var none list[entryBody]
		kira.do(t, "GET", "/feed", nil).want(t, 200, &none)
		for _, e := range none.Items {
			if e.Object == "report" || e.Object == "case" {
				t.Errorf("a platform is told of %s", e.Type)
			}
		}
	})
}

func TestAnswersInBulkAreJudgedRowByRow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		_, n := h.sent(t)
		lina := h.people["lina"]
		done := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
		good := fmt.Sprintf(`{"reference": %q, "n": 1, "answer": "removed", "at": %q, "basis": "this-order"}`, n.Ref, done)
		body := strings.Join([]string{
			good, `{`, `{"reference": "X", "n": 1, "answer": "removed"}`, `{"zz": 1}`,
			fmt.Sprintf(`{"reference": %q, "n": 9, "answer": "gone-before", "at": %q}`, n.Ref, done), good,
		}, "\n")
		r := lina.do(t, "POST", "/answers", body, header("Content-Type", "application/x-ndjson")).want(t, 200, nil)
		lines := strings.Split(strings.TrimSpace(string(r.body)), "\n")
		var oks []string
		for _, line := range lines[:len(lines)-1] {
			var row rowBody
			check(t, json.Unmarshal([]byte(line), &row))
			oks = append(oks, fmt.Sprintf("%d %v", row.Row, row.OK))
			if row.OK == (row.Problem != nil) || row.Problem != nil && (row.Problem.Detail == "" || row.Problem.Detail == row.Problem.Code) {
				t.Errorf("row report %s", line)
			}
		}
		if got := strings.Join(oks, ", "); got != "1 true, 2 false, 3 false, 4 false, 5 false, 6 true" {
			t.Errorf("rows: %s\n%s", got, r.body)
		}
		var tally tallyBody
		check(t, json.Unmarshal([]byte(lines[len(lines)-1]), &tally))
		if want := (tallyBody{Done: true, Rows: 6, OK: 2, Changed: 1, Problems: 4}); tally != want {
			t.Errorf("tally %+v, want %+v", tally, want)
		}
		csv := lina.do(t, "GET", "/answers/template", nil).want(t, 200, nil)
		if !strings.HasPrefix(csv.Header.Get("Content-Type"), "text/csv") {
			t.Errorf("the template is %s", csv.Header.Get("Content-Type"))
		}
		lina.do(t, "POST", "/answers", fmt.Sprintf("reference,item,answer,at,basis\n%s,1,removed,%s,this-order\n", n.Ref, done), header("Content-Type", "text/csv")).want(t, 200, nil)
		lina.do(t, "POST", "/answers", good, header("Content-Type", "text/plain")).problem(t, 415, "api.media-type")
	})
}
