// Package dbtest gives each test a fresh, migrated database of either kind.
//
// PostgreSQL is a real server. TANGKAL_TEST_POSTGRES names one whose user may
// create databases; without it the package starts one of its own from the
// installed binaries, as an ordinary user, in a temporary directory that all
// test processes share. A machine without PostgreSQL skips those tests; with
// CI=true they fail instead.
package dbtest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/needtest"
)

// Each runs f on SQLite and on PostgreSQL, in parallel.
func Each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); f(t, Postgres(t)) })
}

// SQLite returns a fresh, migrated SQLite database.
func SQLite(t testing.TB) *db.DB {
	t.Helper()
	return open(t, SQLiteURL(t))
}

// Postgres returns a fresh, migrated PostgreSQL database, dropped at the end.
func Postgres(t testing.TB) *db.DB {
	t.Helper()
	return open(t, MigratedURL(t))
}

// MAC is HMAC-SHA-256 under keys that every test knows, one for each purpose.
func MAC(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, []byte("key outside of the database "+purpose))
	h.Write(data)
	return h.Sum(nil)
}

func open(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	d.SealWith(MAC, nil)
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// PostgresURL returns the URL of a fresh, empty PostgreSQL database, dropped
// at the end of the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	return create(t, base(t), "")
}

// create makes a database, a copy of another where one is named, and drops it at
// the end of the test.
func create(t testing.TB, base, of string) string {
	t.Helper()
	name := "t_" + strings.ReplaceAll(db.NewID(), "-", "")
	statement := "CREATE DATABASE " + name
	if of != "" {
		statement += " TEMPLATE " + of
	}
	if err := admin(t.Context(), base, statement); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := admin(ctx, base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	})
	return database(t, base, name)
}

// PostgresKept returns the URL of the database with that name, which stays after
// the test: for data that takes minutes to make. With fresh it is made anew.
func PostgresKept(t testing.TB, name string, fresh bool) string {
	t.Helper()
	base := base(t)
	if fresh {
		for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
			if err := admin(t.Context(), base, statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	return database(t, base, name)
}

// base returns the URL of the server; a machine without one skips the test.
func base(t testing.TB) string {
	t.Helper()
	base, err := server()
	if err != nil {
		needtest.Missing(t, "no PostgreSQL: ", err)
	}
	return base
}

// database returns the URL of one database of the server at base.
func database(t testing.TB, base, name string) string {
	t.Helper()
	at, err := inDatabase(base, name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func inDatabase(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

func admin(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // one statement, already answered
	_, err = conn.Exec(ctx, statement)
	return err
}

// server returns the URL of the shared server, starting it if need be.
var server = sync.OnceValues(func() (string, error) {
	if u := os.Getenv("TANGKAL_TEST_POSTGRES"); u != "" {
		return u, nil
	}
	u, err := startServer()
	if err != nil {
		return "", fmt.Errorf("start a server: %w", err)
	}
	return u, nil
})
