package casework_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

const link = "https://ruangsuara.example/v/77ab-31c"

func TestAReportBecomesACaseAndTheCaseADossierThatEnds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		receipt := h.submit(t, "tangkal-daring", link)
		id := h.caseOf(t, h.ratna, receipt)
		c := h.get(t, h.ratna, id).Case
		if c.State != casework.Open || c.ReportCount != 1 || c.Platform != "ruangsuara" || c.Kind != "post" || c.Locations != 1 {
			t.Fatalf("the report made %+v", c)
		}
		h.ready(t, h.ratna, id, string(policy.RemovalOrder))
		dossier, err := h.freeze(t, h.ratna, id, h.bagus.Party)
		must(t, err)
		if dossier.Digest != notes.Digest(notes.KindDossier, dossier.Canonical) || len(dossier.Document.Evidence) != 1 {
			t.Errorf("dossier %+v", dossier.Document)
		}
		must(t, notes.Validate(notes.KindDossier, dossier.Canonical))

		must(t, h.tx(t, func(ctx context.Context, tx *db.Tx) error {
			return h.DecideTx(ctx, tx, dossier.ID, "removal-order", h.clock.Now())
		}))
		must(t, h.tx(t, func(ctx context.Context, tx *db.Tx) error {
			return h.FinishTx(ctx, tx, dossier.ID, "complied", nil, h.clock.Now())
		}))
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed || c.Outcome != "complied" || c.Dossiers != 0 || c.Holder != "" {
			t.Errorf("in the end %+v", c)
		}
		h.drain(t)
		var kinds []string
		for _, e := range h.get(t, h.ratna, id).Timeline {
			kinds = append(kinds, e.Kind)
		}
		want := []string{"case.opened", "case.taken", "case.captured", "case.assessed", "case.proposed", "case.decided", "case.closed"}
		if !slices.Equal(kinds, want) {
			t.Errorf("timeline %v, want %v", kinds, want)
		}
	})
}

func TestReportsOnOneTargetFoldIntoOneCase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		before := h.get(t, h.ratna, id).Case
		second := h.submit(t, "tangkal-daring", link, "https://ruangsuara.example/v/0000-111")
		if got := h.caseOf(t, h.ratna, second); got != id {
			t.Fatalf("the second report opened %s", got)
		}
		after := h.get(t, h.ratna, id).Case
		if after.ReportCount != 2 || after.Locations != 2 || after.Version <= before.Version {
			t.Errorf("after joining: %+v", after)
		}
		// Another agency's case about the same link is its own.
		if other := h.newCase(t, h.lain, link); other == id {
			t.Error("two agencies share a case")
		}
		status, err := h.reports.Status(t.Context(), second.Code)
		must(t, err)
		if last := status.Steps[len(status.Steps)-1].Kind; last != report.StepJoined {
			t.Errorf("the reporter reads %q, want joined", last)
		}
	})
}

func TestAClosedCaseIsOpenedAgainOnlyByWhatWeighs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		must1(t)(h.Close(t.Context(), h.ratna, []casework.ID{id}, casework.CloseInput{Reason: "true-purpose"}))
		h.submit(t, "tangkal-daring", link)
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed || c.ReportCount != 2 {
			t.Errorf("one more public report: %s with %d reports, want closed with 2", c.State, c.ReportCount)
		}
		h.file(t, report.Submission{Channel: report.Web, Locations: []string{link}, Category: report.Threat, Lang: "id"})
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Open || c.Outcome != "" {
			t.Errorf("a threat to life: %s, want open", c.State)
		}
	})
}

func TestALaterAssessmentDoesNotChangeAFrozenDossier(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.ready(t, h.ratna, id, string(policy.RemovalOrder))
		first, err := h.freeze(t, h.ratna, id, h.bagus.Party)
		must(t, err)
		must(t, h.tx(t, func(ctx context.Context, tx *db.Tx) error {
			return h.ReturnTx(ctx, tx, h.sari, first.ID, []string{"reasons-unclear"}, "Tolong jelaskan menit 00.37.", h.clock.Now())
		}))
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Taken || c.Holder != h.ratna.Person {
			t.Fatalf("returned: %s held by %q", c.State, c.Holder)
		}
		a := complete()
		a.Reasons.Texts["id"] = "Alasan baru."
		must1(t)(h.Assess(t.Context(), h.ratna, id, 1, a))
		second, err := h.freeze(t, h.ratna, id, h.bagus.Party)
		must(t, err)
		again, err := h.Dossier(t.Context(), d, first.ID)
		must(t, err)
		if again.Digest != first.Digest || string(again.Canonical) != string(first.Canonical) || again.State != casework.SentBack {
			t.Error("the first dossier has changed")
		}
		doc := second.Document.Assessment
		if second.Digest == first.Digest || doc.Version != 2 || doc.Previous == "" {
			t.Errorf("the second dossier holds version %d after %q", doc.Version, doc.Previous)
		}
	})
}

func TestNoProposalWithoutACaptureOrTheReasonWhyThereIsNone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		must1(t)(h.Assess(t.Context(), h.ratna, id, 0, complete()))
		_, err := h.freeze(t, h.ratna, id, h.bagus.Party)
		wantFault(t, err, "case.no-evidence")
		must(t, h.NoCaptureReason(t.Context(), h.ratna, id, "Siaran langsung telah berakhir."))
		dossier, err := h.freeze(t, h.ratna, id, h.bagus.Party)
		must(t, err)
		if w := dossier.Document.EvidenceMissing; w == nil || w.Texts["id"] != "Siaran langsung telah berakhir." {
			t.Errorf("the dossier says %v", w)
		}
	})
}

