-- +goose Up
-- A burst of reports that are alike, each of a link of its own, stands in a lane
-- of its own: its cases come up in turns. next_at is the next turn.
CREATE TABLE case_lanes (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  kind TEXT NOT NULL CHECK (kind IN ('words', 'site', 'links', 'new')),
  platform TEXT NOT NULL,
  cases BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  began_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL
);
CREATE INDEX case_lanes_running ON case_lanes (party_id, kind, last_at);

-- How many cases an agency's reports of one mark opened since from_at, for an
-- hour at most; peak is the most that ever came in an hour. members are the first
-- of them, until it is known whether it is a burst.
CREATE TABLE case_flows (
  party_id TEXT NOT NULL REFERENCES parties (id),
  mark BYTEA NOT NULL,
  n BIGINT NOT NULL,
  peak BIGINT NOT NULL,
  members TEXT NOT NULL,
  lane_id TEXT,
  words BOOLEAN NOT NULL,
  from_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (party_id, mark)
);
CREATE INDEX case_flows_from ON case_flows (words, from_at);

ALTER TABLE cases ADD COLUMN lane_id TEXT;
ALTER TABLE cases ADD COLUMN turn_at BIGINT;
CREATE INDEX cases_lane ON cases (lane_id, priority DESC, id) WHERE state IN ('open', 'taken') AND lane_id IS NOT NULL;

-- What a report has in common with others, until its case is made.
ALTER TABLE reports ADD COLUMN marks BYTEA;
