-- +goose Up
-- Rows of a list that could be read and yet became no report, with why, sealed
-- under the list's key.
CREATE TABLE flagger_refused (
  import_id TEXT NOT NULL REFERENCES flagger_imports (id),
  n BIGINT NOT NULL,
  sealed BYTEA NOT NULL,
  PRIMARY KEY (import_id, n)
);
