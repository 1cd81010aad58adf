package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(2 * time.Minute); len(seen) < each*many && time.Now().Before(deadline); <-tick.C {
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
		}}).Unhurried()
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

// Each of these changes leaves a chain that no longer follows from itself.
func TestAnyChangeToTheRecordBreaksTheChain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := start(d)
		for i := range 5 {
			record(t, d, f, feed.Event{Kind: "a.done", Object: "case", ObjectID: fmt.Sprint(i), Ref: "R", Party: "p", Person: "ana", Data: i, At: time.UnixMicro(1)})
		}
		drain(t, f)
		if broken, err := feed.Verify(t.Context(), d); err != nil || broken != 0 {
			t.Fatalf("the untouched chain is broken at %d: %v", broken, err)
		}
		undone := errors.New("undo")
		for change, at := range map[string]int64{
			`UPDATE feed_entries SET actor_person = 'somebody else' WHERE seq = 3`:   3,
			`UPDATE feed_entries SET actor_party = 'q' WHERE seq = 3`:                3,
			`UPDATE feed_entries SET actor_person = NULL WHERE seq = 3`:              3,
			`UPDATE feed_entries SET id = 'x' WHERE seq = 3`:                         3,
			`UPDATE feed_entries SET kind = 'a.undone' WHERE seq = 3`:                3,
			`UPDATE feed_entries SET object = 'notice' WHERE seq = 3`:                3,
			`UPDATE feed_entries SET object_id = '9' WHERE seq = 3`:                  3,
			`UPDATE feed_entries SET ref = 'S' WHERE seq = 3`:                        3,
			`UPDATE feed_entries SET data = '9' WHERE seq = 3`:                       3,
			`UPDATE feed_entries SET at = at + 1 WHERE seq = 3`:                      3,
			`UPDATE feed_entries SET object = 'c', object_id = 'ase2' WHERE seq = 3`: 3,
			`DELETE FROM feed_entries WHERE seq = 3`:                                 3,
			`DELETE FROM feed_entries WHERE seq = 5`:                                 5, // the end alone is missing
			`UPDATE feed_head SET seq = 4`:                                           6,
			`UPDATE feed_head SET chain = ''`:                                        6,
			`INSERT INTO feed_entries (seq, id, kind, object, object_id, ref, data, at, sequenced_at, chain) VALUES (6, 'y', 'a.done', 'case', '6', '', '6', 1, 1, 'forged')`: 6,
		} {
			err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.Exec(ctx, `DELETE FROM feed_audience`); err != nil {
					return err
				}
				if n, err := tx.Exec(ctx, change); err != nil || n != 1 {
					t.Errorf("%s: %d rows, %v", change, n, err)
				}
				if broken, err := feed.Verify(ctx, tx); err != nil || broken != at {
					t.Errorf("%s: broken at %d (%v), want %d", change, broken, err, at)
				}
				return undone
			})
			if !errors.Is(err, undone) {
				t.Fatal(err)
			}
		}
	})
}

// Whatever the size of a page, forwards and backwards a reader sees each entry
// once, in order, and none that is not theirs.
func TestPagesOfTheFeedRepeatAndLeaveOutNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := start(d)
		var own, public []int64 // by their place
		for i := range 12 {
			e := feed.Event{Kind: "a.done", Object: "case", ObjectID: fmt.Sprint(i % 2), At: time.UnixMicro(int64(i))}
			switch i % 4 {
			case 0, 1:
				e.Audience, own = []string{"p", "q"}, append(own, int64(i+1))
			case 2:
				e.Audience = []string{"q"}
			default:
				e.Audience, public = []string{feed.Everyone}, append(public, int64(i+1))
			}
			record(t, d, f, e)
		}
		drain(t, f)
		for size := 1; size <= 8; size++ {
			var seen []int64
			for at := int64(0); ; {
				page, err := feed.After(t.Context(), d, "p", at, size)
				if err != nil || len(page) > size || len(seen) > 12 {
					t.Fatalf("after %d: %d entries of at most %d: %v", at, len(page), size, err)
				}
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					seen = append(seen, e.Seq)
				}
				at = seen[len(seen)-1]
			}
			if want := slices.Sorted(slices.Values(slices.Concat(own, public))); !slices.Equal(seen, want) {
				t.Errorf("forwards by %d: %v, want %v", size, seen, want)
			}
			seen = nil
			for before := int64(0); ; {
				page, err := feed.Recent(t.Context(), d, "p", before, size)
				if err != nil || len(page) > size || len(seen) > 12 {
					t.Fatalf("before %d: %d entries of at most %d: %v", before, len(page), size, err)
				}
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					seen = append(seen, e.Seq)
				}
				before = seen[len(seen)-1]
			}
			slices.Reverse(seen)
			if !slices.Equal(seen, own) {
				t.Errorf("backwards by %d: %v, want %v", size, seen, own)
			}
		}
		of, err := feed.Of(t.Context(), d, "case", "1", 4)
		if err != nil || len(of) != 4 || of[0].Seq != 2 || of[3].Seq != 8 {
			t.Errorf("of one object came %v: %v", of, err)
		}
	})
}

