package flagger

import (
	"context"
	"errors"
	"slices"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

var (
	// errAgain ends a transaction whose row was reported before.
	errAgain = errors.New("reported before")
	// errMoved ends a transaction of a list that somebody else works on.
	errMoved = errors.New("the list has moved on")
)

// atOnce is how many rows are looked up together.
const atOnce = 200

// Work makes reports of the rows of a running list that are not done, one after
// the other, so that it never holds more than one place among those who write;
// or entries, some at a time. What is made and the list's progress are one
// commit: work that broke off goes on where it was. Of a list that is undone it
// takes the reports back, in the same way.
func (r *Room) Work(ctx context.Context, id ID) error {
	l, err := r.load(ctx, r.DB, id, "")
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	if err == nil && l.State == Undone && l.Kind == Reports {
		return r.takeBack(ctx, id)
	}
	if err != nil || l.State != Running {
		return err
	}
	_, rows, err := r.read(ctx, l)
	if err != nil {
		return err
	}
	w := work{room: r, list: l.List, key: l.key, printer: i18n.For(l.Lang)}
	for i := l.Next; i < len(rows); {
		part := rows[i:min(i+atOnce, len(rows))]
		if r.Spare != nil {
			if err := r.Spare(); err != nil {
				return err // tried again later
			}
		}
		if l.Kind == Register {
			if err := w.keepEntries(ctx, part, l.key); err != nil {
				return w.stop(err)
			}
			i += len(part)
			continue
		}
		known, err := marked(ctx, r.DB, l.List, marks(part))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(part, func(r Row) bool { return len(r.Faults) > 0 }) {
			if err := w.refuse(ctx, part...); err != nil {
				return err
			}
		}
		for _, row := range part {
			if err := w.row(ctx, row, known); err != nil {
				return w.stop(err)
			}
		}
		i += len(part)
	}
	return w.stop(w.finish(ctx))
}

// marks are those of the rows that can be reported.
func marks(rows []Row) [][]byte {
	var out [][]byte
	for _, row := range rows {
		if row.mark != nil {
			out = append(out, row.mark)
		}
	}
	return out
}

// A work is a list on its way. What its counts have not said yet goes into the
// database with the next report.
type work struct {
	room                  *Room
	list                  List
	key                   vault.Key
	printer               *i18n.Printer
	skipped, again, wrong int
}

// stop makes an end that another worker brought about no failure.
func (w *work) stop(err error) error {
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// row reports one row, or counts why not.
func (w *work) row(ctx context.Context, row Row, known map[string]made) error {
	_, before := known[string(row.mark)]
	switch {
	case row.mark == nil:
		w.skipped, w.wrong = w.skipped+1, w.wrong+1
		return nil
	case before:
		w.skipped, w.again = w.skipped+1, w.again+1
		return nil
	}
	_, err := w.room.Reports.Submit(ctx, report.Submission{
		Channel: report.Partner, From: w.list.Party, Bulk: true, Locations: row.Locations, Category: row.Category,
		Description: row.description(w.printer), Lang: w.list.Lang,
		With: func(ctx context.Context, tx *db.Tx, id report.ID, _ string) error { return w.done(ctx, tx, row, id) },
	})
	switch {
	case errors.Is(err, errAgain): // twice in one file
		w.skipped, w.again = w.skipped+1, w.again+1
		return nil
	case fault.Of(err) == fault.Invalid && !errors.Is(err, errMoved):
		if err := w.refuse(ctx, refusedBy(row, err)); err != nil {
			return err
		}
		w.skipped, w.wrong = w.skipped+1, w.wrong+1
		return nil
	case err != nil:
		return err
	}
	w.list.Next += w.skipped + 1
	w.skipped, w.again, w.wrong = 0, 0, 0
	return nil
}

// done notes a row's report and how far the list is.
func (w *work) done(ctx context.Context, tx *db.Tx, row Row, id report.ID) error {
	n, err := tx.Exec(ctx, `INSERT INTO flagger_rows (import_id, n, party_id, mark, report_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		w.list.ID, row.N, w.list.Party, row.mark, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return errAgain
	}
	return w.advance(ctx, tx, 1)
}

// advance moves the list on by the rows that were skipped and by so many that
// were made.
func (w *work) advance(ctx context.Context, tx *db.Tx, made int) error {
	n, err := tx.Exec(ctx, `
		UPDATE flagger_imports SET next = $3, made = made + $4, again = again + $5, wrong = wrong + $6
		WHERE id = $1 AND next = $2 AND state = 'running'`,
		w.list.ID, w.list.Next, w.list.Next+w.skipped+made, made, w.again, w.wrong)
	if err == nil && n == 0 {
		err = errMoved
	}
	return err
}

// finish ends a list.
func (w *work) finish(ctx context.Context) error {
	return w.room.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := w.advance(ctx, tx, 0); err != nil {
			return err
		}
		now := w.room.Clock.Now()
		if _, err := tx.Exec(ctx, `UPDATE flagger_imports SET state = 'done', ended_at = $2 WHERE id = $1`, w.list.ID, db.Micros(now)); err != nil {
			return err
		}
		l, err := w.room.load(ctx, tx, w.list.ID, "")
		if err != nil {
			return err
		}
		return w.room.record(ctx, tx, l.List, "", eventDone, now)
	})
}

// Running returns the lists whose rows are on their way, the oldest first.
func (r *Room) Running(ctx context.Context) ([]ID, error) {
	return db.All(ctx, r.DB, db.Scalar[ID], `SELECT id FROM flagger_imports WHERE state = 'running' ORDER BY created_at LIMIT 100`)
}

// Undoing returns the lists whose reports are to be taken back, the oldest first.
func (r *Room) Undoing(ctx context.Context) ([]ID, error) {
	return db.All(ctx, r.DB, db.Scalar[ID], `
		SELECT id FROM flagger_imports WHERE state = 'undone' AND kind = 'reports' AND blob_name IS NOT NULL ORDER BY created_at LIMIT 100`)
}
