package casework

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

func whole() Assessment {
	a := Assessment{
		Measure: string(policy.RemovalOrder), Public: notes.Yes, Tier: notes.TierPromotional, Listed: notes.Listed{Class: notes.ListNone},
		Functions: []notes.Function{notes.FunctionPropaganda},
		Necessity: notes.Necessity{Tried: []notes.Measure{{Measure: "label", Outcome: "not enough"}}},
		Scope:     notes.Scope{Territories: []string{"ID"}},
		Reasons:   notes.Text{Binding: "id", Texts: map[string]string{"id": "Alasan."}},
	}
	for _, g := range notes.Grounds() {
		a.Grounds = append(a.Grounds, notes.GroundFinding{Ground: g, Met: notes.Yes, Reasons: "why"})
	}
	for _, p := range notes.Purposes() {
		a.PurposeTests = append(a.PurposeTests, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: "why"})
	}
	return a
}

func pointers(err error) []string {
	f, ok := fault.As(err)
	if !ok {
		return nil
	}
	var out []string
	for _, p := range f.Parts {
		out = append(out, p.Field)
	}
	return out
}

func TestAnEmptyAssessmentNamesEveryQuestion(t *testing.T) {
	want := []string{
		"/measure", "/public", "/tier", "/grounds/0/met", "/grounds/1/met", "/grounds/2/met", "/grounds/3/met", "/grounds/4/met",
		"/purpose_tests/0/claimed", "/purpose_tests/0/actual", "/purpose_tests/0/reasons",
		"/purpose_tests/1/claimed", "/purpose_tests/1/actual", "/purpose_tests/1/reasons",
		"/purpose_tests/2/claimed", "/purpose_tests/2/actual", "/purpose_tests/2/reasons",
		"/purpose_tests/3/claimed", "/purpose_tests/3/actual", "/purpose_tests/3/reasons",
		"/purpose_tests/4/claimed", "/purpose_tests/4/actual", "/purpose_tests/4/reasons",
		"/listed/class", "/necessity", "/scope/territories", "/reasons",
	}
	if diff := cmp.Diff(want, pointers(Assessment{}.Complete())); diff != "" {
		t.Error(diff)
	}
	if err := whole().Complete(); err != nil {
		t.Errorf("a whole assessment lacks %v", err)
	}
}

// Taking any one answer away is noticed, and is noticed where it is.
func TestEachMissingAnswerIsNamedWhereItBelongs(t *testing.T) {
	for at, change := range map[string]func(*Assessment){
		"/measure":                   func(a *Assessment) { a.Measure = "" },
		"/public":                    func(a *Assessment) { a.Public = "" },
		"/tier":                      func(a *Assessment) { a.Tier = "" },
		"/functions":                 func(a *Assessment) { a.Functions = nil },
		"/grounds/3/met":             func(a *Assessment) { a.Grounds = append(a.Grounds[:3:3], a.Grounds[4:]...) },
		"/grounds/2/reasons":         func(a *Assessment) { a.Grounds[2].Reasons = "  " },
		"/purpose_tests/1/claimed":   func(a *Assessment) { a.PurposeTests[1].Claimed = "" },
		"/purpose_tests/4/actual":    func(a *Assessment) { a.PurposeTests[4].Actual = "" },
		"/purpose_tests/0/reasons":   func(a *Assessment) { a.PurposeTests[0].Reasons = "" },
		"/listed/class":              func(a *Assessment) { a.Listed.Class = "" },
		"/listed/list":               func(a *Assessment) { a.Listed.Class = notes.ListUN },
		"/necessity":                 func(a *Assessment) { a.Necessity = notes.Necessity{} },
		"/necessity/tried/0/outcome": func(a *Assessment) { a.Necessity.Tried[0].Outcome = "" },
		"/scope/territories":         func(a *Assessment) { a.Scope.Territories = nil },
		"/scope/why":                 func(a *Assessment) { a.Scope.Territories = []string{"001"} },
		"/reasons":                   func(a *Assessment) { a.Reasons.Texts["id"] = "\n" },
	} {
		a := whole()
		change(&a)
		if diff := cmp.Diff([]string{at}, pointers(a.Complete())); diff != "" {
			t.Errorf("%s: %s", at, diff)
		}
	}
}

