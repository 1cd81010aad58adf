package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/logbook"
)

// pressing are the acts that go on however many others come: platforms confirm
// and answer, orders are withdrawn (threat-model T03, T35).
var pressing = []auth.Act{auth.NoticeReceive, auth.NoticeAnswer, auth.NoticeWithdraw}

// classOf returns whose places a route's requests take.
func classOf(route Route) admit.Class {
	switch {
	case route.Pattern == "GET /events":
		return admit.Streams
	case slices.Contains(pressing, route.Act):
		return admit.Answers
	case route.Act != "":
		return admit.Staff
	case route.Pattern == "POST /report/ticket": // costs nothing
		return admit.Reading
	case strings.HasPrefix(route.Pattern, "POST /report"), strings.HasPrefix(route.Pattern, "POST /receipt/"):
		return admit.Reports
	default:
		return admit.Reading
	}
}

// admitted holds a route to the places of its class, before anybody is asked
// who they are.
func (s *Server) admitted(route Route, next http.Handler) http.Handler {
	class := classOf(route)
	return logbook.Classed(string(class), s.Gate.Around(class, s.fail, next))
}
