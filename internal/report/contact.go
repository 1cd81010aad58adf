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

// ContactDeps are what OpenContact stands on: it runs where a private key is
// given, which is not where the room runs.
type ContactDeps struct {
	DB    *db.DB
	Feed  *feed.Feed
	Clock clock.Clock
	Vault *vault.Vault // of the instance, for contacts that were sealed to nobody's key
}

// ErrSealedToKeys says that a contact takes the private key of one of its
// recipients.
var ErrSealedToKeys = errors.New("the contact is sealed to private keys that are not on this machine")

// OpenContact opens how to reach the reporter of a report of the actor's
// agency, with the private age key of one of the recipients it was sealed to;
// where there were none it takes no key. The opening is on record before the answer
// is given (threat-model T01).
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
	text, err := unsealContact(d.Vault, found, private)
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

// unsealContact opens the contact of a report in the way in which it was sealed.
func unsealContact(v *vault.Vault, found row, private string) ([]byte, error) {
	about := aad(found.ID, "contact")
	switch found.contactFor {
	case contactHolder:
		if private == "" {
			return nil, ErrSealedToKeys
		}
		return vault.UnsealFrom(private, found.contact, about)
	case contactReport:
		key, err := v.Unwrap(found.key)
		if err != nil {
			return nil, err
		}
		return vault.Unseal(key, found.contact, about)
	default:
		return nil, errors.New("the reporter left none")
	}
}
