package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
)

func TestADatabaseOfANewerProgramIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Migrate(t.Context()); !errors.Is(err, db.ErrNewer) {
			t.Errorf("migrated backwards: %v", err)
		}
		if _, err := d.Pending(t.Context()); !errors.Is(err, db.ErrNewer) || !strings.Contains(err.Error(), "restore the backup") {
			t.Errorf("opened: %v", err)
		}
	})
}

func TestOnlyItsOwnerReadsANewDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new.db")
	d, err := db.Open(t.Context(), "sqlite:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", filepath.Base(name), info.Mode(), err)
		}
	}
}

func TestADatabaseThatDoesNotOpenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                                 "no path",
		garbage:                            "restore the last backup",
		filepath.Join(dir, "none", "a.db"): "directory is not there",
	} {
		d, err := db.Open(t.Context(), "sqlite:"+path)
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
}

// The backend ends itself in the middle of what is asked of it, as when a
// server is restarted.
func TestAServerThatBreaksOffIsUnavailable(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	write := func(statements ...string) error {
		return d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(ctx, s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	const end = `SELECT pg_terminate_backend(pg_backend_pid())`
	if err := write(end); !fault.Is(err, "db.unavailable") {
		t.Errorf("in a transaction: %v", err)
	}
	const ended = `SELECT CASE WHEN pg_terminate_backend(pg_backend_pid()) THEN pg_sleep(5)::text END`
	if _, err := db.Value[string](t.Context(), d, ended); fault.Of(err) != fault.Unavailable {
		t.Errorf("while reading: %v", err)
	}
	err := write(`CREATE TABLE late (id BIGINT)`,
		`CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'`,
		`CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ends()`)
	if err != nil {
		t.Fatal(err)
	}
	// The answer to the commit never comes: "nothing was changed" would be a lie.
	if err := write(`INSERT INTO late VALUES (1)`); !fault.Is(err, "db.unsure") {
		t.Errorf("at its commit: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50_000_000)
	defer cancel()
	if _, err := db.Value[string](ctx, d, `SELECT pg_sleep(20)::text`); fault.Of(err) != fault.Unavailable {
		t.Errorf("a server that does not answer in time: %v", err)
	}
	for i := range 10 { // and then all is well again
		if err := write(fmt.Sprintf(`CREATE TABLE again%d (id BIGINT)`, i)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}
