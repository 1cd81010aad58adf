-- +goose Up
-- Since when a reporter's claim moves a case forward; NULL while too many do.
ALTER TABLE cases ADD COLUMN ahead_at INTEGER;
UPDATE cases SET ahead_at = opened_at WHERE soon = TRUE OR urgent = TRUE;
CREATE INDEX cases_claims ON cases (party_id, ahead_at, opened_at) WHERE state = 'open' AND tier = '' AND (soon = TRUE OR urgent = TRUE);
CREATE INDEX cases_ahead ON cases (party_id, ahead_at) WHERE ahead_at IS NOT NULL;
