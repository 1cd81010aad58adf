package auth_test

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

func TestRightsPageIsTheTable(t *testing.T) {
	const page = "../../docs/rights.md"
	got := auth.RightsMarkdown()
	if os.Getenv("TANGKAL_UPDATE") == "1" {
		if err := os.WriteFile(page, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/rights.md is not the table (TANGKAL_UPDATE=1 prints it anew):\n%s", diff)
	}
}

// everything is an object to which party p has every relation there is.
func everything(p party.ID) auth.Object {
	return auth.Object{What: "thing", Owner: p, Proposer: p, Issuer: p, Addressee: p, Receivers: []party.ID{p}}
}

func TestNobodyMayDoNothing(t *testing.T) {
	for _, act := range auth.Acts() {
		for _, a := range []party.Actor{{}, {Party: "p", PartyKind: party.Agency, Roles: party.Roles()}} {
			wantCode(t, auth.May(a, act, everything("p")), fault.Denied, "auth.sign-in")
			if auth.Seat(a, act) {
				t.Errorf("nobody has a seat for %s", act)
			}
		}
	}
}

func TestAnUnknownActIsRefusedToEverybody(t *testing.T) {
	for _, kind := range party.Kinds() {
		a := party.Actor{Party: "p", PartyKind: kind, Person: "x", Roles: party.Roles()}
		for _, act := range []auth.Act{"", "case.", "case.destroy", "block.issue", "CASE.READ"} {
			if err := auth.May(a, act, everything("p")); err == nil {
				t.Errorf("%s may %q", kind, act)
			}
		}
	}
}

// drawCall draws an actor, an act and an object out of few names, so that they
// often meet.
func drawCall(t *rapid.T) (party.Actor, auth.Act, auth.Object) {
	parties := rapid.SampledFrom([]party.ID{"", "p", "q", "r"})
	people := rapid.SampledFrom([]party.PersonID{"", "x", "y", "z"})
	a := party.Actor{
		Party: parties.Draw(t, "party"), Person: people.Draw(t, "person"),
		PartyKind: rapid.SampledFrom(append(party.Kinds(), "")).Draw(t, "kind"),
		Roles:     rapid.SliceOfNDistinct(rapid.SampledFrom(party.Roles()), 0, 4, rapid.ID).Draw(t, "roles"),
	}
	o := auth.Object{
		What: "thing", Owner: parties.Draw(t, "owner"), Proposer: parties.Draw(t, "proposer"),
		Issuer: parties.Draw(t, "issuer"), Addressee: parties.Draw(t, "addressee"),
		Receivers: rapid.SliceOfN(parties, 0, 2).Draw(t, "receivers"),
		Acted:     rapid.SliceOfN(people, 0, 2).Draw(t, "acted"),
	}
	return a, rapid.SampledFrom(auth.Acts()).Draw(t, "act"), o
}

// granted reads one rule as the rights page says it, another way than May does.
func granted(r auth.Rule, a party.Actor, o auth.Object) (seat, fresh bool) {
	related := map[auth.Relation][]party.ID{
		auth.Own: {o.Owner}, auth.Proposer: {o.Proposer}, auth.Issuer: {o.Issuer},
		auth.Addressee: {o.Addressee}, auth.Receiver: o.Receivers, auth.Any: {a.Party},
	}[r.Relation]
	holds := len(r.Roles) == 0
	for _, role := range a.Roles {
		holds = holds || slices.Contains(r.Roles, role)
	}
	kind := len(r.Kinds) == 0 || slices.Contains(r.Kinds, a.PartyKind)
	seat = a.Person != "" && a.Party != "" && kind && holds && slices.Contains(related, a.Party)
	return seat, !r.Fresh || !slices.Contains(o.Acted, a.Person)
}

func TestMayIsTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, act, o := drawCall(t)
		var may, seated, reads bool
		for _, r := range auth.Rules() {
			seat, fresh := granted(r, a, o)
			may = may || r.Act == act && seat && fresh
			seated = seated || r.Act == act && seat
			reads = reads || r.Act == readOf(act) && seat
		}
		err := auth.May(a, act, o)
		switch {
		case may && err != nil:
			t.Fatalf("a rule grants it, May says %v", err)
		case !may && err == nil:
			t.Fatal("May grants what no rule does")
		case may:
			if !auth.Seat(a, act) {
				t.Fatal("May grants where Seat sees no seat")
			}
		case a.Person == "":
			if !fault.Is(err, "auth.sign-in") {
				t.Fatalf("nobody is told %v", err)
			}
		case !reads:
			if fault.Of(err) != fault.NotFound {
				t.Fatalf("who may not read learns of the object: %v", err)
			}
		case seated:
			if !fault.Is(err, "auth.same-person") {
				t.Fatalf("who took an earlier step is told %v", err)
			}
		default:
			if !fault.Is(err, "auth.not-allowed") {
				t.Fatalf("a reader without the right is told %v", err)
			}
		}
	})
}