// A row that somebody broke by SQL stops the order, and says which it is.
func TestAnUnreadableAudienceNamesItsEntry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := start(d)
		record(t, d, f, feed.Event{Kind: "a.done", Object: "case", ObjectID: "1"})
		var id string
		err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			if id, err = db.Value[string](ctx, tx, `SELECT id FROM feed_pending`); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `UPDATE feed_pending SET audience = 'nobody'`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Drain(t.Context()); err == nil || !strings.Contains(err.Error(), id) {
			t.Errorf("the order stops with %v, want the entry %s named", err, id)
		}
	})
}

// A subscription that reads ahead sees every entry of its kinds once before any
// of them has its turn, and its turns come in the order among the others'.
func TestASubscriptionReadsAheadAndKeepsItsPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var told []string
		tell := func(who string) feed.Do {
			return func(_ context.Context, _ *db.Tx, e feed.Entry) error {
				told = append(told, who+" "+e.Kind)
				return nil
			}
		}
		f := start(d, feed.Subscription{Name: "first", Do: tell("first")}, feed.Subscription{
			Name: "ahead", Kinds: []string{"a.one", "a.three"},
			Ahead: func(_ context.Context, _ *db.Tx, all []feed.Entry) (feed.Do, error) {
				for _, e := range all {
					told = append(told, "sees "+e.Kind)
				}
				return tell("ahead"), nil
			},
		}).Unhurried()
		now := time.Now()
		for i, kind := range []string{"a.one", "a.two", "a.three"} {
			record(t, d, f, feed.Event{Kind: kind, At: now.Add(time.Duration(i) * time.Second)})
		}
		if n, err := f.Drain(t.Context()); err != nil || n != 3 {
			t.Fatalf("ordered %d (%v)", n, err)
		}
		want := []string{"sees a.one", "sees a.three", "first a.one", "ahead a.one", "first a.two", "first a.three", "ahead a.three"}
		if !slices.Equal(told, want) {
			t.Errorf("%q, want %q", told, want)
		}
	})
}

// What got its place at a time or later is found from the first of it on, also
// when clocks were set back meanwhile, or those of two nodes differ.
func TestWhatGotItsPlaceSinceATimeIsFoundFromItsFirst(t *testing.T) {
	begun := time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC)
	const n = 60
	for name, shown := range map[string]func(i int) time.Duration{
		"in order":          func(int) time.Duration { return 0 },
		"set back at last":  func(i int) time.Duration { return -time.Duration(i/40) * 14 * time.Hour },
		"set back and on":   func(i int) time.Duration { return -time.Duration(i/20%2) * 14 * time.Hour },
		"ahead, then right": func(i int) time.Duration { return time.Duration(1-min(i/20, 1)) * 14 * time.Hour },
		"two nodes":         func(i int) time.Duration { return time.Duration(i%2) * 3 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				f := start(d)
				if at, err := feed.Before(t.Context(), d, begun); err != nil || at != 0 {
					t.Errorf("in an empty feed: %d, %v", at, err)
				}
				for i := range n {
					record(t, d, f, feed.Event{Kind: "a.done", Object: "test", ObjectID: fmt.Sprint(i)})
				}
				drain(t, f)
				var given []time.Time // as the clocks had it
				for i := range n {
					given = append(given, begun.Add(time.Duration(i)*time.Hour+shown(i)))
				}
				if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					for i, at := range given {
						if _, err := tx.Exec(ctx, `UPDATE feed_entries SET sequenced_at = $2 WHERE seq = $1`, i+1, db.Micros(at)); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				for _, at := range append([]time.Time{begun.AddDate(-1, 0, 0), begun.AddDate(1, 0, 0)}, given...) {
					for _, at := range []time.Time{at, at.Add(time.Second), at.Add(-time.Second)} {
						want := int64(n)
						if i := slices.IndexFunc(given, func(t time.Time) bool { return !t.Before(at) }); i >= 0 {
							want = int64(i)
						}
						if got, err := feed.Before(t.Context(), d, at); err != nil || got != want {
							t.Errorf("before %s: %d, %v, want %d", at, got, err, want)
						}
					}
				}
			})
		})
	}
}
