package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

func TestWhatIsSentStandsBeforeWhatComesAfterIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write := func(f func(ctx context.Context, tx *db.Tx) error) error { return d.Write(t.Context(), f) }
		if err := write(func(ctx context.Context, tx *db.Tx) error {
			return tx.Send(ctx, `CREATE TABLE sent (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`)
		}); err != nil {
			t.Fatal(err)
		}
		if err := write(func(ctx context.Context, tx *db.Tx) error {
			if err := tx.Send(ctx, `INSERT INTO sent VALUES ($1, $2)`, 1, 1); err != nil {
				return err
			}
			if n, err := db.Value[int64](ctx, tx, `SELECT n FROM sent WHERE id = 1`); err != nil || n != 1 {
				return fmt.Errorf("read %d, %w", n, err)
			}
			if err := tx.Send(ctx, `UPDATE sent SET n = n + 1`); err != nil {
				return err
			}
			if n, err := tx.Exec(ctx, `UPDATE sent SET n = n * 10 WHERE n = 2`); err != nil || n != 1 {
				return fmt.Errorf("changed %d rows, %w", n, err)
			}
			return tx.Send(ctx, `UPDATE sent SET n = n + 1`) // goes out with the commit
		}); err != nil {
			t.Fatal(err)
		}
		if n, err := db.Value[int64](t.Context(), d, `SELECT n FROM sent`); err != nil || n != 21 {
			t.Errorf("in the end %d, %v; want 21", n, err)
		}
		if err := write(func(ctx context.Context, tx *db.Tx) error {
			if err := tx.Send(ctx, `UPDATE sent SET n = 0`); err != nil {
				return err
			}
			return tx.Send(ctx, `INSERT INTO sent VALUES (1, 1)`) // there already
		}); err == nil {
			t.Error("a sent statement failed, and nobody was told")
		}
		if n, err := db.Value[int64](t.Context(), d, `SELECT n FROM sent`); err != nil || n != 21 {
			t.Errorf("half a transaction stands: %d, %v", n, err)
		}
	})
}

// The same text while its rows are being read, more texts than are kept, and a
// schema that changes under them.
func TestKeptStatementsAnswerAsFreshOnes(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE TABLE kept (id INTEGER PRIMARY KEY)`); err != nil {
			return err
		}
		for i := range 3 {
			if _, err := tx.Exec(ctx, `INSERT INTO kept VALUES ($1)`, i); err != nil {
				return err
			}
		}
		const all = `SELECT id FROM kept ORDER BY id`
		outer, err := tx.Query(ctx, all)
		if err != nil {
			return err
		}
		defer outer.Close()
		seen := 0
		for outer.Next() {
			inner, err := db.All(ctx, tx, db.Scalar[int64], all)
			if err != nil || len(inner) != 3 {
				return fmt.Errorf("inside: %v, %w", inner, err)
			}
			seen++
		}
		if outer.Close(); seen != 3 || outer.Err() != nil {
			return fmt.Errorf("outside %d rows, %w", seen, outer.Err())
		}
		for i := range 500 {
			if n, err := db.Value[int64](ctx, tx, fmt.Sprintf(`SELECT %d + count(*) FROM kept`, i)); err != nil || n != int64(i)+3 {
				return fmt.Errorf("text %d: %d, %w", i, n, err)
			}
		}
		if _, err := tx.Exec(ctx, `ALTER TABLE kept ADD COLUMN more TEXT NOT NULL DEFAULT 'x'`); err != nil {
			return err
		}
		if more, err := db.Value[string](ctx, tx, `SELECT more FROM kept WHERE id = $1`, 1); err != nil || more != "x" {
			return fmt.Errorf("after a change of the schema: %q, %w", more, err)
		}
		if ids, err := db.All(ctx, tx, db.Scalar[int64], all); err != nil || len(ids) != 3 {
			return fmt.Errorf("after a change of the schema: %v, %w", ids, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What is gathered stands there when the transaction is committed, all of it and
// once, and not when it is rolled back; a reader in the same transaction spills.
func TestGatheredRowsGoInWithTheTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write := func(f func(ctx context.Context, tx *db.Tx) error) error { return d.Write(t.Context(), f) }
		if err := write(func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `CREATE TABLE gathered (id BIGINT PRIMARY KEY, what TEXT NOT NULL)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		count := func(r db.Reader) int64 {
			n, err := db.Value[int64](t.Context(), r, `SELECT count(*) FROM gathered`)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		fill := func(ctx context.Context, tx *db.Tx, from, n int) error {
			for i := range n {
				if err := tx.Gather(ctx, `INSERT INTO gathered (id, what)`, from+i, "row"); err != nil {
					return err
				}
			}
			return nil
		}
		for i, n := range []int{1, 7, 8, 9, 32, 33, 100} {
			before := count(d)
			if err := write(func(ctx context.Context, tx *db.Tx) error { return fill(ctx, tx, 1000*i, n) }); err != nil {
				t.Fatal(err)
			}
			if got := count(d) - before; got != int64(n) {
				t.Errorf("%d rows stand there of %d", got, n)
			}
		}
		before, undone := count(d), errors.New("undone")
		if err := write(func(ctx context.Context, tx *db.Tx) error {
			return errors.Join(fill(ctx, tx, 50_000, 40), undone)
		}); !errors.Is(err, undone) || count(d) != before {
			t.Errorf("%d rows of a transaction that was undone (%v)", count(d)-before, err)
		}
		if err := write(func(ctx context.Context, tx *db.Tx) error {
			if err := errors.Join(fill(ctx, tx, 60_000, 3), tx.Spill(ctx)); err != nil {
				return err
			}
			if n := count(tx); n != before+3 {
				t.Errorf("a reader in the transaction sees %d new rows, want 3", n-before)
			}
			return fill(ctx, tx, 60_000, 1) // there already
		}); err == nil || count(d) != before {
			t.Errorf("a row that cannot stand there: %v, %d rows", err, count(d)-before)
		}
	})
}
