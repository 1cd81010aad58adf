-- +goose Up
-- What a reporter says of a report: somebody will be hurt soon.
ALTER TABLE reports ADD COLUMN soon BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE cases ADD COLUMN soon BOOLEAN NOT NULL DEFAULT FALSE;

-- A call that somebody look at such cases now, until one person says that they
-- do. since is when calling begins; heeded_by stands under the feed as well.
CREATE TABLE urgent_calls (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  raised_at INTEGER NOT NULL,
  since INTEGER NOT NULL,
  heeded_by TEXT REFERENCES people (id),
  heeded_at INTEGER
);
CREATE INDEX urgent_calls_party ON urgent_calls (party_id, raised_at);
CREATE INDEX urgent_calls_standing ON urgent_calls (party_id) WHERE heeded_at IS NULL;

-- The cases of a call, with how many reports said so.
CREATE TABLE urgent_call_cases (
  call_id TEXT NOT NULL REFERENCES urgent_calls (id),
  case_id TEXT NOT NULL REFERENCES cases (id),
  reports INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (call_id, case_id)
);
CREATE INDEX urgent_call_cases_case ON urgent_call_cases (case_id, last_at);

-- Who was called, once for each stage.
CREATE TABLE urgent_call_stages (
  call_id TEXT NOT NULL REFERENCES urgent_calls (id),
  stage TEXT NOT NULL,
  people INTEGER NOT NULL,
  called_at INTEGER NOT NULL,
  PRIMARY KEY (call_id, stage)
);
