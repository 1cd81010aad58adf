package notice_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// several are that many proposed removal orders, alike, the oldest first.
func (h *house) several(t tb, n int) []notice.ID {
	t.Helper()
	var ids []notice.ID
	for range n {
		ids = append(ids, h.proposed(t, 1).ID)
		h.clock.Advance(time.Second)
	}
	return ids
}

func (h *house) drawn(t tb, by party.Actor, ids ...notice.ID) notice.Batch {
	t.Helper()
	b, err := h.Draw(t.Context(), by, ids)
	must(t, err)
	return b
}

// openSample opens what was drawn.
func (h *house) openSample(t tb, by party.Actor, b notice.Batch) {
	t.Helper()
	for _, it := range b.Items {
		if it.Sampled {
			got, err := h.Opened(t.Context(), by, b.ID, it.N)
			must(t, err)
			if got != it.Notice {
				t.Fatalf("opened %s, want %s", got, it.Notice)
			}
		}
	}
}

// batched is an approved batch of that many notices, of which each is issued.
func (h *house) batched(t tb, n int) notice.Batch {
	t.Helper()
	b := h.drawn(t, h.sari, h.several(t, n)...)
	h.openSample(t, h.sari, b)
	h.clock.Advance(time.Minute)
	b, err := h.ApproveBatch(t.Context(), h.sari, b.ID, h.sign(h.sari, b.Digest))
	must(t, err)
	h.clock.Advance(time.Minute)
	for _, it := range b.Items {
		v := h.view(t, h.bagus, it.Notice)
		_, err := h.Issue(t.Context(), h.bagus, it.Notice, h.sign(h.bagus, v.Digest))
		must(t, err)
	}
	h.drain(t)
	return b
}

// sample are the notices that were drawn.
func sample(b notice.Batch) []notice.ID {
	var out []notice.ID
	for _, it := range b.Items {
		if it.Sampled {
			out = append(out, it.Notice)
		}
	}
	return out
}

// One touch approves six like orders, after the four that were drawn have been
// opened; each of them then leaves by itself, with a document that anybody can
// check.
func TestOneSignatureApprovesABatchOfLikeNotices(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		device := h.passkey(t, h.sari)
		ids := h.several(t, 6)
		waiting, err := h.Approvals(t.Context(), h.sari)
		must(t, err)
		groups := h.Groups(waiting)
		if len(groups) != 1 || len(groups[0].Notices) != 6 || groups[0].Sample != 4 {
			t.Fatalf("groups %+v, want one of 6 with a sample of 4", groups)
		}
		b := h.drawn(t, h.sari, ids...)
		for i, it := range b.Items {
			if it.Notice != ids[i] || it.N != i+1 {
				t.Fatalf("item %d is %+v, want %s: the longest waiting first", i+1, it, ids[i])
			}
		}
		drawn := sample(b)
		for i, it := range b.Items {
			if !it.Sampled {
				continue
			}
			if _, err := h.ApproveBatch(t.Context(), h.sari, b.ID, touched(t, device, b.Digest)); !fault.Is(err, "notice.batch-unopened") {
				t.Fatalf("signed with %d of %d opened: %v", i, len(drawn), err)
			}
			_, err := h.Opened(t.Context(), h.sari, b.ID, it.N)
			must(t, err)
		}
		h.clock.Advance(time.Minute)
		_, err = h.ApproveBatch(t.Context(), h.sari, b.ID, touched(t, device, b.Digest))
		must(t, err)
		h.clock.Advance(time.Minute)
		for _, id := range ids {
			v := h.view(t, h.bagus, id)
			if v.Life != notice.Approved {
				t.Fatalf("%s is %s, want approved", v.Ref, v.Life)
			}
			_, err := h.Issue(t.Context(), h.bagus, id, h.sign(h.bagus, v.Digest))
			must(t, err)
		}
		h.drain(t)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 6 {
			t.Fatalf("sent %d (%v), want 6", sent, err)
		}
		for _, id := range ids {
			v := h.view(t, h.bagus, id)
			s, err := notes.ParseSigned(v.Envelope)
			must(t, err)
			must(t, notes.Verify(s, notice.Keys(t.Context(), h.db)))
			if got := s.Approvals[1].Batch; got == nil || len(got.Notices) != 6 || len(got.Sample) != 4 {
				t.Errorf("%s travels with batch %+v", v.Ref, got)
			}
			step := v.Chain[1]
			if step.Batch != 6 || step.BatchSample != 4 || step.BatchOpened != slices.Contains(drawn, id) {
				t.Errorf("%s: the chain says %d, %d, opened %v", v.Ref, step.Batch, step.BatchSample, step.BatchOpened)
			}
		}
	})
}

