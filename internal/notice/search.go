package notice

import (
	"context"
	"fmt"
	"slices"

	"github.com/huandu/go-sqlbuilder"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/search"
)

// index makes a notice found by its number, that of its case, its platform and
// grounds: by its proposer and issuer, and by its addressee once it is sent,
// who is not told the case.
func (r *Room) index(ctx context.Context, tx *db.Tx, n Notice) error {
	plain := append([]string{n.Ref, n.Platform, string(n.Kind)}, asStrings(n.Grounds)...)
	put := func(to party.ID, plain []string) error {
		return r.Search.Put(ctx, tx, search.Doc{Party: string(to), Object: "notice", ObjectID: string(n.ID), Plain: plain, At: n.CreatedAt})
	}
	for _, to := range []party.ID{n.Proposer, n.Issuer} {
		if err := put(to, append(slices.Clone(plain), n.CaseRef)); err != nil {
			return err
		}
	}
	if !r.sentRightly(n) || n.Addressee == n.Proposer || n.Addressee == n.Issuer {
		return nil
	}
	return put(n.Addressee, plain)
}

func asStrings[S ~string](in []S) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return out
}

// maxFound bounds a page of what is found.
const maxFound = 50

// Find returns the notices that the actor may read and about which every word
// of text stands: in their numbers, their platform or grounds. The latest come
// first; before is where the page before ended. Next is 0 at the end.
func (r *Room) Find(ctx context.Context, by party.Actor, text string, before int64, limit int) (found []Row, next int64, err error) {
	sides, err := tenant(by)
	if err != nil {
		return nil, 0, err
	}
	q := search.Question{Party: string(by.Party), Object: "notice", Text: text, Before: before, Limit: min(max(limit, 1), maxFound)}
	if by.PartyKind == party.Oversight {
		q.Party = "" // reads all, see tenant
	}
	ids, next, err := r.Search.Find(ctx, r.DB, q)
	if err != nil || len(ids) == 0 {
		return nil, 0, err
	}
	at := map[ID]Notice{}
	for _, side := range sides {
		b := sqlbuilder.PostgreSQL.NewSelectBuilder()
		b.Select(listed).From("notices")
		side(b)
		b.Where(b.In("id", sqlbuilder.List(ids)))
		query, args := b.Build()
		all, err := db.All(ctx, r.DB, scanListed, query, args...)
		if err != nil {
			return nil, 0, err
		}
		for _, n := range all {
			if by.PartyKind != party.Platform || r.sentRightly(n) {
				at[n.ID] = n
			}
		}
	}
	var all []Notice
	for _, id := range ids {
		if n, ok := at[ID(id)]; ok {
			all = append(all, n)
		}
	}
	found, err = r.rows(ctx, all)
	return found, next, err
}

// Reindex makes at most n notices found that come after the given one, and
// returns the last of them, "" when there are no more.
func (r *Room) Reindex(ctx context.Context, after ID, n int) (last ID, err error) {
	err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		last = ""
		all, err := db.All(ctx, tx, scanListed, `SELECT `+listed+` FROM notices WHERE id > $1 ORDER BY id LIMIT $2`, after, n)
		if err != nil {
			return err
		}
		for _, one := range all {
			last = one.ID
			if err := r.index(ctx, tx, one); err != nil {
				return fmt.Errorf("index notice %s: %w", one.ID, err)
			}
		}
		return nil
	})
	return last, err
}
