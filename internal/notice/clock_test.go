package notice_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy/clocks"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

func (h *house) sweep(t tb) {
	t.Helper()
	must(t, h.Sweep(t.Context(), h.clock.Now()))
	h.drain(t)
}

// steps counts the steps of the proof of delivery.
func steps(v notice.View) map[string]int {
	n := map[string]int{}
	for _, d := range v.Deliveries {
		n[d.Step]++
	}
	return n
}

// A silent platform under a pack with deemed service: unreceived, next channel,
// next contact, legal representative, deemed by two with evidence, overdue.
func TestASilentPlatformIsDeemedServedByTwo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.sent(t, 1) // on a Thursday
		h.clock.Advance(29 * time.Minute)
		h.sweep(t)
		if got := h.now(t, n.ID); !got.Unreceived.IsZero() {
			t.Fatalf("unreceived after 29 minutes, at %v", got.Unreceived)
		}
		h.clock.Advance(2 * time.Minute)
		h.sweep(t)
		h.sweep(t) // once is enough
		v := h.view(t, h.bagus, n.ID)
		if v.Deadline != notice.IsUnreceived || steps(v)["next-channel"] != 1 || steps(v)["next-contact"] != 0 {
			t.Fatalf("%s after 31 minutes, steps %v", v.Deadline, steps(v))
		}
		h.clock.Advance(25 * time.Hour)
		h.sweep(t)
		v = h.view(t, h.bagus, n.ID)
		if s := steps(v); s["next-contact"] != 1 || s["legal-representative"] != 1 || v.Receipt.Stage != clocks.LegalRepresentative {
			t.Fatalf("steps %v, stage %s", s, v.Receipt.Stage)
		}
		h.deem(t, n)
	})
}

// deem goes on from a silent platform to deemed service and an overdue item.
func (h *house) deem(t *testing.T, n notice.Notice) {
	t.Helper()
	ctx := t.Context()
	evidence := notice.Evidence{Methods: []string{"portal", "paper"}, Text: "Diantar kurir; ditolak penjaga."}
	wantFault(t, h.ProposeDeemed(ctx, h.bagus, n.ID, evidence), "notice.method-unproven")
	must(t, h.ServeOnPaper(ctx, h.bagus, n.ID, notice.Service{Text: "Kurir, 20 November.", Files: []notice.Upload{{Name: "resi.txt", MediaType: "text/plain", Content: strings.NewReader("resi rekaan")}}}))
	wantFault(t, h.ProposeDeemed(ctx, h.bagus, n.ID, evidence), "policy.deemed.early")
	h.clock.Set(time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)) // three full working days later
	wantFault(t, h.ProposeDeemed(ctx, h.bagus, n.ID, notice.Evidence{Methods: []string{"paper"}, Text: "x"}), "policy.deemed.methods")
	wantFault(t, h.ProposeDeemed(ctx, h.lina, n.ID, evidence), "auth.not-allowed")
	must(t, h.ProposeDeemed(ctx, h.bagus, n.ID, evidence))
	_, err := h.ConfirmDeemed(ctx, h.bagus, n.ID)
	wantFault(t, err, "policy.deemed.persons")
	if a, err := h.Awaiting(ctx, h.ayu); err != nil || a.Confirm != 1 {
		t.Fatalf("%d wait for the second person (%v), want 1", a.Confirm, err)
	}
	got, err := h.ConfirmDeemed(ctx, h.ayu, n.ID)
	must(t, err)
	if got.Delivery != notice.Deemed || !got.DueAt.Equal(h.clock.Now().Add(4*time.Hour)) {
		t.Fatalf("%s, due %v, want deemed, four hours from now", got.Delivery, got.DueAt)
	}
	h.clock.Advance(2 * time.Hour)
	h.sweep(t)
	if got = h.now(t, n.ID); got.Rung != notice.Reminded {
		t.Fatalf("rung %s at half time, want reminded", got.Rung)
	}
	h.clock.Advance(2*time.Hour + time.Minute)
	h.sweep(t)
	if v := h.view(t, h.bagus, n.ID); v.Deadline != notice.Overdue || v.OverdueAt.IsZero() {
		t.Fatalf("%s, overdue at %v", v.Deadline, v.OverdueAt)
	}
	h.drain(t)
	if got := h.announcedTo(h.platform.ID, "notice.overdue"); got != 1 {
		t.Fatalf("told of overdue %d times, want once", got)
	}
	res := h.answer(t, n.ID, h.removed(1)) // late, and welcome
	if res.Notice.Delivery != notice.Received || !h.view(t, h.bagus, n.ID).Items[0].History[0].Late {
		t.Fatalf("delivery %s; the answer does not count as late", res.Notice.Delivery)
	}
	h.wantBlobsNamed(t)
}

