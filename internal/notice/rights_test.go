package notice_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// Nobody but those concerned knows of a notice, each from their moment on.
func TestEachSeesANoticeFromTheirMomentOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		sees := func(by party.Actor, id notice.ID) bool { _, err := h.Get(t.Context(), by, id); return err == nil }
		n := h.proposed(t, 1)
		for who, tt := range map[string]struct {
			by   party.Actor
			want bool
		}{"proposer": {h.ratna, true}, "authority": {h.bagus, false}, "platform": {h.lina, false}, "oversight": {h.auditor, true}} {
			if got := sees(tt.by, n.ID); got != tt.want {
				t.Errorf("proposed: %s sees it: %t", who, got)
			}
		}
		n = h.approved(t, 1)
		if !sees(h.bagus, n.ID) || sees(h.lina, n.ID) {
			t.Error("approved: the authority does not see it, or the platform does")
		}
		n = h.sent(t, 1)
		if !sees(h.lina, n.ID) || sees(h.other, n.ID) {
			t.Error("sent: its platform does not see it, or another does")
		}
		_, err := h.Answer(t.Context(), h.other, n.ID, notice.AnswerInput{Rows: []notes.Row{h.removed(1)}})
		wantFault(t, err, "fault.hidden")
	})
}

// A platform learns which organisation and key decided, never which person,
// and nothing of the case; everybody else sees the chain.
func TestAPlatformIsNotToldNamesOfOfficials(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.received(t, 1)
		must(t, h.Write(t.Context(), h.ratna, n.ID, "Selamat pagi."))
		h.drain(t)
		v := h.view(t, h.lina, n.ID)
		if len(v.Chain) != 3 || v.Chain[2].Key == "" || v.Chain[2].PartyName != "Kem. Komunikasi" {
			t.Fatalf("chain %+v", v.Chain)
		}
		for _, s := range v.Chain {
			if s.Person != "" || s.PersonName != "" {
				t.Errorf("the platform sees who %s", s.Step)
			}
		}
		for _, m := range v.Messages {
			if m.Person != "" {
				t.Error("the platform sees who wrote")
			}
		}
		for id := range v.Names {
			if p, err := party.GetPerson(t.Context(), d, id); err != nil || p.Party != h.platform.ID {
				t.Errorf("the platform is given the name of %s", id)
			}
		}
		if v.CaseID != "" || v.DraftedBy != "" || len(v.Versions) != 0 {
			t.Error("the platform sees the case")
		}
		in := h.view(t, h.bagus, n.ID)
		if in.Chain[0].PersonName == "" || in.Evidence != 1 || len(in.Versions) != 1 || in.CaseRef == "" {
			t.Errorf("inside: %+v", in.Chain)
		}
		if want := n.ReceivedAt.AddDate(0, 6, 0); !in.PreserveTill.Equal(want) {
			t.Errorf("preserve until %v, want %v", in.PreserveTill, want)
		}
	})
}

// An edit voids the approval: a returned draft needs all of them again.
func TestAnEditVoidsSignatures(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.approved(t, 1)
		old := n.Digest
		n, err := h.Return(t.Context(), h.bagus, n.ID, notice.ReturnInput{Reasons: []string{"too-wide"}, Text: "Persempit."})
		must(t, err)
		n, err = h.Redraft(t.Context(), h.ratna, n.ID, notice.DraftInput{DeadlineMinutes: 1440})
		must(t, err)
		if n.Version != 2 || n.Digest == old || n.DeadlineMinutes != 1440 {
			t.Fatalf("version %d, %d minutes", n.Version, n.DeadlineMinutes)
		}
		_, err = h.Propose(t.Context(), h.ratna, n.ID, h.sign(h.ratna, old))
		wantFault(t, err, "notice.signature")
		h.through(t, n)
		v := h.view(t, h.auditor, n.ID)
		if len(v.Versions) != 2 || v.Versions[0].Returned == nil || v.Versions[0].Returned.Text != "Persempit." {
			t.Fatalf("versions %+v", v.Versions)
		}
	})
}

