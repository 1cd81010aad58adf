package party

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

const partyColumns = `id, code, kind, platform_kinds, platform_key, name, jurisdiction, languages, contact, legal_representative, establishment, zone, active, created_at`

func scanParty(row db.Row) (sealed[Party], error) {
	var p Party
	var kinds, languages string
	var mac []byte
	err := row.Scan(&p.ID, &p.Code, &p.Kind, &kinds, db.Text(&p.PlatformKey), &p.Name, &p.Jurisdiction,
		&languages, &p.Contact, &p.LegalRepresentative, &p.Establishment, &p.Zone, &p.Active, db.Time(&p.CreatedAt), &mac)
	p.PlatformKinds, p.Languages = list[string](kinds), list[string](languages)
	return sealed[Party]{p, string(p.ID), []any{
		string(p.ID), p.Code, string(p.Kind), kinds, p.PlatformKey, p.Name, p.Jurisdiction, languages, p.Contact,
		p.LegalRepresentative, p.Establishment, p.Zone, p.Active, p.CreatedAt,
	}, mac}, err
}

// list reads what db.List wrote. Anything else was altered, which the row's MAC
// tells.
func list[T any](text string) []T {
	v := []T{}
	if json.Unmarshal([]byte(text), &v) != nil {
		return nil
	}
	return v
}

// Get returns the party, or a hidden fault.
func Get(ctx context.Context, r db.Reader, id ID) (Party, error) {
	return parties.one(ctx, r, `WHERE id = $1`, id)
}

// ByCode returns the party with that code, or a hidden fault.
func ByCode(ctx context.Context, r db.Reader, code string) (Party, error) {
	return parties.one(ctx, r, `WHERE code = $1`, code)
}

// ByPlatform returns the party registered for a platform key, or a hidden
// fault when none is.
func ByPlatform(ctx context.Context, r db.Reader, key string) (Party, error) {
	return parties.one(ctx, r, `WHERE platform_key = $1`, key)
}

// Names returns the names of parties. Those that do not exist are left out.
func Names(ctx context.Context, r db.Reader, ids []ID) (map[ID]string, error) {
	out := make(map[ID]string, len(ids))
	_, err := db.AllIn(ctx, r, func(row db.Row) (struct{}, error) {
		var id ID
		var name string
		err := row.Scan(&id, &name)
		out[id] = name
		return struct{}{}, err
	}, func(in string) string { return `SELECT id, name FROM parties WHERE id IN (` + in + `)` }, slices.Compact(slices.Sorted(slices.Values(ids))))
	return out, err
}

// List returns all parties of the given kinds, or of every kind, by name.
func List(ctx context.Context, r db.Reader, kinds ...Kind) ([]Party, error) {
	const byName = `ORDER BY name, id`
	if len(kinds) == 0 {
		return parties.all(ctx, r, byName)
	}
	args := make([]any, len(kinds))
	for i, k := range kinds {
		args[i] = k
	}
	return parties.all(ctx, r, `WHERE kind IN (`+db.Places(1, len(kinds))+`) `+byName, args...)
}

// Add stores a new party and returns it with its identifier.
func Add(ctx context.Context, tx *db.Tx, p Party, now time.Time) (Party, error) {
	p.ID, p.CreatedAt, p.Active = ID(db.NewID()), now, true
	if err := p.Validate(); err != nil {
		return p, err
	}
	n, err := tx.Exec(ctx, `
		INSERT INTO parties (`+partyColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
		p.ID, p.Code, p.Kind, db.List(p.PlatformKinds), db.OrNull(p.PlatformKey), p.Name, p.Jurisdiction, db.List(p.Languages),
		p.Contact, p.LegalRepresentative, p.Establishment, p.Zone, p.Active, db.Micros(now))
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "party.taken", "Code", p.Code)
	}
	if err != nil {
		return p, err
	}
	return p, parties.seal(ctx, tx, string(p.ID))
}

