package db_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

func TestWhatIsAcknowledgedIsThereForEverybody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var wg sync.WaitGroup
		for writer := range 8 {
			wg.Go(func() {
				for i := range 20 {
					series := fmt.Sprintf("%d.%d", writer, i)
					if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return put(ctx, tx, series, i) }); err != nil {
						t.Errorf("write %s: %v", series, err)
						return
					}
					n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM reference_numbers WHERE series = $1`, series)
					if err != nil || n != 1 {
						t.Errorf("%s was acknowledged, and another connection sees %d rows of it: %v", series, n, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// A constraint that is looked at on commit makes the commit itself fail.
func TestAWriteWhoseCommitFailsIsNotAcknowledged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		exec := func(statement string, after func()) error {
			return d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				tx.AfterCommit(after)
				_, err := tx.Exec(ctx, statement)
				return err
			})
		}
		for _, s := range []string{
			`CREATE TABLE parent (id BIGINT PRIMARY KEY)`,
			`CREATE TABLE child (parent BIGINT NOT NULL REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`,
		} {
			if err := exec(s, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		ran := false
		if err := exec(`INSERT INTO child (parent) VALUES (1)`, func() { ran = true }); err == nil {
			t.Error("a write that was not committed was acknowledged")
		}
		if ran {
			t.Error("what is to follow a commit followed a failed one")
		}
		if err := exec(`INSERT INTO parent (id) VALUES (2)`, func() {}); err != nil {
			t.Errorf("the next write fails too: %v", err)
		}
		n, err := db.Value[int64](t.Context(), d, `SELECT (SELECT count(*) FROM child) * 10 + (SELECT count(*) FROM parent)`)
		if err != nil || n != 1 {
			t.Errorf("%d children and %d parents are there (%v), want none and 1", n/10, n%10, err)
		}
	})
}

func TestAServerThatMayLoseACommitIsRefused(t *testing.T) {
	url := dbtest.PostgresURL(t)
	for setting, refused := range map[string]bool{"off": true, "on": false, "local": false} {
		d, err := db.Open(t.Context(), url+"&synchronous_commit="+setting)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "synchronous_commit is off") {
			t.Errorf("synchronous_commit=%s: %v", setting, err)
		}
		if err == nil {
			d.Close()
		}
	}
}
