package casework_test

import (
	"context"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/report"
)

// listed files one row of an organisation's list.
func (h *house) listed(t testing.TB, agency, link string) report.Receipt {
	t.Helper()
	return h.file(t, report.Submission{Channel: report.Partner, From: h.ketiga.Party, Bulk: true, Locations: []string{link}, Category: report.Recruitment, Lang: "id", Agency: agency})
}

// takeBack reports whether a report could be taken back.
func (h *house) takeBack(t testing.TB, r report.Receipt) bool {
	t.Helper()
	var back []report.ID
	h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		back, err = h.TakeBackTx(ctx, tx, []report.ID{r.ReportID}, h.clock.Now())
		return err
	})
	return len(back) == 1
}

// What another authority handed over stays, though the one report that joined it
// is taken back.
func TestAListTakesNothingBackThatWasHandedOver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.ready(t, h.ratna, id, casework.MeasureHandOver)
		over, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party, Note: "Wilayah Anda."})
		must(t, err)
		made, err := h.AcceptHandOver(t.Context(), h.lain, over, casework.HandOverAnswer{})
		must(t, err)
		r := h.listed(t, "lain", link)
		if got := h.caseOf(t, h.lain, r); got != made {
			t.Fatalf("the report is in %s, not in what was handed over", got)
		}
		if !h.takeBack(t, r) {
			t.Error("the report is not taken back")
		}
		if c := h.get(t, h.lain, made).Case; c.State != casework.Open || c.Outcome != "" || c.ReportCount != 0 {
			t.Errorf("the case is %s %q with %d reports", c.State, c.Outcome, c.ReportCount)
		}
	})
}

// Whoever held a case, or asked for a capture, has begun, also when the hold is
// over and the case back in the queue.
func TestAListTakesNothingBackThatWasBegun(t *testing.T) {
	for what, begin := range map[string]func(t *testing.T, h *house, id casework.ID){
		"held": func(t *testing.T, h *house, id casework.ID) {
			must(t, h.Hold(t.Context(), h.ratna, id, "operation", 72*time.Hour))
			must(t, h.EndHold(t.Context(), h.ratna, id, "go-on"))
		},
		"to be captured": func(t *testing.T, h *house, id casework.ID) {
			h.take(t, h.ratna, id)
			must1(t)(h.RequestCapture(t.Context(), h.ratna, id, h.get(t, h.ratna, id).Case.LocationIDs[0]))
			must(t, h.Release(t.Context(), h.ratna, id))
		},
		"left alone": nil,
	} {
		t.Run(what, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				h := start(t, d)
				r := h.listed(t, "tangkal-daring", link)
				id := h.caseOf(t, h.ratna, r)
				want := casework.Closed
				if begin != nil {
					begin(t, h, id)
					want = casework.Open
				}
				if back, c := h.takeBack(t, r), h.get(t, h.ratna, id).Case; back != (begin == nil) || c.State != want {
					t.Errorf("taken back %v, the case is %s %q", back, c.State, c.Outcome)
				}
			})
		})
	}
}

// A report that was taken back is told nothing more, and its organisation is no
// voice any more once all that it reported is taken back.
func TestWhatWasTakenBackIsNoVoice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		one, two := h.listed(t, "tangkal-daring", link), h.listed(t, "tangkal-daring", link)
		for _, k := range []struct {
			back    report.Receipt
			voices  int
			reports int
		}{{report.Receipt{}, 2, 3}, {one, 2, 2}, {two, 1, 1}} {
			if k.back.Ref != "" && !h.takeBack(t, k.back) {
				t.Fatal("it is not taken back")
			}
			if v := h.get(t, h.ratna, id); v.Case.Voices != k.voices || len(v.Reports) != k.reports || v.Case.ReportCount != k.reports {
				t.Errorf("%d reports (%d counted) are %d voices, want %d and %d", len(v.Reports), v.Case.ReportCount, v.Case.Voices, k.reports, k.voices)
			}
		}
		h.take(t, h.ratna, id)
		last, err := h.reports.LastSteps(t.Context(), h.db, []report.ID{one.ReportID, two.ReportID})
		must(t, err)
		for _, r := range []report.Receipt{one, two} {
			if last[r.ReportID].Kind != report.StepTakenBack {
				t.Errorf("taken back, and told %s", last[r.ReportID].Kind)
			}
		}
		must(t, h.Release(t.Context(), h.ratna, id))
		h.listed(t, "tangkal-daring", link)
		if v := h.get(t, h.ratna, id).Case.Voices; v != 2 {
			t.Errorf("reported again, %d voices", v)
		}
	})
}
