package components

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// A FieldError is a line of the error summary, and stands beside its field in
// the same words.
type FieldError struct {
	Field string // id of the field
	Text  string
}

// A FieldBox wraps an input with its label above it, the hint between, and the
// error beside it (GOV.UK design system, error message).
type FieldBox struct {
	ID    string
	Label string
	Hint  string
	Error string
	Small bool // console size rather than public size
}

// DescribedBy is what the input's aria-describedby must name; "" for nothing.
func (f FieldBox) DescribedBy() string {
	switch {
	case f.Hint != "" && f.Error != "":
		return f.ID + "-hint " + f.ID + "-error"
	case f.Hint != "":
		return f.ID + "-hint"
	case f.Error != "":
		return f.ID + "-error"
	default:
		return ""
	}
}

// An Input is a single line in a FieldBox.
type Input struct {
	FieldBox
	Name         string
	Value        string
	Type         string // "" is text
	Mode         string // inputmode
	Autocomplete string // "" is off
	Mono         bool
	MaxLength    int
	Required     bool
}

// A TextArea is several lines in a FieldBox.
type TextArea struct {
	FieldBox
	Name      string
	Value     string
	Rows      int
	MaxLength int
	Mono      bool
	Required  bool
}

// A Choice is a radio button or a check box of a list.
type Choice struct {
	Value   string
	Label   string
	Hint    string
	Checked bool
}

// Choices is a question with a closed list of answers; nothing is chosen for
// the person.
type Choices struct {
	FieldBox
	Name    string
	Many    bool // check boxes
	Choices []Choice
}

// A Segment is an answer of a Segmented question.
type Segment struct {
	Value string
	Label string
	Name  string // said in full where Label is a sign, as "?"
	Yes   bool   // takes the brand's fill when chosen
}

// Segmented is a small row of radio buttons without a default.
type Segmented struct {
	Name     string
	Label    string
	Value    string // "" for unanswered
	Segments []Segment
	Small    bool
	Key      string // shortcut that moves to the next answer
	Locked   bool
}

// A Confirm asks before something grave: the effect, who is hit, what is still
// unmet, and a word to type. Focus starts on Cancel.
type Confirm struct {
	ID         string
	Icon       string
	Title      string
	Text       string
	Effects    []string
	EffectHead string
	Conditions []Condition
	Type       string // the word the person must type; "" for none
	TypeLabel  string
	Action     string // POST address
	Fields     []Hidden
	Submit     string
	Danger     bool
	Sign       *SignForm // the act is signed with the person's key
}

// A Condition is met or not yet.
type Condition struct {
	Met  bool
	Name string
	Note string
}

func (c Confirm) met() bool {
	for _, x := range c.Conditions {
		if !x.Met {
			return false
		}
	}
	return true
}

// Hidden is a field that travels with a form.
type Hidden struct{ Name, Value string }

// A SignForm makes the browser sign before a form is sent: the form carries
// SignAttributes and, inside, SignFields. The script fills the hidden field
// "credential" with the passkey's answer (JSON), or else the hidden fields
// "signature" (base64, 64 bytes, Ed25519 over the 32 bytes of Digest) and "key"
// (party.KeyID of the key).
type SignForm struct {
	Digest  string   // base64 of the SHA-256 digest; for a sign-in, of the nonce
	Options string   // JSON that asks the person's passkeys over Digest; then they sign, and Keys and Enrol rest
	Touch   bool     // signs SHA-256 of "tangkal/touch/v1\n" and the nonce instead, into fields whose names begin with "touch-"
	SignIn  bool     // signs SHA-256 of "tangkal/sign-in/v1\n" and the nonce instead
	Keys    []string // identifiers of the person's standing keys
	Enrol   string   // address that takes a new key by POST (public, label), so that one may be made on the spot; "" offers none
	Label   string   // the person's name, for keys of people who share a browser
}

// SignAttributes are the attributes of a form that is signed.
func SignAttributes(s SignForm) templ.Attributes {
	kind := "act"
	switch {
	case s.SignIn:
		kind = "sign-in"
	case s.Touch:
		kind = "touch"
	}
	a := templ.Attributes{"data-sign": kind, "data-keys": strings.Join(s.Keys, " "), "data-enrol": s.Enrol, "data-label": s.Label}
	if s.Options != "" {
		a["data-options"] = s.Options
	}
	return a
}

// named is the name of one of the form's own fields.
func (s SignForm) named(field string) string {
	if s.Touch {
		return "touch-" + field
	}
	return field
}

func boolean(b bool) string { return strconv.FormatBool(b) }

func orText(t string) string {
	if t == "" {
		return "text"
	}
	return t
}

func orOff(a string) string {
	if a == "" {
		return "off"
	}
	return a
}
