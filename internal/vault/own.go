package vault

const ownPrefix = "tgo1" // text sealed under the instance key, version 1

// SealOwn encrypts a small text that belongs to the instance and to no case:
// an organisation's signing key, a webhook's secret, a shared location. Like
// Seal, with aad naming its row.
func (v *Vault) SealOwn(plaintext []byte, aad string) []byte {
	return sealWith(derive(v.master.secret, "tangkal/vault/own/v1"), ownPrefix, plaintext, aad)
}

// UnsealOwn opens what SealOwn made, or returns ErrDamaged.
func (v *Vault) UnsealOwn(sealed []byte, aad string) ([]byte, error) {
	return unsealWith(derive(v.master.secret, "tangkal/vault/own/v1"), ownPrefix, sealed, aad)
}
