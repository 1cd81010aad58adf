package auth

import (
	"context"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// UpdateOwn changes the language and the time zone in which the actor is shown
// everything. Name and roles are their administrator's to change.
func (a *Auth) UpdateOwn(ctx context.Context, by party.Actor, lang, zone string) error {
	if !by.Known() {
		return fault.New(fault.Denied, "auth.sign-in")
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		p, err := party.GetPerson(ctx, tx, by.Person)
		if err != nil {
			return err
		}
		p.Lang, p.Zone = lang, zone
		if err := party.UpdatePerson(ctx, tx, p); err != nil {
			return err
		}
		return a.record(ctx, tx, by, "person.changed", "person", string(p.ID), map[string]any{"lang": lang, "zone": zone}, a.clock.Now())
	})
}
