package auth_test

import (
	"testing"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

func TestAnEndedOrganisationLetsNobodyInAndNobodyEndsTheirOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		agency, platform := w.party(t, "agency", party.Agency), w.party(t, "platform", party.Platform)
		admin, analyst := w.person(t, agency, "ratna", party.Admin), w.person(t, agency, "dimas", party.Analyst)
		guest := w.person(t, platform, "lina", party.Admin)

		for name, refused := range map[string]error{
			"an analyst":          w.EndParty(t.Context(), analyst, platform.Code),
			"of a platform":       w.EndParty(t.Context(), guest, agency.Code),
			"their own":           w.EndParty(t.Context(), admin, agency.Code),
			"one that is nowhere": w.EndParty(t.Context(), admin, "nowhere"),
		} {
			if refused == nil {
				t.Errorf("%s: ended", name)
			}
		}
		w.actor(t, guest.Person) // still let in
		if err := w.EndParty(t.Context(), admin, platform.Code); err != nil {
			t.Fatal(err)
		}
		if _, err := auth.ActorFor(t.Context(), d, guest.Person); !fault.Is(err, "auth.inactive") {
			t.Errorf("a member of an ended organisation: %v, want auth.inactive", err)
		}
		if n := w.count(t, `SELECT count(*) FROM feed_pending WHERE kind = 'party.deactivated' AND object_id = $1`, platform.ID); n != 1 {
			t.Errorf("%d entries in the record, want 1", n)
		}
	})
}
