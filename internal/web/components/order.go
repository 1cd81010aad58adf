package components

import (
	"time"
)

// A RungState is how a rung of the ladder stands.
type RungState string

// The states of a rung.
const (
	RungDone RungState = "done"
	RungNow  RungState = "now"
	RungNext RungState = "next"
	RungLock RungState = "lock" // not to be climbed here; Note says why
)

// A Rung is a step of the escalation ladder: referral, order, warning 1, 2, 3,
// DNS block.
type Rung struct {
	State RungState
	Sign  string // number in the node; "" shows Icon, or a check on a done rung
	Icon  string
	Name  string
	Note  string // when it was climbed, may be climbed, or why not
}

// A ChainStep is one act of the chain of decision: proposed, approved, issued.
type ChainStep struct {
	Act      string // "diusulkan"
	Person   string // name, or the office where the reader may not see names
	Initials string
	Class    string    // avatar's, see Avatar
	Party    string    // shown after the person; "" if the next step's says it
	At       time.Time // zero: still to come, and then Person says who may
}

// An Event is a line of a timeline.
type Event struct {
	Icon  string
	Tone  Tone
	Who   string // said in bold, before Text; may be ""
	Text  string
	At    time.Time
	Note  string // after the time
	Quote string // somebody's own words, shown as such
}

// A Tone colours a dot or a note. The zero value is plain.
type Tone string

// The tones: what a thing is, not how we like it.
const (
	TonePlain  Tone = ""
	ToneTeal   Tone = "teal"
	ToneBlue   Tone = "blue"
	ToneSolid  Tone = "blue-solid"
	ToneGreen  Tone = "green"
	ToneAmber  Tone = "amber"
	ToneRed    Tone = "red"
	ToneOrange Tone = "orange"
	ToneViolet Tone = "violet"
)

func (t Tone) dot() string {
	switch t {
	case ToneTeal:
		return "bg-teal-bg! border-teal-bd! text-teal-fg!"
	case ToneBlue:
		return "border-blue-bd! text-blue-fg!"
	case ToneSolid:
		return "bg-blue-solid! border-blue-solid! text-white!"
	case ToneGreen:
		return "bg-green-bg! border-green-bd! text-green-fg!"
	case ToneAmber:
		return "bg-amber-bg! border-amber-bd! text-amber-fg!"
	case ToneRed:
		return "bg-red-bg! border-red-bd! text-red-fg!"
	case ToneOrange:
		return "bg-orange-bg! border-orange-bd! text-orange-fg!"
	case ToneViolet:
		return "bg-violet-bg! border-violet-bd! text-violet-fg!"
	default:
		return ""
	}
}

func (t Tone) note() string {
	switch t {
	case ToneTeal:
		return "bg-teal-bg border-teal-bd text-teal-fg"
	case ToneBlue, ToneSolid:
		return "bg-blue-bg border-blue-bd text-blue-fg"
	case ToneGreen:
		return "bg-green-bg border-green-bd text-green-fg"
	case ToneAmber:
		return "bg-amber-bg border-amber-bd text-amber-fg"
	case ToneRed:
		return "bg-red-bg border-red-bd text-red-fg"
	case ToneOrange:
		return "bg-orange-bg border-orange-bd text-orange-fg"
	case ToneViolet:
		return "bg-violet-bg border-violet-bd text-violet-fg"
	default:
		return "bg-neutral-bg border-neutral-bd text-neutral-fg"
	}
}

// A Defanged is a location that cannot be followed by mistake.
type Defanged struct {
	Text string // hxxps://ruangsuara[.]example/v/84qe-90t
	Copy bool   // offer to copy the defanged form
	Wide bool   // the whole address, wrapped, rather than one truncated line
}
