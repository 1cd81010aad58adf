package notice

import (
	"context"
	"time"

	"github.com/huandu/go-sqlbuilder"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// A Clock is what an open notice's clocks show, without the notice: what a list
// is sorted and counted by.
type Clock struct {
	ID         ID
	Kind       notes.NoticeKind
	Deadline   DeadlineState
	DeadlineAt time.Time // zero without one
	SentAt     time.Time
	Paused     bool // an item waits for an answer to its question
}

// Clocks returns the clocks of the open notices addressed to the actor's
// platform, of at most the given number, those with the soonest due time. It reads
// indexes alone, notices_clocks and notice_items_states: a notice is a large row.
// Whether the dispatcher sent each is Addressed's to check, which reads it.
func (r *Room) Clocks(ctx context.Context, by party.Actor, limit int) ([]Clock, error) {
	if err := auth.May(by, auth.NoticeRead, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return nil, err
	}
	type read struct {
		Notice
		pending, paused bool
	}
	all, err := db.All(ctx, r.DB, func(row db.Row) (read, error) {
		n := read{Notice: Notice{Life: Open, Addressee: by.Party}}
		return n, row.Scan(&n.ID, &n.Kind, &n.Pack.Code, &n.Pack.Version, &n.Pack.Digest, db.Time(&n.SentAt), db.Time(&n.ReceivedAt), db.Time(&n.DeemedAt),
			db.Time(&n.DueAt), &n.pending, &n.paused)
	}, `SELECT id, kind, pack_code, pack_version, pack_digest, sent_at, received_at, deemed_at, due_at,
			EXISTS (SELECT 1 FROM notice_items i WHERE i.notice_id = notices.id AND i.state = 'pending'),
			EXISTS (SELECT 1 FROM notice_items i WHERE i.notice_id = notices.id AND i.state = 'paused')
		FROM notices WHERE addressee = $1 AND life = 'open' AND sent_mac IS NOT NULL ORDER BY `+dueKey+`, id LIMIT $2`, by.Party, limit)
	if err != nil {
		return nil, err
	}
	now, out := r.Clock.Now(), make([]Clock, 0, len(all))
	for _, n := range all {
		c := Clock{ID: n.ID, Kind: n.Kind, SentAt: n.SentAt, Paused: n.paused}
		var open Progress
		if n.pending {
			open.Pending = 1
		}
		if n.paused {
			open.Paused = 1
		}
		if pack, err := r.pack(n.Notice); err == nil { // else it is listed as damaged
			c.Deadline, c.DeadlineAt = DeadlineAt(n.Notice, open, pack, now)
		}
		out = append(out, c)
	}
	return out, nil
}

// Addressed returns notices addressed to the actor's platform, in the order
// given. What is not its own, or was not sent, is left out.
func (r *Room) Addressed(ctx context.Context, by party.Actor, ids []ID) ([]Row, error) {
	if err := auth.May(by, auth.NoticeRead, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, nil
	}
	b := sqlbuilder.PostgreSQL.NewSelectBuilder()
	b.Select(listed).From("notices")
	addressed(by)(b)
	b.Where(b.In("id", sqlbuilder.List(ids)))
	query, args := b.Build()
	all, err := db.All(ctx, r.DB, scanListed, query, args...)
	if err != nil {
		return nil, err
	}
	at := make(map[ID]Notice, len(all))
	for _, n := range all {
		if r.sentRightly(n) {
			at[n.ID] = n
		}
	}
	own := make([]Notice, 0, len(ids))
	for _, id := range ids {
		if n, ok := at[id]; ok {
			own = append(own, n)
		}
	}
	return r.rows(ctx, own)
}

// FirstItems returns the URL of the first item of each notice that the actor may
// read, opened, not defanged. One query, and an opening for each.
func (r *Room) FirstItems(ctx context.Context, by party.Actor, rows []Row) (map[ID]string, error) {
	of := make(map[ID]Notice, len(rows))
	var ids []ID
	for _, row := range rows {
		if err := auth.May(by, auth.NoticeRead, r.object(row.Notice, nil)); err != nil {
			return nil, err
		}
		of[row.ID] = row.Notice
		ids = append(ids, row.ID)
	}
	sealed, err := byNotice[[]byte](ctx, r.DB, ids, func(in string) string {
		return `SELECT notice_id, url_sealed FROM notice_items WHERE n = 1 AND notice_id IN (` + in + `)`
	})
	if err != nil {
		return nil, err
	}
	out := make(map[ID]string, len(sealed))
	for id, s := range sealed {
		url, err := r.open(of[id], s, "url")
		if err != nil {
			return nil, err
		}
		out[id] = string(url)
	}
	return out, nil
}
