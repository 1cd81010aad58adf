// Package admin holds the acts of administration that only the command line
// offers: adding and ending organisations, and opening a reporter's contact
// with a key that the server does not hold. Each is checked and recorded like
// every other act.
package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
)

// A Desk is where administration is done from. It is safe for concurrent use.
type Desk struct {
	DB   *db.DB
	Feed *feed.Feed
}

// AddOrg adds an organisation.
func (d Desk) AddOrg(ctx context.Context, by party.Actor, org party.Party, now time.Time) (party.Party, error) {
	if err := auth.May(by, auth.PartyAdd, auth.Object{What: "party"}); err != nil {
		return org, err
	}
	err := d.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		var err error
		if org, err = party.Add(ctx, tx, org, now); err != nil {
			return err
		}
		return d.record(ctx, tx, by, "party.added", "party", string(org.ID), org.Code, now)
	})
	return org, err
}

// EndOrg deactivates another organisation: its people are out at once, its
// notices and answers stay.
func (d Desk) EndOrg(ctx context.Context, by party.Actor, code string, now time.Time) error {
	if err := auth.May(by, auth.PartyAdd, auth.Object{What: "party"}); err != nil {
		return err
	}
	return d.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
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
		return d.record(ctx, tx, by, "party.deactivated", "party", string(org.ID), org.Code, now)
	})
}

// OpenContact opens how to reach the reporter of a report of the actor's
// agency, with the private age key of one of the recipients it was sealed to.
// The opening is on record before the answer is given (threat-model T01).
func (d Desk) OpenContact(ctx context.Context, by party.Actor, ref, private string, now time.Time) (string, error) {
	c, err := db.One(ctx, d.DB, func(row db.Row) (contact, error) {
		var c contact
		err := row.Scan(&c.report, &c.party, &c.sealed, &c.holder)
		return c, err
	}, `SELECT id, party_id, contact, contact_for FROM reports WHERE ref = $1`, ref)
	if errors.Is(err, db.ErrAbsent) {
		return "", fault.Hidden("report")
	}
	if err != nil {
		return "", err
	}
	if err := auth.May(by, auth.ReportReply, auth.Object{What: "report", Owner: c.party}); err != nil {
		return "", err
	}
	if c.holder != sealedToRecipients {
		return "", errors.New("the report has no contact that is sealed to a private key")
	}
	text, err := vault.UnsealFrom(private, c.sealed, "report/"+c.report+"/contact")
	if err != nil {
		return "", fmt.Errorf("open the contact of %s: %w", ref, err)
	}
	return string(text), d.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		return d.record(ctx, tx, by, "report.contact-opened", "report", c.report, ref, now)
	})
}

// sealedToRecipients is how package report marks a contact that only holders
// of private keys can open.
const sealedToRecipients = "recipients"

type contact struct {
	report string
	party  party.ID
	sealed []byte
	holder string
}

func (d Desk) record(ctx context.Context, tx *db.Tx, by party.Actor, kind, object, id, ref string, now time.Time) error {
	_, err := d.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: object, ObjectID: id, Ref: ref, Party: string(by.Party), Person: string(by.Person),
		Audience: []string{string(by.Party)}, At: now,
	})
	return err
}
