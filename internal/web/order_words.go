package web

import (
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// noticeTitle names a notice by what it asks and of whom, never by content.
func noticeTitle(p *i18n.Printer, row notice.Row) string {
	key := "order.title.removal-order"
	if row.Kind == notes.Referral {
		key = "order.title.referral"
	}
	return p.N(key, row.ItemCount, "Platform", row.AddresseeName)
}

func noticeIcon(k notes.NoticeKind) string {
	if k == notes.Referral {
		return "message-square-share"
	}
	return "file-text"
}

// noticeChips say where a notice stands, the most pressing first.
func noticeChips(p *i18n.Printer, row notice.Row, now time.Time) []components.Chip {
	if row.Refused != "" && row.Life != notice.Open {
		return []components.Chip{{State: components.StateOverdue, Icon: "octagon-x", Label: p.T("order.chip.refused"), Title: p.T("notice.refusal." + row.Refused)}}
	}
	switch row.Life {
	case notice.Draft:
		return []components.Chip{{State: components.StateDraft}}
	case notice.Proposed:
		return []components.Chip{{State: components.StatePending}}
	case notice.Approved, notice.Logged:
		if row.IssuedAt.IsZero() {
			return []components.Chip{{State: components.StateApproved}}
		}
		return []components.Chip{{State: components.StateIssued}}
	case notice.Closed:
		return []components.Chip{{State: components.StateClosed, Label: p.T("order.chip.closed", "Outcome", p.T("notice.outcome."+string(row.Outcome)))}}
	case notice.Withdrawn:
		return []components.Chip{{State: components.StateClosed, Icon: "undo-2", Label: p.T("notice.life.withdrawn")}}
	case notice.Quashed:
		return []components.Chip{{State: components.StateOverturned, Label: p.T("notice.life.quashed")}}
	case notice.Open:
	}
	return append(deadlineChips(p, row, now), deliveryChip(p, row))
}

// deadlineChips are what the clocks of an open notice say, none while they run.
func deadlineChips(p *i18n.Printer, row notice.Row, now time.Time) []components.Chip {
	switch row.Deadline {
	case notice.Overdue:
		return []components.Chip{{State: components.StateOverdue, Label: p.T("order.chip.overdue", "Span", p.Span(now.Sub(row.DeadlineAt)))}}
	case notice.IsUnreceived:
		return []components.Chip{{State: components.StateOverdue, Icon: "mail-x", Label: p.T("notice.time.unreceived")}}
	case notice.ClockPaused:
		return []components.Chip{{State: components.StateClarify}}
	case notice.FullyAnswered:
		return []components.Chip{{State: components.StateActioned, Label: p.T("notice.time.answered")}}
	case notice.NoDeadline, notice.AwaitsReceipt, notice.Running:
	}
	return nil
}

func deliveryChip(p *i18n.Printer, row notice.Row) components.Chip {
	switch row.Delivery {
	case notice.Received:
		return components.Chip{State: components.StateAcknowledged}
	case notice.Deemed:
		return components.Chip{State: components.StateAcknowledged, Icon: "scale", Label: p.T("notice.delivery.deemed")}
	case notice.Failed:
		return components.Chip{State: components.StateRefused, Icon: "mail-x", Label: p.T("notice.delivery.failed")}
	case notice.Queued:
		return components.Chip{State: components.StateIssued}
	case notice.Sent, notice.Accepted:
	}
	return components.Chip{State: components.StateDelivered}
}

// noticeDeadline is the clock that counts now; ok is false where none is worth
// a word.
func noticeDeadline(p *i18n.Printer, row notice.Row, now time.Time) (d components.Deadline, ok bool) {
	window := time.Duration(row.DeadlineMinutes) * time.Minute
	if !ticks(row.Kind, row.Deadline) {
		return components.Deadline{}, true
	}
	switch row.Deadline {
	case notice.AwaitsReceipt, notice.IsUnreceived:
		d = components.Running(row.DeadlineAt, row.DeadlineAt.Sub(row.SentAt), now)
		d.Label = p.T("order.ack")
		return d, true
	case notice.Running, notice.Overdue:
		return components.Running(row.DeadlineAt, window, now), true
	case notice.ClockPaused:
		return components.Paused(now, window), true
	case notice.FullyAnswered:
		start := clockStarted(row.Notice)
		if start.IsZero() || row.AnsweredAt.Before(start) {
			return d, false
		}
		return components.Done(row.AnsweredAt, row.AnsweredAt.Sub(start)), true
	case notice.NoDeadline:
		return components.Deadline{}, row.Life == notice.Open
	}
	return d, false
}

// ticks reports whether a notice's clock is shown. A referral asks and sets no
// time: its receipt clock only makes us try the next channel, and nobody is late.
func ticks(kind notes.NoticeKind, clock notice.DeadlineState) bool {
	return kind != notes.Referral || clock != notice.AwaitsReceipt && clock != notice.IsUnreceived
}

// clockStarted is when the answer clock began: at receipt, or when service was
// deemed; zero before either.
func clockStarted(n notice.Notice) time.Time {
	if !n.DeemedAt.IsZero() {
		return n.DeemedAt
	}
	return n.ReceivedAt
}

// lastStep is when the notice moved last.
func lastStep(n notice.Notice) time.Time {
	at := n.CreatedAt
	for _, t := range []time.Time{n.DraftedAt, n.ProposedAt, n.ApprovedAt, n.IssuedAt, n.SentAt, n.ReceivedAt, n.DeemedAt, n.AnsweredAt, n.ClosedAt, n.WithdrawnAt} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// itemChip says where one item stands.
func itemChip(p *i18n.Printer, it notice.ItemView) components.Chip {
	switch it.State {
	case notice.Paused:
		return components.Chip{State: components.StateClarify, Label: p.T("order.answer." + pausedAnswer(it))}
	case notice.Answered, notice.Verified:
		c := answerChip(p, it.Answer)
		if it.State == notice.Verified {
			c.Title = p.T("notice.item.verified")
		}
		return c
	case notice.Pending:
	}
	if it.Clock.Overdue > 0 {
		return components.Chip{State: components.StateOverdue, Label: p.T("order.item.overdue", "Span", p.Span(it.Clock.Overdue))}
	}
	return components.Chip{State: components.StateReview, Label: p.T("notice.item.pending")}
}

// pausedAnswer is why the item's clock stands.
func pausedAnswer(it notice.ItemView) string {
	if n := len(it.Pauses); n > 0 {
		return string(it.Pauses[n-1].Kind)
	}
	return string(notes.Clarify)
}

func answerChip(p *i18n.Printer, a notes.AnswerKind) components.Chip {
	c := components.Chip{State: components.StateActioned, Label: p.T("order.answer." + string(a))}
	switch a {
	case notes.Removed:
		c.State = components.StateRemoved
	case notes.Disabled:
		c.State = components.StateGeoblocked
	case notes.AccountSuspended:
		c.State = components.StateSuspended
	case notes.Refused, notes.Challenged:
		c.State = components.StateRefused
	case notes.Impossible, notes.Clarify, notes.ManifestError:
		c.State = components.StateClarify
	case notes.Restricted, notes.Labelled, notes.StreamEnded, notes.GoneBefore:
	}
	return c
}

// compareFold orders names as people read them.
func compareFold(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }
