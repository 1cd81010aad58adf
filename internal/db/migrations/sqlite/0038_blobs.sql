-- +goose Up
-- The sweep of the vault asks which rows name a blob.
CREATE INDEX capture_files_stored ON capture_files (stored);
CREATE INDEX notice_files_stored ON notice_files (stored);
