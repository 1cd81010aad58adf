-- +goose Up
-- How many voices a case's reports are: what reads alike at one location within
-- ten minutes is a wave, and a wave is one voice.
ALTER TABLE report_locations ADD COLUMN wording BYTEA;
ALTER TABLE cases ADD COLUMN voices BIGINT NOT NULL DEFAULT 0;
UPDATE cases SET voices = reports;

-- alike is the most reports of one wording in the slot, fresh how many wordings
-- were new to the case.
CREATE TABLE case_slots (
  case_id TEXT NOT NULL REFERENCES cases (id),
  slot BIGINT NOT NULL,
  reports BIGINT NOT NULL,
  alike BIGINT NOT NULL,
  fresh BIGINT NOT NULL,
  PRIMARY KEY (case_id, slot)
);

-- n is how often the wording came in the slot where it came last.
CREATE TABLE case_wordings (
  case_id TEXT NOT NULL REFERENCES cases (id),
  wording BYTEA NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (case_id, wording)
);
