-- +goose Up
-- What lists and public figures are ordered and bounded by, so that a page
-- costs the same however long the instance has worked.
CREATE INDEX notices_proposed ON notices (proposer, created_at, id);
CREATE INDEX notices_issued ON notices (issuer, created_at, id);
CREATE INDEX notices_created ON notices (created_at, id);
CREATE INDEX notices_inbox ON notices (addressee, coalesce(due_at, 4611686018427387904), id) WHERE sent_mac IS NOT NULL;
CREATE INDEX notices_sent ON notices (sent_at, id) WHERE sent_at IS NOT NULL;
CREATE INDEX notices_latest ON notices (coalesce(withdrawn_at, closed_at, answered_at, received_at, sent_at), id) WHERE sent_at IS NOT NULL;
CREATE INDEX reports_received ON reports (received_at);
