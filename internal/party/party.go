// Package party knows the organisations, their people and their keys.
//
// The party is the tenant: every row that belongs to somebody carries a party,
// and every query names it.
package party

import (
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// An ID identifies a party (UUIDv7).
type ID string

// A PersonID identifies a person (UUIDv7).
type PersonID string

// A KeyID identifies a public key: the first 16 hex digits of its SHA-256.
type KeyID string

// A Kind is what an organisation is.
type Kind string

// The kinds of organisation.
const (
	Agency                Kind = "agency"
	Authority             Kind = "authority"
	Platform              Kind = "platform"
	State                 Kind = "state"
	Operator              Kind = "operator"
	Civil                 Kind = "civil"
	Oversight             Kind = "oversight"
	Court                 Kind = "court"
	LawEnforcement        Kind = "law-enforcement"
	FinancialIntelligence Kind = "financial-intelligence"
	Intergovernmental     Kind = "intergovernmental"
	Research              Kind = "research"
	Helpline              Kind = "helpline"
)

// Kinds lists every kind in the order they are shown.
func Kinds() []Kind {
	return []Kind{
		Agency, Authority, Platform, State, Operator, Civil, Oversight, Court,
		LawEnforcement, FinancialIntelligence, Intergovernmental, Research, Helpline,
	}
}

// PlatformKinds lists what a platform may be; it may be several.
func PlatformKinds() []string {
	return []string{"social", "messaging", "hosting", "cdn", "registrar", "search", "app-store", "payment"}
}

// A Role is what a person may do inside their party.
type Role string

// The roles. A person may hold several, but no two acts of one chain.
const (
	Analyst  Role = "analyst"  // triages, assesses, proposes; at a platform: answers
	Approver Role = "approver" // second person
	Officer  Role = "officer"  // issues for the authority
	Liaison  Role = "liaison"
	Diplomat Role = "diplomat"
	Editor   Role = "editor"
	Reviewer Role = "reviewer"
	Auditor  Role = "auditor"
	Admin    Role = "admin" // people, keys, webhooks of their own party
)

// Roles lists every role in the order they are shown.
func Roles() []Role {
	return []Role{Analyst, Approver, Officer, Liaison, Diplomat, Editor, Reviewer, Auditor, Admin}
}

// A Party is an organisation.
type Party struct {
	ID                  ID
	Code                string // short name in addresses and logs: a-z, 0-9, "-"
	Kind                Kind
	PlatformKinds       []string // of a platform only
	PlatformKey         string   // of a platform only: its key in the canonical rules, "" if none
	Name                string
	Jurisdiction        string   // policy pack code, as "ID" or "EU"; "" for a platform of none
	Languages           []string // that it accepts notices in, preferred first
	Contact             string   // contact point shown on notices
	LegalRepresentative string   // Regulation (EU) 2021/784, Article 17
	Establishment       string   // state of main establishment, ISO 3166-1 alpha-2
	Zone                string   // IANA time zone
	Active              bool
	CreatedAt           time.Time
}

// A Person is a member of one party.
type Person struct {
	ID            PersonID
	Party         ID
	Name          string
	Email         string // lower case
	Roles         []Role
	Lang          string // "id" or "en"
	Zone          string // IANA time zone
	Active        bool
	CreatedAt     time.Time
	DeactivatedAt time.Time // zero while active
}

// Has reports whether the person holds role.
func (p Person) Has(role Role) bool { return slices.Contains(p.Roles, role) }

// A Method is how a person's key signs.
type Method string

// The methods. Packs say which of them suffice for which step.
const (
	BrowserKey Method = "browser-key" // non-extractable WebCrypto Ed25519
	Passkey    Method = "passkey"     // WebAuthn assertion over the digest
	Automation Method = "automation"  // an API client's own key
)

// A Key is a person's public key.
type Key struct {
	ID        KeyID
	Person    PersonID
	Method    Method
	Public    []byte // 32 bytes, Ed25519 (RFC 8032); of a passkey SubjectPublicKeyInfo in DER (RFC 5280)
	Label     string
	CreatedAt time.Time
	RevokedAt time.Time // zero while valid
}

// An Actor is who does something, established by package auth and by nobody
// else. The zero Actor may do nothing.
type Actor struct {
	Party        ID
	PartyKind    Kind
	Jurisdiction string
	Person       PersonID
	Name         string
	Roles        []Role
	Session      string // identifier of the browser session, "" otherwise; it signs nobody in
	APIKey       string // identifier of the API key, "" otherwise
	Arrived      bool   // signed in within the last minutes
	Touched      bool   // touched a passkey, or used the key that signs them in, within the last minutes
	Lang         string
	Zone         string
}

// Has reports whether the actor holds role.
func (a Actor) Has(role Role) bool { return slices.Contains(a.Roles, role) }

// Known reports whether the actor is anybody at all.
func (a Actor) Known() bool { return a.Person != "" }

// Validate names every fault of a party at once.
func (p Party) Validate() error {
	var c fault.Checker
	c.Require(strings.TrimSpace(p.Name) != "", "/name")
	if len(p.Name) > 200 {
		c.Add("/name", "party.too-long", "Max", 200)
	}
	if !validCode(p.Code) {
		c.Add("/code", "party.code", "Value", p.Code)
	}
	if !slices.Contains(Kinds(), p.Kind) {
		c.Add("/kind", "party.kind", "Value", string(p.Kind))
	}
	for _, k := range p.PlatformKinds {
		if p.Kind != Platform || !slices.Contains(PlatformKinds(), k) {
			c.Add("/platform_kinds", "party.platform-kind", "Value", k)
		}
	}
	if p.PlatformKey != "" && p.Kind != Platform {
		c.Add("/platform_key", "party.not-platform")
	}
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" {
		c.Add("/zone", "party.zone", "Value", p.Zone)
	}
	return c.Err()
}

// Validate names every fault of a person at once.
func (p Person) Validate() error {
	var c fault.Checker
	c.Require(strings.TrimSpace(p.Name) != "", "/name")
	if len(p.Name) > 200 {
		c.Add("/name", "party.too-long", "Max", 200)
	}
	if at := strings.LastIndexByte(p.Email, '@'); at < 1 || at == len(p.Email)-1 || len(p.Email) > 254 || strings.ContainsAny(p.Email, " \r\n\t<>,;") {
		c.Add("/email", "party.email", "Value", p.Email)
	}
	c.Require(len(p.Roles) > 0, "/roles")
	for _, r := range p.Roles {
		if !slices.Contains(Roles(), r) {
			c.Add("/roles", "party.role", "Value", string(r))
		}
	}
	if p.Lang != "id" && p.Lang != "en" {
		c.Add("/lang", "party.lang", "Value", p.Lang)
	}
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" {
		c.Add("/zone", "party.zone", "Value", p.Zone)
	}
	return c.Err()
}

// validCode reports whether s can stand in an address: 2 to 40 of a-z, 0-9 and
// inner "-".
func validCode(s string) bool {
	if len(s) < 2 || len(s) > 40 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
