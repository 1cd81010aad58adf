package report_test

import (
	"fmt"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/report"
)

// What a report has already adds nothing, however often it is sent: no row, no
// event. What is new is taken so many times, and then the thread goes on.
func TestMaterialThatAddsNothingLeavesNoTrace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const link = "https://forum.example/2/again"
		r := h.submit(t, report.Submission{Channel: report.Web, Locations: []string{link}, Category: report.Unsure, Lang: "id"})
		steps, events := h.count(t, "report_steps"), h.count(t, "feed_pending")
		for range 3 {
			if err := h.AddMaterial(t.Context(), r.Code, report.Material{Locations: []string{link}}); err != nil {
				t.Fatal(err)
			}
		}
		if s, e := h.count(t, "report_steps"), h.count(t, "feed_pending"); s != steps || e != events {
			t.Errorf("%d steps and %d events more", s-steps, e-events)
		}
		for i := range report.MaxAdditions + 1 {
			err := h.AddMaterial(t.Context(), r.Code, report.Material{Locations: []string{fmt.Sprintf("%s-%d", link, i)}})
			if over := i == report.MaxAdditions; (err != nil) != over || over && !limited(err) {
				t.Fatalf("addition %d: %v", i+1, err)
			}
		}
		if err := h.Write(t.Context(), r.Code, "Halo", nil); err != nil {
			t.Errorf("the thread does not go on: %v", err)
		}
	})
}

// limited reports whether a fault says that too much was added.
func limited(err error) bool {
	f, ok := fault.As(err)
	return ok && (f.Code == "report.too-many-additions" || len(f.Parts) == 1 && f.Parts[0].Code == "report.too-many-additions")
}
