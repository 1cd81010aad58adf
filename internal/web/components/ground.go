package components

import (
	"strings"

	"github.com/tangkal/tangkal/internal/i18n"
)

// A Ground is one of the five closed grounds (Regulation (EU) 2021/784,
// Article 2(7)) as pages write it.
type Ground struct {
	Number string // G1 … G5
	Code   string
}

// Grounds lists the closed grounds in their one order.
func Grounds() []Ground {
	return []Ground{{"G1", "incite"}, {"G2", "solicit-offence"}, {"G3", "solicit-group"}, {"G4", "instruct"}, {"G5", "threaten"}}
}

// GroundOf returns the ground with the given code; an unknown code is shown as
// it is, without a number.
func GroundOf(code string) Ground {
	for _, g := range Grounds() {
		if g.Code == code {
			return g
		}
	}
	return Ground{Code: code}
}

// Short returns the ground's label for tight columns.
func (g Ground) Short(p *i18n.Printer) string { return g.say(p, "short") }

// Tail returns what the short label leaves out, "" if nothing.
func (g Ground) Tail(p *i18n.Printer) string {
	if g.Code == "incite" || g.Code == "solicit-group" {
		return g.say(p, "tail")
	}
	return ""
}

// Full returns the ground's whole label.
func (g Ground) Full(p *i18n.Printer) string { return g.say(p, "full") }

func (g Ground) say(p *i18n.Printer, part string) string {
	if g.Number == "" {
		return g.Code
	}
	return p.T("ui.ground." + g.Code + "." + part)
}

// A Purpose is one of the five purpose tests.
type Purpose struct {
	Number string // P1 … P5
	Code   string
}

// Purposes lists the purpose tests in their one order.
func Purposes() []Purpose {
	return []Purpose{{"P1", "journalism"}, {"P2", "education"}, {"P3", "research"}, {"P4", "art"}, {"P5", "counter-speech"}}
}

// Label returns the purpose's word.
func (t Purpose) Label(p *i18n.Printer) string { return p.T("ui.purpose." + t.Code) }

// tlpClass names the colour of a label (TLP 2.0, FIRST).
func tlpClass(label string) string {
	switch base, _, _ := strings.Cut(label, "+"); base {
	case "RED":
		return "tlp-RED"
	case "AMBER":
		return "tlp-AMBER"
	case "GREEN":
		return "tlp-GREEN"
	default:
		return "tlp-CLEAR"
	}
}
