-- +goose Up
-- Who is on duty, by the hours of a week in the organisation's own time zone. A
-- shift whose end is not after its beginning ends on the next day.
CREATE TABLE duty_shifts (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id),
  role TEXT NOT NULL,
  weekday INTEGER NOT NULL CHECK (weekday BETWEEN 0 AND 6),
  from_minute INTEGER NOT NULL CHECK (from_minute BETWEEN 0 AND 1439),
  to_minute INTEGER NOT NULL CHECK (to_minute BETWEEN 0 AND 1439),
  person_id TEXT NOT NULL REFERENCES people (id),
  deputy_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  mac BLOB NOT NULL
);
CREATE INDEX duty_shifts_party ON duty_shifts (party_id, weekday, from_minute);

-- Who was called to sign a notice, once for each stage.
CREATE TABLE duty_calls (
  notice_id TEXT NOT NULL REFERENCES notices (id),
  version INTEGER NOT NULL,
  step TEXT NOT NULL,
  stage TEXT NOT NULL,
  called_at INTEGER NOT NULL,
  PRIMARY KEY (notice_id, version, step, stage)
);
