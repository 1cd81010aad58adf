-- +goose Up
-- Whether an item of a notice still waits for the platform's answer, for the
-- count of such notices on each of its pages.
ALTER TABLE notices ADD COLUMN awaits BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE notices SET awaits = TRUE WHERE life = 'open' AND (received_at IS NOT NULL OR deemed_at IS NOT NULL)
  AND EXISTS (SELECT 1 FROM notice_items i WHERE i.notice_id = notices.id AND i.state = 'pending');
DROP INDEX notices_read;
CREATE INDEX notices_awaiting ON notices (addressee, id) WHERE life = 'open' AND awaits = TRUE AND received_at IS NOT NULL;
