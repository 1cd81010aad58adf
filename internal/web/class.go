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

const (
	// maxForm bounds the body of a form of people who are signed in: a thousand
	// links of the greatest length, percent-encoded in part, and words.
	maxForm = 4 << 20
	// maxPublicForm bounds one that anybody can send.
	maxPublicForm = 256 << 10
)

// large are the routes that take more than a form, in bytes. They read their
// bodies as they come, or bound what they hold.
var large = map[string]int64{
	"POST /report":                    maxIntake,
	"POST /report/lane/{ticket}":      maxIntake,
	"POST /receipt/material":          maxIntake,
	"POST /receipt/material/{ticket}": maxIntake,
	"POST /cases/{id}/captures":       maxEvidence,
	"POST /inbox/answers":             fileBody,
	"POST /lists":                     listBody,
	"POST /registers":                 listBody,
	"POST /inbox/answers/failed":      3 * fileBody, // percent-encoded
	"POST /orders/{id}/recorded":      maxActBody,
	"POST /orders/{id}/served":        maxActBody,
}

// most returns how long a route's bodies may be, in bytes.
func (route Route) most() int64 {
	switch n, ok := large[route.Pattern]; {
	case ok:
		return n
	case route.Act == "":
		return maxPublicForm
	default:
		return maxForm
	}
}

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
