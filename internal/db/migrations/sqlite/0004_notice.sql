-- +goose Up
CREATE TABLE notices (
  id TEXT PRIMARY KEY,
  ref TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  case_id TEXT NOT NULL,
  case_ref TEXT NOT NULL,
  dossier_id TEXT NOT NULL,
  proposer TEXT NOT NULL REFERENCES parties (id),
  issuer TEXT NOT NULL REFERENCES parties (id),
  addressee TEXT NOT NULL REFERENCES parties (id),
  platform TEXT NOT NULL,
  pack_code TEXT NOT NULL,
  pack_version INTEGER NOT NULL,
  pack_digest TEXT NOT NULL,
  version INTEGER NOT NULL,
  digest BLOB NOT NULL,
  canonical_sealed BLOB NOT NULL,
  key_wrapped BLOB NOT NULL,
  deadline_minutes INTEGER NOT NULL,
  grounds TEXT NOT NULL,
  functions TEXT NOT NULL,
  tier TEXT NOT NULL,
  item_count INTEGER NOT NULL,
  broad TEXT NOT NULL,
  approvals_needed INTEGER NOT NULL CHECK (approvals_needed >= 1),
  may_tell BOOLEAN NOT NULL,
  preserve_months INTEGER NOT NULL,
  advance_from INTEGER,
  emergency BOOLEAN NOT NULL,
  life TEXT NOT NULL,
  delivery TEXT NOT NULL,
  rung TEXT NOT NULL,
  outcome TEXT NOT NULL,
  drafted_by TEXT NOT NULL REFERENCES people (id),
  created_at INTEGER NOT NULL,
  drafted_at INTEGER NOT NULL,
  proposed_at INTEGER,
  approved_at INTEGER,
  issued_at INTEGER,
  logged_at INTEGER,
  log_seq INTEGER NOT NULL,
  sent_at INTEGER,
  accepted_at INTEGER,
  received_at INTEGER,
  deemed_at INTEGER,
  unreceived_at INTEGER,
  due_at INTEGER,
  reminded_at INTEGER,
  overdue_at INTEGER,
  answered_at INTEGER,
  closed_at INTEGER,
  withdrawn_at INTEGER,
  envelope_sealed BLOB,
  row_mac BLOB NOT NULL,
  sent_mac BLOB
);
CREATE INDEX notices_proposer ON notices (proposer, life, id);
CREATE INDEX notices_issuer ON notices (issuer, life, id);
CREATE INDEX notices_addressee ON notices (addressee, life, due_at, id);
CREATE INDEX notices_life ON notices (life, delivery, id);
CREATE INDEX notices_case ON notices (case_id, id);

CREATE TABLE notice_items (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  n INTEGER NOT NULL,
  location_id TEXT NOT NULL,
  url_sealed BLOB NOT NULL,
  platform TEXT NOT NULL,
  kind TEXT NOT NULL,
  content_type TEXT NOT NULL,
  language TEXT NOT NULL,
  state TEXT NOT NULL,
  answer TEXT NOT NULL,
  answers INTEGER NOT NULL,
  answered_at INTEGER,
  verified_at INTEGER,
  reopened INTEGER NOT NULL,
  started_at INTEGER,
  due_at INTEGER,
  PRIMARY KEY (notice_id, n)
);
CREATE INDEX notice_items_location ON notice_items (location_id);

CREATE TABLE notice_versions (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  version INTEGER NOT NULL,
  digest BLOB NOT NULL,
  canonical_sealed BLOB NOT NULL,
  dossier_id TEXT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  at INTEGER NOT NULL,
  PRIMARY KEY (notice_id, version)
);

CREATE TABLE notice_signatures (
  notice_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  n INTEGER NOT NULL,
  step TEXT NOT NULL CHECK (step IN ('proposed', 'approved', 'issued')),
  party_id TEXT NOT NULL REFERENCES parties (id),
  party_kind TEXT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  roles TEXT NOT NULL,
  key_id TEXT NOT NULL REFERENCES person_keys (id),
  method TEXT NOT NULL,
  digest BLOB NOT NULL,
  value BLOB NOT NULL,
  read_parts TEXT NOT NULL,
  read_seconds INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (notice_id, version, n),
  UNIQUE (notice_id, version, person_id),
  UNIQUE (notice_id, version, key_id),
  FOREIGN KEY (notice_id, version) REFERENCES notice_versions (notice_id, version)
);
CREATE UNIQUE INDEX notice_signatures_proposed ON notice_signatures (notice_id, version) WHERE step = 'proposed';
CREATE UNIQUE INDEX notice_signatures_issued ON notice_signatures (notice_id, version) WHERE step = 'issued';

