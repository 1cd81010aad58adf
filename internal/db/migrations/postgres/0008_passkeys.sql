-- +goose Up
-- What a passkey needs beside its row in person_keys (WebAuthn Level 3, section
-- 4, "credential record"). The mac stands over everything that never changes,
-- so that a row put in by somebody else signs nobody in.
CREATE TABLE passkeys (
  key_id TEXT PRIMARY KEY REFERENCES person_keys (id),
  credential_id BYTEA NOT NULL UNIQUE,
  user_handle BYTEA NOT NULL,
  cose BYTEA NOT NULL,
  rp_id TEXT NOT NULL,
  origin TEXT NOT NULL,
  aaguid BYTEA NOT NULL,
  backup_eligible BOOLEAN NOT NULL,
  backed_up BOOLEAN NOT NULL,
  sign_count BIGINT NOT NULL,
  last_used_at BIGINT,
  mac BYTEA NOT NULL
);
