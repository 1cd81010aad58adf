-- +goose Up
-- Letters until the operator's mail server has taken them, and those that came
-- back. The mac stands over everything that is written once.
CREATE TABLE mails (
  id TEXT PRIMARY KEY,
  once TEXT NOT NULL UNIQUE,
  purpose TEXT NOT NULL,
  party_id TEXT NOT NULL,
  person_id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  object TEXT NOT NULL,
  object_id TEXT NOT NULL,
  ref TEXT NOT NULL,
  address TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  mac BLOB NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  done_at INTEGER,
  last_code INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  returned_at INTEGER,
  settled_at INTEGER,
  settled_by TEXT
);
CREATE INDEX mails_due ON mails (next_at, id) WHERE state = 'waiting';
CREATE INDEX mails_object ON mails (object, object_id);
CREATE INDEX mails_returned ON mails (owner_id, returned_at) WHERE returned_at IS NOT NULL AND settled_at IS NULL;
