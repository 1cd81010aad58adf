-- +goose Up
-- Over what an API key grants, under the instance key; NULL once it is revoked.
ALTER TABLE api_keys ADD COLUMN mac BYTEA;
