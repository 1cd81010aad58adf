package web

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/web/components"
)

// A LanePlace is where something stands in the lane, and how it goes on from
// there.
type LanePlace struct {
	Why      string        // what it waits for
	Send     string        // what the button says
	Address  string        // of whoever has waited
	Front    string        // where a device sends it that has worked
	From     time.Time     // when the ticket is good
	Left     time.Duration // until then
	HadFiles bool          // files to be chosen again
}

// WaitPage stands between a form and its receipt while very many report: what
// was typed is kept on it, and is sent again when the place in the lane has
// come. Where scripts run, the device works instead, and sends by itself.
type WaitPage struct {
	ReportPage
	LanePlace
}

// postReportTicket: POST /report/ticket gives a ticket for the present price of
// a report, which a script pays before it sends the form.
func (s *Server) postReportTicket(w http.ResponseWriter, _ *http.Request) error {
	var out struct {
		Ticket string `json:"ticket"`
		Bits   int    `json:"bits"`
	}
	if out.Bits = s.Toll.Bits(); out.Bits > 0 {
		k := s.Toll.Work()
		out.Ticket, out.Bits = k.Text, k.Bits
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(out)
}

// pay lets a report pass, or says why it has to wait. Errors that are no
// Unavailable come back as they are.
func (s *Server) pay(r *http.Request, in *intake) (admit.Spend, error) {
	ticket, nonce := r.PathValue("ticket"), ""
	if ticket == "" {
		ticket, nonce = in.texts.Get("ticket"), in.texts.Get("work")
	}
	return s.Toll.Pass(ticket, nonce)
}

// unpaid reports whether a report was held back because it has not paid.
func unpaid(err error) bool { return fault.Is(err, "admit.work") || crowded(err) }

// crowded reports whether somebody waited, and came with too many others.
func crowded(err error) bool { return fault.Is(err, "admit.lane") }

// reportWaits shows where a report stands in the lane. Whoever comes too early
// keeps their place, and so does who comes with too many others.
func (s *Server) reportWaits(w http.ResponseWriter, r *http.Request, pg ReportPage, in *intake, why error) error {
	k, left := s.place(w, r, crowded(why))
	pg.Title, pg.LangPost = pg.P.T("public.wait.title"), true
	place := LanePlace{
		Why: pg.P.T("public.wait.why"), Send: pg.P.T("public.report.send"), Address: "/report/lane/" + k.Text, Front: "/report",
		From: k.Ripe, Left: left, HadFiles: in.sawFile,
	}
	return s.render(w, r, http.StatusServiceUnavailable, reportWaitView(WaitPage{pg, place}))
}

// place is where a request stands in the lane, and for how long still. keep is
// whether a place whose time has come is kept for a moment.
func (s *Server) place(w http.ResponseWriter, r *http.Request, keep bool) (admit.Ticket, time.Duration) {
	k, ok := s.Toll.Waiting(r.PathValue("ticket"))
	if !ok && keep {
		k, ok = s.Toll.Kept(r.PathValue("ticket"))
	}
	if !ok {
		k = s.Toll.Wait()
	}
	left := max(0, k.Ripe.Sub(s.Clock.Now()))
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(left.Seconds()))))
	return k, left
}

// A ReceiptWaitPage is a WaitPage for what is added to a report.
type ReceiptWaitPage struct {
	components.PublicPage
	LanePlace
	Fields []components.Hidden // what was typed
}

// receiptWaits shows where a message or material stands in the lane. front is
// the address of its form, names are the form's fields.
func (s *Server) receiptWaits(w http.ResponseWriter, r *http.Request, front string, in *intake, keep bool, names ...string) error {
	k, left := s.place(w, r, keep)
	title, send := "public.wait.message", "public.status.send"
	if front == "/receipt/material" {
		title, send = "public.wait.material", "public.status.add.send"
	}
	pg := ReceiptWaitPage{PublicPage: s.narrowPage(r, title, "status")}
	pg.LanePlace = LanePlace{
		Why: pg.P.T("public.wait.more.why"), Send: pg.P.T(send), Address: front + "/" + k.Text, Front: front,
		From: k.Ripe, Left: left, HadFiles: in.sawFile,
	}
	pg.Path, pg.LangForm, pg.LangPost = pg.Address, "wait", true
	for _, name := range names {
		pg.Fields = append(pg.Fields, components.Hidden{Name: name, Value: in.texts.Get(name)})
	}
	return s.render(w, r, http.StatusServiceUnavailable, receiptWaitView(pg))
}

// toReport: GET /report/lane/{ticket} is where a page that waited is loaded
// afresh: the form, empty.
func (s *Server) toReport(w http.ResponseWriter, r *http.Request) error {
	return seeOther(w, r, "/report")
}

// inLane gives who waited for their turn a place of their own: however many
// come at the front, the lane goes on.
func (s *Server) inLane(route Route, next http.Handler) http.Handler {
	crowd, lane := s.admitted(route, next), logbook.Classed(string(admit.Lane), s.Gate.Around(admit.Lane, s.fail, next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Toll.Ripe(r.PathValue("ticket")) {
			lane.ServeHTTP(w, r)
			return
		}
		crowd.ServeHTTP(w, r)
	})
}
