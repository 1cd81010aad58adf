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

// JoinPage is where an invited person makes their passkey or browser key.
type JoinPage struct {
	components.PublicPage
	Action   string // POST: name, lang, zone, label, and public or passkey-challenge and credential
	Party    string
	Roles    string
	Name     string
	Zones    []Option
	Zone     string
	Label    string // of the browser
	Passkey  PasskeyButton
	Provider ProviderLink
	Errors   []components.FieldError
}

func (pg JoinPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// A FirstRunPage founds the instance: its first organisation and the person
// who administers it.
type FirstRunPage struct {
	components.PublicPage
	Secret       string
	Org          string
	Code         string
	Kind         string
	Kinds        []Option
	Jurisdiction string
	Packs        []Option
	Contact      string
	Zone         string
	Zones        []Option
	Name         string
	Email        string
	Errors       []components.FieldError
}

func (pg FirstRunPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// zones are the time zones offered, the default pack's first; a person whose
// zone is another keeps it.
func zones(p *i18n.Printer, now time.Time, has ...string) []Option {
	var out []Option
	for _, name := range append([]string{
		"Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura", "Asia/Singapore", "Asia/Kuala_Lumpur", "Asia/Manila", "Asia/Bangkok", "Asia/Tokyo",
		"Asia/Kolkata", "Asia/Dubai", "Australia/Sydney", "Europe/Amsterdam", "Europe/Berlin", "Europe/Brussels", "Europe/Dublin",
		"Europe/London", "Europe/Paris", "America/New_York", "America/Los_Angeles", "UTC",
	}, has...) {
		zone, err := time.LoadLocation(name)
		if err != nil || name == "" || hasOption(out, name) {
			continue
		}
		out = append(out, Option{name, name + ", " + p.Time(now, zone)})
	}
	return out
}

func hasOption(all []Option, value string) bool {
	for _, o := range all {
		if o.Value == value {
			return true
		}
	}
	return false
}

// getInvitation: GET /invitation/{secret} is where an invited person makes
// their key. The secret is the invitation's own address.
func (s *Server) getInvitation(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.joinPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, joinView(pg))
}

func (s *Server) joinPage(r *http.Request) (JoinPage, error) {
	secret := r.PathValue("secret")
	i, err := s.Auth.Invited(r.Context(), s.DB, secret)
	if err != nil {
		return JoinPage{}, err
	}
	org, err := party.Get(r.Context(), s.DB, i.Party)
	if err != nil {
		return JoinPage{}, err
	}
	pg := JoinPage{PublicPage: s.publicPage(r, "public.signin.title", ""), Action: "/invitation/" + secret, Party: org.Name, Name: i.Name, Zone: org.Zone}
	pg.Signs, pg.Narrow, pg.NoFoot, pg.Exit = true, true, true, ""
	pg.Title = pg.P.T("public.join.title", "Party", org.Name)
	pg.Roles, pg.Zones = roleNames(pg.P, i.Roles), zones(pg.P, s.Clock.Now(), org.Zone)
	if s.Provider.For(org) {
		pg.Provider = ProviderLink{Name: s.Provider.Name, Href: pg.Action + "/provider"}
	}
	pg.Passkey, err = s.newPasskey(func() (auth.Ceremony, error) { return s.Passkeys.BeginJoin(r.Context(), secret) })
	return pg, err
}

// postInvitation: POST /invitation/{secret} with name, lang, zone, label, and
// public or an authenticator's answer, joins and signs in.
func (s *Server) postInvitation(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	pg, err := s.joinPage(r)
	if err != nil {
		return err
	}
	f := r.PostForm
	pg.Name, pg.Zone, pg.Label = f.Get("name"), f.Get("zone"), f.Get("label")
	public, err := base64.StdEncoding.DecodeString(f.Get("public"))
	if (err != nil || len(public) == 0) && f.Get("credential") == "" {
		pg.Errors, pg.Failed = []components.FieldError{{Text: pg.P.T("public.join.nokey")}}, true
		return s.render(w, r, http.StatusUnprocessableEntity, joinView(pg))
	}
	p, err := s.join(r, auth.Joining{Name: pg.Name, Lang: f.Get("lang"), Zone: pg.Zone, Public: public, Label: pg.Label})
	if err != nil {
		pg.Errors, err = fieldErrors(pg.P, err, map[string]string{"/name": "name", "/lang": "lang", "/zone": "zone", "/label": "label"})
		if err != nil {
			return err
		}
		pg.Failed = true
		return s.render(w, r, http.StatusUnprocessableEntity, joinView(pg))
	}
	way := auth.ByKey
	if f.Get("credential") != "" {
		way = auth.ByPasskey
	}
	return s.begin(w, r, auth.Arrival{Person: p.ID, Way: way}, "")
}

// join takes up the invitation of a request with a passkey, if there is one.
func (s *Server) join(r *http.Request, j auth.Joining) (party.Person, error) {
	secret, answer := r.PathValue("secret"), passkeyAnswer(r)
	if len(answer.Credential) == 0 {
		return s.Auth.Join(r.Context(), secret, j)
	}
	j.Label = passkeyLabel(r, j.Label)
	return s.Passkeys.Join(r.Context(), secret, j, answer)
}

// getFirstRun: GET /first-run asks for the secret that the program printed.
func (s *Server) getFirstRun(w http.ResponseWriter, r *http.Request) error {
	pg := s.firstRunPage(r)
	return s.render(w, r, http.StatusOK, firstRunView(pg))
}

func (s *Server) firstRunPage(r *http.Request) FirstRunPage {
	pg := FirstRunPage{PublicPage: s.publicPage(r, "public.first.title", ""), Zone: "Asia/Jakarta"}
	pg.Narrow, pg.NoFoot, pg.Exit = true, true, ""
	for _, k := range []party.Kind{party.Agency, party.Authority, party.LawEnforcement, party.Helpline, party.Civil, party.Oversight} {
		pg.Kinds = append(pg.Kinds, Option{string(k), pg.P.T("web.party." + string(k))})
	}
	now := s.Clock.Now()
	for _, code := range s.Packs.Codes() {
		if pack, ok := s.Packs.Current(code, now); ok {
			pg.Packs = append(pg.Packs, Option{code, pack.Name.In(pg.P.Lang())})
		}
	}
	pg.Zones = zones(pg.P, now)
	return pg
}

// postFirstRun: POST /first-run founds the instance and leads to the
// invitation of its administrator.
func (s *Server) postFirstRun(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	pg, f := s.firstRunPage(r), r.PostForm
	pg.Secret, pg.Org, pg.Code, pg.Kind = f.Get("secret"), f.Get("org"), f.Get("code"), f.Get("kind")
	pg.Jurisdiction, pg.Contact, pg.Zone = f.Get("jurisdiction"), f.Get("contact"), f.Get("zone")
	pg.Name, pg.Email = f.Get("name"), f.Get("email")
	_, secret, err := s.Auth.Found(r.Context(), pg.Secret, party.Party{
		Code: pg.Code, Kind: party.Kind(pg.Kind), Name: pg.Org, Jurisdiction: pg.Jurisdiction, Languages: []string{string(pg.P.Lang())},
		Contact: pg.Contact, Zone: pg.Zone,
	}, pg.Name, pg.Email)
	if err == nil {
		return seeOther(w, r, "/invitation/"+secret)
	}
	if fault.Is(err, "auth.first-run") {
		err = fault.New(fault.Invalid, "auth.first-run").At("/secret")
	}
	if pg.Errors, err = fieldErrors(pg.P, err, pg.errorFields()); err != nil {
		return err
	}
	pg.Failed = true
	return s.render(w, r, http.StatusUnprocessableEntity, firstRunView(pg))
}

// errorFields are the form's fields by JSON pointer. A party and a person
// both have a name: an empty one is the organisation's first.
func (pg FirstRunPage) errorFields() map[string]string {
	name := "name"
	if pg.Org == "" {
		name = "org"
	}
	return map[string]string{
		"/secret": "secret", "/name": name, "/code": "code", "/kind": "kind", "/zone": "zone", "/email": "email", "/jurisdiction": "jurisdiction", "/contact": "contact",
	}
}
