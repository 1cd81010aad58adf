package web

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// maxAnswers bounds the items of one call (domain.md, Answers).
const maxAnswers = 10_000

// mainAnswers are those at hand, with the keys 1 to 5; moreAnswers follow on
// demand.
var (
	mainAnswers = []notes.AnswerKind{notes.Removed, notes.Disabled, notes.AccountSuspended, notes.Refused, notes.Clarify}
	moreAnswers = []notes.AnswerKind{
		notes.Restricted, notes.Labelled, notes.StreamEnded, notes.GoneBefore, notes.Challenged, notes.Impossible, notes.ManifestError,
	}
)

// answerFields are what an answer of a kind says beside itself, in the order of
// the form; basis and time stand once for all items. They are those that
// notes/schema/answer.json knows.
var answerFields = map[notes.AnswerKind][]string{
	notes.Disabled:         {"where", "until"},
	notes.Restricted:       {"how", "where", "until"},
	notes.AccountSuspended: {"until"},
	notes.Labelled:         {"label", "until"},
	notes.Refused:          {"ground", "explanation"},
	notes.Challenged:       {"court", "court_reference", "suspensive", "explanation"},
	notes.Impossible:       {"ground", "explanation", "until"},
	notes.Clarify:          {"question"},
	notes.ManifestError:    {"ground", "explanation"},
}

// needs reports whether an answer may not leave out a field.
func needs(k notes.AnswerKind, field string) bool {
	switch field {
	case "until", "court_reference":
		return false
	case "where":
		return k != notes.Restricted
	case "explanation":
		return k != notes.Challenged
	default:
		return true
	}
}

// answerGrounds are the closed lists of grounds by answer.
var answerGrounds = map[notes.AnswerKind][]notes.AnswerGround{
	notes.Refused:       {notes.TruePurpose, notes.NotWithinGrounds, notes.TermsNotBreached, notes.ConflictOfLaw, notes.NotPublic, notes.NotOurs},
	notes.Impossible:    {notes.ForceMajeure, notes.DeFacto, notes.Technical, notes.Operational},
	notes.ManifestError: {notes.LinkInvalid, notes.EvidenceMismatch, notes.NotIdentifiable, notes.LanguageWrong, notes.Incomplete},
}

// acts reports whether the platform did something that has a time and a basis.
func acts(k notes.AnswerKind) bool {
	return slices.Contains([]notes.AnswerKind{notes.Removed, notes.Disabled, notes.Restricted, notes.AccountSuspended, notes.Labelled, notes.StreamEnded}, k)
}

// allItems is the place of an answer for every item, in a form for many.
const allItems = "all"

// An answerForm is what a form of answers holds: by place (the number of an
// item, or allItems) the answer and its fields, and what stands once for all.
type answerForm struct {
	values   url.Values
	problems []placed
}

// placed is something wrong with one field: name and words.
type placed struct{ field, text string }

// fieldName names a field of the form.
func fieldName(place string, k notes.AnswerKind, field string) string {
	return place + "." + string(k) + "." + field
}

// fieldID is the field's id in the page.
func fieldID(name string) string {
	return "f-" + strings.ReplaceAll(strings.ReplaceAll(name, ".", "-"), "_", "-")
}

func (f answerForm) get(name string) string { return strings.TrimSpace(f.values.Get(name)) }

// answer is what the form says about a place, "" if nothing.
func (f answerForm) answer(place string) notes.AnswerKind {
	return notes.AnswerKind(f.get(place + ".answer"))
}

// wrong is what is wrong with a field, "" if nothing.
func (f answerForm) wrong(name string) string {
	for _, p := range f.problems {
		if p.field == name {
			return p.text
		}
	}
	return ""
}

// row reads the answer of one place. What cannot be read is a fault that names
// the field; what the answer lacks is the room's to say.
func (f answerForm) row(place string, n int, now time.Time, zone *time.Location) (notes.Row, error) {
	var c fault.Checker
	k := f.answer(place)
	row := notes.Row{N: n, Answer: k}
	instant := func(name string) notes.Time {
		t, err := formTime(f.get(name), zone)
		if err != nil {
			c.Add("/"+name, "inbox.bad-time")
		}
		return t
	}
	if acts(k) {
		if row.At = instant("at"); row.At.IsZero() && f.get("at") == "" {
			row.At = notes.At(now)
		}
		row.Basis = notes.Basis(f.get("basis"))
	}
	for _, field := range answerFields[k] {
		name := fieldName(place, k, field)
		v := f.get(name)
		switch field {
		case "where":
			row.Where = territories(v)
		case "until":
			row.Until = instant(name)
		case "how":
			row.How = v
		case "label":
			row.Label = v
		case "ground":
			row.Ground = notes.AnswerGround(v)
		case "explanation":
			row.Explanation = v
		case "question":
			row.Question = v
		case "court":
			row.Court = v
		case "court_reference":
			row.CourtReference = v
		case "suspensive":
			row.Suspensive = yesNo(v)
		}
	}
	row.PreservedUntil, row.UserToldAt, row.Automated = instant("preserved_until"), instant("user_told_at"), yesNo(f.get("automated"))
	return row, c.Err()
}

