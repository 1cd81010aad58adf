-- +goose Up
-- The organisation that reports under its own name, and whether by a list.
ALTER TABLE reports ADD COLUMN from_party TEXT REFERENCES parties (id);
ALTER TABLE reports ADD COLUMN bulk BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX reports_from ON reports (from_party, received_at, id) WHERE from_party IS NOT NULL;

-- Nobody has reported the case but organisations by their lists.
ALTER TABLE cases ADD COLUMN bulk BOOLEAN NOT NULL DEFAULT FALSE;

-- A list that an organisation sent. sealed holds its name, what its columns are
-- and where its rows lie; key is NULL once that is gone. next is the index of the
-- first row that is not done.
CREATE TABLE flagger_imports (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  state TEXT NOT NULL,
  lines INTEGER NOT NULL,
  next INTEGER NOT NULL,
  made INTEGER NOT NULL,
  again INTEGER NOT NULL,
  wrong INTEGER NOT NULL,
  key BLOB,
  sealed BLOB,
  blob_name TEXT UNIQUE,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER
);
CREATE INDEX flagger_imports_party ON flagger_imports (party_id, created_at, id);
CREATE INDEX flagger_imports_state ON flagger_imports (state, created_at);

-- The reports that were made of its rows. mark tells the same row of the same
-- organisation again, without showing what it says.
CREATE TABLE flagger_rows (
  import_id TEXT NOT NULL REFERENCES flagger_imports (id),
  n INTEGER NOT NULL,
  party_id TEXT NOT NULL REFERENCES parties (id),
  mark BLOB NOT NULL,
  report_id TEXT NOT NULL REFERENCES reports (id),
  PRIMARY KEY (import_id, n)
);
CREATE UNIQUE INDEX flagger_rows_mark ON flagger_rows (party_id, mark);
CREATE INDEX flagger_rows_report ON flagger_rows (report_id);
