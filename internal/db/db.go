// Package db keeps the program's rows, in SQLite or in PostgreSQL.
//
// It is the only package that knows the dialect. SQL is written once, with
// placeholders $1, $2, …, always bound; db rewrites what SQLite says
// differently. Readers and writers have different types, so that a signature
// shows which one a function is: a Reader reads, a *Tx writes.
//
// SQLite has one writer (BEGIN IMMEDIATE) that commits waiting transactions
// together, so that many callers share one fsync, and a pool of readers.
// Nothing is acknowledged before the commit that contains it is on disk.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tangkal/tangkal/internal/fault"
)

// A Dialect is one of the two databases.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// ErrAbsent is returned by One when no row matches.
var ErrAbsent = errors.New("no such row")

// A DB is an open database. It is a Reader and is safe for concurrent use.
type DB struct {
	dialect Dialect
	url     string
	lite    *lite         // SQLite only
	pool    *pgxpool.Pool // PostgreSQL only
	pulse   *pulse        // PostgreSQL only
	sealer  *Sealer       // nil before SealWith
	memory  sync.Map      // see Tx.Memory
	watch   Watch         // nil before Watch
	hold    *os.File      // locked from Hold on
}

// A Row is what a scan function reads one row from.
type Row interface {
	// Scan copies the row's columns into dest, in the query's order.
	Scan(dest ...any) error
}

// Rows are the rows of one query, read once, front to back.
type Rows interface {
	Row
	Next() bool
	Err() error
	Close()
}

// A Reader reads: the DB itself outside of a transaction, or a *Tx inside.
type Reader interface {
	// Query runs one SELECT with bound arguments.
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	// Dialect tells which database answers.
	Dialect() Dialect
	// Sealer makes and checks the MACs of rows.
	Sealer() *Sealer
}

// A Tx is a transaction in progress. It reads what it has written. It is for
// one goroutine and must not be kept after its function has returned.
type Tx struct {
	dialect Dialect
	sql     *sql.Tx // SQLite only
	pgx     pgx.Tx  // PostgreSQL only
	sealer  *Sealer
	memory  *sync.Map
	watch   Watch
	unsent  *pgx.Batch // PostgreSQL only; see Send
	after   []func()

	gathered []*gathered // SQLite only; see Gather
}

// Open opens the database at url: "sqlite:PATH" or "postgres://…". It asserts
// that a commit means "on disk" (threat T30) and migrates nothing.
func Open(ctx context.Context, url string) (*DB, error) {
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		l, err := openLite(ctx, strings.TrimPrefix(url, "sqlite:"))
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", url, err)
		}
		return &DB{dialect: SQLite, url: url, lite: l}, nil
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		pool, beat, err := openPostgres(ctx, url)
		if err != nil {
			return nil, fmt.Errorf("open postgres: %w", err)
		}
		return &DB{dialect: Postgres, url: url, pool: pool, pulse: beat}, nil
	default:
		return nil, fmt.Errorf("database %q: want sqlite:PATH or postgres://USER@HOST/NAME", url)
	}
}

// Check reports what is wrong with a database's URL, without opening it. The
// error does not quote it: it may hold a password.
func Check(url string) error {
	file, lite := strings.CutPrefix(url, "sqlite:")
	switch {
	case lite && file == "":
		return errors.New("no path: want sqlite:PATH")
	case lite:
		return nil
	case !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://"):
		return errors.New("want sqlite:PATH or postgres://USER@HOST/NAME")
	}
	if _, err := pgxpool.ParseConfig(url); err != nil {
		return errors.New("not readable as postgres://USER@HOST/NAME with options of libpq: are special characters of the password percent-encoded?")
	}
	return nil
}

// Close waits for the writes in flight and closes every connection.
func (d *DB) Close() {
	if d.lite != nil {
		d.lite.close()
	}
	if d.pool != nil {
		d.pool.Close()
		d.pulse.close()
	}
	if d.hold != nil {
		d.hold.Close() //nolint:errcheck // it was never written after it was locked
	}
}

// Dialect tells which database this is.
func (d *DB) Dialect() Dialect { return d.dialect }

// URL returns what Open was given; it may hold a password.
func (d *DB) URL() string { return d.url }

// Pool returns the PostgreSQL pool, nil on SQLite. For the job queue and
// LISTEN only.
func (d *DB) Pool() *pgxpool.Pool { return d.pool }

// WriterSQL returns SQLite's one write connection as a pool of size one, nil
// on PostgreSQL. For the job queue and for migrations only: using it inside a
// Write would wait for itself.
func (d *DB) WriterSQL() *sql.DB {
	if d.lite == nil {
		return nil
	}
	return d.lite.writer
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	_, err := Value[int64](ctx, d, `SELECT 1`)
	return err
}

