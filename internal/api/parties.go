package api

import (
	"context"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

type listPartiesInput struct {
	Kind string `query:"kind" enum:"agency,authority,platform,state,operator,civil,oversight,court,law-enforcement,financial-intelligence,intergovernmental,research,helpline"`
}

type partyBody struct {
	ID           string `json:"id"`
	Code         string `json:"code"`
	Kind         string `json:"kind"`
	Name         string `json:"name"`
	Jurisdiction string `json:"jurisdiction"`
	Platform     string `json:"platform" doc:"Key of the platform that it runs; empty if none"`
}

// listParties: GET /parties, for whoever is signed in: the names of those with
// whom one works here, and nothing about their people.
func (s *server) listParties(ctx context.Context, in *listPartiesInput) (*listOut[partyBody], error) {
	var kinds []party.Kind
	if in.Kind != "" {
		kinds = append(kinds, party.Kind(in.Kind))
	}
	all, err := party.List(ctx, s.DB, kinds...)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(p party.Party) bool { return !p.Active })
	return allOf(all, func(p party.Party) partyBody {
		return partyBody{string(p.ID), p.Code, string(p.Kind), p.Name, p.Jurisdiction, p.PlatformKey}
	}), nil
}

// PersonBody is a member of an organisation.
type PersonBody struct {
	ID     string   `json:"id"`
	Party  string   `json:"party"`
	Name   string   `json:"name"`
	Email  string   `json:"email"`
	Roles  []string `json:"roles"`
	Lang   string   `json:"lang"`
	Zone   string   `json:"zone"`
	Active bool     `json:"active"`
}

func personOf(p party.Person) PersonBody {
	return PersonBody{string(p.ID), string(p.Party), p.Name, p.Email, texts(p.Roles), p.Lang, p.Zone, p.Active}
}

// listPeople: GET /people, permission party.read: one's own colleagues.
func (s *server) listPeople(ctx context.Context, _ *struct{}) (*listOut[PersonBody], error) {
	by := auth.Actor(ctx)
	if err := auth.May(by, auth.PartyRead, auth.Object{What: "party", Owner: by.Party}); err != nil {
		return nil, err
	}
	all, err := party.People(ctx, s.DB, by.Party)
	if err != nil {
		return nil, err
	}
	return allOf(all, personOf), nil
}

type meBody struct {
	PersonBody
	PartyName string `json:"party_name"`
	PartyKind string `json:"party_kind"`
	By        string `json:"by" enum:"session,api-key"`
}

// whoAmI: GET /people/me.
func (s *server) whoAmI(ctx context.Context, _ *struct{}) (*one[meBody], error) {
	by := auth.Actor(ctx)
	p, err := party.GetPerson(ctx, s.DB, by.Person)
	if err != nil {
		return nil, err
	}
	org, err := party.Get(ctx, s.DB, by.Party)
	if err != nil {
		return nil, err
	}
	out := meBody{PersonBody: personOf(p), PartyName: org.Name, PartyKind: string(org.Kind), By: "session"}
	if by.APIKey != "" {
		out.By = "api-key"
	}
	return answer(out), nil
}

type changePersonInput struct {
	ByID
	Body struct {
		Name  string   `json:"name" minLength:"1" maxLength:"200"`
		Roles []string `json:"roles" minItems:"1" maxItems:"9" enum:"analyst,approver,officer,liaison,diplomat,editor,reviewer,auditor,admin"`
		Lang  string   `json:"lang" enum:"id,en"`
		Zone  string   `json:"zone" maxLength:"60" doc:"IANA time zone" example:"Asia/Jakarta"`
	}
}

// changePerson: PUT /people/{id}, permission party.admin.
func (s *server) changePerson(ctx context.Context, in *changePersonInput) (*struct{}, error) {
	by := auth.Actor(ctx)
	now, err := party.GetPerson(ctx, s.DB, party.PersonID(in.ID))
	if err != nil || now.Party != by.Party {
		return nil, fault.Hidden("person")
	}
	return nil, s.Auth.UpdatePerson(ctx, by, party.Person{
		ID: now.ID, Email: now.Email, Name: in.Body.Name, Roles: words[party.Role](in.Body.Roles), Lang: in.Body.Lang, Zone: in.Body.Zone,
	})
}

// deactivatePerson: POST /people/{id}/deactivate, permission party.admin.
func (s *server) deactivatePerson(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, s.Auth.Deactivate(ctx, auth.Actor(ctx), party.PersonID(in.ID))
}

