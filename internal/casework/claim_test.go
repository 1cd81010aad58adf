package casework_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/report"
)

// flood files n reports, each of a link of its own, and returns their cases.
func (h *house) flood(t testing.TB, what string, n int, s report.Submission) []casework.ID {
	t.Helper()
	var out []casework.ID
	s.Lang, s.Agency = "id", "tangkal-daring"
	for i := range n {
		s.Locations = []string{fmt.Sprintf("https://ruangsuara.example/v/%s-%d", what, i)}
		out = append(out, h.caseOf(t, h.ratna, h.file(t, s)))
	}
	return out
}

// aheadOf returns which of the cases what is claimed moves forward.
func (h *house) aheadOf(t testing.TB, of []casework.ID) []casework.ID {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(of), func(id casework.ID) bool { return h.get(t, h.ratna, id).Case.AheadAt.IsZero() })
}

var (
	hurtSoon = report.Submission{Channel: report.Web, Category: report.Unsure, Soon: true}
	anAttack = report.Submission{Channel: report.Web, Category: report.Threat}
	aFind    = report.Submission{Channel: report.Web, Category: report.Unsure}
)

// Six claims that somebody will be hurt soon stand first. Further ones stand
// where they would without it, are counted and listed, have joined the call, and
// come forward as those ahead are looked at.
func TestAFloodOfClaimsDoesNotBuryTheQueue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		plain := h.flood(t, "plain", 1, aFind)[0]
		claims := h.flood(t, "soon", 20, hurtSoon)
		if got := h.aheadOf(t, claims); !slices.Equal(got, claims[:6]) {
			t.Fatalf("%d cases stand ahead, want the first 6", len(got))
		}
		queue, _, err := h.Queue(t.Context(), h.ratna, casework.Filter{})
		must(t, err)
		if len(queue) != 21 || queue[5].ID != claims[5] || queue[6].ID != plain {
			t.Errorf("of %d cases, the ordinary one is not behind the six", len(queue))
		}
		further, _, err := h.Queue(t.Context(), h.ratna, casework.Filter{Further: true})
		must(t, err)
		n, err := h.Further(t.Context(), h.ratna)
		if err != nil || n != 14 || len(further) != 14 || further[0].ID != claims[6] || further[0].Queue != "life" || !further[0].Further() {
			t.Errorf("%d further claims are counted (%v), %d listed", n, err, len(further))
		}
		if n, err := h.Further(t.Context(), h.lain); err != nil || n != 0 {
			t.Errorf("another agency counts %d of them (%v)", n, err)
		}
		if calls := h.calls(t); len(calls) != 1 || calls[0].Count != 20 {
			t.Errorf("the calls are %+v", calls)
		}

		h.take(t, h.ratna, claims[2])
		h.take(t, h.ratna, claims[5])
		must1(t)(h.Sweep(t.Context(), h.clock.Now(), 500))
		if got := h.aheadOf(t, claims); !slices.Equal(got, claims[:8]) {
			t.Errorf("two were taken, and %d have come forward", len(got)-6)
		}
		if c := h.get(t, h.ratna, claims[7]).Case; c.Priority != 100 || c.Why[0].Code != casework.WhySoon {
			t.Errorf("who came forward stands there with %d points: %+v", c.Priority, c.Why)
		}

		partner := hurtSoon
		partner.Channel = report.Partner
		if h.get(t, h.ratna, h.flood(t, "partner", 1, partner)[0]).Case.Priority != 100 {
			t.Error("what a partner claims does not stand ahead")
		}
		partner.Locations, partner.Lang, partner.Agency = []string{"https://ruangsuara.example/v/soon-19"}, "id", "tangkal-daring"
		h.file(t, partner)
		if h.get(t, h.ratna, claims[19]).Case.Priority != 100 {
			t.Error("what a partner claims of a case that waits does not bring it ahead")
		}
	})
}

// Claims of an attack leave room for those of which it is said that it is soon,
// and get no points beyond their own.
func TestAFloodOfThreatsLeavesRoom(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		threats := h.flood(t, "threat", 10, anAttack)
		if got := h.aheadOf(t, threats); !slices.Equal(got, threats[:3]) {
			t.Errorf("%d threats stand ahead, want the first 3", len(got))
		}
		for _, r := range h.get(t, h.ratna, threats[3]).Case.Why {
			if r.Code == casework.WhyClaim {
				t.Errorf("the fourth has %d points for what is claimed", r.Points)
			}
		}
		claims := h.flood(t, "soon", 5, hurtSoon)
		if got := h.aheadOf(t, claims); !slices.Equal(got, claims[:3]) {
			t.Errorf("beside them %d stand ahead of which it is said that it is soon, want 3", len(got))
		}
		for _, id := range []casework.ID{threats[0], threats[1], claims[0]} {
			h.take(t, h.ratna, id)
		}
		must1(t)(h.Sweep(t.Context(), h.clock.Now(), 500))
		if got := h.aheadOf(t, threats); len(got) != 3 || !slices.Equal(h.aheadOf(t, claims), claims) {
			t.Errorf("of those who waited another %d threats have come forward, before what is soon", len(got)-3)
		}
	})
}

// However fast claims are looked at, sixty come forward in an hour: the rest of
// the agency's work goes on. The next hour takes the next.
func TestSixtyClaimsComeForwardInAnHour(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		begun := h.clock.Now()
		claims := h.flood(t, "soon", 70, hurtSoon)
		for taken := 0; ; {
			ahead := h.aheadOf(t, claims)
			if taken == len(ahead) {
				break
			}
			for _, id := range ahead[taken:] {
				h.take(t, h.ratna, id)
				taken++
			}
			must1(t)(h.Sweep(t.Context(), h.clock.Now(), 500))
		}
		if got := h.aheadOf(t, claims); !slices.Equal(got, claims[:60]) || h.clock.Now().Sub(begun) > time.Hour {
			t.Errorf("%d came forward in %s, want the first 60", len(got), h.clock.Now().Sub(begun))
		}
		h.clock.Advance(time.Hour)
		must1(t)(h.Sweep(t.Context(), h.clock.Now(), 500))
		if got := h.aheadOf(t, claims); !slices.Equal(got, claims[:66]) {
			t.Errorf("an hour later %d have come forward, want 66", len(got))
		}
	})
}