// territories reads codes of states, as people list them.
func territories(s string) []string {
	return strings.FieldsFunc(strings.ToUpper(s), func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\n' || r == '\r' })
}

func yesNo(s string) *bool {
	if s != "yes" && s != "no" {
		return nil
	}
	yes := s == "yes"
	return &yes
}

// formTime reads the value of a datetime-local field, in the person's zone.
func formTime(s string, zone *time.Location) (notes.Time, error) {
	if s == "" {
		return notes.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil && t.UTC().Year() > 1 {
			return notes.At(t), nil
		}
	}
	return notes.Time{}, errors.New("not a time")
}

// places returns the items that the form answers, in order.
func (f answerForm) places() []int {
	var out []int
	for name, v := range f.values {
		n, ok := strings.CutSuffix(name, ".answer")
		if i, err := strconv.Atoi(n); ok && err == nil && i > 0 && i <= maxAnswers && v[0] != "" {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// place puts a fault of a row beside the fields it is about. Fields that stand
// once for all items are named once.
func (f *answerForm) place(p *i18n.Printer, place string, k notes.AnswerKind, err error) {
	e, ok := fault.As(err)
	if !ok {
		return
	}
	parts := e.Parts
	if len(parts) == 0 {
		parts = []*fault.Error{e}
	}
	for _, part := range parts {
		name, text := place+".answer", p.Fault(part)
		field := strings.TrimPrefix(part.Field, "/")
		field, _, _ = strings.Cut(field, "/")
		switch {
		case strings.Contains(field, "."): // a field of the form already
			name = field
		case slices.Contains(answerFields[k], field):
			name = fieldName(place, k, field)
		case slices.Contains([]string{"at", "basis", "preserved_until", "user_told_at", "automated"}, field):
			name = field
		}
		if !slices.Contains(f.problems, placed{name, text}) {
			f.problems = append(f.problems, placed{name, text})
		}
	}
}

// summary lists what is wrong, each line leading to its field; one about an item
// says which.
func (f answerForm) summary(p *i18n.Printer) []components.FieldError {
	out := make([]components.FieldError, 0, len(f.problems))
	for _, x := range f.problems {
		text := x.text
		if n, _, ok := strings.Cut(x.field, "."); ok && n != allItems {
			text = p.T("inbox.problem.item", "N", n, "Text", text)
		}
		out = append(out, components.FieldError{Field: fieldID(x.field), Text: text})
	}
	return out
}

// without returns the form with no answer for the given items: they are done.
func (f answerForm) without(items []int) answerForm {
	f.values = maps.Clone(f.values)
	for _, n := range items {
		delete(f.values, strconv.Itoa(n)+".answer")
	}
	return f
}

// basisChoices are the grounds in law of what the platform did.
func basisChoices(p *i18n.Printer, chosen string) []components.Choice {
	var out []components.Choice
	for _, b := range []notes.Basis{notes.BasisThisOrder, notes.BasisOwnTerms, notes.BasisOtherLaw} {
		out = append(out, components.Choice{Value: string(b), Label: p.T("inbox.basis." + string(b)), Checked: string(b) == chosen})
	}
	return out
}

// An AnswerSet is the question what was done about a place, with a block of
// fields for every answer that needs some.
type AnswerSet struct {
	Place   string
	ID      string // of the group of answers
	Name    string
	Label   string // says the place
	Main    []AnswerChoice
	More    []AnswerChoice
	Other   bool // one of More is chosen
	Details []AnswerDetail
	Error   string
}

// An AnswerChoice is one answer of the closed list.
type AnswerChoice struct {
	Value   string
	Label   string
	Short   string
	Key     string // shortcut, "" for none
	Checked bool
	Acts    bool
}

// An AnswerDetail is the block of fields of one answer.
type AnswerDetail struct {
	Answer string
	Label  string
	Fields []AnswerField
}

// An AnswerField is one field of a block.
type AnswerField struct {
	components.FieldBox
	Name     string
	Value    string
	Kind     string // text, area, time or choice
	Choices  []components.Choice
	Required bool
	Max      int
}

// answerSet builds the question for a place from what the form holds.
func (f answerForm) answerSet(p *i18n.Printer, place, label string) AnswerSet {
	set := AnswerSet{Place: place, Name: place + ".answer", ID: fieldID(place + ".answer"), Label: label, Error: f.wrong(place + ".answer")}
	chosen := f.answer(place)
	for i, k := range mainAnswers {
		set.Main = append(set.Main, AnswerChoice{
			Value: string(k), Label: p.T("inbox.answer." + string(k)), Short: p.T("inbox.answer." + string(k) + ".short"),
			Key: strconv.Itoa(i + 1), Checked: k == chosen, Acts: acts(k),
		})
	}
	for _, k := range moreAnswers {
		set.More = append(set.More, AnswerChoice{Value: string(k), Label: p.T("inbox.answer." + string(k)), Checked: k == chosen, Acts: acts(k)})
		set.Other = set.Other || k == chosen
	}
	for _, k := range slices.Concat(mainAnswers, moreAnswers) {
		if len(answerFields[k]) > 0 {
			set.Details = append(set.Details, f.detail(p, place, k))
		}
	}
	return set
}

func (f answerForm) detail(p *i18n.Printer, place string, k notes.AnswerKind) AnswerDetail {
	d := AnswerDetail{Answer: string(k), Label: p.T("inbox.answer." + string(k))}
	for _, field := range answerFields[k] {
		name := fieldName(place, k, field)
		af := AnswerField{Name: name, Value: f.values.Get(name), Kind: "text", Required: needs(k, field), Max: 200}
		af.FieldBox = components.FieldBox{ID: fieldID(name), Label: p.T("inbox.field." + field), Error: f.wrong(name), Small: true}
		switch field {
		case "where":
			af.Hint = p.T("inbox.field.where.hint")
		case "until":
			af.Kind = "time"
		case "label":
			af.Max = 500
		case "explanation", "question":
			af.Kind, af.Max = "area", 5000
		case "how":
			af.Kind = "choice"
			for _, how := range []string{"demoted", "age-gated", "unmonetised", "interaction-limited"} {
				af.Choices = append(af.Choices, components.Choice{Value: how, Label: p.T("inbox.how." + how), Checked: how == af.Value})
			}
		case "ground":
			af.Kind = "choice"
			for _, g := range answerGrounds[k] {
				af.Choices = append(af.Choices, components.Choice{Value: string(g), Label: p.T("inbox.ground." + string(g)), Checked: string(g) == af.Value})
			}
		case "suspensive":
			af.Kind = "choice"
			for _, v := range []string{"yes", "no"} {
				af.Choices = append(af.Choices, components.Choice{Value: v, Label: p.T("ui." + v + ".cap"), Checked: v == af.Value})
			}
		}
		d.Fields = append(d.Fields, af)
	}
	return d
}

// A SharedAnswer is what stands once for all answers of a form.
type SharedAnswer struct {
	Basis      []components.Choice
	BasisError string
	At         AnswerField
	Told       AnswerField
	Preserved  AnswerField
	Reference  AnswerField
	Automated  []components.Choice
	Open       bool // one of the rarer fields is filled or wrong
}

func (f answerForm) shared(p *i18n.Printer) SharedAnswer {
	field := func(name, kind string) AnswerField {
		return AnswerField{Name: name, Value: f.values.Get(name), Kind: kind, Max: 100, FieldBox: components.FieldBox{
			ID: fieldID(name), Label: p.T("inbox.field." + name), Error: f.wrong(name), Small: true,
		}}
	}
	out := SharedAnswer{
		Basis: basisChoices(p, f.get("basis")), BasisError: f.wrong("basis"), At: field("at", "time"),
		Told: field("user_told_at", "time"), Preserved: field("preserved_until", "time"), Reference: field("platform_reference", "text"),
	}
	out.At.Hint = p.T("inbox.field.at.hint")
	for _, v := range []string{"yes", "no"} {
		out.Automated = append(out.Automated, components.Choice{Value: v, Label: p.T("ui." + v + ".cap"), Checked: f.get("automated") == v})
	}
	for _, name := range []string{"user_told_at", "preserved_until", "platform_reference", "automated"} {
		out.Open = out.Open || f.get(name) != "" || f.wrong(name) != ""
	}
	return out
}
