-- +goose Up
-- What a passkey needs beside its row in person_keys (WebAuthn Level 3, section
-- 4, "credential record"). The mac stands over everything that never changes,
-- so that a row put in by somebody else signs nobody in.
CREATE TABLE passkeys (
  key_id TEXT PRIMARY KEY REFERENCES person_keys (id),
  credential_id BLOB NOT NULL UNIQUE,
  user_handle BLOB NOT NULL,
  cose BLOB NOT NULL,
  rp_id TEXT NOT NULL,
  origin TEXT NOT NULL,
  aaguid BLOB NOT NULL,
  backup_eligible BOOLEAN NOT NULL,
  backed_up BOOLEAN NOT NULL,
  sign_count INTEGER NOT NULL,
  last_used_at INTEGER,
  mac BLOB NOT NULL
);
