package casework

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
)

// An Event is something that happens to a case.
type Event string

// The events. Those of people are acts of the pages; the rest follow from what
// other rooms do.
const (
	Take          Event = "take"
	ReleaseLock   Event = "release"
	Assign        Event = "assign"
	Skip          Event = "skip"
	Assess        Event = "assess"
	AskOpinion    Event = "ask-opinion"
	GiveOpinion   Event = "give-opinion"
	AddEvidence   Event = "capture"
	NoEvidence    Event = "no-capture"
	Hold          Event = "hold"
	EndHold       Event = "end-hold"
	Propose       Event = "propose"
	HandOver      Event = "hand-over"
	Close         Event = "close"
	UndoClose     Event = "undo"
	Reopen        Event = "reopen"
	Join          Event = "join"
	TakeBack      Event = "take-back"
	Return        Event = "return"
	Decide        Event = "decide"
	Finish        Event = "finish"
	AcceptAll     Event = "accept"
	AcceptPart    Event = "split"
	ReturnOffered Event = "return-hand-over"
)

// A guard is a further condition of a transition: nil, or why not.
type guard func(s situation) error

// A situation is all that a guard may look at.
type situation struct {
	Case  Case
	By    party.Actor
	Now   time.Time
	Prior State       // of UndoClose: the state before the closing
	Pack  policy.Pack // of Hold
	Asked bool        // of TakeBack: a capture has been asked for, whatever became of it
}

// A Transition is one row of the table of what may happen to a case.
type Transition struct {
	From  State
	Event Event
	To    State
	Act   auth.Act // right that the person needs; "" for what other rooms and the program do
	Guard string   // name of the further condition, "" if none
	Kind  string   // feed event that is recorded
}

// guards by the name that the table and the diagram give them.
var guards = map[string]guard{
	"free":        free,
	"holder":      holds,
	"another":     another,
	"not held":    all(holds, notHeld),
	"ready":       all(holds, notHeld, ready),
	"assessed":    all(holds, notHeld, assessed),
	"closable":    all(free, notHeld),
	"may be held": mayBeHeld,
	"held":        held,
	"was open":    was(Open),
	"was taken":   was(Taken),
	"last report": all(untouched, lastReport),
	"untouched":   untouched,
	"last":        lastDossier,
	"more":        moreDossiers,
}

// Transitions is the whole table. Of several rows for one state and event the
// first whose guard allows it counts. Anything not in it is refused.
func Transitions() []Transition {
	work, assign := auth.CaseWork, auth.CaseAssign
	return []Transition{
		{Open, Take, Taken, work, "free", "case.taken"},
		{Taken, Take, Taken, work, "free", "case.taken"},
		{Open, Assign, Taken, assign, "", "case.assigned"},
		{Taken, Assign, Taken, assign, "", "case.assigned"},
		{Taken, ReleaseLock, Open, work, "holder", "case.released"},
		{Open, Skip, Open, work, "", "case.released"},
		{Taken, Skip, Open, work, "holder", "case.released"},

		{Taken, Assess, Taken, work, "holder", "case.assessed"},
		{Taken, AskOpinion, Taken, work, "holder", "case.opinion-asked"},
		{Taken, GiveOpinion, Taken, work, "another", "case.opinion-given"},
		{Taken, AddEvidence, Taken, work, "holder", "case.captured"},
		{Taken, NoEvidence, Taken, work, "holder", "case.no-capture"},

		{Open, Hold, Open, work, "may be held", "case.held"},
		{Taken, Hold, Taken, work, "may be held", "case.held"},
		{Proposed, Hold, Proposed, work, "may be held", "case.held"},
		{Open, EndHold, Open, work, "held", "case.hold-ended"},
		{Taken, EndHold, Taken, work, "held", "case.hold-ended"},
		{Proposed, EndHold, Proposed, work, "held", "case.hold-ended"},

		{Taken, Propose, Proposed, work, "ready", "case.proposed"},
		{Proposed, Propose, Proposed, work, "ready", "case.proposed"},
		{Proposed, Return, Taken, "", "", "case.returned"},
		{Decided, Return, Taken, "", "", "case.returned"},
		{Taken, Return, Taken, "", "", "case.returned"},
		{Proposed, Decide, Decided, "", "", "case.decided"},
		{Decided, Decide, Decided, "", "", "case.decided"},
		{Taken, Decide, Taken, "", "", "case.decided"}, // another dossier of it is being redone
		{Decided, Finish, Closed, "", "last", "case.closed"},
		{Decided, Finish, Decided, "", "more", "case.finished"},
		{Proposed, Finish, Proposed, "", "more", "case.finished"},
		{Taken, Finish, Taken, "", "", "case.finished"},

		// The assessment that ends in a hand-over is the decision for it.
		{Taken, HandOver, HandedOver, work, "assessed", "case.handed-over"},
		{HandedOver, AcceptAll, Closed, auth.CaseAnswer, "", "case.accepted"},
		{HandedOver, AcceptPart, Taken, auth.CaseAnswer, "", "case.split"},
		{HandedOver, ReturnOffered, Taken, auth.CaseAnswer, "", "case.hand-over-returned"},

		{Open, Close, Closed, work, "closable", "case.closed"},
		{Taken, Close, Closed, work, "closable", "case.closed"},
		{Closed, UndoClose, Open, work, "was open", "case.undone"},
		{Closed, UndoClose, Taken, work, "was taken", "case.undone"},
		{Closed, Reopen, Open, "", "", "case.reopened"},

		{Open, Join, Open, "", "", "case.joined"},
		{Taken, Join, Taken, "", "", "case.joined"},
		{Proposed, Join, Proposed, "", "", "case.joined"},
		{Decided, Join, Decided, "", "", "case.joined"},
		{HandedOver, Join, HandedOver, "", "", "case.joined"},
		{Closed, Join, Closed, "", "", "case.joined"},

		// An organisation takes a report of its list back before anybody assessed it.
		{Open, TakeBack, Closed, "", "last report", "case.taken-back"},
		{Open, TakeBack, Open, "", "untouched", "case.report-taken-back"},
	}
}

