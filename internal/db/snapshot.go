package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Snapshot runs f over one state of the whole database, while writers go on:
// what is committed after its first read does not show. It is for backups; the
// rows it reads are held back from being cleaned up until it returns.
func (d *DB) Snapshot(ctx context.Context, f func(ctx context.Context, r Reader) error) error {
	if d.pool != nil {
		tx, err := d.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return unavailable(err)
		}
		defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it only read
		return f(ctx, &Tx{dialect: Postgres, pgx: tx, unsent: &pgx.Batch{}, sealer: d.sealer, memory: &d.memory})
	}
	tx, err := d.lite.readers.BeginTx(ctx, nil)
	if err != nil {
		return liteError(err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	return f(ctx, &Tx{dialect: SQLite, sql: tx, sealer: d.sealer, memory: &d.memory})
}

// A Table is one of the program's tables, for copying it whole.
type Table struct {
	Name    string
	Columns []string // in the order of their declaration
	Key     []string // primary key
	Refers  []string // other tables that its rows name
	Flags   []string // columns that hold true or false, which SQLite keeps as numbers
}

// Tables returns the program's tables so that each comes after those its rows
// refer to. Tables of the job queue and of the migrations are not the
// program's.
func Tables(ctx context.Context, r Reader) ([]Table, error) {
	read := liteTables
	if r.Dialect() == Postgres {
		read = pgTables
	}
	all, err := read(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return sorted(all)
}

// SchemaVersion returns the number of the last migration.
func SchemaVersion(ctx context.Context, r Reader) (int64, error) {
	return Value[int64](ctx, r, `SELECT max(version_id) FROM goose_db_version`)
}

// foreign reports whether a table belongs to something under the program, or
// follows another by triggers, as the index over words does.
func foreign(name string) bool {
	return strings.Contains(name, "_fts") || strings.HasPrefix(name, "river_") || strings.HasPrefix(name, "goose_") || strings.HasPrefix(name, "sqlite_")
}

// sorted puts tables after those they refer to, else by name.
func sorted(all []Table) ([]Table, error) {
	slices.SortFunc(all, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	out := make([]Table, 0, len(all))
	done := map[string]bool{}
	for len(out) < len(all) {
		before := len(out)
		for _, t := range all {
			ready := !slices.ContainsFunc(t.Refers, func(name string) bool { return name != t.Name && !done[name] })
			if !done[t.Name] && ready {
				out, done[t.Name] = append(out, t), true
			}
		}
		if len(out) == before {
			return nil, errors.New("tables refer to each other in a circle")
		}
	}
	return out, nil
}

func liteTables(ctx context.Context, r Reader) ([]Table, error) {
	names, err := All(ctx, r, Scalar[string], `SELECT name FROM sqlite_master WHERE type = 'table'`)
	if err != nil {
		return nil, err
	}
	var out []Table
	for _, name := range names {
		if foreign(name) {
			continue
		}
		t := Table{Name: name}
		if t.Columns, err = All(ctx, r, Scalar[string], `SELECT name FROM pragma_table_info($1) ORDER BY cid`, name); err != nil {
			return nil, err
		}
		if t.Flags, err = All(ctx, r, Scalar[string], `SELECT name FROM pragma_table_info($1) WHERE type = 'BOOLEAN'`, name); err != nil {
			return nil, err
		}
		if t.Key, err = All(ctx, r, Scalar[string], `SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk`, name); err != nil {
			return nil, err
		}
		if t.Refers, err = All(ctx, r, Scalar[string], `SELECT DISTINCT "table" FROM pragma_foreign_key_list($1)`, name); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func pgTables(ctx context.Context, r Reader) ([]Table, error) {
	names, err := All(ctx, r, Scalar[string], `SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()`)
	if err != nil {
		return nil, err
	}
	var out []Table
	for _, name := range names {
		if foreign(name) {
			continue
		}
		t := Table{Name: name}
		t.Columns, err = All(ctx, r, Scalar[string], `
			SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, name)
		if err != nil {
			return nil, err
		}
		t.Key, err = All(ctx, r, Scalar[string], `
			SELECT a.attname::text FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY k (num, pos), pg_attribute a
			WHERE c.conrelid = $1::text::regclass AND c.contype = 'p' AND a.attrelid = c.conrelid AND a.attnum = k.num ORDER BY k.pos`, name)
		if err != nil {
			return nil, err
		}
		t.Refers, err = All(ctx, r, Scalar[string], `
			SELECT DISTINCT f.relname::text FROM pg_constraint c JOIN pg_class f ON f.oid = c.confrelid
			WHERE c.conrelid = $1::text::regclass AND c.contype = 'f'`, name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
