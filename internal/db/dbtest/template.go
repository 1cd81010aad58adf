package dbtest

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tangkal/tangkal/internal/db"
)

// Migrating costs seconds under the race detector, and hundreds of tests want a
// database: it is done once, and copied.

// SQLiteURL returns the URL of a fresh SQLite file that has the schema.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	content, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tangkal.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// sqliteTemplate is the file of a database that has the schema and nothing else.
var sqliteTemplate = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "tangkal-template-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "tangkal.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrate(url string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.Migrate(ctx)
	return err
}

// MigratedURL returns the URL of a fresh PostgreSQL database that has the schema,
// dropped at the end of the test.
func MigratedURL(t testing.TB) string {
	t.Helper()
	base := base(t)
	of, err := postgresTemplate()
	if err != nil {
		t.Fatal(err)
	}
	return create(t, base, of)
}

// postgresTemplate is the name of a database that has the schema and nothing
// else. It is of these migrations, and all test processes of a server share it.
var postgresTemplate = sync.OnceValues(func() (name string, err error) {
	base, err := server()
	if err != nil {
		return "", err
	}
	digest, err := db.Schema(db.Postgres)
	if err != nil {
		return "", err
	}
	name = "schema_" + hex.EncodeToString(digest[:8])
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) //nolint:errcheck // it ends the lock too
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(1952541547)`); err != nil {
		return "", err
	}
	there := false
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil || there {
		return name, err
	}
	// Under another name until it is whole: whoever is killed leaves no half one.
	for _, statement := range []string{`DROP DATABASE IF EXISTS ` + name + `_made WITH (FORCE)`, `CREATE DATABASE ` + name + `_made`} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	at, err := inDatabase(base, name+"_made")
	if err != nil {
		return "", err
	}
	if err := migrate(at); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+name+`_made RENAME TO `+name)
	return name, err
})
