package app_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
)

var errUndo = errors.New("undo")

// halves break one invariant each.
var halves = map[string]string{
	"a report without its case":          `UPDATE case_reports SET report_id = 'x' || report_id`,
	"a report without its first step":    `UPDATE report_steps SET kind = 'x' WHERE kind = 'received'`,
	"a report without its location":      `DELETE FROM report_locations`,
	"a case that counts wrongly":         `UPDATE cases SET reports = reports + 1`,
	"a location in two cases":            `INSERT INTO case_locations (case_id, location_id, n, platform, kind, at) SELECT (SELECT max(id) FROM cases), location_id, 99, platform, kind, at FROM case_locations WHERE case_id = (SELECT min(id) FROM cases)`,
	"a case with more than one notice":   `UPDATE notices SET case_ref = 'x'`,
	"a case in a state of its own":       `UPDATE cases SET state = 'handed-over'`,
	"a dossier in a state of its own":    `UPDATE dossier_fates SET state = 'returned'`,
	"a finding that its case forgot":     `UPDATE cases SET assessed = assessed + 1`,
	"evidence that its case forgot":      `UPDATE cases SET captures = captures + 1`,
	"evidence without its file":          `INSERT INTO captures (id, case_id, location_id, source, status, reason, attempts, person_id, requested_at, captured_at, http_status) SELECT 'x', case_id, location_id, 'upload', 'done', '', 1, (SELECT min(id) FROM people), 1, 1, 0 FROM case_locations LIMIT 1`,
	"a notice without its items":         `UPDATE notices SET item_count = 2`,
	"a life beside its signatures":       `UPDATE notices SET life = 'draft'`,
	"a decision that never left":         `UPDATE notices SET delivery = 'queued'`,
	"a message without its decision":     `UPDATE notices SET approved_at = NULL`,
	"a receipt beside its notice":        `UPDATE notices SET received_at = NULL`,
	"an answer beside its item":          `UPDATE notice_items SET answers = answers + 1`,
	"a notice refused":                   `INSERT INTO notice_refusals (notice_id, why, at) SELECT min(id), 'rows', 1 FROM notices`,
	"a decision that is not in the feed": `UPDATE notices SET log_seq = 0`,
	"news told twice":                    `UPDATE feed_entries SET object_id = 'x'`,
	"news of nothing":                    `UPDATE feed_entries SET object_id = 'x'`,
	"a message that waits":               `UPDATE deliveries SET state = 'waiting'`,
	"news that was not sent":             `UPDATE deliveries SET seq = -seq`,
}

// Every invariant of the drill sees the half state that it is for: each is
// made by hand in what a short drill has left, and undone again.
func TestDrillKillFindsHalfStates(t *testing.T) {
	t.Parallel()
	d := newDrill(t, "sqlite:"+filepath.Join(t.TempDir(), "tangkal.db"), false)
	d.run(t, 0)
	d.stop(t)
	data := d.open(t)
	defer data.Close()
	for what, half := range halves {
		if _, ok := wrong[what]; !ok {
			t.Fatalf("no invariant is called %q", what)
		}
		rows := 0
		err := data.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Exec(ctx, half); err != nil {
				return err
			}
			found, err := db.All(ctx, tx, db.Scalar[string], wrong[what])
			rows = len(found)
			if err != nil {
				return err
			}
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			t.Errorf("%s: %v", what, err)
		} else if rows == 0 {
			t.Errorf("the drill does not see %s after %s", what, half)
		}
	}
	for what := range wrong {
		if _, ok := halves[what]; !ok {
			t.Errorf("nobody has shown that the drill sees %s", what)
		}
	}
}
