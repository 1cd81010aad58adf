-- +goose Up
-- What somebody asked to have sent to an endpoint again: everything after one
-- place in the feed, up to another. next_seq is how far it has come.
CREATE TABLE endpoint_replays (
  id TEXT PRIMARY KEY,
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id),
  party_id TEXT NOT NULL,
  after_seq INTEGER NOT NULL,
  until_seq INTEGER NOT NULL,
  asked_by TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  mac BLOB NOT NULL,
  next_seq INTEGER NOT NULL,
  queued INTEGER NOT NULL,
  done_at INTEGER
);
CREATE INDEX endpoint_replays_endpoint ON endpoint_replays (endpoint_id, asked_at);
CREATE UNIQUE INDEX endpoint_replays_open ON endpoint_replays (endpoint_id) WHERE done_at IS NULL;
