-- +goose Up
-- What waits is a small part of what is kept. Lists and counts of it stand in
-- indexes of their own, so that they cost the same after a million cases.
CREATE INDEX cases_queue ON cases (queue, party_id, priority DESC, id) WHERE state IN ('open', 'taken');
CREATE INDEX cases_urgent ON cases (priority DESC, id) WHERE state IN ('open', 'taken');
CREATE INDEX cases_platform ON cases (party_id, platform, priority DESC, id) WHERE state IN ('open', 'taken');
CREATE INDEX cases_proposed ON cases (party_id) WHERE state = 'proposed';
CREATE INDEX case_opinions_asked ON case_opinions (case_id, assessment) WHERE given_by IS NULL;
CREATE INDEX notices_proposer_due ON notices (proposer, coalesce(due_at, 4611686018427387904), id) WHERE life = 'open';
CREATE INDEX notices_issuer_due ON notices (issuer, coalesce(due_at, 4611686018427387904), id) WHERE life = 'open';
CREATE INDEX notices_addressee_due ON notices (addressee, coalesce(due_at, 4611686018427387904), id) WHERE life = 'open' AND sent_mac IS NOT NULL;
CREATE INDEX notices_unreceived ON notices (addressee, id) WHERE life = 'open' AND received_at IS NULL;
CREATE INDEX notices_proposer_deciding ON notices (proposer, created_at, id) WHERE life IN ('draft', 'proposed', 'approved', 'logged');
CREATE INDEX notices_issuer_deciding ON notices (issuer, created_at, id) WHERE life IN ('draft', 'proposed', 'approved', 'logged');
CREATE INDEX notices_running ON notices (id) WHERE life = 'open';
CREATE INDEX notice_items_answered ON notice_items (notice_id) WHERE state = 'answered';
CREATE INDEX notice_deemed_open ON notice_deemed (notice_id) WHERE confirmed_by IS NULL;
