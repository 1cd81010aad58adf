package api

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
)

// SessionBody is a browser in which one is signed in.
type SessionBody struct {
	ID      string     `json:"id" doc:"Names it; signs nobody in"`
	Browser string     `json:"browser" doc:"Family, as Firefox; empty if unknown"`
	System  string     `json:"system" doc:"Family, as Linux; empty if unknown"`
	Way     string     `json:"way" doc:"How it was signed in: passkey, browser-key, provider, demo; empty if unknown"`
	BeganAt *time.Time `json:"began_at,omitempty"`
	UsedAt  *time.Time `json:"used_at,omitempty"`
	Present bool       `json:"present" doc:"The one that asks"`
}

// listSessions: GET /people/me/sessions, the last used first. No address is
// kept of any.
func (s *server) listSessions(ctx context.Context, _ *struct{}) (*listOut[SessionBody], error) {
	by := auth.Actor(ctx)
	all, err := s.Auth.Sessions(ctx, by, by.Person)
	if err != nil {
		return nil, err
	}
	return allOf(all, func(x auth.Session) SessionBody {
		return SessionBody{ID: x.ID, Browser: x.Browser, System: x.System, Way: string(x.Way), BeganAt: at(x.Began), UsedAt: at(x.Used), Present: x.ID == by.Session}
	}), nil
}

// endMySession: DELETE /people/me/sessions/{id}. No API key ends a session.
func (s *server) endMySession(ctx context.Context, in *ByID) (*struct{}, error) {
	by := auth.Actor(ctx)
	return nil, s.Auth.EndSessions(ctx, by, by.Person, in.ID)
}

// endOtherSessions: DELETE /people/me/sessions ends all but the one that asks.
func (s *server) endOtherSessions(ctx context.Context, _ *struct{}) (*struct{}, error) {
	by := auth.Actor(ctx)
	return nil, s.Auth.EndSessions(ctx, by, by.Person, "")
}
