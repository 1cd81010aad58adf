-- +goose Up
-- What people see of their sessions, and when they last touched a passkey in
-- each. The mac stands over who, when and how; an ended session keeps its row
-- without its data, so that a request in flight does not bring it back.
ALTER TABLE sessions ADD COLUMN began_at BIGINT;
ALTER TABLE sessions ADD COLUMN used_at BIGINT;
ALTER TABLE sessions ADD COLUMN touched_at BIGINT;
ALTER TABLE sessions ADD COLUMN way TEXT;
ALTER TABLE sessions ADD COLUMN browser TEXT;
ALTER TABLE sessions ADD COLUMN system TEXT;
ALTER TABLE sessions ADD COLUMN mac BYTEA;
ALTER TABLE sessions ADD COLUMN ended_at BIGINT;
