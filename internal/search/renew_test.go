package search_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/search"
)

// spelling is an old one: words without their kind of thing, which is a word
// beside them.
func spelling(t *testing.T, d *db.DB) {
	t.Helper()
	type row struct{ id, object, words string }
	if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := db.All(ctx, tx, func(r db.Row) (x row, err error) { return x, r.Scan(&x.id, &x.object, &x.words) },
			`SELECT CAST(id AS TEXT), object, words FROM search_docs`)
		if err != nil {
			return err
		}
		for _, r := range rows {
			words := strings.Fields(r.words)
			for i, w := range words {
				if w[0] != 'p' {
					words[i] = w[:1] + w[2:]
				}
			}
			words = append(words, "o"+r.object)
			if _, err := tx.Exec(ctx, `CREATE TEMPORARY TABLE moved AS SELECT * FROM search_docs WHERE id = CAST($1 AS BIGINT)`, r.id); err != nil {
				return err
			}
			for _, q := range []string{
				`DELETE FROM search_docs WHERE id = (SELECT id FROM moved)`, `UPDATE moved SET words = '` + strings.Join(words, " ") + `'`,
				`INSERT INTO search_docs SELECT * FROM moved`, `DROP TABLE moved`,
			} {
				if _, err := tx.Exec(ctx, q); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestOlderTextsAreFoundOnceRenewed spells what is kept as it was before words
// said their kind of thing, and renews it in steps of two.
func TestOlderTextsAreFoundOnceRenewed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := search.New(dbtest.MAC)
		put(t, d, x,
			search.Doc{Party: "a", Object: "case", ObjectID: "c1", Plain: []string{"TEST-KS-2026-01192", "ruangsuara"}, At: noon},
			search.Doc{Party: "a", Object: "case", ObjectID: "c1", Part: "n1", Sealed: "Ajakan bergabung", At: noon},
			search.Doc{Party: "a", Object: "notice", ObjectID: "n1", Plain: []string{"TEST-PH-2026-00007", "ruangsuara"}, At: noon})
		spelling(t, d)
		put(t, d, x, search.Doc{Party: "b", Object: "register", ObjectID: "r1", Plain: []string{"ruangsuara"}, At: noon})
		look := func(party, object, text string) []string {
			ids, _ := find(t, d, x, search.Question{Party: party, Object: object, Text: text})
			return ids
		}
		if got := look("a", "case", "ruangsuara"); got != nil {
			t.Fatalf("found before: %q", got)
		}
		for pass := range 2 { // the second finds nothing to do
			steps := 0
			for after, err := x.Renew(t.Context(), d, -1, 2); after != 0; after, err = x.Renew(t.Context(), d, after, 2) {
				if err != nil {
					t.Fatal(err)
				}
				steps++
			}
			if steps != 2 {
				t.Errorf("pass %d took %d steps for 4 texts", pass+1, steps)
			}
			for _, tt := range []struct {
				party, object, text string
				want                []string
			}{
				{"a", "case", "ruangsuara", []string{"c1"}},
				{"a", "case", "ruang", []string{"c1"}},
				{"a", "case", "1192", []string{"c1"}},
				{"a", "case", "TEST-KS-2026-01192", []string{"c1"}},
				{"a", "case", "ajakan", []string{"c1"}},
				{"a", "notice", "ruangsuara", []string{"n1"}},
				{"a", "notice", "ajakan", nil},
				{"b", "register", "ruangsuara", []string{"r1"}},
			} {
				if got := look(tt.party, tt.object, tt.text); !cmp.Equal(got, tt.want) {
					t.Errorf("%s finds among %ss by %q: %q, want %q", tt.party, tt.object, tt.text, got, tt.want)
				}
			}
		}
	})
}

// renew spells everything anew, some texts at a time.
func renew(t *testing.T, d *db.DB, x *search.Index) {
	for after, err := x.Renew(t.Context(), d, -1, 200); ; after, err = x.Renew(t.Context(), d, after, 200) {
		if err != nil {
			t.Error("renew: ", err)
		}
		if err != nil || after == 0 {
			return
		}
	}
}

// Two nodes that spell anew at once get on, and what is dropped meanwhile, as
// with the key of a register, does not come back.
func TestTwoNodesRenewWhileTextsGo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := search.New(dbtest.MAC)
		var docs []search.Doc
		for i := range 600 {
			docs = append(docs, search.Doc{Party: "a", Object: "register", ObjectID: fmt.Sprint("r", i), Plain: []string{"ruangsuara"}, At: noon})
		}
		put(t, d, x, docs...)
		spelling(t, d)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { renew(t, d, x) })
		}
		all.Go(func() {
			for i := 599; i >= 0; i -= 2 {
				if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return x.Drop(ctx, tx, fmt.Sprint("r", i)) }); err != nil {
					t.Error(err)
				}
			}
		})
		all.Wait()
		if n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM search_docs`); n != 300 || err != nil {
			t.Errorf("%d texts, want 300: %v", n, err)
		}
	})
}
