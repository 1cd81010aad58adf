package web

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// RecoveryPage is where somebody who lost every key makes a new one, with what
// two others gave them.
type RecoveryPage struct {
	components.PublicPage
	Action  string // POST: code, label, and public or passkey-challenge and credential
	Party   string
	Name    string
	Until   string
	Code    string
	Label   string
	Passkey PasskeyButton
	Errors  []components.FieldError
}

func (pg RecoveryPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// A RecoveryRow is a recovery as those whom it concerns are shown it.
type RecoveryRow struct {
	ID, Name, Words     string
	Standing            bool
	MayConfirm, MayStop bool
	Own                 bool // about the reader
}

// getRecovery: GET /recovery/{secret}. The secret is the second person's half.
func (s *Server) getRecovery(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.recoveryPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, recoveryView(pg))
}

func (s *Server) recoveryPage(r *http.Request) (RecoveryPage, error) {
	secret := r.PathValue("secret")
	found, person, err := s.Auth.Recovering(r.Context(), s.DB, secret)
	if err != nil {
		return RecoveryPage{}, err
	}
	org, err := party.Get(r.Context(), s.DB, person.Party)
	if err != nil {
		return RecoveryPage{}, err
	}
	zone, err := time.LoadLocation(person.Zone)
	if err != nil {
		zone = time.UTC
	}
	pg := RecoveryPage{PublicPage: s.publicPage(r, "public.recovery.title", ""), Action: "/recovery/" + secret, Party: org.Name, Name: person.Name}
	pg.Signs, pg.Narrow, pg.NoFoot, pg.Exit = true, true, true, ""
	pg.Until = pg.P.DateTime(found.ExpiresAt, zone)
	pg.Passkey, err = s.newPasskey(func() (auth.Ceremony, error) { return s.Passkeys.BeginRecover(r.Context(), secret) })
	return pg, err
}

// postRecovery: POST /recovery/{secret} with code, label, and public or an
// authenticator's answer, makes the new key, ends all there was, and signs in.
func (s *Server) postRecovery(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	f := r.PostForm
	public, err := base64.StdEncoding.DecodeString(f.Get("public"))
	if (err != nil || len(public) == 0) && f.Get("credential") == "" {
		return s.recoveryAgain(w, r, fault.New(fault.Invalid, "public.join.nokey"))
	}
	var person party.Person
	way := auth.ByKey
	if f.Get("credential") == "" {
		person, err = s.Auth.Recover(r.Context(), r.PathValue("secret"), f.Get("code"), public, f.Get("label"))
	} else {
		way = auth.ByPasskey
		person, err = s.Passkeys.Recover(r.Context(), r.PathValue("secret"), f.Get("code"), passkeyAnswer(r), passkeyLabel(r, f.Get("label")))
	}
	if err != nil {
		return s.recoveryAgain(w, r, err)
	}
	s.Sessions.Put(r.Context(), "saved", "recovered")
	return s.begin(w, r, auth.Arrival{Person: person.ID, Way: way}, "/profile")
}

// recoveryAgain shows the page with what was wrong. After the last wrong code
// there is no page any more.
func (s *Server) recoveryAgain(w http.ResponseWriter, r *http.Request, wrong error) error {
	said, err := fieldErrors(i18n.For(langOf(r)), wrong, map[string]string{"/code": "code", "/label": "label"})
	if err != nil {
		return err
	}
	pg, err := s.recoveryPage(r)
	if err != nil {
		return err
	}
	pg.Code, pg.Label, pg.Errors, pg.Failed = r.PostForm.Get("code"), r.PostForm.Get("label"), said, true
	return s.render(w, r, http.StatusUnprocessableEntity, recoveryView(pg))
}

// openRecovery: POST /organisation/people/{id}/recover says that a colleague
// lost every key, and shows the code for them.
func (s *Server) openRecovery(w http.ResponseWriter, r *http.Request) error {
	_, code, err := s.Auth.OpenRecovery(r.Context(), actorOf(r.Context()), party.PersonID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return s.once(w, r, "recovery-code", code)
}

// confirmRecovery: POST /recoveries/{id}/confirm is the second voice, and shows
// the address for the colleague.
func (s *Server) confirmRecovery(w http.ResponseWriter, r *http.Request) error {
	_, secret, err := s.Auth.ConfirmRecovery(r.Context(), actorOf(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.once(w, r, "recovery-link", s.origin(r)+"/recovery/"+secret)
}

// cancelRecovery: POST /recoveries/{id}/cancel.
func (s *Server) cancelRecovery(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.CancelRecovery(r.Context(), actorOf(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	s.Sessions.Put(r.Context(), "saved", "recovery-cancelled")
	return seeOther(w, r, "/waiting")
}

// fillRecoveries adds the recoveries that concern the reader.
func (s *Server) fillRecoveries(r *http.Request, pg *WaitingPage, actor party.Actor) error {
	all, err := s.Auth.Recoveries(r.Context(), actor)
	if err != nil || len(all) == 0 {
		return err
	}
	people, err := party.People(r.Context(), s.DB, actor.Party)
	if err != nil {
		return err
	}
	names := map[party.PersonID]string{auth.Operator: pg.P.T("web.recovery.operator")}
	for _, p := range people {
		names[p.ID] = p.Name
	}
	for _, one := range all {
		pg.Recoveries = append(pg.Recoveries, RecoveryRow{
			ID: one.ID, Name: names[one.Person], Words: recoveryWords(pg.ConsolePage, one, names), Standing: one.EndedAt.IsZero(),
			MayConfirm: s.Auth.MayConfirm(actor, one) == nil, Own: one.Person == actor.Person,
			MayStop: one.EndedAt.IsZero() && (one.Involves(actor.Person) || auth.Seat(actor, auth.PartyAdmin)),
		})
	}
	return nil
}

// recoveryWords says how far a recovery is, and who spoke for it.
func recoveryWords(c components.ConsolePage, r auth.Recovery, names map[party.PersonID]string) string {
	p := c.P
	when := func(t time.Time) string { return p.When(t, c.Now, c.Zone) }
	switch {
	case !r.EndedAt.IsZero():
		return p.T("web.recovery."+string(r.Ended), "At", when(r.EndedAt), "By", names[r.OpenedBy])
	case r.Open():
		return p.T("web.recovery.opened", "By", names[r.OpenedBy], "At", when(r.OpenedAt), "Until", when(r.ExpiresAt))
	default:
		return p.T("web.recovery.confirmed", "By", names[r.OpenedBy], "Second", names[r.ConfirmedBy], "Until", when(r.ExpiresAt))
	}
}
