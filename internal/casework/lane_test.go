package casework_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/scaletest"
)

// own returns words that nobody else writes, twelve of them.
func own(i int) string {
	words := make([]string, 12)
	for j := range words {
		words[j] = named(i*131 + j*(i+17))
	}
	return strings.Join(words, " ")
}

func bare(int) string { return "" }

// elsewhere spreads over three platforms.
func elsewhere(i int) string {
	return fmt.Sprintf("https://%s.example/v/%d", []string{"kabarkita", "forumraya", "gambarku"}[i%3], 5000+i)
}

func newSite(i int) string { return fmt.Sprintf("https://%s.example/v/%d", named(i+400), 90_000+i) }

func spread(i int) string {
	return fmt.Sprintf("https://%s.example/v/%d", []string{"kabarkita", "forumraya", "gambarku"}[i%3], 90_000+i)
}

// The drill of threat-model T04 for a flood of which nothing folds: five
// thousand false reports of a link each among 200 true ones. What reads alike,
// wherever it points, and what comes from sites from which the true ones do not
// come, worsens the median place of the true ones by at most a tenth. What is
// in own words and on the same site as the true ones cannot be told from them:
// that is measured, so that nobody claims it.
func TestDrillFloodOfLinks(t *testing.T) {
	n := max(scaletest.Of(5000), 500)
	for _, k := range []struct {
		what string
		campaign
		held bool
	}{
		{"the same words, the same site", campaign{}, true},
		{"the same words, each a site of its own", campaign{link: newSite}, true},
		{"no words, the same site", campaign{words: bare, watched: true}, true},
		{"own words, another site", campaign{words: own, others: elsewhere, watched: true}, true},
		{"own words, each a new site", campaign{words: own, link: newSite, watched: true}, true},
		{"own words, the same site", campaign{words: own, watched: true}, false},
		{"own words, the same three sites", campaign{words: own, link: spread, others: elsewhere, watched: true}, false},
	} {
		t.Run(k.what, func(t *testing.T) {
			t.Parallel()
			c := k.campaign
			quiet := day(t, c)
			before := quiet.median(t, quiet.cases)
			c.reports, c.apart = n, true
			b := day(t, c)
			b.decides(t, n+trueReports)
			after := b.median(t, b.cases)
			late := 0
			for _, c := range b.true {
				if c.InTurns(b.clock.Now()) {
					late++
				}
			}
			if len(b.cases) != n+trueReports {
				t.Errorf("%d cases wait, want %d: nothing is dropped", len(b.cases), n+trueReports)
			}
			if k.held && (after > before*1.1 || late > 0) {
				t.Errorf("the median true case waits at place %.1f, without the flood at %.1f; %d true ones wait for a turn", after, before, late)
			}
			off := b.median(t, b.without(func(c casework.Case) casework.Facts {
				return casework.Facts{Soon: c.Soon, Life: c.Queue == "life", Voices: 1}
			}))
			if k.held && off <= before*2 {
				t.Errorf("without lanes the median is at %.1f, and nothing would be seen of them", off)
			}
			t.Logf("%d false reports of a link each, %s: median place of a true case %.1f without them, %.1f with them (%+.1f %%), %.1f without lanes; %d of 200 true ones in a lane",
				n, k.what, before, after, 100*(after/before-1), off, late)
		})
	}
}

// alike files n reports of nearly the same words, each of a link of its own.
func (h *house) alike(t testing.TB, what string, n int) []casework.ID {
	t.Helper()
	var out []casework.ID
	for i := range n {
		out = append(out, h.flood(t, fmt.Sprintf("%s-%d", what, i), 1, report.Submission{
			Channel: report.Web, Category: report.Unsure, Description: "salam dari " + named(i+7) + " " + call,
		})...)
		h.clock.Advance(time.Second)
	}
	return out
}

