// Package job does work that takes longer than a request: captures, imports,
// purges; and sweeps what falls due.
//
// A job is enqueued in the transaction of what asks for it and is kept by
// River. Every job is idempotent and named by its kind and the identifier of
// the row it works on; a room's sweep enqueues again what was lost, so no job
// identifier stands in a domain row. Deadlines are columns that every node
// sweeps, never timers.
package job

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/tangkal/tangkal/internal/db"
)

// A Work is one kind of job.
type Work struct {
	Kind     string
	Do       func(ctx context.Context, id string) error
	Timeout  time.Duration // 0 means one minute
	Attempts int           // 0 means 10
}

// A Sweep is done again and again on every node: it looks for rows whose time
// has come and must stand several nodes doing it at once.
type Sweep struct {
	Name  string
	Every time.Duration
	Do    func(ctx context.Context) error
}

// maxWorkers bounds how many jobs run at once on one node.
const maxWorkers = 4

// drainFor is how long running jobs may take to finish at a stop.
const drainFor = 20 * time.Second

// A Queue keeps and runs jobs.
type Queue struct {
	db     *db.DB
	log    *slog.Logger
	works  map[string]Work
	sweeps []Sweep
	pg     *river.Client[pgx.Tx]
	lite   *river.Client[*sql.Tx]
}

// args is what River stores for each job.
type args struct {
	Work string `json:"work" river:"unique"`
	ID   string `json:"id"   river:"unique"`
}

// Kind names our one River job kind; which work it is stands in its arguments.
func (args) Kind() string { return "tangkal" }

// InsertOpts makes a waiting job of the same work and identifier the only one.
func (args) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// New returns a queue over d, whose tables Migrate has made.
func New(d *db.DB, log *slog.Logger, works []Work, sweeps []Sweep) (*Queue, error) {
	q := &Queue{db: d, log: log, works: make(map[string]Work), sweeps: sweeps}
	for _, w := range works {
		q.works[w.Kind] = w
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{queue: q})
	cfg := &river.Config{
		Logger:            slog.New(quiet{log.Handler()}),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: maxWorkers}},
		Workers:           workers,
		FetchPollInterval: time.Second,
	}
	var err error
	if pool := d.Pool(); pool != nil {
		q.pg, err = river.NewClient(riverpgxv5.New(pool), cfg)
	} else {
		// On SQLite River would listen by asking the one writer twenty times a
		// second, and go on asking without a pause once the database is closed.
		cfg.PollOnly, cfg.FetchPollInterval = true, 250*time.Millisecond
		q.lite, err = river.NewClient(riversqlite.New(d.WriterSQL()), cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return q, nil
}

// Migrate brings River's tables to its version.
func Migrate(ctx context.Context, d *db.DB) error {
	if pool := d.Pool(); pool != nil {
		m, err := rivermigrate.New(riverpgxv5.New(pool), nil)
		if err != nil {
			return err
		}
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}
	m, err := rivermigrate.New(riversqlite.New(d.WriterSQL()), nil)
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// Enqueue asks for a job in the transaction of its cause. The same job waiting
// already is one job.
func (q *Queue) Enqueue(ctx context.Context, tx *db.Tx, kind, id string) error {
	if _, ok := q.works[kind]; !ok {
		return fmt.Errorf("job kind %q is not registered", kind)
	}
	w := q.works[kind]
	opts := &river.InsertOpts{MaxAttempts: max(w.Attempts, 0)}
	if w.Attempts == 0 {
		opts.MaxAttempts = 10
	}
	var err error
	if q.pg != nil {
		_, err = q.pg.InsertTx(ctx, tx.PgxTx(), args{kind, id}, opts)
	} else {
		_, err = q.lite.InsertTx(ctx, tx.SQLTx(), args{kind, id}, opts)
	}
	if err != nil {
		return fmt.Errorf("enqueue %s %s: %w", kind, id, err)
	}
	return nil
}

// Run works on jobs and sweeps until ctx ends, then lets running jobs finish.
func (q *Queue) Run(ctx context.Context) error {
	var sweeping sync.WaitGroup
	for _, s := range q.sweeps {
		sweeping.Go(func() { q.sweep(ctx, s) })
	}
	defer sweeping.Wait()
	// River's own context: ending it would cut running jobs off at once.
	base := context.WithoutCancel(ctx)
	if err := q.start(base); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(base, drainFor)
	defer cancel()
	if err := q.stop(stop, false); err != nil {
		return q.stop(base, true)
	}
	return nil
}

func (q *Queue) start(ctx context.Context) error {
	if q.pg != nil {
		return q.pg.Start(ctx)
	}
	return q.lite.Start(ctx)
}

// stop lets running jobs finish until ctx ends, or cancels them.
func (q *Queue) stop(ctx context.Context, cancelJobs bool) error {
	switch {
	case q.pg != nil && cancelJobs:
		return q.pg.StopAndCancel(ctx)
	case q.pg != nil:
		return q.pg.Stop(ctx)
	case cancelJobs:
		return q.lite.StopAndCancel(ctx)
	default:
		return q.lite.Stop(ctx)
	}
}

// sweep does s now and then every s.Every. An error is logged and the next
// round tries again: a sweep owes nothing to the one before.
func (q *Queue) sweep(ctx context.Context, s Sweep) {
	ticker := time.NewTicker(s.Every)
	defer ticker.Stop()
	for {
		if err := s.Do(ctx); err != nil && ctx.Err() == nil {
			q.log.ErrorContext(ctx, "sweep", "sweep", s.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// worker runs every kind of job.
type worker struct {
	river.WorkerDefaults[args]
	queue *Queue
}

// Timeout is how long one try of the job may take.
func (w *worker) Timeout(j *river.Job[args]) time.Duration {
	if t := w.queue.works[j.Args.Work].Timeout; t > 0 {
		return t
	}
	return time.Minute
}

// Work runs one try of a job.
func (w *worker) Work(ctx context.Context, j *river.Job[args]) error {
	work, ok := w.queue.works[j.Args.Work]
	if !ok {
		return river.JobCancel(fmt.Errorf("job kind %q is not known to this version", j.Args.Work))
	}
	return work.Do(ctx, j.Args.ID)
}

// quiet passes River's warnings and errors on and drops its chatter.
type quiet struct{ slog.Handler }

// Enabled reports whether a record of that level is kept.
func (h quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// WithAttrs keeps the filter.
func (h quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{h.Handler.WithAttrs(a)} }

// WithGroup keeps the filter.
func (h quiet) WithGroup(name string) slog.Handler { return quiet{h.Handler.WithGroup(name)} }