// Update stores what may change of a party: everything but identifier, code
// and kind.
func Update(ctx context.Context, tx *db.Tx, p Party) error {
	if err := p.Validate(); err != nil {
		return err
	}
	n, err := parties.change(ctx, tx, string(p.ID), `
		UPDATE parties SET platform_kinds = $2, platform_key = $3, name = $4, jurisdiction = $5, languages = $6, contact = $7,
			legal_representative = $8, establishment = $9, zone = $10, active = $11 WHERE id = $1`,
		p.ID, db.List(p.PlatformKinds), db.OrNull(p.PlatformKey), p.Name, p.Jurisdiction, db.List(p.Languages), p.Contact,
		p.LegalRepresentative, p.Establishment, p.Zone, p.Active)
	if err == nil && n == 0 {
		err = fault.Hidden("party")
	}
	return err
}

const personColumns = `id, party_id, name, email, roles, lang, zone, active, created_at, deactivated_at`

func scanPerson(row db.Row) (sealed[Person], error) {
	var p Person
	var roles string
	var mac []byte
	err := row.Scan(&p.ID, &p.Party, &p.Name, &p.Email, &roles, &p.Lang, &p.Zone, &p.Active, db.Time(&p.CreatedAt), db.Time(&p.DeactivatedAt), &mac)
	p.Roles = list[Role](roles)
	return sealed[Person]{p, string(p.ID), []any{
		string(p.ID), string(p.Party), p.Name, p.Email, roles, p.Lang, p.Zone, p.Active, p.CreatedAt, p.DeactivatedAt,
	}, mac}, err
}

// GetPerson returns the person, or a hidden fault.
func GetPerson(ctx context.Context, r db.Reader, id PersonID) (Person, error) {
	return people.one(ctx, r, `WHERE id = $1`, id)
}

// ByEmail returns the person with that address, whatever its case.
func ByEmail(ctx context.Context, r db.Reader, email string) (Person, error) {
	return people.one(ctx, r, `WHERE email = $1`, fold(email))
}

// People returns the people of a party by name.
func People(ctx context.Context, r db.Reader, id ID) ([]Person, error) {
	return people.all(ctx, r, `WHERE party_id = $1 ORDER BY name, id`, id)
}

// AddPerson stores a new, active person and returns it with its identifier.
func AddPerson(ctx context.Context, tx *db.Tx, p Person, now time.Time) (Person, error) {
	p.ID, p.CreatedAt, p.Active, p.Email = PersonID(db.NewID()), now, true, fold(p.Email)
	if err := p.Validate(); err != nil {
		return p, err
	}
	n, err := tx.Exec(ctx, `
		INSERT INTO people (`+personColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL) ON CONFLICT DO NOTHING`,
		p.ID, p.Party, p.Name, p.Email, db.List(p.Roles), p.Lang, p.Zone, p.Active, db.Micros(now))
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "party.email-taken", "Email", p.Email).At("/email")
	}
	if err != nil {
		return p, err
	}
	return p, people.seal(ctx, tx, string(p.ID))
}

// UpdatePerson stores what may change of a person of p.Party: name, roles,
// language and zone.
func UpdatePerson(ctx context.Context, tx *db.Tx, p Person) error {
	if err := p.Validate(); err != nil {
		return err
	}
	n, err := people.change(ctx, tx, string(p.ID), `UPDATE people SET name = $3, roles = $4, lang = $5, zone = $6 WHERE id = $1 AND party_id = $2`,
		p.ID, p.Party, p.Name, db.List(p.Roles), p.Lang, p.Zone)
	if err == nil && n == 0 {
		err = fault.Hidden("person")
	}
	return err
}

// Deactivate ends a person's access at once: sessions, API keys and signing
// keys go in the same transaction. Their past acts stay.
func Deactivate(ctx context.Context, tx *db.Tx, party ID, id PersonID, now time.Time) error {
	n, err := people.change(ctx, tx, string(id), `UPDATE people SET active = FALSE, deactivated_at = $3 WHERE id = $1 AND party_id = $2 AND active = TRUE`, id, party, db.Micros(now))
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.Hidden("person")
	}
	if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE person_id = $1`, id); err != nil {
		return err
	}
	return EndKeys(ctx, tx, id, now)
}

