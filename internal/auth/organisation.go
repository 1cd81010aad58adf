package auth

import (
	"context"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// AddParty adds an organisation, so that its first person can be invited.
func (a *Auth) AddParty(ctx context.Context, by party.Actor, org party.Party) (party.Party, error) {
	if err := MayNow(by, PartyAdd, Object{What: "party"}); err != nil {
		return org, err
	}
	now := a.clock.Now()
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if org, err = party.Add(ctx, tx, org, now); err != nil {
			return err
		}
		return a.record(ctx, tx, by, "party.added", "party", string(org.ID), map[string]any{"kind": org.Kind, "code": org.Code}, now)
	})
	return org, err
}

// EndParty deactivates another organisation: its people are out at once, its
// notices and answers stay.
func (a *Auth) EndParty(ctx context.Context, by party.Actor, code string) error {
	if err := MayNow(by, PartyAdd, Object{What: "party"}); err != nil {
		return err
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		org, err := party.ByCode(ctx, tx, code)
		if err != nil {
			return err
		}
		if org.ID == by.Party {
			return fault.New(fault.Conflict, "auth.not-yourself")
		}
		org.Active = false
		if err := party.Update(ctx, tx, org); err != nil {
			return err
		}
		return a.record(ctx, tx, by, "party.deactivated", "party", string(org.ID), map[string]any{"code": org.Code}, a.clock.Now())
	})
}

// UpdateParty changes what an organisation says of itself.
func (a *Auth) UpdateParty(ctx context.Context, by party.Actor, org party.Party) error {
	if err := MayNow(by, PartyAdmin, Object{What: "party", Owner: org.ID}); err != nil {
		return err
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		was, err := party.Get(ctx, tx, org.ID)
		if err != nil {
			return err
		}
		// What others rely on is not the organisation's own to change.
		org.Active, org.PlatformKey, org.PlatformKinds, org.Jurisdiction = was.Active, was.PlatformKey, was.PlatformKinds, was.Jurisdiction
		if err := party.Update(ctx, tx, org); err != nil {
			return err
		}
		return a.record(ctx, tx, by, "party.changed", "party", string(org.ID), nil, a.clock.Now())
	})
}
