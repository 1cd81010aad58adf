package canonical

import (
	"fmt"
	"strings"
)

// A Reason says why an input is no location. Its value is a catalogue key, so
// that an edge can say it in the reader's language.
type Reason string

// The reasons for a refusal.
const (
	Empty         Reason = "location.empty"          // nothing but spaces, quotes and punctuation
	TooLong       Reason = "location.too-long"       // more than MaxBytes, as given or once canonical
	BadUTF8       Reason = "location.bad-utf8"       // not UTF-8
	Control       Reason = "location.control"        // control characters or line breaks inside, also as %00 to %1F
	Bidi          Reason = "location.bidi"           // characters that turn the direction of writing
	Several       Reason = "location.several"        // more than one address
	BadScheme     Reason = "location.bad-scheme"     // neither http nor https
	UserInfo      Reason = "location.user-info"      // name or password before the host
	NoHost        Reason = "location.no-host"        // nothing between scheme and path
	BadHost       Reason = "location.bad-host"       // not a host name
	SingleLabel   Reason = "location.single-label"   // a name without a dot, known only inside a network
	Reserved      Reason = "location.reserved"       // a name that does not exist on the public internet
	PrivateIP     Reason = "location.private-ip"     // an address that is not public
	BadPort       Reason = "location.bad-port"       // not a number from 1 to 65535
	BadEscape     Reason = "location.bad-escape"     // % without two hexadecimal digits
	BadHandle     Reason = "location.bad-handle"     // not a name an account can have
	NeedsPlatform Reason = "location.needs-platform" // @name without saying where
	NoPlatform    Reason = "location.no-platform"    // platform:@name with an unknown platform, or one without account pages
	BadWallet     Reason = "location.bad-wallet"     // a payment address of the wrong form
)

// advice says in English what is wrong and what would be right, per reason.
var advice = map[Reason]string{
	Empty:         "there is no address; give a link such as https://site.example/page or a handle such as @name@site.example",
	TooLong:       fmt.Sprintf("the address is longer than %d bytes; give the address of the page itself", MaxBytes),
	BadUTF8:       "the text is not UTF-8; copy the address again from the address bar",
	Control:       "control characters or line breaks stand inside the address; give it on one line, without them",
	Bidi:          "characters that turn the direction of writing stand inside the address; type it without them",
	Several:       "there is more than one address; give one per line",
	BadScheme:     "only http and https addresses can be taken; give the address of a public page",
	UserInfo:      "a name or password stands before the host; leave out all up to the @, or write a handle as @name@host",
	NoHost:        "the host is missing; write it as https://host/path",
	BadHost:       "this is not a host name; a host has labels of letters, digits and hyphens joined by dots",
	SingleLabel:   "the host has no dot and is known only inside a network; give its full public name",
	Reserved:      "this name does not exist on the public internet; give a public name",
	PrivateIP:     "this network address is not public; give a public name or address",
	BadPort:       "the port is not a number from 1 to 65535; leave it out or correct it",
	BadEscape:     "a % is not followed by two hexadecimal digits; write a plain % as %25",
	BadHandle:     "this is not an account name; use letters, digits, dot, hyphen and underscore, at most 64",
	NeedsPlatform: "the platform of this handle is unknown; write platform:@name or @name@host",
	NoPlatform:    "no platform of this name has account pages here; give the link of the account",
	BadWallet:     "this is not a payment address of the scheme it names; copy it again",
}

// Reasons returns every reason, for the completeness test of catalogues.
func Reasons() []Reason {
	all := make([]Reason, 0, len(advice))
	for r := range advice {
		all = append(all, r)
	}
	return all
}

// An Error is a refused input. It is the only error of [Parse].
type Error struct {
	Reason Reason
	Part   string // what gave offence, quoted safely and defanged, at most 80 runes; "" for the whole
}

// Error says what is wrong, where, and what would be right, in English.
func (e *Error) Error() string {
	if e.Part == "" {
		return advice[e.Reason]
	}
	return fmt.Sprintf("%s: %s", e.Part, advice[e.Reason])
}

// refuse returns an Error naming the offending part so that it can be shown:
// nothing in it can be clicked, break the line or turn the direction.
func refuse(r Reason, part string) *Error {
	if part == "" {
		return &Error{Reason: r}
	}
	if short := []rune(strings.ToValidUTF8(part, "\uFFFD")); len(short) > maxPart {
		part = string(short[:maxPart]) + "…"
	}
	q := fmt.Sprintf("%+q", part)
	return &Error{Reason: r, Part: strings.ReplaceAll(q[1:len(q)-1], ".", "[.]")}
}

// maxPart is how many runes of an input a refusal repeats.
const maxPart = 80
