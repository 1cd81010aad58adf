package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// An OrderItem is one location with what was answered about it.
type OrderItem struct {
	N        int
	URL      components.Defanged
	Chip     components.Chip
	Checked  bool // the answer was accepted
	Note     string
	Quote    string // the platform's own words
	Ground   string // why it did not do what was asked
	Late     bool
	Deadline *components.Deadline
	Earlier  []string // older answers, the newest first

	Verify  bool
	Reopen  string // address of the form, "" while locked
	Resolve string
	Whys    []string
}

// itemsPage is how many items the page shows at once.
const itemsPage = 50

// orderItems fills the list of items, from the one that the address names.
func (s *Server) orderItems(r *http.Request, t *orderTeller, pg *OrderPage) error {
	after, _ := strconv.Atoi(r.URL.Query().Get("after")) // not a number: from the first
	items := t.v.Items
	if after > 0 {
		var err error
		if items, err = s.Notice.Items(r.Context(), t.by, t.v.ID, after, itemsPage+1); err != nil {
			return err
		}
	}
	if len(items) > itemsPage {
		items = items[:itemsPage]
		pg.MoreItems = t.href() + "?after=" + strconv.Itoa(items[itemsPage-1].N) + "#targets"
	}
	for _, it := range items {
		pg.Items = append(pg.Items, t.item(it))
		if itemOpen(it, notice.EventVerify) {
			pg.Accept = append(pg.Accept, it.N)
		}
	}
	pr := t.v.Progress
	pg.ItemsDone = t.P.T("order.items.done", "Done", t.P.Number(int64(pr.Answered+pr.Verified)), "All", t.P.Number(int64(t.v.ItemCount)))
	return nil
}

func itemOpen(it notice.ItemView, e notice.Event) bool {
	return slices.ContainsFunc(it.Buttons, func(b notice.Button) bool { return b.Event == e && b.Open })
}

func (t orderTeller) item(it notice.ItemView) OrderItem {
	n := strconv.Itoa(it.N)
	out := OrderItem{
		N: it.N, URL: components.Defanged{Text: canonical.Defang(it.URL), Copy: true, Wide: true}, Chip: itemChip(t.P, it), Checked: it.State == notice.Verified,
		Verify: itemOpen(it, notice.EventVerify),
	}
	if itemOpen(it, notice.EventReopen) {
		out.Reopen = t.href() + "?act=reopen&item=" + n + "#act"
	}
	if itemOpen(it, notice.EventResolve) {
		out.Resolve = t.href() + "?act=resolve&item=" + n + "#act"
	}
	t.itemClock(it, &out)
	for i, h := range slices.Backward(it.History) {
		if i == len(it.History)-1 {
			out.Late, out.Quote, out.Note = h.Late, h.Row.Explanation+h.Row.Question, t.answerNote(it, h)
			if h.Row.Ground != "" {
				out.Ground = t.P.T("order.ground." + string(h.Row.Ground))
			}
			continue
		}
		out.Earlier = append(out.Earlier, t.P.T("order.answer."+string(h.Row.Answer))+", "+t.P.When(h.At, t.Now, t.Zone))
	}
	if it.Reopened > 0 && it.State == notice.Pending {
		out.Note = t.P.N("order.reopened", it.Reopened)
	}
	return out
}

// itemClock shows the item's own clock while it is not answered.
func (t orderTeller) itemClock(it notice.ItemView, out *OrderItem) {
	window := time.Duration(t.v.DeadlineMinutes) * time.Minute
	switch {
	case it.State == notice.Paused:
		at := t.Now
		if n := len(it.Pauses); n > 0 {
			at = it.Pauses[n-1].From
		}
		d := components.Paused(at, window)
		d.Short = true
		out.Deadline = &d
	case it.State == notice.Pending && !it.DueAt.IsZero() && it.Clock.Overdue == 0: // the chip says that it is late
		d := components.Running(it.DueAt, window, t.Now)
		d.Short = true
		out.Deadline = &d
	}
}

// answerNote is when the platform answered, what it took, and for how long and
// where its act holds.
func (t orderTeller) answerNote(it notice.ItemView, h notice.GivenAnswer) string {
	p := t.P
	parts := []string{p.When(h.At, t.Now, t.Zone)}
	if !it.StartedAt.IsZero() && h.At.After(it.StartedAt) && !h.Row.Answer.Pauses() {
		parts = append(parts, p.Span(h.At.Sub(it.StartedAt)))
	}
	if len(h.Row.Where) > 0 {
		parts = append(parts, p.T("order.where", "Where", strings.Join(h.Row.Where, ", ")))
	}
	if !h.Row.Until.IsZero() {
		parts = append(parts, p.T("order.until", "At", p.When(h.Row.Until.Time, t.Now, t.Zone)))
	}
	if h.Row.Basis != "" && h.Row.Basis != notes.BasisThisOrder {
		parts = append(parts, p.T("order.basis."+string(h.Row.Basis)))
	}
	return strings.Join(parts, ", ")
}

// rungs are the steps of the ladder, as far as facts of this notice tell them.
// Warnings and blocks are people's acts of later; here they only say when they
// could come.
func (t orderTeller) rungs() []components.Rung {
	v, p := t.v, t.P
	if v.Kind == notes.Referral {
		return []components.Rung{
			{State: t.ownRung(), Sign: "1", Name: p.T("order.rung.referral"), Note: t.ownNote()},
			{State: components.RungNext, Sign: "2", Name: p.T("order.rung.order"), Note: p.T("order.rung.order.note")},
		}
	}
	out := []components.Rung{t.referralRung(), {State: t.ownRung(), Sign: "2", Name: p.T("order.rung.order.of", "Window", p.Window(time.Duration(v.DeadlineMinutes)*time.Minute)), Note: t.ownNote()}}
	return append(out, t.laterRungs()...)
}

// referralRung is what went before the order, if anything did.
func (t orderTeller) referralRung() components.Rung {
	r := components.Rung{State: components.RungLock, Icon: "minus", Name: t.P.T("order.rung.referral"), Note: t.P.T("order.rung.none")}
	for _, x := range t.v.Document.Previous {
		if strings.Contains(x.Reference, "-RJ-") {
			r.State, r.Icon, r.Note = components.RungDone, "", x.Reference
		}
	}
	return r
}

// ownRung is this notice's own place: done once it is closed or late.
func (t orderTeller) ownRung() components.RungState {
	switch {
	case t.v.SentAt.IsZero():
		return components.RungNext
	case t.v.Life == notice.Open && t.v.Deadline != notice.Overdue:
		return components.RungNow
	default:
		return components.RungDone
	}
}

func (t orderTeller) ownNote() string {
	v, p := t.v, t.P
	switch {
	case v.SentAt.IsZero():
		return p.T("notice.life." + string(v.Life))
	case v.Deadline == notice.Overdue:
		return p.T("order.rung.late", "At", p.When(v.SentAt, t.Now, t.Zone))
	case v.Deadline == notice.Running:
		return p.T("order.rung.due", "At", p.When(v.DeadlineAt, t.Now, t.Zone))
	default:
		return p.When(v.SentAt, t.Now, t.Zone)
	}
}

// sortedKeys lists the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// orderToast says what was just done.
func orderToast(p *i18n.Printer, q url.Values) *components.Toast {
	done, ref := q.Get("done"), q.Get("ref-of")
	if done == "" || !p.Has("order.said."+done) {
		return nil
	}
	if !referencePattern.MatchString(ref) {
		ref = ""
	}
	return &components.Toast{Icon: "check", Text: strings.TrimSpace(p.T("order.said."+done) + " " + ref)}
}
