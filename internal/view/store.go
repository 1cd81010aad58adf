package view

import (
	"context"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/notes"
)

// sent is a notice that left, with what its items came to.
type sent struct {
	ID          string
	Ref         string
	Kind        notes.NoticeKind
	Platform    string // name of the addressee
	Items       int
	Life        string
	Grounds     []string
	SentAt      time.Time
	ReceivedAt  time.Time
	DeemedAt    time.Time
	OverdueAt   time.Time
	WithdrawnAt time.Time
	ClosedAt    time.Time
	AnsweredAt  time.Time

	answers map[notes.AnswerKind]int // of answered items
	first   time.Time                // when the last item got its first answer
	late    bool                     // an item was answered late
}

const reportOutcomes = `
	SELECT outcome, count(*) FROM (
		SELECT CASE
			WHEN EXISTS (SELECT 1 FROM case_reports c JOIN notices n ON n.case_id = c.case_id
				WHERE c.report_id = r.id AND n.sent_at IS NOT NULL AND n.kind = 'removal-order') THEN 'ordered'
			WHEN EXISTS (SELECT 1 FROM case_reports c JOIN notices n ON n.case_id = c.case_id
				WHERE c.report_id = r.id AND n.sent_at IS NOT NULL) THEN 'referred'
			WHEN EXISTS (SELECT 1 FROM case_reports c WHERE c.report_id = r.id) AND NOT EXISTS (
				SELECT 1 FROM case_reports c JOIN cases k ON k.id = c.case_id WHERE c.report_id = r.id AND k.state <> 'closed') THEN 'closed'
			ELSE 'open' END AS outcome
		FROM reports r WHERE r.received_at >= $1 AND r.received_at <= $2) AS each_report
	GROUP BY outcome`

// countReports counts the reports received from from to to by what became of
// them.
func countReports(ctx context.Context, r db.Reader, from, to time.Time) (Reports, error) {
	var out Reports
	_, err := db.All(ctx, r, func(row db.Row) (struct{}, error) {
		var outcome string
		var n int
		err := row.Scan(&outcome, &n)
		switch out.Total += n; outcome {
		case "ordered":
			out.Ordered = n
		case "referred":
			out.Referred = n
		case "closed":
			out.Closed = n
		default:
			out.Open = n
		}
		return struct{}{}, err
	}, reportOutcomes, db.Micros(from), db.Micros(to))
	if err != nil {
		return out, fmt.Errorf("count reports: %w", err)
	}
	return out, nil
}

const sentColumns = `
	SELECT n.id, n.ref, n.kind, p.name, n.item_count, n.life, n.grounds, n.sent_at, n.received_at, n.deemed_at, n.overdue_at,
		n.withdrawn_at, n.closed_at, n.answered_at
	FROM notices n JOIN parties p ON p.id = n.addressee `

func scanSent(row db.Row) (sent, error) {
	n := sent{answers: map[notes.AnswerKind]int{}}
	err := row.Scan(&n.ID, &n.Ref, db.Text(&n.Kind), &n.Platform, &n.Items, &n.Life, db.ListInto(&n.Grounds), db.Time(&n.SentAt), db.Time(&n.ReceivedAt),
		db.Time(&n.DeemedAt), db.Time(&n.OverdueAt), db.Time(&n.WithdrawnAt), db.Time(&n.ClosedAt), db.Time(&n.AnsweredAt))
	return n, err
}

// sentSince returns the notices sent since from, the oldest first, with what
// their items came to.
func sentSince(ctx context.Context, r db.Reader, from time.Time) ([]sent, error) {
	all, err := db.All(ctx, r, scanSent, sentColumns+`WHERE n.sent_at >= $1 ORDER BY n.sent_at, n.id`, db.Micros(from))
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return all, answered(ctx, r, all, `n.sent_at >= $1`, db.Micros(from))
}

// latest returns the notices in which something happened last, as decisions.
func latest(ctx context.Context, r db.Reader) ([]Decision, error) {
	const newest = `coalesce(n.withdrawn_at, n.closed_at, n.answered_at, n.received_at, n.sent_at)`
	all, err := db.All(ctx, r, scanSent, sentColumns+`WHERE n.sent_at IS NOT NULL ORDER BY `+newest+` DESC, n.id DESC LIMIT $1`, LatestCount)
	if err != nil {
		return nil, fmt.Errorf("read the latest notices: %w", err)
	}
	out := make([]Decision, len(all))
	for i := range all {
		if err := answered(ctx, r, all[i:i+1], `n.id = $1`, all[i].ID); err != nil {
			return nil, err
		}
		out[i] = all[i].decision()
	}
	return out, nil
}

// answered fills in what the items of notices came to, for those that where
// chooses.
func answered(ctx context.Context, r db.Reader, all []sent, where string, arg any) error {
	at := make(map[string]*sent, len(all))
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	_, err := db.All(ctx, r, func(row db.Row) (struct{}, error) {
		var id string
		var kind notes.AnswerKind
		var count int
		err := row.Scan(&id, db.Text(&kind), &count)
		if n := at[id]; n != nil && err == nil {
			n.answers[kind] = count
		}
		return struct{}{}, err
	}, `SELECT i.notice_id, i.answer, count(*) FROM notice_items i JOIN notices n ON n.id = i.notice_id
		WHERE `+where+` AND i.state IN ('answered', 'verified') GROUP BY i.notice_id, i.answer`, arg)
	if err != nil {
		return fmt.Errorf("count answers: %w", err)
	}
	_, err = db.All(ctx, r, func(row db.Row) (struct{}, error) {
		var id string
		var first time.Time
		var late int
		err := row.Scan(&id, db.Time(&first), &late)
		if n := at[id]; n != nil && err == nil {
			n.first, n.late = first, late > 0
		}
		return struct{}{}, err
	}, `SELECT a.notice_id, max(a.at), sum(CASE WHEN a.late THEN 1 ELSE 0 END) FROM notice_item_answers a JOIN notices n ON n.id = a.notice_id
		WHERE `+where+` AND a.version = 1 GROUP BY a.notice_id`, arg)
	if err != nil {
		return fmt.Errorf("time answers: %w", err)
	}
	return nil
}

// refusals counts the refused items of orders sent since from by their basis.
func refusals(ctx context.Context, r db.Reader, from time.Time) (map[string]int, error) {
	out := map[string]int{}
	_, err := db.All(ctx, r, func(row db.Row) (struct{}, error) {
		var basis string
		var count int
		err := row.Scan(&basis, &count)
		if basis == "" {
			basis = "unnamed"
		}
		out[basis] += count
		return struct{}{}, err
	}, `SELECT a.basis, count(*) FROM notice_items i
		JOIN notices n ON n.id = i.notice_id
		JOIN notice_item_answers a ON a.notice_id = i.notice_id AND a.n = i.n AND a.version = i.answers
		WHERE n.sent_at >= $1 AND n.kind = 'removal-order' AND i.answer IN ('refused', 'challenged') AND i.state IN ('answered', 'verified')
		GROUP BY a.basis`, db.Micros(from))
	if err != nil {
		return nil, fmt.Errorf("count refusals: %w", err)
	}
	return out, nil
}
