package web

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// SignInPage is where staff sign in: with a passkey, with the key of their
// browser, or, in a demo of made-up people, with one press.
type SignInPage struct {
	components.PublicPage
	Challenge string // identifier of the challenge, auth.Challenge.ID
	Nonce     string // base64 of what is signed
	Next      string // path to go to afterwards, "" for the person's first page
	Failed    string // why the last attempt was refused, "" if there was none
	Passkey   PasskeyButton
	Provider  ProviderLink
	Demo      []DemoParty
}

// A DemoParty is an organisation of the demo with its people.
type DemoParty struct {
	Name   string
	Kind   string
	Icon   string
	People []DemoPerson
}

// A DemoPerson signs in with one press.
type DemoPerson struct {
	ID       string // sent along, never shown
	Name     string
	Initials string
	Role     string
	Does     string // what there is to try in this chair
}

// signInRoutes are the ways in and out, and a person's own settings. Those
// without an act are open to whoever is not signed in.
func (s *Server) signInRoutes() []Route {
	return []Route{
		{"GET /sign-in", "", s.getSignIn},
		{"POST /sign-in", "", s.postSignIn},
		{"POST /sign-in/passkey", "", s.postSignInPasskey},
		{"GET /sign-in/provider", "", s.getProvider},
		{"GET /sign-in/provider/back", "", s.getProviderBack},
		{"POST /invitation/{secret}/provider", "", s.postProviderJoin},
		{"POST /sign-out", "", s.postSignOut},
		{"POST /demo/sign-in", "", s.postDemoSignIn},
		{"GET /invitation/{secret}", "", s.getInvitation},
		{"POST /invitation/{secret}", "", s.postInvitation},
		{"GET /recovery/{secret}", "", s.getRecovery},
		{"POST /recovery/{secret}", "", s.postRecovery},
		{"GET /first-run", "", s.getFirstRun},
		{"POST /first-run", "", s.postFirstRun},
		{"GET /profile", auth.PolicyRead, s.getProfile},
		{"POST /profile", auth.PolicyRead, s.postProfile},
		{"POST /profile/topics", auth.CaseWork, s.postProfileTopics},
		{"POST /profile/passkeys", auth.PartyRead, s.postProfilePasskey},
		{"POST /profile/keys", auth.PartyRead, s.postProfileKey},
		{"POST /profile/keys/{id}/revoke", auth.PartyKey, s.postProfileKeyRevoke},
		{"POST /profile/provider", auth.PartyKey, s.postOwnProvider},
		{"GET /profile/provider", auth.PartyRead, s.getOwnProvider},
		{"POST /profile/provider/end", auth.PartyKey, s.postEndOwnProvider},
		{"POST /profile/sessions/{id}/end", auth.PartyRead, s.postEndSession},
		{"POST /profile/sessions/end", auth.PartyRead, s.postEndSessions},
		{"POST /touch", auth.PartyRead, s.postTouch},
		{"GET /events", auth.PolicyRead, s.events},
	}
}

// getSignIn: GET /sign-in?next=/path.
func (s *Server) getSignIn(w http.ResponseWriter, r *http.Request) error {
	return s.showSignIn(w, r, http.StatusOK, r.URL.Query().Get("next"), nil)
}

// showSignIn asks for a signature over a fresh challenge. refused says why the
// attempt before failed.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request, status int, next string, refused *fault.Error) error {
	c := s.Auth.NewChallenge()
	pg := SignInPage{
		PublicPage: s.publicPage(r, "public.signin.title", "signin"), Challenge: c.ID,
		Nonce: base64.StdEncoding.EncodeToString(c.Nonce), Next: ownPath(next),
	}
	pg.Signs = true
	if s.Passkeys.On() {
		options, err := s.Passkeys.SignInOptions(c)
		if err != nil {
			return err
		}
		pg.Passkey = PasskeyButton{Challenge: c.ID, Options: options}
	}
	if s.Provider.On() {
		pg.Provider = ProviderLink{Name: s.Provider.Name, Href: "/sign-in/provider?next=" + urlQuery(pg.Next)}
	}
	if refused != nil {
		pg.PublicPage.Failed, pg.Path = true, "/sign-in"
		pg.Failed = pg.P.Fault(refused)
	}
	if s.Demo {
		var err error
		if pg.Demo, err = s.demoParties(r.Context(), pg.P); err != nil {
			return err
		}
	}
	return s.render(w, r, status, signInView(pg))
}

