package db_test

import (
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// The pulse asks over one connection, again and again: connections are what a
// server of a database runs out of first.
func TestThePulseKeepsOneConnection(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	seen := false
	for over := time.Now().Add(4 * time.Second); time.Now().Before(over); { // several beats
		n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tangkal pulse' AND datname = current_database() AND pg_sleep(0.2) IS NOT NULL`)
		if err != nil {
			t.Fatal(err)
		}
		if n > 1 {
			t.Fatalf("%d connections ask whether the server is there, want 1", n)
		}
		seen = seen || n == 1
	}
	if !seen {
		t.Error("nobody asks whether the server is there")
	}
}
