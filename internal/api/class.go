package api

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

// classOf returns whose places a request takes. It goes by the route and by
// what the caller shows, true or not: who shows nothing takes no place of those
// who must get through, and who lies is found out there in a moment.
func classOf(r *http.Request, route route) admit.Class {
	program, person := r.Header.Get("Authorization") != "", r.Header.Get("Cookie") != ""
	switch {
	case (program || person) && slices.Contains(pressing, route.seat):
		return admit.Answers
	case program:
		return admit.Machines
	case route.path == "/reports/tickets": // costs nothing
		return admit.Reading
	case route.seat == public && writes(route.method) && (strings.HasPrefix(route.path, "/reports") || strings.HasPrefix(route.path, "/receipts/")):
		return admit.Reports
	case person && route.seat != public:
		return admit.Staff
	default:
		return admit.Reading
	}
}

// admitted holds every request to the places of its class, before anybody is
// asked who they are.
func (s *server) admitted(next http.Handler) http.Handler {
	if s.Gate == nil {
		return next
	}
	routes := map[string]route{}
	for _, r := range s.routes {
		routes[r.method+" "+prefix+r.path] = r
	}
	held := map[admit.Class]http.Handler{}
	for _, class := range admit.Classes() {
		held[class] = logbook.Classed(string(class), s.Gate.Around(class, s.refuse, next))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := s.mux.Handler(r)
		held[classOf(r, routes[pattern])].ServeHTTP(w, r)
	})
}
