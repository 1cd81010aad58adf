package demo

import (
	"math/rand/v2"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/notes"
)

// bilingual spells a text in the pack's languages; the first binds.
func bilingual(binding string, id, en string) notes.Text {
	return notes.Text{Binding: binding, Texts: map[string]string{"id": id, "en": en}}
}

// assessment is a complete one that finds the theme's ground met.
func assessment(t theme, measure, binding string, rng *rand.Rand) casework.Assessment {
	a := casework.Assessment{
		Measure: measure, Public: notes.Yes, Functions: []notes.Function{t.function}, Tier: t.tier,
		Listed: notes.Listed{Class: notes.ListNone}, Scope: notes.Scope{Territories: []string{"ID"}},
		Reasons: bilingual(binding, t.reasons[0], t.reasons[1]),
	}
	if binding == "en" {
		a.Scope.Territories = []string{"EU"}
	}
	if rng.IntN(3) == 0 {
		a.Listed = notes.Listed{Class: notes.ListRegional, List: "Daftar kawasan rekaan", Entry: "R-014"}
	}
	if rng.IntN(4) == 0 {
		a.Audience = []notes.Audience{notes.AudienceMinors}
	}
	for _, g := range notes.Grounds() {
		f := notes.GroundFinding{Ground: g, Met: notes.No}
		if g == t.ground {
			f.Met, f.Reasons = notes.Yes, t.finding
		}
		a.Grounds = append(a.Grounds, f)
	}
	a.PurposeTests = tests("", notes.No)
	if rng.IntN(5) == 0 { // somebody claims one, and it does not hold
		p := notes.Purposes()[rng.IntN(len(notes.Purposes()))]
		a.PurposeTests = tests(p, notes.No)
	}
	if rng.IntN(2) == 0 {
		a.Necessity.Tried = []notes.Measure{{Measure: "Rujukan sukarela atas unggahan serupa", Outcome: "Konten yang sama diunggah kembali"}}
	} else {
		why := bilingual(binding, "Konten menyebar cepat; menunggu rujukan memperbesar bahaya.", "The content spreads fast; waiting for a referral adds to the danger.")
		a.Necessity.WhyNone = &why
	}
	return a
}

// tests are the purpose tests, none claimed but claimed, whose truth is actual.
func tests(claimed notes.Purpose, actual notes.Finding) []notes.PurposeTest {
	var out []notes.PurposeTest
	for _, p := range notes.Purposes() {
		t := notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: "Tidak ada tanda tujuan ini."}
		if p == claimed {
			t.Claimed, t.Actual, t.Reasons = notes.Yes, actual, claims[p]
			if actual == notes.No {
				t.Reasons = "Tujuan ini disebut, tetapi tidak tampak pada isi maupun konteks."
			}
		}
		out = append(out, t)
	}
	return out
}

// lawful is a complete assessment that finds a true purpose.
func lawful(t theme, p notes.Purpose, rng *rand.Rand) casework.Assessment {
	a := assessment(t, casework.MeasureNone, "id", rng)
	a.PurposeTests = tests(p, notes.Yes)
	a.Reasons = bilingual("id", "Isi melayani tujuan yang sah: "+claims[p], "The content serves a lawful purpose.")
	return a
}

// begun is an assessment that its analyst has not finished.
func begun(t theme, rng *rand.Rand) casework.Assessment {
	a := assessment(t, "", "id", rng)
	a.Grounds = a.Grounds[:2+rng.IntN(3)]
	a.PurposeTests = a.PurposeTests[:1+rng.IntN(4)]
	a.Tier, a.Reasons = "", notes.Text{}
	return a
}