// Whatever an approver tries, what was drawn for them stays drawn: again, in
// another order, one left out, one more, one by one.
func TestADrawIsNotRepeated(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ids := h.several(t, 12)
		first := h.drawn(t, h.sari, ids[:10]...)
		if got := len(sample(first)); got != 4 {
			t.Fatalf("%d drawn of 10, want 4", got)
		}
		turned := slices.Clone(ids[:10])
		slices.Reverse(turned)
		if again := h.drawn(t, h.sari, turned...); again.ID != first.ID || again.Digest != first.Digest {
			t.Fatal("the same notices again are another batch")
		}
		stays := func(what string, b notice.Batch) {
			t.Helper()
			for _, id := range sample(first) {
				in := slices.ContainsFunc(b.Items, func(it notice.BatchItem) bool { return it.Notice == id })
				if in && !slices.Contains(sample(b), id) {
					t.Errorf("%s: %s was drawn and is not any more", what, id)
				}
			}
			if b.Unopened() < 4 {
				t.Errorf("%s: %d drawn, want 4 at least", what, b.Unopened())
			}
		}
		stays("two more", h.drawn(t, h.sari, ids...))
		stays("others first", h.drawn(t, h.sari, ids[6:]...))
		b := h.drawn(t, h.sari, ids[:10]...)
		for len(b.Items) > 5 { // leave out what was not drawn, one by one
			free := slices.IndexFunc(b.Items, func(it notice.BatchItem) bool { return !it.Sampled })
			if free < 0 {
				break
			}
			was := b.ID
			var err error
			b, err = h.Without(t.Context(), h.sari, b.ID, free+1)
			must(t, err)
			stays("one left out", b)
			if _, err := h.Opened(t.Context(), h.sari, was, 1); !fault.Is(err, "notice.batch-replaced") {
				t.Fatalf("the batch before is still open: %v", err)
			}
		}
		if other := h.drawn(t, h.bima, ids...); len(sample(other)) != 4 {
			t.Errorf("another approver has %d drawn, want 4", len(sample(other)))
		}
	})
}

// The draw is spread over all, and nobody can tell it from the notices: two
// instances with the same clock draw differently.
func TestADrawDependsOnTheInstanceKey(t *testing.T) {
	t.Parallel()
	hits := make([]int, 20)
	h := start(t, dbtest.SQLite(t))
	ids := h.several(t, 20)
	for range 12 { // twelve approvers draw from the same twenty
		by := h.join(t, h.agency, party.Approver)
		for _, it := range h.drawn(t, by, ids...).Items {
			if it.Sampled {
				hits[it.N-1]++
			}
		}
	}
	if most := slices.Max(hits); most == 12 {
		t.Errorf("one notice was drawn for everybody: %v", hits)
	}
}

