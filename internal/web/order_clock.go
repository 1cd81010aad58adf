package web

import (
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/policy/clocks"
	"github.com/tangkal/tangkal/internal/web/components"
)

// An OrderClock is one of the two clocks: of receipt, or of the answer.
type OrderClock struct {
	Icon     string
	Class    string // colour of the icon
	Name     string
	Value    string // in words, where Deadline does not say it
	Deadline *components.Deadline
	Bar      *components.ClockBar
	Notes    []string
}

// An OrderService is what may be done about a notice that nobody confirms.
type OrderService struct {
	Tone    components.Tone
	Icon    string
	Strong  string
	Text    string
	Methods string // of what was put forward
	Words   string // of whoever put it forward
	Confirm string // address of the second person's form; "" if not for the reader
	Why     string // why it is locked
}

// laterRungs are the pack's rungs after the order, with the earliest time of
// the first; a pack without any says where its ladder ends.
func (t orderTeller) laterRungs() []components.Rung {
	var out []components.Rung
	sign := '1'
	climb := clocks.Climb{ReceivedAt: clockStarted(t.v.Notice), Due: t.v.DueAt}
	for _, r := range t.pack.Ladder.Rungs {
		rung := components.Rung{State: components.RungNext, Name: t.P.T("order.rung." + string(r.Code))}
		switch r.Code {
		case policy.Reminder, policy.Fine:
			continue
		case policy.BlockProposal:
			rung.State, rung.Note = components.RungLock, t.P.T("order.rung.block.note")
		case policy.Warning1, policy.Warning2, policy.Warning3:
			rung.Sign = string(sign)
			sign++
			rung.Note = t.rungNote(r, climb)
		}
		out = append(out, rung)
	}
	if len(out) == 0 {
		out = append(out, components.Rung{State: components.RungLock, Name: t.P.T("order.rung.ends"), Note: t.pack.Ladder.Ends.Text.In(t.P.Lang())})
	}
	return out
}

func (t orderTeller) rungNote(r policy.Rung, c clocks.Climb) string {
	if at, ok := clocks.Earliest(r, c); ok {
		return t.P.T("order.rung.from", "At", t.P.When(at, t.Now, t.Zone))
	}
	if d := r.After.Duration(); r.From == policy.FromPrevious && d > 0 {
		return t.P.T("order.rung.after", "Window", t.P.Window(d))
	}
	return t.P.T("order.rung.late.only")
}

// clocks are the clock of receipt and that of the answer.
func (t orderTeller) clocks() []OrderClock {
	return []OrderClock{t.receiptClock(), t.answerClock()}
}

func (t orderTeller) receiptClock() OrderClock {
	v, p := t.v, t.P
	window := t.pack.Receipt.UnreceivedAfter.Duration()
	c := OrderClock{Icon: "mail", Class: "text-ink3", Name: p.T("order.clock.receipt")}
	switch {
	case v.SentAt.IsZero():
		c.Value = p.T("order.clock.unsent")
	case !v.ReceivedAt.IsZero():
		c.Icon, c.Class = "circle-check", "text-green-fg"
		c.Value = p.T("order.clock.of", "Span", p.Span(v.ReceivedAt.Sub(v.SentAt)), "Window", p.Window(window))
	case !v.DeemedAt.IsZero():
		c.Icon, c.Class, c.Value = "scale", "text-ink2", p.T("notice.delivery.deemed")
	case v.Life != notice.Open:
		c.Value = p.T("order.clock.ended")
	default:
		d := components.Running(v.SentAt.Add(window), window, t.Now)
		c.Deadline = &d
		c.Notes = append(c.Notes, p.T("order.clock.stage", "Stage", strings.ToLower(p.T("notice.stage."+string(v.Receipt.Stage)))))
		if v.Receipt.Next != "" {
			c.Notes = append(c.Notes, p.T("order.clock.next", "Stage", strings.ToLower(p.T("notice.stage."+string(v.Receipt.Next))), "At", p.When(v.Receipt.NextAt, t.Now, t.Zone)))
		}
		c.Notes = append(c.Notes, p.T("order.clock.nowarning"))
	}
	return c
}

// answerClock follows the item that is due first, or the last that was
// answered.
func (t orderTeller) answerClock() OrderClock {
	v, p := t.v, t.P
	c := OrderClock{Icon: "clock", Class: "text-ink3", Name: p.T("order.clock.answer")}
	it, ok := t.leading()
	switch {
	case v.DeadlineMinutes == 0:
		c.Deadline = &components.Deadline{}
		return c
	case clockStarted(v.Notice).IsZero() || !ok:
		c.Value = p.T("order.clock.waits", "Window", p.Window(time.Duration(v.DeadlineMinutes)*time.Minute))
		return c
	}
	window := time.Duration(v.DeadlineMinutes) * time.Minute
	bar, end := t.bar(it, window)
	c.Bar = &bar
	var d components.Deadline
	switch it.State {
	case notice.Pending:
		d = components.Running(it.DueAt, window, t.Now)
		if v.Life != notice.Open {
			d = components.Done(end, end.Sub(it.StartedAt))
		}
	case notice.Paused:
		d = components.Paused(it.Pauses[len(it.Pauses)-1].From, window)
		c.Notes = append(c.Notes, p.T("order.clock.paused", "At", p.When(it.Clock.Due, t.Now, t.Zone)))
	case notice.Answered, notice.Verified:
		c.Icon, c.Class = "circle-check", "text-green-fg"
		d = components.Done(it.AnsweredAt, it.AnsweredAt.Sub(it.StartedAt))
	}
	d.Short = true
	c.Deadline = &d
	if v.ItemCount > 1 {
		c.Notes = append(c.Notes, p.T("order.clock.item", "N", it.N))
	}
	return c
}

