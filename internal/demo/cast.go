package demo

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
)

// A Person is a member of the cast, with the key they sign with in the history.
// A visitor who takes their chair enrols a key of their own browser.
type Person struct {
	party.Actor
	key     party.KeyID
	private ed25519.PrivateKey
}

// sign signs a notice as it stands.
func (p *Person) sign(n notice.Notice) notice.Sig {
	return notice.Sig{
		Key: p.key, Value: ed25519.Sign(p.private, n.Digest[:]),
		Read: []string{"reasons", "evidence", "purpose-tests"}, ReadSeconds: 70 + int(n.Digest[0])/2,
	}
}

// A Cast is the people of the demonstration, by the short names below.
type Cast struct {
	people map[string]*Person
	orgs   map[string]party.Party
	Keys   []Key
}

// A Key is an API key that the demonstration hands out.
type Key struct {
	Name   string // of the environment variable
	Who    string
	Secret string
}

type member struct {
	short, name string
	roles       []party.Role
	lang        string
}

var (
	analyst  = []party.Role{party.Analyst}
	approver = []party.Role{party.Approver}
	officer  = []party.Role{party.Officer}
	safety   = []party.Role{party.Analyst, party.Admin}
)

// The cast of domain.md. "XM", "XA" and "XT" are user-assigned codes of ISO
// 3166-1, for states that do not exist.
var troupe = []struct {
	org    party.Party
	people []member
}{
	{party.Party{
		Code: "tangkal-daring", Kind: party.Agency, Name: "Dit. Tangkal Daring", Jurisdiction: "id", Languages: []string{"id", "en"},
		Contact: "jaga@tangkal-daring.example", Establishment: "ID", Zone: "Asia/Jakarta",
	}, []member{
		{"ratna", "Ratna S.", analyst, "id"},
		{"dimas", "Dimas M.", analyst, "id"},
		{"sari", "Sari W.", approver, "id"},
		{"bima", "Bima A.", []party.Role{party.Approver, party.Admin}, "id"},
		{"nia", "Nia P.", officer, "id"},
	}},
	{party.Party{
		Code: "kem-komunikasi", Kind: party.Authority, Name: "Kem. Komunikasi", Jurisdiction: "id", Languages: []string{"id", "en"},
		Contact: "perintah@kem-komunikasi.example", Establishment: "ID", Zone: "Asia/Jakarta",
	}, []member{
		{"bagus", "Bagus T.", []party.Role{party.Officer, party.Admin}, "id"},
		{"rina", "Rina H.", []party.Role{party.Officer, party.Approver}, "id"},
	}},
	{party.Party{
		Code: "meridia-cyber", Kind: party.Agency, Name: "Meridia Cyber Unit", Jurisdiction: "id", Languages: []string{"en", "id"},
		Contact: "desk@cyber.meridia.example", Establishment: "XM", Zone: "Asia/Kuala_Lumpur",
	}, []member{
		{"aria", "Aria N.", analyst, "en"},
		{"kwan", "Kwan L.", approver, "en"},
		{"surya", "Surya D.", []party.Role{party.Officer, party.Admin}, "en"},
	}},
	{party.Party{
		Code: "aurelia-referral", Kind: party.Agency, Name: "Aurelia Referral Unit", Jurisdiction: "eu-tco", Languages: []string{"en"},
		Contact: "desk@referral.aurelia.example", Establishment: "XA", Zone: "Europe/Amsterdam",
	}, []member{
		{"elin", "Elin V.", []party.Role{party.Analyst, party.Admin}, "en"},
	}},
	{party.Party{
		Code: "home-authority", Kind: party.Authority, Name: "Aurelia Content Authority", Jurisdiction: "eu-tco", Languages: []string{"en"},
		Contact: "tco@authority.aurelia.example", Establishment: "XA", Zone: "Europe/Amsterdam",
	}, []member{
		{"jonas", "Jonas K.", analyst, "en"},
		{"maud", "Maud R.", approver, "en"},
		{"pieter", "Pieter B.", []party.Role{party.Officer, party.Admin}, "en"},
	}},
	{state("meridia", "Meridia", "XM", "Asia/Kuala_Lumpur"), []member{{"laras", "Laras J.", []party.Role{party.Liaison}, "en"}}},
	{state("aurelia", "Aurelia", "XA", "Europe/Amsterdam"), []member{{"noor", "Noor E.", []party.Role{party.Liaison}, "en"}}},
	{state("tasmara", "Tasmara", "XT", "Australia/Sydney"), []member{{"tess", "Tess G.", []party.Role{party.Liaison}, "en"}}},
	{platform("ruangsuara", "Ruangsuara", "social", "ID", "PT Ruang Suara Contoh"), []member{
		{"mika", "Mika T.", safety, "en"}, {"ines", "Ines O.", analyst, "en"}, {"joko", "Joko P.", analyst, "id"},
	}},
	{platform("kabarkita", "Kabarkita", "social", "NL", "Kabarkita B.V."), []member{{"lina", "Lina A.", safety, "en"}}},
	{platform("pesanku", "Pesanku", "messaging", "ID", "PT Pesanku Contoh"), []member{{"yoga", "Yoga R.", safety, "id"}}},
	{platform("berkas", "Berkas", "hosting", "XT", ""), []member{{"nadia", "Nadia K.", safety, "en"}}},
	{platform("forumraya", "Forumraya", "social", "ID", "PT Forum Raya Contoh"), []member{{"tono", "Tono W.", safety, "id"}}},
	{party.Party{
		Code: "operator-dns", Kind: party.Operator, Name: "Operator DNS", Jurisdiction: "id", Languages: []string{"id"},
		Contact: "noc@operator-dns.example", Establishment: "ID", Zone: "Asia/Jakarta",
	}, []member{{"anto", "Anto Y.", []party.Role{party.Admin}, "id"}}},
	{party.Party{
		Code: "dewan-pengawas", Kind: party.Oversight, Name: "Dewan Pengawas", Jurisdiction: "id", Languages: []string{"id", "en"},
		Contact: "dewan@dewan-pengawas.example", Establishment: "ID", Zone: "Asia/Jakarta",
	}, []member{
		{"hana", "Hana L.", []party.Role{party.Reviewer, party.Admin}, "id"},
		{"iwan", "Iwan C.", []party.Role{party.Auditor}, "id"},
	}},
}

