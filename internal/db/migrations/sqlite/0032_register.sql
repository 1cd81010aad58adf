-- +goose Up
-- What the rows of a list are: things to report, or decisions of before.
ALTER TABLE flagger_imports ADD COLUMN kind TEXT NOT NULL DEFAULT 'reports';
ALTER TABLE flagger_imports ADD COLUMN undone_at INTEGER;
ALTER TABLE flagger_imports ADD COLUMN undone_by TEXT REFERENCES people (id);

-- What old registers say, sealed under the key of the list that brought it. mark
-- tells the same row of the same organisation again, without showing what it says.
CREATE TABLE register_entries (
  id TEXT PRIMARY KEY,
  import_id TEXT NOT NULL REFERENCES flagger_imports (id),
  party_id TEXT NOT NULL REFERENCES parties (id),
  n INTEGER NOT NULL,
  mark BLOB NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (import_id, n)
);
CREATE UNIQUE INDEX register_entries_mark ON register_entries (party_id, mark);

-- Of what they say it: mac as in locations.
CREATE TABLE register_places (
  entry_id TEXT NOT NULL REFERENCES register_entries (id),
  party_id TEXT NOT NULL REFERENCES parties (id),
  mac BLOB NOT NULL,
  PRIMARY KEY (entry_id, mac)
);
CREATE INDEX register_places_mac ON register_places (party_id, mac);