// EndKeys ends everything that a person signs with or comes in by: signing
// keys, passkeys, API keys. What they signed before stays signed.
func EndKeys(ctx context.Context, tx *db.Tx, id PersonID, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE api_keys SET revoked_at = $2, mac = NULL WHERE person_id = $1 AND revoked_at IS NULL`, id, db.Micros(now)); err != nil {
		return err
	}
	keys, err := db.All(ctx, tx, db.Scalar[string], `SELECT id FROM person_keys WHERE person_id = $1 AND revoked_at IS NULL`, id)
	for _, key := range keys {
		if err := RevokeKey(ctx, tx, id, KeyID(key), now); err != nil {
			return err
		}
	}
	return err
}

const keyColumns = `id, person_id, method, public, label, created_at, revoked_at`

func scanKey(row db.Row) (sealed[Key], error) {
	var k Key
	var mac []byte
	err := row.Scan(&k.ID, &k.Person, &k.Method, &k.Public, &k.Label, db.Time(&k.CreatedAt), db.Time(&k.RevokedAt), &mac)
	return sealed[Key]{k, string(k.ID), []any{
		string(k.ID), string(k.Person), string(k.Method), k.Public, k.Label, k.CreatedAt, k.RevokedAt,
	}, mac}, err
}

// KeyIDOf returns the identifier of a public key.
func KeyIDOf(public []byte) KeyID {
	sum := sha256.Sum256(public)
	return KeyID(hex.EncodeToString(sum[:8]))
}

// AddKey enrols an Ed25519 key for a person; AddPasskey takes passkeys. A key belongs to one person for
// ever: enrolling it again for another is refused.
func AddKey(ctx context.Context, tx *db.Tx, k Key, now time.Time) (Key, error) {
	if len(k.Public) != ed25519.PublicKeySize {
		return k, fault.New(fault.Invalid, "party.key-size", "Want", ed25519.PublicKeySize, "Got", len(k.Public)).At("/public_key")
	}
	if k.Method != BrowserKey && k.Method != Automation {
		return k, fault.New(fault.Invalid, "party.key-method", "Value", string(k.Method)).At("/method")
	}
	return insertKey(ctx, tx, k, now)
}

func insertKey(ctx context.Context, tx *db.Tx, k Key, now time.Time) (Key, error) {
	k.ID, k.CreatedAt = KeyIDOf(k.Public), now
	n, err := tx.Exec(ctx, `INSERT INTO person_keys (`+keyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, NULL) ON CONFLICT DO NOTHING`,
		k.ID, k.Person, k.Method, k.Public, k.Label, db.Micros(now))
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "party.key-taken", "Key", string(k.ID))
	}
	if err != nil {
		return k, err
	}
	return k, personKeys.seal(ctx, tx, string(k.ID))
}

// Keys returns every key a person ever had, the newest first.
func Keys(ctx context.Context, r db.Reader, id PersonID) ([]Key, error) {
	return personKeys.all(ctx, r, `WHERE person_id = $1 ORDER BY created_at DESC, id`, id)
}

// GetKey returns a key, revoked ones too, or a hidden fault.
func GetKey(ctx context.Context, r db.Reader, id KeyID) (Key, error) {
	return personKeys.one(ctx, r, `WHERE id = $1`, id)
}

// WaysIn returns how many standing keys sign a person in.
func WaysIn(ctx context.Context, r db.Reader, id PersonID) (int64, error) {
	return db.Value[int64](ctx, r, `SELECT count(*) FROM person_keys WHERE person_id = $1 AND revoked_at IS NULL AND method IN ($2, $3)`, id, BrowserKey, Passkey)
}

// WaysEver returns how many keys ever signed a person in, revoked ones too.
func WaysEver(ctx context.Context, r db.Reader, id PersonID) (int64, error) {
	return db.Value[int64](ctx, r, `SELECT count(*) FROM person_keys WHERE person_id = $1 AND method IN ($2, $3)`, id, BrowserKey, Passkey)
}

// RevokeKey ends a person's key; what it signed before stays signed.
func RevokeKey(ctx context.Context, tx *db.Tx, person PersonID, id KeyID, now time.Time) error {
	n, err := personKeys.change(ctx, tx, string(id), `UPDATE person_keys SET revoked_at = $3 WHERE id = $1 AND person_id = $2 AND revoked_at IS NULL`, id, person, db.Micros(now))
	if err == nil && n == 0 {
		err = fault.Hidden("key")
	}
	return err
}

// hide turns an absent row into the one answer for absent and hidden.
func hide[T any](v T, err error) (T, error) {
	if errors.Is(err, db.ErrAbsent) {
		return v, fault.Hidden("entry")
	}
	return v, err
}

func fold(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
