package flagger_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

const mistaken = "url,note\nhttps://ruangsuara.example/v/1,one\nhttps://ruangsuara.example/v/1,once more\nhttps://ruangsuara.example/v/2,two\nhttps://ruangsuara.example/v/3,three\nhttps://ruangsuara.example/v/4,four\n"

// caseOf is the case of a report.
func (h *house) caseOf(t testing.TB, id report.ID) casework.Case {
	t.Helper()
	all, err := h.cases.OfReport(t.Context(), h.analyst, id)
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("report %s is in %d cases", id, len(all))
	}
	return all[0]
}

func TestAListIsTakenBackWhileNobodyHasBegun(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		l := h.send(t, h.lena, mistaken)
		ids := map[int]report.ID{}
		for _, row := range h.look(t, h.lena, l.ID).Rows {
			ids[row.N] = row.Report
		}
		_, err := h.reports.Submit(t.Context(), report.Submission{Channel: report.Web, Locations: []string{"https://ruangsuara.example/v/3"}, Category: report.Unsure, Lang: "id"})
		must(t, err)
		h.drain(t)
		begun := h.caseOf(t, ids[4])
		looked := h.caseOf(t, ids[6]) // given back to the queue, but begun
		for _, c := range []casework.Case{looked, begun} {
			must(t, errOf(h.cases.Take(t.Context(), h.analyst, c.ID)))
		}
		must(t, h.cases.NoCaptureReason(t.Context(), h.analyst, looked.ID, "Sudah hilang."))
		must(t, h.cases.Release(t.Context(), h.analyst, looked.ID))
		for _, by := range []party.Actor{h.other, h.analyst, h.auditor} {
			if err := h.Undo(t.Context(), by, l.ID); !fault.Is(err, "fault.hidden") {
				t.Errorf("%s takes another's list back: %v", by.PartyKind, err)
			}
		}
		must(t, h.Undo(t.Context(), h.lena, l.ID))
		undoing, err := h.Undoing(t.Context())
		must(t, err)
		if !slices.Equal(undoing, []flagger.ID{l.ID}) || !slices.Equal(h.back, undoing) {
			t.Errorf("to be taken back is %v, asked for was %v", undoing, h.back)
		}
		must(t, h.Work(t.Context(), l.ID))
		must(t, h.Work(t.Context(), l.ID)) // a job that comes twice
		h.drain(t)
		h.wantTakenBack(t, l, ids, begun)
		own, err := h.Own(t.Context(), h.lena)
		must(t, err)
		if a := own.All[0].In(90); a.Reports != 2 || a.Cases != 2 {
			t.Errorf("%d reports and %d cases count", a.Reports, a.Cases)
		}
		if err := h.Undo(t.Context(), h.lena, l.ID); !fault.Is(err, "flagger.not-undone") {
			t.Errorf("taken back twice: %v", err)
		}
		// Sent again it is new, but for what was taken up.
		again := h.send(t, h.lena, mistaken)
		if again.Made != 3 || again.Again != 2 {
			t.Errorf("sent again: %+v", again)
		}
		if c := h.caseOf(t, h.look(t, h.lena, again.ID).Rows[0].Report); c.State != casework.Open || c.ID == h.caseOf(t, ids[2]).ID {
			t.Errorf("it is part of %s, %s", c.Ref, c.State)
		}
	})
}

// wantTakenBack wants of the list's five reports the two of one case gone with
// it, those of cases that were begun in place, and the one of the case that
// somebody else reported gone alone.
func (h *house) wantTakenBack(t *testing.T, l flagger.List, ids map[int]report.ID, begun casework.Case) {
	t.Helper()
	type fate struct {
		State   casework.State
		Outcome string
		Reports int
	}
	got := map[int]fate{}
	for n, id := range ids {
		c := h.caseOf(t, id)
		got[n] = fate{c.State, c.Outcome, c.ReportCount}
	}
	gone := fate{casework.Closed, "taken-back", 0}
	if diff := cmp.Diff(map[int]fate{2: gone, 3: gone, 4: {casework.Taken, "", 1}, 5: {casework.Open, "", 1}, 6: {casework.Open, "", 1}}, got); diff != "" {
		t.Error(diff)
	}
	last, err := h.reports.LastSteps(t.Context(), h.db, slices.Collect(maps.Values(ids)))
	must(t, err)
	for n, want := range map[int]string{2: report.StepTakenBack, 3: report.StepTakenBack, 4: report.StepReview, 5: report.StepTakenBack, 6: report.StepReview} {
		if last[ids[n]].Kind != want {
			t.Errorf("row %d: %s, want %s", n, last[ids[n]].Kind, want)
		}
	}
	v := h.look(t, h.lena, l.ID)
	if v.State != flagger.Undone || !v.Gone || v.Name != "daftar.csv" || v.UndoneBy != h.lena.Person || v.Made != 5 || v.Back != 3 || v.Counts[flagger.Reported] != 2 {
		t.Errorf("%+v, %v", v.List, v.Counts)
	}
	undoing, err := h.Undoing(t.Context())
	must(t, err)
	if len(undoing) != 0 {
		t.Errorf("%v is still on its way back", undoing)
	}
	for kind, want := range map[string]int64{"list.undone": 1, "list.taken-back": 1, "case.taken-back": 1, "case.report-taken-back": 2} {
		if n := h.count(t, `SELECT count(*) FROM feed_entries WHERE kind = $1`, kind); n != want {
			t.Errorf("%d records of %s, want %d", n, kind, want)
		}
	}
	if err := h.cases.Release(t.Context(), h.analyst, begun.ID); err != nil {
		t.Error(err)
	}
}

func TestTakingAListBackStopsIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		l := h.upload(t, h.lena, mistaken)
		if err := h.Undo(t.Context(), h.lena, l.ID); !fault.Is(err, "flagger.not-undone") {
			t.Errorf("a draft is taken back: %v", err)
		}
		must(t, h.Start(t.Context(), h.lena, l.ID))
		must(t, h.Undo(t.Context(), h.lena, l.ID))
		must(t, h.Work(t.Context(), l.ID))
		if n := h.count(t, `SELECT count(*) FROM reports`); n != 0 {
			t.Errorf("%d reports of a list that was stopped", n)
		}
		// Reports whose cases are not made yet are taken back once they are.
		l = h.upload(t, h.lena, mistaken)
		must(t, h.Start(t.Context(), h.lena, l.ID))
		must(t, h.Work(t.Context(), l.ID))
		must(t, h.Undo(t.Context(), h.lena, l.ID))
		if err := h.Work(t.Context(), l.ID); fault.Of(err) != fault.Unavailable {
			t.Errorf("taken back before there are cases: %v", err)
		}
		h.drain(t)
		must(t, h.Work(t.Context(), l.ID))
		h.drain(t)
		if got := h.look(t, h.lena, l.ID); got.Back != 5 || !got.Gone {
			t.Errorf("%+v", got.List)
		}
		if n := h.count(t, `SELECT count(*) FROM cases WHERE state <> 'closed'`); n != 0 {
			t.Errorf("%d cases are left", n)
		}
	})
}
