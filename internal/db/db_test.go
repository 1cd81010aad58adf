package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

func put(ctx context.Context, tx *db.Tx, series string, last int) error {
	// $2 before $1: SQLite would bind by first appearance.
	_, err := tx.Exec(ctx, `INSERT INTO reference_numbers (last, year, series) VALUES ($2, 2026, $1)`, series, last)
	return err
}

func count(t *testing.T, d *db.DB) int64 {
	t.Helper()
	n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM reference_numbers`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAFailedWriteLeavesNothingAndHurtsNobodyElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		refused := errors.New("refused")
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					if err := put(ctx, tx, fmt.Sprint(i), i); err != nil {
						return err
					}
					switch i % 4 {
					case 1:
						return refused
					case 2:
						panic("a bug")
					}
					return nil
				})
				if (i%4 == 1) != errors.Is(err, refused) || (i%4 == 2) != (err != nil && !errors.Is(err, refused)) {
					t.Errorf("write %d: got %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := count(t, d); n != 32 {
			t.Errorf("got %d rows, want the 32 of the writes that succeeded", n)
		}
	})
}

func TestAfterCommitRunsOnlyForWhatIsCommitted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var ran []string
		for _, name := range []string{"kept", "refused"} {
			err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				tx.AfterCommit(func() { ran = append(ran, name) })
				if name == "refused" {
					return errors.New(name)
				}
				return nil
			})
			if (err != nil) != (name == "refused") {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff([]string{"kept"}, ran); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnAbsentRowIsToldFromAnError(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_, err := db.Value[int64](t.Context(), d, `SELECT last FROM reference_numbers WHERE series = $1`, "none")
		if !errors.Is(err, db.ErrAbsent) {
			t.Errorf("got %v, want ErrAbsent", err)
		}
		if _, err := db.Value[int64](t.Context(), d, `SELECT nothing FROM nowhere`); err == nil || errors.Is(err, db.ErrAbsent) {
			t.Errorf("a wrong query: got %v", err)
		}
	})
}

func TestAReaderCannotWrite(t *testing.T) {
	d := dbtest.SQLite(t)
	rows, err := d.Query(t.Context(), `INSERT INTO reference_numbers VALUES ('a', 1, 1)`)
	if err == nil {
		rows.Next()
		err = rows.Err()
		rows.Close()
	}
	if err == nil || count(t, d) != 0 {
		t.Errorf("a reader wrote: %v", err)
	}
}

func TestAClosedDatabaseRefusesWrites(t *testing.T) {
	d := dbtest.SQLite(t)
	d.Close()
	if err := d.Write(context.Background(), func(context.Context, *db.Tx) error { return nil }); err == nil {
		t.Error("a write to a closed database succeeded")
	}
}

// columns lists "table.column null?" of every table of ours.
func columns(t *testing.T, d *db.DB) []string {
	t.Helper()
	query := `SELECT m.name || '.' || p.name || CASE WHEN p."notnull" = 1 OR p.pk > 0 THEN '' ELSE ' null' END
		FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%' AND m.name NOT LIKE '%\_fts%' ESCAPE '\' ORDER BY 1`
	if d.Dialect() == db.Postgres {
		query = `SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '' ELSE ' null' END
			FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'goose_%' ORDER BY 1`
	}
	all, err := db.All(t.Context(), d, db.Scalar[string], query)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestBothSchemasHaveTheSameColumns(t *testing.T) {
	lite, pg := columns(t, dbtest.SQLite(t)), columns(t, dbtest.Postgres(t))
	set := func(all []string) map[string]bool {
		m := map[string]bool{}
		for _, c := range all {
			m[c] = true
		}
		return m
	}
	if diff := cmp.Diff(set(lite), set(pg)); diff != "" {
		t.Errorf("sqlite (-) and postgres (+) differ:\n%s", diff)
	}
}
