-- +goose Up
-- The vault and the key that the rows belong to: an instance whose vault is not
-- mounted, or whose key is lost, must not be taken for a new one.
ALTER TABLE instance ADD COLUMN vault_mark TEXT;
