-- +goose Up
-- The next clock of a notice that runs is one look, however many items it has.
DROP INDEX notice_items_states;
CREATE INDEX notice_items_states ON notice_items (notice_id, state, due_at);
