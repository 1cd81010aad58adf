package casework_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/report"
)

// closed reports a link, and closes its case as lawful.
func (h *house) closed(t testing.TB, link string) (casework.ID, report.Receipt) {
	t.Helper()
	r := h.submit(t, "tangkal-daring", link)
	id := h.caseOf(t, h.ratna, r)
	h.close(t, id)
	return id, r
}

func (h *house) close(t testing.TB, id casework.ID) {
	t.Helper()
	h.take(t, h.ratna, id)
	must1(t)(h.Close(t.Context(), h.ratna, []casework.ID{id}, casework.CloseInput{Reason: "no-ground"}))
}

// What a person has found lawful is not opened again because somebody reports it
// once more, by form or by program.
func TestOneMorePublicReportOpensNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const link = "https://ruangsuara.example/v/lawful"
		id, _ := h.closed(t, link)
		for channel, want := range map[report.Channel]casework.State{report.Web: casework.Closed, report.API: casework.Closed, report.Mail: casework.Closed} {
			h.file(t, report.Submission{Channel: channel, Locations: []string{link}, Category: report.Incitement, Lang: "id", Agency: "tangkal-daring"})
			if c := h.get(t, h.ratna, id).Case; c.State != want || c.Again != "" {
				t.Errorf("a report by %s: it is %s, and opens again by %q", channel, c.State, c.Again)
			}
		}
		h.file(t, report.Submission{Channel: report.Partner, Locations: []string{link}, Category: report.Incitement, Lang: "id", Agency: "tangkal-daring"})
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Open {
			t.Errorf("a partner's report: it is %s", c.State)
		}
	})
}

// What anybody may claim opens a closed case at most once a day. What comes
// sooner shows on it, calls duty if it is soon, and opens it when the day is
// over: it is not lost.
func TestClaimsOpenAClosedCaseOnceADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const link = "https://ruangsuara.example/v/judged"
		id, first := h.closed(t, link)
		threat := report.Submission{Channel: report.API, Locations: []string{link}, Category: report.Threat, Lang: "id", Agency: "tangkal-daring"}
		h.file(t, threat)
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Open {
			t.Fatalf("the first claim leaves it %s", c.State)
		}
		h.close(t, id)
		for _, again := range []func(){
			func() { h.file(t, threat) },
			func() { h.soon(t, link) },
			func() {
				must(t, h.reports.AddMaterial(t.Context(), first.Code, report.Material{Locations: []string{link + "-more"}}))
				h.drain(t)
			},
		} {
			again()
			if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed || c.Again != "threat" {
				t.Errorf("a further claim within the day: it is %s, and opens again by %q", c.State, c.Again)
			}
		}
		if calls := h.calls(t); len(calls) != 1 || calls[0].Cases[0].ID != id {
			t.Errorf("duty was not called: %+v", calls)
		}
		if n := h.entries(t, "case.reopened"); n != 1 {
			t.Errorf("it was opened %d times, want once", n)
		}
		h.clock.Advance(23 * time.Hour)
		must1(t)(h.Sweep(t.Context(), h.clock.Now(), 10))
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed {
			t.Errorf("before the day is over it is %s", c.State)
		}
		h.clock.Advance(time.Hour)
		must1(t)(h.Sweep(t.Context(), h.clock.Now(), 10))
		c := h.get(t, h.ratna, id)
		if c.Case.State != casework.Open || c.Case.Again != "" || !slices.ContainsFunc(c.Notes, func(n casework.Note) bool { return n.Code == "threat" }) {
			t.Errorf("the day is over, and it is %s", c.Case.State)
		}
		// Opened by the sweep, it has been opened: the next claim waits as well.
		h.close(t, id)
		h.file(t, threat)
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed {
			t.Errorf("at once after that it is %s", c.State)
		}
	})
}

// A closing that is undone forgets that the case was to open again.
func TestAnUndoneClosingHasNothingToOpen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const link = "https://ruangsuara.example/v/undone"
		id, _ := h.closed(t, link)
		h.soon(t, link)
		h.take(t, h.ratna, id)
		got, err := h.Close(t.Context(), h.ratna, []casework.ID{id}, casework.CloseInput{Reason: "no-ground"})
		must(t, err)
		h.soon(t, link)
		if c := h.get(t, h.ratna, id).Case; c.Again != "threat" {
			t.Fatalf("it opens again by %q", c.Again)
		}
		must1(t)(h.Undo(t.Context(), h.ratna, got.Token))
		n, err := db.Value[int64](context.WithoutCancel(t.Context()), h.db, `SELECT count(*) FROM cases WHERE again <> ''`)
		if err != nil || n != 0 {
			t.Errorf("%d cases are to open again (%v)", n, err)
		}
	})
}
