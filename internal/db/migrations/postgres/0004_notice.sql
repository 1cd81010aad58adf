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
  pack_version BIGINT NOT NULL,
  pack_digest TEXT NOT NULL,
  version BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  canonical_sealed BYTEA NOT NULL,
  key_wrapped BYTEA NOT NULL,
  deadline_minutes BIGINT NOT NULL,
  grounds TEXT NOT NULL,
  functions TEXT NOT NULL,
  tier TEXT NOT NULL,
  item_count BIGINT NOT NULL,
  broad TEXT NOT NULL,
  approvals_needed BIGINT NOT NULL CHECK (approvals_needed >= 1),
  may_tell BOOLEAN NOT NULL,
  preserve_months BIGINT NOT NULL,
  advance_from BIGINT,
  emergency BOOLEAN NOT NULL,
  life TEXT NOT NULL,
  delivery TEXT NOT NULL,
  rung TEXT NOT NULL,
  outcome TEXT NOT NULL,
  drafted_by TEXT NOT NULL REFERENCES people (id),
  created_at BIGINT NOT NULL,
  drafted_at BIGINT NOT NULL,
  proposed_at BIGINT,
  approved_at BIGINT,
  issued_at BIGINT,
  logged_at BIGINT,
  log_seq BIGINT NOT NULL,
  sent_at BIGINT,
  accepted_at BIGINT,
  received_at BIGINT,
  deemed_at BIGINT,
  unreceived_at BIGINT,
  due_at BIGINT,
  reminded_at BIGINT,
  overdue_at BIGINT,
  answered_at BIGINT,
  closed_at BIGINT,
  withdrawn_at BIGINT,
  envelope_sealed BYTEA,
  row_mac BYTEA NOT NULL,
  sent_mac BYTEA
);
CREATE INDEX notices_proposer ON notices (proposer, life, id);
CREATE INDEX notices_issuer ON notices (issuer, life, id);
CREATE INDEX notices_addressee ON notices (addressee, life, due_at, id);
CREATE INDEX notices_life ON notices (life, delivery, id);
CREATE INDEX notices_case ON notices (case_id, id);

CREATE TABLE notice_items (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  n BIGINT NOT NULL,
  location_id TEXT NOT NULL,
  url_sealed BYTEA NOT NULL,
  platform TEXT NOT NULL,
  kind TEXT NOT NULL,
  content_type TEXT NOT NULL,
  language TEXT NOT NULL,
  state TEXT NOT NULL,
  answer TEXT NOT NULL,
  answers BIGINT NOT NULL,
  answered_at BIGINT,
  verified_at BIGINT,
  reopened BIGINT NOT NULL,
  started_at BIGINT,
  due_at BIGINT,
  PRIMARY KEY (notice_id, n)
);
CREATE INDEX notice_items_location ON notice_items (location_id);

CREATE TABLE notice_versions (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  version BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  canonical_sealed BYTEA NOT NULL,
  dossier_id TEXT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  at BIGINT NOT NULL,
  PRIMARY KEY (notice_id, version)
);

CREATE TABLE notice_signatures (
  notice_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  n BIGINT NOT NULL,
  step TEXT NOT NULL CHECK (step IN ('proposed', 'approved', 'issued')),
  party_id TEXT NOT NULL REFERENCES parties (id),
  party_kind TEXT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  roles TEXT NOT NULL,
  key_id TEXT NOT NULL REFERENCES person_keys (id),
  method TEXT NOT NULL,
  digest BYTEA NOT NULL,
  value BYTEA NOT NULL,
  read_parts TEXT NOT NULL,
  read_seconds BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (notice_id, version, n),
  UNIQUE (notice_id, version, person_id),
  UNIQUE (notice_id, version, key_id),
  FOREIGN KEY (notice_id, version) REFERENCES notice_versions (notice_id, version)
);
CREATE UNIQUE INDEX notice_signatures_proposed ON notice_signatures (notice_id, version) WHERE step = 'proposed';
CREATE UNIQUE INDEX notice_signatures_issued ON notice_signatures (notice_id, version) WHERE step = 'issued';

CREATE TABLE notice_returns (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  version BIGINT NOT NULL,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  reasons TEXT NOT NULL,
  text_sealed BYTEA NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (notice_id, version)
);