// wantBlobsNamed wants every file in the vault to be some room's, and some to be
// notices'.
func (h *house) wantBlobsNamed(t *testing.T) {
	t.Helper()
	var all, of []string
	must(t, h.vault.Walk(t.Context(), func(s vault.Stat) error { all = append(all, s.Name.String()); return nil }))
	own, err := h.Blobs(t.Context(), h.db, all)
	must(t, err)
	for _, blobs := range []func(context.Context, db.Reader, []string) ([]string, error){h.Blobs, h.cases.Blobs, h.reports.Blobs} {
		some, err := blobs(t.Context(), h.db, all)
		must(t, err)
		of = append(of, some...)
	}
	slices.Sort(of)
	slices.Sort(all)
	if !slices.Equal(all, of) || len(own) == 0 {
		t.Errorf("%d files lie in the vault, rows name %d, those of notices %d", len(all), len(of), len(own))
	}
}

// Under the Regulation the ladder stops at the silent platform, and says so.
func TestUnderEURulesASilentPlatformIsNeverDeemedServed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := startIn(t, d, "eu-tco", party.Authority)
		n, err := h.Draft(t.Context(), h.ratna, notice.DraftInput{CaseID: h.ready(t, 1, notes.RemovalOrder), Kind: notes.RemovalOrder, DeadlineMinutes: 60, Emergency: "Ancaman rekaan."})
		must(t, err)
		h.through(t, n)
		h.clock.Advance(90 * 24 * time.Hour)
		h.sweep(t)
		v := h.view(t, h.bagus, n.ID)
		if v.Deadline != notice.IsUnreceived || v.Receipt.NoDeemed == nil || !v.Receipt.DeemedFrom.IsZero() {
			t.Fatalf("%s, deemed from %v", v.Deadline, v.Receipt.DeemedFrom)
		}
		err = h.ProposeDeemed(t.Context(), h.bagus, n.ID, notice.Evidence{Methods: []string{"portal"}, Text: "x"})
		wantFault(t, err, "notice.no-deemed")
		if !strings.Contains(err.Error(), "2021/784") {
			t.Fatalf("the refusal does not say why: %v", err)
		}
		_, err = h.ConfirmDeemed(t.Context(), h.ayu, n.ID)
		wantFault(t, err, "notice.not-proposed-deemed")
		for _, b := range v.Buttons {
			if b.Event == notice.EventDeem && b.Open {
				t.Fatal("the page offers deemed service")
			}
		}
	})
}

// through signs and sends a draft.
func (h *house) through(t tb, n notice.Notice) {
	t.Helper()
	for _, s := range []struct {
		by party.Actor
		do signer
	}{{h.ratna, h.Propose}, {h.sari, h.Approve}, {h.bagus, h.Issue}} {
		_, err := s.do(t.Context(), s.by, n.ID, h.sign(s.by, n.Digest))
		must(t, err)
	}
	h.drain(t)
	sent, err := h.Dispatch(t.Context())
	must(t, err)
	if sent != 1 {
		t.Fatalf("sent %d, want 1", sent)
	}
	h.drain(t)
}

// 08:40 + 4 h + 41 minutes of clarification is 13:21.
func TestAQuestionStopsTheClockUntilItIsAnswered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.received(t, 2)
		at := h.clock.Now()
		ask := notes.Row{N: 2, Answer: notes.Clarify, Question: "Pesan mana?"}
		h.clock.Advance(35 * time.Minute)
		h.answer(t, n.ID, ask)
		if v := h.view(t, h.lina, n.ID); v.Items[1].Clock.State != clocks.Paused || v.Items[1].State != notice.Paused || v.Items[0].Clock.State != clocks.Running {
			t.Fatalf("clocks %s, %s", v.Items[0].Clock.State, v.Items[1].Clock.State)
		}
		if res := h.answer(t, n.ID, ask); res.Rows[0].Changed {
			t.Fatal("the same question counted twice")
		}
		h.clock.Advance(41 * time.Minute)
		_, err := h.ResolvePause(t.Context(), h.ratna, n.ID, notice.ResolveInput{Item: 2, How: notice.Resolve, Text: "Pesan 4431."})
		must(t, err)
		v := h.view(t, h.lina, n.ID)
		if want := at.Add(4*time.Hour + 41*time.Minute); !v.Items[1].DueAt.Equal(want) || !v.Items[1].Clock.Due.Equal(want) {
			t.Fatalf("due %v and %v, want %v", v.Items[1].DueAt, v.Items[1].Clock.Due, want)
		}
		if !v.DueAt.Equal(at.Add(4 * time.Hour)) {
			t.Fatalf("the notice is due %v, want with its other item", v.DueAt)
		}
		if p := v.Items[1].Pauses[0]; p.Text != "Pesan mana?" || p.Resolution != "Pesan 4431." {
			t.Fatalf("pause %+v", p)
		}
	})
}

