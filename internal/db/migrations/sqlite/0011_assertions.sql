-- +goose Up
-- A passkey's signature is an assertion: what is needed to check it again
-- (WebAuthn Level 3, section 7.2).
ALTER TABLE notice_signatures ADD COLUMN rp_id TEXT;
ALTER TABLE notice_signatures ADD COLUMN origin TEXT;
ALTER TABLE notice_signatures ADD COLUMN client_data BLOB;
ALTER TABLE notice_signatures ADD COLUMN authenticator_data BLOB;