// A notice that goes back ends the batch. The rest is drawn anew: as many again
// besides those that were seen.
func TestARefusedNoticeEndsTheBatch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ids := h.several(t, 10)
		b := h.drawn(t, h.sari, ids...)
		h.openSample(t, h.sari, b)
		bad := sample(b)[0]
		_, err := h.Return(t.Context(), h.sari, bad, notice.ReturnInput{Reasons: []string{"too-wide"}, Text: "Terlalu luas."})
		must(t, err)
		_, err = h.ApproveBatch(t.Context(), h.sari, b.ID, h.sign(h.sari, b.Digest))
		wantFault(t, err, "notice.batch-returned")
		rest := slices.DeleteFunc(slices.Clone(ids), func(id notice.ID) bool { return id == bad })
		next := h.drawn(t, h.sari, rest...)
		if got := len(sample(next)); got != 3+4 {
			t.Errorf("%d drawn after a refusal, want the 3 that were seen and 4 more", got)
		}
		_, err = h.ApproveBatch(t.Context(), h.sari, next.ID, h.sign(h.sari, next.Digest))
		wantFault(t, err, "notice.batch-unopened")
		left, err := h.Without(t.Context(), h.sari, next.ID, next.Items[slices.IndexFunc(next.Items, func(it notice.BatchItem) bool { return !it.Sampled })].N)
		must(t, err)
		if got := len(sample(left)); got != 7 {
			t.Errorf("%d drawn once one was left out, want the same 7", got)
		}
		_, err = h.Draw(t.Context(), h.sari, ids)
		wantFault(t, err, "notice.state") // the one that went back is a draft
	})
}

// Whatever happens to one of its notices before the signature, the batch is
// over and approves nothing.
func TestABatchEndsWithAnyOfItsNotices(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for name, change := range map[string]func(notice.ID) error{
			"withdrawn": func(id notice.ID) error {
				_, err := h.Withdraw(t.Context(), h.ratna, id, "Keliru.")
				return err
			},
			"approved by itself": func(id notice.ID) error {
				_, err := h.Approve(t.Context(), h.bima, id, h.sign(h.bima, h.view(t, h.bima, id).Digest))
				return err
			},
			"edited": func(id notice.ID) error {
				if _, err := h.Return(t.Context(), h.bima, id, notice.ReturnInput{Reasons: []string{"other"}, Text: "Ubah."}); err != nil {
					return err
				}
				n := h.view(t, h.ratna, id).Notice
				if _, err := h.cases.Take(t.Context(), h.ratna, n.CaseID); err != nil {
					return err
				}
				n, err := h.Redraft(t.Context(), h.ratna, id, notice.DraftInput{DeadlineMinutes: 240})
				if err == nil {
					_, err = h.Propose(t.Context(), h.ratna, id, h.sign(h.ratna, n.Digest))
				}
				return err
			},
		} {
			ids := h.several(t, 3)
			b := h.drawn(t, h.sari, ids...)
			h.openSample(t, h.sari, b)
			must(t, change(ids[1]))
			if _, err := h.ApproveBatch(t.Context(), h.sari, b.ID, h.sign(h.sari, b.Digest)); fault.Of(err) != fault.Conflict {
				t.Errorf("%s: %v, want a conflict", name, err)
			}
			for _, id := range []notice.ID{ids[0], ids[2]} {
				if got := h.view(t, h.sari, id).Life; got != notice.Proposed {
					t.Errorf("%s: another notice of the batch is %s", name, got)
				}
			}
		}
	})
}

// A batch that was approved holds for the versions that it was drawn from: what
// is edited afterwards is approved anew, and the others leave.
func TestAnEditAfterTheSignatureVoidsTheBatchForThatNoticeAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		b := h.drawn(t, h.sari, h.several(t, 3)...)
		h.openSample(t, h.sari, b)
		b, err := h.ApproveBatch(t.Context(), h.sari, b.ID, h.sign(h.sari, b.Digest))
		must(t, err)
		id := b.Items[0].Notice
		_, err = h.Return(t.Context(), h.bagus, id, notice.ReturnInput{Reasons: []string{"other"}, Text: "Ubah."})
		must(t, err)
		_, err = h.cases.Take(t.Context(), h.ratna, h.view(t, h.ratna, id).CaseID)
		must(t, err)
		n, err := h.Redraft(t.Context(), h.ratna, id, notice.DraftInput{DeadlineMinutes: 240})
		must(t, err)
		n, err = h.Propose(t.Context(), h.ratna, id, h.sign(h.ratna, n.Digest))
		must(t, err)
		_, err = h.Issue(t.Context(), h.bagus, id, h.sign(h.bagus, n.Digest))
		if err == nil {
			t.Fatal("an edited notice was issued on the batch's signature")
		}
		for _, it := range b.Items[1:] {
			_, err := h.Issue(t.Context(), h.bagus, it.Notice, h.sign(h.bagus, h.view(t, h.bagus, it.Notice).Digest))
			must(t, err)
		}
		h.drain(t)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 2 {
			t.Fatalf("sent %d (%v), want 2", sent, err)
		}
		if got := h.now(t, id).Life; got != notice.Proposed {
			t.Errorf("the edited notice is %s", got)
		}
	})
}