// At most two clarifications without consent; the issuer's silence never ends a
// pause, its refusal only once the day is used up.
func TestPausesHaveLimitsThatTheIssuersSilenceDoesNotUse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.received(t, 1)
		ask := notes.Row{N: 1, Answer: notes.Clarify, Question: "Yang mana?"}
		answer := func() {
			_, err := h.ResolvePause(t.Context(), h.ratna, n.ID, notice.ResolveInput{Item: 1, How: notice.Resolve, Text: "Ini."})
			must(t, err)
		}
		for range 2 {
			h.answer(t, n.ID, ask)
			h.clock.Advance(10 * time.Minute)
			answer()
		}
		res, err := h.Answer(t.Context(), h.lina, n.ID, notice.AnswerInput{Rows: []notes.Row{ask}})
		must(t, err)
		wantFault(t, res.Rows[0].Problem, "policy.pause.refused-count")
		_, err = h.ResolvePause(t.Context(), h.bagus, n.ID, notice.ResolveInput{Item: 1, How: notice.Consent})
		must(t, err)
		h.answer(t, n.ID, ask)
		before := h.view(t, h.lina, n.ID).Items[0].Clock.Remaining
		h.clock.Advance(72 * time.Hour)
		h.sweep(t)
		if c := h.view(t, h.lina, n.ID).Items[0].Clock; c.State != clocks.Paused || c.Remaining != before {
			t.Fatalf("after three silent days %s with %v left, want paused with %v", c.State, c.Remaining, before)
		}
		answer()
		res, err = h.Answer(t.Context(), h.lina, n.ID, notice.AnswerInput{Rows: []notes.Row{{N: 1, Answer: notes.Impossible, Ground: notes.Technical, Explanation: "Pusat data padam."}}})
		must(t, err)
		wantFault(t, res.Rows[0].Problem, "policy.pause.refused-total")
	})
}

func TestARefusedPauseEndsWhenTheDayIsUsedUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.received(t, 1)
		at := h.clock.Now()
		h.answer(t, n.ID, notes.Row{N: 1, Answer: notes.Impossible, Ground: notes.Technical, Explanation: "Pusat data padam."})
		h.clock.Advance(time.Hour)
		_, err := h.ResolvePause(t.Context(), h.ratna, n.ID, notice.ResolveInput{Item: 1, How: notice.Refuse, Text: "Tidak cukup."})
		must(t, err)
		if c := h.view(t, h.lina, n.ID).Items[0]; c.State != notice.Paused {
			t.Fatalf("%s right after the refusal, want paused until the limit", c.State)
		}
		h.clock.Advance(23*time.Hour + time.Minute)
		h.sweep(t)
		it := h.view(t, h.lina, n.ID).Items[0]
		if want := at.Add(28 * time.Hour); it.State != notice.Pending || !it.DueAt.Equal(want) {
			t.Fatalf("%s, due %v, want pending, due %v", it.State, it.DueAt, want)
		}
	})
}

// A ground that ends by itself lets the clock run again.
func TestADeclaredEndEndsThePause(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.received(t, 1)
		at := h.clock.Now()
		h.answer(t, n.ID, notes.Row{N: 1, Answer: notes.Impossible, Ground: notes.ForceMajeure, Explanation: "Banjir.", Until: notes.At(at.Add(2 * time.Hour))})
		h.clock.Advance(3 * time.Hour)
		h.sweep(t)
		if it := h.view(t, h.lina, n.ID).Items[0]; it.State != notice.Pending || !it.DueAt.Equal(at.Add(6*time.Hour)) {
			t.Fatalf("%s, due %v, want pending, due %v", it.State, it.DueAt, at.Add(6*time.Hour))
		}
	})
}

func TestAReferralHasNoClockAndExpires(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		h.bagus = h.join(t, h.agency, party.Officer) // the agency issues its own referrals
		h.authority = h.agency
		n := h.draft(t, 2, notes.Referral)
		if !strings.Contains(n.Ref, "-RJ-") || n.Issuer != h.agency.ID {
			t.Fatalf("%s issued by %s, want a referral of the agency's own", n.Ref, n.Issuer)
		}
		h.through(t, n)
		h.answer(t, n.ID, h.removed(1))
		if got := h.now(t, n.ID); !got.DueAt.IsZero() || got.Life != notice.Open {
			t.Fatalf("due %v, %s", got.DueAt, got.Life)
		}
		res := h.answer(t, n.ID, notes.Row{N: 2, Answer: notes.Refused, Ground: notes.TermsNotBreached, Explanation: "Sesuai ketentuan kami."})
		if res.Notice.Life != notice.Closed || res.Notice.Outcome != notice.OutcomePartly {
			t.Fatalf("%s, %s, want closed once answered", res.Notice.Life, res.Notice.Outcome)
		}
		silent := h.draft(t, 1, notes.Referral)
		h.through(t, silent)
		h.clock.Advance(31 * 24 * time.Hour)
		h.sweep(t)
		if got := h.now(t, silent.ID); got.Outcome != notice.OutcomeExpired {
			t.Fatalf("%s, %s after a month, want expired", got.Life, got.Outcome)
		}
		h.answer(t, silent.ID, h.removed(1)) // late, and welcome
	})
}
