package casework_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// However many reports one transaction orders, each finds what those before it
// have made: the cases are the same as when every report was alone.
func TestReportsThatComeTogetherMakeTheCasesThatTheyMadeAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		seed := rand.Uint64()
		together := cases(t, d, seed, false)
		if diff := cmp.Diff(cases(t, dbtest.SQLite(t), seed, true), together); diff != "" {
			t.Errorf("seed %d: alone (-), together (+)\n%s", seed, diff)
		}
	})
}

// cases files forty reports of the seed's choice, orders them one by one or all
// together, and returns what is said of the case of each.
func cases(t *testing.T, d *db.DB, seed uint64, alone bool) []string {
	t.Helper()
	h, random := start(t, d), rand.New(rand.NewPCG(seed, 0))
	var made []report.Receipt
	var readers []party.Actor
	for range 40 {
		s := report.Submission{Channel: report.Web, Category: report.Recruitment, Lang: "id", Agency: "tangkal-daring"}
		reader := h.ratna
		if random.IntN(5) == 0 {
			s.Agency, reader = "lain", h.lain
		}
		if random.IntN(5) == 0 {
			s.Channel = report.Partner
		}
		if random.IntN(2) == 0 {
			s.Description = fmt.Sprint("Seen again, wording ", "abc"[random.IntN(3)])
		}
		for range 1 + random.IntN(3) {
			s.Locations = append(s.Locations, fmt.Sprintf("https://ruangsuara.example/v/%d", random.IntN(24)))
		}
		r, err := h.reports.Submit(t.Context(), s)
		must(t, err)
		made, readers = append(made, r), append(readers, reader)
		if alone {
			h.drain(t)
		}
		h.clock.Advance(time.Second)
	}
	h.drain(t)
	name := map[casework.ID]int{}
	var out []string
	for i, r := range made {
		id := h.caseOf(t, readers[i], r)
		if _, ok := name[id]; !ok {
			name[id] = len(name)
		}
		c := h.get(t, readers[i], id).Case
		out = append(out, fmt.Sprintf("report %d in case %d: %d reports, %d voices, %d locations, %s, priority %d, version %d, by %v, first of %v",
			i, name[id], c.ReportCount, c.Voices, c.Locations, c.Kind, c.Priority, c.Version, c.Channels, c.OpenedAt))
	}
	return out
}
