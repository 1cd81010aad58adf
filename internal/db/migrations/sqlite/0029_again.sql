-- +goose Up
-- Why a closed case opens again once a day has passed since again_at, when it
-- was last opened by what anybody may claim; '' if it does not.
ALTER TABLE cases ADD COLUMN again TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN again_at INTEGER;
CREATE INDEX cases_again ON cases (again_at) WHERE state = 'closed' AND again <> '';
