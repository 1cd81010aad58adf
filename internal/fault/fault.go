// Package fault sorts errors by what their receiver can do about them.
//
// A fault carries a catalogue code and arguments rather than a sentence, so
// that an edge can say it in the caller's language (internal/i18n). Anything
// that is not a fault is internal: it goes to the log, and the caller gets a
// reference to it.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Kind says what the receiver of an error can do.
type Kind int

// The kinds, from the receiver's side. The zero value is Internal, so that an
// error nobody sorted is never shown.
const (
	Internal    Kind = iota // nothing; we have to look at the log
	Invalid                 // send something else
	Denied                  // ask somebody who may
	NotFound                // look elsewhere; absent and hidden are one answer
	Conflict                // read the present state and decide again
	Unavailable             // try again later
)

// String returns the kind as written in problem details and logs.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Denied:
		return "denied"
	case NotFound:
		return "not-found"
	case Conflict:
		return "conflict"
	case Unavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

// An Error is a sorted error whose text may be shown.
type Error struct {
	Kind  Kind
	Code  string         // catalogue key, as "case.locked"
	Args  map[string]any // named arguments of the catalogue text
	Field string         // JSON pointer to the offending input, "" if none
	Parts []*Error       // further faults of the same input, each with its field

	// RetryAfter is the time after which an Unavailable may have passed; 0
	// means unknown.
	RetryAfter time.Duration

	cause error
}

// New returns a fault of kind with a catalogue code and its arguments as
// alternating names and values.
func New(kind Kind, code string, kv ...any) *Error {
	if len(kv)%2 != 0 {
		panic("fault: odd number of arguments for " + code)
	}
	e := &Error{Kind: kind, Code: code}
	if len(kv) > 0 {
		e.Args = make(map[string]any, len(kv)/2)
	}
	for i := 0; i < len(kv); i += 2 {
		e.Args[kv[i].(string)] = kv[i+1]
	}
	return e
}

// Hidden is the one answer for "absent" and for "not yours".
func Hidden(what string) *Error { return New(NotFound, "fault.hidden", "What", what) }

// At returns a copy of e that points at the input it is about, as a JSON
// pointer (RFC 6901).
func (e *Error) At(pointer string) *Error {
	c := *e
	c.Field = pointer
	return &c
}

// Because returns a copy of e that wraps its cause for the log; the cause is
// never shown.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error returns the fault as one line for logs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	if e.Field != "" {
		fmt.Fprintf(&b, " at %s", e.Field)
	}
	if len(e.Args) > 0 {
		fmt.Fprintf(&b, " %v", e.Args)
	}
	for _, p := range e.Parts {
		fmt.Fprintf(&b, "; %v", p)
	}
	if e.cause != nil {
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Of returns the kind of err: that of the first fault in its chain, else
// Internal.
func Of(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// As returns the first fault in err's chain.
func As(err error) (*Error, bool) { return errors.AsType[*Error](err) }

// Is reports whether err is a fault with the given code.
func Is(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// A Checker gathers every fault of one input, so that its sender can mend all
// at once. The zero value is ready.
type Checker struct{ parts []*Error }

// Add records a fault at pointer.
func (c *Checker) Add(pointer, code string, kv ...any) {
	c.parts = append(c.parts, New(Invalid, code, kv...).At(pointer))
}

// Join records a fault made elsewhere at pointer; nil and non-faults are
// ignored and returned as they are.
func (c *Checker) Join(pointer string, err error) error {
	e, ok := As(err)
	if !ok {
		return err
	}
	if len(e.Parts) == 0 {
		c.parts = append(c.parts, e.At(pointer+e.Field))
	}
	for _, p := range e.Parts {
		c.parts = append(c.parts, p.At(pointer+p.Field))
	}
	return nil
}

// Require records a missing value.
func (c *Checker) Require(ok bool, pointer string) {
	if !ok {
		c.Add(pointer, "fault.required")
	}
}

// Err returns everything recorded as one Invalid fault, or nil.
func (c *Checker) Err() error {
	if len(c.parts) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: "fault.input", Args: map[string]any{"Count": len(c.parts)}, Parts: c.parts}
}
