package web

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// A ProviderLink leads to the provider of an organisation.
type ProviderLink struct {
	Name string
	Href string // "" where there is none
}

// tripFor is how long the cookie of a visit to the provider is kept, in
// seconds.
const tripFor = 600

// tripCookie is where a browser keeps what it began: the ticket, what it is for,
// and where to go.
func (s *Server) tripCookie(value string, age int) *http.Cookie {
	name := "tangkal-provider"
	if s.Secure {
		name = "__Host-" + name
	}
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode} //nolint:gosec // Secure follows TLS
}

// begun starts a visit to the provider in this browser, which alone can end it.
func (s *Server) begun(w http.ResponseWriter, r *http.Request, bound, next string) (auth.Trip, error) {
	if !s.Provider.On() {
		return auth.Trip{}, fault.Hidden("page")
	}
	trip, err := s.Provider.Begin(r.Context(), bound)
	if err != nil {
		return trip, err
	}
	text := base64.RawURLEncoding
	http.SetCookie(w, s.tripCookie(strings.Join([]string{trip.Ticket, text.EncodeToString([]byte(bound)), text.EncodeToString([]byte(ownPath(next)))}, "."), tripFor))
	return trip, nil
}

// depart sends the browser to the provider. It is a link and no form: pages
// post to this site alone.
func (s *Server) depart(w http.ResponseWriter, r *http.Request, bound, next string) error {
	trip, err := s.begun(w, r, bound, next)
	if err != nil {
		return s.providerFailed(w, r, err)
	}
	http.Redirect(w, r, trip.URL, http.StatusSeeOther) //nolint:gosec // the operator's provider
	return nil
}

// providerFailed shows the sign-in page with why.
func (s *Server) providerFailed(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Denied && e.Kind != fault.Unavailable {
		return err
	}
	if e.Kind == fault.Unavailable {
		w.Header().Set("Retry-After", retryAfter(e.RetryAfter))
	}
	return s.showSignIn(w, r, statusOf(e.Kind), "", e)
}

// getProvider: GET /sign-in/provider?next=/path.
func (s *Server) getProvider(w http.ResponseWriter, r *http.Request) error {
	return s.depart(w, r, "", r.URL.Query().Get("next"))
}

// A ProviderJoinPage stands between an invitation and the provider: it says who
// the person there becomes here.
type ProviderJoinPage struct {
	components.PublicPage
	Party, Person, Email, Roles string
	Provider                    ProviderLink // Href is the provider's
	SignedIn                    string       // name of who is signed in here now, "" for nobody
	Back                        string       // the invitation
}

// postProviderJoin: POST /invitation/{secret}/provider begins to take an
// invitation up with an account of the provider. It takes a press on our own
// page, and the page asks: a link alone would make whoever opens it somebody
// whom others chose, and sign them in as that (CWE-352).
func (s *Server) postProviderJoin(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	secret := r.PathValue("secret")
	i, err := s.Auth.Invited(r.Context(), s.DB, secret)
	if err != nil {
		return err
	}
	org, err := party.Get(r.Context(), s.DB, i.Party)
	if err != nil {
		return err
	}
	if !s.Provider.For(org) {
		return fault.Hidden("page")
	}
	now, err := s.Sessions.Actor(r.Context()) // whoever it is, they are somebody else afterwards
	if err != nil {
		return err
	}
	trip, err := s.begun(w, r, secret, "")
	if err != nil {
		return s.providerFailed(w, r, err)
	}
	pg := ProviderJoinPage{PublicPage: s.publicPage(r, "public.signin.title", ""), Party: org.Name, Person: i.Name, Email: i.Email, SignedIn: now.Name, Back: "/invitation/" + secret}
	pg.Narrow, pg.NoFoot, pg.Exit, pg.Path = true, true, "", pg.Back
	pg.Title = pg.P.T("public.join.title", "Party", org.Name)
	pg.Roles, pg.Provider = roleNames(pg.P, i.Roles), ProviderLink{Name: s.Provider.Name, Href: trip.URL}
	return s.render(w, r, http.StatusOK, providerJoinView(pg))
}

// getProviderBack: GET /sign-in/provider/back?state=…&code=…, where the
// provider leads back to.
func (s *Server) getProviderBack(w http.ResponseWriter, r *http.Request) error {
	if !s.Provider.On() {
		return fault.Hidden("page")
	}
	ctx, q := r.Context(), r.URL.Query()
	since := s.Clock.Now()
	parts := strings.Split(cookie(r, s.tripCookie("", 0).Name), ".")
	if len(parts) != 3 {
		parts = make([]string, 3)
	}
	http.SetCookie(w, s.tripCookie("", -1))
	bound, _ := base64.RawURLEncoding.DecodeString(parts[1]) // a wrong one fits no ticket
	next, _ := base64.RawURLEncoding.DecodeString(parts[2])
	who, err := s.Provider.Finish(ctx, auth.Return{
		Ticket: parts[0], Bound: string(bound), State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), ProblemKey: q.Get("error"),
	})
	if err != nil {
		return s.providerFailed(w, r, err)
	}
	if strings.HasPrefix(string(bound), ownTrip) {
		return s.linkOwn(w, r, string(bound), who)
	}
	var person party.PersonID
	if len(bound) > 0 {
		person, err = s.joinByProvider(r, string(bound), who)
	} else {
		person, err = s.Provider.PersonOf(ctx, who)
	}
	if err != nil {
		return s.providerFailed(w, r, err)
	}
	return s.begin(w, r, auth.Arrival{Person: person, Way: auth.ByProvider, Since: since}, string(next))
}

// joinByProvider takes an invitation up with what it says of the person; the
// rest they change on their profile.
func (s *Server) joinByProvider(r *http.Request, secret string, who auth.Subject) (party.PersonID, error) {
	ctx := r.Context()
	i, err := s.Auth.Invited(ctx, s.DB, secret)
	if err != nil {
		return "", err
	}
	org, err := party.Get(ctx, s.DB, i.Party)
	if err != nil {
		return "", err
	}
	p, err := s.Provider.Join(ctx, secret, auth.Joining{Name: i.Name, Lang: string(langOf(r)), Zone: org.Zone}, who)
	return p.ID, err
}

// linkProvider: POST /organisation/people/{id}/provider subject says whom the
// provider knows the sender as; an empty one ends that, or a colleague's.
func (s *Server) linkProvider(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	if !s.Provider.On() {
		return fault.Hidden("person")
	}
	if err := s.Provider.Link(r.Context(), actorOf(r.Context()), party.PersonID(r.PathValue("id")), r.PostForm.Get("subject")); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation")
}

// fillSubjects says whom the provider knows each colleague as.
func (s *Server) fillSubjects(ctx context.Context, pg *OrganisationPage, actor party.Actor, org party.Party) error {
	if !pg.Admin || !s.Provider.For(org) {
		return nil
	}
	links, err := s.Provider.Links(ctx, actor)
	pg.Provider = s.Provider.Name
	for _, l := range links {
		for i := range pg.People {
			if pg.People[i].ID == string(l.Person) {
				pg.People[i].Subject = l.Subject
			}
		}
	}
	return err
}
