package casework_test

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// about reports something of a category and returns its case.
func (h *house) about(t testing.TB, c report.Category, link string, files ...report.Upload) casework.ID {
	t.Helper()
	return h.caseOf(t, h.ratna, h.file(t, report.Submission{Channel: report.Web, Locations: []string{link}, Category: c, Lang: "id", Files: files}))
}

// wantNext wants what Next offers, "" being nothing.
func (h *house) wantNext(t testing.TB, by party.Actor, want casework.ID) {
	t.Helper()
	c, ok, err := h.Next(t.Context(), by)
	if err != nil || ok != (want != "") || c.ID != want {
		t.Fatalf("next is %s %v (%v, %v), want %s", c.ID, c.Topics, ok, err, want)
	}
}

func TestNobodyIsGivenATopicTheyAvoid(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		threat := h.about(t, report.Threat, "https://ruangsuara.example/v/1")
		invites := h.about(t, report.Recruitment, "https://ruangsuara.example/v/2")
		unsure := h.about(t, report.Unsure, "https://ruangsuara.example/v/3")
		h.wantNext(t, h.ratna, threat)
		before := h.recorded(t)
		must(t, h.SetWishes(t.Context(), h.ratna, []string{"threat", "recruitment", "threat"}))
		if diff := cmp.Diff([]string{"recruitment", "threat"}, must2(h.Wishes(t.Context(), h.ratna))(t)); diff != "" {
			t.Error(diff)
		}
		if after := h.recorded(t); after != before {
			t.Errorf("%d entries of the feed tell of a wish", after-before)
		}
		h.wantNext(t, h.ratna, unsure)
		h.wantNext(t, h.dimas, threat) // it is nobody else's wish
		if kept := must2(h.Wishes(t.Context(), h.dimas))(t); len(kept) > 0 {
			t.Errorf("a colleague avoids %v", kept)
		}
		// What something was found to be counts as well.
		h.ready(t, h.dimas, unsure, "removal-order")
		must(t, h.Release(t.Context(), h.dimas, unsure))
		h.wantNext(t, h.ratna, "")
		h.take(t, h.ratna, threat) // one's own choice is free
		must(t, h.Release(t.Context(), h.ratna, threat))
		must(t, h.SetWishes(t.Context(), h.ratna, nil))
		h.wantNext(t, h.ratna, threat)
		// Whatever it shows.
		must(t, h.SetWishes(t.Context(), h.ratna, []string{casework.TopicMedia}))
		h.take(t, h.dimas, threat)
		h.photograph(t, h.dimas, threat, "one")
		must(t, h.Release(t.Context(), h.dimas, threat))
		if c, ok, err := h.Next(t.Context(), h.ratna); err != nil || !ok || c.ID == threat || !slices.Contains([]casework.ID{invites, unsure}, c.ID) {
			t.Errorf("next is %s (%v, %v)", c.Ref, ok, err)
		}
		if err := h.SetWishes(t.Context(), h.ratna, []string{"unsure"}); fault.Of(err) != fault.Invalid {
			t.Errorf("avoids what is unsure: %v", err)
		}
		for _, by := range []party.Actor{h.sari, h.bagus, h.auditor} {
			if err := h.SetWishes(t.Context(), by, []string{"threat"}); fault.Of(err) == 0 {
				t.Errorf("%v has wishes: %v", by.Roles, err)
			}
		}
	})
}

// must2 returns a value whose error it checks.
func must2[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// recorded counts what the feed has, sequenced or not.
func (h *house) recorded(t testing.TB) int64 {
	t.Helper()
	n, err := db.Value[int64](t.Context(), h.db, `SELECT (SELECT count(*) FROM feed_entries) + (SELECT count(*) FROM feed_pending)`)
	must(t, err)
	return n
}

// pngOf is a picture by its first bytes; what follows tells it from others.
func pngOf(what string) string { return "\x89PNG\r\n\x1a\n" + what }

// photograph brings a picture to a case that by holds.
func (h *house) photograph(t testing.TB, by party.Actor, id casework.ID, what string) {
	t.Helper()
	must1(t)(h.AddCapture(t.Context(), by, id, "", []casework.Upload{{Name: "a.png", MediaType: "image/png", Content: strings.NewReader(pngOf(what))}}))
}

func TestNobodyIsShownAPictureTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		sum := vault.Digest(sha256.Sum256([]byte(pngOf("same"))))
		one := h.newCase(t, h.ratna, "https://ruangsuara.example/v/1")
		two := h.newCase(t, h.ratna, "https://ruangsuara.example/v/2")
		sent := h.about(t, report.Recruitment, "https://ruangsuara.example/v/3", report.Upload{Name: "a.png", Content: strings.NewReader(pngOf("same"))})
		other := h.newCase(t, h.ratna, "https://ruangsuara.example/v/4")
		for by, id := range map[*party.Actor]casework.ID{&h.ratna: one, &h.dimas: two} {
			h.take(t, *by, id)
			h.photograph(t, *by, id, "same")
			must(t, h.Release(t.Context(), *by, id))
		}
		refs := map[casework.ID]string{}
		for _, id := range []casework.ID{one, two} {
			refs[id] = h.get(t, h.ratna, id).Case.Ref
		}
		for _, c := range []struct {
			by   party.Actor
			at   casework.ID
			want string
		}{{h.ratna, one, ""}, {h.ratna, two, refs[one]}, {h.ratna, sent, refs[one]}, {h.dimas, one, refs[two]}, {h.dimas, two, ""}, {h.sari, one, ""}} {
			got := must2(h.SeenBefore(t.Context(), c.by, c.at, []vault.Digest{sum, {1}}))(t)
			if got[sum] != c.want || got[vault.Digest{1}] != "" {
				t.Errorf("seen before at %s: %v, want %q", c.at, got, c.want)
			}
		}
		must(t, h.Skip(t.Context(), h.ratna, one))
		h.wantNext(t, h.ratna, other) // the last to come, but new to her
		must(t, h.Skip(t.Context(), h.ratna, other))
		h.wantNext(t, h.ratna, two) // covered, rather than left lying
		must(t, h.Skip(t.Context(), h.dimas, two))
		h.wantNext(t, h.dimas, other)
	})
}

