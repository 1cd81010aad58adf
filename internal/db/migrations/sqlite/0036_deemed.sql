-- +goose Up
-- Deemed service starts a clock by the word of two: its row stands under a MAC.
ALTER TABLE notice_deemed ADD COLUMN mac BLOB;
