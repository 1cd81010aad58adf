-- +goose Up
-- What is searched: the words of one text about one thing, for one party. Words
-- of what is sealed stand here as MACs only. The index over words follows the
-- rows by triggers, in their transactions; id rises with time.
CREATE TABLE search_docs (
  id INTEGER PRIMARY KEY,
  party_id TEXT NOT NULL,
  object TEXT NOT NULL,
  object_id TEXT NOT NULL,
  part TEXT NOT NULL,
  words TEXT NOT NULL,
  UNIQUE (object_id, part, party_id)
);
CREATE VIRTUAL TABLE search_docs_fts USING fts5 (words, content = 'search_docs', content_rowid = 'id', detail = 'none', tokenize = 'ascii');
-- +goose StatementBegin
CREATE TRIGGER search_docs_added AFTER INSERT ON search_docs BEGIN
  INSERT INTO search_docs_fts (rowid, words) VALUES (new.id, new.words);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER search_docs_gone AFTER DELETE ON search_docs BEGIN
  INSERT INTO search_docs_fts (search_docs_fts, rowid, words) VALUES ('delete', old.id, old.words);
END;
-- +goose StatementEnd
