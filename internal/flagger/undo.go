package flagger

import (
	"context"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// Undo takes back what was started by mistake.
//
// A register is taken back as a whole: its entries are gone from cases and from
// what is found, and what they said is destroyed with its key. Of a list no
// further row is reported, and those of its reports go that nobody has taken up
// yet, by and by: see Work. What somebody has begun with stays, for it is the
// agency's by then. That the list was there, who brought it, what became of it
// and who took it back stays on record.
func (r *Room) Undo(ctx context.Context, by party.Actor, id ID) error {
	var rows vault.Ref // that nobody needs any more
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		l, err := r.load(ctx, tx, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if err := auth.May(by, l.Kind.send(), l.Object()); err != nil {
			return err
		}
		if l.State != Running && l.State != Done || l.Gone {
			return fault.New(fault.Conflict, "flagger.not-undone")
		}
		now := r.Clock.Now()
		if _, err := tx.Exec(ctx, `UPDATE flagger_imports SET state = 'undone', undone_at = $2, undone_by = $3 WHERE id = $1`, id, db.Micros(now), by.Person); err != nil {
			return err
		}
		if err := r.record(ctx, tx, l.List, by.Person, eventUndone, now); err != nil {
			return err
		}
		if l.Kind == Register {
			rows = l.head.Rows
			return r.undo(ctx, tx, l)
		}
		if r.EnqueueBack == nil {
			return nil
		}
		return r.EnqueueBack(ctx, tx, id)
	})
	if err != nil {
		return err
	}
	return r.dropRows(ctx, id, rows)
}

// dropRows removes the rows of a list whose key is gone.
func (r *Room) dropRows(ctx context.Context, id ID, rows vault.Ref) error {
	if rows == (vault.Ref{}) {
		return nil
	}
	if err := r.Vault.Delete(ctx, rows); err != nil {
		return fmt.Errorf("undo list %s: %w", id, err)
	}
	return nil
}

// strip leaves of a list what it is called, under a key that opens nothing else.
func (r *Room) strip(ctx context.Context, tx *db.Tx, l row) error {
	l.head = head{Name: l.head.Name, Lang: l.head.Lang}
	var err error
	if l.key, l.wrapped, err = r.Vault.NewKey(); err != nil {
		return err
	}
	sealed, err := l.seal()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM flagger_refused WHERE import_id = $1`, l.ID); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE flagger_imports SET key = $2, sealed = $3, blob_name = NULL WHERE id = $1`, l.ID, []byte(l.wrapped), sealed)
	return err
}

// backAtOnce is how many reports are taken back in one transaction.
const backAtOnce = 25

// takeBack takes the reports of an undone list back, some at a time. Each part
// and how far the list is are one commit.
func (r *Room) takeBack(ctx context.Context, id ID) error {
	for {
		if r.Spare != nil {
			if err := r.Spare(); err != nil {
				return err // tried again later
			}
		}
		var rows vault.Ref
		more := false
		err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			l, err := r.load(ctx, tx, id, " FOR UPDATE")
			if rows, more = (vault.Ref{}), false; err != nil || l.Gone { // another worker has done it
				return err
			}
			rows = l.head.Rows
			more, err = r.takeSome(ctx, tx, l, r.Clock.Now())
			return err
		})
		if err != nil {
			return err
		}
		if !more {
			return r.dropRows(ctx, id, rows)
		}
	}
}

// takeSome takes some reports of a list back; the last time there are none, and
// the list is done with.
func (r *Room) takeSome(ctx context.Context, tx *db.Tx, l row, now time.Time) (more bool, err error) {
	type made struct {
		n  int
		id report.ID
	}
	some, err := db.All(ctx, tx, func(row db.Row) (made, error) {
		var m made
		err := row.Scan(&m.n, &m.id)
		return m, err
	}, `SELECT n, report_id FROM flagger_rows
		WHERE import_id = $1 AND n > (SELECT back_next FROM flagger_imports WHERE id = $1) ORDER BY n LIMIT $2`, l.ID, backAtOnce)
	if err != nil {
		return false, err
	}
	if len(some) == 0 {
		if err := r.strip(ctx, tx, l); err != nil {
			return false, err
		}
		return false, r.record(ctx, tx, l.List, l.UndoneBy, eventTakenBack, now)
	}
	ids := make([]report.ID, len(some))
	for i, m := range some {
		ids[i] = m.id
	}
	back, err := r.Cases.TakeBackTx(ctx, tx, ids, now)
	if err != nil {
		return false, err
	}
	for _, id := range back { // the same row is a new one, should it be sent again
		if _, err := tx.Exec(ctx, `DELETE FROM flagger_rows WHERE import_id = $1 AND report_id = $2`, l.ID, id); err != nil {
			return false, err
		}
	}
	_, err = tx.Exec(ctx, `UPDATE flagger_imports SET back = back + $2, back_next = $3 WHERE id = $1`, l.ID, len(back), some[len(some)-1].n)
	return true, err
}
