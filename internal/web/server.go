package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/tell"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/internal/view"
	"github.com/tangkal/tangkal/internal/web/static"
)

// Deps are what the pages stand on.
type Deps struct {
	DB        *db.DB
	Feed      *feed.Feed
	Clock     clock.Clock
	Log       *slog.Logger
	Auth      *auth.Auth
	Sessions  *auth.Sessions
	Passkeys  *auth.Passkeys
	Provider  *auth.Provider // nil without one
	Vault     *vault.Vault
	Packs     *policy.Set
	Platforms *canonical.Platforms
	Outbox    *outbox.Outbox
	Report    *report.Room
	Casework  *casework.Room
	Flagger   *flagger.Room
	Notice    *notice.Room
	Mail      *mail.Mail
	Tell      *tell.Teller
	Duty      *duty.Rota
	Cage      *cage.Cage  // opens pictures from outside
	Gate      *admit.Gate // nil lets everybody in
	Toll      *admit.Toll // nil asks for nothing

	EvidenceOrigin string                   // scheme and host of the origin that serves evidence
	Secure         bool                     // pages are served over TLS
	Demo           bool                     // one-click sign-ins, for made-up people only
	Emergency      []policy.EmergencyNumber // to call in danger, the first first; none leaves the lines out
	ExitURL        string                   // harmless page to leave to
	Counsel        string                   // words of the counsellors' line on the receipt page, "" leaves it out
	CounselURL     string                   // its address
	Stopping       <-chan struct{}          // closed when the server begins to stop
}

// A Server renders pages. It is safe for concurrent use.
type Server struct {
	Deps
	mux     *http.ServeMux
	figures view.Cache
}

// A handler answers one page; an error it returns is rendered once, here.
type handler func(w http.ResponseWriter, r *http.Request) error

// A Route is one row of the table: a method and pattern, and the act that the
// visitor's seat must hold for some object; none means that anyone may come.
type Route struct {
	Pattern string // "GET /triage"
	Act     auth.Act
	Do      handler
}

// New returns the pages.
func New(d Deps) *Server {
	s := &Server{Deps: d, mux: http.NewServeMux()}
	s.Sessions.OnError(s.fail)
	s.mux.Handle("GET "+static.Prefix, static.Handler())
	for _, r := range s.publicRoutes() {
		s.mux.Handle(r.Pattern, s.inLane(r, s.adapt(r))) // neither reads nor sets the session's cookie
	}
	for _, r := range s.sessionRoutes() {
		s.mux.Handle(r.Pattern, s.admitted(r, s.Sessions.Wrap(s.adapt(r))))
	}
	s.mux.Handle("/", s.adapt(Route{Do: func(http.ResponseWriter, *http.Request) error { return fault.Hidden("page") }}))
	return s
}

// Handler returns the pages behind their security headers. Requests that
// change something are refused when they come from another site.
func (s *Server) Handler() (http.Handler, error) {
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.Denied, "public.other-site"))
	}))
	return Secure(s.EvidenceOrigin, own.Handler(logbook.Routed(s.mux)))
}

// adapt turns a route into an http.Handler: remember the language, sign in,
// check the seat, run, render the error.
func (s *Server) adapt(route Route) http.Handler {
	most := route.most()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.rememberLang(w, r)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, most)
		}
		defer func() {
			if r.MultipartForm != nil { // net/http sees to the form of its own request, which this is a copy of
				_ = r.MultipartForm.RemoveAll()
			}
		}()
		err := s.enter(route, r, func(known *http.Request, refused error) error {
			if r = known; refused != nil {
				return refused
			}
			return route.Do(w, r)
		})
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// enter calls next with the request of somebody known, and with what stands in
// their way; a visitor who must sign in first does not come that far.
func (s *Server) enter(route Route, r *http.Request, next func(*http.Request, error) error) error {
	if route.Act == "" {
		return next(r, nil)
	}
	actor, err := s.Sessions.Actor(r.Context())
	if err != nil {
		return err
	}
	if !actor.Known() {
		return fault.New(fault.Denied, "auth.sign-in")
	}
	r = r.WithContext(auth.With(r.Context(), actor))
	if !auth.Seat(actor, route.Act) {
		return next(r, fault.Hidden("page"))
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return next(r, auth.Present(actor, route.Act))
	}
	return next(r, nil)
}

