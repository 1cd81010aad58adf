package notice

import (
	"fmt"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
)

// An Event is something that may happen to a notice or to one of its items.
type Event string

// The events.
const (
	EventRedraft  Event = "redraft"
	EventPropose  Event = "propose"
	EventApprove  Event = "approve"
	EventReturn   Event = "return"
	EventIssue    Event = "issue"
	EventLog      Event = "log"
	EventDispatch Event = "dispatch"
	EventReceive  Event = "receive"
	EventAnswer   Event = "answer"
	EventPause    Event = "pause"
	EventResolve  Event = "resolve"
	EventVerify   Event = "verify"
	EventReopen   Event = "reopen"
	EventDeem     Event = "deem"
	EventServe    Event = "serve"
	EventAttempt  Event = "attempt"
	EventFail     Event = "fail"
	EventWrite    Event = "write"
	EventRemind   Event = "remind"
	EventClose    Event = "close"
	EventWithdraw Event = "withdraw"
	EventQuash    Event = "quash"
)

// A Transition is one row of a slice: what takes a fact from one state to
// another. Who is the right it needs; "" is the program itself.
type Transition[S ~string] struct {
	From  S
	Event Event
	To    S
	Who   auth.Act
	Guard string // what else must be true, in words for the diagram; "" for nothing
}

// LifeTable is how the decision moves. Anything not in it is refused.
func LifeTable() []Transition[Life] {
	t := []Transition[Life]{
		{Draft, EventRedraft, Draft, auth.NoticePropose, "signatures of older versions no longer count"},
		{Draft, EventPropose, Proposed, auth.NoticePropose, "valid signature"},
		{Proposed, EventApprove, Approved, auth.NoticeApprove, "valid signature of another person; stays proposed until all needed are there"},
		{Proposed, EventReturn, Draft, auth.NoticeReturn, "reasons"},
		{Approved, EventReturn, Draft, auth.NoticeReturn, "reasons; not yet issued"},
		{Approved, EventIssue, Approved, auth.NoticeIssue, "valid signature of a third person; not yet issued"},
		{Approved, EventLog, Logged, "", "issued, and in its place in the feed"},
		{Logged, EventDispatch, Open, "", "every signature, person, key, byte and row agrees"},
		{Open, EventReceive, Open, auth.NoticeReceive, "not received yet"},
		{Open, EventAnswer, Open, auth.NoticeAnswer, ""},
		{Open, EventPause, Open, auth.NoticeAnswer, "the pack's pauses and limits"},
		{Open, EventResolve, Open, auth.NoticeVerify, "a pause is open"},
		{Open, EventVerify, Open, auth.NoticeVerify, "the item is answered"},
		{Open, EventReopen, Open, auth.NoticeVerify, "the item is verified"},
		{Open, EventDeem, Open, auth.NoticeDeem, "not received; the pack allows it; two people"},
		{Open, EventServe, Open, auth.NoticeVerify, ""},
		{Open, EventRemind, Open, "", "half of the time is over"},
		{Open, EventClose, Closed, "", "every item verified; a referral: answered, or expired"},
		{Closed, EventAnswer, Closed, auth.NoticeAnswer, "the item has no verified answer"},
		{Closed, EventReopen, Open, auth.NoticeVerify, "the item is verified"},
		{Logged, EventQuash, Quashed, "", "oversight's decision"},
		{Open, EventQuash, Quashed, "", "oversight's decision"},
		{Closed, EventQuash, Quashed, "", "oversight's decision"},
	}
	for _, from := range []Life{Draft, Proposed, Approved, Logged, Open, Closed} {
		t = append(t, Transition[Life]{from, EventWithdraw, Withdrawn, auth.NoticeWithdraw, "reason"})
	}
	for _, from := range []Life{Open, Closed, Withdrawn, Quashed} {
		t = append(t, Transition[Life]{from, EventWrite, from, auth.NoticeWrite, ""})
	}
	return t
}

// DeliveryTable is how the message moves.
func DeliveryTable() []Transition[Delivery] {
	t := []Transition[Delivery]{{Queued, EventDispatch, Sent, "", ""}}
	for _, from := range []Delivery{Sent, Accepted, Failed} {
		t = append(t,
			Transition[Delivery]{from, EventAttempt, Accepted, "", "a server or the platform's own program took it"},
			Transition[Delivery]{from, EventFail, Failed, "", "no further attempt on this channel"},
			Transition[Delivery]{from, EventReceive, Received, auth.NoticeReceive, ""},
			Transition[Delivery]{from, EventDeem, Deemed, auth.NoticeDeem, "confirmed by the second person"},
		)
	}
	return append(t, Transition[Delivery]{Deemed, EventReceive, Received, auth.NoticeReceive, "the clock keeps its start"})
}

// RungTable is how the ladder is climbed. Warnings come with a later issue.
func RungTable() []Transition[Rung] {
	return []Transition[Rung]{{NoRung, EventRemind, Reminded, "", "half of the time is over"}}
}

// ItemTable is how one item moves.
func ItemTable() []Transition[ItemState] {
	return []Transition[ItemState]{
		{Pending, EventAnswer, Answered, auth.NoticeAnswer, ""},
		{Paused, EventAnswer, Answered, auth.NoticeAnswer, "ends the pause"},
		{Answered, EventAnswer, Answered, auth.NoticeAnswer, "another answer; the older one is kept"},
		{Pending, EventPause, Paused, auth.NoticeAnswer, "the pack's pauses and limits"},
		{Paused, EventResolve, Pending, auth.NoticeVerify, ""},
		{Answered, EventVerify, Verified, auth.NoticeVerify, ""},
		{Answered, EventReopen, Pending, auth.NoticeVerify, "the answer does not hold"},
		{Verified, EventReopen, Pending, auth.NoticeVerify, ""},
	}
}

var (
	lifeTable     = LifeTable()
	deliveryTable = DeliveryTable()
	itemTable     = ItemTable()
)

// step returns where event leads from a state, or a Conflict that says what the
// state is and which states allow it.
func step[S ~string](table []Transition[S], what string, from S, event Event) (Transition[S], error) {
	var allowed []string
	for _, t := range table {
		if t.Event != event {
			continue
		}
		if t.From == from {
			return t, nil
		}
		allowed = append(allowed, string(t.From))
	}
	return Transition[S]{}, fault.New(fault.Conflict, "notice.state",
		"What", what, "State", string(from), "Event", string(event), "Allowed", strings.Join(allowed, ", "))
}

// check is step for a notice's life.
func (n Notice) check(event Event) (Transition[Life], error) {
	return step(lifeTable, "life", n.Life, event)
}

// Diagram returns the four slices as Mermaid state diagrams, for the docs.
func Diagram() string {
	var b strings.Builder
	diagram(&b, "Life", LifeTable())
	diagram(&b, "Delivery", DeliveryTable())
	diagram(&b, "Rung", RungTable())
	diagram(&b, "Item", ItemTable())
	return b.String()
}

func diagram[S ~string](b *strings.Builder, title string, table []Transition[S]) {
	fmt.Fprintf(b, "### %s\n\n```mermaid\nstateDiagram-v2\n", title)
	for _, t := range table {
		label := string(t.Event)
		if t.Who != "" {
			label += " (" + string(t.Who) + ")"
		}
		if t.Guard != "" {
			label += ": " + strings.ReplaceAll(t.Guard, ":", ",")
		}
		fmt.Fprintf(b, "  %s --> %s : %s\n", id(t.From), id(t.To), label)
	}
	b.WriteString("```\n\n")
}

func id[S ~string](s S) string { return strings.ReplaceAll(string(s), "-", "_") }
