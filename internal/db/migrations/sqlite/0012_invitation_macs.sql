-- +goose Up
-- Over what an invitation grants, to whom and until when, under the instance
-- key; NULL once it is used or revoked, and of those from before, which must be
-- made anew.
ALTER TABLE invitations ADD COLUMN row_mac BLOB;