// render writes a page whole or not at all.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var b bytes.Buffer
	if err := c.Render(r.Context(), &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	if err != nil {
		s.Log.DebugContext(r.Context(), "the reader went away", "error", err)
	}
	return nil
}

// statusLeft is what the log shows of a request whose sender went away, as
// proxies write it.
const statusLeft = 499

// statusOf maps a fault to HTTP, once for all pages.
func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// fail renders an error: a visitor who is not signed in is asked to, anybody
// else is told what happened, what was kept and what to do.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(statusLeft) // for the log alone
		return
	}
	e, ok := fault.As(err)
	if !ok {
		e = fault.New(fault.Internal, "fault.internal", "Ref", logbook.Failed(r.Context(), s.Log, err))
	}
	if e.Kind == fault.Unavailable {
		logbook.Failed(r.Context(), s.Log, err)
	}
	if e.Code == "auth.sign-in" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		http.Redirect(w, r, "/sign-in?next="+urlQuery(r.URL.RequestURI()), http.StatusSeeOther) //nolint:gosec // our own path, escaped
		return
	}
	if e.Code == "auth.touch" {
		if err := s.askTouch(w, r, r.URL.RequestURI(), nil); err != nil {
			s.Log.ErrorContext(r.Context(), "ask for a touch", "error", err)
			http.Error(w, i18n.For(langOf(r)).Fault(e), statusOf(e.Kind))
		}
		return
	}
	if e.Kind == fault.Unavailable {
		w.Header().Set("Retry-After", retryAfter(e.RetryAfter))
	}
	if rerr := s.render(w, r, statusOf(e.Kind), s.errorPage(r, e)); rerr != nil && r.Context().Err() == nil { // else the reader went away
		s.Log.ErrorContext(r.Context(), "render the error page", "error", rerr)
		http.Error(w, i18n.For(langOf(r)).Fault(e), statusOf(e.Kind))
	}
}

// langOf returns the language of a request: ?lang=, else the cookie of the
// language switch, else the person's own, else what the browser asks for.
func langOf(r *http.Request) i18n.Lang {
	for _, want := range []string{r.URL.Query().Get("lang"), cookie(r, "lang"), actorOf(r.Context()).Lang} {
		for _, l := range i18n.Langs() {
			if want == string(l) {
				return l
			}
		}
	}
	return i18n.Negotiate(r.Header.Get("Accept-Language"))
}

// rememberLang keeps a language that the visitor chose by a link, for those
// whose browser runs no script. It is the one cookie that a public page sets.
func (s *Server) rememberLang(w http.ResponseWriter, r *http.Request) {
	chosen := r.URL.Query().Get("lang")
	for _, l := range i18n.Langs() {
		if chosen == string(l) && cookie(r, "lang") != chosen {
			s.setLang(w, chosen)
		}
	}
}

func (s *Server) setLang(w http.ResponseWriter, lang string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // a script of ours sets it too, so it is not HttpOnly
		Name: "lang", Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode, Secure: s.Secure,
	})
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// localTime returns the zone that times are shown in: the person's own, else
// that of Jakarta, where the default pack is at home.
func localTime(a party.Actor) *time.Location {
	name := a.Zone
	if name == "" {
		name = "Asia/Jakarta"
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// seeOther sends the browser to another page after a POST.
func seeOther(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // paths of our own, checked where a visitor names one
	return nil
}

// actorOf returns who asks; pages behind an act always have one.
func actorOf(ctx context.Context) party.Actor { return auth.Actor(ctx) }
