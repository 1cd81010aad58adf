package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tangkal/tangkal/internal/fault"
)

// pgTries is how often a transaction is run before its serialisation failure
// is given to the caller.
const pgTries = 4

// minConns is how many connections a node may open at least: many callers at
// once wait for the disk, and one commit serves all that came meanwhile.
const minConns = 20

func openPostgres(ctx context.Context, url string) (*pgxpool.Pool, *pulse, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, err
	}
	cfg.MaxConns = max(cfg.MaxConns, minConns)
	cfg.ConnConfig.RuntimeParams["application_name"] = "tangkal"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = SilentAfter
	}
	cfg.AfterConnect = quick
	beat := newPulse(cfg.ConnConfig)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := pgDurable(ctx, pool); err != nil {
		pool.Close()
		return nil, nil, err
	}
	beat.start()
	return pool, beat, nil
}

// quick turns off what PostgreSQL does for queries over very many rows: every
// statement of ours reads few along an index, or counts beside the work. Compiled,
// or spread over workers, a search of 2 ms takes 64 where the planner expects
// more rows than there are. A statement of its own, since poolers refuse it as a
// parameter of the connection.
func quick(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SET jit = off; SET max_parallel_workers_per_gather = 0")
	return err
}

// pgDurable refuses a server on which a commit does not mean "on disk".
func pgDurable(ctx context.Context, pool *pgxpool.Pool) error {
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var got string
		if err := pool.QueryRow(ctx, "SHOW "+setting).Scan(&got); err != nil {
			return err
		}
		if got == "off" {
			return fmt.Errorf("%s is off: an acknowledged write could be lost", setting)
		}
	}
	return nil
}

type pgQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func pgQuery(ctx context.Context, q pgQuerier, query string, args []any) (Rows, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, pgError(err)
	}
	return pgRows{rows}, nil
}

type pgRows struct{ pgx.Rows }

// Err returns what ended the rows, sorted.
func (r pgRows) Err() error { return pgError(r.Rows.Err()) }

// pgQueryAfter runs a query behind the statements of a batch, all with one
// answer of the server. The first that fails is the error.
func pgQueryAfter(ctx context.Context, tx pgx.Tx, b *pgx.Batch, query string, args []any) (Rows, error) {
	before := b.Len()
	b.Queue(query, args...)
	answers := tx.SendBatch(ctx, b)
	for range before {
		if _, err := answers.Exec(); err != nil {
			answers.Close() //nolint:errcheck // says the same again
			return nil, pgError(err)
		}
	}
	rows, err := answers.Query()
	if err != nil {
		answers.Close() //nolint:errcheck // says the same again
		return nil, pgError(err)
	}
	return rowsAfter{pgRows{rows}, answers}, nil
}

// rowsAfter are the rows of the last statement of a batch.
type rowsAfter struct {
	pgRows
	of pgx.BatchResults
}

// Close ends the query and its batch.
func (r rowsAfter) Close() {
	r.pgRows.Close()
	r.of.Close() //nolint:errcheck // an error of the rows stands in Err, one of the connection comes with the next statement
}

func pgWrite(ctx context.Context, pool *pgxpool.Pool, f func(context.Context, *Tx) error) error {
	for try := 1; ; try++ {
		err := pgOnce(ctx, pool, f)
		if err == nil || try == pgTries || !pgAgain(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try*try) * 5 * time.Millisecond):
		}
	}
}

func pgOnce(ctx context.Context, pool *pgxpool.Pool, f func(context.Context, *Tx) error) error {
	ptx, err := pool.Begin(ctx)
	if err != nil {
		return unavailable(err)
	}
	tx := &Tx{dialect: Postgres, pgx: ptx, unsent: &pgx.Batch{}}
	err = protect(ctx, f, tx)
	if err == nil {
		err = tx.flush(ctx)
	}
	if err != nil {
		// A rollback on a fresh context: the caller's may be what ended.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if rerr := ptx.Rollback(end); rerr != nil && !errors.Is(rerr, pgx.ErrTxClosed) {
			return errors.Join(err, rerr)
		}
		return err
	}
	// Commit with a context of its own: a caller that goes away must not leave
	// the outcome unknown to us.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := ptx.Commit(end); err != nil {
		err = pgError(fmt.Errorf("commit: %w", err))
		if fault.Of(err) == fault.Unavailable {
			return unsure(err) // the answer is lost, perhaps not the commit
		}
		return err
	}
	for _, after := range tx.after {
		after()
	}
	return nil
}

// pgAgain reports whether running the transaction again may succeed.
// PostgreSQL error codes, class 40.
func pgAgain(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// pgError sorts failures of the server itself: connection (08), resources
// (53), operator intervention (57), system (58), and a connection that breaks
// or does not answer in time.
func pgError(err error) error {
	if err == nil || fault.Of(err) == fault.Unavailable {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code[:2] {
		case "08", "53", "57", "58":
			return unavailable(err)
		}
		return err
	}
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err) // also a deadline, ours or the system's
	if connect || network || errors.Is(err, net.ErrClosed) || errors.Is(err, errSilent) || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return unavailable(err)
	}
	return err
}
