package flagger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/vault"
)

const listColumns = `id, kind, party_id, person_id, state, lines, next, made, again, wrong, key, sealed, created_at, started_at, ended_at, undone_at, undone_by, back`

// row is a list as stored.
type row struct {
	List
	wrapped vault.WrappedKey
	sealed  []byte

	key  vault.Key
	head head
}

// head is what is sealed of a list.
type head struct {
	Name    string    `json:"name"`
	Sheet   string    `json:"sheet,omitempty"`
	Other   int       `json:"other,omitempty"`
	Lang    i18n.Lang `json:"lang"`
	Columns []Field   `json:"columns"`
	Rows    vault.Ref `json:"rows"` // the table, as sheet.Table.Encode wrote it
}

func scanRow(from db.Row) (row, error) {
	var r row
	var key []byte
	err := from.Scan(&r.ID, &r.Kind, &r.Party, &r.Person, &r.State, &r.Lines, &r.Next, &r.Made, &r.Again, &r.Wrong, &key, &r.sealed,
		db.Time(&r.CreatedAt), db.Time(&r.StartedAt), db.Time(&r.EndedAt), db.Time(&r.UndoneAt), db.Text(&r.UndoneBy), &r.Back)
	r.wrapped = key
	return r, err
}

// aad ties what is sealed to its list and to whose it is.
func (l List) aad() string {
	of := "flagger/"
	if l.Kind == Register {
		of = "flagger-register/"
	}
	return of + string(l.ID) + "/" + string(l.Party) + "/" + string(l.Person)
}

// load returns a list, opened, or a hidden fault. In a transaction lock is
// " FOR UPDATE".
func (r *Room) load(ctx context.Context, q db.Reader, id ID, lock string) (row, error) {
	l, err := db.One(ctx, q, scanRow, `SELECT `+listColumns+` FROM flagger_imports WHERE id = $1`+lock, id)
	if errors.Is(err, db.ErrAbsent) {
		return row{}, fault.Hidden("list")
	}
	if err != nil {
		return row{}, err
	}
	return l, r.open(&l)
}

// open unseals the head of a list.
func (r *Room) open(l *row) error {
	if l.Gone = len(l.wrapped) == 0; l.Gone {
		return nil
	}
	var err error
	if l.key, err = r.Vault.Unwrap(l.wrapped); err != nil {
		return fmt.Errorf("open list %s: %w", l.ID, err)
	}
	plain, err := vault.Unseal(l.key, l.sealed, l.aad())
	if err != nil {
		return fmt.Errorf("open list %s: %w", l.ID, err)
	}
	if err := json.Unmarshal(plain, &l.head); err != nil {
		return fmt.Errorf("open list %s: %w", l.ID, err)
	}
	h := l.head
	l.Gone = h.Rows.Stored == vault.Digest{}
	l.Name, l.Sheet, l.Other, l.Lang, l.Columns = h.Name, h.Sheet, h.Other, h.Lang, h.Columns
	return nil
}

// seal returns the head of a list, sealed.
func (l row) seal() ([]byte, error) {
	plain, err := json.Marshal(l.head)
	return vault.Seal(l.key, plain, l.aad()), err
}

// table reads the rows of a list. One whose rows are gone has none.
func (r *Room) table(ctx context.Context, l row) (sheet.Table, error) {
	if l.Gone {
		return sheet.Table{}, fault.New(fault.Conflict, "flagger.gone")
	}
	raw, err := r.Vault.ReadAll(ctx, l.key, l.head.Rows, sheet.MaxEncoded)
	if err != nil {
		return sheet.Table{}, fmt.Errorf("rows of list %s: %w", l.ID, err)
	}
	t, err := sheet.Decode(raw)
	if err != nil {
		return t, fmt.Errorf("rows of list %s: %w", l.ID, err)
	}
	return t, nil
}

// read returns what the rows of a list say.
func (r *Room) read(ctx context.Context, l row) (reader, []Row, error) {
	t, err := r.table(ctx, l)
	if err != nil {
		return reader{}, nil, err
	}
	in := reader{room: r, table: t, kind: l.Kind, columns: l.head.Columns, party: l.Party, now: l.CreatedAt}
	return in, in.rows(), nil
}

// made is what became of a row that was reported.
type made struct {
	id  string // of the report, or the entry
	ref string // of the report
}

// marked returns which of the marks an organisation has sent, and as what.
func marked(ctx context.Context, q db.Reader, l List, marks [][]byte) (map[string]made, error) {
	out := make(map[string]made, len(marks))
	_, err := db.AllIn(ctx, q, func(row db.Row) (none struct{}, err error) {
		var mark []byte
		var m made
		err = row.Scan(&mark, &m.id, &m.ref)
		out[string(mark)] = m
		return none, err
	}, func(in string) string {
		if l.Kind == Register {
			return `SELECT mark, id, '' FROM register_entries WHERE party_id = $1 AND mark IN (` + in + `)`
		}
		return `SELECT f.mark, f.report_id, r.ref FROM flagger_rows f JOIN reports r ON r.id = f.report_id
			WHERE f.party_id = $1 AND f.mark IN (` + in + `)`
	}, marks, l.Party)
	return out, err
}

// Blobs returns which of the vault's blobs, by name, hold the rows of lists.
func (r *Room) Blobs(ctx context.Context, q db.Reader, names []string) ([]string, error) {
	return db.AllIn(ctx, q, db.Scalar[string], func(in string) string { return `SELECT blob_name FROM flagger_imports WHERE blob_name IN (` + in + `)` }, names)
}

// Sweep forgets drafts that nobody started within a day, and the rows of lists
// of reports that ended three months ago. Those of a register are kept as long
// as it is.
func (r *Room) Sweep(ctx context.Context) error {
	now := r.Clock.Now()
	old, err := db.All(ctx, r.DB, scanRow, `SELECT `+listColumns+` FROM flagger_imports
		WHERE key IS NOT NULL AND (state = 'draft' AND created_at < $1 OR state = 'done' AND kind = 'reports' AND ended_at < $2) ORDER BY id LIMIT 100`,
		db.Micros(now.Add(-draftFor)), db.Micros(now.Add(-keptFor)))
	if err != nil {
		return err
	}
	var all error
	for _, l := range old {
		all = errors.Join(all, r.forget(ctx, l))
	}
	return all
}

// forget removes what is sealed of a list, and all of a draft.
func (r *Room) forget(ctx context.Context, l row) error {
	if err := r.open(&l); err != nil {
		return err
	}
	query := `UPDATE flagger_imports SET key = NULL, sealed = NULL, blob_name = NULL WHERE id = $1 AND state = 'done'`
	if l.State == Draft {
		query = `DELETE FROM flagger_imports WHERE id = $1 AND state = 'draft'`
	}
	gone := false
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM flagger_refused WHERE import_id = $1`, l.ID); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, query, l.ID)
		gone = n > 0
		return err
	})
	if err != nil || !gone {
		return err
	}
	return r.Vault.Delete(ctx, l.head.Rows)
}
