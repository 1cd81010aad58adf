package web

import (
	"strconv"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/notes"
)

// number is a number for an attribute.
func number(n int) string { return strconv.Itoa(n) }

// keyOf is the shortcut of the i-th answer.
func keyOf(i int) string { return strconv.Itoa(i + 1) }

var answerIcons = map[notes.AnswerKind]string{
	notes.Removed: "trash-2", notes.Disabled: "map-pin-off", notes.AccountSuspended: "user-x", notes.Refused: "octagon-x",
	notes.Clarify: "message-circle-question-mark",
}

func answerIcon(k notes.AnswerKind) string { return answerIcons[k] }

// bulkWord names an answer in the bar over the list; one that asks for more
// ends in an ellipsis.
func bulkWord(p *i18n.Printer, k notes.AnswerKind) string {
	word := p.T("inbox.answer." + string(k) + ".short")
	for _, f := range answerFields[k] {
		if needs(k, f) {
			return word + "…"
		}
	}
	return word
}

// langKey is the language's word where the catalogue has one.
func langKey(p *i18n.Printer, lang string) string {
	if p.Has("inbox.lang." + lang) {
		return lang
	}
	return "other"
}

// openWord marks items without an answer for the script.
func openWord(open bool) string {
	if open {
		return "open"
	}
	return "done"
}

// hasQuestions reports whether an item of this page may be answered.
func (n *NoticePane) hasQuestions() bool {
	for _, it := range n.Items {
		if it.Ask {
			return true
		}
	}
	return false
}

// chosen reports whether the form holds an answer for the place.
func (s AnswerSet) chosen() bool {
	for _, a := range s.Main {
		if a.Checked {
			return true
		}
	}
	return s.Other
}

// sameText says how many rows said what was known already.
func (pg AnswerReportPage) sameText() string {
	if pg.Same == 0 {
		return ""
	}
	return pg.P.N("inbox.report.same-before", pg.Same)
}

// class shows the block of an answer's fields while the answer is chosen;
// browsers that cannot tell show them all. Every class stands in full, so that
// the stylesheet keeps it.
func (d AnswerDetail) class() string {
	switch notes.AnswerKind(d.Answer) {
	case notes.Disabled:
		return "[.ans:has([value=disabled]:checked)_&]:block!"
	case notes.Restricted:
		return "[.ans:has([value=restricted]:checked)_&]:block!"
	case notes.AccountSuspended:
		return "[.ans:has([value=account-suspended]:checked)_&]:block!"
	case notes.Labelled:
		return "[.ans:has([value=labelled]:checked)_&]:block!"
	case notes.Refused:
		return "[.ans:has([value=refused]:checked)_&]:block!"
	case notes.Challenged:
		return "[.ans:has([value=challenged]:checked)_&]:block!"
	case notes.Impossible:
		return "[.ans:has([value=impossible]:checked)_&]:block!"
	case notes.Clarify:
		return "[.ans:has([value=clarify]:checked)_&]:block!"
	case notes.ManifestError:
		return "[.ans:has([value=error]:checked)_&]:block!"
	default:
		return ""
	}
}
