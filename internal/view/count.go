package view

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/notes"
)

// answeredItems is how many items have an answer.
func (n sent) answeredItems() int {
	sum := 0
	for _, c := range n.answers {
		sum += c
	}
	return sum
}

func (n sent) refusedItems() int { return n.answers[notes.Refused] + n.answers[notes.Challenged] }

// undone reports whether the notice was taken back.
func (n sent) undone() bool { return n.Life == "withdrawn" || n.Life == "quashed" }

// whole reports whether every item has an answer.
func (n sent) whole() bool { return n.Items > 0 && n.answeredItems() >= n.Items }

// start is when the answer clock began: the platform had it, by its own word or
// deemed, whichever came first.
func (n sent) start() time.Time {
	if !n.DeemedAt.IsZero() {
		return n.DeemedAt
	}
	return n.ReceivedAt
}

// toReceipt is the time from sending to the platform's own receipt.
func (n sent) toReceipt() (time.Duration, bool) {
	return n.ReceivedAt.Sub(n.SentAt), !n.ReceivedAt.IsZero()
}

// toAnswer is the time from receipt until every item had an answer.
func (n sent) toAnswer() (time.Duration, bool) {
	return max(n.first.Sub(n.start()), 0), n.whole() && !n.first.IsZero() && !n.start().IsZero()
}

// state is how far the notice has come, as the public sees it. A refusal
// weighs as much as an act: one refused item makes the notice refused.
func (n sent) state() State {
	switch {
	case n.Life == "quashed":
		return Quashed
	case n.undone():
		return Withdrawn
	case n.refusedItems() > 0:
		return Refused
	case n.whole():
		return Acted
	case !n.OverdueAt.IsZero():
		return Overdue
	case !n.start().IsZero():
		return Received
	default:
		return Sent
	}
}

func (n sent) decision() Decision {
	d := Decision{Ref: n.Ref, Kind: n.Kind, Platform: n.Platform, State: n.state(), Items: n.Items, At: n.SentAt}
	for _, at := range []time.Time{n.ReceivedAt, n.AnsweredAt, n.ClosedAt, n.WithdrawnAt} {
		if at.After(d.At) {
			d.At = at
		}
	}
	d.At = d.At.UTC().Truncate(time.Minute)
	if len(n.answers) == 1 && n.whole() {
		for kind := range n.answers {
			d.Answer = string(kind)
		}
	}
	if t, ok := n.toAnswer(); ok {
		d.Minutes = minutes(t)
	}
	return d
}

func minutes(d time.Duration) *int {
	m := int(d / time.Minute)
	return &m
}

// count counts the notices of the days shown.
func (f *Figures) count(all []sent) {
	orders := tally{}
	byPlatform := map[string]*tally{}
	for _, n := range all {
		if n.Kind != notes.RemovalOrder {
			f.Referrals.add(n)
			continue
		}
		for _, g := range n.Grounds {
			f.Grounds[g]++
		}
		orders.add(n)
		if byPlatform[n.Platform] == nil {
			byPlatform[n.Platform] = &tally{}
		}
		byPlatform[n.Platform].add(n)
	}
	f.Orders = orders.Orders
	f.Orders.Service = orders.service()
	for name, t := range byPlatform {
		f.Platforms = append(f.Platforms, Platform{Name: name, Total: t.Total, Refused: t.Refused, Service: t.service()})
	}
	slices.SortFunc(f.Platforms, func(a, b Platform) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Name, b.Name))
	})
}

func (r *Referrals) add(n sent) {
	r.Total++
	r.Items += n.Items
	switch n.state() {
	case Withdrawn, Quashed:
		r.Undone++
	case Refused:
		r.Declined++
	case Acted:
		r.Acted++
	default:
		r.Open++
	}
}

// tally is orders being counted.
type tally struct {
	Orders
	receipt, answer []time.Duration
}

func (t *tally) add(n sent) {
	t.Total++
	t.Items += n.Items
	switch n.state() {
	case Withdrawn, Quashed:
		t.Undone++
		return // a deadline that was taken back was neither kept nor missed
	case Refused:
		t.Refused++
	case Acted:
		t.Acted++
	default:
		t.Open++
	}
	switch {
	case n.late || !n.OverdueAt.IsZero():
		t.Late++
	case n.whole():
		t.OnTime++
	}
	if d, ok := n.toReceipt(); ok {
		t.receipt = append(t.receipt, d)
	}
	if d, ok := n.toAnswer(); ok {
		t.answer = append(t.answer, d)
	}
}

func (t *tally) service() Service {
	s := Service{OnTime: t.OnTime, Late: t.Late, ToReceipt: median(t.receipt), ToAnswer: median(t.answer)}
	if n := t.OnTime + t.Late; n >= Few {
		part := (100*t.OnTime + n/2) / n
		s.OnTimePercent = &part
	}
	return s
}

// median is the middle of at least Few times in whole minutes, the mean of the
// two middle ones of an even number; nil of fewer.
func median(all []time.Duration) *int {
	if len(all) < Few {
		return nil
	}
	all = slices.Sorted(slices.Values(all))
	return minutes((all[(len(all)-1)/2] + all[len(all)/2]) / 2)
}

// weeksOf sorts orders into weeks of seven days that end with now.
func weeksOf(all []sent, now time.Time) []Week {
	weeks := make([]Week, WeekCount)
	for i := range weeks {
		weeks[i].From = now.AddDate(0, 0, -7*(WeekCount-i))
	}
	for _, n := range all {
		i := int(n.SentAt.Sub(weeks[0].From) / (7 * 24 * time.Hour))
		if n.Kind != notes.RemovalOrder || i < 0 || i >= WeekCount {
			continue
		}
		switch n.state() {
		case Withdrawn, Quashed:
			weeks[i].Undone++
		case Refused:
			weeks[i].Refused++
		case Acted:
			weeks[i].Acted++
		default:
			weeks[i].Open++
		}
	}
	return weeks
}