type keyBody struct {
	ID        string     `json:"id" doc:"First 16 hex digits of the public key's SHA-256"`
	Method    string     `json:"method" doc:"browser-key, passkey or automation; packs say which suffice"`
	PublicKey []byte     `json:"public_key" doc:"Ed25519, 32 bytes; of a passkey SubjectPublicKeyInfo in DER (RFC 5280); base64"`
	Label     string     `json:"label"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

func keyOf(k party.Key) keyBody {
	return keyBody{string(k.ID), string(k.Method), k.Public, k.Label, k.CreatedAt, at(k.RevokedAt)}
}

// listMyKeys: GET /people/me/keys.
func (s *server) listMyKeys(ctx context.Context, _ *struct{}) (*listOut[keyBody], error) {
	all, err := party.Keys(ctx, s.DB, auth.Actor(ctx).Person)
	if err != nil {
		return nil, err
	}
	return allOf(all, keyOf), nil
}

type enrolInput struct {
	Body struct {
		PublicKey []byte `json:"public_key" doc:"Ed25519, 32 bytes, base64"`
		Label     string `json:"label,omitempty" maxLength:"100"`
	}
}

// enrolKey: POST /people/me/keys: a browser-key from a session, automation
// through an API key.
func (s *server) enrolKey(ctx context.Context, in *enrolInput) (*one[keyBody], error) {
	k, err := s.Auth.EnrolKey(ctx, auth.Actor(ctx), in.Body.PublicKey, in.Body.Label)
	if err != nil {
		return nil, err
	}
	return answer(keyOf(k)), nil
}

type revokeKeyInput struct {
	ByID
	Key string `path:"key" maxLength:"64"`
}

// revokeKey: DELETE /people/{id}/keys/{key}: one's own, or a colleague's with
// party.admin.
func (s *server) revokeKey(ctx context.Context, in *revokeKeyInput) (*struct{}, error) {
	return nil, s.Auth.RevokeKey(ctx, auth.Actor(ctx), party.PersonID(in.ID), party.KeyID(in.Key))
}

// InvitationBody is an invitation without its secret.
type InvitationBody struct {
	ID        string     `json:"id"`
	Party     string     `json:"party"`
	Email     string     `json:"email"`
	Name      string     `json:"name"`
	Roles     []string   `json:"roles"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	UsedAt    *time.Time `json:"used_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

func invitationOf(i auth.Invitation) InvitationBody {
	return InvitationBody{i.ID, string(i.Party), i.Email, i.Name, texts(i.Roles), i.CreatedAt, i.ExpiresAt, at(i.UsedAt), at(i.RevokedAt)}
}

// listInvitations: GET /people/invitations, permission party.admin.
func (s *server) listInvitations(ctx context.Context, _ *struct{}) (*listOut[InvitationBody], error) {
	all, err := s.Auth.Invitations(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return allOf(all, invitationOf), nil
}

type inviteInput struct {
	Body struct {
		Party string   `json:"party,omitempty" maxLength:"64" doc:"Another organisation that has nobody yet; absent for one's own"`
		Name  string   `json:"name" minLength:"1" maxLength:"200"`
		Email string   `json:"email" minLength:"3" maxLength:"254"`
		Roles []string `json:"roles" minItems:"1" maxItems:"9" enum:"analyst,approver,officer,liaison,diplomat,editor,reviewer,auditor,admin"`
	}
}

type invitedBody struct {
	InvitationBody
	Secret string `json:"secret" doc:"Shown this once; for /people/join"`
}

// invite: POST /people/invitations, permission party.admin.
func (s *server) invite(ctx context.Context, in *inviteInput) (*one[invitedBody], error) {
	by := auth.Actor(ctx)
	into := party.ID(in.Body.Party)
	if into == "" {
		into = by.Party
	}
	i, secret, err := s.Auth.Invite(ctx, by, into, in.Body.Name, in.Body.Email, words[party.Role](in.Body.Roles))
	if err != nil {
		return nil, err
	}
	return answer(invitedBody{invitationOf(i), secret}), nil
}

// revokeInvitation: DELETE /people/invitations/{id}, permission party.admin.
func (s *server) revokeInvitation(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, s.Auth.RevokeInvitation(ctx, auth.Actor(ctx), in.ID)
}

type joinInput struct {
	Body struct {
		Secret    string `json:"secret" minLength:"1" maxLength:"100" doc:"Of the invitation"`
		Name      string `json:"name" minLength:"1" maxLength:"200"`
		Lang      string `json:"lang" enum:"id,en"`
		Zone      string `json:"zone" maxLength:"60" example:"Asia/Jakarta"`
		PublicKey []byte `json:"public_key" doc:"Ed25519, 32 bytes, base64: signs in, and signs decisions"`
		Label     string `json:"label,omitempty" maxLength:"100"`
	}
}

// join: POST /people/join, by invitation.
func (s *server) join(ctx context.Context, in *joinInput) (*one[PersonBody], error) {
	b := in.Body
	p, err := s.Auth.Join(ctx, b.Secret, auth.Joining{Name: b.Name, Lang: b.Lang, Zone: b.Zone, Public: b.PublicKey, Label: b.Label})
	if err != nil {
		return nil, err
	}
	return answer(personOf(p)), nil
}

type challengeBody struct {
	ID     string `json:"id"`
	Digest []byte `json:"digest" doc:"32 bytes, base64: what the key signs"`
}

// newChallenge: POST /sessions/challenges, public.
func (s *server) newChallenge(context.Context, *struct{}) (*one[challengeBody], error) {
	c := s.Auth.NewChallenge()
	digest := c.Digest()
	return answer(challengeBody{c.ID, digest[:]}), nil
}

type sessionInput struct {
	Body struct {
		Challenge string `json:"challenge" minLength:"1" maxLength:"64"`
		Key       string `json:"key" minLength:"1" maxLength:"64" doc:"Identifier of the signing key"`
		Signature []byte `json:"signature" doc:"Ed25519 over the digest, 64 bytes, base64"`
	}
}

// beginSession: POST /sessions, with a signed challenge. The answer sets the
// session's cookie.
func (s *server) beginSession(ctx context.Context, in *sessionInput) (*one[idBody], error) {
	if s.Sessions == nil {
		return nil, fault.New(fault.Unavailable, "api.no-sessions")
	}
	since := s.Clock.Now()
	person, err := s.Auth.SignIn(ctx, in.Body.Challenge, party.KeyID(in.Body.Key), in.Body.Signature)
	if err != nil {
		return nil, err
	}
	return answer(idBody{string(person)}), s.Sessions.Begin(ctx, auth.Arrival{Person: person, Way: auth.ByKey, Agent: callOf(ctx).agent, Since: since})
}

// endSession: DELETE /sessions.
func (s *server) endSession(ctx context.Context, _ *struct{}) (*struct{}, error) {
	if s.Sessions == nil || auth.Actor(ctx).Session == "" {
		return nil, fault.New(fault.Conflict, "api.no-session")
	}
	return nil, s.Sessions.End(ctx)
}

// MachineKeyBody is an API key without its secret.
type MachineKeyBody struct {
	ID        string     `json:"id"`
	Person    string     `json:"person" doc:"As whom it acts"`
	Label     string     `json:"label"`
	Scopes    []string   `json:"scopes"`
	Prefix    string     `json:"prefix"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty" doc:"To the hour"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

func apiKeyOf(k auth.APIKey) MachineKeyBody {
	return MachineKeyBody{k.ID, string(k.Person), k.Label, texts(k.Scopes), k.Prefix, k.CreatedAt, at(k.ExpiresAt), at(k.LastUsed), at(k.RevokedAt)}
}

// listAPIKeys: GET /keys, permission party.admin.
func (s *server) listAPIKeys(ctx context.Context, _ *struct{}) (*listOut[MachineKeyBody], error) {
	all, err := s.Auth.APIKeys(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return allOf(all, apiKeyOf), nil
}

type apiKeyInput struct {
	Body struct {
		Person    string     `json:"person,omitempty" maxLength:"64" doc:"As whom it acts; absent for oneself"`
		Label     string     `json:"label" minLength:"1" maxLength:"100"`
		Scopes    []string   `json:"scopes" minItems:"1" maxItems:"2" enum:"read,write"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}
}

type apiKeyMade struct {
	MachineKeyBody
	Secret string `json:"secret" doc:"Shown this once"`
}

// addAPIKey: POST /keys: one's own, or with party.admin a colleague's.
func (s *server) addAPIKey(ctx context.Context, in *apiKeyInput) (*one[apiKeyMade], error) {
	by := auth.Actor(ctx)
	person := party.PersonID(in.Body.Person)
	if person == "" {
		person = by.Person
	}
	var expires time.Time
	if in.Body.ExpiresAt != nil {
		expires = in.Body.ExpiresAt.UTC()
	}
	k, secret, err := s.Auth.AddAPIKey(ctx, by, person, in.Body.Label, words[auth.Scope](in.Body.Scopes), expires)
	if err != nil {
		return nil, err
	}
	return answer(apiKeyMade{apiKeyOf(k), secret}), nil
}

// revokeAPIKey: DELETE /keys/{id}, permission party.admin.
func (s *server) revokeAPIKey(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, s.Auth.RevokeAPIKey(ctx, auth.Actor(ctx), in.ID)
}