// postSignIn: POST /sign-in with challenge, key and signature.
func (s *Server) postSignIn(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	next, since := r.PostForm.Get("next"), s.Clock.Now()
	signature, err := base64.StdEncoding.DecodeString(r.PostForm.Get("signature"))
	if err != nil {
		signature = nil // a wrong one, and answered as such
	}
	person, err := s.Auth.SignIn(r.Context(), r.PostForm.Get("challenge"), party.KeyID(r.PostForm.Get("key")), signature)
	if e, ok := fault.As(err); ok && e.Kind == fault.Denied {
		return s.showSignIn(w, r, http.StatusForbidden, next, e)
	}
	if err != nil {
		return err
	}
	return s.begin(w, r, auth.Arrival{Person: person, Way: auth.ByKey, Since: since}, next)
}

// begin opens a session and leads to where the person wanted to go, or works.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, by auth.Arrival, next string) error {
	actor, err := auth.ActorFor(r.Context(), s.DB, by.Person)
	if err != nil {
		return err
	}
	by.Agent = r.UserAgent()
	if err := s.Sessions.Begin(r.Context(), by); err != nil {
		return err
	}
	if next = ownPath(next); next == "" {
		next = firstPage(actor)
	}
	return seeOther(w, r, next)
}

// firstPage is where an actor's work is.
func firstPage(a party.Actor) string {
	switch {
	case a.PartyKind == party.Platform && auth.Seat(a, auth.NoticeAnswer):
		return "/inbox"
	case auth.Seat(a, auth.CaseWork):
		return "/triage"
	case auth.Seat(a, auth.NoticeApprove) || auth.Seat(a, auth.NoticeIssue):
		return "/approvals"
	case auth.Seat(a, auth.NoticeRead):
		return "/orders"
	case auth.Seat(a, auth.PartyRead):
		return "/organisation"
	default:
		return "/profile"
	}
}

// ownPath returns next if it is a path of this site and nothing else, "" if
// not: no other site is ever opened by signing in (CWE-601).
func ownPath(next string) string {
	u, err := url.ParseRequestURI(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\t\r\n") || strings.HasPrefix(next, "/sign-") || strings.HasPrefix(next, "/events") {
		return ""
	}
	return next
}

// postSignOut: POST /sign-out.
func (s *Server) postSignOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.Sessions.End(r.Context()); err != nil {
		return err
	}
	if s.Demo {
		return seeOther(w, r, "/sign-in")
	}
	return seeOther(w, r, "/")
}

// postDemoSignIn: POST /demo/sign-in with person signs in without a key. It is
// there in a demo alone, whose people are made up.
func (s *Server) postDemoSignIn(w http.ResponseWriter, r *http.Request) error {
	if !s.Demo {
		return fault.Hidden("page")
	}
	if err := smallForm(w, r); err != nil {
		return err
	}
	return s.begin(w, r, auth.Arrival{Person: party.PersonID(r.PostForm.Get("person")), Way: auth.ByDemo}, r.PostForm.Get("next"))
}

// demoParties are all organisations of the demo with their people, agencies
// first.
func (s *Server) demoParties(ctx context.Context, p *i18n.Printer) ([]DemoParty, error) {
	all, err := party.List(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b party.Party) int {
		return cmp.Compare(slices.Index(party.Kinds(), a.Kind), slices.Index(party.Kinds(), b.Kind))
	})
	var out []DemoParty
	for _, org := range all {
		people, err := party.People(ctx, s.DB, org.ID)
		if err != nil {
			return nil, err
		}
		d := DemoParty{Name: org.Name, Kind: p.T("web.party." + string(org.Kind)), Icon: partyIcon(org.Kind)}
		for _, x := range people {
			if x.Active {
				d.People = append(d.People, DemoPerson{ID: string(x.ID), Name: x.Name, Initials: initials(x.Name), Role: roleNames(p, x.Roles), Does: does(p, org.Kind, x.Roles)})
			}
		}
		if len(d.People) > 0 {
			out = append(out, d)
		}
	}
	return out, nil
}

// does says what there is to try in a chair: the work of its first role.
func does(p *i18n.Printer, kind party.Kind, roles []party.Role) string {
	for _, role := range roles {
		for _, key := range []string{"public.demo." + string(kind) + "." + string(role), "public.demo." + string(role)} {
			if p.Has(key) {
				return p.T(key)
			}
		}
	}
	return p.T("public.demo.reads")
}

// partyIcon draws a kind of organisation.
func partyIcon(k party.Kind) string {
	switch k {
	case party.Platform:
		return "building-2"
	case party.Authority:
		return "stamp"
	case party.Oversight, party.Court:
		return "scale"
	case party.State:
		return "globe"
	case party.Civil, party.Helpline:
		return "heart-handshake"
	case party.Research:
		return "flask-conical"
	default:
		return "landmark"
	}
}

// maxSmallForm bounds the forms of staff that carry no files.
const maxSmallForm = 256 << 10

// smallForm reads a form without files into r.PostForm.
func smallForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallForm)
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "public.form.kind").Because(err)
	}
	return nil
}
