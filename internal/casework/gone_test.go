package casework_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
)

// What its platform took away and somebody reports later has been uploaded
// again: the closed case opens, at most once a day by what anybody says. What
// the platform left where it was, and what was sent before it was gone, opens
// nothing.
func TestWhatWasGoneAndIsReportedAgainOpensItsCase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const away, there = "https://ruangsuara.example/v/away", "https://ruangsuara.example/v/there"
		id := h.newCase(t, h.ratna, away, there)
		tell := func(link string) casework.View {
			t.Helper()
			h.file(t, report.Submission{Channel: report.Web, Locations: []string{link}, Category: report.Incitement, Lang: "id", Agency: "tangkal-daring"})
			return h.get(t, h.ratna, id)
		}
		finish := func() {
			t.Helper()
			h.ready(t, h.ratna, id, string(policy.RemovalOrder))
			dossier, err := h.freeze(t, h.ratna, id, h.bagus.Party)
			must(t, err)
			must(t, h.tx(t, func(ctx context.Context, tx *db.Tx) error {
				return h.DecideTx(ctx, tx, dossier.ID, "removal-order", h.clock.Now())
			}))
			// Sent before, ordered after.
			must1(t)(h.reports.Submit(t.Context(), report.Submission{Channel: report.Web, Locations: []string{away}, Category: report.Incitement, Lang: "id", Agency: "tangkal-daring"}))
			h.clock.Advance(time.Second)
			must(t, h.tx(t, func(ctx context.Context, tx *db.Tx) error {
				ids, err := h.Locations(ctx, tx, id)
				must(t, err)
				return h.FinishTx(ctx, tx, dossier.ID, "partly", ids[:1], h.clock.Now())
			}))
			h.drain(t)
			h.clock.Advance(time.Second)
		}
		finish()
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed || c.ReportCount != 2 {
			t.Fatalf("a report from before leaves it %s with %d reports", c.State, c.ReportCount)
		}
		if v := tell(there); v.Case.State != casework.Closed || v.Case.Again != "" {
			t.Errorf("a report of what the platform left: it is %s, opens again by %q", v.Case.State, v.Case.Again)
		}
		v := tell(away)
		if v.Case.State != casework.Open || !slices.ContainsFunc(v.Notes, func(n casework.Note) bool { return n.Code == "re-upload" }) {
			t.Fatalf("a report of what was gone: it is %s", v.Case.State)
		}
		h.close(t, id)
		if v := tell(away); v.Case.State != casework.Closed || v.Case.Again != "" {
			t.Errorf("a person said that it is not there, and it is %s, opens again by %q", v.Case.State, v.Case.Again)
		}
	})
}
