package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

func (s *Server) adminRoutes() []Route {
	return []Route{
		{"GET /organisation", auth.PartyRead, s.organisation},
		{"POST /organisation/people", auth.PartyAdmin, s.invite},
		{"POST /organisation/people/{id}", auth.PartyAdmin, s.changePerson},
		{"POST /organisation/people/{id}/provider", auth.PartyAdmin, s.linkProvider},
		{"POST /organisation/people/{id}/recover", auth.PartyAdmin, s.openRecovery},
		{"POST /organisation/people/{id}/deactivate", auth.PartyAdmin, s.deactivate},
		{"POST /organisation/people/{id}/sessions/end", auth.PartyAdmin, s.endSessions},
		{"POST /organisation/invitations/{id}/revoke", auth.PartyAdmin, s.revokeInvitation},
		{"POST /organisation/parties", auth.PartyAdd, s.addParty},
		{"POST /organisation/keys", auth.PartyAdmin, s.addAPIKey},
		{"POST /organisation/keys/{id}/revoke", auth.PartyAdmin, s.revokeAPIKey},
		{"POST /organisation/webhooks", auth.PartyAdmin, s.addWebhook},
		{"GET /organisation/webhooks/{id}", auth.PartyAdmin, s.webhook},
		{"POST /organisation/webhooks/{id}/test", auth.PartyAdmin, s.testWebhook},
		{"POST /organisation/webhooks/{id}/resume", auth.PartyAdmin, s.resumeWebhook},
		{"POST /organisation/webhooks/{id}/replay", auth.PartyAdmin, s.replayWebhook},
		{"POST /organisation/webhooks/{id}/rotate", auth.PartyAdmin, s.rotateWebhook},
		{"POST /organisation/webhooks/{id}/remove", auth.PartyAdmin, s.removeWebhook},
		{"GET /organisation/record", auth.PartyAdmin, s.record},
		{"GET /policy", auth.PolicyRead, s.policyIndex},
		{"GET /policy/{code}", auth.PolicyRead, s.policyPack},
		{"GET /policy/{code}/compare", auth.PolicyRead, s.policyCompare},
	}
}

// OrganisationPage is where an organisation keeps its people, keys and
// webhooks.
type OrganisationPage struct {
	components.ConsolePage
	Title, Sub string
	Tabs       []components.Tab
	Admin      bool // may change things here
	MayAdd     bool // may invite other organisations
	People     []MemberRow
	Invited    []InviteRow
	APIKeys    []APIKeyRow
	Hooks      []HookRow
	Secret     *SecretBox
	Roles      []components.Choice
	Kinds      []Option
	Colleagues []Option
	Provider   string // name of the provider that knows these people, "" without one
	Open       string // the form that stands open after an error
	Errors     []components.FieldError
	Was        url.Values // what was sent, so that nothing has to be typed again
}

// A MemberRow is one person.
type MemberRow struct {
	ID, Name, Initials, Email string
	Roles                     []string
	RoleSet                   []components.Choice // to change them
	Keys                      string
	NoKey                     bool
	Active, Self              bool
	Subject                   string // whom the provider knows them as
}

// An InviteRow is somebody who was asked to join.
type InviteRow struct{ ID, Name, Email, Roles, Until string }

// An APIKeyRow is one machine's key.
type APIKeyRow struct {
	ID, Label, Prefix, Person, Expires, Used string
	Scopes                                   []string
	Soon, Revoked                            bool
}

// A HookRow is one webhook endpoint with its health.
type HookRow struct {
	ID, URL, Label, Events, Public, Waiting string
	Health                                  string // ok, failing, paused, new
	Word                                    string
	Ticks                                   []string // the last deliveries, oldest first: ok, wait, bad
}

// A SecretBox shows a secret, once.
type SecretBox struct{ Title, Text, Value string }

// value returns what was typed into a field.
func (pg OrganisationPage) value(name string) string { return pg.Was.Get(name) }

func (pg OrganisationPage) wrong(field string) string { return fieldError(pg.Errors, field) }

// organisation: GET /organisation
func (s *Server) organisation(w http.ResponseWriter, r *http.Request) error {
	return s.showOrganisation(w, r, http.StatusOK, func(*OrganisationPage) {})
}

