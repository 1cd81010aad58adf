package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/party"
)

// TestEveryActOfAdministrationIsRecordedWithoutItsSecret: whoever reads the
// record learns who let whom in, and nothing that would let them in.
func TestEveryActOfAdministrationIsRecordedWithoutItsSecret(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		head, ana := w.person(t, org, "head", party.Admin), w.person(t, org, "ana", party.Analyst)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		revoked, first, err := w.Invite(t.Context(), head, org.ID, "Cy", "cy@agency.example", analyst)
		must(err)
		must(w.RevokeInvitation(t.Context(), head, revoked.ID))
		_, second, err := w.Invite(t.Context(), head, org.ID, "Bo", "bo@agency.example", analyst)
		must(err)
		_, err = w.Join(t.Context(), second, joining(t))
		must(err)
		k, third := w.apiKey(t, ana, both, time.Time{})
		must(w.RevokeAPIKey(t.Context(), head, k.ID))
		e := w.enrol(t, ana)
		must(w.RevokeKey(t.Context(), head, ana.Person, e.key))
		must(w.UpdatePerson(t.Context(), head, party.Person{ID: ana.Person, Name: "ana", Email: "ana@agency.example", Roles: analyst, Lang: "en", Zone: "UTC"}))
		must(w.Deactivate(t.Context(), head, ana.Person))

		type act struct{ kind, person, audience, data string }
		acts, err := db.All(t.Context(), d, func(row db.Row) (act, error) {
			var a act
			return a, row.Scan(&a.kind, &a.person, &a.audience, &a.data)
		}, `SELECT kind, actor_person, audience, data FROM feed_pending ORDER BY at, id`)
		must(err)
		var kinds []string
		for _, a := range acts {
			kinds = append(kinds, a.kind)
			if a.person == "" || !strings.Contains(a.audience, string(org.ID)) {
				t.Errorf("%s: by %q, told to %s", a.kind, a.person, a.audience)
			}
			for _, hidden := range []string{first, second, third, "@agency.example", "Bo"} {
				if strings.Contains(a.data, hidden) {
					t.Errorf("%s holds %q: %s", a.kind, hidden, a.data)
				}
			}
		}
		slices.Sort(kinds)
		want := []string{
			"invitation.revoked", "key.added", "key.enrolled", "key.revoked", "key.revoked",
			"person.changed", "person.deactivated", "person.invited", "person.invited", "person.joined",
		}
		if !slices.Equal(kinds, want) {
			t.Errorf("recorded %v, want %v", kinds, want)
		}
	})
}

func TestARefusedActLeavesNoRecord(t *testing.T) {
	w := start(dbtest.SQLite(t))
	org := w.party(t, "agency", party.Agency)
	ana := w.person(t, org, "ana", party.Analyst)
	if _, _, err := w.Invite(t.Context(), ana, org.ID, "Bo", "bo@agency.example", analyst); err == nil {
		t.Error("an analyst invites")
	}
	if err := w.Deactivate(t.Context(), ana, ana.Person); err == nil {
		t.Error("an analyst deactivates herself")
	}
	if _, err := w.Join(t.Context(), "tgi_"+strings.Repeat("a", 32), joining(t)); err == nil {
		t.Error("somebody joins with an invented invitation")
	}
	if n := w.count(t, `SELECT count(*) FROM feed_pending`); n != 0 {
		t.Errorf("%d acts are recorded", n)
	}
}
