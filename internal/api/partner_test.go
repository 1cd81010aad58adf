package api

import (
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// Who decides about reports reports as a partner; everybody else who has a key
// reports as the public does.
func TestAKeyAloneMakesNoPartner(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for who, want := range map[*caller]string{
			h.public: "api", h.people["lina"]: "api", h.people["mika"]: "api", h.people["dewi"]: "api", h.people["bima"]: "api",
			h.people["ratna"]: "partner", h.people["bagus"]: "partner",
		} {
			who.do(t, "POST", "/reports", submitBody{Locations: []string{"https://ruangsuara.example/v/" + who.name}, Category: "threat", Agency: "tangkal-daring"}).want(t, 201, nil)
			got, err := db.Value[string](t.Context(), d, `SELECT channel FROM reports ORDER BY received_at DESC, id DESC LIMIT 1`)
			if err != nil || got != want {
				t.Errorf("%q reports as %s (%v), want %s", who.name, got, err, want)
			}
		}
	})
}
