package api

import (
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// A list of reports and an old register have addresses of their own: at those
// of the other each is as if absent.
func TestAListIsNoRegister(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ratna := h.people["ratna"]
		made := map[string]string{}
		for base, text := range map[string]string{"/lists": "url\nhttps://ruangsuara.example/v/1\n", "/registers": "url,ref\nhttps://ruangsuara.example/v/2,KK-1\n"} {
			var l listBody
			body, kind := form(t, "list", listSent{}, text)
			ratna.do(t, "POST", base, body, kind).want(t, 201, &l)
			if l.Party != string(ratna.actor.Party) {
				t.Errorf("%s is of %q", base, l.Party)
			}
			made[base] = l.ID
		}
		columns := map[string]any{"columns": []string{"location"}}
		for base, other := range map[string]string{"/lists": made["/registers"], "/registers": made["/lists"]} {
			for _, c := range []struct {
				method, path string
				body         any
			}{
				{"GET", "", nil}, {"GET", "/faults", nil}, {"PUT", "/columns", columns}, {"POST", "/start", nil}, {"POST", "/undo", nil}, {"DELETE", "", nil},
			} {
				if got := ratna.do(t, c.method, base+"/"+other+c.path, c.body); got.StatusCode != 404 {
					t.Errorf("%s %s/…%s answers %d", c.method, base, c.path, got.StatusCode)
				}
			}
			ratna.do(t, "GET", base+"/"+made[base], nil).want(t, 200, nil)
		}
	})
}
