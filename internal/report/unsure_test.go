package report_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/report"
)

// A commit whose answer is lost may have happened: its rows may name the files,
// which therefore stay. What was refused leaves none.
func TestFilesOfALostAnswerStay(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.Postgres(t))
	told := h.submit(t, good())
	before := h.blobs(t)
	ends := func(when string) {
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			for _, statement := range []string{
				`CREATE OR REPLACE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS '` + when + `'`,
				`DROP TRIGGER IF EXISTS ends ON report_files`,
				`CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON report_files DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ends()`,
			} {
				if _, err := tx.Exec(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
	}
	file := func() []report.Upload {
		return []report.Upload{{Name: "a.txt", MediaType: "text/plain", Content: strings.NewReader("rekaan")}}
	}
	s := good()
	s.Files = file()
	ends(`BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END`)
	if _, err := h.Submit(t.Context(), s); !db.Unsure(err) || h.blobs(t) != before+1 {
		t.Errorf("a report: %v, %d files, want %d", err, h.blobs(t), before+1)
	}
	err := h.AddMaterial(t.Context(), told.Code, report.Material{Files: file()})
	if !db.Unsure(err) || h.blobs(t) != before+2 {
		t.Errorf("material: %v, %d files, want %d", err, h.blobs(t), before+2)
	}
	ends(`BEGIN RAISE EXCEPTION ''no''; END`)
	s.Files = file()
	if _, err := h.Submit(t.Context(), s); err == nil || db.Unsure(err) || h.blobs(t) != before+2 {
		t.Errorf("a report that is refused: %v, %d files, want %d", err, h.blobs(t), before+2)
	}
}