// leading is the item whose clock tells the notice's.
func (t orderTeller) leading() (notice.ItemView, bool) {
	var best notice.ItemView
	rank := func(it notice.ItemView) int {
		switch it.State {
		case notice.Pending:
			return 3
		case notice.Paused:
			return 2
		case notice.Answered, notice.Verified:
			return 1
		}
		return 0
	}
	found := false
	for _, it := range t.v.Items {
		if it.StartedAt.IsZero() {
			continue
		}
		a, b := rank(it), rank(best)
		sooner := a == 3 && it.DueAt.Before(best.DueAt) || a == 2 && it.Clock.Due.Before(best.Clock.Due) || a == 1 && it.AnsweredAt.After(best.AnsweredAt)
		if !found || a > b || a == b && sooner {
			best, found = it, true
		}
	}
	return best, found
}

// bar draws an item's clock from its start to its answer or now: running,
// standing, late. It returns the bar's end as well.
func (t orderTeller) bar(it notice.ItemView, window time.Duration) (components.ClockBar, time.Time) {
	end := t.Now
	if it.State == notice.Answered || it.State == notice.Verified {
		end = it.AnsweredAt
	} else if t.v.Life != notice.Open {
		end = lastStep(t.v.Notice)
	}
	var b components.ClockBar
	add := func(kind components.ClockKind, d time.Duration) {
		if d > 0 {
			b.Parts = append(b.Parts, components.ClockPart{Kind: kind, Took: d, Label: t.P.T("order.bar."+string(kind), "Span", t.P.Span(d))})
		}
	}
	at, due := it.StartedAt, it.StartedAt.Add(window)
	for _, ps := range it.Pauses {
		to := ps.Ended
		if to.IsZero() || to.After(end) {
			to = end
		}
		if ps.From.Before(at) || ps.From.After(due) || !to.After(ps.From) {
			continue
		}
		add(components.ClockRan, ps.From.Sub(at))
		add(components.ClockStood, to.Sub(ps.From))
		due, at = due.Add(to.Sub(ps.From)), to
	}
	if end.After(due) {
		add(components.ClockRan, due.Sub(at))
		add(components.ClockLate, end.Sub(due))
	} else {
		add(components.ClockRan, end.Sub(at))
	}
	b.Marks = t.marks(it, due, end)
	return b, end
}

// marks name the bar's start, its due time where it lies inside, and its end.
func (t orderTeller) marks(it notice.ItemView, due, end time.Time) []components.ClockMark {
	whole := end.Sub(it.StartedAt)
	out := []components.ClockMark{{Label: t.P.Clock(it.StartedAt, t.Zone)}}
	if d := due.Sub(it.StartedAt); end.After(due) && d > whole/5 && d < whole*4/5 {
		out = append(out, components.ClockMark{After: d, Label: t.P.Clock(due, t.Zone)})
	}
	last := t.P.T("order.bar.now")
	if end.Before(t.Now) {
		last = t.P.Clock(end, t.Zone)
	}
	return append(out, components.ClockMark{After: whole, Label: last})
}

// service says what may be done while nobody confirms receipt: deemed service
// where the pack knows it, and where it does not, the pack's sentence.
func (t orderTeller) service() *OrderService {
	v, p := t.v, t.P
	if !t.inside() || v.SentAt.IsZero() || v.Life != notice.Open || !v.ReceivedAt.IsZero() && v.Deemed == nil {
		return nil
	}
	rule := t.pack.Receipt.Deemed
	if !rule.Allowed {
		return &OrderService{Tone: components.TonePlain, Icon: "ban", Strong: p.T("order.deem.none"), Text: rule.Rule.Text.In(p.Lang())}
	}
	d := v.Deemed
	switch {
	case d == nil:
		return &OrderService{Icon: "hourglass", Strong: p.T("order.deem.may"), Text: p.T("order.deem.from", "At", p.DateTime(v.Receipt.DeemedFrom, t.Zone), "Persons", rule.Persons.Int(), "Methods", rule.Methods.Int())}
	case d.ConfirmedBy != "" || !d.ConfirmedAt.IsZero():
		return &OrderService{
			Tone: components.ToneBlue, Icon: "scale", Strong: p.T("order.deem.done"), Methods: t.channels(d.Methods), Words: d.Text,
			Text: p.T("order.deem.done.text", "First", v.Names[d.ProposedBy], "Second", v.Names[d.ConfirmedBy], "At", p.DateTime(d.ConfirmedAt, t.Zone)),
		}
	}
	out := &OrderService{
		Tone: components.ToneAmber, Icon: "user-check", Strong: p.T("order.deem.waits"), Methods: t.channels(d.Methods), Words: d.Text,
		Text: p.T("order.deem.waits.text", "First", v.Names[d.ProposedBy], "At", p.When(d.ProposedAt, t.Now, t.Zone)),
	}
	switch b, ok := t.button(notice.EventDeem); {
	case !ok:
		out.Why = p.T("order.deem.notyours")
	case d.ProposedBy == t.by.Person:
		out.Why = p.T("order.deem.own")
	case !b.Open:
		out.Why = t.why(b)
	default:
		out.Confirm = t.href() + "/deemed/confirm"
	}
	return out
}

func (t orderTeller) channels(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = t.P.T("notice.channel." + n)
	}
	return strings.Join(out, ", ")
}
