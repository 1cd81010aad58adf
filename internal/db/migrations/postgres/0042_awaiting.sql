-- +goose Up
-- With fewer leading columns SQLite prefers notices_addressee, and looks at every
-- open order of a platform to find those that await an answer.
DROP INDEX notices_awaiting;
CREATE INDEX notices_awaiting ON notices (addressee, life, awaits) WHERE awaits = TRUE;
