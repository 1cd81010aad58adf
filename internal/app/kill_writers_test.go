package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/tangkal/tangkal/internal/api"
)

// write works step by step until ctx ends. A step that did nothing, or got no
// answer, is followed by a moment's pause.
func (d *drill) write(ctx context.Context, rng *rand.Rand, step func(context.Context, *rand.Rand) bool) {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		if step(ctx, rng) {
			continue
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// try sends one request for a writer and reports whether it succeeded. Its
// answer is read into the value given. What cannot be the effect of a kill or
// of another writer is noted as strange.
func (d *drill) try(ctx context.Context, by *client, method, path string, body, into any, headers ...string) bool {
	r, err := by.ask(ctx, method, path, body, headers...)
	if err != nil {
		return false // killed meanwhile: it may have happened or not
	}
	switch {
	case r.status < 300:
		if into == nil {
			return true
		}
		if err := json.Unmarshal(r.body, into); err != nil {
			d.strange.add("%s: %v: %s", r.what, err, r.body)
			return false
		}
		return true
	case r.status == http.StatusConflict, r.status == http.StatusPreconditionFailed, r.status == http.StatusNotFound && d.forgetful:
		return false // done before, its answer lost
	default:
		d.strange.add("%s: %d %s", r.what, r.status, r.body)
		return false
	}
}

// reporters files reports about links of their own, numbered after from. Half of them carry a token, with which the same
// report is sent until it is acknowledged; sent again it gets the same receipt.
func (d *drill) reporters(from int) func(context.Context, *rand.Rand) bool {
	nobody := d.people[""]
	n := 0
	var token, link, before string
	pace := time.NewTicker(reportersAtWork * 15 * time.Millisecond)
	return func(ctx context.Context, rng *rand.Rand) bool {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return false
		}
		if token == "" && rng.IntN(2) == 0 {
			var made struct{ Token string }
			if !d.try(ctx, nobody, "POST", "/reports/tokens", nil, &made) {
				return false
			}
			token, before = made.Token, ""
		}
		if link == "" {
			n++
			link = fmt.Sprintf("https://ruangsuara.example/v/%d", from+n)
		}
		var headers []string
		if token != "" {
			headers = []string{"Idempotency-Key: " + token}
		}
		body := map[string]any{"locations": []string{link}, "category": "recruitment", "agency": d.people["analyst"].Code, "description": "Invented."}
		var got struct{ Receipt, Ref string }
		if !d.try(ctx, nobody, "POST", "/reports", body, &got, headers...) {
			if token == "" {
				link = "" // it may be in; another one then
			}
			return false
		}
		d.acks.add("reported", got.Receipt, got.Ref)
		if before != "" && before != got.Receipt {
			d.strange.add("lost: report %s got a second receipt for the same token", got.Ref)
		}
		if token != "" && before == "" && rng.IntN(4) == 0 {
			before = got.Receipt // once more
			return true
		}
		token, link, before = "", "", ""
		return true
	}
}

// analysts work case after case: take, evidence or a reason for none, finding,
// draft, proposal. What comes next is read from the server each time.
func (d *drill) analysts() func(context.Context, *rand.Rand) bool {
	a := d.people["analyst"]
	return func(ctx context.Context, rng *rand.Rand) bool {
		var drafts list[api.NoticeBody]
		if !d.try(ctx, a, "GET", "/notices?life=draft&limit=1", nil, &drafts) {
			return false
		}
		if len(drafts.Items) > 0 {
			return d.sign(ctx, a, "propose", "proposed", drafts.Items[0].ID)
		}
		var mine list[api.CaseBody]
		if !d.try(ctx, a, "GET", "/cases?state=taken&limit=1&holder="+string(a.Person.Person), nil, &mine) {
			return false
		}
		if len(mine.Items) > 0 {
			return d.workOn(ctx, rng, a, mine.Items[0])
		}
		var free list[api.CaseBody]
		if !d.try(ctx, a, "GET", "/cases?state=open&limit=20", nil, &free) || len(free.Items) == 0 {
			return false
		}
		c := free.Items[rng.IntN(len(free.Items))]
		if !d.try(ctx, a, "POST", "/cases/"+c.ID+"/take", nil, nil) {
			return false
		}
		d.acks.add("taken", c.ID, "")
		return true
	}
}

// workOn takes the next step on a case that is taken.
func (d *drill) workOn(ctx context.Context, rng *rand.Rand, a *client, c api.CaseBody) bool {
	path := "/cases/" + c.ID
	if c.Assessed > 0 {
		var n api.NoticeBody
		if !d.try(ctx, a, "POST", "/notices", map[string]any{
			"case": c.ID, "kind": "removal-order", "deadline_minutes": 240, "issuer": d.people["officer"].Party,
		}, &n) {
			return false
		}
		d.acks.add("drafted", n.ID, "")
		return true
	}
	if rng.IntN(2) == 0 {
		if !d.try(ctx, a, "PUT", path+"/no-capture", map[string]any{"why": "Invented: gone when it was looked at."}, nil) {
			return false
		}
		d.acks.add("excused", c.ID, "")
	} else {
		content := fmt.Sprintf("invented evidence %d", rng.Uint64())
		var made struct{ ID string }
		if !d.try(ctx, a, "POST", path+"/captures", upload{"capture", struct{}{}, []string{content}}, &made) {
			return false
		}
		d.acks.add("captured", c.ID+" "+made.ID, content)
	}
	if !d.try(ctx, a, "PUT", path+"/assessment", finding("ID"), nil, `If-Match: "0"`) {
		return false
	}
	d.acks.add("assessed", c.ID, "")
	return true
}

// sign takes one signed step of a notice.
func (d *drill) sign(ctx context.Context, by *client, step, what, id string) bool {
	canonical, err := by.ask(ctx, "GET", "/notices/"+id+"/canonical", nil)
	if err != nil || canonical.status != http.StatusOK {
		return false
	}
	if !d.try(ctx, by, "POST", "/notices/"+id+"/"+step, by.signature(canonical.body), nil) {
		return false
	}
	d.acks.add(what, id, string(by.Key))
	return true
}

// deciders approve, issue and check answers.
func (d *drill) deciders() func(context.Context, *rand.Rand) bool {
	approver, officer := d.people["approver"], d.people["officer"]
	type waiting struct {
		api.NoticeBody
		Step string
		May  bool
	}
	return func(ctx context.Context, rng *rand.Rand) bool {
		done := false
		for _, s := range []struct {
			by         *client
			step, what string
		}{{approver, "approve", "approved"}, {officer, "issue", "issued"}} {
			var wait list[waiting]
			if !d.try(ctx, s.by, "GET", "/notices/approvals", nil, &wait) {
				return false
			}
			for _, w := range wait.Items {
				if w.Step == s.step && w.May {
					done = d.sign(ctx, s.by, s.step, s.what, w.ID) || done
					break
				}
			}
		}
		var answered list[api.NoticeBody]
		if !d.try(ctx, officer, "GET", "/notices?life=open&deadline=answered&limit=5", nil, &answered) {
			return done
		}
		if len(answered.Items) > 0 && rng.IntN(2) == 0 {
			id := answered.Items[rng.IntN(len(answered.Items))].ID
			if d.try(ctx, officer, "POST", "/notices/"+id+"/items/verify", map[string]any{"items": []int{1}}, nil) {
				d.acks.add("verified", id, "")
				done = true
			}
		}
		return done
	}
}

// platforms confirms receipt and answers, from its inbox.
func (d *drill) platforms() func(context.Context, *rand.Rand) bool {
	p := d.people["platform"]
	return func(ctx context.Context, _ *rand.Rand) bool {
		done := false
		var arrived list[api.NoticeBody]
		if !d.try(ctx, p, "GET", "/inbox?life=open&deadline=awaits&limit=1", nil, &arrived) {
			return false
		}
		for _, n := range arrived.Items {
			if d.try(ctx, p, "POST", "/notices/"+n.ID+"/receive", map[string]any{}, nil) {
				d.acks.add("received", n.ID, "")
				done = true
			}
		}
		var running list[api.NoticeBody]
		if !d.try(ctx, p, "GET", "/inbox?life=open&deadline=running&limit=1", nil, &running) {
			return done
		}
		for _, n := range running.Items {
			row := map[string]any{"n": 1, "answer": "removed", "at": time.Now().UTC().Format(time.RFC3339), "basis": "this-order"}
			var got struct{ Rows []struct{ OK bool } }
			if d.try(ctx, p, "POST", "/notices/"+n.ID+"/answers", map[string]any{"rows": []any{row}}, &got) {
				if len(got.Rows) != 1 || !got.Rows[0].OK {
					d.strange.add("answer to %s: %+v", n.Ref, got)
					continue
				}
				d.acks.add("answered", n.ID, "")
				done = true
			}
		}
		return done
	}
}
