package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"github.com/tangkal/tangkal/internal/db"
)

// An API key is stored as a MAC under the instance key, and its row carries
// another over what it grants, to whom and until when: whoever can only write
// rows can neither make a key, nor have theirs act as somebody else (threat-
// models T10 and T12). Revoking erases the row's MAC, so that a revoked key
// does not come back by SQL. The hour of the last use has none: it is only
// shown.

// hashAPIKey is what is stored of a secret. Before there were MACs it was the
// inner SHA-256 alone; see SealOldKeys.
func (a *Auth) hashAPIKey(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return a.mac("api-key", sum[:])
}

func (a *Auth) apiKeyMAC(k APIKey) []byte {
	return a.mac("api-key-row", db.Spell(
		k.ID, string(k.Party), string(k.Person), k.Label, k.scopesText, k.Prefix, k.CreatedAt, k.ExpiresAt, k.hash))
}

// genuine reports whether this program wrote the row of a key as it stands.
func (a *Auth) genuine(k APIKey) bool { return hmac.Equal(k.mac, a.apiKeyMAC(k)) }

// AlteredKeys returns the identifiers of API keys whose rows this program has
// not written, of those that are not revoked. They open nothing.
func (a *Auth) AlteredKeys(ctx context.Context) ([]string, error) {
	all, err := db.All(ctx, a.db, scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE revoked_at IS NULL`)
	var ids []string
	for _, k := range all {
		if !a.genuine(k) {
			ids = append(ids, k.ID)
		}
	}
	return ids, err
}

// SealOldKeys brings API keys that were stored as a plain SHA-256, without a
// MAC, to how they are stored now; they go on opening what they opened. It must
// run once in the life of an instance (vault.Once), or whoever writes such rows
// waits for it.
func (a *Auth) SealOldKeys(ctx context.Context) error {
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		old, err := db.All(ctx, tx, scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE mac IS NULL AND revoked_at IS NULL`)
		if err != nil {
			return err
		}
		for _, k := range old {
			k.hash = a.mac("api-key", k.hash)
			if _, err := tx.Exec(ctx, `UPDATE api_keys SET hash = $2, mac = $3 WHERE id = $1`, k.ID, k.hash, a.apiKeyMAC(k)); err != nil {
				return err
			}
		}
		return nil
	})
}
