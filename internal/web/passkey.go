package web

import (
	"net/http"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
)

// A PasskeyButton sends its form with what an authenticator answered. The
// script fills the hidden fields "passkey-challenge" and "credential".
type PasskeyButton struct {
	New       bool   // makes a passkey; otherwise uses one
	Field     string // takes the answer; "" is "credential"
	Challenge string // comes back with the answer
	Options   string // JSON for the browser; "" where this origin can have no passkeys
}

// kind is what the script asks the authenticator for.
func (b PasskeyButton) kind() string {
	if b.New {
		return "create"
	}
	return "get"
}

// passkeyAnswer reads what the authenticator answered.
func passkeyAnswer(r *http.Request) auth.PasskeyAnswer {
	return auth.PasskeyAnswer{Challenge: r.PostForm.Get("passkey-challenge"), Credential: []byte(r.PostForm.Get("credential"))}
}

// passkeyLabel is what the person called it, or just "Passkey".
func passkeyLabel(r *http.Request, label string) string {
	if strings.TrimSpace(label) == "" {
		return i18n.For(langOf(r)).T("public.profile.method.passkey")
	}
	return label
}

// newPasskey offers a ceremony for a new passkey; none where there can be none.
func (s *Server) newPasskey(begin func() (auth.Ceremony, error)) (PasskeyButton, error) {
	if !s.Passkeys.On() {
		return PasskeyButton{}, nil
	}
	c, err := begin()
	return PasskeyButton{New: true, Challenge: c.Challenge, Options: c.Options}, err
}

// postSignInPasskey: POST /sign-in/passkey with passkey-challenge and
// credential.
func (s *Server) postSignInPasskey(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	next, since := r.PostForm.Get("next"), s.Clock.Now()
	person, err := s.Passkeys.SignIn(r.Context(), passkeyAnswer(r))
	if e, ok := fault.As(err); ok && e.Kind == fault.Denied {
		return s.showSignIn(w, r, http.StatusForbidden, next, e)
	}
	if err != nil {
		return err
	}
	return s.begin(w, r, auth.Arrival{Person: person, Way: auth.ByPasskey, Since: since}, next)
}

// postProfilePasskey: POST /profile/passkeys with passkey-challenge,
// credential and label enrols a passkey for the person themselves.
func (s *Server) postProfilePasskey(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	_, err := s.Passkeys.Enrol(r.Context(), actorOf(r.Context()), passkeyAnswer(r), passkeyLabel(r, r.PostForm.Get("label")))
	if err != nil {
		return err
	}
	return s.profileSaved(w, r, "passkey")
}
