-- +goose Up
CREATE TABLE cases (
  id TEXT PRIMARY KEY,
  ref TEXT NOT NULL UNIQUE,
  party_id TEXT NOT NULL REFERENCES parties (id),
  state TEXT NOT NULL CHECK (state IN ('open', 'taken', 'proposed', 'decided', 'handed-over', 'closed')),
  holder TEXT REFERENCES people (id),
  locked_until BIGINT,
  jurisdiction TEXT NOT NULL,
  platform TEXT NOT NULL,
  kind TEXT NOT NULL,
  kinds TEXT NOT NULL,
  locations BIGINT NOT NULL,
  reports BIGINT NOT NULL,
  channels TEXT NOT NULL,
  languages TEXT NOT NULL,
  heavy BOOLEAN NOT NULL,
  urgent BOOLEAN NOT NULL,
  burst BOOLEAN NOT NULL,
  crisis BOOLEAN NOT NULL,
  queue TEXT NOT NULL,
  priority BIGINT NOT NULL CHECK (priority BETWEEN 0 AND 100),
  why TEXT NOT NULL,
  ranked_at BIGINT NOT NULL,
  tier TEXT NOT NULL,
  list_class TEXT NOT NULL,
  assessed BIGINT NOT NULL,
  complete BOOLEAN NOT NULL,
  order_fault TEXT NOT NULL,
  opinion TEXT NOT NULL CHECK (opinion IN ('', 'asked', 'given')),
  captures BIGINT NOT NULL,
  no_capture BOOLEAN NOT NULL,
  dossiers BIGINT NOT NULL,
  held_until BIGINT,
  holds BIGINT NOT NULL,
  handed_from TEXT,
  outcome TEXT NOT NULL,
  opened_at BIGINT NOT NULL,
  deadline_at BIGINT NOT NULL,
  closed_at BIGINT,
  version BIGINT NOT NULL,
  key_wrapped BYTEA NOT NULL
);
CREATE INDEX cases_waiting ON cases (party_id, priority DESC, id) WHERE state IN ('open', 'taken');
CREATE INDEX cases_state ON cases (party_id, state, priority DESC, id);
CREATE INDEX cases_holder ON cases (holder, state);
CREATE INDEX cases_ranked ON cases (ranked_at, id) WHERE state IN ('open', 'taken');

CREATE TABLE case_locations (
  case_id TEXT NOT NULL REFERENCES cases (id),
  location_id TEXT NOT NULL,
  n BIGINT NOT NULL,
  platform TEXT NOT NULL,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (case_id, location_id),
  UNIQUE (case_id, n)
);
CREATE INDEX case_locations_location ON case_locations (location_id, case_id);

CREATE TABLE case_reports (
  report_id TEXT NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  channel TEXT NOT NULL,
  joined_at BIGINT NOT NULL,
  PRIMARY KEY (case_id, report_id)
);
CREATE INDEX case_reports_report ON case_reports (report_id);
CREATE INDEX case_reports_joined ON case_reports (case_id, joined_at);

CREATE TABLE case_assessments (
  id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (id),
  version BIGINT NOT NULL CHECK (version > 0),
  person_id TEXT NOT NULL REFERENCES people (id),
  at BIGINT NOT NULL,
  pack_code TEXT NOT NULL,
  pack_version BIGINT NOT NULL,
  pack_digest TEXT NOT NULL,
  measure TEXT NOT NULL,
  grounds TEXT NOT NULL,
  functions TEXT NOT NULL,
  tier TEXT NOT NULL,
  list_class TEXT NOT NULL,
  complete BOOLEAN NOT NULL,
  body_sealed BYTEA NOT NULL,
  UNIQUE (case_id, version)
);

CREATE TABLE case_opinions (
  id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (id),
  assessment BIGINT NOT NULL,
  asked_by TEXT NOT NULL REFERENCES people (id),
  asked_of TEXT REFERENCES people (id),
  asked_at BIGINT NOT NULL,
  given_by TEXT REFERENCES people (id),
  given_at BIGINT,
  body_sealed BYTEA,
  CHECK (given_by IS NULL OR given_by <> asked_by),
  UNIQUE (case_id, assessment, asked_of)
);
CREATE INDEX case_opinions_case ON case_opinions (case_id, assessment);

CREATE TABLE case_notes (
  id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (id),
  kind TEXT NOT NULL,
  code TEXT NOT NULL,
  person_id TEXT REFERENCES people (id),
  at BIGINT NOT NULL,
  text_sealed BYTEA NOT NULL
);
CREATE INDEX case_notes_case ON case_notes (case_id, at, id);

