package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// maxBatch bounds how many transactions share one commit, and maxBatchTime
	// how long the first of them waits for the others.
	maxBatch     = 256
	maxBatchTime = 5 * time.Millisecond
	// maxWaiting bounds the queue in front of the writer: past it a caller is
	// told to come back rather than left to wait.
	maxWaiting = 4096
)

// lite is an open SQLite database: one writer, many readers.
type lite struct {
	writer  *sql.DB // exactly one connection
	readers *sql.DB
	queue   chan *liteWrite
	done    chan struct{}

	mu     sync.RWMutex // held for reading while a write is queued, so that close sees none half in
	closed bool         // guarded by mu
}

// liteWrite is one transaction that waits for the writer.
type liteWrite struct {
	ctx  context.Context
	f    func(context.Context, *Tx) error
	err  error
	tx   *Tx
	done chan error
}

func openLite(ctx context.Context, path string) (*lite, error) {
	if path == "" {
		return nil, errors.New("no path: want sqlite:PATH")
	}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	writer, err := openPool(liteDSN(path, "immediate"), 1)
	if err != nil {
		return nil, err
	}
	readers, err := openPool(liteDSN(path, "deferred")+"&_pragma=query_only(1)", max(4, 2*runtime.NumCPU()))
	if err != nil {
		return nil, err
	}
	l := &lite{writer: writer, readers: readers, queue: make(chan *liteWrite, maxWaiting), done: make(chan struct{})}
	if err := l.assertDurable(ctx); err != nil {
		return nil, errors.Join(inWords(err, path), writer.Close(), readers.Close())
	}
	go l.run()
	return l, nil
}

// openPool returns a pool of at most n connections, which stay open and keep
// their prepared statements.
func openPool(dsn string, n int) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(preparing{c})
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

// makePrivate makes an empty database file that only its owner can read, as
// SQLite itself would not; its log takes over the mode. A file that this user
// may not change is refused in words: SQLite would name a number.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("user %d may not read and write it: give the file and its directory to the user that the program runs as", os.Getuid())
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("its directory is not there: %w", err)
	case err != nil:
		return err
	}
	return f.Close()
}

// liteDSN spells the settings that durability rests on. busy_timeout covers
// other processes (backup, the shell); inside this one writers never collide.
func liteDSN(path, lock string) string {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)")
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", "secure_delete(1)")
	q.Add("_pragma", "temp_store(2)") // what a savepoint could put back stays in memory
	q.Set("_txlock", lock)
	return "file:" + path + "?" + q.Encode()
}

// assertDurable refuses an engine or a setting under which an acknowledged
// write could be lost: WAL without FULL sync loses commits at a power cut, and
// engines before 3.51.3 (and 3.52.0) can corrupt a WAL on reset (threat T30).
func (l *lite) assertDurable(ctx context.Context) error {
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := l.writer.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("sqlite: %s is %s, want %s", pragma, got, want)
		}
	}
	var version string
	if err := l.writer.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("sqlite version %q: %w", version, err)
	}
	n := major*1_000_000 + minor*1_000 + patch
	if n < 3_051_003 || n == 3_052_000 {
		return fmt.Errorf("sqlite %s can corrupt its log on reset: want 3.51.3 or later, not 3.52.0", version)
	}
	return nil
}

func (l *lite) close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	close(l.queue)
	l.mu.Unlock()
	<-l.done
	l.readers.Close() //nolint:errcheck // nothing is pending on a reader
	l.writer.Close()  //nolint:errcheck // every commit was acknowledged or refused by now
}

func (l *lite) write(ctx context.Context, f func(context.Context, *Tx) error) error {
	w := &liteWrite{ctx: ctx, f: f, done: make(chan error, 1)}
	l.mu.RLock()
	if l.closed {
		l.mu.RUnlock()
		return unavailable(errors.New("the database is closed"))
	}
	select {
	case l.queue <- w:
		l.mu.RUnlock()
	default:
		l.mu.RUnlock()
		return unavailable(errors.New("too many writes are waiting"))
	}
	// The caller waits for its own commit even when its context ends: it must
	// learn whether the write is in.
	return <-w.done
}

// run is the one writer.
func (l *lite) run() {
	defer close(l.done)
	for first := range l.queue {
		l.commit(l.batch(first))
	}
}

