package api

import (
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
		if got := strings.Join(kinds, " "); got != "received in-review ordered answered closed" {
			t.Errorf("the reporter sees %q", got)
		}
	})
}
