-- +goose Up
-- Somebody who lost every key gets a new one with the word of two others. Each
-- of the two hands over one half of what it takes, kept here as a MAC. The mac
-- stands over everything until the row has ended; NULL from then on, so that
-- what ended does not come back.
CREATE TABLE recoveries (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  opened_by TEXT NOT NULL,
  opened_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  code BYTEA NOT NULL,
  tries BIGINT NOT NULL,
  confirmed_by TEXT,
  confirmed_at BIGINT,
  link BYTEA,
  ended_at BIGINT,
  ended TEXT,
  ended_by TEXT,
  mac BYTEA
);
CREATE UNIQUE INDEX recoveries_open ON recoveries (person_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX recoveries_link ON recoveries (link) WHERE link IS NOT NULL;
CREATE INDEX recoveries_party ON recoveries (party_id, opened_at);
CREATE INDEX recoveries_person ON recoveries (person_id, ended_at);
