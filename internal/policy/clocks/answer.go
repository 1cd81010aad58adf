package clocks

import (
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/policy"
)

// An Interval is one pause of an item's answer clock. A clarification or a
// manifest error ends when the issuer answers, an impossibility when its ground
// ends; the issuer's silence therefore never hurts the platform.
type Interval struct {
	Kind policy.PauseKind
	From time.Time
	To   time.Time // zero while the pause is open

	// RefusedAt is when the issuer refused its consent, zero if it consented or
	// has said nothing. Only from then on does the pack's limit bite.
	RefusedAt time.Time
}

// Answer is what the answer clock of one item needs to know.
type Answer struct {
	ReceivedAt     time.Time // received or deemed; zero before either
	AllowedMinutes int       // 0 for a notice without a deadline, as a referral
	Pauses         []Interval

	// PauseLimit is the pack's bound on all pauses together once the issuer has
	// refused consent.
	PauseLimit time.Duration
}

// For returns the answer clock of a notice issued under p.
func For(p policy.Pack, receivedAt time.Time, allowedMinutes int, pauses []Interval) Answer {
	return Answer{ReceivedAt: receivedAt, AllowedMinutes: allowedMinutes, Pauses: pauses, PauseLimit: p.Pauses.Total.Duration()}
}

// An AnswerState is where an answer clock stands.
type AnswerState string

// The answer states.
const (
	NoClock AnswerState = "none"    // no deadline, or not received yet
	Running AnswerState = "running" // the due time is its last moment
	Paused  AnswerState = "paused"
	Overdue AnswerState = "overdue"
)

// AnswerClock is what the answer clock shows at one moment.
type AnswerClock struct {
	State     AnswerState
	Due       time.Time     // while paused: as if the pause ended now
	Remaining time.Duration // >= 0; does not move while paused
	Overdue   time.Duration // >= 0
	Paused    time.Duration // all counted pauses so far, >= 0
}

// At returns the clock at now: due = received + allowed + pauses. Pauses that
// overlap count once; one that begins after the due time counts nothing, since
// the clock has run out by then.
// Regulation (EU) 2021/784, Article 3(3), 3(7) and 3(8).
func (a Answer) At(now time.Time) AnswerClock {
	if a.AllowedMinutes <= 0 || a.ReceivedAt.IsZero() {
		return AnswerClock{State: NoClock}
	}
	due := a.ReceivedAt.Add(time.Duration(a.AllowedMinutes) * time.Minute)
	covered, paused, open := a.ReceivedAt, time.Duration(0), false
	for _, p := range a.sorted() {
		start := later(p.From, covered)
		if start.After(due) || start.After(now) {
			continue
		}
		end, stillOpen := a.end(p, start, paused, now)
		if end.After(start) {
			paused += end.Sub(start)
			due = due.Add(end.Sub(start))
			covered = end
		}
		open = open || stillOpen
	}
	c := AnswerClock{State: Running, Due: due, Paused: paused}
	switch {
	case open:
		c.State, c.Remaining = Paused, due.Sub(now)
	case now.After(due):
		c.State, c.Overdue = Overdue, now.Sub(due)
	default:
		c.Remaining = due.Sub(now)
	}
	return c
}

// end returns until when a pause counts that counts from start, with used of the
// limit spent before, and whether it goes on after now.
func (a Answer) end(p Interval, start time.Time, used time.Duration, now time.Time) (end time.Time, open bool) {
	end = now
	if !p.To.IsZero() && p.To.Before(now) {
		end = p.To
	}
	open = end.Equal(now) && (p.To.IsZero() || p.To.After(now))
	if p.RefusedAt.IsZero() {
		return end, open
	}
	limit := later(p.RefusedAt, start.Add(max(0, a.PauseLimit-used)))
	if !limit.After(end) {
		return limit, false
	}
	return end, open
}

func (a Answer) sorted() []Interval {
	return slices.SortedStableFunc(slices.Values(a.Pauses), func(x, y Interval) int { return x.From.Compare(y.From) })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// MayPause reports whether the platform may begin a pause of kind at now without
// asking the issuer. Its faults are Denied: the jurisdiction knows no such
// pause, or the pack's number or time of pauses is used up; the last two fall
// away with the issuer's consent.
func MayPause(a Answer, kind policy.PauseKind, now time.Time, p policy.Pack) error {
	if _, ok := p.Pause(kind); !ok {
		return fault.New(fault.Denied, "policy.pause.refused-kind")
	}
	asked := 0
	for _, i := range a.Pauses {
		if i.Kind == policy.Clarify {
			asked++
		}
	}
	if kind == policy.Clarify && asked >= p.Pauses.Clarifications.Int() {
		return fault.New(fault.Denied, "policy.pause.refused-count", "Got", asked)
	}
	if c := a.At(now); p.Pauses.Total.Duration() <= c.Paused {
		return fault.New(fault.Denied, "policy.pause.refused-total", "Got", int(c.Paused/time.Minute))
	}
	return nil
}
