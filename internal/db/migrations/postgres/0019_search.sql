-- +goose Up
-- What is searched: the words of one text about one thing, for one party. Words
-- of what is sealed stand here as MACs only. The index over words follows the
-- rows in their transactions; id rises with time.
CREATE TABLE search_docs (
  id BIGINT PRIMARY KEY,
  party_id TEXT NOT NULL,
  object TEXT NOT NULL,
  object_id TEXT NOT NULL,
  part TEXT NOT NULL,
  words TEXT NOT NULL,
  UNIQUE (object_id, part, party_id)
);
CREATE INDEX search_docs_words ON search_docs USING gin (to_tsvector('simple', words)) WITH (fastupdate = off);
