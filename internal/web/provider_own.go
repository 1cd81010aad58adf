package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// A ProviderPanel is one's own account at the provider of one's organisation.
type ProviderPanel struct {
	Name  string
	Since time.Time // of the link; zero without one
	Ready bool      // the person was here just now and may go there
}

// ownTrip begins what a trip to link oneself is bound to, before the session
// that it must come back to.
const ownTrip = "own:"

// providerPanel is nil where no provider speaks for the person's organisation.
func (s *Server) providerPanel(r *http.Request, by party.Actor) (*ProviderPanel, error) {
	org, err := party.Get(r.Context(), s.DB, by.Party)
	if err != nil || !s.Provider.For(org) {
		return nil, err
	}
	l, ok, err := s.Provider.OwnLink(r.Context(), by)
	panel := &ProviderPanel{Name: s.Provider.Name}
	if ok {
		panel.Since = l.LinkedAt
	}
	return panel, err
}

// postOwnProvider: POST /profile/provider prepares to link the sender's account
// at the provider. It takes a touch, and a press on our own page: whoever could
// lead a signed-in browser there, and back with an account of theirs, would come in as that
// person from then on.
func (s *Server) postOwnProvider(w http.ResponseWriter, r *http.Request) error {
	by := actorOf(r.Context())
	panel, err := s.providerPanel(r, by)
	if err != nil {
		return err
	}
	if panel == nil {
		return fault.Hidden("page")
	}
	if err := auth.MayNow(by, auth.PartyKey, auth.Object{What: "person", Owner: by.Party}); err != nil {
		return err
	}
	s.Sessions.Put(r.Context(), ownTrip, "yes")
	return s.profileSaved(w, r, "provider-go")
}

// getOwnProvider: GET /profile/provider leads there, once for each press.
func (s *Server) getOwnProvider(w http.ResponseWriter, r *http.Request) error {
	if !s.Provider.On() {
		return fault.Hidden("page")
	}
	if s.Sessions.Pop(r.Context(), ownTrip) == "" {
		return seeOther(w, r, "/profile")
	}
	return s.depart(w, r, ownTrip+actorOf(r.Context()).Session, "/profile")
}

// linkOwn links whom the provider vouched for to the person who left from this
// session, and whose touch is still fresh.
func (s *Server) linkOwn(w http.ResponseWriter, r *http.Request, bound string, who auth.Subject) error {
	by, err := s.Sessions.Actor(r.Context()) // the way back is open to whoever is not signed in
	if err != nil {
		return err
	}
	if session, ok := strings.CutPrefix(bound, ownTrip); !ok || !by.Known() || session != by.Session {
		return s.providerFailed(w, r, fault.New(fault.Denied, "auth.provider-refused"))
	}
	err = s.Provider.Link(r.Context(), by, by.Person, who.ID)
	switch {
	case fault.Is(err, "auth.touch"):
		return s.profileSaved(w, r, "provider-late")
	case fault.Is(err, "auth.provider-taken"):
		return s.profileSaved(w, r, "provider-taken")
	case err != nil:
		return err
	}
	return s.profileSaved(w, r, "provider")
}

// postEndOwnProvider: POST /profile/provider/end ends one's own link, and the
// sessions that came by it.
func (s *Server) postEndOwnProvider(w http.ResponseWriter, r *http.Request) error {
	if !s.Provider.On() {
		return fault.Hidden("page")
	}
	by := actorOf(r.Context())
	if err := s.Provider.Link(r.Context(), by, by.Person, ""); err != nil {
		return err
	}
	return s.profileSaved(w, r, "provider-ended")
}