var table = Transitions()

// next returns the transition that event makes from the situation, or why
// there is none. The right is checked against o, which for an offered
// hand-over is the dossier.
func next(s situation, event Event, o auth.Object) (Transition, error) {
	var why error
	known := false
	for _, t := range table {
		if t.Event != event {
			continue
		}
		if t.Act != "" && !known {
			if err := auth.May(s.By, t.Act, o); err != nil {
				return Transition{}, err
			}
		}
		known = true
		if t.From != s.Case.State {
			continue
		}
		if t.Guard == "" {
			return t, nil
		}
		err := guards[t.Guard](s)
		if err == nil {
			return t, nil
		}
		if why == nil {
			why = err
		}
	}
	if why == nil {
		why = notFrom(s.Case, event)
	}
	return Transition{}, why
}

// notFrom says that an event does not happen in the state of c; the texts are
// case.in-<state>.
func notFrom(c Case, event Event) error {
	return fault.New(fault.Conflict, "case.in-"+string(c.State), "Ref", c.Ref, "Event", string(event))
}

// A Button is an act on a case: open to the actor, or locked and why.
type Button struct {
	Event Event
	Open  bool
	Why   error // a fault that says why it is locked
}

// buttons are the acts of people that start from a case's page, in its order.
var buttons = []Event{Take, ReleaseLock, Skip, Assign, Assess, AddEvidence, NoEvidence, AskOpinion, GiveOpinion, Propose, HandOver, Close, Hold, EndHold}

// Buttons tells which acts on c are open to the actor at now. Acts that their
// seat can never do are left out; the others, while locked, say why.
func Buttons(by party.Actor, c Case, pack policy.Pack, now time.Time) []Button {
	var out []Button
	for _, e := range buttons {
		_, err := next(situation{Case: c, By: by, Now: now, Pack: pack}, e, c.Object())
		if k := fault.Of(err); err != nil && (k == fault.Denied || k == fault.NotFound) && !fault.Is(err, "case.same-person") {
			continue
		}
		out = append(out, Button{Event: e, Open: err == nil, Why: err})
	}
	return out
}

// Diagram returns the table as a Mermaid state diagram, for the documentation.
func Diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n  [*] --> open\n")
	name := func(s State) string { return strings.ReplaceAll(string(s), "-", "_") }
	for _, t := range table {
		fmt.Fprintf(&b, "  %s --> %s: %s", name(t.From), name(t.To), t.Event)
		if t.Guard != "" {
			fmt.Fprintf(&b, " [%s]", t.Guard)
		}
		b.WriteString("\n")
	}
	b.WriteString("  closed --> [*]\n")
	return b.String()
}