// Only what is alike goes together: one kind, ground, tier, platform, time and
// author, at most as many as the pack allows.
func TestOnlyLikeNoticesMakeABatch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		first := h.proposed(t, 1).ID
		propose := func(by party.Actor, in notice.DraftInput) notice.ID {
			t.Helper()
			n, err := h.Draft(t.Context(), by, in)
			must(t, err)
			n, err = h.Propose(t.Context(), by, n.ID, h.sign(by, n.Digest))
			must(t, err)
			return n.ID
		}
		order := func(c notice.DraftInput) notice.ID { return propose(h.ratna, c) }
		ground := h.ready(t, 1, notes.RemovalOrder)
		a := complete(notes.RemovalOrder)
		for i := range a.Grounds {
			if a.Grounds[i].Ground == notes.GroundThreaten {
				a.Grounds[i].Met, a.Grounds[i].Reasons = notes.Yes, "Ancaman rekaan."
			}
		}
		h.reassess(t, ground, a)
		tier := h.ready(t, 1, notes.RemovalOrder)
		a = complete(notes.RemovalOrder)
		a.Tier = notes.TierThreatToLife
		h.reassess(t, tier, a)
		for name, id := range map[string]notice.ID{
			"another kind":     order(notice.DraftInput{CaseID: h.ready(t, 1, notes.Referral), Kind: notes.Referral}),
			"another ground":   order(notice.DraftInput{CaseID: ground, Kind: notes.RemovalOrder, DeadlineMinutes: 240}),
			"another tier":     order(notice.DraftInput{CaseID: tier, Kind: notes.RemovalOrder, DeadlineMinutes: 240}),
			"another platform": order(notice.DraftInput{CaseID: h.readyWith(t, notes.RemovalOrder, "https://kabarkita.example/berita/9"), Kind: notes.RemovalOrder, DeadlineMinutes: 240}),
		} {
			if _, err := h.Draw(t.Context(), h.sari, []notice.ID{first, id}); !fault.Is(err, "notice.batch-alike") {
				t.Errorf("%s: %v", name, err)
			}
		}
		many := make([]notice.ID, 201)
		for i := range many {
			many[i] = notice.ID(fmt.Sprint("n", i))
		}
		for name, ids := range map[string][]notice.ID{"one": {first}, "one twice": {first, first}, "none": nil, "201": many} {
			if _, err := h.Draw(t.Context(), h.sari, ids); !fault.Is(err, "notice.batch-size") {
				t.Errorf("%s: %v", name, err)
			}
		}
		waiting, err := h.Approvals(t.Context(), h.sari)
		must(t, err)
		if got := h.Groups(waiting); len(waiting) != 5 || len(got) != 0 {
			t.Errorf("of %d that wait %d groups are offered, want none", len(waiting), len(got))
		}
	})
}

// reassess changes what a case was found to be.
func (h *house) reassess(t tb, id casework.ID, a casework.Assessment) {
	t.Helper()
	v, err := h.cases.Get(t.Context(), h.ratna, id)
	must(t, err)
	_, err = h.cases.Assess(t.Context(), h.ratna, id, v.Case.Assessed, a)
	must(t, err)
}

