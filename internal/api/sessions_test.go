package api

import (
	"net/http"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// Whoever sees a stranger's browser in the list ends it, and from then on it is
// nobody's; a program reads the list and ends none.
func TestOnesOwnSessionsAreSeenAndEnded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ratna, dimas := h.people["ratna"], h.people["dimas"]
		own := header("Sec-Fetch-Site", "same-origin")
		in := func(cookie, method, path string) reply {
			t.Helper()
			return h.public.do(t, method, path, nil, header("Cookie", cookie), own, header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))
		}
		desk, phone, lost, others := h.signIn(t, ratna), h.signIn(t, ratna), h.signIn(t, ratna), h.signIn(t, dimas)
		seen := func(cookie string) list[SessionBody] {
			t.Helper()
			var all list[SessionBody]
			in(cookie, "GET", "/people/me/sessions").want(t, http.StatusOK, &all)
			return all
		}
		present := func(cookie string) string {
			t.Helper()
			id, n := "", 0
			for _, s := range seen(cookie).Items {
				if s.Present {
					id, n = s.ID, n+1
				}
				if s.Way != "browser-key" || s.BeganAt == nil {
					t.Errorf("a session is %+v", s)
				}
			}
			if n != 1 {
				t.Fatalf("%d sessions are the one that asks", n)
			}
			return id
		}
		if n := len(seen(desk).Items); n != 3 {
			t.Fatalf("%d sessions, want 3", n)
		}
		stolen, foreign := present(lost), present(others)

		ratna.do(t, "DELETE", "/people/me/sessions/"+stolen, nil).problem(t, http.StatusForbidden, "auth.never-by-key")
		ratna.do(t, "DELETE", "/people/me/sessions", nil).problem(t, http.StatusForbidden, "auth.never-by-key")
		in(desk, "DELETE", "/people/me/sessions/"+foreign).problem(t, http.StatusNotFound, "fault.hidden")
		h.public.do(t, "DELETE", "/people/me/sessions/"+stolen, nil, header("Cookie", desk), header("Sec-Fetch-Site", "cross-site")).problem(t, http.StatusForbidden, "api.cross-origin")
		var byKey list[SessionBody]
		ratna.do(t, "GET", "/people/me/sessions", nil).want(t, http.StatusOK, &byKey)
		if len(byKey.Items) != 3 || byKey.Items[0].Present || byKey.Items[1].Present || byKey.Items[2].Present {
			t.Errorf("to a program they are %+v", byKey.Items)
		}

		in(desk, "DELETE", "/people/me/sessions/"+stolen).want(t, http.StatusNoContent, nil)
		in(lost, "GET", "/people/me").problem(t, http.StatusUnauthorized, "auth.sign-in")
		in(desk, "DELETE", "/people/me/sessions/"+stolen).problem(t, http.StatusNotFound, "fault.hidden")
		in(phone, "GET", "/people/me").want(t, http.StatusOK, nil)

		in(desk, "DELETE", "/people/me/sessions").want(t, http.StatusNoContent, nil)
		in(phone, "GET", "/people/me").problem(t, http.StatusUnauthorized, "auth.sign-in")
		if left := seen(desk).Items; len(left) != 1 || !left[0].Present {
			t.Errorf("left are %+v", left)
		}
		if n := len(seen(others).Items); n != 1 {
			t.Errorf("somebody else has %d sessions, want 1", n)
		}
	})
}
