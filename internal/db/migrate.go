package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Migrations pair by number and name in both dialects and only go forward.
//
//go:embed migrations
var migrationsFS embed.FS

// A Step is one migration that was or would be applied.
type Step struct {
	Version int64
	Name    string
}

// Migrate brings the schema to this program's version and returns the steps
// it took. On PostgreSQL one node at a time does it (advisory lock).
func (d *DB) Migrate(ctx context.Context) ([]Step, error) {
	p, done, err := d.goose()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := older(ctx, p); err != nil {
		return nil, err
	}
	results, err := p.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	steps := make([]Step, 0, len(results))
	for _, r := range results {
		steps = append(steps, Step{r.Source.Version, r.Source.Path})
	}
	return steps, nil
}

// Pending returns the steps that Migrate would take.
func (d *DB) Pending(ctx context.Context) ([]Step, error) {
	p, done, err := d.goose()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := older(ctx, p); err != nil {
		return nil, err
	}
	all, err := p.Status(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, s := range all {
		if s.State == goose.StatePending {
			steps = append(steps, Step{s.Source.Version, s.Source.Path})
		}
	}
	return steps, nil
}

// ErrNewer tells that a later version of the program has changed the schema.
var ErrNewer = errors.New("the database belongs to a newer version of the program")

// Schema is a digest of the migrations of a dialect: two programs with the same
// one make the same schema.
func Schema(dialect Dialect) ([sha256.Size]byte, error) {
	dir := "migrations/sqlite"
	if dialect == Postgres {
		dir = "migrations/postgres"
	}
	h := sha256.New()
	err := fs.WalkDir(migrationsFS, dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrationsFS, path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		return err
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}

// older refuses a database that a newer program has migrated: this one would
// write rows that the newer does not expect.
func older(ctx context.Context, p *goose.Provider) error {
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have > known {
		return fmt.Errorf("%w (schema %d, this one knows %d): start the newer program, or restore the backup that was made before the upgrade", ErrNewer, have, known)
	}
	return nil
}

func (d *DB) goose() (*goose.Provider, func(), error) {
	dir, dialect, conn := "migrations/sqlite", goose.DialectSQLite3, d.WriterSQL()
	done := func() {}
	if d.pool != nil {
		dir, dialect = "migrations/postgres", goose.DialectPostgres
		conn = stdlib.OpenDBFromPool(d.pool)
		done = func() { closeQuietly(conn) }
	}
	sub, err := fs.Sub(migrationsFS, dir)
	if err != nil {
		return nil, nil, err
	}
	p, err := goose.NewProvider(dialect, conn, sub, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, nil, fmt.Errorf("migrations: %w", err)
	}
	return p, done, nil
}

// closeQuietly closes a view of a pool that stays open.
func closeQuietly(conn *sql.DB) { conn.Close() } //nolint:errcheck // the pool under it goes on