// A target wider than one thing needs a further approver.
func TestABroadTargetNeedsOneMoreApprover(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.readyWith(t, notes.RemovalOrder, "https://ruangsuara.example/")
		n, err := h.Draft(t.Context(), h.ratna, notice.DraftInput{CaseID: id, Kind: notes.RemovalOrder, DeadlineMinutes: 240})
		must(t, err)
		if n.ApprovalsNeeded != 2 || len(n.Broad) == 0 {
			t.Fatalf("%d approvals for %v, want 2", n.ApprovalsNeeded, n.Broad)
		}
		n, err = h.Propose(t.Context(), h.ratna, n.ID, h.sign(h.ratna, n.Digest))
		must(t, err)
		for i, by := range []party.Actor{h.sari, h.bima} {
			if waiting, err := h.Approvals(t.Context(), by); err != nil || len(waiting) != 1 || waiting[0].Why != nil {
				t.Fatalf("approver %d has %d waiting (%v)", i+1, len(waiting), err)
			}
			n, err = h.Approve(t.Context(), by, n.ID, h.sign(by, n.Digest))
			must(t, err)
			if want := []notice.Life{notice.Proposed, notice.Approved}[i]; n.Life != want {
				t.Fatalf("%s after %d approvals, want %s", n.Life, i+1, want)
			}
		}
	})
}

// Under EU rules the very first order follows the platform's advance
// information by twelve hours, or says which emergency forbids waiting.
func TestTheFirstOrderWaitsForAdvanceInformation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := startIn(t, d, "eu-tco", party.Authority)
		in := notice.DraftInput{CaseID: h.ready(t, 1, notes.RemovalOrder), Kind: notes.RemovalOrder, DeadlineMinutes: 60}
		_, err := h.Draft(t.Context(), h.ratna, in)
		wantFault(t, err, "notice.first")
		must(t, h.RecordAdvance(t.Context(), h.sari, h.platform.ID))
		n, err := h.Draft(t.Context(), h.ratna, in)
		must(t, err)
		n, err = h.Propose(t.Context(), h.ratna, n.ID, h.sign(h.ratna, n.Digest))
		must(t, err)
		n, err = h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
		must(t, err)
		_, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
		wantFault(t, err, "notice.advance")
		h.clock.Advance(12 * time.Hour)
		_, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
		must(t, err)
	})
}

// Every choice of the proposer that the law does not leave is named.
func TestADraftNamesEveryFault(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	id := h.ready(t, 1, notes.RemovalOrder)
	good := notice.DraftInput{CaseID: id, Kind: notes.RemovalOrder, DeadlineMinutes: 240}
	for code, change := range map[string]func(*notice.DraftInput){
		"notice.deadline": func(in *notice.DraftInput) { in.DeadlineMinutes = 5 },
		"notice.kind":     func(in *notice.DraftInput) { in.Kind = notes.Warning },
		"fault.required":  func(in *notice.DraftInput) { in.CaseID = "" },
		"notice.withhold": func(in *notice.DraftInput) { in.Withhold = "Penyidikan" },
		"notice.too-long": func(in *notice.DraftInput) { in.Emergency = strings.Repeat("x", 5001) },
		"notice.issuer":   func(in *notice.DraftInput) { in.Issuer = h.platform.ID },
		"fault.hidden":    func(in *notice.DraftInput) { in.CaseID = "none" },
	} {
		in := good
		change(&in)
		before := h.dump(t)
		_, err := h.Draft(t.Context(), h.ratna, in)
		wantFault(t, err, code)
		if h.dump(t) != before {
			t.Errorf("%s: a refused draft changed something", code)
		}
	}
	good.Withhold, good.WithholdUntil = "Penyidikan berjalan.", h.clock.Now().AddDate(0, 0, 42)
	n, err := h.Draft(t.Context(), h.ratna, good)
	must(t, err)
	v := h.view(t, h.ratna, n.ID)
	if v.MayTell || v.Document.Disclosure.Reason == nil || v.Document.Duties.PreserveMonths != 6 || len(v.Document.Redress) == 0 || len(v.Document.LegalBasis) == 0 {
		t.Errorf("document %+v", v.Document)
	}
}