CREATE TABLE notice_refusals (
  notice_id TEXT PRIMARY KEY REFERENCES notices (id),
  why TEXT NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE notice_advance (
  issuer TEXT NOT NULL REFERENCES parties (id),
  addressee TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  at BIGINT NOT NULL,
  PRIMARY KEY (issuer, addressee)
);

CREATE TABLE notice_deliveries (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  channel TEXT NOT NULL,
  step TEXT NOT NULL,
  result TEXT NOT NULL,
  text_sealed BYTEA,
  party_id TEXT,
  person_id TEXT,
  at BIGINT NOT NULL
);
CREATE INDEX notice_deliveries_notice ON notice_deliveries (notice_id, at, id);

CREATE TABLE notice_receipts (
  notice_id TEXT PRIMARY KEY REFERENCES notices (id),
  id TEXT NOT NULL UNIQUE,
  document_sealed BYTEA NOT NULL,
  digest BYTEA NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  key_id TEXT,
  method TEXT,
  value BYTEA,
  seal_key TEXT NOT NULL,
  seal BYTEA NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE notice_answers (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  document_sealed BYTEA NOT NULL,
  digest BYTEA NOT NULL,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  channel TEXT NOT NULL,
  key_id TEXT,
  method TEXT,
  value BYTEA,
  seal_key TEXT NOT NULL,
  seal BYTEA NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX notice_answers_notice ON notice_answers (notice_id, at, id);

CREATE TABLE notice_item_answers (
  notice_id TEXT NOT NULL,
  n BIGINT NOT NULL,
  version BIGINT NOT NULL,
  answer_id TEXT NOT NULL REFERENCES notice_answers (id),
  answer TEXT NOT NULL,
  basis TEXT NOT NULL,
  row_sealed BYTEA NOT NULL,
  row_mac BYTEA NOT NULL,
  done_at BIGINT,
  at BIGINT NOT NULL,
  late BOOLEAN NOT NULL,
  PRIMARY KEY (notice_id, n, version),
  FOREIGN KEY (notice_id, n) REFERENCES notice_items (notice_id, n)
);

CREATE TABLE notice_pauses (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL,
  n BIGINT NOT NULL,
  kind TEXT NOT NULL,
  ground TEXT NOT NULL,
  text_sealed BYTEA NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  from_at BIGINT NOT NULL,
  until_at BIGINT,
  ended_at BIGINT,
  refused_at BIGINT,
  consented_at BIGINT,
  resolved_by TEXT,
  resolution_sealed BYTEA,
  FOREIGN KEY (notice_id, n) REFERENCES notice_items (notice_id, n)
);
CREATE INDEX notice_pauses_item ON notice_pauses (notice_id, n, from_at);
CREATE UNIQUE INDEX notice_pauses_open ON notice_pauses (notice_id, n) WHERE ended_at IS NULL;
CREATE INDEX notice_pauses_until ON notice_pauses (until_at) WHERE ended_at IS NULL;

CREATE TABLE notice_consents (
  notice_id TEXT NOT NULL,
  n BIGINT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  at BIGINT NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (notice_id, n, at),
  FOREIGN KEY (notice_id, n) REFERENCES notice_items (notice_id, n)
);

CREATE TABLE notice_deemed (
  notice_id TEXT PRIMARY KEY REFERENCES notices (id),
  methods TEXT NOT NULL,
  evidence_sealed BYTEA NOT NULL,
  proposed_by TEXT NOT NULL REFERENCES people (id),
  proposed_at BIGINT NOT NULL,
  confirmed_by TEXT REFERENCES people (id),
  confirmed_at BIGINT,
  CHECK (confirmed_by IS NULL OR confirmed_by <> proposed_by)
);

CREATE TABLE notice_files (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  purpose TEXT NOT NULL,
  name_sealed BYTEA NOT NULL,
  media_type TEXT NOT NULL,
  sha256 BYTEA NOT NULL,
  size BIGINT NOT NULL,
  stored BYTEA NOT NULL,
  stored_size BIGINT NOT NULL,
  person_id TEXT NOT NULL REFERENCES people (id),
  at BIGINT NOT NULL
);
CREATE INDEX notice_files_notice ON notice_files (notice_id, at, id);

CREATE TABLE notice_messages (
  id TEXT PRIMARY KEY,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  text_sealed BYTEA NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX notice_messages_notice ON notice_messages (notice_id, at, id);
