-- +goose Up
-- How an endpoint fares: failures in a row, since when it fails, since when it
-- does not answer at all, when its people were told of that, and when it was
-- paused because that went on.
ALTER TABLE endpoints ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN down_since INTEGER;
ALTER TABLE endpoints ADD COLUMN told_at INTEGER;
ALTER TABLE endpoints ADD COLUMN paused_at INTEGER;
UPDATE endpoints SET down_since = failing_since;

-- lane: 0 tests, 1 news, 2 what is sent again. queued_at and tried_before say
-- since when a message waits this time, and how often it was tried before.
ALTER TABLE deliveries ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN queued_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN tried_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN accepted_at INTEGER;
UPDATE deliveries SET queued_at = created_at;
UPDATE deliveries SET accepted_at = done_at WHERE state = 'accepted';
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, lane, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_tests ON deliveries (endpoint_id, seq) WHERE lane = 0;
CREATE INDEX deliveries_done ON deliveries (done_at) WHERE state <> 'waiting';

-- The log of an endpoint is read by time.
ALTER TABLE delivery_attempts ADD COLUMN endpoint_id TEXT;
UPDATE delivery_attempts SET endpoint_id = (SELECT d.endpoint_id FROM deliveries d WHERE d.id = delivery_attempts.delivery_id);
CREATE INDEX delivery_attempts_endpoint ON delivery_attempts (endpoint_id, at, delivery_id, n);
