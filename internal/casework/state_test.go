package casework

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func analyst(org party.ID, person party.PersonID, roles ...party.Role) party.Actor {
	return party.Actor{Party: org, PartyKind: party.Agency, Person: person, Roles: append(roles, party.Analyst)}
}

func anyCase(t *rapid.T) Case {
	return Case{
		ID: "c", Ref: "DEMO-KS-2026-00001", Party: "a", State: rapid.SampledFrom(States()).Draw(t, "state"),
		Holder:      rapid.SampledFrom([]party.PersonID{"", "p1", "p2"}).Draw(t, "holder"),
		LockedUntil: noon.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "lock")) * time.Minute),
		HeldUntil:   noon.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "hold")) * time.Minute),
		Holds:       rapid.IntRange(0, 3).Draw(t, "holds"), Complete: rapid.Bool().Draw(t, "complete"),
		OrderFault: rapid.SampledFrom(append(OrderFaults(), "")).Draw(t, "fault"),
		Captures:   rapid.IntRange(0, 1).Draw(t, "captures"), NoCapture: rapid.Bool().Draw(t, "no capture"),
		Tier:     rapid.SampledFrom(append(policy.Tiers(), "")).Draw(t, "tier"),
		Dossiers: rapid.IntRange(0, 2).Draw(t, "dossiers"), Opinion: rapid.SampledFrom([]string{"", "asked", "given"}).Draw(t, "opinion"),
		urgent: rapid.Bool().Draw(t, "urgent"), ReportCount: rapid.IntRange(0, 2).Draw(t, "reports"), Assessed: rapid.IntRange(0, 1).Draw(t, "assessed"),
		HandedFrom: rapid.SampledFrom([]HandOverID{"", "h"}).Draw(t, "handed from"),
	}
}

func events() []Event {
	var all []Event
	for _, t := range table {
		if !slices.Contains(all, t.Event) {
			all = append(all, t.Event)
		}
	}
	return all
}

// What the table allows never breaks what the law and the domain ask.
func TestNoTransitionBreaksAnInvariant(t *testing.T) {
	pack, ok := policy.Default().Current("id", noon)
	if !ok {
		t.Fatal("no pack")
	}
	rapid.Check(t, func(t *rapid.T) {
		c := anyCase(t)
		by := rapid.SampledFrom([]party.Actor{
			{},
			analyst("a", "p1"), analyst("a", "p2", party.Approver), analyst("b", "p3"),
			{Party: "o", PartyKind: party.Oversight, Person: "p4", Roles: []party.Role{party.Auditor}},
		}).Draw(t, "by")
		event := rapid.SampledFrom(events()).Draw(t, "event")
		s := situation{Case: c, By: by, Now: noon, Pack: pack, Prior: rapid.SampledFrom(States()).Draw(t, "prior"), Asked: rapid.Bool().Draw(t, "asked")}
		tr, err := next(s, event, c.Object())
		if err != nil {
			if fault.Of(err) == fault.Internal {
				t.Fatalf("refused with %v, which says nothing", err)
			}
			return
		}
		ready := c.Complete && (c.Captures > 0 || c.NoCapture) && !c.Held(noon)
		switch {
		case tr.From != c.State:
			t.Fatal("a row of another state was used")
		case tr.Act != "" && by.Party != c.Party:
			t.Fatalf("%s of another party did %s", by.Person, event)
		case event == Propose && (!ready || c.OrderFault != "" || c.Holder != by.Person):
			t.Fatalf("proposed: %+v", c)
		case event == HandOver && !ready:
			t.Fatalf("handed over: %+v", c)
		case c.State == Closed && tr.To != Closed && event != Reopen && event != UndoClose:
			t.Fatalf("%s left closed", event)
		case event == Hold && (c.Tier == policy.ThreatToLife || c.urgent || c.Holds > 1):
			t.Fatalf("held: %+v", c)
		case event == TakeBack && (c.Assessed > 0 || c.Captures > 0 || c.NoCapture || c.Holds > 0 || s.Asked):
			t.Fatalf("taken back, though somebody has begun: %+v", c)
		case event == TakeBack && tr.To == Closed && (c.ReportCount > 1 || c.HandedFrom != ""):
			t.Fatalf("closed with what else brought it: %+v", c)
		case event == Close && c.Held(noon):
			t.Fatal("a held case was closed")
		case tr.Act != "" && c.State == Taken && c.Locked(by.Person, noon) && !slices.Contains([]Event{Assign, Hold, EndHold, GiveOpinion}, event):
			t.Fatalf("%s in spite of another's lock", event)
		}
	})
}

// Each act that a page offers is open exactly when the act would be allowed.
func TestButtonsTellWhatTheActWouldSay(t *testing.T) {
	pack, _ := policy.Default().Current("id", noon)
	rapid.Check(t, func(t *rapid.T) {
		c, by := anyCase(t), rapid.SampledFrom([]party.Actor{analyst("a", "p1"), analyst("b", "p3"), {}}).Draw(t, "by")
		bs := Buttons(by, c, pack, noon)
		if by.Party != c.Party && len(bs) > 0 {
			t.Fatalf("a stranger is offered %v", bs)
		}
		for _, b := range bs {
			_, err := next(situation{Case: c, By: by, Now: noon, Pack: pack}, b.Event, c.Object())
			if b.Open != (err == nil) || b.Open != (b.Why == nil) {
				t.Fatalf("%s: open %v, why %v, the act says %v", b.Event, b.Open, b.Why, err)
			}
		}
	})
}

