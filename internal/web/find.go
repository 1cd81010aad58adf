package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
)

// find: GET /find?q= leads to what carries a number: a case or a notice. Part
// of a number, such as its last digits, leads to the queue narrowed to it.
func (s *Server) find(w http.ResponseWriter, r *http.Request) error {
	ctx, by := r.Context(), actorOf(r.Context())
	q := strings.ToUpper(strings.TrimSpace(r.URL.Query().Get("q")))
	cases := auth.Seat(by, auth.CaseRead)
	if referencePattern.MatchString(q) {
		if v, err := s.Notice.ByRef(ctx, by, q); err == nil {
			return seeOther(w, r, "/orders/"+string(v.ID))
		} else if fault.Of(err) != fault.NotFound {
			return err
		}
		if cases {
			if id, err := s.Casework.ByRef(ctx, by, q); err == nil {
				return seeOther(w, r, "/cases/"+string(id))
			} else if fault.Of(err) != fault.NotFound {
				return err
			}
		}
	}
	if cases {
		return seeOther(w, r, "/triage?"+url.Values{"ref": {q}}.Encode())
	}
	return fault.Hidden("notice")
}
