-- +goose Up
-- Who is on duty, by the hours of a week in the organisation's own time zone. A
-- shift whose end is not after its beginning ends on the next day.
CREATE TABLE duty_shifts (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  role TEXT NOT NULL,
  weekday BIGINT NOT NULL CHECK (weekday BETWEEN 0 AND 6),
  from_minute BIGINT NOT NULL CHECK (from_minute BETWEEN 0 AND 1439),
  to_minute BIGINT NOT NULL CHECK (to_minute BETWEEN 0 AND 1439),
  person_id TEXT NOT NULL REFERENCES people (id),
  deputy_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX duty_shifts_party ON duty_shifts (party_id, weekday, from_minute);

-- Who was called to sign a notice, once for each stage.
CREATE TABLE duty_calls (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  version BIGINT NOT NULL,
  step TEXT NOT NULL,
  stage TEXT NOT NULL,
  called_at BIGINT NOT NULL,
  PRIMARY KEY (notice_id, version, step, stage)
);