// showOrganisation renders the page after change has added what a POST left
// to say.
func (s *Server) showOrganisation(w http.ResponseWriter, r *http.Request, status int, change func(*OrganisationPage)) error {
	ctx, actor := r.Context(), actorOf(r.Context())
	p := i18n.For(langOf(r))
	c, err := s.console(r, "organisation", p.T("admin.title"),
		components.Crumb{Label: p.T("web.nav.organisation")}, components.Crumb{Label: p.T("admin.people-and-integrations")})
	if err != nil {
		return err
	}
	org, err := party.Get(ctx, s.DB, actor.Party)
	if err != nil {
		return err
	}
	pg := OrganisationPage{
		ConsolePage: c, Title: org.Name, Sub: p.T("admin.sub." + subOf(org.Kind)), Tabs: s.adminTabs(p, actor, "people"),
		Admin: auth.Seat(actor, auth.PartyAdmin), MayAdd: auth.Seat(actor, auth.PartyAdd), Was: url.Values{},
	}
	if err := s.fillPeople(ctx, &pg, actor); err != nil {
		return err
	}
	if err := s.fillSubjects(ctx, &pg, actor, org); err != nil {
		return err
	}
	if pg.Admin {
		if err := s.fillMachines(ctx, &pg, actor); err != nil {
			return err
		}
	}
	change(&pg)
	pg.Failed = len(pg.Errors) > 0
	return s.render(w, r, status, organisationView(pg))
}

// subOf is the catalogue word for what a kind of organisation does here.
func subOf(k party.Kind) string {
	switch k {
	case party.Agency, party.Authority, party.Platform, party.Oversight:
		return string(k)
	default:
		return "other"
	}
}

// adminTabs are the sections of the organisation's pages; active is the key of
// the one that is open.
func (s *Server) adminTabs(p *i18n.Printer, actor party.Actor, active string) []components.Tab {
	tabs := []components.Tab{
		{Label: p.T("admin.people-and-integrations"), Href: "/organisation", Active: active == "people"},
		{Label: p.T("admin.duty"), Href: "/organisation/duty", Active: active == "duty"},
		{Label: p.T("web.nav.policy"), Href: "/policy", Active: active == "policy"},
	}
	if pack, ok := s.Packs.Current(actor.Jurisdiction, s.Clock.Now()); ok {
		if n := len(pack.Unverified()); n > 0 {
			tabs[2].Count = p.Number(int64(n))
		}
	}
	if auth.Seat(actor, auth.PartyAdmin) {
		tabs = append(tabs, components.Tab{Label: p.T("admin.record"), Href: "/organisation/record", Active: active == "record"})
	}
	return tabs
}

func (s *Server) fillPeople(ctx context.Context, pg *OrganisationPage, actor party.Actor) error {
	people, err := party.People(ctx, s.DB, actor.Party)
	if err != nil {
		return err
	}
	for _, m := range people {
		keys, err := party.Keys(ctx, s.DB, m.ID)
		if err != nil {
			return err
		}
		valid := 0
		for _, k := range keys {
			if k.RevokedAt.IsZero() {
				valid++
			}
		}
		row := MemberRow{
			ID: string(m.ID), Name: m.Name, Initials: initials(m.Name), Email: m.Email, Keys: pg.P.N("admin.keys", valid),
			NoKey: valid == 0, Active: m.Active, Self: m.ID == actor.Person, RoleSet: roleChoices(pg.P, m.Roles),
		}
		for _, role := range m.Roles {
			row.Roles = append(row.Roles, pg.P.T("web.role."+string(role)))
		}
		pg.People = append(pg.People, row)
		if m.Active {
			pg.Colleagues = append(pg.Colleagues, Option{string(m.ID), m.Name})
		}
	}
	pg.Roles = roleChoices(pg.P, nil)
	for _, k := range party.Kinds() {
		pg.Kinds = append(pg.Kinds, Option{string(k), pg.P.T("web.party." + string(k))})
	}
	return nil
}

func roleChoices(p *i18n.Printer, has []party.Role) []components.Choice {
	var out []components.Choice
	for _, r := range party.Roles() {
		out = append(out, components.Choice{Value: string(r), Label: p.T("web.role." + string(r)), Checked: slices.Contains(has, r)})
	}
	return out
}

