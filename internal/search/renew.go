package search

import (
	"context"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/db"
)

// objectWord stood in front of the kind of thing, as a word of its own, before
// each word said it.
const objectWord = "o"

// A doc is one row of the index.
type doc struct {
	id                             int64
	party, object, of, part, words string
}

// Renew spells anew the words of texts that were kept before each word said of
// what kind of thing it is: of at most n texts that follow the identifier after.
// It returns where the next ones follow, 0 at the end. What is spelled so
// already stays.
func (x *Index) Renew(ctx context.Context, d *db.DB, after int64, n int) (next int64, err error) {
	err = d.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		next = 0
		docs, err := db.All(ctx, tx, func(row db.Row) (t doc, err error) {
			err = row.Scan(&t.id, &t.party, &t.object, &t.of, &t.part, &t.words)
			return t, err
		}, `SELECT id, party_id, object, object_id, part, words FROM search_docs WHERE id > $1 ORDER BY id LIMIT $2`, after, n)
		if err != nil {
			return err
		}
		for _, t := range docs {
			next = t.id
			words := strings.Fields(t.words)
			old := slices.Index(words, objectWord+t.object)
			if old < 0 {
				continue
			}
			words = slices.Delete(words, old, old+1)
			for i, w := range words {
				if w != party(t.party) {
					words[i] = of(t.object, w)
				}
			}
			if err := respell(ctx, tx, t, strings.Join(words, " ")); err != nil {
				return err
			}
		}
		return nil
	})
	return next, err
}

// respell gives a text other words, unless it was dropped meanwhile or another
// node was faster. On PostgreSQL the row stays the same one, so that whoever
// drops it at this moment finds it; SQLite has one writer, and triggers that
// follow a row's coming and going alone.
func respell(ctx context.Context, tx *db.Tx, t doc, words string) error {
	if tx.Dialect() == db.Postgres {
		return tx.Send(ctx, `UPDATE search_docs SET words = $3 WHERE id = $1 AND words = $2`, t.id, t.words, words)
	}
	if err := tx.Send(ctx, `DELETE FROM search_docs WHERE id = $1`, t.id); err != nil {
		return err
	}
	return tx.Send(ctx, `INSERT INTO search_docs (id, party_id, object, object_id, part, words) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.id, t.party, t.object, t.of, t.part, words)
}
