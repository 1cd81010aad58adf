package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/tangkal/tangkal/internal/api"
	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/web"
)

// Handler returns everything this instance serves: pages and API on one
// origin, evidence on another, health beside them.
func (a *App) Handler() (http.Handler, error) {
	pages := web.New(web.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Log: a.Log, Auth: a.Auth, Sessions: a.Sessions, Passkeys: a.Passkeys, Provider: a.Provider, Vault: a.Vault,
		Packs: a.Packs, Platforms: a.Platforms, Outbox: a.Outbox, Report: a.Report, Casework: a.Casework, Flagger: a.Flagger, Notice: a.Notice, Cage: a.Cage, Mail: a.Mail, Tell: a.Tell, Duty: a.Duty, Gate: a.Gate, Toll: a.Toll,
		EvidenceOrigin: a.Config.EvidenceOrigin, Secure: a.Config.secure(), Demo: a.Config.Demo, Stopping: a.stopping,
		Emergency: a.Config.emergency(), ExitURL: a.Config.ExitURL, Counsel: a.Config.Counsel, CounselURL: a.Config.CounselURL,
	})
	console, err := pages.Handler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", console)
	mux.Handle("/api/", api.New(api.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Log: a.Log, Vault: a.Vault, Auth: a.Auth, Sessions: a.Sessions,
		Packs: a.Packs, Platforms: a.Platforms, Outbox: a.Outbox, Reports: a.Report, Cases: a.Casework, Flagger: a.Flagger, Cage: a.Cage, Notices: a.Notice,
		BaseURL: a.Config.PublicURL, Gate: a.Gate, Toll: a.Toll,
	}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	evidence := pages.EvidenceHandler()
	u, err := url.Parse(a.Config.EvidenceOrigin)
	if err != nil {
		return nil, err
	}
	main := a.overTLS(logbook.Routed(mux))
	evidence = a.overTLS(evidence)
	return logbook.Requests(a.Log, a.requestLog(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Host, u.Host) {
			evidence.ServeHTTP(w, r)
			return
		}
		main.ServeHTTP(w, r)
	})), nil
}

// tlsFor is how long a browser that was here once comes by TLS alone (RFC 6797):
// a year. Other hosts of the domain are their owners' to decide about.
const tlsFor = "max-age=31536000"

// overTLS tells browsers to come by TLS alone, where that is the public address.
func (a *App) overTLS(next http.Handler) http.Handler {
	if !a.Config.secure() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", tlsFor)
		next.ServeHTTP(w, r)
	})
}

// requestLog writes an event for each request, but for the demonstration's,
// which would hide what it prints.
func (a *App) requestLog() logbook.Options {
	o := logbook.Options{Level: slog.LevelInfo, Private: mayReport}
	if a.Config.Demo {
		o.Level = slog.LevelDebug
	}
	if a.Meter != nil {
		o.Watch = append(o.Watch, a.Meter.Watch)
	}
	if a.Trace != nil {
		o.Watch = append(o.Watch, a.Trace.Watch)
	}
	return o
}

// mayReport reports whether a request may be a reporter's: who reports, asks by
// receipt what became of it, or prepares either.
func mayReport(r *http.Request) bool {
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	for _, own := range []string{"/report", "/receipt", "/receipts", "/reports/tokens", "/reports/tickets", "/reports/agencies"} {
		if path == own || strings.HasPrefix(path, own+"/") {
			return true
		}
	}
	return path == "/reports" && r.Method == http.MethodPost
}
