package casework_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// Cases of before there were topics are about what they would be today.
func TestCasesOfBeforeHaveTheirTopics(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		at := func(n string) string { return "https://ruangsuara.example/v/" + n }
		h.about(t, report.Unsure, at("1"))
		h.about(t, report.Unsure, at("2"), picture())
		opened := h.about(t, report.Financing, at("3"))
		h.about(t, report.Threat, at("3"), picture()) // by somebody else
		for id, g := range map[casework.ID]notes.Ground{
			h.about(t, report.Unsure, at("4")): notes.GroundIncite, h.about(t, report.Financing, at("5")): notes.GroundSolicitOffence,
			h.about(t, report.Recruitment, at("6")): notes.GroundSolicitGroup, h.about(t, report.Threat, at("7")): notes.GroundInstruct,
			h.about(t, report.Instructions, at("8"), picture()): notes.GroundThreaten,
		} {
			h.take(t, h.dimas, id)
			a := complete()
			for i := range a.Grounds {
				if a.Grounds[i].Met = notes.No; a.Grounds[i].Ground == g {
					a.Grounds[i].Met, a.Grounds[i].Reasons = notes.Yes, "Pada menit 00.37."
				}
			}
			must1(t)(h.Assess(t.Context(), h.dimas, id, 0, a))
		}
		h.photograph(t, h.dimas, h.taken(t, h.dimas, h.about(t, report.Threat, at("9"))), "captured")
		must1(t)(h.AddCapture(t.Context(), h.dimas, h.taken(t, h.dimas, h.about(t, report.Threat, at("10"))), "", []casework.Upload{{Name: "a.txt", MediaType: "text/plain", Content: strings.NewReader("kata")}}))
		h.ready(t, h.ratna, opened, casework.MeasureHandOver)
		over, err := h.HandOver(t.Context(), h.ratna, opened, casework.HandOverInput{To: h.lain.Party, Note: "Wilayah Anda."})
		must(t, err)
		must1(t)(h.AcceptHandOver(t.Context(), h.lain, over, casework.HandOverAnswer{}))
		h.file(t, report.Submission{Channel: report.Web, Locations: []string{at("3")}, Category: report.Threat, Lang: "id", Agency: "lain", Files: []report.Upload{picture()}})

		want := h.topics(t)
		if len(want) != 11 {
			t.Fatalf("%d cases", len(want))
		}
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE cases SET topics = '[]'`)
			return err
		})
		h.migrateTopics(t)
		if diff := cmp.Diff(want, h.topics(t)); diff != "" {
			t.Error(diff)
		}
		h.migrateTopics(t) // and changes nothing of what is known
		if diff := cmp.Diff(want, h.topics(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// taken takes a case and returns it.
func (h *house) taken(t testing.TB, by party.Actor, id casework.ID) casework.ID {
	t.Helper()
	h.take(t, by, id)
	return id
}

// topics are what each case is about, sorted.
func (h *house) topics(t testing.TB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	_, err := db.All(t.Context(), h.db, func(row db.Row) (none struct{}, err error) {
		var ref string
		var topics []string
		err = row.Scan(&ref, db.ListInto(&topics))
		slices.Sort(topics)
		out[ref] = topics
		return none, err
	}, `SELECT ref, topics FROM cases`)
	must(t, err)
	return out
}

// migrateTopics runs migration 0044 once more.
func (h *house) migrateTopics(t testing.TB) {
	t.Helper()
	dir := "sqlite"
	if h.db.Dialect() == db.Postgres {
		dir = "postgres"
	}
	raw, err := os.ReadFile(filepath.Join("..", "db", "migrations", dir, "0044_topics.sql"))
	must(t, err)
	var plain []string
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "--") {
			plain = append(plain, line)
		}
	}
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		for _, statement := range strings.Split(strings.Join(plain, ""), ";") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}