// A batch is its approver's own: no colleague, author, officer or program
// draws, opens or signs for them, and one that they wrote themselves is not in it.
func TestABatchIsItsApproversOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ids := h.several(t, 3)
		b := h.drawn(t, h.sari, ids...)
		program := h.sari
		program.APIKey = "key"
		for name, c := range map[string]struct {
			by   party.Actor
			want fault.Kind
		}{
			"an analyst": {h.ratna, fault.Denied}, "the officer": {h.bagus, fault.NotFound}, "the platform": {h.lina, fault.NotFound},
			"a program": {program, fault.Denied},
		} {
			if _, err := h.Draw(t.Context(), c.by, ids); fault.Of(err) != c.want {
				t.Errorf("%s draws: %v", name, err)
			}
		}
		for name, by := range map[string]party.Actor{"a colleague": h.bima, "an analyst": h.ratna, "a program": program, "nobody": {}} {
			want := fault.NotFound
			if by.APIKey != "" {
				want = fault.Denied
			}
			if _, err := h.Opened(t.Context(), by, b.ID, 1); fault.Of(err) != want {
				t.Errorf("%s opens: %v", name, err)
			}
			if _, err := h.Without(t.Context(), by, b.ID, 1); fault.Of(err) != want {
				t.Errorf("%s leaves one out: %v", name, err)
			}
			if _, err := h.ApproveBatch(t.Context(), by, b.ID, h.sign(h.sari, b.Digest)); fault.Of(err) != want {
				t.Errorf("%s signs: %v", name, err)
			}
		}
		h.openSample(t, h.sari, b)
		for name, sig := range map[string]notice.Sig{
			"a colleague's key":       h.sign(h.bima, b.Digest),
			"one notice's digest":     h.sign(h.sari, h.view(t, h.sari, ids[0]).Digest),
			"another batch's digest":  h.sign(h.sari, h.drawn(t, h.bima, ids...).Digest),
			"a passkey's fields more": {Key: h.sign(h.sari, b.Digest).Key, Value: h.sign(h.sari, b.Digest).Value, ClientData: []byte("{}")},
		} {
			if _, err := h.ApproveBatch(t.Context(), h.sari, b.ID, sig); fault.Of(err) != fault.Denied && fault.Of(err) != fault.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		both := h.join(t, h.agency, party.Approver, party.Analyst) // who wrote them approves none
		mine := h.ratna
		h.ratna = both
		own := h.several(t, 2)
		h.ratna = mine
		if _, err := h.Draw(t.Context(), both, own); !fault.Is(err, "auth.same-person") {
			t.Errorf("their own: %v", err)
		}
		_, err := h.ApproveBatch(t.Context(), h.sari, b.ID, h.sign(h.sari, b.Digest))
		must(t, err)
		_, err = h.ApproveBatch(t.Context(), h.sari, b.ID, h.sign(h.sari, b.Digest))
		wantFault(t, err, "notice.batch-done")
	})
}

// Rows of a batch that somebody wrote by SQL open and sign nothing.
func TestABatchForgedInTheDatabaseSignsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for name, change := range map[string]string{
			"opened":       `UPDATE notice_batch_items SET opened_at = 1, opened_by = (SELECT person_id FROM notice_batches WHERE id = batch_id) WHERE batch_id = $1`,
			"not drawn":    `UPDATE notice_batch_items SET sampled = FALSE WHERE batch_id = $1`,
			"drawn by":     `UPDATE notice_batches SET drawn_at = 1 WHERE id = $1`,
			"a notice out": `DELETE FROM notice_batch_items WHERE batch_id = $1 AND n = 3`,
		} {
			b := h.drawn(t, h.sari, h.several(t, 3)...)
			h.write(t, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, change, b.ID)
				return err
			})
			if _, err := h.ApproveBatch(t.Context(), h.sari, b.ID, h.sign(h.sari, b.Digest)); !fault.Is(err, "notice.batch-damaged") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Behind the MACs the dispatcher looks at everything that a batch's signature