func TestTheDiagramShowsEveryRow(t *testing.T) {
	d := Diagram()
	if n := strings.Count(d, "-->"); n != len(table)+2 {
		t.Errorf("%d arrows for %d rows", n, len(table))
	}
	if !strings.Contains(d, "taken --> proposed: propose [ready]") {
		t.Errorf("the diagram lacks the proposal:\n%s", d)
	}
	for _, tr := range table {
		if tr.Guard != "" && guards[tr.Guard] == nil {
			t.Errorf("no guard is named %q", tr.Guard)
		}
	}
}

func TestEveryWordOfTheRoomIsInTheCatalogues(t *testing.T) {
	var keys []string
	add := func(prefix string, names ...string) {
		for _, n := range names {
			keys = append(keys, prefix+n)
		}
	}
	add("case.close.", CloseReasons()...)
	add("case.hold.", HoldReasons()...)
	add("case.hold-outcome.", HoldOutcomes()...)
	add("case.return.", ReturnReasons()...)
	add("case.why.", ReasonCodes()...)
	for _, k := range LaneKinds() {
		add("case.lane.", string(k))
	}
	add("case.measure.", measures()...)
	add("", OrderFaults()...)
	add("case.capture.", string(Requested), string(Done), string(Failed), FileWARC, FilePage, FileMedia, FileScreenshot, FileUpload)
	for _, s := range States() {
		add("case.state.", string(s))
		add("case.in-", string(s))
	}
	for _, e := range buttons {
		add("case.do.", string(e))
	}
	for _, tr := range table {
		add("case.event.", strings.TrimPrefix(tr.Kind, "case."))
	}
	for _, s := range []HandOverState{Offered, AcceptedIt, SplitIt, ReturnedIt} {
		add("case.handover.", string(s))
	}
	keys = append(keys, literals(t)...)
	var a Assessment
	f, _ := fault.As(a.Complete())
	for _, p := range f.Parts {
		add("", p.Code)
	}
	for _, lang := range i18n.Langs() {
		for _, k := range keys {
			if !i18n.For(lang).Has(k) {
				t.Errorf("%s has no text for %s", lang, k)
			}
		}
	}
}

// literals are the catalogue keys that the room's own files name; an event is
// named in the catalogues as case.event.
func literals(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(case\.([a-z-]*[a-z]))"`).FindAllStringSubmatch(string(raw), -1) {
			if !i18n.For(i18n.EN).Has("case.event." + m[2]) {
				keys = append(keys, m[1])
			}
		}
	}
	if len(keys) < 40 {
		t.Errorf("only %d keys were found", len(keys))
	}
	return keys
}

func TestThePriorityExplainsItselfAndACrowdCannotMoveIt(t *testing.T) {
	pack, _ := policy.Default().Current("id", noon)
	base := Facts{OpenedAt: noon.Add(-time.Hour), Deadline: noon.Add(23 * time.Hour), Kinds: []string{"post"}, Voices: 1}
	rapid.Check(t, func(t *rapid.T) {
		f := base
		f.Voices = rapid.IntRange(0, 1_000_000).Draw(t, "reports")
		f.Tier = rapid.SampledFrom(append(policy.Tiers(), "")).Draw(t, "tier")
		f.Crisis, f.Life = rapid.Bool().Draw(t, "crisis"), rapid.Bool().Draw(t, "life")
		f.Kinds = []string{rapid.SampledFrom([]string{"post", "account", "channel"}).Draw(t, "kind")}
		now := noon.Add(time.Duration(rapid.IntRange(-100, 100_000).Draw(t, "minutes")) * time.Minute)
		score, why := Priority(f, pack.Priority, now)
		sum := 0
		for _, r := range why {
			sum += r.Points
			if r.Points <= 0 {
				t.Fatalf("a reason of no weight: %v", r)
			}
		}
		if score < 0 || score > 100 || score != min(sum, 100) {
			t.Fatalf("%d points, reasons sum to %d", score, sum)
		}
		crowd := f
		crowd.Voices = 50_000
		one := f
		one.Voices = 1
		high, _ := Priority(crowd, pack.Priority, now)
		low, _ := Priority(one, pack.Priority, now)
		if high-low < 0 || high-low > pack.Priority.Reports.Int() {
			t.Fatalf("50,000 reports moved the case by %d points", high-low)
		}
	})
	life, _ := Priority(Facts{OpenedAt: noon, Deadline: noon.Add(time.Hour), Tier: policy.ThreatToLife, Voices: 1}, pack.Priority, noon)
	crowd, _ := Priority(Facts{OpenedAt: noon, Deadline: noon.Add(time.Hour), Voices: 50_000, Kinds: []string{"channel"}}, pack.Priority, noon)
	if life <= crowd {
		t.Errorf("a threat to life has %d points, a crowd %d", life, crowd)
	}
}

func TestHeavyCasesAreMixedWithThreeLightOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []Case
		for i := range rapid.IntRange(0, 30).Draw(t, "n") {
			in = append(in, Case{ID: ID(rune('a' + i)), Priority: 100 - i, Heavy: rapid.Bool().Draw(t, "heavy")})
		}
		out := Mix(in)
		if len(out) != len(in) {
			t.Fatalf("%d of %d cases are left", len(out), len(in))
		}
		since, light := perHeavy, 0
		for _, c := range in {
			if !c.Heavy {
				light++
			}
		}
		for _, c := range out {
			if c.Heavy && since < perHeavy && light > 0 {
				t.Fatalf("heavy after %d light ones while %d light ones wait", since, light)
			}
			if c.Heavy {
				since = 0
			} else {
				since, light = since+1, light-1
			}
		}
	})
}