func (s *Server) fillMachines(ctx context.Context, pg *OrganisationPage, actor party.Actor) error {
	invited, err := s.Auth.Invitations(ctx, actor)
	if err != nil {
		return err
	}
	for _, i := range invited {
		if i.UsedAt.IsZero() && i.RevokedAt.IsZero() && i.ExpiresAt.After(pg.Now) {
			pg.Invited = append(pg.Invited, InviteRow{i.ID, i.Name, i.Email, roleNames(pg.P, i.Roles), pg.P.DateTime(i.ExpiresAt, pg.Zone)})
		}
	}
	keys, err := s.Auth.APIKeys(ctx, actor)
	if err != nil {
		return err
	}
	for _, k := range keys {
		pg.APIKeys = append(pg.APIKeys, apiKeyRow(pg, k))
	}
	hooks, err := s.Outbox.Endpoints(ctx, actor)
	if err != nil {
		return err
	}
	for _, h := range hooks {
		last, err := s.Outbox.Deliveries(ctx, actor, h.ID, 0, 24)
		if err != nil {
			return err
		}
		row := hookRow(pg.ConsolePage, h)
		row.Ticks = ticksOf(last)
		pg.Hooks = append(pg.Hooks, row)
	}
	return nil
}

func apiKeyRow(pg *OrganisationPage, k auth.APIKey) APIKeyRow {
	p := pg.P
	row := APIKeyRow{ID: k.ID, Label: k.Label, Prefix: k.Prefix + "…", Expires: p.T("admin.key.never"), Used: p.T("admin.key.unused"), Revoked: !k.RevokedAt.IsZero()}
	if !k.ExpiresAt.IsZero() {
		row.Expires, row.Soon = p.Date(k.ExpiresAt, pg.Zone), k.ExpiresAt.Sub(pg.Now) < 14*24*time.Hour
	}
	if !k.LastUsed.IsZero() {
		row.Used = p.Ago(k.LastUsed, pg.Now)
	}
	for _, sc := range k.Scopes {
		row.Scopes = append(row.Scopes, string(sc))
	}
	for _, c := range pg.People {
		if c.ID == string(k.Person) {
			row.Person = c.Name
		}
	}
	return row
}

func hookRow(c components.ConsolePage, h outbox.Endpoint) HookRow {
	p := c.P
	row := HookRow{
		ID: h.ID, URL: canonical.Defang(h.URL), Label: h.Label, Events: strings.Join(h.Events, "  "),
		Public: notes.FormatHookPublic(h.Public), Waiting: p.N("admin.hook.waiting", h.Waiting), Health: "ok", Word: p.T("admin.hook.ok"),
	}
	if row.Events == "" {
		row.Events = p.T("admin.hook.all-events")
	}
	switch h.Health() {
	case outbox.Paused:
		row.Health, row.Word = "paused", p.T("admin.hook.paused")
	case outbox.Failing:
		row.Health, row.Word = "failing", p.T("admin.hook.failing", "Since", p.Span(c.Now.Sub(h.FailingSince)))
	case outbox.Untried:
		row.Health, row.Word = "new", p.T("admin.hook.new")
	case outbox.Well:
	}
	return row
}

// ticksOf draws the last deliveries, which come newest first.
func ticksOf(last []outbox.Delivery) []string {
	var ticks []string
	for _, d := range slices.Backward(last) {
		tick := "wait"
		switch {
		case d.State == outbox.Accepted:
			tick = "ok"
		case d.State == outbox.GivenUp, d.Attempts > 0:
			tick = "bad"
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// again shows the page with what was wrong with a form, or fails.
func (s *Server) again(w http.ResponseWriter, r *http.Request, form string, err error, names map[string]string) error {
	errors, err := fieldErrors(i18n.For(langOf(r)), err, names)
	if err != nil {
		return err
	}
	return s.showOrganisation(w, r, http.StatusUnprocessableEntity, func(pg *OrganisationPage) {
		pg.Open, pg.Errors, pg.Was = form, errors, r.PostForm
	})
}

// once shows a secret that is never shown again.
func (s *Server) once(w http.ResponseWriter, r *http.Request, kind, value string) error {
	p := i18n.For(langOf(r))
	return s.showOrganisation(w, r, http.StatusOK, func(pg *OrganisationPage) {
		pg.Secret = &SecretBox{p.T("admin.secret." + kind), p.T("admin.secret." + kind + ".text"), value}
	})
}

func roles(values []string) []party.Role {
	out := make([]party.Role, len(values))
	for i, v := range values {
		out[i] = party.Role(v)
	}
	return out
}

// parseForm reads a small form, at most 64 KiB.
func parseForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "web.form").Because(err)
	}
	return nil
}

