-- +goose Up
-- Tickets that have paid for a report, until they expire: a digest of a random
-- ticket and nothing of whoever held it.
CREATE TABLE spent_tickets (
	id BYTEA PRIMARY KEY,
	until BIGINT NOT NULL
);
CREATE INDEX spent_tickets_until ON spent_tickets (until);
