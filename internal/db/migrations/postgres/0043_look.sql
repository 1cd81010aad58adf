-- +goose Up
-- When time alone next changes something about an open notice; NULL since it
-- was stored: the sweep looks at what has come, not at all that is open.
ALTER TABLE notices ADD COLUMN look_at BIGINT;
CREATE INDEX notices_look ON notices (coalesce(look_at, 0), id) WHERE life = 'open';
DROP INDEX notices_running;