// batch runs first and whatever else is waiting inside one transaction, each
// in a savepoint of its own, and returns them with their errors set.
func (l *lite) batch(first *liteWrite) (*sql.Tx, []*liteWrite, error) {
	tx, err := l.writer.BeginTx(context.Background(), nil)
	if err != nil {
		return nil, []*liteWrite{first}, err
	}
	batch := []*liteWrite{first}
	first.run(tx)
	for start := time.Now(); len(batch) < maxBatch && time.Since(start) < maxBatchTime; { //nolint:forbidigo // monotonic, for the duration only
		select {
		case next, open := <-l.queue:
			if !open {
				return tx, batch, nil
			}
			next.run(tx)
			batch = append(batch, next)
		default:
			return tx, batch, nil
		}
	}
	return tx, batch, nil
}

// commit makes the batch durable and tells each caller.
func (l *lite) commit(tx *sql.Tx, batch []*liteWrite, err error) {
	if err == nil {
		err = tx.Commit()
		if err != nil {
			tx.Rollback() //nolint:errcheck // the commit's error is the one that counts
		}
	}
	for _, w := range batch {
		switch {
		case w.err != nil:
			w.done <- w.err
		case err != nil:
			w.done <- unavailable(fmt.Errorf("commit: %w", err))
		default:
			for _, f := range w.tx.after {
				f()
			}
			w.done <- nil
		}
	}
}

// run executes one transaction inside the batch. Its context's end is looked
// at before and not during: an interrupted statement would roll back the whole
// batch, other callers' work included.
func (w *liteWrite) run(tx *sql.Tx) {
	if w.err = w.ctx.Err(); w.err != nil {
		return
	}
	ctx := context.WithoutCancel(w.ctx)
	w.tx = &Tx{dialect: SQLite, sql: tx}
	if _, w.err = tx.ExecContext(ctx, "SAVEPOINT w"); w.err != nil {
		return
	}
	w.err = protect(ctx, w.f, w.tx)
	if w.err != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO w"); err != nil {
			w.err = errors.Join(w.err, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE w"); err != nil && w.err == nil {
		w.err = err
	}
}

// protect turns a panic of f into an error, so that a bug in one caller does
// not stop the writer for all.
func protect(ctx context.Context, f func(context.Context, *Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return f(ctx, tx)
}

type liteQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type liteRows struct{ *sql.Rows }

// Err returns what ended the rows, sorted.
func (r liteRows) Err() error { return liteError(r.Rows.Err()) }

// Close ends the query; an error of it stands in Err already.
func (r liteRows) Close() { r.Rows.Close() } //nolint:errcheck // see above

func liteQuery(ctx context.Context, q liteQuerier, query string, args []any) (Rows, error) {
	rows, err := q.QueryContext(ctx, liteSQL(query), args...)
	if err != nil {
		return nil, liteError(err)
	}
	return liteRows{rows}, nil
}

func liteExec(ctx context.Context, tx *sql.Tx, query string, args []any) (int64, error) {
	res, err := tx.ExecContext(context.WithoutCancel(ctx), liteSQL(query), args...)
	if err != nil {
		return 0, liteError(err)
	}
	return res.RowsAffected()
}

var (
	placeholder = regexp.MustCompile(`\$([0-9]+)`)
	rowLock     = regexp.MustCompile(`(?i)\s+FOR\s+UPDATE(\s+OF\s+\w+)?(\s+SKIP\s+LOCKED)?`)
	liteTexts   sync.Map // query -> rewritten query; queries are constants, so it stays small
)

// liteSQL rewrites what SQLite says differently: $n, which it would number by
// first appearance, and row locks, which its one writer does not need.
func liteSQL(query string) string {
	if s, ok := liteTexts.Load(query); ok {
		return s.(string)
	}
	s := placeholder.ReplaceAllString(query, "?$1")
	s = rowLock.ReplaceAllString(s, "")
	s = strings.ReplaceAll(s, ` COLLATE "C"`, "")
	liteTexts.Store(query, s)
	return s
}

func liteError(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN:
			return unavailable(err)
		}
	}
	return err
}

// inWords says what to do about a file that does not open.
func inWords(err error, path string) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the file is damaged or no database: keep it aside, and restore the last backup (%w)", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("user %d may not write into %s: give that directory to the user that the program runs as (%w)", os.Getuid(), filepath.Dir(path), err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("another program holds it: stop that one (%w)", err)
	}
	return err
}
