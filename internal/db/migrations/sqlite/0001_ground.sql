-- +goose Up
CREATE TABLE feed_head (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  seq INTEGER NOT NULL,
  chain TEXT NOT NULL,
  fence INTEGER NOT NULL
);
INSERT INTO feed_head (id, seq, chain, fence) VALUES (1, 0, '', 0);

CREATE TABLE feed_pending (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  object TEXT NOT NULL,
  object_id TEXT NOT NULL,
  ref TEXT NOT NULL,
  actor_party TEXT,
  actor_person TEXT,
  audience TEXT NOT NULL,
  data TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX feed_pending_at ON feed_pending (at, id);

CREATE TABLE feed_entries (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  object TEXT NOT NULL,
  object_id TEXT NOT NULL,
  ref TEXT NOT NULL,
  actor_party TEXT,
  actor_person TEXT,
  data TEXT NOT NULL,
  at INTEGER NOT NULL,
  sequenced_at INTEGER NOT NULL,
  chain TEXT NOT NULL
);
CREATE INDEX feed_entries_object ON feed_entries (object, object_id, seq);
CREATE INDEX feed_entries_actor ON feed_entries (actor_person, seq);

CREATE TABLE feed_audience (
  party_id TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES feed_entries (seq),
  PRIMARY KEY (party_id, seq)
);

CREATE TABLE instance (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE reference_numbers (
  series TEXT NOT NULL,
  year INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (series, year)
);

CREATE TABLE parties (
  id TEXT PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  platform_kinds TEXT NOT NULL,
  platform_key TEXT,
  name TEXT NOT NULL,
  jurisdiction TEXT NOT NULL,
  languages TEXT NOT NULL,
  contact TEXT NOT NULL,
  legal_representative TEXT NOT NULL,
  establishment TEXT NOT NULL,
  zone TEXT NOT NULL,
  active BOOLEAN NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX parties_platform ON parties (platform_key) WHERE platform_key IS NOT NULL;

CREATE TABLE people (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE,
  roles TEXT NOT NULL,
  lang TEXT NOT NULL,
  zone TEXT NOT NULL,
  active BOOLEAN NOT NULL,
  created_at INTEGER NOT NULL,
  deactivated_at INTEGER
);
CREATE INDEX people_party ON people (party_id, name);

CREATE TABLE person_keys (
  id TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES people (id),
  method TEXT NOT NULL,
  public BLOB NOT NULL,
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
);
CREATE INDEX person_keys_person ON person_keys (person_id);

CREATE TABLE party_keys (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  purpose TEXT NOT NULL,
  public BLOB NOT NULL,
  private_sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
);
CREATE INDEX party_keys_party ON party_keys (party_id, purpose);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  data BLOB NOT NULL,
  person_id TEXT,
  expires_at INTEGER NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_person ON sessions (person_id);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  label TEXT NOT NULL,
  scopes TEXT NOT NULL,
  prefix TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER
);
CREATE INDEX api_keys_party ON api_keys (party_id, created_at);

CREATE TABLE invitations (
  id TEXT PRIMARY KEY,
  mac BLOB NOT NULL UNIQUE,
  party_id TEXT NOT NULL REFERENCES parties (id),
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  invited_by TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  revoked_at INTEGER
);
CREATE INDEX invitations_party ON invitations (party_id, created_at);

CREATE TABLE challenges (
  id TEXT PRIMARY KEY,
  nonce BLOB NOT NULL,
  purpose TEXT NOT NULL,
  subject TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX challenges_expires ON challenges (expires_at);

CREATE TABLE idempotency_keys (
  party_id TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash BLOB NOT NULL,
  status INTEGER NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (party_id, key)
);
CREATE INDEX idempotency_keys_at ON idempotency_keys (at);

CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  url TEXT NOT NULL,
  label TEXT NOT NULL,
  events TEXT NOT NULL,
  secret_sealed BLOB NOT NULL,
  private_sealed BLOB NOT NULL,
  public BLOB NOT NULL,
  previous_secret_sealed BLOB,
  previous_private_sealed BLOB,
  previous_until INTEGER,
  active BOOLEAN NOT NULL,
  created_at INTEGER NOT NULL,
  last_ok_at INTEGER,
  failing_since INTEGER,
  retry_at INTEGER
);
CREATE INDEX endpoints_party ON endpoints (party_id);

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id),
  party_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  object TEXT NOT NULL,
  object_id TEXT NOT NULL,
  ref TEXT NOT NULL,
  body BLOB NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  done_at INTEGER,
  last_status INTEGER,
  last_error TEXT,
  UNIQUE (endpoint_id, seq)
);
CREATE INDEX deliveries_due ON deliveries (state, endpoint_id, next_at);
CREATE INDEX deliveries_object ON deliveries (object, object_id);

CREATE TABLE delivery_attempts (
  delivery_id TEXT NOT NULL REFERENCES deliveries (id),
  n INTEGER NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER NOT NULL,
  error TEXT NOT NULL,
  took_ms INTEGER NOT NULL,
  PRIMARY KEY (delivery_id, n)
);