// rests on: with the MACs made anew, each forgery is found for its own reason
// and nothing leaves.
func TestTheDispatcherChecksABatchAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		type forgery struct {
			why, change string
			args        []any
		}
		another := h.batched(t, 2)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 2 {
			t.Fatalf("sent %d (%v), want 2", sent, err)
		}
		for name, c := range map[string]forgery{
			"a drawn one not opened":     {"batch", `UPDATE notice_batch_items SET opened_at = NULL, opened_by = NULL WHERE batch_id = $1 AND n = 2`, nil},
			"opened by a colleague":      {"batch", `UPDATE notice_batch_items SET opened_by = $2 WHERE batch_id = $1 AND n = 2`, []any{h.bima.Person}},
			"opened after the signature": {"batch", `UPDATE notice_batch_items SET opened_at = opened_at + 600000000 WHERE batch_id = $1 AND n = 2`, nil},
			"not drawn after all":        {"batch", `UPDATE notice_batch_items SET sampled = FALSE WHERE batch_id = $1 AND n = 2`, nil},
			"another version":            {"batch", `UPDATE notice_batch_items SET version = 2 WHERE batch_id = $1 AND n = 1`, nil},
			"a notice swapped in":        {"batch", `UPDATE notice_batch_items SET notice_id = $2 WHERE batch_id = $1 AND n = 1`, []any{another.Items[0].Notice}},
			"never signed":               {"batch", `UPDATE notice_batches SET state = 'drawn' WHERE id = $1`, nil},
			"ended":                      {"batch", `UPDATE notice_batches SET state = 'ended' WHERE id = $1`, nil},
			"drawn for a colleague":      {"batch", `UPDATE notice_batches SET person_id = $2 WHERE id = $1`, []any{h.bima.Person}},
			"signed at another time":     {"batch", `UPDATE notice_batches SET done_at = done_at + 5000000 WHERE id = $1`, nil},
			"the list of another batch":  {"signatures", `UPDATE notice_batches SET canonical = (SELECT canonical FROM notice_batches b WHERE b.id = $2) WHERE id = $1`, []any{another.ID}},
			"a signature over another":   {"signatures", `UPDATE notice_signatures SET batch_id = $2 WHERE batch_id = $1`, []any{another.ID}},
			"no batch at all":            {"signatures", `UPDATE notice_signatures SET batch_id = NULL WHERE batch_id = $1`, nil},
			"another batch's signature":  {"signatures", `UPDATE notice_signatures SET value = (SELECT value FROM notice_signatures o WHERE o.batch_id = $2 LIMIT 1) WHERE batch_id = $1`, []any{another.ID}},
			"a batch that is not there":  {"signatures", `UPDATE notice_signatures SET batch_id = 'none' WHERE batch_id = $1`, nil},
		} {
			b := h.batched(t, 2)
			n := h.view(t, h.bagus, b.Items[0].Notice).Notice
			h.write(t, func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.Exec(ctx, c.change, append([]any{b.ID}, c.args...)...); err != nil {
					return err
				}
				if err := h.ResealBatch(ctx, tx, b.ID); err != nil {
					return err
				}
				for _, it := range b.Items {
					if err := h.Reseal(ctx, tx, it.Notice); err != nil {
						return err
					}
				}
				return nil
			})
			_, err := h.Dispatch(t.Context())
			must(t, err)
			why, err := db.Value[string](t.Context(), d, `SELECT why FROM notice_refusals WHERE notice_id = $1`, n.ID)
			if got := h.view(t, h.bagus, n.ID).Life; err != nil || why != c.why || got != notice.Logged {
				t.Errorf("%s: refused for %q, want %q (%v); it is %s", name, why, c.why, err, got)
			}
		}
	})
}

// Without the instance key no column of a batch can be changed at all before
// its notices have left.
func TestNoForgedBatchIsDispatched(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.view(t, h.bagus, h.batched(t, 2).Items[0].Notice).Notice
		for _, table := range []string{"notice_batches", "notice_batch_items"} {
			for _, c := range columnsOf(t, d, table) {
				h.forgeBatch(t, n, table, c)
			}
		}
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 2 {
			t.Fatalf("sent %d (%v) once restored, want both", sent, err)
		}
	})
}

