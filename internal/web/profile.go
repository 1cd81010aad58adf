package web

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/tell"
	"github.com/tangkal/tangkal/internal/web/components"
)

// ProfilePage is a person's own: who they are here, how they read, and the
// keys they sign with.
type ProfilePage struct {
	components.ConsolePage
	Email    string
	Lang     string
	Zone     string
	Zones    []Option
	Keys     []ProfileKey
	Passkey  PasskeyButton
	Sessions []ProfileSession
	Provider *ProviderPanel // nil where there is none
	Mails    bool           // letters are sent at all
	Urgent   bool
	Hours    []components.Choice
	Topics   []components.Choice // that cases may be about; none for whoever is given no cases
	Saved    string
	Errors   []components.FieldError
}

func (pg ProfilePage) wrong(field string) string { return fieldError(pg.Errors, field) }

// A ProfileKey is one key of the person.
type ProfileKey struct {
	ID      string
	Label   string
	Method  string // in words
	At      time.Time
	Revoked time.Time // zero while it stands
}

// A ProfileSession is a browser in which the person is signed in.
type ProfileSession struct {
	ID      string
	Device  string // browser and system, in words
	Way     string // how it was signed in, in words
	Began   time.Time
	Used    time.Time
	Present bool // the one that asks
}

// sessionRow says a session in words.
func sessionRow(p *i18n.Printer, s auth.Session, present string) ProfileSession {
	row := ProfileSession{ID: s.ID, Device: p.T("public.session.unknown"), Began: s.Began, Used: s.Used, Present: s.ID == present}
	switch {
	case s.Browser != "" && s.System != "":
		row.Device = p.T("public.session.device", "Browser", s.Browser, "System", s.System)
	case s.Browser+s.System != "":
		row.Device = s.Browser + s.System
	}
	if s.Way != "" {
		row.Way = p.T("public.session.way." + string(s.Way))
	}
	return row
}

// others reports whether there is more than the present session.
func (pg ProfilePage) others() bool {
	return slices.ContainsFunc(pg.Sessions, func(s ProfileSession) bool { return !s.Present })
}

// standing are the identifiers of the keys that still sign.
func (pg ProfilePage) standing() int {
	n := 0
	for _, k := range pg.Keys {
		if k.Revoked.IsZero() {
			n++
		}
	}
	return n
}

// getProfile: GET /profile.
func (s *Server) getProfile(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.profilePage(r)
	if err != nil {
		return err
	}
	switch saved := s.Sessions.Pop(r.Context(), "saved"); {
	case saved == "provider-go":
		if pg.Provider != nil { // nil if the provider was switched off since
			pg.Provider.Ready = true
		}
	case strings.HasPrefix(saved, "provider"):
		pg.Saved = pg.P.T("public.profile.saved."+saved, "Name", s.Provider.Name)
	case saved != "":
		pg.Saved = pg.P.T("public.profile.saved." + saved)
	}
	return s.render(w, r, http.StatusOK, profileView(pg))
}

