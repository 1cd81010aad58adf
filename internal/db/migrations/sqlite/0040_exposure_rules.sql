-- +goose Up
-- What a case is about: what its reporters say, and what it was found to be.
ALTER TABLE cases ADD COLUMN topics TEXT NOT NULL DEFAULT '[]';

-- The topics that a person asked not to be given.
CREATE TABLE topic_wishes (
  person_id TEXT NOT NULL REFERENCES people (id),
  topic TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (person_id, topic)
);

-- What a person was shown, and with which case first. mac is that of report_files:
-- it tells the same bytes again.
CREATE TABLE media_seen (
  person_id TEXT NOT NULL REFERENCES people (id),
  mac BLOB NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  at INTEGER NOT NULL,
  PRIMARY KEY (person_id, mac)
);
ALTER TABLE capture_files ADD COLUMN mac BLOB;
