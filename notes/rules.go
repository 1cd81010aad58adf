package notes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// MaxSealed is how long an entry of the log may stay sealed in one term and in
// all.
const MaxSealed = 84 * 24 * time.Hour

// checkDocument reads canonical bytes that fit their schema into the Go type
// and checks what a schema cannot say.
func checkDocument(k Kind, canon []byte) ([]Problem, error) {
	switch k {
	case KindNotice:
		return check(canon, Notice.problems)
	case KindDossier:
		return check(canon, Dossier.problems)
	case KindAssessment:
		return check(canon, Assessment.problems)
	case KindAnswer:
		return check(canon, Answer.problems)
	case KindReceipt:
		return check(canon, Receipt.problems)
	case KindLeaf:
		return check(canon, Leaf.problems)
	case KindWebhook:
		return check(canon, func(Webhook) []Problem { return nil })
	case KindSeal:
		return check(canon, sealed.problems)
	case KindBatch:
		return check(canon, Batch.problems)
	default:
		return nil, fmt.Errorf("%w: %q", ErrKind, clip(string(k)))
	}
}

// problemsOf is checkDocument of a value of the kind's Go type, for the kinds that
// come in numbers; false for any other value.
func problemsOf(k Kind, v any) ([]Problem, bool) {
	if a, ok := v.(Answer); ok && k == KindAnswer {
		return a.problems(), true
	}
	if n, ok := v.(Notice); ok && k == KindNotice {
		return n.problems(), true
	}
	return nil, false
}

func check[T any](canon []byte, rules func(T) []Problem) ([]Problem, error) {
	var doc T
	if err := json.Unmarshal(canon, &doc); err != nil {
		// The schema fits, so this is a date such as 30 February.
		return []Problem{{"", err.Error(), RuleForm, ""}}, nil //nolint:nilerr // a fault of the document, not of ours
	}
	again, err := canonical(doc, MaxBytes, maxDepth)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, canon) {
		return []Problem{{"", "must hold no time of year 1: that stands for an absent one", RuleOrder, ""}}, nil
	}
	return rules(doc), nil
}

// list gathers problems.
type list []Problem

func (l *list) add(ok bool, pointer, want string) {
	if !ok {
		*l = append(*l, Problem{pointer, want, RuleOrder, ""})
	}
}

func (l *list) reference(instance, reference, pointer string) {
	l.add(strings.HasPrefix(reference, instance+"-"), pointer, "must begin with the instance and a hyphen")
}

func (l *list) text(t *Text, pointer string) {
	if t != nil {
		_, ok := t.Texts[t.Binding]
		l.add(ok, pointer+"/binding", "must be a language that texts holds")
	}
}

func (l *list) items(items []Item, pointer string) {
	for i, it := range items {
		l.add(it.N == i+1, fmt.Sprintf("%s/%d/n", pointer, i), fmt.Sprintf("must be %d: numbers run from 1 without gaps", i+1))
	}
}

func (l *list) necessity(n *Necessity) {
	if n != nil {
		l.text(n.WhyNone, "/necessity/why_none")
	}
}

func (l *list) scope(s *Scope) {
	if s != nil {
		l.text(s.Why, "/scope/why")
	}
}

func (n Notice) problems() []Problem {
	var l list
	l.reference(n.Instance, n.Reference, "/reference")
	l.items(n.Items, "/items")
	l.text(&n.Reasons, "/reasons")
	for i, lang := range n.Languages {
		_, ok := n.Reasons.Texts[lang]
		l.add(ok, fmt.Sprintf("/languages/%d", i), "must be a language that reasons holds")
	}
	l.text(n.PurposeReasons, "/purpose_reasons")
	l.necessity(n.Necessity)
	l.scope(n.Scope)
	l.text(n.Disclosure.Reason, "/disclosure/reason")
	if n.Duties != nil {
		l.text(n.Duties.Statement, "/duties/statement")
		l.add(n.Kind != RemovalOrder || n.Duties.RemoveMinutes == n.DeadlineMinutes,
			"/duties/remove_minutes", "must equal deadline_minutes")
	}
	if n.FirstNotice != nil {
		l.text(n.FirstNotice.Emergency, "/first_notice/emergency")
	}
	if n.Room != nil {
		l.add(n.Room.Until.After(n.Room.From.Time), "/room/until", "must be after from")
	}
	return l
}

