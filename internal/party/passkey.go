package party

import (
	"context"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

// A PasskeyRecord is what a passkey needs beside its Key (WebAuthn Level 3,
// section 4, "credential record").
type PasskeyRecord struct {
	Key            KeyID
	Credential     []byte // identifier that the authenticator chose, at most 1023 bytes
	Handle         []byte // user handle: random to others, the same for all passkeys of a person
	COSE           []byte // public key as the authenticator gave it (RFC 9052)
	RPID           string // relying party that it is bound to, as "tangkal.example"
	Origin         string // of the pages at which it was made, as "https://tangkal.example"
	AAGUID         []byte // model of the authenticator, 16 bytes, mostly zero
	BackupEligible bool   // may exist on more than one device; never changes
	BackedUp       bool
	SignCount      uint32 // 0 for authenticators that do not count
	LastUsedAt     time.Time
	MAC            []byte // by package auth, over what never changes
}

const passkeyColumns = `key_id, credential_id, user_handle, cose, rp_id, origin, aaguid, backup_eligible, backed_up, sign_count, last_used_at, mac` //nolint:gosec // columns, no secret

func scanPasskey(row db.Row) (PasskeyRecord, error) {
	var p PasskeyRecord
	var count int64
	err := row.Scan(&p.Key, &p.Credential, &p.Handle, &p.COSE, &p.RPID, &p.Origin, &p.AAGUID, &p.BackupEligible, &p.BackedUp, &count, db.Time(&p.LastUsedAt), &p.MAC)
	p.SignCount = uint32(count) //nolint:gosec // we wrote it from one
	return p, err
}

// AddPasskey enrols a passkey for a person: k.Public is its public key as
// SubjectPublicKeyInfo in DER (RFC 5280), and r.Key is k's identifier.
func AddPasskey(ctx context.Context, tx *db.Tx, k Key, r PasskeyRecord, now time.Time) (Key, error) {
	k.Method = Passkey
	k, err := insertKey(ctx, tx, k, now)
	if err != nil {
		return k, err
	}
	n, err := tx.Exec(ctx, `
		INSERT INTO passkeys (`+passkeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11) ON CONFLICT DO NOTHING`,
		k.ID, r.Credential, r.Handle, r.COSE, r.RPID, r.Origin, r.AAGUID, r.BackupEligible, r.BackedUp, int64(r.SignCount), r.MAC)
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "party.key-taken", "Key", string(k.ID))
	}
	return k, err
}

// PasskeyByCredential returns a passkey, a revoked one too, by the identifier
// that its authenticator uses, or a hidden fault.
func PasskeyByCredential(ctx context.Context, r db.Reader, credential []byte) (PasskeyRecord, error) {
	return hide(db.One(ctx, r, scanPasskey, `SELECT `+passkeyColumns+` FROM passkeys WHERE credential_id = $1`, credential))
}

// GetPasskey returns the passkey of a key, or a hidden fault.
func GetPasskey(ctx context.Context, r db.Reader, id KeyID) (PasskeyRecord, error) {
	return hide(db.One(ctx, r, scanPasskey, `SELECT `+passkeyColumns+` FROM passkeys WHERE key_id = $1`, id))
}

// Passkeys returns a person's standing passkeys, the newest first.
func Passkeys(ctx context.Context, r db.Reader, id PersonID) ([]PasskeyRecord, error) {
	return db.All(ctx, r, scanPasskey, `
		SELECT `+passkeyColumns+` FROM passkeys WHERE key_id IN (SELECT id FROM person_keys WHERE person_id = $1 AND revoked_at IS NULL)
		ORDER BY key_id LIMIT 100`, id)
}

// UsePasskey keeps what an assertion told. It is refused when the signature
// counter did not rise: two devices hold the same key (WebAuthn Level 3,
// section 6.1.1).
func UsePasskey(ctx context.Context, tx *db.Tx, id KeyID, count uint32, backedUp bool, now time.Time) error {
	n, err := tx.Exec(ctx, `
		UPDATE passkeys SET sign_count = $2, backed_up = $3, last_used_at = $4
		WHERE key_id = $1 AND (sign_count < $2 OR sign_count = 0 AND $2 = 0)`,
		id, int64(count), backedUp, db.Micros(now))
	if err == nil && n == 0 {
		err = errors.New("the passkey's signature counter did not rise: it may have been copied")
	}
	return err
}
