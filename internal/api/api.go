// Package api speaks REST: /api/v1 with the nouns of the rooms, declared with
// huma so that its Go types are the OpenAPI 3.1 contract.
//
// It decodes, asks a room, and answers. One table, routes.go, holds every
// operation with the seat that may knock; rights over an object, states and
// tenancy are the rooms'. Errors are problem details (RFC 9457) in the
// caller's language, lists are paged by cursor, and a write that carries an
// Idempotency-Key has one effect however often it is sent.
package api

import (
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/internal/view"
)

// Deps are what the API stands on.
type Deps struct {
	DB        *db.DB
	Feed      *feed.Feed
	Clock     clock.Clock
	Vault     *vault.Vault // seals what is kept for repeated requests
	Auth      *auth.Auth
	Packs     *policy.Set
	Platforms *canonical.Platforms
	Outbox    *outbox.Outbox
	Reports   *report.Room
	Cases     *casework.Room
	Flagger   *flagger.Room
	Cage      *cage.Cage // opens pictures from outside; nil gives none out
	Notices   *notice.Room
	Log       *slog.Logger
	Gate      *admit.Gate // nil lets everybody in
	Toll      *admit.Toll // nil asks for nothing

	// Sessions makes browser sessions count beside API keys. Nil: API keys only.
	Sessions *auth.Sessions
	// BaseURL is the public origin without a final slash, for the document.
	BaseURL string
}

// server is the API's handlers over the rooms.
type server struct {
	Deps
	began   time.Time // what was reserved before is of a process that is gone
	huma    huma.API
	mux     *http.ServeMux
	routes  []route
	cross   *http.CrossOriginProtection
	public  view.Cache
	written func() map[i18n.Lang]contract // at the first call
}

// strictCasing sets huma's one package-level switch that we need: "Reason" is
// not "reason". It is the same for every server, so it is set once.
var strictCasing = sync.OnceFunc(func() { huma.ValidateStrictCasing = true })

// New returns the API's handler, to be mounted at /api/. It panics on a
// mistake in the table of operations, which every test would show.
func New(d Deps) http.Handler {
	return newServer(d).handler()
}

func newServer(d Deps) *server {
	strictCasing()
	if d.Log == nil {
		d.Log = slog.Default()
	}
	s := &server{Deps: d, began: d.Clock.Now(), mux: http.NewServeMux(), cross: http.NewCrossOriginProtection()}
	s.huma = humago.New(s.mux, s.config())
	s.routes = s.table()
	for _, r := range s.routes {
		r.register(s.huma, s.operation(r))
	}
	s.finish()
	s.mux.HandleFunc("GET /api/openapi.json", s.serveSpec)
	s.mux.HandleFunc("GET /api/docs", s.servePage)
	s.mux.HandleFunc("/api/", s.nothingHere)
	return s
}

// config is huma without its own pages, links and formats: JSON alone, and
// nothing unknown is let through.
func (s *server) config() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Tangkal", Version: "1"},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			},
		},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{s.translate},
	}
}

// handler is everything around the operations, outermost first.
func (s *server) handler() http.Handler {
	known := s.authenticate(s.once(logbook.Routed(s.mux)))
	if s.Sessions != nil {
		known = s.Sessions.Wrap(known) // asks the database: who comes in a crowd waits for a place first
	}
	return s.greet(s.recover(s.admitted(known)))
}

// schemaName names a type of the contract. Those of package notes are the
// signed documents', those of view the public figures', and say so; ours need
// not say that they are bodies.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case strings.HasSuffix(t.PkgPath(), "/tangkal/notes"):
		return "Document" + name
	case strings.HasSuffix(t.PkgPath(), "/internal/view"):
		return "Public" + name
	}
	return strings.ReplaceAll(name, "Body", "")
}