func (a Assessment) problems() []Problem {
	var l list
	l.reference(a.Instance, a.Case, "/case")
	l.text(&a.Reasons, "/reasons")
	l.necessity(&a.Necessity)
	l.scope(&a.Scope)
	return l
}

func (d Dossier) problems() []Problem {
	var l list
	for _, p := range d.Assessment.problems() {
		l.add(false, "/assessment"+p.Pointer, p.Want)
	}
	l.reference(d.Instance, d.Case, "/case")
	l.add(d.Assessment.Case == d.Case, "/assessment/case", "must be the dossier's case")
	l.items(d.Locations, "/locations")
	for i, e := range d.Evidence {
		at := fmt.Sprintf("/evidence/%d", i)
		l.add(e.N == i+1, at+"/n", fmt.Sprintf("must be %d: numbers run from 1 without gaps", i+1))
		l.add(e.Item <= len(d.Locations), at+"/item", "must be the number of a location, or 0")
		l.add(!e.CapturedAt.After(d.FrozenAt.Time), at+"/captured_at", "must not be after frozen_at")
	}
	l.text(d.EvidenceMissing, "/evidence_missing")
	return l
}

func (a Answer) problems() []Problem {
	var l list
	l.reference(a.Instance, a.Reference, "/reference")
	last := 0
	for i, r := range a.Rows {
		at := fmt.Sprintf("/rows/%d", i)
		l.add(r.N > last, at+"/n", "must be greater than in the row before: one row an item, in order")
		last = r.N
		l.add(r.Until.IsZero() || r.At.IsZero() || r.Until.After(r.At.Time), at+"/until", "must be after at")
	}
	return l
}

func (r Receipt) problems() []Problem {
	var l list
	l.reference(r.Instance, r.Reference, "/reference")
	return l
}

func (x Leaf) problems() []Problem {
	var l list
	l.reference(x.Instance, x.Ref, "/ref")
	if x.Notice != nil {
		l.counts(x.Notice.Items, "/notice/items")
		told := x.Notice.Disclosure
		l.add(told.MayTellUser == told.Until.IsZero(), "/notice/disclosure/until", "must be there exactly when the user may not be told")
	}
	if x.Answer != nil {
		l.counts(x.Answer.Items, "/answer/items")
	}
	if x.Lift != nil {
		l.add(x.Lift.OperatorsUndone <= x.Lift.OperatorsAsked, "/lift/operators_undone", "must not exceed operators_asked")
	}
	if x.Crisis != nil {
		l.add(x.Crisis.Acknowledged <= x.Crisis.Participants, "/crisis/acknowledged", "must not exceed participants")
	}
	if x.Retraction != nil {
		l.add(x.Retraction.Confirmed <= sum(x.Retraction.ByTarget), "/retraction/confirmed", "must not exceed the targets")
	}
	if x.Block != nil {
		l.add(x.Block.ExpiresAt.After(x.At.Time), "/block/expires_at", "must be after at")
	}
	if x.Sealed != nil {
		term := x.Sealed.Until.Sub(x.At.Time)
		l.add(term > 0 && term <= MaxSealed, "/sealed/until", "must be after at, by 84 days at most")
	}
	return l
}

// counts checks that every breakdown adds up to the count.
func (l *list) counts(i LeafItems, pointer string) {
	for name, by := range map[string]map[string]int{
		"by_kind": i.ByKind, "by_language": i.ByLanguage, "by_answer": i.ByAnswer, "by_basis": i.ByBasis,
	} {
		l.add(by == nil || sum(by) == i.Count, pointer+"/"+name, "must add up to count")
	}
}

func sum(by map[string]int) int {
	n := 0
	for _, c := range by {
		n += c
	}
	return n
}
