-- +goose Up
-- What pages count and sort among a million cases, in indexes that hold all of it.
CREATE INDEX cases_mine ON cases (holder, party_id) WHERE state = 'taken';
CREATE INDEX notices_clocks ON notices (addressee, coalesce(due_at, 4611686018427387904), id, kind, pack_code, pack_version, pack_digest, sent_at, received_at, deemed_at, due_at) WHERE life = 'open' AND sent_mac IS NOT NULL;
CREATE INDEX notices_unread ON notices (addressee) WHERE life = 'open' AND received_at IS NULL AND sent_mac IS NOT NULL;
CREATE INDEX notices_read ON notices (addressee, id) WHERE life = 'open' AND received_at IS NOT NULL;
CREATE INDEX notice_items_states ON notice_items (notice_id, state);
DROP INDEX notices_addressee_due;
