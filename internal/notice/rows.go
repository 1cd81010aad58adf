package notice

import (
	"context"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// beside is what stands in other tables about the notices of a list, by notice.
type beside struct {
	progress map[ID]Progress
	kind     map[ID]string // of the first item
	late     map[ID]int
	refused  map[ID]string
	names    map[party.ID]string
}

// row is rows for one notice.
func (r *Room) row(ctx context.Context, n Notice) (Row, error) {
	rows, err := r.rows(ctx, []Notice{n})
	if err != nil {
		return Row{Notice: n}, err
	}
	return rows[0], nil
}

// rows adds what a list shows beside its notices, in their order. It costs
// four queries, however many notices they are (up to 200).
func (r *Room) rows(ctx context.Context, all []Notice) ([]Row, error) {
	b, err := besides(ctx, r.DB, all)
	if err != nil {
		return nil, err
	}
	now := r.Clock.Now()
	rows := make([]Row, len(all))
	for i, n := range all {
		row := Row{
			Notice: n, IssuerName: b.names[n.Issuer], AddresseeName: b.names[n.Addressee], ItemKind: b.kind[n.ID],
			Progress: b.progress[n.ID], Late: b.late[n.ID], Refused: b.refused[n.ID],
		}
		pack, err := r.pack(n)
		switch {
		case err == nil:
			row.Deadline, row.DeadlineAt = DeadlineAt(n, row.Progress, pack, now)
		case n.damage == nil:
			return nil, err
		}
		if n.damage != nil {
			row.Refused = "rows"
		}
		rows[i] = row
	}
	return rows, nil
}

func besides(ctx context.Context, q db.Reader, all []Notice) (beside, error) {
	ids := make([]ID, len(all))
	var parties []party.ID
	for i, n := range all {
		ids[i] = n.ID
		parties = append(parties, n.Issuer, n.Addressee)
	}
	b := beside{progress: make(map[ID]Progress, len(all)), kind: make(map[ID]string, len(all))}
	if err := b.items(ctx, q, ids); err != nil {
		return b, err
	}
	var err error
	if b.late, err = byNotice[int](ctx, q, ids, func(in string) string {
		return `SELECT notice_id, count(*) FROM notice_item_answers WHERE notice_id IN (` + in + `) AND late = TRUE GROUP BY notice_id`
	}); err != nil {
		return b, err
	}
	if b.refused, err = byNotice[string](ctx, q, ids, func(in string) string {
		return `SELECT notice_id, why FROM notice_refusals WHERE notice_id IN (` + in + `)`
	}); err != nil {
		return b, err
	}
	b.names, err = party.Names(ctx, q, parties)
	for _, id := range parties {
		if _, ok := b.names[id]; !ok && err == nil {
			err = fault.Hidden("entry")
		}
	}
	return b, err
}

// items counts the items of notices by state.
func (b *beside) items(ctx context.Context, q db.Reader, ids []ID) error {
	_, err := db.AllIn(ctx, q, func(row db.Row) (struct{}, error) {
		var id ID
		var state ItemState
		var n int
		var first string
		err := row.Scan(&id, &state, &n, &first)
		p := b.progress[id]
		switch state {
		case Pending:
			p.Pending = n
		case Paused:
			p.Paused = n
		case Answered:
			p.Answered = n
		case Verified:
			p.Verified = n
		}
		b.progress[id] = p
		if first != "" {
			b.kind[id] = first
		}
		return struct{}{}, err
	}, func(in string) string {
		return `SELECT notice_id, state, count(*), max(CASE WHEN n = 1 THEN kind ELSE '' END)
			FROM notice_items WHERE notice_id IN (` + in + `) GROUP BY notice_id, state`
	}, ids)
	return err
}

// byNotice reads one value for each of the notices that has one.
func byNotice[T any](ctx context.Context, q db.Reader, ids []ID, query func(in string) string) (map[ID]T, error) {
	out := map[ID]T{}
	_, err := db.AllIn(ctx, q, func(row db.Row) (struct{}, error) {
		var id ID
		var v T
		err := row.Scan(&id, &v)
		out[id] = v
		return struct{}{}, err
	}, query, ids)
	return out, err
}
