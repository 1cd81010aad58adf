-- +goose Up
-- Over every column of these rows, under the instance key: see party/seal.go.
ALTER TABLE parties ADD COLUMN mac BYTEA;
ALTER TABLE people ADD COLUMN mac BYTEA;
ALTER TABLE person_keys ADD COLUMN mac BYTEA;
ALTER TABLE party_keys ADD COLUMN mac BYTEA;
