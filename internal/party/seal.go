package party

import (
	"context"
	"fmt"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

// Rows of parties, people and their keys carry a MAC under the instance key
// (db.Sealer), over every column. Whoever can only write rows can make nobody
// an officer, enrol no key for a colleague, and wake nobody who left: a row
// that does not hold is treated as if it were absent, wherever an actor is
// established or a key is fetched (threat-model T12). What they can do is put
// an earlier state of a row back, MAC and all, from a copy of the database.
//
// Another table comes under it by a column mac, a table value as below, reading
// through one and all, and a call of seal after each INSERT and of change for
// each UPDATE. A new column of a table here goes into the scan function, into
// the values.

// A table is one whose rows are sealed.
type table[T any] struct {
	name    string
	columns string
	scan    func(db.Row) (sealed[T], error) // reads columns, and mac after them
}

// sealed is a row as it was read.
type sealed[T any] struct {
	row    T
	id     string
	values []any // of every column, see db.Spell
	mac    []byte
}

var (
	parties    = table[Party]{"parties", partyColumns, scanParty}
	people     = table[Person]{"people", personColumns, scanPerson}
	personKeys = table[Key]{"person_keys", keyColumns, scanKey}
)

func (t table[T]) query(rest string) string {
	return `SELECT ` + t.columns + `, mac FROM ` + t.name + ` ` + rest
}

// one returns the first row of a query that begins with WHERE. One that does
// not hold is hidden as an absent one is.
func (t table[T]) one(ctx context.Context, r db.Reader, rest string, args ...any) (T, error) {
	var none T
	got, err := hide(db.One(ctx, r, t.scan, t.query(rest), args...))
	if err == nil && !r.Sealer().Holds(t.name, got.id, got.mac, got.values...) {
		return none, fault.Hidden("entry")
	}
	return got.row, err
}

// all returns the rows of a query, without those that do not hold.
func (t table[T]) all(ctx context.Context, r db.Reader, rest string, args ...any) ([]T, error) {
	got, err := db.All(ctx, r, t.scan, t.query(rest), args...)
	if err != nil {
		return nil, err
	}
	var out []T
	for _, g := range got {
		if r.Sealer().Holds(t.name, g.id, g.mac, g.values...) {
			out = append(out, g.row)
		}
	}
	return out, nil
}

// seal gives a row the MAC over it as it stands in tx. Only for a row that this
// transaction has made or changed, and that held before.
func (t table[T]) seal(ctx context.Context, tx *db.Tx, id string) error {
	got, err := db.One(ctx, tx, t.scan, t.query(`WHERE id = $1`), id)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE `+t.name+` SET mac = $2 WHERE id = $1`, id, tx.Sealer().Seal(t.name, got.values...))
	return err
}

// change runs an UPDATE of one row and returns how many it changed. A row that
// did not hold before is changed, and does not hold after.
func (t table[T]) change(ctx context.Context, tx *db.Tx, id, update string, args ...any) (int64, error) {
	_, before := t.one(ctx, tx, `WHERE id = $1`, id)
	if before != nil && fault.Of(before) != fault.NotFound {
		return 0, before
	}
	n, err := tx.Exec(ctx, update, args...)
	if err != nil || n == 0 || before != nil {
		return n, err
	}
	return n, t.seal(ctx, tx, id)
}

// altered names the rows that do not hold.
func (t table[T]) altered(ctx context.Context, r db.Reader) ([]string, error) {
	got, err := db.All(ctx, r, t.scan, t.query(``))
	var out []string
	for _, g := range got {
		if !r.Sealer().Holds(t.name, g.id, g.mac, g.values...) {
			out = append(out, fmt.Sprintf("%s %s", t.name, g.id))
		}
	}
	return out, err
}

// sealOld seals the rows that have no MAC.
func (t table[T]) sealOld(ctx context.Context, tx *db.Tx) error {
	ids, err := db.All(ctx, tx, db.Scalar[string], `SELECT id FROM `+t.name+` WHERE mac IS NULL`)
	for _, id := range ids {
		if err := t.seal(ctx, tx, id); err != nil {
			return err
		}
	}
	return err
}

// Altered names every row of parties, people and keys that this program has not
// written as it stands. It reads them all.
func Altered(ctx context.Context, r db.Reader) ([]string, error) {
	var out []string
	for _, look := range []func(context.Context, db.Reader) ([]string, error){parties.altered, people.altered, personKeys.altered} {
		found, err := look(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// SealOnce is the name of the step that SealOld is, for vault.Once.
const SealOnce = "party-macs"

// SealOld seals what was written before rows had a MAC. It must run once in the
// life of an instance (vault.Once), or whoever writes rows without one waits
// for it.
func SealOld(ctx context.Context, d *db.DB) error {
	return d.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, do := range []func(context.Context, *db.Tx) error{parties.sealOld, people.sealOld, personKeys.sealOld} {
			if err := do(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}
