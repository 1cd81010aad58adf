package web

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// An assessForm is the assessment as the page's fields hold it: strings, "" for
// what nobody has answered. Nothing is preset.
type assessForm struct {
	Base      int // version of the assessment that the page showed
	Public    string
	Grounds   map[string]groundAnswer  // by ground
	Purposes  map[string]purposeAnswer // by purpose
	WhyAll    string                   // reasons of every purpose test without one of its own
	Class     string
	List      string
	Entry     string
	Functions []string
	Audience  []string
	Tier      string
	Lighter   string // tried or none
	Tried     string
	Outcome   string
	WhyNone   string
	Scope     string // own, world or other
	Other     string // territories, separated
	WhyWorld  string
	Reasons   string
	Measure   string

	// What the proposal takes beside the assessment.
	CloseReason   string
	Deadline      string // minutes
	Platform      string // whose locations, where the case has several
	Issuer        string
	Addressee     string // the service a site depends on, where its host is nobody's platform
	Withhold      string
	WithholdUntil string // day, YYYY-MM-DD
	Emergency     string
	Translation   string // reasons in the pack's second language
}

type groundAnswer struct{ Met, Reasons string }

type purposeAnswer struct{ Claimed, Actual, Reasons string }

const (
	lighterTried = "tried"
	lighterNone  = "none"
	scopeOwn     = "own"
	scopeWorld   = "world"
	scopeOther   = "other"
	world        = "001" // UN M49
)

// readAssess decodes the posted form.
func readAssess(f url.Values) assessForm {
	base, _ := strconv.Atoi(f.Get("base")) // not a number: no version, which the room refuses
	a := assessForm{
		Base: base, Public: f.Get("public"), WhyAll: f.Get("purpose-why"), Class: f.Get("listed"), List: f.Get("list"), Entry: f.Get("entry"),
		Functions: f["function"], Audience: f["audience"], Tier: f.Get("tier"), Lighter: f.Get("lighter"), Tried: f.Get("tried"),
		Outcome: f.Get("outcome"), WhyNone: f.Get("why-none"), Scope: f.Get("scope"), Other: f.Get("scope-other"), WhyWorld: f.Get("scope-why"),
		Reasons: f.Get("reasons"), Measure: f.Get("measure"), CloseReason: f.Get("close-reason"), Deadline: f.Get("deadline"),
		Platform: f.Get("platform"), Issuer: f.Get("issuer"), Addressee: f.Get("addressee"), Withhold: f.Get("withhold"), WithholdUntil: f.Get("withhold-until"),
		Emergency: f.Get("emergency"), Translation: f.Get("translation"),
		Grounds: map[string]groundAnswer{}, Purposes: map[string]purposeAnswer{},
	}
	for _, g := range notes.Grounds() {
		a.Grounds[string(g)] = groundAnswer{f.Get("g-" + string(g)), f.Get("g-why-" + string(g))}
	}
	for _, p := range notes.Purposes() {
		a.Purposes[string(p)] = purposeAnswer{f.Get("c-" + string(p)), f.Get("p-" + string(p)), f.Get("p-why-" + string(p))}
	}
	return a
}

// assessment returns what the form says, for a case of the given territory and
// in the language that binds.
func (f assessForm) assessment(territory, lang string) casework.Assessment {
	a := casework.Assessment{
		Measure: f.Measure, Public: notes.Finding(f.Public), Tier: notes.Tier(f.Tier), Reasons: textIn(lang, f.Reasons),
		Listed: notes.Listed{Class: notes.ListClass(f.Class), List: strings.TrimSpace(f.List), Entry: strings.TrimSpace(f.Entry)},
	}
	if f.Class == string(notes.ListNone) {
		a.Listed.List, a.Listed.Entry = "", ""
	}
	for _, g := range notes.Grounds() {
		met := f.Grounds[string(g)]
		a.Grounds = append(a.Grounds, notes.GroundFinding{Ground: g, Met: notes.Finding(met.Met), Reasons: strings.TrimSpace(met.Reasons)})
	}
	for _, p := range notes.Purposes() {
		t := f.Purposes[string(p)]
		a.PurposeTests = append(a.PurposeTests, notes.PurposeTest{
			Purpose: p, Claimed: notes.Finding(t.Claimed), Actual: notes.Finding(t.Actual),
			Reasons: strings.TrimSpace(cmp.Or(strings.TrimSpace(t.Reasons), f.WhyAll)),
		})
	}
	for _, x := range filled(f.Functions) {
		a.Functions = append(a.Functions, notes.Function(x))
	}
	for _, x := range f.Audience {
		a.Audience = append(a.Audience, notes.Audience(x))
	}
	a.Necessity, a.Scope = f.necessity(lang), f.scope(territory, lang)
	return a
}

