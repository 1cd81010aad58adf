package casework

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/huandu/go-sqlbuilder"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/search"
	"github.com/tangkal/tangkal/internal/vault"
)

// indexHead makes a case found by its number, platform and kind, the last
// in either language.
func (r *Room) indexHead(ctx context.Context, tx *db.Tx, c Case) error {
	return r.Search.Put(ctx, tx, headDoc(c))
}

func headDoc(c Case) search.Doc {
	plain := []string{c.Ref, c.Platform}
	for _, l := range i18n.Langs() {
		plain = append(plain, i18n.For(l).T("case.kind."+cmp.Or(c.Kind, "none")))
	}
	return doc(c, "", c.OpenedAt, "", plain...)
}

// index makes a case found by one of its texts.
func (r *Room) index(ctx context.Context, tx *db.Tx, c Case, part string, at time.Time, sealed string, plain ...string) error {
	return r.Search.Put(ctx, tx, doc(c, part, at, sealed, plain...))
}

func doc(c Case, part string, at time.Time, sealed string, plain ...string) search.Doc {
	return search.Doc{Party: string(c.Party), Object: "case", ObjectID: string(c.ID), Part: part, Plain: plain, Sealed: sealed, At: at}
}

// maxFound bounds a page of what is found.
const maxFound = 50

// Find returns the cases that the actor may read and about which every word of
// text stands somewhere: in their numbers, those of their reports, their
// platform, or the party's notes. The latest come first; before is where the
// page before ended. Next is 0 at the end.
func (r *Room) Find(ctx context.Context, by party.Actor, text string, before int64, limit int) (found []Case, next int64, err error) {
	q := search.Question{Party: string(by.Party), Object: "case", Text: text, Before: before, Limit: min(max(limit, 1), maxFound)}
	if auth.May(by, auth.CaseRead, auth.Object{What: "case"}) == nil {
		q.Party = "" // oversight reads all
	}
	ids, next, err := r.Search.Find(ctx, r.DB, q)
	if err != nil || len(ids) == 0 {
		return nil, 0, err
	}
	b := sqlbuilder.PostgreSQL.NewSelectBuilder()
	b.Select(caseColumns).From("cases")
	if ok, err := tenant(b, by); !ok || err != nil {
		return nil, 0, err
	}
	b.Where(b.In("id", sqlbuilder.List(ids)))
	query, args := b.Build()
	all, err := db.All(ctx, r.DB, scanCase, query, args...)
	if err != nil {
		return nil, 0, err
	}
	at := make(map[string]Case, len(all))
	for _, c := range all {
		at[string(c.ID)] = c
	}
	for _, id := range ids {
		if c, ok := at[id]; ok {
			found = append(found, c)
		}
	}
	return found, next, nil
}

// Reindex makes at most n cases found that come after the given one, and
// returns the last of them, "" when there are no more: for what was stored
// before there was an index.
func (r *Room) Reindex(ctx context.Context, after ID, n int) (last ID, err error) {
	err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		last = ""
		all, err := db.All(ctx, tx, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id > $1 ORDER BY id LIMIT $2`, after, n)
		if err != nil {
			return err
		}
		for _, c := range all {
			if last = c.ID; len(c.key) == 0 {
				continue
			}
			if err := r.reindex(ctx, tx, c); err != nil {
				return fmt.Errorf("index case %s: %w", c.ID, err)
			}
		}
		return nil
	})
	return last, err
}

func (r *Room) reindex(ctx context.Context, tx *db.Tx, c Case) error {
	if err := r.indexHead(ctx, tx, c); err != nil {
		return err
	}
	notes, err := r.notesOf(ctx, tx, c)
	if err != nil && !errors.Is(err, vault.ErrDamaged) { // what cannot be opened is not found by its words
		return err
	}
	for _, n := range notes {
		if err := r.index(ctx, tx, c, n.ID, n.At, n.Text, c.Ref, c.Platform); err != nil {
			return err
		}
	}
	type joined struct {
		id, ref string
		at      time.Time
	}
	reports, err := db.All(ctx, tx, func(row db.Row) (joined, error) {
		var j joined
		return j, row.Scan(&j.id, &j.ref, db.Time(&j.at))
	}, `SELECT r.id, r.ref, j.joined_at FROM case_reports j JOIN reports r ON r.id = j.report_id WHERE j.case_id = $1`, c.ID)
	if err != nil {
		return err
	}
	for _, j := range reports {
		if err := r.index(ctx, tx, c, j.id, j.at, "", c.Ref, j.ref); err != nil {
			return err
		}
	}
	return nil
}
