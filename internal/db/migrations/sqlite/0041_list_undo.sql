-- +goose Up
-- When the organisation that sent a report by a list took it back.
ALTER TABLE case_reports ADD COLUMN back_at INTEGER;

-- Of a list that was taken back: how many of its reports were, and the last row
-- that was looked at.
ALTER TABLE flagger_imports ADD COLUMN back INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flagger_imports ADD COLUMN back_next INTEGER NOT NULL DEFAULT 0;