func all(gs ...guard) guard {
	return func(s situation) error {
		for _, g := range gs {
			if err := g(s); err != nil {
				return err
			}
		}
		return nil
	}
}

func free(s situation) error {
	if s.Case.Locked(s.By.Person, s.Now) {
		return lockedBy(s.Case)
	}
	return nil
}

func lockedBy(c Case) error {
	return fault.New(fault.Conflict, "case.locked", "Ref", c.Ref, "Until", c.LockedUntil.UTC().Format("15:04 UTC"))
}

func holds(s situation) error {
	switch {
	case s.Case.Locked(s.By.Person, s.Now):
		return lockedBy(s.Case)
	case s.Case.Holder != s.By.Person:
		return fault.New(fault.Conflict, "case.take-first", "Ref", s.Case.Ref)
	default:
		return nil // an expired lock that nobody else took is still theirs
	}
}

func another(s situation) error {
	switch {
	case s.Case.Opinion == "":
		return fault.New(fault.Conflict, "case.opinion-not-asked", "Ref", s.Case.Ref)
	case s.Case.Holder == s.By.Person:
		return fault.New(fault.Denied, "case.same-person", "Ref", s.Case.Ref)
	default:
		return nil
	}
}

func notHeld(s situation) error {
	if s.Case.Held(s.Now) {
		return fault.New(fault.Conflict, "case.held", "Ref", s.Case.Ref, "Until", s.Case.HeldUntil.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return nil
}

func assessed(s situation) error {
	if !s.Case.Complete {
		return fault.New(fault.Conflict, "case.incomplete", "Ref", s.Case.Ref)
	}
	return evidenced(s)
}

func evidenced(s situation) error {
	if s.Case.Captures == 0 && !s.Case.NoCapture {
		return fault.New(fault.Conflict, "case.no-evidence", "Ref", s.Case.Ref)
	}
	return nil
}

// ready is what a proposal needs (domain.md: Assessment, Capture).
func ready(s situation) error {
	if err := assessed(s); err != nil {
		return err
	}
	if s.Case.OrderFault != "" {
		return fault.New(fault.Conflict, s.Case.OrderFault)
	}
	return nil
}

// mayBeHeld: at most the pack's term, renewed as often as it says, never
// against a threat to life (domain.md, States).
func mayBeHeld(s situation) error {
	switch {
	case s.Case.Tier == policy.ThreatToLife || s.Case.urgent:
		return fault.New(fault.Conflict, "case.hold-life", "Ref", s.Case.Ref)
	case s.Case.Holds > s.Pack.Limits.HoldRenewals.Int():
		return fault.New(fault.Conflict, "case.hold-again", "Ref", s.Case.Ref, "Times", s.Case.Holds)
	default:
		return nil
	}
}

func held(s situation) error {
	if !s.Case.Held(s.Now) {
		return fault.New(fault.Conflict, "case.not-held", "Ref", s.Case.Ref)
	}
	return nil
}

func was(prior State) guard {
	return func(s situation) error {
		if s.Prior != prior {
			return notFrom(s.Case, UndoClose)
		}
		return nil
	}
}

// untouched: nobody has begun to assess it, asked for a capture, or held it.
func untouched(s situation) error {
	if s.Case.Assessed > 0 || s.Case.Captures > 0 || s.Case.NoCapture || s.Case.Holds > 0 || s.Asked {
		return fault.New(fault.Conflict, "case.begun", "Ref", s.Case.Ref)
	}
	return nil
}

// lastReport: nothing else brought the case. A hand-over is no report, and
// whoever sent a list cannot take back what another authority handed over.
func lastReport(s situation) error {
	if s.Case.ReportCount > 1 || s.Case.HandedFrom != "" {
		return notFrom(s.Case, TakeBack)
	}
	return nil
}

func lastDossier(s situation) error {
	if s.Case.Dossiers > 1 {
		return fault.New(fault.Conflict, "case.more-dossiers", "Ref", s.Case.Ref)
	}
	return nil
}

func moreDossiers(s situation) error {
	if lastDossier(s) == nil {
		return notFrom(s.Case, Finish)
	}
	return nil
}

// orders reports whether a measure is one that a notice carries out.
func orders(measure string) bool {
	return slices.Contains([]string{string(policy.Referral), string(policy.RemovalOrder), string(policy.Preservation), string(policy.Warning)}, measure)
}
