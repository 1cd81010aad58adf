package casework

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// Measures that an assessment may end in beside the kinds of notice.
const (
	MeasureHandOver = "hand-over" // another party is to decide
	MeasureNone     = "none"      // nothing is to be done
)

// Bounds of an assessment's texts, in characters; those of the signed document.
const (
	maxFinding = 5_000
	maxReasons = 20_000
	maxShort   = 200
	maxMeasure = 500
	maxOutcome = 1_000
	maxTried   = 20
)

// An Assessment is what an analyst found about a case. Its zero value answers
// nothing, and nothing in it has a default. It is kept in versions that are
// never edited; an unfinished one may be kept too, and Complete tells what is
// missing. Grounds are Regulation (EU) 2021/784, Article 2(7), purpose tests
// Article 1(3).
type Assessment struct {
	Measure      string                `json:"measure"` // a notice kind, MeasureHandOver or MeasureNone
	Public       notes.Finding         `json:"public"`  // disseminated to the public?
	Grounds      []notes.GroundFinding `json:"grounds"` // any of the five, each once
	Functions    []notes.Function      `json:"functions"`
	Audience     []notes.Audience      `json:"audience,omitempty"`
	Tier         notes.Tier            `json:"tier"`
	Listed       notes.Listed          `json:"listed"`
	PurposeTests []notes.PurposeTest   `json:"purpose_tests"` // any of the five, each once
	Necessity    notes.Necessity       `json:"necessity"`
	Scope        notes.Scope           `json:"scope"`
	Reasons      notes.Text            `json:"reasons"`
}

// A Version is one kept assessment.
type Version struct {
	Assessment
	ID      string // UUID
	Version int    // from 1
	Person  party.PersonID
	At      time.Time
	Pack    policy.Ref
}

// Validate names every answer that is given and wrong; what is missing is the
// matter of Complete.
func (a Assessment) Validate() error {
	var c fault.Checker
	oneOf(&c, "/measure", a.Measure, append(measures(), ""))
	oneOf(&c, "/public", a.Public, findings)
	oneOf(&c, "/tier", a.Tier, append(strs[notes.Tier](policy.Tiers()), ""))
	checkGrounds(&c, a.Grounds)
	checkPurposes(&c, "/purpose_tests", a.PurposeTests)
	for i, f := range a.Functions {
		at := fmt.Sprintf("/functions/%d", i)
		oneOf(&c, at, f, strs[notes.Function](policy.Functions()))
		once(&c, at, slices.Contains(a.Functions[:i], f), string(f))
	}
	for i, g := range a.Audience {
		at := fmt.Sprintf("/audience/%d", i)
		oneOf(&c, at, g, []notes.Audience{notes.AudienceMinors, notes.AudienceWomen})
		once(&c, at, slices.Contains(a.Audience[:i], g), string(g))
	}
	a.checkFacts(&c)
	checkText(&c, "/reasons", a.Reasons, maxReasons)
	return c.Err()
}

func (a Assessment) checkFacts(c *fault.Checker) {
	oneOf(c, "/listed/class", a.Listed.Class, append(strs[notes.ListClass](policy.ListClasses()), ""))
	line(c, "/listed/list", a.Listed.List, maxShort)
	line(c, "/listed/entry", a.Listed.Entry, 60)
	if a.Listed.Class == notes.ListNone && (a.Listed.List != "" || a.Listed.Entry != "") {
		c.Add("/listed/list", "case.not-listed")
	}
	if len(a.Necessity.Tried) > maxTried {
		c.Add("/necessity/tried", "case.too-many", "Max", maxTried)
	}
	for i, m := range a.Necessity.Tried {
		line(c, fmt.Sprintf("/necessity/tried/%d/measure", i), m.Measure, maxMeasure)
		line(c, fmt.Sprintf("/necessity/tried/%d/outcome", i), m.Outcome, maxOutcome)
	}
	if a.Necessity.WhyNone != nil {
		checkText(c, "/necessity/why_none", *a.Necessity.WhyNone, maxReasons)
	}
	for i, t := range a.Scope.Territories {
		at := fmt.Sprintf("/scope/territories/%d", i)
		if !territory(t) {
			c.Add(at, "case.territory", "Value", t)
		}
		once(c, at, slices.Contains(a.Scope.Territories[:i], t), t)
	}
	if a.Scope.Why != nil {
		checkText(c, "/scope/why", *a.Scope.Why, maxReasons)
	}
}

func checkGrounds(c *fault.Checker, gs []notes.GroundFinding) {
	seen := map[notes.Ground]bool{}
	for i, g := range gs {
		at := fmt.Sprintf("/grounds/%d", i)
		oneOf(c, at+"/ground", g.Ground, notes.Grounds())
		once(c, at+"/ground", seen[g.Ground], string(g.Ground))
		seen[g.Ground] = true
		oneOf(c, at+"/met", g.Met, findings)
		prose(c, at+"/reasons", g.Reasons, maxFinding)
	}
}

