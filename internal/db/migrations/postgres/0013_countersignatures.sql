-- +goose Up
-- A platform's signature may be a passkey's assertion too: what is needed to
-- check it again (WebAuthn Level 3, section 7.2).
ALTER TABLE notice_receipts ADD COLUMN rp_id TEXT;
ALTER TABLE notice_receipts ADD COLUMN origin TEXT;
ALTER TABLE notice_receipts ADD COLUMN client_data BYTEA;
ALTER TABLE notice_receipts ADD COLUMN authenticator_data BYTEA;
ALTER TABLE notice_answers ADD COLUMN rp_id TEXT;
ALTER TABLE notice_answers ADD COLUMN origin TEXT;
ALTER TABLE notice_answers ADD COLUMN client_data BYTEA;
ALTER TABLE notice_answers ADD COLUMN authenticator_data BYTEA;
