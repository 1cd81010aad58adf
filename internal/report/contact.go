package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
)

// Who can open a contact.
const (
	contactNone   = ""
	contactHolder = "recipients" // only the holders of keys that are elsewhere
	contactReport = "report"     // whoever may open the report's key
)

// sealContact seals how to reach the reporter to the recipients, or under the
// report's key where there are none.
func (r *Room) sealContact(in *intake, contact string) (sealed []byte, by string, err error) {
	switch {
	case contact == "":
		return nil, contactNone, nil
	case r.contact.Empty():
		return vault.Seal(in.key, []byte(contact), aad(in.report, "contact")), contactReport, nil
	}
	sealed, err = vault.SealTo(r.contact, []byte(contact), aad(in.report, "contact"))
	return sealed, contactHolder, err
}

// ContactDeps are what OpenContact stands on: it runs where the private key
// is, which is not where the room runs.
type ContactDeps struct {
	DB    *db.DB
	Feed  *feed.Feed
	Clock clock.Clock
}

// OpenContact opens how to reach the reporter of a report of the actor's
// agency, with the private age key of one of the recipients it was sealed to.
// The opening is on record before the answer is given (threat-model T01).
func OpenContact(ctx context.Context, d ContactDeps, by party.Actor, ref, private string) (string, error) {
	found, err := db.One(ctx, d.DB, scanRow, `SELECT `+reportColumns+` FROM reports r WHERE r.ref = $1`, ref)
	if errors.Is(err, db.ErrAbsent) {
		return "", fault.Hidden("report")
	}
	if err != nil {
		return "", err
	}
	if err := auth.May(by, auth.ReportReply, found.object()); err != nil {
		return "", err
	}
	if found.contactFor != contactHolder {
		return "", errors.New("the report has no contact that is sealed to a private key")
	}
	text, err := vault.UnsealFrom(private, found.contact, aad(found.ID, "contact"))
	if err != nil {
		return "", fmt.Errorf("open the contact of %s: %w", ref, err)
	}
	err = d.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := d.Feed.Record(ctx, tx, feed.Event{
			Kind: EventContact, Object: "report", ObjectID: string(found.ID), Ref: ref, Party: string(by.Party), Person: string(by.Person),
			Audience: []string{string(by.Party)}, At: d.Clock.Now(),
		})
		return err
	})
	if err != nil {
		return "", err
	}
	return string(text), nil
}