CREATE TABLE captures (
  id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (id),
  location_id TEXT,
  source TEXT NOT NULL CHECK (source IN ('fetch', 'upload')),
  status TEXT NOT NULL CHECK (status IN ('requested', 'done', 'failed')),
  reason TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  requested_at BIGINT NOT NULL,
  captured_at BIGINT,
  http_status BIGINT NOT NULL
);
CREATE INDEX captures_case ON captures (case_id, requested_at, id);
CREATE INDEX captures_requested ON captures (requested_at, id) WHERE status = 'requested';

CREATE TABLE capture_files (
  id TEXT PRIMARY KEY,
  capture_id TEXT NOT NULL REFERENCES captures (id),
  case_id TEXT NOT NULL REFERENCES cases (id),
  n BIGINT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('warc', 'page', 'media', 'screenshot', 'upload')),
  media_type TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size BIGINT NOT NULL CHECK (size > 0),
  stored TEXT NOT NULL,
  stored_size BIGINT NOT NULL,
  captured_at BIGINT NOT NULL,
  name_sealed BYTEA NOT NULL,
  UNIQUE (capture_id, n)
);
CREATE INDEX capture_files_case ON capture_files (case_id, capture_id, n);

CREATE TABLE dossiers (
  id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (id),
  version BIGINT NOT NULL,
  party_id TEXT NOT NULL REFERENCES parties (id),
  to_party TEXT NOT NULL REFERENCES parties (id),
  measure TEXT NOT NULL,
  assessment BIGINT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  digest BYTEA NOT NULL,
  body_sealed BYTEA NOT NULL,
  frozen_at BIGINT NOT NULL,
  UNIQUE (case_id, version)
);
CREATE INDEX dossiers_to ON dossiers (to_party, frozen_at, id);

CREATE TABLE dossier_locations (
  dossier_id TEXT NOT NULL REFERENCES dossiers (id),
  n BIGINT NOT NULL,
  location_id TEXT NOT NULL,
  PRIMARY KEY (dossier_id, n)
);

CREATE TABLE dossier_files (
  dossier_id TEXT NOT NULL REFERENCES dossiers (id),
  n BIGINT NOT NULL,
  file_id TEXT NOT NULL REFERENCES capture_files (id),
  PRIMARY KEY (dossier_id, n)
);
CREATE INDEX dossier_files_file ON dossier_files (file_id);

-- What became of a dossier; the dossier itself never changes.
CREATE TABLE dossier_fates (
  dossier_id TEXT PRIMARY KEY REFERENCES dossiers (id),
  case_id TEXT NOT NULL REFERENCES cases (id),
  state TEXT NOT NULL CHECK (state IN ('frozen', 'decided', 'returned', 'finished')),
  outcome TEXT NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX dossier_fates_case ON dossier_fates (case_id, state);

CREATE TABLE handovers (
  id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (id),
  dossier_id TEXT NOT NULL UNIQUE REFERENCES dossiers (id),
  party_id TEXT NOT NULL REFERENCES parties (id),
  to_party TEXT NOT NULL REFERENCES parties (id),
  state TEXT NOT NULL CHECK (state IN ('offered', 'accepted', 'split', 'returned')),
  person_id TEXT NOT NULL REFERENCES people (id),
  at BIGINT NOT NULL,
  answered_by TEXT REFERENCES people (id),
  answered_at BIGINT,
  new_case_id TEXT REFERENCES cases (id),
  reasons TEXT NOT NULL,
  note_sealed BYTEA NOT NULL,
  answer_sealed BYTEA,
  CHECK (to_party <> party_id)
);
CREATE INDEX handovers_to ON handovers (to_party, state, at, id);
CREATE INDEX handovers_case ON handovers (case_id, at);

CREATE TABLE case_undos (
  mac BYTEA NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  state TEXT NOT NULL,
  holder TEXT,
  locked_until BIGINT,
  closed_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (mac, case_id)
);
CREATE INDEX case_undos_expires ON case_undos (expires_at);

CREATE TABLE case_skips (
  person_id TEXT NOT NULL REFERENCES people (id),
  case_id TEXT NOT NULL REFERENCES cases (id),
  at BIGINT NOT NULL,
  PRIMARY KEY (person_id, case_id)
);

-- The order in which a person took cases, to mix heavy ones with light ones.
CREATE TABLE case_takes (
  person_id TEXT NOT NULL REFERENCES people (id),
  at BIGINT NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  heavy BOOLEAN NOT NULL,
  PRIMARY KEY (person_id, at, case_id)
);

CREATE TABLE exposures (
  person_id TEXT NOT NULL REFERENCES people (id),
  day TEXT NOT NULL,
  visible BIGINT NOT NULL,
  streak_visible BIGINT NOT NULL,
  streak_from BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (person_id, day)
);
