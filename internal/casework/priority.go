package casework

import (
	"math/bits"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/policy"
)

// A Reason says how many points of a priority came from what.
type Reason struct {
	Code   string `json:"code"` // catalogue key is "case.why." and this
	Points int    `json:"points"`
}

// Facts are all that a priority rests on.
type Facts struct {
	OpenedAt time.Time
	Deadline time.Time // own triage target
	Tier     policy.Tier
	Life     bool // a reporter spoke of a threat to life, before any assessment, and it counts: see claim.go
	Soon     bool // a reporter says that somebody will be hurt soon; likewise
	Crisis   bool
	Kinds    []string  // kinds of its locations
	Voices   int       // of its reports: see Slot.Wave
	Bulk     bool      // nobody has reported it but organisations by their lists
	Turn     time.Time // in its lane, zero without one: see lane.go
}

// The codes of reasons, in the order in which they are shown.
const (
	WhyCrisis   = "crisis"
	WhyTier     = "tier"
	WhyClaim    = "claim"
	WhySoon     = "soon"
	WhyDeadline = "deadline"
	WhyReach    = "reach"
	WhyReports  = "reports"
	WhyAge      = "age"
)

// ReasonCodes lists the codes of reasons.
func ReasonCodes() []string {
	return []string{WhyCrisis, WhyTier, WhySoon, WhyClaim, WhyDeadline, WhyReach, WhyReports, WhyAge}
}

// fullVolume is the number of voices that earns all the points of volume: from
// there on another thousand changes nothing (threat-model T04).
const fullVolume = 63

// most is the highest priority.
const most = 100

// fullAge is the waiting time that earns all the points of age.
const fullAge = 24 * time.Hour

// Priority returns a case's place in the queue, 0 to 100, and why. The weights
// are the most points that each reason can add. It orders the queue and decides
// nothing. Reports count as voices (see Slot.Wave), by the logarithm of their number,
// so that a crowd cannot push one case past the others: from 1 to 63 voices is
// all there is.
// What is only on lists, of which one may hold ten thousand lines, waits at half
// the points of time alone until a person has assessed it or somebody else
// reports it: behind everything fresh, and never for ever.
// What a reporter claims counts half of what an analyst found; but where
// somebody will be hurt soon, as they say, the case comes first until a person
// has assessed it. Of both only so many count at once: see claim.go.
// What came in a burst of its like has no points before its turn in its lane,
// and then those of a case that was opened at that moment: see lane.go.
func Priority(f Facts, w policy.Priority, now time.Time) (int, []Reason) {
	var why []Reason
	total := 0
	add := func(code string, points int) {
		if points > 0 {
			why = append(why, Reason{code, points})
			total += points
		}
	}
	if f.Tier == "" && !f.Crisis && !f.Soon && !f.Life && f.Turn.After(f.OpenedAt) {
		if f.Turn.After(now) {
			return 0, nil
		}
		f.OpenedAt, f.Deadline = f.Turn, f.Deadline.Add(f.Turn.Sub(f.OpenedAt))
	}
	if f.Crisis {
		add(WhyCrisis, w.Crisis.Int())
	}
	switch {
	case f.Tier != "":
		add(WhyTier, w.Tier(f.Tier))
	case f.Soon:
		add(WhySoon, most)
	case f.Life:
		add(WhyClaim, w.TierThreatToLife.Int()/2)
	}
	if f.Bulk && f.Tier == "" {
		add(WhyDeadline, share(w.Deadline.Int()/2, now.Sub(f.OpenedAt), f.Deadline.Sub(f.OpenedAt)))
		add(WhyAge, share(w.Age.Int()/2, now.Sub(f.OpenedAt), fullAge))
		return min(total, most), why
	}
	add(WhyDeadline, share(w.Deadline.Int(), now.Sub(f.OpenedAt), f.Deadline.Sub(f.OpenedAt)))
	add(WhyReach, w.Reach.Int()*reach(f.Kinds)/4)
	add(WhyReports, w.Reports.Int()*volume(f.Voices)/volume(fullVolume))
	add(WhyAge, share(w.Age.Int(), now.Sub(f.OpenedAt), fullAge))
	return min(total, most), why
}

// share returns the part of points that the passed time has earned.
func share(points int, passed, whole time.Duration) int {
	if whole <= 0 {
		return points
	}
	passed = max(0, min(passed, whole))
	return int(int64(points) * int64(passed/time.Second) / max(1, int64(whole/time.Second)))
}

// volume is the whole part of log2(n+1), at most that of fullVolume.
func volume(n int) int { return bits.Len(uint(max(0, min(n, fullVolume))+1)) - 1 }

// reach returns how far a location carries, in quarters: one message, an
// account, something many follow.
func reach(kinds []string) int {
	furthest := 0
	for _, k := range kinds {
		switch {
		case slices.Contains([]string{"channel", "group", "site", "domain"}, k):
			furthest = max(furthest, 4)
		case slices.Contains([]string{"account", "payment"}, k):
			furthest = max(furthest, 2)
		default:
			furthest = max(furthest, 1)
		}
	}
	return furthest
}

// perHeavy is how many light cases stand between two heavy ones
// (ui/principles.md 11).
const perHeavy = 3

// Mix returns cases so that at least three light ones stand between two heavy
// ones while there are any, each kind keeping its own order. Threats to life,
// found or claimed to be near, keep their place: they come first and are not
// held back.
func Mix(cases []Case) []Case {
	out := make([]Case, 0, len(cases))
	var heavy, light []Case
	for _, c := range cases {
		switch {
		case c.Tier == policy.ThreatToLife, c.Soon && c.ahead():
			out = append(out, c)
		case c.Heavy:
			heavy = append(heavy, c)
		default:
			light = append(light, c)
		}
	}
	since := perHeavy // a heavy one may come first
	for len(heavy)+len(light) > 0 {
		first := len(heavy) > 0 && (len(light) == 0 || since >= perHeavy && before(heavy[0], light[0]))
		if first {
			out, heavy, since = append(out, heavy[0]), heavy[1:], 0
			continue
		}
		out, light, since = append(out, light[0]), light[1:], since+1
	}
	return out
}

// before is the queue's order: priority, then age.
func before(a, b Case) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return a.ID < b.ID
}
