-- +goose Up
-- When a platform said that a case's location is gone: a report that comes later
-- tells of a re-upload.
ALTER TABLE case_locations ADD COLUMN gone_at INTEGER;
