package flagger

import (
	"slices"

	"github.com/tangkal/tangkal/internal/auth"
)

// A Kind is what the rows of a list are.
type Kind string

// The kinds.
const (
	Reports  Kind = "reports"  // each row becomes a report
	Register Kind = "register" // each row is a decision of before, and becomes an Entry
)

// Fields lists the fields that a column of such a list may hold, in the order
// they are shown.
func (k Kind) Fields() []Field {
	if k == Register {
		return []Field{Location, Decided, Reference, Decision, Ground, Service, Standing, Note}
	}
	return []Field{Location, Note, Hint, Reference, Found}
}

// Outcomes lists what becomes of the rows of such a list.
func (k Kind) Outcomes() []Outcome {
	if k == Register {
		return []Outcome{Ready, Kept, Before, Faulty}
	}
	return []Outcome{Ready, Reported, Before, Faulty}
}

// done is what a row has become that is not one of the others.
func (k Kind) done() Outcome {
	if k == Register {
		return Kept
	}
	return Reported
}

// noun is what such a list is called in rights and on record.
func (k Kind) noun() string {
	if k == Register {
		return "register"
	}
	return "list"
}

func (k Kind) read() auth.Act {
	if k == Register {
		return auth.RegisterRead
	}
	return auth.ListRead
}

func (k Kind) send() auth.Act {
	if k == Register {
		return auth.RegisterSend
	}
	return auth.ListSend
}

func (k Kind) known() bool { return slices.Contains([]Kind{Reports, Register}, k) }