func checkPurposes(c *fault.Checker, pointer string, ps []notes.PurposeTest) {
	seen := map[notes.Purpose]bool{}
	for i, p := range ps {
		at := fmt.Sprintf("%s/%d", pointer, i)
		oneOf(c, at+"/purpose", p.Purpose, notes.Purposes())
		once(c, at+"/purpose", seen[p.Purpose], string(p.Purpose))
		seen[p.Purpose] = true
		oneOf(c, at+"/claimed", p.Claimed, []notes.Finding{"", notes.Yes, notes.No})
		oneOf(c, at+"/actual", p.Actual, findings)
		prose(c, at+"/reasons", p.Reasons, maxFinding)
	}
}

var findings = []notes.Finding{"", notes.Yes, notes.No, notes.Unsure}

func measures() []string {
	return []string{string(policy.Referral), string(policy.RemovalOrder), string(policy.Preservation), string(policy.Warning), MeasureHandOver, MeasureNone}
}

func strs[T, S ~string](in []S) []T {
	out := make([]T, len(in), len(in)+1)
	for i, s := range in {
		out[i] = T(s)
	}
	return out
}

func oneOf[S ~string](c *fault.Checker, at string, v S, allowed []S) {
	if !slices.Contains(allowed, v) {
		c.Add(at, "case.value", "Value", clip(string(v)))
	}
}

func once(c *fault.Checker, at string, again bool, v string) {
	if again {
		c.Add(at, "case.twice", "Value", clip(v))
	}
}

func clip(s string) string {
	if r := []rune(strings.ToValidUTF8(s, "?")); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// prose checks a text that may have lines.
func prose(c *fault.Checker, at, s string, most int) {
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r == 0x202d || r == 0x202e
	}):
		c.Add(at, "case.characters")
	case utf8.RuneCountInString(s) > most:
		c.Add(at, "case.too-long", "Max", most)
	}
}

// line checks a text of one line.
func line(c *fault.Checker, at, s string, most int) {
	if strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}) {
		c.Add(at, "case.characters")
		return
	}
	prose(c, at, s, most)
}

func checkText(c *fault.Checker, at string, t notes.Text, most int) {
	if t.Binding == "" && len(t.Texts) == 0 {
		return
	}
	if _, ok := t.Texts[t.Binding]; !ok {
		c.Add(at+"/binding", "case.binding", "Value", clip(t.Binding))
	}
	for lang, s := range t.Texts {
		if len(lang) < 2 || len(lang) > 12 || strings.Trim(lang, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			c.Add(at+"/texts", "case.value", "Value", clip(lang))
			continue
		}
		prose(c, at+"/texts/"+lang, s, most)
	}
}

// territory reports whether s is an ISO 3166-1 code, EU, or a UN M49 number.
func territory(s string) bool {
	upper := strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && (len(s) == 2 || len(s) == 3)
	return upper || len(s) == 3 && strings.Trim(s, "0123456789") == ""
}

// Complete returns nil, or one Invalid fault whose parts name every question
// that has no answer. Every ground, both questions of every purpose test and
// its reasons, and every fact must be answered by somebody: nothing is preset.
func (a Assessment) Complete() error {
	var c fault.Checker
	ask := func(ok bool, at, question string) {
		if !ok {
			c.Add(at, "case.unanswered."+question)
		}
	}
	ask(a.Measure != "", "/measure", "measure")
	ask(a.Public != "", "/public", "public")
	ask(a.Tier != "", "/tier", "tier")
	for i, g := range notes.Grounds() {
		at := fmt.Sprintf("/grounds/%d", i)
		found := a.ground(g)
		ask(found.Met != "", at+"/met", string(g))
		ask(found.Met == "" || found.Met == notes.No || said(found.Reasons), at+"/reasons", string(g))
	}
	for i, p := range notes.Purposes() {
		at := fmt.Sprintf("/purpose_tests/%d", i)
		found := purposeIn(a.PurposeTests, p)
		ask(found.Claimed != "", at+"/claimed", string(p))
		ask(found.Actual != "", at+"/actual", string(p))
		ask(said(found.Reasons), at+"/reasons", string(p))
	}
	if a.Measure == string(policy.Referral) || a.Measure == string(policy.RemovalOrder) {
		ask(len(a.Functions) > 0, "/functions", "functions") // notes/schema/notice.json, functions
	}
	a.askFacts(ask)
	return c.Err()
}