// invite: POST /organisation/people name, email, roles
func (s *Server) invite(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	actor := actorOf(r.Context())
	_, secret, err := s.Auth.Invite(r.Context(), actor, actor.Party, r.PostForm.Get("name"), r.PostForm.Get("email"), roles(r.PostForm["roles"]))
	if err != nil {
		if fault.Is(err, "party.email-taken") {
			e, _ := fault.As(err)
			err = fault.New(fault.Invalid, e.Code, "Email", e.Args["Email"]).At("/email")
		}
		return s.again(w, r, "invite", err, map[string]string{"/name": "invite-name", "/email": "invite-email", "/roles": "invite-roles"})
	}
	return s.once(w, r, "invitation", s.origin(r)+"/invitation/"+secret)
}

// origin is the address that the visitor used.
func (s *Server) origin(r *http.Request) string {
	if s.Secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// changePerson: POST /organisation/people/{id} roles
func (s *Server) changePerson(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	actor := actorOf(r.Context())
	p, err := party.GetPerson(r.Context(), s.DB, party.PersonID(r.PathValue("id")))
	if err != nil || p.Party != actor.Party {
		return fault.Hidden("person")
	}
	p.Roles = roles(r.PostForm["roles"])
	if err := s.Auth.UpdatePerson(r.Context(), actor, p); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation")
}

// deactivate: POST /organisation/people/{id}/deactivate
func (s *Server) deactivate(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.Deactivate(r.Context(), actorOf(r.Context()), party.PersonID(r.PathValue("id"))); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation")
}

// endSessions: POST /organisation/people/{id}/sessions/end ends every session
// of a colleague.
func (s *Server) endSessions(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.EndSessions(r.Context(), actorOf(r.Context()), party.PersonID(r.PathValue("id")), ""); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation")
}

// revokeInvitation: POST /organisation/invitations/{id}/revoke
func (s *Server) revokeInvitation(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.RevokeInvitation(r.Context(), actorOf(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation")
}

// addParty: POST /organisation/parties party_name, code, kind, platform_key,
// admin_name, admin_email. It adds an organisation and invites its first
// administrator.
func (s *Server) addParty(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	ctx, actor, f := r.Context(), actorOf(r.Context()), r.PostForm
	names := map[string]string{"/name": "party-name", "/code": "party-code", "/kind": "party-kind", "/platform_key": "party-key", "/email": "party-email", "/admin_name": "party-admin"}
	first := party.Person{Name: f.Get("admin_name"), Email: f.Get("admin_email"), Roles: []party.Role{party.Admin}, Lang: "id", Zone: "UTC"}
	var c fault.Checker
	if first.Name == "" {
		c.Require(false, "/admin_name")
		first.Name = "-"
	}
	if err := c.Join("", first.Validate()); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return s.again(w, r, "party", err, names)
	}
	org, err := s.Auth.AddParty(ctx, actor, party.Party{
		Code: f.Get("code"), Kind: party.Kind(f.Get("kind")), Name: f.Get("party_name"), PlatformKey: f.Get("platform_key"),
		Jurisdiction: actor.Jurisdiction, Languages: []string{"id", "en"}, Zone: "Asia/Jakarta",
	})
	if fault.Is(err, "party.taken") {
		err = fault.New(fault.Invalid, "party.taken", "Code", f.Get("code")).At("/code")
	}
	if err != nil {
		return s.again(w, r, "party", err, names)
	}
	_, secret, err := s.Auth.Invite(ctx, actor, org.ID, f.Get("admin_name"), f.Get("admin_email"), []party.Role{party.Admin, party.Analyst})
	if err != nil {
		return err
	}
	return s.once(w, r, "invitation", s.origin(r)+"/invitation/"+secret)
}

// addAPIKey: POST /organisation/keys label, person, scopes, days
func (s *Server) addAPIKey(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	f := r.PostForm
	expires := s.Clock.Now().AddDate(0, 6, 0)
	scopes := []auth.Scope{auth.ScopeRead}
	if f.Get("write") != "" {
		scopes = append(scopes, auth.ScopeWrite)
	}
	_, secret, err := s.Auth.AddAPIKey(r.Context(), actorOf(r.Context()), party.PersonID(f.Get("person")), f.Get("label"), scopes, expires)
	if err != nil {
		return s.again(w, r, "key", err, map[string]string{"/label": "key-label"})
	}
	return s.once(w, r, "key", secret)
}

// revokeAPIKey: POST /organisation/keys/{id}/revoke
func (s *Server) revokeAPIKey(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.RevokeAPIKey(r.Context(), actorOf(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	return seeOther(w, r, "/organisation")
}
