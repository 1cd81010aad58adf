package components

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/i18n"
)

// A Pace is how a deadline stands.
type Pace string

// The paces. The zero value is no deadline at all, as of a referral.
const (
	PaceNone    Pace = ""
	PaceCalm    Pace = "calm"   // above half of the window
	PaceSoon    Pace = "soon"   // from half
	PaceHot     Pace = "hot"    // under a quarter, or under 45 minutes
	PaceOverdue Pace = "over"   // lapsed; the server said so
	PacePaused  Pace = "paused" // the clock stands, a clarification is open
	PaceDone    Pace = "done"
)

// hotUnder is the time left below which a deadline is hot, whatever its
// window.
const hotUnder = 45 * time.Minute

// A Deadline is a clock in words. Make one with Running, Paused, Done, or as
// the zero value, which says that there is none.
type Deadline struct {
	Pace   Pace
	At     time.Time     // when it lapses; for a paused one when it stopped, for a done one when it was done
	Left   time.Duration // until At; the time since, if overdue; the time taken, if done
	Window time.Duration // the whole of it; 0 is not shown
	Own    bool          // a target of our own, which never goes past amber before it lapses
	Label  string        // what is due, as "Akui"; "" for the answer
	Short  bool          // leave the window out, where the column says it
}

// Running returns the deadline that lapses at due, window after its clock
// started, as it stands at now. Pauses are in due already.
func Running(due time.Time, window time.Duration, now time.Time) Deadline {
	d := Deadline{At: due, Left: due.Sub(now), Window: window, Pace: PaceCalm}
	switch {
	case d.Left <= 0:
		d.Pace = PaceOverdue
	case d.Left < hotUnder || d.Left < window/4:
		d.Pace = PaceHot
	case d.Left <= window/2:
		d.Pace = PaceSoon
	}
	return d
}

// Target returns a deadline of our own, as for triage.
func Target(due time.Time, window time.Duration, now time.Time) Deadline {
	d := Running(due, window, now)
	d.Own = true
	if d.Pace == PaceHot {
		d.Pace = PaceSoon
	}
	return d
}

// Paused returns a deadline whose clock has stood since at.
func Paused(at time.Time, window time.Duration) Deadline {
	return Deadline{Pace: PacePaused, At: at, Window: window}
}

// Done returns a deadline that was met or missed at, and what it took.
func Done(at time.Time, took time.Duration) Deadline {
	return Deadline{Pace: PaceDone, At: at, Left: took}
}

func (d Deadline) words(p *i18n.Printer) string {
	var s string
	switch d.Pace {
	case PaceNone:
		return p.T("ui.deadline.none")
	case PacePaused:
		return p.T("ui.deadline.paused")
	case PaceDone:
		return p.T("ui.deadline.done", "Span", p.Span(d.Left))
	case PaceOverdue:
		s = p.Over(d.Left)
	default:
		s = p.Left(d.Left)
	}
	if d.Label != "" {
		s = d.Label + " " + s
	}
	return s
}

func (d Deadline) class() string {
	switch d.Pace {
	case PaceCalm:
		return "dl-calm"
	case PaceSoon:
		return "dl-soon"
	case PaceHot:
		return "dl-hot"
	case PaceOverdue:
		return "dl-over"
	case PacePaused:
		return "dl-paused"
	default:
		return "dl-done"
	}
}

// ticks reports whether scripts rewrite the words as time goes by.
func (d Deadline) ticks() bool {
	switch d.Pace {
	case PaceCalm, PaceSoon, PaceHot, PaceOverdue:
		return true
	default:
		return false
	}
}

// dash is the ring's stroke: the part left of a circle of radius 8.
func (d Deadline) dash() string {
	const around = 2 * math.Pi * 8
	part := 1.0
	if d.Window > 0 {
		part = min(1, max(0, float64(d.Left)/float64(d.Window)))
	}
	return fmt.Sprintf("%.1f %.1f", around*part, around)
}

// A ClockPart is a stretch of a clock bar.
type ClockPart struct {
	Kind  ClockKind
	Took  time.Duration
	Label string // said to those who do not see the bar
}

// A ClockKind is what the clock did in a stretch.
type ClockKind string

// The kinds of stretches.
const (
	ClockRan   ClockKind = "ran"
	ClockStood ClockKind = "stood"
	ClockLate  ClockKind = "late"
)

// A ClockBar shows running, standing and late time in true proportion, with
// marks below it.
type ClockBar struct {
	Parts []ClockPart
	Marks []ClockMark
}

// A ClockMark names an instant below a clock bar.
type ClockMark struct {
	After time.Duration // since the bar's beginning
	Label string
}

func (b ClockBar) total() time.Duration {
	var sum time.Duration
	for _, p := range b.Parts {
		sum += p.Took
	}
	return max(sum, 1)
}

// A clockRect is a stretch in the bar's own unit, thousandths of its width.
type clockRect struct{ X, Width, Fill string }

func (b ClockBar) rects() []clockRect {
	fills := map[ClockKind]string{ClockRan: "var(--brand)", ClockStood: "url(#clock-stood)", ClockLate: "var(--red-solid)"}
	var out []clockRect
	var x float64
	for _, p := range b.Parts {
		w := float64(p.Took) / float64(b.total()) * 1000
		out = append(out, clockRect{thousandths(x), thousandths(w), fills[p.Kind]})
		x += w
	}
	return out
}

func (b ClockBar) label() string {
	var s string
	for i, p := range b.Parts {
		if i > 0 {
			s += ", "
		}
		s += p.Label
	}
	return s
}

func thousandths(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// at places a mark in per cent of the bar.
func (b ClockBar) at(m ClockMark) string {
	return strconv.FormatFloat(min(100, float64(m.After)/float64(b.total())*100), 'f', 1, 64) + "%"
}

// anchor keeps the first and the last mark inside the bar.
func (b ClockBar) anchor(i int) string {
	switch {
	case i == 0:
		return "start"
	case i == len(b.Marks)-1:
		return "end"
	default:
		return "middle"
	}
}