CREATE TABLE notice_returns (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  version INTEGER NOT NULL,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  reasons TEXT NOT NULL,
  text_sealed BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (notice_id, version)
);

CREATE TABLE notice_refusals (
  notice_id TEXT PRIMARY KEY REFERENCES notices (id),
  why TEXT NOT NULL,
  at INTEGER NOT NULL
);

CREATE TABLE notice_advance (
  issuer TEXT NOT NULL REFERENCES parties (id),
  addressee TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  at INTEGER NOT NULL,
  PRIMARY KEY (issuer, addressee)
);

CREATE TABLE notice_deliveries (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  channel TEXT NOT NULL,
  step TEXT NOT NULL,
  result TEXT NOT NULL,
  text_sealed BLOB,
  party_id TEXT,
  person_id TEXT,
  at INTEGER NOT NULL
);
CREATE INDEX notice_deliveries_notice ON notice_deliveries (notice_id, at, id);

CREATE TABLE notice_receipts (
  notice_id TEXT PRIMARY KEY REFERENCES notices (id),
  id TEXT NOT NULL UNIQUE,
  document_sealed BLOB NOT NULL,
  digest BLOB NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  key_id TEXT,
  method TEXT,
  value BLOB,
  seal_key TEXT NOT NULL,
  seal BLOB NOT NULL,
  at INTEGER NOT NULL
);

CREATE TABLE notice_answers (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  document_sealed BLOB NOT NULL,
  digest BLOB NOT NULL,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  channel TEXT NOT NULL,
  key_id TEXT,
  method TEXT,
  value BLOB,
  seal_key TEXT NOT NULL,
  seal BLOB NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX notice_answers_notice ON notice_answers (notice_id, at, id);

CREATE TABLE notice_item_answers (
  notice_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  version INTEGER NOT NULL,
  answer_id TEXT NOT NULL REFERENCES notice_answers (id),
  answer TEXT NOT NULL,
  basis TEXT NOT NULL,
  row_sealed BLOB NOT NULL,
  row_mac BLOB NOT NULL,
  done_at INTEGER,
  at INTEGER NOT NULL,
  late BOOLEAN NOT NULL,
  PRIMARY KEY (notice_id, n, version),
  FOREIGN KEY (notice_id, n) REFERENCES notice_items (notice_id, n)
);

CREATE TABLE notice_pauses (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  kind TEXT NOT NULL,
  ground TEXT NOT NULL,
  text_sealed BLOB NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  from_at INTEGER NOT NULL,
  until_at INTEGER,
  ended_at INTEGER,
  refused_at INTEGER,
  consented_at INTEGER,
  resolved_by TEXT,
  resolution_sealed BLOB,
  FOREIGN KEY (notice_id, n) REFERENCES notice_items (notice_id, n)
);
CREATE INDEX notice_pauses_item ON notice_pauses (notice_id, n, from_at);
CREATE UNIQUE INDEX notice_pauses_open ON notice_pauses (notice_id, n) WHERE ended_at IS NULL;
CREATE INDEX notice_pauses_until ON notice_pauses (until_at) WHERE ended_at IS NULL;

CREATE TABLE notice_consents (
  notice_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  at INTEGER NOT NULL,
  used_at INTEGER,
  PRIMARY KEY (notice_id, n, at),
  FOREIGN KEY (notice_id, n) REFERENCES notice_items (notice_id, n)
);

CREATE TABLE notice_deemed (
  notice_id TEXT PRIMARY KEY REFERENCES notices (id),
  methods TEXT NOT NULL,
  evidence_sealed BLOB NOT NULL,
  proposed_by TEXT NOT NULL REFERENCES people (id),
  proposed_at INTEGER NOT NULL,
  confirmed_by TEXT REFERENCES people (id),
  confirmed_at INTEGER,
  CHECK (confirmed_by IS NULL OR confirmed_by <> proposed_by)
);

CREATE TABLE notice_files (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  purpose TEXT NOT NULL,
  name_sealed BLOB NOT NULL,
  media_type TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  size INTEGER NOT NULL,
  stored BLOB NOT NULL,
  stored_size INTEGER NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  at INTEGER NOT NULL
);
CREATE INDEX notice_files_notice ON notice_files (notice_id, at, id);

CREATE TABLE notice_messages (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  text_sealed BLOB NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX notice_messages_notice ON notice_messages (notice_id, at, id);