func state(code, name, iso, zone string) party.Party {
	return party.Party{
		Code: code, Kind: party.State, Name: name, Languages: []string{"en"}, Contact: "liaison@" + code + ".example",
		Establishment: iso, Zone: zone,
	}
}

func platform(key, name, kind, iso, representative string) party.Party {
	return party.Party{
		Code: key, Kind: party.Platform, PlatformKinds: []string{kind}, PlatformKey: key, Name: name, Languages: []string{"id", "en"},
		Contact: "safety@" + key + ".example", LegalRepresentative: representative, Establishment: iso, Zone: "Asia/Jakarta",
	}
}

// Gather makes the organisations, their people and the API keys that are
// handed out. It takes some milliseconds.
func Gather(ctx context.Context, in Instance) (*Cast, error) {
	c := &Cast{people: map[string]*Person{}, orgs: map[string]party.Party{}}
	err := in.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := in.Clock.Now()
		for _, t := range troupe {
			org, err := party.Add(ctx, tx, t.org, now)
			if err != nil {
				return err
			}
			c.orgs[org.Code] = org
			for _, m := range t.people {
				if c.people[m.short], err = enrol(ctx, tx, org, m, now); err != nil {
					return fmt.Errorf("%s: %w", m.name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("gather the cast: %w", err)
	}
	return c, c.addKeys(ctx, in)
}

// enrol adds one person with a signing key.
func enrol(ctx context.Context, tx *db.Tx, org party.Party, m member, now time.Time) (*Person, error) {
	p, err := party.AddPerson(ctx, tx, party.Person{
		Party: org.ID, Name: m.name, Email: m.short + "@" + org.Code + ".example", Roles: m.roles, Lang: m.lang, Zone: org.Zone,
	}, now)
	if err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := party.AddKey(ctx, tx, party.Key{Person: p.ID, Method: party.BrowserKey, Public: public, Label: "Chromium"}, now)
	if err != nil {
		return nil, err
	}
	actor, err := auth.ActorFor(ctx, tx, p.ID)
	return &Person{Actor: actor, key: key.ID, private: private}, err
}

// handed lists the API keys that the walkthrough needs.
var handed = []struct{ name, short string }{
	{"KEY_ANALYST", "ratna"},
	{"KEY_APPROVER", "sari"},
	{"KEY_ADMIN", "bima"},
	{"KEY_AGENCY_OFFICER", "nia"},
	{"KEY_OFFICER", "bagus"},
	{"KEY_PLATFORM", "mika"},
	{"KEY_SAME_ANALYST", "aria"},
	{"KEY_SAME_APPROVER", "kwan"},
	{"KEY_SAME_OFFICER", "surya"},
	{"KEY_EU_ANALYST", "jonas"},
	{"KEY_EU_APPROVER", "maud"},
	{"KEY_EU_OFFICER", "pieter"},
	{"KEY_OVERSIGHT", "hana"},
}

// addKeys makes the API keys that are printed at start.
func (c *Cast) addKeys(ctx context.Context, in Instance) error {
	for _, h := range handed {
		p := c.people[h.short]
		_, secret, err := in.Auth.AddAPIKey(ctx, p.Actor, p.Person, "demo", []auth.Scope{auth.ScopeRead, auth.ScopeWrite}, time.Time{})
		if err != nil {
			return fmt.Errorf("key of %s: %w", p.Name, err)
		}
		org, err := party.Get(ctx, in.DB, p.Party)
		if err != nil {
			return err
		}
		c.Keys = append(c.Keys, Key{Name: h.name, Who: p.Name + ", " + org.Name, Secret: secret})
	}
	return nil
}

// Actor returns a member of the cast by the short name, as "ratna"; the zero
// Actor, who may do nothing, for a name that is not in it.
func (c *Cast) Actor(short string) party.Actor {
	if p, ok := c.people[short]; ok {
		return p.Actor
	}
	return party.Actor{}
}

// WriteEnv writes addresses and keys as shell exports. The caller's file should
// be readable by its owner alone.
func (c *Cast) WriteEnv(w io.Writer, url, evidence string) error {
	vars := []Key{{Name: "TANGKAL_URL", Secret: url}, {Name: "TANGKAL_EVIDENCE_URL", Secret: evidence}}
	for _, k := range append(vars, c.Keys...) {
		if _, err := fmt.Fprintf(w, "export %s='%s'\n", k.Name, k.Secret); err != nil {
			return err
		}
	}
	return nil
}