// picture is what a reporter sends to hold a case up.
func picture() report.Upload {
	return report.Upload{Name: "a.png", Content: strings.NewReader(pngOf("bait"))}
}

// Whoever once showed somebody a picture cannot, with a report that brings it
// again, hold up a threat to life, a claim that stands ahead, or anything that
// comes before others.
func TestAPictureThatWasSeenHoldsNothingUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		add := func(link string) { h.about(t, report.Unsure, link, picture()) }
		bait := h.about(t, report.Unsure, "https://ruangsuara.example/v/1", picture())
		h.take(t, h.ratna, bait)
		must(t, h.Skip(t.Context(), h.ratna, bait))
		life := h.newCase(t, h.ratna, "https://ruangsuara.example/v/2")
		h.take(t, h.dimas, life)
		h.assess(t, h.dimas, life, notes.TierThreatToLife)
		must(t, h.Release(t.Context(), h.dimas, life))
		others := []casework.ID{h.newCase(t, h.ratna, "https://ruangsuara.example/v/3"), h.newCase(t, h.ratna, "https://ruangsuara.example/v/4")}
		h.wantNext(t, h.ratna, life)
		add("https://ruangsuara.example/v/2")
		h.equal(t, life, others[0])
		h.wantNext(t, h.ratna, life)
		soon := h.caseOf(t, h.ratna, h.soon(t, "https://ruangsuara.example/v/5"))
		add("https://ruangsuara.example/v/5")
		must(t, h.Skip(t.Context(), h.ratna, life))
		after := h.newCase(t, h.ratna, "https://ruangsuara.example/v/6")
		h.equal(t, soon, after)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE cases SET priority = 0 WHERE id = $1`, others[0])
			return err
		})
		h.wantNext(t, h.ratna, soon)
		must(t, h.Skip(t.Context(), h.ratna, soon))
		must(t, h.Skip(t.Context(), h.ratna, after))
		// Of the others it stands behind its equals, not behind what is lower.
		add("https://ruangsuara.example/v/3")
		h.settleTakes(t)
		h.equal(t, others...)
		h.wantNext(t, h.ratna, others[1])
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE cases SET priority = priority + 1 WHERE id = $1`, others[0])
			return err
		})
		h.wantNext(t, h.ratna, others[0])
	})
}

// What others add to a case makes it of no topic; who opened it, who is known
// and who assessed it do. No wish holds up what comes first.
func TestOthersGiveACaseNoTopic(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const link = "https://ruangsuara.example/v/1"
		id := h.about(t, report.Recruitment, link)
		wantTopics := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, h.get(t, h.ratna, id).Case.Topics); diff != "" {
				t.Error(diff)
			}
		}
		must(t, h.SetWishes(t.Context(), h.ratna, []string{"incitement", "instructions", "financing", "threat", casework.TopicMedia}))
		for _, c := range report.Categories() {
			h.about(t, c, link, picture())
		}
		wantTopics("recruitment")
		h.wantNext(t, h.ratna, id)
		must(t, h.SetWishes(t.Context(), h.ratna, []string{"recruitment"}))
		h.wantNext(t, h.ratna, "")
		h.file(t, report.Submission{Channel: report.Partner, From: h.ketiga.Party, Locations: []string{link}, Category: report.Financing, Lang: "id", Agency: "tangkal-daring", Files: []report.Upload{picture()}})
		wantTopics("recruitment", "financing", casework.TopicMedia)
		h.take(t, h.dimas, id)
		h.assess(t, h.dimas, id, notes.TierThreatToLife)
		must(t, h.Release(t.Context(), h.dimas, id))
		h.wantNext(t, h.ratna, id)
		must(t, h.Skip(t.Context(), h.ratna, id))
		soon := h.caseOf(t, h.ratna, h.file(t, report.Submission{Channel: report.Web, Soon: true, Locations: []string{link + "2"}, Category: report.Recruitment, Lang: "id"}))
		h.wantNext(t, h.ratna, soon)
	})
}

// assess keeps an assessment of a tier of a case that by holds.
func (h *house) assess(t testing.TB, by party.Actor, id casework.ID, tier notes.Tier) {
	t.Helper()
	a := complete()
	a.Tier = tier
	must1(t)(h.Assess(t.Context(), by, id, h.get(t, by, id).Case.Assessed, a))
}

// settleTakes lets a day pass, after which nobody is due light work.
func (h *house) settleTakes(t testing.TB) {
	t.Helper()
	h.clock.Advance(25 * time.Hour)
}

// equal gives cases one priority, the highest.
func (h *house) equal(t testing.TB, ids ...casework.ID) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(ctx, `UPDATE cases SET priority = 99 WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}