// Twenty cases of nearly the same words in an hour are a burst. It draws in
// those before it, takes nobody else in, and what carries weight of its own
// takes a case out.
func TestABurstIsShownInTurns(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		plain := h.flood(t, "plain", 1, aFind)[0]
		h.clock.Advance(time.Minute)
		few := h.alike(t, "few", 19)
		if c := h.get(t, h.ratna, few[18]).Case; c.LaneID != "" {
			t.Fatalf("nineteen are a burst: %+v", c)
		}
		burst := append(few, h.alike(t, "more", 21)...)
		after := h.flood(t, "after", 1, aFind)[0]
		lane := h.get(t, h.ratna, burst[0]).Lane
		if lane == nil || lane.Kind != casework.LaneWords || lane.Cases != 40 {
			t.Fatalf("the burst is %+v", lane)
		}
		var last time.Time
		for i, id := range burst {
			v := h.get(t, h.ratna, id)
			if v.Case.LaneID != lane.ID || !v.Case.TurnAt.After(last) || v.Case.InTurns(h.clock.Now()) != (i > 0) {
				t.Fatalf("case %d of the burst: lane %q, turn %v after %v", i, v.Case.LaneID, v.Case.TurnAt, last)
			}
			last = v.Case.TurnAt
		}
		for _, id := range []casework.ID{plain, after} {
			if c := h.get(t, h.ratna, id).Case; c.LaneID != "" {
				t.Errorf("another's case is in the lane: %+v", c)
			}
		}
		queue, _, err := h.Queue(t.Context(), h.ratna, casework.Filter{Limit: 200})
		must(t, err)
		if len(queue) != 42 || queue[0].ID != plain || queue[1].ID != burst[0] || queue[2].ID != after {
			t.Errorf("of %d cases the first are not those that are in no lane and the one whose turn it is", len(queue))
		}
		within, _, err := h.Queue(t.Context(), h.ratna, casework.Filter{Lane: lane.ID, Limit: 200})
		if err != nil || len(within) != 40 {
			t.Errorf("%d cases of the lane are listed (%v)", len(within), err)
		}
		if n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM reports WHERE marks IS NOT NULL`); err != nil || n != 0 {
			t.Errorf("%d reports keep their marks (%v)", n, err)
		}

		h.clock.Set(h.get(t, h.ratna, burst[1]).Case.TurnAt)
		for swept := 1; swept > 0; {
			swept, err = h.Sweep(t.Context(), h.clock.Now(), 500)
			must(t, err)
		}
		if c := h.get(t, h.ratna, burst[1]).Case; c.InTurns(h.clock.Now()) || c.Priority == 0 {
			t.Errorf("its turn has come, and it has %d points", c.Priority)
		}
		if c := h.get(t, h.ratna, burst[2]).Case; !c.InTurns(h.clock.Now()) || c.Priority != 0 {
			t.Errorf("its turn has not come, and it has %d points", c.Priority)
		}
	})
}

// What carries weight of its own takes a case out of its lane: somebody who is
// known, a report that is no part of the burst, a claim within its bounds. The
// same campaign once more does not.
func TestWeightOfItsOwnTakesACaseOutOfItsLane(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		burst := h.alike(t, "campaign", 30)
		again := func(i int, s report.Submission) casework.Case {
			t.Helper()
			s.Lang, s.Agency = "id", "tangkal-daring"
			s.Locations = []string{fmt.Sprintf("https://ruangsuara.example/v/campaign-%d-0", i)}
			h.file(t, s)
			return h.get(t, h.ratna, burst[i]).Case
		}
		for j, k := range []struct {
			what string
			s    report.Submission
			out  bool
		}{
			{"the same words", report.Submission{Channel: report.Web, Category: report.Unsure, Description: "kami dari " + named(99) + " " + call}, false},
			{"a partner", report.Submission{Channel: report.Partner, Category: report.Unsure}, true},
			{"own words", report.Submission{Channel: report.Web, Category: report.Unsure, Description: own(5)}, true},
			{"no words", report.Submission{Channel: report.Web, Category: report.Unsure}, true},
			{"hurt soon", report.Submission{Channel: report.Web, Category: report.Unsure, Soon: true, Description: "kami dari " + named(98) + " " + call}, true},
		} {
			i := 20 + j
			if c := h.get(t, h.ratna, burst[i]).Case; !c.InTurns(h.clock.Now()) {
				t.Fatalf("%s: case %d does not wait for a turn", k.what, i)
			}
			if c := again(i, k.s); c.InTurns(h.clock.Now()) == k.out || (c.Priority > 0) != k.out || c.LaneID == "" {
				t.Errorf("%s: in turns %v, %d points", k.what, c.InTurns(h.clock.Now()), c.Priority)
			}
		}
	})
}

// A lane ends with the burst; and marks of words are forgotten soon after.
func TestALaneEndsWithItsBurst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		h.alike(t, "first", 30)
		h.clock.Advance(2*time.Hour + time.Minute)
		if _, err := h.Sweep(t.Context(), h.clock.Now(), 1); err != nil {
			t.Fatal(err)
		}
		if n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM case_flows WHERE words = TRUE`); err != nil || n != 0 {
			t.Errorf("%d marks of words are kept (%v)", n, err)
		}
		if c := h.get(t, h.ratna, h.alike(t, "next", 1)[0]).Case; c.LaneID != "" {
			t.Errorf("the burst is over, and the next alike stands in %q", c.LaneID)
		}
	})
}

// What comes from a site as it always comes is no burst, however much it is.
func TestWhatIsUsualAtASiteIsNoBurst(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	hour := func(what string, n int) (lanes int) {
		t.Helper()
		for i, id := range h.flood(t, what, n, aFind) {
			if h.get(t, h.ratna, id).Case.LaneID != "" {
				lanes++
			}
			if i < n-1 {
				h.clock.Advance(time.Hour / time.Duration(2*n))
			}
		}
		h.clock.Advance(31 * time.Minute)
		return lanes
	}
	if n := hour("first", 60); n != 0 {
		t.Errorf("%d of the first hour ever are in a lane", n)
	}
	h.clock.Advance(24 * time.Hour)
	if n := hour("usual", 60); n != 0 {
		t.Errorf("%d of a usual hour are in a lane", n)
	}
	if n := hour("busy", 140); n != 0 {
		t.Errorf("%d of a busy hour are in a lane", n)
	}
	// The busy hour is usual now: 30 more than twice 140 are a burst, which is
	// drawn in from its first 30 on.
	if n := hour("flood", 320); n != 30+11 {
		t.Errorf("%d of the flood are in a lane, want 41", n)
	}
}
