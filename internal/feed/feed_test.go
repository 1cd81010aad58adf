package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/feed"
)

func start(d *db.DB, subs ...feed.Subscription) *feed.Feed {
	return feed.New(d, clock.System{}, slog.New(slog.DiscardHandler), subs...)
}

func record(t *testing.T, d *db.DB, f *feed.Feed, e feed.Event) {
	t.Helper()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := f.Record(ctx, tx, e)
		return err
	}); err != nil {
		t.Error(err)
	}
}

func drain(t *testing.T, f *feed.Feed) {
	t.Helper()
	for {
		n, err := f.Drain(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func TestAReaderByCursorMissesNothingUnderManyWriters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := start(d)
		ctx, cancel := context.WithCancel(t.Context())
		var sequencers, writers sync.WaitGroup
		for range 2 { // two nodes
			sequencers.Go(func() { _ = f.Run(ctx) })
		}
		const each, many = 40, 8
		for w := range many {
			writers.Go(func() {
				for i := range each {
					record(t, d, f, feed.Event{Kind: "test.done", Object: "test", ObjectID: fmt.Sprint(w, "-", i), Audience: []string{"p", "p", ""}})
				}
			})
		}
		seen, cursor := map[string]bool{}, int64(0)
		for deadline := time.Now().Add(30 * time.Second); len(seen) < each*many && time.Now().Before(deadline); {
			batch, err := feed.After(t.Context(), d, "p", cursor, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range batch {
				if e.Seq != cursor+1 || seen[e.ObjectID] {
					t.Fatalf("entry %d (%s) follows %d", e.Seq, e.ObjectID, cursor)
				}
				seen[e.ObjectID], cursor = true, e.Seq
			}
		}
		writers.Wait()
		cancel()
		sequencers.Wait()
		if len(seen) != each*many {
			t.Errorf("saw %d of %d entries", len(seen), each*many)
		}
		if broken, err := feed.Verify(t.Context(), d); err != nil || broken != 0 {
			t.Errorf("chain broken at %d: %v", broken, err)
		}
	})
}

func TestOnlyTheAudienceSeesAnEntry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := start(d)
		record(t, d, f, feed.Event{Kind: "a.private", Audience: []string{"one"}})
		record(t, d, f, feed.Event{Kind: "a.public", Audience: []string{feed.Everyone}})
		record(t, d, f, feed.Event{Kind: "a.audit"})
		drain(t, f)
		for party, want := range map[string]int{"one": 2, "two": 1, feed.Everyone: 1} {
			got, err := feed.After(t.Context(), d, party, 0, 10)
			if err != nil || len(got) != want {
				t.Errorf("%s sees %d entries (%v), want %d", party, len(got), err, want)
			}
		}
	})
}

func TestAFailingSubscriptionStopsTheOrderAndLosesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		broken := true
		var done []string
		f := start(d, feed.Subscription{Name: "room", Kinds: []string{"x.bad", "x.good"}, Do: func(_ context.Context, _ *db.Tx, e feed.Entry) error {
			if e.Kind == "x.bad" && broken {
				return errors.New("not now")
			}
			done = append(done, e.ObjectID)
			return nil
		}})
		base := time.Now()
		for i, kind := range []string{"x.good", "x.bad", "x.good"} {
			record(t, d, f, feed.Event{Kind: kind, ObjectID: fmt.Sprint(i), At: base.Add(time.Duration(i) * time.Second)})
		}
		if n, err := f.Drain(t.Context()); err == nil || n != 1 {
			t.Fatalf("ordered %d (%v), want 1 and the error", n, err)
		}
		broken, done = false, nil
		drain(t, f)
		if got := fmt.Sprint(done); got != "[1 2]" {
			t.Errorf("then came %s, want [1 2]", got)
		}
	})
}

func TestAChangedEntryBreaksTheChain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := start(d)
		for i := range 5 {
			record(t, d, f, feed.Event{Kind: "a.done", ObjectID: fmt.Sprint(i)})
		}
		drain(t, f)
		if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE feed_entries SET actor_person = 'somebody else' WHERE seq = 3`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if broken, err := feed.Verify(t.Context(), d); err != nil || broken != 3 {
			t.Errorf("broken at %d (%v), want 3", broken, err)
		}
	})
}
