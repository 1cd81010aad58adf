package web

import (
	"time"

	"github.com/tangkal/tangkal/internal/web/components"
)

// ReceiptPage confirms a report. The code is shown this once.
type ReceiptPage struct {
	components.PublicPage
	Code      string // TGK-XXXX-XXXX-XXXX-XXXX
	Ref       string // public reference
	At        time.Time
	Named     bool // the reporter left a contact
	Usual     time.Duration
	Counsel   string // words of the counsellors' line; a setting of each deployment, "" leaves it out
	CounselTo string // its address
}

// codeParts splits a code where a narrow screen may break it.
func (pg ReceiptPage) codeParts() [2]string {
	const half = len("TGK-0000-0000-")
	if len(pg.Code) <= half {
		return [2]string{pg.Code}
	}
	return [2]string{pg.Code[:half], pg.Code[half:]}
}

// CheckPage asks for a receipt code.
type CheckPage struct {
	components.PublicPage
	Errors []components.FieldError
}

// StatusPage shows the way of one report to who holds its code. The code
// travels in the body of each request, never in an address.
type StatusPage struct {
	components.PublicPage
	Code     string
	Ref      string
	Agency   string
	Headline components.Chip // where it stands
	Steps    []StatusStep    // the oldest first; the last is where it stands
	Messages []StatusMessage
	Files    int
	Links    int
	Closed   bool
	Saved    string // what was just done, said on top
	Errors   []components.FieldError
	Message  string // a message that was not accepted
	More     string // links that were not accepted
	Note     string // words to them
	Token    string
}

// A StatusStep is a step of a report's way, in words.
type StatusStep struct {
	Icon string
	Text string
	Note string
	At   time.Time // zero: still to come
}

// A StatusMessage is one message between reporter and agency.
type StatusMessage struct {
	Ours bool // from the reporter
	From string
	Text string
	At   time.Time
}

func (pg StatusPage) wrong(field string) string { return fieldError(pg.Errors, field) }
