-- +goose Up
-- Several like notices that one person approves by one signature. Canonical is
-- what is signed (notes.Batch): digests, no content.
CREATE TABLE notice_batches (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  canonical BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('drawn', 'approved', 'ended')),
  why TEXT NOT NULL,
  drawn_at INTEGER NOT NULL,
  done_at INTEGER,
  mac BLOB NOT NULL
);
CREATE INDEX notice_batches_person ON notice_batches (person_id, state);

CREATE TABLE notice_batch_items (
  batch_id TEXT NOT NULL REFERENCES notice_batches (id),
  n INTEGER NOT NULL,
  notice_id TEXT NOT NULL REFERENCES notices (id),
  version INTEGER NOT NULL,
  sampled BOOLEAN NOT NULL,
  opened_at INTEGER,
  opened_by TEXT,
  PRIMARY KEY (batch_id, n),
  UNIQUE (batch_id, notice_id)
);
CREATE INDEX notice_batch_items_notice ON notice_batch_items (notice_id);

ALTER TABLE notice_signatures ADD COLUMN batch_id TEXT;
