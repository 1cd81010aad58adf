package db_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// openAt opens a SQLite database that is closed with t, or before.
func openAt(t *testing.T, path string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestOneProcessHoldsASQLiteFileAndTheOthersAreToldWhich(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tangkal.db")
	first, second := openAt(t, path), openAt(t, path)
	link := filepath.Join(t.TempDir(), "other-name.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	third := openAt(t, link)
	if by, held := second.HeldBy(); held {
		t.Fatalf("%s holds what nobody holds", by)
	}
	if err := first.Hold("serve"); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*db.DB{second, third} {
		err := d.Hold("serve")
		if !errors.Is(err, db.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (tangkal serve, since 20", os.Getpid())) || !strings.Contains(err.Error(), "stop that one") {
			t.Errorf("a second server: %v", err)
		}
		if by, held := d.HeldBy(); !held || by.PID != os.Getpid() || by.As != "serve" {
			t.Errorf("held by %+v %v", by, held)
		}
		if _, err := db.Value[int64](t.Context(), d, `SELECT 1`); err != nil {
			t.Errorf("whoever only reads: %v", err)
		}
	}
	first.Close()
	if err := third.Hold("restore"); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	if by, held := second.HeldBy(); !held || by.As != "restore" {
		t.Errorf("held by %+v %v", by, held)
	}
}

// Whoever looks who works on a file stands in nobody's way: neither of a server
// that starts at that moment nor of another who looks.
func TestLookingWhoHoldsAFileHoldsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tangkal.db")
	first := openAt(t, path)
	if err := first.Hold("serve"); err != nil { // makes the file that is locked
		t.Fatal(err)
	}
	first.Close()
	var looking sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		d := openAt(t, path)
		looking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d.HeldBy()
			}
		})
	}
	for n := range 50 {
		d, err := db.Open(t.Context(), "sqlite:"+path)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Hold("serve")
		d.Close()
		if err != nil {
			t.Errorf("start %d: %v", n, err)
			break
		}
	}
	close(done)
	looking.Wait()
	one, other := openAt(t, path), openAt(t, path)
	looking = sync.WaitGroup{}
	for _, d := range []*db.DB{one, other} {
		looking.Go(func() {
			for range 2_000 {
				if by, held := d.HeldBy(); held {
					t.Errorf("%s is said to hold what nobody holds", by)
					return
				}
			}
		})
	}
	looking.Wait()
}

func TestManyServersMayShareAPostgreSQL(t *testing.T) {
	url := dbtest.PostgresURL(t)
	for range 2 {
		d, err := db.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		if err := d.Hold("serve"); err != nil {
			t.Error(err)
		}
		if _, held := d.HeldBy(); held {
			t.Error("a PostgreSQL is held")
		}
	}
}
