package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/api"
	"github.com/tangkal/tangkal/internal/web"
)

// Handler returns everything this instance serves: pages and API on one
// origin, evidence on another, health beside them.
func (a *App) Handler() (http.Handler, error) {
	pages := web.New(web.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Log: a.Log, Auth: a.Auth, Sessions: a.Sessions, Vault: a.Vault,
		Packs: a.Packs, Platforms: a.Platforms, Outbox: a.Outbox, Report: a.Report, Casework: a.Casework, Notice: a.Notice,
		EvidenceOrigin: a.Config.EvidenceOrigin, Secure: a.Config.secure(), Demo: a.Config.Demo, Stopping: a.stopping,
	})
	console, err := pages.Handler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", console)
	mux.Handle("/api/", a.Sessions.Wrap(api.New(api.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Log: a.Log, Vault: a.Vault, Auth: a.Auth, Sessions: a.Sessions,
		Packs: a.Packs, Platforms: a.Platforms, Outbox: a.Outbox, Reports: a.Report, Cases: a.Casework, Notices: a.Notice,
		BaseURL: a.Config.PublicURL,
	})))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	evidence := pages.EvidenceHandler()
	u, err := url.Parse(a.Config.EvidenceOrigin)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Host, u.Host) {
			evidence.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}), nil
}

// ready: GET /readyz says whether this node can do its work, part by part.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	parts := map[string]string{"database": "ok", "feed": "ok"}
	status := http.StatusOK
	if err := a.DB.Ping(ctx); err != nil {
		parts["database"], status = "does not answer", http.StatusServiceUnavailable
	}
	if why := a.Feed.Stuck(); why != "" {
		a.Log.WarnContext(ctx, "not ready: the feed is stuck", "error", why)
		parts["feed"], status = "stuck, see the log", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(parts); err != nil {
		a.Log.DebugContext(ctx, "the reader went away", "error", err)
	}
}

// readPlatforms adds an operator's rules to ours.
func readPlatforms(to *canonical.Platforms, file string) (*canonical.Platforms, error) {
	raw, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("platform rules: %w", err)
	}
	more, err := to.With(file, raw)
	if err != nil {
		return nil, fmt.Errorf("platform rules: %w", err)
	}
	return more, nil
}