func TestWrongAnswersAreRefusedWhereTheyStand(t *testing.T) {
	long := strings.Repeat("x", maxFinding+1)
	for at, change := range map[string]func(*Assessment){
		"/measure":                 func(a *Assessment) { a.Measure = "block" },
		"/public":                  func(a *Assessment) { a.Public = "perhaps" },
		"/tier":                    func(a *Assessment) { a.Tier = "urgent" },
		"/grounds/0/ground":        func(a *Assessment) { a.Grounds[0].Ground = "disturbing-the-public" },
		"/grounds/1/ground":        func(a *Assessment) { a.Grounds[1].Ground = notes.GroundIncite },
		"/grounds/4/met":           func(a *Assessment) { a.Grounds[4].Met = "true" },
		"/grounds/4/reasons":       func(a *Assessment) { a.Grounds[4].Reasons = long },
		"/functions/0":             func(a *Assessment) { a.Functions = []notes.Function{"satire"} },
		"/functions/1":             func(a *Assessment) { a.Functions = []notes.Function{notes.FunctionHiding, notes.FunctionHiding} },
		"/audience/0":              func(a *Assessment) { a.Audience = []notes.Audience{"men"} },
		"/purpose_tests/2/claimed": func(a *Assessment) { a.PurposeTests[2].Claimed = notes.Unsure },
		"/purpose_tests/2/actual":  func(a *Assessment) { a.PurposeTests[2].Actual = "x" },
		"/purpose_tests/3/purpose": func(a *Assessment) { a.PurposeTests[3].Purpose = "fun" },
		"/listed/class":            func(a *Assessment) { a.Listed.Class = "secret" },
		"/listed/list":             func(a *Assessment) { a.Listed.List = "x" },
		"/scope/territories/0":     func(a *Assessment) { a.Scope.Territories = []string{"everywhere"} },
		"/reasons/binding":         func(a *Assessment) { a.Reasons.Binding = "en" },
		"/reasons/texts/id":        func(a *Assessment) { a.Reasons.Texts["id"] = "a\u202eb" },
	} {
		a := whole()
		change(&a)
		if diff := cmp.Diff([]string{at}, pointers(a.Validate())); diff != "" {
			t.Errorf("%s: %s", at, diff)
		}
	}
	if err := (Assessment{}).Validate(); err != nil {
		t.Errorf("an unfinished assessment may be kept, but: %v", err)
	}
}

func TestWhatClosesTheWayToAnOrder(t *testing.T) {
	pack, _ := policy.Default().Current("id", noon)
	agree := Opinion{PurposeTests: whole().PurposeTests}
	differs := Opinion{PurposeTests: append([]notes.PurposeTest{{Purpose: notes.PurposeJournalism, Actual: notes.Yes}}, whole().PurposeTests[1:]...)}
	for name, c := range map[string]struct {
		change   func(*Assessment)
		opinions []Opinion
		want     string
	}{
		"nothing":                     {func(*Assessment) {}, nil, ""},
		"a claim alone does not":      {func(a *Assessment) { a.PurposeTests[0].Claimed = notes.Yes }, nil, ""},
		"a true purpose":              {func(a *Assessment) { a.PurposeTests[3].Actual = notes.Yes }, nil, "case.true-purpose"},
		"an unsure one":               {func(a *Assessment) { a.PurposeTests[3].Actual = notes.Unsure }, nil, "case.purpose-unsure"},
		"not public":                  {func(a *Assessment) { a.Public = notes.No }, nil, "case.not-public"},
		"unsure if public":            {func(a *Assessment) { a.Public = notes.Unsure }, nil, "case.public-unsure"},
		"no ground":                   {func(a *Assessment) { a.Grounds = nil }, nil, "case.no-ground"},
		"a listing alone":             {func(a *Assessment) { a.Grounds, a.Listed.Class = nil, notes.ListUN }, nil, "case.no-ground"},
		"nothing proposed":            {func(a *Assessment) { a.Measure = MeasureNone }, nil, "case.no-notice"},
		"national only, one reviewer": {func(a *Assessment) { a.Listed.Class = notes.ListNational }, nil, "case.national-only"},
		"national only, two":          {func(a *Assessment) { a.Listed.Class = notes.ListNational }, []Opinion{agree}, ""},
		"the second opinion differs":  {func(*Assessment) {}, []Opinion{differs}, "case.opinion-differs"},
	} {
		a := whole()
		c.change(&a)
		err := a.MayOrder(pack, c.opinions)
		if got, _ := fault.As(err); (got == nil) != (c.want == "") || got != nil && got.Code != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
