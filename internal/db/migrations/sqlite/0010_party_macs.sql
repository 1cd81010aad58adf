-- +goose Up
-- Over every column of these rows, under the instance key: see party/seal.go.
ALTER TABLE parties ADD COLUMN mac BLOB;
ALTER TABLE people ADD COLUMN mac BLOB;
ALTER TABLE person_keys ADD COLUMN mac BLOB;
ALTER TABLE party_keys ADD COLUMN mac BLOB;