// readOf returns the act of reading what act is done to.
func readOf(act auth.Act) auth.Act {
	for i := range act {
		if act[i] == '.' {
			return act[:i] + ".read"
		}
	}
	return act
}

func TestEveryNounHasItsReadAct(t *testing.T) {
	for _, act := range auth.Acts() {
		if !slices.Contains(auth.Acts(), readOf(act)) {
			t.Errorf("%s: nobody may %s, so that every refusal would say it is absent", act, readOf(act))
		}
	}
}

func TestNobodyTakesTwoStepsOfOneChain(t *testing.T) {
	one := party.Actor{Party: "p", PartyKind: party.Authority, Person: "x", Roles: party.Roles()}
	notice := everything("p")
	for _, act := range []auth.Act{auth.NoticeApprove, auth.NoticeReturn, auth.NoticeIssue} {
		if err := auth.May(one, act, notice); err != nil {
			t.Errorf("%s as the first step: %v", act, err)
		}
		acted := notice
		acted.Acted = []party.PersonID{"y", one.Person}
		wantCode(t, auth.May(one, act, acted), fault.Denied, "auth.same-person")
		acted.Acted = []party.PersonID{"y", "z"}
		if err := auth.May(one, act, acted); err != nil {
			t.Errorf("%s after two others: %v", act, err)
		}
	}
}

func TestHiddenAndDeniedAreToldApart(t *testing.T) {
	own, platform := auth.Object{What: "case", Owner: "p"}, auth.Object{What: "notice", Owner: "p", Proposer: "p", Issuer: "q", Addressee: "m"}
	actor := func(id party.ID, kind party.Kind, roles ...party.Role) party.Actor {
		return party.Actor{Party: id, PartyKind: kind, Person: "x", Roles: roles}
	}
	for name, c := range map[string]struct {
		actor party.Actor
		act   auth.Act
		o     auth.Object
		kind  fault.Kind
	}{
		"an approver reads a case but does not work it":  {actor("p", party.Agency, party.Approver), auth.CaseWork, own, fault.Denied},
		"another agency's analyst knows of no such case": {actor("q", party.Agency, party.Analyst), auth.CaseWork, own, fault.NotFound},
		"nor reads it": {actor("q", party.Agency, party.Analyst), auth.CaseRead, own, fault.NotFound},
		"an administrator without a role sees no case":          {actor("p", party.Agency, party.Admin), auth.CaseRead, own, fault.NotFound},
		"a platform sees no case, not even of its own":          {actor("p", party.Platform, party.Roles()...), auth.CaseRead, own, fault.NotFound},
		"oversight reads every case and changes none":           {actor("o", party.Oversight, party.Reviewer), auth.CaseWork, own, fault.Denied},
		"the addressee reads the notice and approves none":      {actor("m", party.Platform, party.Approver), auth.NoticeApprove, platform, fault.Denied},
		"another platform knows of no such notice":              {actor("n", party.Platform, party.Analyst), auth.NoticeAnswer, platform, fault.NotFound},
		"the proposer does not issue for the authority":         {actor("p", party.Agency, party.Officer), auth.NoticeIssue, platform, fault.Denied},
		"the authority's analyst does not approve the proposal": {actor("q", party.Authority, party.Approver), auth.NoticeApprove, platform, fault.Denied},
		"an agency does not answer for the platform":            {actor("p", party.Agency, party.Analyst), auth.NoticeAnswer, platform, fault.Denied},
		"an analyst does not administer":                        {actor("p", party.Agency, party.Analyst), auth.PartyAdmin, auth.Object{What: "key", Owner: "p"}, fault.Denied},
		"an administrator administers no other organisation":    {actor("q", party.Agency, party.Admin), auth.PartyAdmin, auth.Object{What: "key", Owner: "p"}, fault.NotFound},
		"an object without parties belongs to nobody":           {actor("p", party.Agency, party.Analyst), auth.CaseRead, auth.Object{What: "case"}, fault.NotFound},
		"a notice not issued yet is unknown to its platform":    {actor("m", party.Platform, party.Analyst), auth.NoticeRead, auth.Object{What: "notice", Owner: "p", Proposer: "p", Issuer: "q"}, fault.NotFound},
	} {
		if err := auth.May(c.actor, c.act, c.o); fault.Of(err) != c.kind {
			t.Errorf("%s: got %v (%v), want %v", name, err, fault.Of(err), c.kind)
		}
	}
}