func TestALockIsKeptByActivityAndFreeWhenItHasRunOut(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		h.clock.Advance(20 * time.Minute)
		h.upload(t, h.ratna, id)
		h.clock.Advance(20 * time.Minute)
		_, err := h.Take(t.Context(), h.dimas, id)
		wantFault(t, err, "case.locked")
		if c := h.get(t, h.dimas, id).Case; c.Holder != h.ratna.Person {
			t.Errorf("a colleague sees the holder %q", c.Holder)
		}
		h.clock.Advance(11 * time.Minute)
		// The lock is over: the case is nobody's to work on unasked, but still the
		// last holder's while nobody else has taken it.
		_, err = h.Assess(t.Context(), h.dimas, id, 0, complete())
		wantFault(t, err, "case.take-first")
		wantFault(t, h.Release(t.Context(), h.dimas, id), "case.take-first")
		h.upload(t, h.ratna, id)
		h.clock.Advance(31 * time.Minute)
		h.take(t, h.dimas, id)
		_, err = h.Assess(t.Context(), h.ratna, id, 0, complete())
		wantFault(t, err, "case.locked")
		must(t, h.Assign(t.Context(), h.sari, id, h.ratna.Person))
		must(t, h.Release(t.Context(), h.ratna, id))
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Open || c.Holder != "" {
			t.Errorf("released: %s held by %q", c.State, c.Holder)
		}
	})
}

func TestOfTwoWhoTakeAtOnceOneGetsTheCase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		results := race(h.ratna, h.dimas, func(by party.Actor) error {
			_, err := h.Take(t.Context(), by, id)
			return err
		})
		wantOne(t, results, "case.locked")
	})
}

func TestOfTwoTabsThatAssessAtOnceOneIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		results := race(h.ratna, h.ratna, func(by party.Actor) error {
			_, err := h.Assess(t.Context(), by, id, 0, complete())
			return err
		})
		wantOne(t, results, "case.assessed-meanwhile")
		if n := len(h.get(t, h.ratna, id).Assessments); n != 1 {
			t.Errorf("%d versions are kept, want 1", n)
		}
	})
}

// race lets two do the same at once.
func race(a, b party.Actor, f func(party.Actor) error) []error {
	gate, results := make(chan struct{}), make(chan error, 2)
	for _, by := range []party.Actor{a, b} {
		go func() { <-gate; results <- f(by) }()
	}
	close(gate)
	return []error{<-results, <-results}
}

func wantOne(t *testing.T, results []error, code string) {
	t.Helper()
	lost := slices.IndexFunc(results, func(err error) bool { return err != nil })
	if lost < 0 || results[1-lost] != nil {
		t.Fatalf("got %v, want one success", results)
	}
	wantFault(t, results[lost], code)
}

func TestEvidenceComesBackAsSealedAndEachOpeningIsOnRecord(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.ready(t, h.ratna, id, string(policy.RemovalOrder))
		file := h.get(t, h.ratna, id).Captures[0].Files[0]
		_, err := h.OpenCapture(t.Context(), h.bagus, file.ID)
		wantFault(t, err, "fault.hidden") // before a dossier with it is addressed to them
		must1(t)(h.freeze(t, h.ratna, id, h.bagus.Party))
		for _, by := range []party.Actor{h.ratna, h.bagus, h.auditor} {
			o, err := h.OpenCapture(t.Context(), by, file.ID)
			must(t, err)
			body, err := io.ReadAll(o.Content)
			must(t, err)
			must(t, o.Content.Close())
			if string(body) != "contoh bukti rekaan" || o.Name != "bukti.txt" {
				t.Errorf("opened %q: %q", o.Name, body)
			}
		}
		_, err = h.OpenCapture(t.Context(), h.lain, file.ID)
		wantFault(t, err, "fault.hidden")
		h.drain(t)
		opened := 0
		for _, e := range h.get(t, h.ratna, id).Timeline {
			if e.Kind == "case.evidence-opened" {
				opened++
			}
		}
		if opened != 3 {
			t.Errorf("%d openings on record, want 3", opened)
		}
	})
}

// A proposal rests on a complete assessment, and on evidence or a written
// reason why there is none; each is asked for by its own name.
func TestAProposalNeedsItsAssessmentAndItsEvidence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for _, c := range []struct {
			want               string
			assess, up, reason bool
		}{
			{"case.incomplete", false, false, false},
			{"case.incomplete", false, true, false},
			{"case.incomplete", false, false, true},
			{"case.no-evidence", true, false, false},
			{"", true, true, false},
			{"", true, false, true},
		} {
			id := h.newCase(t, h.ratna, fmt.Sprintf("%s-%v-%v-%v", link, c.assess, c.up, c.reason))
			h.take(t, h.ratna, id)
			if c.up {
				h.upload(t, h.ratna, id)
			}
			if c.reason {
				must(t, h.NoCaptureReason(t.Context(), h.ratna, id, "Halaman sudah tidak ada."))
			}
			if c.assess {
				_, err := h.Assess(t.Context(), h.ratna, id, 0, complete())
				must(t, err)
			}
			_, err := h.freeze(t, h.ratna, id, h.get(t, h.ratna, id).Case.Party)
			if c.want == "" {
				must(t, err)
				continue
			}
			wantFault(t, err, c.want)
		}
	})
}
