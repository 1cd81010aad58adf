package notice

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// sealPurpose is the purpose of the key with which an organisation seals
// documents.
const sealPurpose = "seal"

// An OrgKey is an organisation's public key as it was used for seals.
type OrgKey struct {
	ID        string // see notes.KeyID
	Party     party.ID
	Public    ed25519.PublicKey
	CreatedAt time.Time
	RevokedAt time.Time // zero while valid

	private ed25519.PrivateKey
	sealed  []byte
	mac     []byte // over the row, see holds
}

// wrappedSecret is a small secret with the wrapped key under which it is
// sealed, in one column.
type wrappedSecret struct {
	Key    vault.WrappedKey `json:"key"`
	Secret []byte           `json:"secret"`
}

func scanOrgKey(row db.Row) (OrgKey, error) {
	var k OrgKey
	err := row.Scan(&k.ID, &k.Party, (*[]byte)(&k.Public), &k.sealed, db.Time(&k.CreatedAt), db.Time(&k.RevokedAt), &k.mac)
	return k, err
}

// values are those of the row, for its MAC: a public key that somebody put
// among an organisation's by SQL verifies nothing (threat-model T12).
func (k OrgKey) values() []any {
	return []any{k.ID, string(k.Party), sealPurpose, []byte(k.Public), k.sealed, k.CreatedAt, k.RevokedAt}
}

func (k OrgKey) holds(r db.Reader) bool {
	return r.Sealer().Holds("party_keys", k.ID, k.mac, k.values()...)
}

// orgKeyOnce is the name of the step that SealOldKeys is, for vault.Once.
const orgKeyOnce = "org-key-macs"

// SealOldKeys seals, once, the organisations' keys from before rows had a MAC.
func (r *Room) SealOldKeys(ctx context.Context) error {
	return r.Vault.Once(orgKeyOnce, func() error {
		return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			old, err := db.All(ctx, tx, scanOrgKey, `SELECT `+orgKeyColumns+` FROM party_keys WHERE purpose = $1 AND mac IS NULL`, sealPurpose)
			for _, k := range old {
				if _, err := tx.Exec(ctx, `UPDATE party_keys SET mac = $2 WHERE id = $1`, k.ID, tx.Sealer().Seal("party_keys", k.values()...)); err != nil {
					return err
				}
			}
			return err
		})
	})
}

const orgKeyColumns = `id, party_id, public, private_sealed, created_at, revoked_at, mac`

// orgKey returns the organisation's valid sealing key, with its private part.
// It makes one where there is none.
func (r *Room) orgKey(ctx context.Context, tx *db.Tx, p party.ID, now time.Time) (OrgKey, error) {
	// Whoever needs the first key waits here, so that there is one.
	if _, err := db.Value[string](ctx, tx, `SELECT id FROM parties WHERE id = $1 FOR UPDATE`, p); err != nil {
		return OrgKey{}, err
	}
	all, err := db.All(ctx, tx, scanOrgKey, `
		SELECT `+orgKeyColumns+` FROM party_keys
		WHERE party_id = $1 AND purpose = $2 AND revoked_at IS NULL ORDER BY created_at DESC, id`, p, sealPurpose)
	if err != nil {
		return OrgKey{}, err
	}
	all = slices.DeleteFunc(all, func(k OrgKey) bool { return !k.holds(tx) })
	if len(all) == 0 {
		return r.newOrgKey(ctx, tx, p, now)
	}
	k := all[0]
	var w wrappedSecret
	if err := json.Unmarshal(k.sealed, &w); err != nil {
		return k, err
	}
	key, err := r.Vault.Unwrap(w.Key)
	if err != nil {
		return k, err
	}
	seed, err := vault.Unseal(key, w.Secret, "party-key/"+string(p)+"/"+k.ID)
	if err != nil {
		return k, err
	}
	k.private = ed25519.NewKeyFromSeed(seed)
	return k, nil
}

func (r *Room) newOrgKey(ctx context.Context, tx *db.Tx, p party.ID, now time.Time) (OrgKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return OrgKey{}, err
	}
	key, wrapped, err := r.Vault.NewKey()
	if err != nil {
		return OrgKey{}, err
	}
	k := OrgKey{ID: notes.KeyID(public), Party: p, Public: public, CreatedAt: now, private: private}
	k.sealed, err = json.Marshal(wrappedSecret{wrapped, vault.Seal(key, private.Seed(), "party-key/"+string(p)+"/"+k.ID)}) //nolint:gosec // wrapped and sealed by then
	if err != nil {
		return k, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO party_keys (id, party_id, purpose, public, private_sealed, created_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		k.ID, p, sealPurpose, []byte(public), k.sealed, db.Micros(now), tx.Sealer().Seal("party_keys", k.values()...))
	return k, err
}

// OrgKeys returns every sealing key that an organisation ever had, for whoever
// checks its documents. Public parts only.
func OrgKeys(ctx context.Context, reader db.Reader, p party.ID) ([]OrgKey, error) {
	all, err := db.All(ctx, reader, scanOrgKey, `
		SELECT `+orgKeyColumns+` FROM party_keys WHERE party_id = $1 AND purpose = $2 ORDER BY created_at, id`, p, sealPurpose)
	return slices.DeleteFunc(all, func(k OrgKey) bool { return !k.holds(reader) }), err
}

// Keys returns the keys that verify a notice's envelope (notes.Verify), those
// of its persons and of its issuer. Persons appear by an opaque identifier.
func Keys(ctx context.Context, reader db.Reader) notes.Keys {
	return func(id string) (notes.Key, error) {
		k, err := personKey(ctx, reader, party.KeyID(id))
		if fault.Of(err) != fault.NotFound {
			return k, err
		}
		org, err := db.One(ctx, reader, scanOrgKey, `SELECT `+orgKeyColumns+` FROM party_keys WHERE id = $1 AND purpose = $2`, id, sealPurpose)
		if errors.Is(err, db.ErrAbsent) || err == nil && !org.holds(reader) {
			return notes.Key{}, notes.ErrUnknownKey
		}
		return noteKey(org.Public, org.Party, "", "organisation", org.CreatedAt, org.RevokedAt), err
	}
}

// personKey returns a person's key as an envelope names it, or a hidden fault.
func personKey(ctx context.Context, reader db.Reader, id party.KeyID) (notes.Key, error) {
	k, err := party.GetKey(ctx, reader, id)
	if err != nil {
		return notes.Key{}, err
	}
	who, err := party.GetPerson(ctx, reader, k.Person)
	if err != nil {
		return notes.Key{}, err
	}
	out := noteKey(k.Public, who.Party, k.Person, string(k.Method), k.CreatedAt, k.RevokedAt)
	if k.Method == party.Passkey {
		bound, err := party.GetPasskey(ctx, reader, id)
		if err != nil {
			return notes.Key{}, err
		}
		out.RPID, out.Origin = bound.RPID, bound.Origin
	}
	return out, nil
}

func noteKey(public []byte, p party.ID, person party.PersonID, method string, created, revoked time.Time) notes.Key {
	k := notes.Key{Public: public, Party: string(p), Person: string(person), Method: notes.Method(method), From: notes.At(created)}
	if !revoked.IsZero() {
		k.Until = notes.Time{Time: revoked}
	}
	return k
}
