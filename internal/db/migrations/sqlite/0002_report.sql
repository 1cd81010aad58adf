-- +goose Up

-- What it is lies sealed under a key of its own; mac finds it again.
CREATE TABLE locations (
  id TEXT PRIMARY KEY,
  mac BLOB NOT NULL UNIQUE,
  key BLOB,
  sealed BLOB,
  platform TEXT NOT NULL,
  kind TEXT NOT NULL,
  broad TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

-- receipt_mac and key are NULL once the report is erased.
CREATE TABLE reports (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  ref TEXT NOT NULL UNIQUE,
  receipt_mac BLOB UNIQUE,
  key BLOB,
  channel TEXT NOT NULL,
  category TEXT NOT NULL,
  lang TEXT NOT NULL,
  description BLOB,
  contact BLOB,
  contact_for TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  erased_at INTEGER
);
CREATE INDEX reports_party ON reports (party_id, received_at, id);

CREATE TABLE report_locations (
  report_id TEXT NOT NULL REFERENCES reports (id),
  location_id TEXT NOT NULL REFERENCES locations (id),
  n INTEGER NOT NULL,
  PRIMARY KEY (report_id, location_id)
);
CREATE INDEX report_locations_location ON report_locations (location_id, report_id);

-- sealed holds name, type and digest; mac tells equal files without showing which.
CREATE TABLE report_files (
  id TEXT PRIMARY KEY,
  report_id TEXT NOT NULL REFERENCES reports (id),
  n INTEGER NOT NULL,
  mac BLOB NOT NULL,
  blob_name TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  added_at INTEGER NOT NULL
);
CREATE INDEX report_files_report ON report_files (report_id, n);
CREATE INDEX report_files_mac ON report_files (mac);

CREATE TABLE report_messages (
  id TEXT PRIMARY KEY,
  report_id TEXT NOT NULL REFERENCES reports (id),
  side TEXT NOT NULL,
  person_id TEXT,
  sealed BLOB NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX report_messages_report ON report_messages (report_id, at, id);

CREATE TABLE report_steps (
  id TEXT PRIMARY KEY,
  report_id TEXT NOT NULL REFERENCES reports (id),
  kind TEXT NOT NULL,
  args TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX report_steps_report ON report_steps (report_id, at, id);