func (s *Server) profilePage(r *http.Request) (ProfilePage, error) {
	ctx, actor := r.Context(), actorOf(r.Context())
	c, err := s.console(r, "profile", "")
	if err != nil {
		return ProfilePage{}, err
	}
	c.Title = c.P.T("public.profile.title")
	c.Crumbs = []components.Crumb{{Label: c.Title}}
	me, err := party.GetPerson(ctx, s.DB, actor.Person)
	if err != nil {
		return ProfilePage{}, err
	}
	keys, err := party.Keys(ctx, s.DB, actor.Person)
	if err != nil {
		return ProfilePage{}, err
	}
	pg := ProfilePage{ConsolePage: c, Email: me.Email, Lang: me.Lang, Zone: me.Zone, Zones: zones(c.P, s.Clock.Now(), me.Zone)}
	wish, err := tell.WishOf(ctx, s.DB, actor.Person)
	if err != nil {
		return pg, err
	}
	pg.Mails, pg.Urgent, pg.Hours = s.Mail.Enabled(), wish.Urgent, hours(c.P, wish.Daily)
	if pg.Topics, err = s.ownTopics(ctx, actor, c.P); err != nil {
		return pg, err
	}
	for _, k := range keys {
		pg.Keys = append(pg.Keys, ProfileKey{ID: string(k.ID), Label: k.Label, Method: c.P.T("public.profile.method." + string(k.Method)), At: k.CreatedAt, Revoked: k.RevokedAt})
	}
	sessions, err := s.Auth.Sessions(ctx, actor, actor.Person)
	if err != nil {
		return pg, err
	}
	for _, x := range sessions {
		pg.Sessions = append(pg.Sessions, sessionRow(c.P, x, actor.Session))
	}
	if pg.Provider, err = s.providerPanel(r, actor); err != nil {
		return pg, err
	}
	pg.Passkey, err = s.newPasskey(func() (auth.Ceremony, error) { return s.Passkeys.BeginEnrol(ctx, actor) })
	return pg, err
}

// postProfile: POST /profile with lang and zone.
func (s *Server) postProfile(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	lang, zone := r.PostForm.Get("lang"), r.PostForm.Get("zone")
	err := s.Auth.UpdateOwn(r.Context(), actorOf(r.Context()), lang, zone)
	if err == nil {
		s.setLang(w, lang)
		return s.profileSaved(w, r, "settings")
	}
	pg, perr := s.profilePage(r)
	if perr != nil {
		return perr
	}
	if pg.Errors, err = fieldErrors(pg.P, err, map[string]string{"/lang": "lang", "/zone": "zone"}); err != nil {
		return err
	}
	pg.Lang, pg.Zone, pg.Failed = lang, zone, true
	return s.render(w, r, http.StatusUnprocessableEntity, profileView(pg))
}

func (s *Server) profileSaved(w http.ResponseWriter, r *http.Request, what string) error {
	s.Sessions.Put(r.Context(), "saved", what)
	return seeOther(w, r, "/profile")
}

// postProfileKey: POST /profile/keys with public (base64, 32 bytes) and label
// enrols a key that the browser made. A script asks with Accept: */* and gets
// an empty answer; a form is led back to its page.
func (s *Server) postProfileKey(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	public, err := base64.StdEncoding.DecodeString(r.PostForm.Get("public"))
	if err != nil || len(public) == 0 {
		return fault.New(fault.Invalid, "public.join.nokey")
	}
	if _, err := s.Auth.EnrolKey(r.Context(), actorOf(r.Context()), public, r.PostForm.Get("label")); err != nil {
		return err
	}
	if r.Header.Get("Accept") == "*/*" {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return s.profileSaved(w, r, "key")
}

// postProfileKeyRevoke: POST /profile/keys/{id}/revoke.
func (s *Server) postProfileKeyRevoke(w http.ResponseWriter, r *http.Request) error {
	actor := actorOf(r.Context())
	if err := s.Auth.RevokeKey(r.Context(), actor, actor.Person, party.KeyID(r.PathValue("id"))); err != nil {
		return err
	}
	return s.profileSaved(w, r, "revoked")
}

// postEndSession: POST /profile/sessions/{id}/end ends one of the person's own
// sessions; their present one is ended by signing out.
func (s *Server) postEndSession(w http.ResponseWriter, r *http.Request) error {
	by := actorOf(r.Context())
	if err := s.Auth.EndSessions(r.Context(), by, by.Person, r.PathValue("id")); err != nil {
		return err
	}
	return s.profileSaved(w, r, "session")
}

// postEndSessions: POST /profile/sessions/end ends all but the present one.
func (s *Server) postEndSessions(w http.ResponseWriter, r *http.Request) error {
	by := actorOf(r.Context())
	if err := s.Auth.EndSessions(r.Context(), by, by.Person, ""); err != nil {
		return err
	}
	return s.profileSaved(w, r, "sessions")
}
