-- +goose Up
-- What a person wants to be told by mail. Nobody in it has the usual: what is
-- urgent, and no digest (daily_hour -1).
CREATE TABLE mail_wishes (
  person_id TEXT PRIMARY KEY REFERENCES people (id),
  urgent BOOLEAN NOT NULL,
  daily_hour BIGINT NOT NULL CHECK (daily_hour BETWEEN -1 AND 23),
  last_day TEXT NOT NULL,
  changed_at BIGINT NOT NULL
);
CREATE INDEX mail_wishes_daily ON mail_wishes (person_id) WHERE daily_hour >= 0;
