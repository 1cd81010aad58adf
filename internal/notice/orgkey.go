package notice

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/db"
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
}

// wrappedSecret is a small secret with the wrapped key under which it is
// sealed, in one column.
type wrappedSecret struct {
	Key    vault.WrappedKey `json:"key"`
	Secret []byte           `json:"secret"`
}

func scanOrgKey(row db.Row) (OrgKey, error) {
	var k OrgKey
	err := row.Scan(&k.ID, &k.Party, (*[]byte)(&k.Public), &k.sealed, db.Time(&k.CreatedAt), db.Time(&k.RevokedAt))
	return k, err
}

// orgKey returns the organisation's valid sealing key, with its private part.
// It makes one where there is none.
func (r *Room) orgKey(ctx context.Context, tx *db.Tx, p party.ID, now time.Time) (OrgKey, error) {
	// Whoever needs the first key waits here, so that there is one.
	if _, err := db.Value[string](ctx, tx, `SELECT id FROM parties WHERE id = $1 FOR UPDATE`, p); err != nil {
		return OrgKey{}, err
	}
	k, err := db.One(ctx, tx, scanOrgKey, `
		SELECT id, party_id, public, private_sealed, created_at, revoked_at FROM party_keys
		WHERE party_id = $1 AND purpose = $2 AND revoked_at IS NULL ORDER BY created_at DESC, id LIMIT 1`, p, sealPurpose)
	if errors.Is(err, db.ErrAbsent) {
		return r.newOrgKey(ctx, tx, p, now)
	}
	if err != nil {
		return k, err
	}
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
	_, err = tx.Exec(ctx, `INSERT INTO party_keys (id, party_id, purpose, public, private_sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		k.ID, p, sealPurpose, []byte(public), k.sealed, db.Micros(now))
	return k, err
}

// OrgKeys returns every sealing key that an organisation ever had, for whoever
// checks its documents. Public parts only.
func OrgKeys(ctx context.Context, reader db.Reader, p party.ID) ([]OrgKey, error) {
	return db.All(ctx, reader, scanOrgKey, `
		SELECT id, party_id, public, private_sealed, created_at, revoked_at FROM party_keys
		WHERE party_id = $1 AND purpose = $2 ORDER BY created_at, id`, p, sealPurpose)
}

// Keys returns the keys that verify a notice's envelope (notes.Verify), those
// of its persons and of its issuer. Persons appear by an opaque identifier.
func Keys(ctx context.Context, reader db.Reader) notes.Keys {
	return func(id string) (notes.Key, error) {
		k, err := db.One(ctx, reader, func(row db.Row) (notes.Key, error) {
			var k notes.Key
			var created, revoked time.Time
			err := row.Scan((*[]byte)(&k.Public), &k.Party, &k.Person, &k.Method, db.Time(&created), db.Time(&revoked))
			k.From = notes.At(created)
			if !revoked.IsZero() {
				k.Until = notes.Time{Time: revoked}
			}
			return k, err
		}, `
			SELECT k.public, e.party_id, k.person_id, k.method, k.created_at, k.revoked_at
			FROM person_keys k JOIN people e ON e.id = k.person_id WHERE k.id = $1
			UNION ALL
			SELECT k.public, k.party_id, '', 'organisation', k.created_at, k.revoked_at
			FROM party_keys k WHERE k.id = $1 AND k.purpose = 'seal'`, id)
		if errors.Is(err, db.ErrAbsent) {
			return k, notes.ErrUnknownKey
		}
		return k, err
	}
}
