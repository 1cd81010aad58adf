package casework

import (
	"context"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/report"
)

// goneAtOnce bounds how many locations one statement names.
const goneAtOnce = 200

// markGone notes which locations of a finished dossier its platform has taken
// away, and that the others of it are there.
func markGone(ctx context.Context, tx *db.Tx, d Dossier, gone []report.LocationID, now time.Time) error {
	if _, err := tx.Exec(ctx, `
		UPDATE case_locations SET gone_at = NULL
		WHERE case_id = $1 AND location_id IN (SELECT location_id FROM dossier_locations WHERE dossier_id = $2)`, d.CaseID, d.ID); err != nil {
		return err
	}
	return setGone(ctx, tx, d.CaseID, gone, db.Micros(now))
}

func setGone(ctx context.Context, tx *db.Tx, id ID, at []report.LocationID, value any) error {
	for some := range slices.Chunk(at, goneAtOnce) {
		args := []any{id, value}
		for _, l := range some {
			args = append(args, l)
		}
		if _, err := tx.Exec(ctx, `UPDATE case_locations SET gone_at = $2 WHERE case_id = $1 AND location_id IN (`+db.Places(3, len(some))+`)`, args...); err != nil {
			return err
		}
	}
	return nil
}

// back reports whether a new report names what its platform had taken away
// before the report came.
func back(ctx context.Context, tx *db.Tx, id ID, f report.Facts) (bool, error) {
	found, err := db.AllIn(ctx, tx, db.Scalar[int64], func(in string) string {
		return `SELECT count(*) FROM case_locations WHERE case_id = $1 AND gone_at < $2 AND location_id IN (` + in + `)`
	}, f.Locations, id, db.Micros(f.ReceivedAt))
	return slices.ContainsFunc(found, func(n int64) bool { return n > 0 }), err
}