// forgeBatch changes one column of a table of batches, wants n not to leave, and
// puts everything back.
func (h *house) forgeBatch(t *testing.T, n notice.Notice, table string, c column) {
	t.Helper()
	exec := func(sql string) error {
		return h.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		})
	}
	where := ``
	if table == "notice_batch_items" {
		where = ` WHERE notice_id = '` + string(n.ID) + `'`
	}
	must(t, exec(`CREATE TABLE kept AS SELECT * FROM `+table)) //nolint:gosec // a constant
	if err := exec(`UPDATE ` + table + ` SET ` + c.name + ` = ` + h.forgery(c) + where); err == nil {
		_, err := h.Dispatch(t.Context())
		must(t, err)
		if got := h.view(t, h.bagus, n.ID).Life; got != notice.Logged {
			t.Errorf("%s.%s forged: the notice is %s", table, c.name, got)
		}
		var all []string
		for _, c := range columnsOf(t, h.db, table) {
			all = append(all, c.name)
		}
		list, key := strings.Join(all, ", "), "id"
		if table == "notice_batch_items" {
			key = "notice_id"
		}
		must(t, exec(`UPDATE `+table+` SET (`+list+`) = (SELECT `+list+` FROM kept k WHERE k.`+key+` = `+table+`.`+key+`)`)) //nolint:gosec // constants
	}
	must(t, exec(`DROP TABLE kept`))
	must(t, exec(`DELETE FROM notice_refusals`))
}

// Whoever draws small batches first, of notices they would like to open, draws
// as much of a large one afterwards as somebody who did not.
func TestNobodyChoosesTheirSample(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ids := h.several(t, 12)
		more := false
		for range 4 { // by chance the four that were chosen are those that are drawn: once in 495, for each person
			by := h.join(t, h.agency, party.Approver)
			h.drawn(t, by, ids[:4]...)
			more = more || len(sample(h.drawn(t, by, ids...))) > 4
		}
		if !more {
			t.Error("of twelve the four are opened that were drawn alone before")
		}
	})
}

// What was drawn before is neither forgotten nor made up by SQL, and no batch
// that was changed is made whole by its end.
func TestAForgedHistoryDrawsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for name, change := range map[string]string{
			"forgotten": `UPDATE notice_batch_items SET sampled = FALSE WHERE batch_id = $1`,
			"made open": `UPDATE notice_batches SET state = 'drawn', why = '' WHERE id = $1`,
		} {
			ids := h.several(t, 6)
			old := h.drawn(t, h.sari, ids[:4]...)
			h.drawn(t, h.sari, ids[:5]...)
			h.write(t, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, change, old.ID)
				return err
			})
			h.clock.Advance(time.Second)
			if _, err := h.Draw(t.Context(), h.sari, ids); !fault.Is(err, "notice.batch-damaged") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Two approvers draw batches that share notices: the first signature ends the
// other batch, whose rest can be drawn anew.
func TestASignatureEndsTheOtherApproversBatch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ids := h.several(t, 6)
		first, other := h.drawn(t, h.sari, ids[:4]...), h.drawn(t, h.bima, ids...)
		h.openSample(t, h.sari, first)
		_, err := h.ApproveBatch(t.Context(), h.sari, first.ID, h.sign(h.sari, first.Digest))
		must(t, err)
		_, err = h.Opened(t.Context(), h.bima, other.ID, 1)
		wantFault(t, err, "notice.batch-changed")
		h.drawn(t, h.bima, ids[4:]...)
	})
}

// A notice that was withdrawn before it was sent does not come back by SQL: the
// row that it had fits no MAC any more.
func TestAWithdrawnNoticeDoesNotComeBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.proposed(t, 1)
		_, err := h.Withdraw(t.Context(), h.ratna, n.ID, "Keliru.")
		must(t, err)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE notices SET life = 'proposed', withdrawn_at = NULL WHERE id = $1`, n.ID)
			return err
		})
		_, err = h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
		wantFault(t, err, "notice.damaged")
	})
}
