package components

import "github.com/tangkal/tangkal/internal/i18n"

// A State is what a chip shows. The fill grows as an order travels; colour is
// the third signal after icon and word.
type State string

// The states of ui principles 4, and those of promises and cases beside them.
const (
	StateDraft        State = "draft"
	StatePending      State = "pending" // awaiting approval
	StateApproved     State = "approved"
	StateIssued       State = "issued"
	StateDelivered    State = "delivered"
	StateAcknowledged State = "acknowledged"
	StateClarify      State = "clarify"
	StateActioned     State = "actioned"
	StateRemoved      State = "removed"
	StateGeoblocked   State = "geoblocked"
	StateSuspended    State = "suspended"
	StateRefused      State = "refused"
	StateOverdue      State = "overdue"
	StateWarned       State = "warned"
	StateBlocked      State = "blocked"
	StateLifted       State = "lifted"
	StateAppealed     State = "appealed"
	StateOverturned   State = "overturned"
	StateReview       State = "neutral" // in review, and anything without a fill of its own
	StateClosed       State = "closed"
)

// States lists every state, in the order of an order's life.
func States() []State {
	return []State{
		StateDraft, StatePending, StateApproved, StateIssued, StateDelivered, StateAcknowledged, StateClarify, StateActioned,
		StateRemoved, StateGeoblocked, StateSuspended, StateRefused, StateOverdue, StateWarned, StateBlocked, StateLifted,
		StateAppealed, StateOverturned, StateReview, StateClosed,
	}
}

// A Chip is an icon and a word. Label and Icon replace the state's own.
type Chip struct {
	State State
	Label string
	Icon  string
	Title string // more about it, on hover and for screen readers of lists
}

var stateIcons = map[State]string{
	StateDraft: "pencil-line", StatePending: "user-check", StateApproved: "stamp", StateIssued: "send", StateDelivered: "mail-check",
	StateAcknowledged: "mail-open", StateClarify: "message-circle-question-mark", StateActioned: "circle-check-big",
	StateRemoved: "trash-2", StateGeoblocked: "map-pin-off", StateSuspended: "user-x", StateRefused: "octagon-x",
	StateOverdue: "alarm-clock", StateWarned: "triangle-alert", StateBlocked: "shield-ban", StateLifted: "shield-off",
	StateAppealed: "scale", StateOverturned: "gavel", StateReview: "circle-dashed", StateClosed: "archive",
}

func (c Chip) icon() string {
	if c.Icon != "" {
		return c.Icon
	}
	if icon, ok := stateIcons[c.State]; ok {
		return icon
	}
	return stateIcons[StateReview]
}

func (c Chip) label(p *i18n.Printer) string {
	if c.Label != "" {
		return c.Label
	}
	return p.T("ui.state." + string(c.State))
}

// class names every look in full, so that the stylesheet keeps it.
func (c Chip) class() string {
	switch c.State {
	case StateDraft:
		return "st-draft"
	case StatePending:
		return "st-pending"
	case StateApproved:
		return "st-approved"
	case StateIssued:
		return "st-issued"
	case StateDelivered:
		return "st-delivered"
	case StateAcknowledged:
		return "st-acknowledged"
	case StateClarify:
		return "st-clarify"
	case StateActioned, StateRemoved, StateGeoblocked, StateSuspended:
		return "st-actioned"
	case StateRefused:
		return "st-refused"
	case StateOverdue:
		return "st-overdue"
	case StateWarned:
		return "st-warned"
	case StateBlocked:
		return "st-blocked"
	case StateLifted:
		return "st-lifted"
	case StateAppealed:
		return "st-appealed"
	case StateOverturned:
		return "st-overturned"
	default:
		return "st-neutral"
	}
}
