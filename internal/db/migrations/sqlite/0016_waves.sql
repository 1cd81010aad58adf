-- +goose Up
-- How many voices a case's reports are: what reads alike at one location within
-- ten minutes is a wave, and a wave is one voice.
ALTER TABLE report_locations ADD COLUMN wording BLOB;
ALTER TABLE cases ADD COLUMN voices INTEGER NOT NULL DEFAULT 0;
UPDATE cases SET voices = reports;

-- alike is the most reports of one wording in the slot, fresh how many wordings
-- were new to the case.
CREATE TABLE case_slots (
  case_id TEXT NOT NULL REFERENCES cases (id),
  slot INTEGER NOT NULL,
  reports INTEGER NOT NULL,
  alike INTEGER NOT NULL,
  fresh INTEGER NOT NULL,
  PRIMARY KEY (case_id, slot)
);

-- n is how often the wording came in the slot where it came last.
CREATE TABLE case_wordings (
  case_id TEXT NOT NULL REFERENCES cases (id),
  wording BLOB NOT NULL,
  slot INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (case_id, wording)
);
