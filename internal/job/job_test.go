package job_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/job"
)

// run starts a queue of one kind of work and returns it; it stops with t.
func run(t *testing.T, d *db.DB, w job.Work, sweeps ...job.Sweep) *job.Queue {
	t.Helper()
	if err := job.Migrate(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	q, err := job.New(d, slog.New(slog.DiscardHandler), []job.Work{w}, sweeps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return q
}

func TestAJobRunsOnceItsCauseIsCommittedAndNotWhenItIsRolledBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ran := make(chan string, 8)
		q := run(t, d, job.Work{Kind: "note", Do: func(_ context.Context, id string) error {
			ran <- id
			return nil
		}})
		refused := errors.New("refused")
		for _, id := range []string{"rolled-back", "kept"} {
			err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if err := q.Enqueue(ctx, tx, "note", id); err != nil {
					return err
				}
				if id == "rolled-back" {
					return refused
				}
				return q.Enqueue(ctx, tx, "note", id) // twice is once
			})
			if err != nil && !errors.Is(err, refused) {
				t.Fatal(err)
			}
		}
		select {
		case id := <-ran:
			if id != "kept" {
				t.Fatalf("job %q ran", id)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("the job did not run")
		}
		if len(ran) != 0 {
			t.Errorf("then %q ran as well", <-ran)
		}
	})
}

func TestAnUnknownKindIsRefused(t *testing.T) {
	d := dbtest.SQLite(t)
	q := run(t, d, job.Work{Kind: "note", Do: func(context.Context, string) error { return nil }})
	if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return q.Enqueue(ctx, tx, "other", "1")
	}); err == nil {
		t.Error("an unknown kind was accepted")
	}
}

func TestASweepGoesOnAfterAnError(t *testing.T) {
	d := dbtest.SQLite(t)
	swept := make(chan bool, 8)
	run(t, d, job.Work{Kind: "note"}, job.Sweep{Name: "due", Every: 10 * time.Millisecond, Do: func(context.Context) error {
		select {
		case swept <- true:
		default:
		}
		return errors.New("not this time")
	}})
	for range 3 {
		select {
		case <-swept:
		case <-time.After(2 * time.Minute):
			t.Fatal("the sweep stopped")
		}
	}
}