func (f assessForm) necessity(lang string) notes.Necessity {
	var n notes.Necessity
	switch {
	case f.Lighter == lighterTried && f.Tried+f.Outcome != "":
		n.Tried = []notes.Measure{{Measure: strings.TrimSpace(f.Tried), Outcome: strings.TrimSpace(f.Outcome)}}
	case f.Lighter == lighterNone && strings.TrimSpace(f.WhyNone) != "":
		t := textIn(lang, f.WhyNone)
		n.WhyNone = &t
	}
	return n
}

func (f assessForm) scope(territory, lang string) notes.Scope {
	var s notes.Scope
	switch f.Scope {
	case scopeOwn:
		s.Territories = []string{territory}
	case scopeWorld:
		s.Territories = []string{world}
		if strings.TrimSpace(f.WhyWorld) != "" {
			t := textIn(lang, f.WhyWorld)
			s.Why = &t
		}
	case scopeOther:
		s.Territories = strings.FieldsFunc(strings.ToUpper(f.Other), func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\n' || r == '\r' })
	}
	return s
}

// textIn is what a person wrote, in the language that binds; nothing for
// nothing.
func textIn(lang, s string) notes.Text {
	if s = strings.TrimSpace(s); s == "" {
		return notes.Text{}
	}
	return notes.Text{Binding: lang, Texts: map[string]string{lang: s}}
}

// formOf is the form that shows a kept assessment.
func formOf(v casework.Version, territory string) assessForm {
	f := assessForm{
		Base: v.Version, Public: string(v.Public), Class: string(v.Listed.Class), List: v.Listed.List, Entry: v.Listed.Entry,
		Tier: string(v.Tier), Reasons: v.Reasons.Texts[v.Reasons.Binding], Measure: v.Measure,
		Grounds: map[string]groundAnswer{}, Purposes: map[string]purposeAnswer{},
	}
	for _, g := range v.Grounds {
		f.Grounds[string(g.Ground)] = groundAnswer{string(g.Met), g.Reasons}
	}
	f.takePurposes(v.PurposeTests)
	for _, x := range v.Functions {
		f.Functions = append(f.Functions, string(x))
	}
	for _, x := range v.Audience {
		f.Audience = append(f.Audience, string(x))
	}
	if len(v.Necessity.Tried) > 0 {
		f.Lighter, f.Tried, f.Outcome = lighterTried, v.Necessity.Tried[0].Measure, v.Necessity.Tried[0].Outcome
	} else if t := v.Necessity.WhyNone; t != nil {
		f.Lighter, f.WhyNone = lighterNone, t.Texts[t.Binding]
	}
	switch ts := v.Scope.Territories; {
	case len(ts) == 1 && ts[0] == territory:
		f.Scope = scopeOwn
	case len(ts) == 1 && ts[0] == world:
		f.Scope = scopeWorld
		if v.Scope.Why != nil {
			f.WhyWorld = v.Scope.Why.Texts[v.Scope.Why.Binding]
		}
	case len(ts) > 0:
		f.Scope, f.Other = scopeOther, strings.Join(ts, ", ")
	}
	return f
}

// takePurposes fills in the purpose tests; a reason that more than one of them
// gives is shown once, as that of all.
func (f *assessForm) takePurposes(ts []notes.PurposeTest) {
	count := map[string]int{}
	for _, t := range ts {
		if count[t.Reasons]++; t.Reasons != "" && count[t.Reasons] > 1 {
			f.WhyAll = t.Reasons
		}
	}
	for _, t := range ts {
		a := purposeAnswer{string(t.Claimed), string(t.Actual), t.Reasons}
		if t.Reasons == f.WhyAll {
			a.Reasons = ""
		}
		f.Purposes[string(t.Purpose)] = a
	}
}

// questions is how many answers a complete assessment has.
const questions = 5 + 2*5 + 1 + 7 // grounds, purpose tests, their reasons, facts to reasons and measure

// answered counts the answers of a form that stand, for the counter beside its
// head: what is missing counts once, however many fields it has.
func answersIn(a casework.Assessment) (n int, missing []*fault.Error) {
	f, ok := fault.As(a.Complete())
	if !ok {
		return questions, nil
	}
	open := map[string]bool{}
	for _, p := range f.Parts {
		at := p.Field
		switch {
		case strings.HasPrefix(at, "/purpose_tests/") && strings.HasSuffix(at, "/reasons"):
			at = "/purpose_tests/reasons"
		case strings.HasPrefix(at, "/grounds/"):
			at = strings.TrimSuffix(strings.TrimSuffix(at, "/met"), "/reasons")
		case strings.HasPrefix(at, "/listed"), strings.HasPrefix(at, "/scope"), strings.HasPrefix(at, "/necessity"):
			at = at[:1+strings.IndexByte(at[1:]+"/", '/')]
		}
		if at != "/functions" { // asked for a notice alone, and not among the questions of all
			open[at] = true
		}
		if !slices.ContainsFunc(missing, func(m *fault.Error) bool { return m.Code == p.Code }) {
			missing = append(missing, p)
		}
	}
	return questions - len(open), missing
}

// same reports whether two assessments say the same.
func sameAssessment(a, b casework.Assessment) bool {
	x, err1 := json.Marshal(normalAssessment(a))
	y, err2 := json.Marshal(normalAssessment(b))
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// normal leaves out what is not answered, as the room keeps it.
func normalAssessment(a casework.Assessment) casework.Assessment {
	a.Grounds = slices.DeleteFunc(slices.Clone(a.Grounds), func(g notes.GroundFinding) bool { return g.Met == "" && g.Reasons == "" })
	a.PurposeTests = slices.DeleteFunc(slices.Clone(a.PurposeTests), func(p notes.PurposeTest) bool {
		return p.Claimed == "" && p.Actual == "" && p.Reasons == ""
	})
	if len(a.Functions) == 0 {
		a.Functions = []notes.Function{}
	}
	return a
}

// draftInput is the proposal that the form asks for.
func (f assessForm) draftInput(c casework.View, pack policy.Pack, zone *time.Location) (notice.DraftInput, error) {
	in := notice.DraftInput{
		CaseID: c.Case.ID, Kind: notes.NoticeKind(f.Measure), Emergency: strings.TrimSpace(f.Emergency), Withhold: strings.TrimSpace(f.Withhold),
	}
	in.Issuer, in.Addressee = party.ID(f.Issuer), party.ID(f.Addressee)
	var faults fault.Checker
	if f.Measure == string(policy.RemovalOrder) {
		minutes, err := strconv.Atoi(f.Deadline)
		if err != nil {
			faults.Add("/deadline_minutes", "triage.unanswered.deadline")
		}
		in.DeadlineMinutes = minutes
	}
	if in.Withhold != "" {
		day, err := time.ParseInLocation(time.DateOnly, f.WithholdUntil, zone)
		if err != nil {
			faults.Add("/withhold_until", "triage.unanswered.withhold-until")
		}
		in.WithholdUntil = day
	}
	if t := strings.TrimSpace(f.Translation); t != "" && len(pack.Languages.Others) > 0 {
		in.Reasons = map[string]string{pack.Languages.Others[0]: t}
	}
	of := platformsOf(c.Locations)
	for _, l := range c.Locations {
		if len(of) > 1 && l.Platform == f.Platform {
			in.Locations = append(in.Locations, l.ID)
		}
	}
	if len(of) > 1 && len(in.Locations) == 0 {
		faults.Add("/platform", "triage.unanswered.platform")
	}
	return in, faults.Err()
}