func (a Assessment) askFacts(ask func(ok bool, at, question string)) {
	ask(a.Listed.Class != "", "/listed/class", "listed")
	ask(a.Listed.Class == "" || a.Listed.Class == notes.ListNone || said(a.Listed.List), "/listed/list", "list")
	ask(len(a.Necessity.Tried) > 0 || answered(a.Necessity.WhyNone), "/necessity", "necessity")
	for i, m := range a.Necessity.Tried {
		ask(said(m.Measure), fmt.Sprintf("/necessity/tried/%d/measure", i), "necessity")
		ask(said(m.Outcome), fmt.Sprintf("/necessity/tried/%d/outcome", i), "necessity")
	}
	ask(len(a.Scope.Territories) > 0, "/scope/territories", "scope")
	ask(!slices.Contains(a.Scope.Territories, "001") || answered(a.Scope.Why), "/scope/why", "world")
	ask(answered(&a.Reasons), "/reasons", "reasons")
}

// said reports whether s holds anything but spaces.
func said(s string) bool { return strings.TrimSpace(s) != "" }

func answered(t *notes.Text) bool { return t != nil && said(t.Texts[t.Binding]) }

func (a Assessment) ground(g notes.Ground) notes.GroundFinding {
	for _, f := range a.Grounds {
		if f.Ground == g {
			return f
		}
	}
	return notes.GroundFinding{Ground: g}
}

func purposeIn(ps []notes.PurposeTest, p notes.Purpose) notes.PurposeTest {
	for _, f := range ps {
		if f.Purpose == p {
			return f
		}
	}
	return notes.PurposeTest{Purpose: p}
}

// MetGrounds returns the grounds that were found met, in their fixed order.
func (a Assessment) MetGrounds() []notes.Ground {
	var met []notes.Ground
	for _, g := range notes.Grounds() {
		if a.ground(g).Met == notes.Yes {
			met = append(met, g)
		}
	}
	return met
}

// Unsure reports whether an answer asks for a second opinion.
func (a Assessment) Unsure() bool {
	return a.Public == notes.Unsure ||
		slices.ContainsFunc(a.Grounds, func(g notes.GroundFinding) bool { return g.Met == notes.Unsure }) ||
		slices.ContainsFunc(a.PurposeTests, func(p notes.PurposeTest) bool { return p.Actual == notes.Unsure })
}

// MayOrder returns nil if nothing in a complete assessment closes the way to a
// notice, else a Conflict fault that says what does: content that is not
// public is out of scope (Article 2(3)), a true purpose protects it (Article
// 1(3)), an unsure one asks for a second opinion, and no ground met leaves no
// basis. Opinions are those on this very version. A listing that is only
// national wants the purpose tests reviewed by as many people as the pack says
// (the assessor is one); it is never a ground, so never the sole reason.
func (a Assessment) MayOrder(pack policy.Pack, opinions []Opinion) error {
	closed := func(code string) error { return fault.New(fault.Conflict, code) }
	switch {
	case a.Public == notes.No:
		return closed("case.not-public")
	case a.Public != notes.Yes:
		return closed("case.public-unsure")
	case !orders(a.Measure):
		return closed("case.no-notice")
	case len(a.MetGrounds()) == 0:
		return closed("case.no-ground")
	}
	tests := [][]notes.PurposeTest{a.PurposeTests}
	for _, o := range opinions {
		tests = append(tests, o.PurposeTests)
	}
	for i, ps := range tests {
		for _, p := range notes.Purposes() {
			switch t := purposeIn(ps, p); {
			case i > 0 && t.Actual != notes.No:
				return closed("case.opinion-differs")
			case t.Actual == notes.Yes:
				return closed("case.true-purpose")
			case t.Actual != notes.No:
				return closed("case.purpose-unsure")
			}
		}
	}
	if a.Listed.Class == notes.ListNational && 1+len(opinions) < pack.Listed.NationalOnlyReviewers.Int() {
		return closed("case.national-only")
	}
	return nil
}

// OrderFaults lists the codes with which MayOrder refuses.
func OrderFaults() []string {
	return []string{
		"case.not-public", "case.public-unsure", "case.no-notice", "case.no-ground", "case.opinion-differs",
		"case.true-purpose", "case.purpose-unsure", "case.national-only",
	}
}

// ordered returns a with grounds and purpose tests in their fixed order, those
// without an answer left out.
func (a Assessment) ordered() Assessment {
	var gs []notes.GroundFinding
	for _, g := range notes.Grounds() {
		if f := a.ground(g); f != (notes.GroundFinding{Ground: g}) {
			gs = append(gs, f)
		}
	}
	a.Grounds, a.PurposeTests = gs, orderedPurposes(a.PurposeTests)
	return a
}

func orderedPurposes(in []notes.PurposeTest) []notes.PurposeTest {
	var ps []notes.PurposeTest
	for _, p := range notes.Purposes() {
		if f := purposeIn(in, p); f != (notes.PurposeTest{Purpose: p}) {
			ps = append(ps, f)
		}
	}
	return ps
}
