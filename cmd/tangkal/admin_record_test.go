package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
)

func TestAChangedRecordIsSeenFromTheShell(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.wants(t, 0, []string{"applied"}, "migrate", "--data", "d")
	d, err := db.Open(t.Context(), "sqlite:"+filepath.Join(s.dir, "d", "tangkal.db"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	f := feed.New(d, clock.NewManual(now), slog.New(slog.DiscardHandler))
	for range 3 {
		if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := f.Record(ctx, tx, feed.Event{Kind: "test.happened", Object: "test", ObjectID: "x", At: now})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n > 0; {
		if n, err = f.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.wants(t, 0, []string{"the record is whole: 3 entries"}, "admin", "record", "--data", "d")
	if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE feed_entries SET kind = 'test.else' WHERE seq = 2`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.wants(t, exitFailed, []string{"entry 2 does not follow"}, "admin", "record", "--data", "d")
	s.wants(t, exitFailed, []string{`"broken":2`}, "admin", "record", "--data", "d", "--json")
	d.Close()
}