// Query runs one SELECT outside of a transaction.
func (d *DB) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	begun := d.watch.now()
	if d.pool != nil {
		rows, err := pgQuery(ctx, d.pool, query, args)
		return d.watch.rows(ctx, query, begun, rows, err)
	}
	rows, err := liteQuery(ctx, d.lite.readers, query, args)
	return d.watch.rows(ctx, query, begun, rows, err)
}

// Write runs f in one transaction and returns after the commit is durable. An
// error of f rolls everything back and is returned as it is. On PostgreSQL f
// is run again after a serialisation failure or deadlock, so it must not have
// effects outside of tx; use AfterCommit for those.
func (d *DB) Write(ctx context.Context, f func(ctx context.Context, tx *Tx) error) (err error) {
	begun := d.watch.now()
	defer func() { d.watch.ended(ctx, Transaction, begun, err) }()
	first, _ := ctx.Value(riding{}).(func(context.Context, *Tx) error)
	sealed := func(ctx context.Context, tx *Tx) error {
		tx.sealer, tx.memory, tx.watch = d.sealer, &d.memory, d.watch
		if first != nil {
			if err := first(ctx, tx); err != nil {
				return err
			}
		}
		if err := f(ctx, tx); err != nil {
			return err
		}
		return tx.Spill(ctx)
	}
	if d.pool != nil {
		return pgWrite(ctx, d.pool, sealed)
	}
	return d.lite.write(ctx, sealed)
}

type riding struct{}

// Riding returns a context under which every Write runs first before its own
// work, in the same transaction: for what an edge must know to hold exactly if
// anything was written, as that a request had its effect. An error of first
// stops the Write.
func Riding(ctx context.Context, first func(ctx context.Context, tx *Tx) error) context.Context {
	return context.WithValue(ctx, riding{}, first)
}

// Dialect tells which database this is.
func (t *Tx) Dialect() Dialect { return t.dialect }

// SQLTx returns the transaction for the job queue on SQLite, else nil.
func (t *Tx) SQLTx() *sql.Tx { return t.sql }

// PgxTx returns the transaction for the job queue on PostgreSQL, else nil.
func (t *Tx) PgxTx() pgx.Tx { return t.pgx }

// Memory is what this process remembers about the database while it is open,
// shared by every transaction: for what is costly to read again, never for what
// must not be lost. Whoever puts in what this transaction wrote does so by
// AfterCommit.
func (t *Tx) Memory() *sync.Map { return t.memory }

// AfterCommit runs f once the transaction is durable, and not if it is rolled
// back. f must be quick: it runs in the writer.
func (t *Tx) AfterCommit(f func()) { t.after = append(t.after, f) }

// Query runs one SELECT inside the transaction. Its rows must be closed before
// the next statement, which All, One and Value do.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	begun := t.watch.now()
	rows, err := t.query(ctx, query, args)
	return t.watch.rows(ctx, query, begun, rows, err)
}

func (t *Tx) query(ctx context.Context, query string, args []any) (Rows, error) {
	if t.pgx == nil {
		return liteQuery(context.WithoutCancel(ctx), t.sql, query, args)
	}
	if t.unsent.Len() == 0 {
		return pgQuery(ctx, t.pgx, query, args)
	}
	b := t.unsent
	t.unsent = &pgx.Batch{}
	return pgQueryAfter(ctx, t.pgx, b, query, args)
}

// Exec runs one statement and returns how many rows it changed.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	begun := t.watch.now()
	defer func() { t.watch.ended(ctx, query, begun, err) }()
	if t.pgx != nil {
		if err := t.flush(ctx); err != nil {
			return 0, err
		}
		tag, err := t.pgx.Exec(ctx, query, args...)
		return tag.RowsAffected(), pgError(err)
	}
	return liteExec(ctx, t.sql, query, args)
}

// Send is Exec for a statement of which nobody asks how many rows it changed.
// On PostgreSQL it goes out together with the next statement that is waited
// for, or with the commit: a transaction of ten rows then takes two or three
// answers of the server instead of ten. Its error comes with theirs.
func (t *Tx) Send(ctx context.Context, query string, args ...any) error {
	if t.pgx == nil {
		_, err := liteExec(ctx, t.sql, query, args)
		return err
	}
	t.unsent.Queue(query, args...)
	return nil
}

