-- +goose Up
-- Who can write rows must not have the instance sign and send what it did not
-- decide, nor to another address: both rows carry a MAC under the instance key.
ALTER TABLE endpoints ADD COLUMN mac BLOB;
ALTER TABLE deliveries ADD COLUMN mac BLOB;
CREATE INDEX deliveries_altered ON deliveries (done_at) WHERE last_error = 'altered';