// What an import brings from before stands below, though it was written later.
func TestTheListIsInTheOrderOfItsTimes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		now := h.sent(t, 1)
		h.clock.Advance(-2 * 24 * time.Hour)
		old := h.proposed(t, 1)
		h.clock.Advance(24 * time.Hour)
		newer := h.proposed(t, 1)
		var refs []string
		cursor := ""
		for range 4 {
			rows, next, err := h.List(t.Context(), h.ratna, notice.Filter{Limit: 1, Cursor: cursor})
			must(t, err)
			for _, r := range rows {
				refs = append(refs, r.Ref)
			}
			if cursor = next; next == "" {
				break
			}
		}
		if want := []string{now.Ref, newer.Ref, old.Ref}; !slices.Equal(refs, want) {
			t.Errorf("the list is %v, want %v", refs, want)
		}
	})
}

// Lists page by key, hold only one's own, and show the time left.
func TestTheInboxIsInTheOrderOfItsDeadlines(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		late, soon, waits := h.received(t, 1), h.received(t, 1), h.sent(t, 1)
		h.clock.Advance(5 * time.Hour)
		var refs []string
		cursor := ""
		for range 5 {
			rows, next, err := h.Inbox(t.Context(), h.lina, notice.Filter{Limit: 1, Cursor: cursor})
			must(t, err)
			for _, r := range rows {
				refs = append(refs, r.Ref+" "+string(r.Deadline))
			}
			if cursor = next; next == "" {
				break
			}
		}
		want := []string{late.Ref + " overdue", soon.Ref + " overdue", waits.Ref + " unreceived"}
		if strings.Join(refs, ", ") != strings.Join(want, ", ") {
			t.Errorf("inbox %v, want %v", refs, want)
		}
		if rows, _, err := h.List(t.Context(), h.other, notice.Filter{}); err != nil || len(rows) != 0 {
			t.Errorf("another platform lists %d (%v)", len(rows), err)
		}
		if rows, _, err := h.List(t.Context(), h.bagus, notice.Filter{Lives: []notice.Life{notice.Open}, Kind: notes.RemovalOrder, Platform: "ruangsuara"}); err != nil || len(rows) != 3 {
			t.Errorf("the authority lists %d (%v), want 3", len(rows), err)
		}
		a, err := h.Awaiting(t.Context(), h.lina)
		must(t, err)
		if want := (notice.Awaiting{Receive: 1, Answer: 2, Due1h: 2, Overdue: 2}); a != want {
			t.Errorf("awaiting %+v, want %+v", a, want)
		}
	})
}

// Reading through the API is proof that it was delivered, and no receipt.
func TestAPullIsDeliveryAndNoReceipt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.sent(t, 1)
		program := h.lina
		program.APIKey = "key"
		h.view(t, program, n.ID)
		v := h.view(t, program, n.ID)
		if v.Delivery != notice.Accepted || steps(v)["read"] != 1 || !v.ReceivedAt.IsZero() || !v.DueAt.IsZero() {
			t.Fatalf("%s, %v, received %v", v.Delivery, steps(v), v.ReceivedAt)
		}
		p, err := h.Print(t.Context(), h.bagus, n.ID)
		must(t, err)
		if len(p.Grounds) != 1 || p.Seal.Value == "" || len(p.Commit) != 79 {
			t.Fatalf("paper: %d grounds, commit %q", len(p.Grounds), p.Commit)
		}
		_, err = h.Print(t.Context(), h.ratna, h.draft(t, 1, notes.RemovalOrder).ID)
		wantFault(t, err, "notice.not-issued")
	})
}