// Gather is Send of a row that is INSERTed into a table which this transaction
// does not read again: insert ends before VALUES. On SQLite the rows wait for the
// end of the transaction and go in together, because each statement that writes
// words by a trigger makes FTS5 write out the words of those before.
func (t *Tx) Gather(ctx context.Context, insert string, row ...any) error {
	if t.pgx != nil {
		return t.Send(ctx, insert+` VALUES (`+Places(1, len(row))+`)`, row...)
	}
	for _, g := range t.gathered {
		if g.insert == insert {
			g.rows = append(g.rows, row)
			return nil
		}
	}
	t.gathered = append(t.gathered, &gathered{insert, [][]any{row}})
	return nil
}

// gathered are rows that wait to be inserted together.
type gathered struct {
	insert string
	rows   [][]any
}

// gatherSizes are how many rows one INSERT has: few different statements, each of
// which can be kept prepared.
var gatherSizes = []int{32, 8, 1}

// Spill inserts what Gather holds back: for whoever is to see it or take it away
// again in the same transaction.
func (t *Tx) Spill(ctx context.Context) error {
	all := t.gathered
	t.gathered = nil
	for _, g := range all {
		for len(g.rows) > 0 {
			n := gatherSizes[slices.IndexFunc(gatherSizes, func(size int) bool { return size <= len(g.rows) })]
			if err := g.send(ctx, t, g.rows[:n]); err != nil {
				return err
			}
			g.rows = g.rows[n:]
		}
	}
	return nil
}

func (g *gathered) send(ctx context.Context, t *Tx, rows [][]any) error {
	width := len(rows[0])
	places := make([]string, len(rows))
	for i := range rows {
		places[i] = `(` + Places(1+i*width, width) + `)`
	}
	_, err := liteExec(ctx, t.sql, g.insert+` VALUES `+strings.Join(places, `, `), slices.Concat(rows...))
	return err
}

// flush sends what Send has kept back, in its order.
func (t *Tx) flush(ctx context.Context) error {
	if t.unsent.Len() == 0 {
		return nil
	}
	b := t.unsent
	t.unsent = &pgx.Batch{}
	return pgError(t.pgx.SendBatch(ctx, b).Close())
}

// All returns every row of a query, read by scan.
func All[T any](ctx context.Context, r Reader, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// One returns the first row of a query, or ErrAbsent.
func One[T any](ctx context.Context, r Reader, scan func(Row) (T, error), query string, args ...any) (T, error) {
	var zero T
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return zero, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return zero, err
		}
		return zero, ErrAbsent
	}
	return scan(rows)
}

// Value returns the first column of the first row, or ErrAbsent.
func Value[T any](ctx context.Context, r Reader, query string, args ...any) (T, error) {
	return One(ctx, r, Scalar[T], query, args...)
}

// Scalar scans a row of one column.
func Scalar[T any](row Row) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}

// NewID returns a fresh UUIDv7 (RFC 9562) in its text form.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Micros returns t as both databases hold it: microseconds since 1970 UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// MicrosOrNull is Micros, and NULL for the zero time.
func MicrosOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// OrNull returns nil for the zero value of a string, else s.
func OrNull[S ~string](s S) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// Time returns a scan target that reads microseconds into t, and NULL as the
// zero time.
func Time(t *time.Time) any { return (*microTime)(t) }

type microTime time.Time

// Scan reads a bigint of microseconds or NULL.
func (m *microTime) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*m = microTime(time.Time{})
	case int64:
		*m = microTime(time.UnixMicro(v).UTC())
	default:
		return fmt.Errorf("scan time: want bigint, got %T", src)
	}
	return nil
}

// Text returns a scan target that reads text into s, and NULL as "".
func Text[S ~string](s *S) any { return &nullText[S]{s} }

type nullText[S ~string] struct{ s *S }

// Scan reads text, bytes or NULL.
func (n *nullText[S]) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*n.s = ""
	case string:
		*n.s = S(v)
	case []byte:
		*n.s = S(v)
	default:
		return fmt.Errorf("scan text: got %T", src)
	}
	return nil
}

// unavailable sorts a failure of the database itself.
func unavailable(err error) error {
	e := fault.New(fault.Unavailable, "db.unavailable")
	e.RetryAfter = 5 * time.Second
	return e.Because(err)
}

// Unsure reports whether err is that of a commit whose answer was lost: what the
// transaction wrote may be there.
func Unsure(err error) bool { return fault.Is(err, "db.unsure") }

// unsure is a commit whose answer was lost: nobody can say "nothing was
// changed", and nobody "it is stored".
func unsure(err error) error {
	e := fault.New(fault.Unavailable, "db.unsure")
	e.RetryAfter = 5 * time.Second
	return e.Because(err)
}
