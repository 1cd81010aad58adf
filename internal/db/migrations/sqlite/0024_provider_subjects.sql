-- +goose Up
-- Whom an OpenID provider knows here, by its own identifier and never by a mail
-- address. The mac stands over the row while it counts; NULL once it was ended.
CREATE TABLE provider_subjects (
  id TEXT PRIMARY KEY,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  linked_by TEXT NOT NULL,
  linked_at INTEGER NOT NULL,
  ended_at INTEGER,
  mac BLOB
);
CREATE UNIQUE INDEX provider_subjects_subject ON provider_subjects (issuer, subject) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX provider_subjects_person ON provider_subjects (issuer, person_id) WHERE ended_at IS NULL;
