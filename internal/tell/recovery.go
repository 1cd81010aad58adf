package tell

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/party"
)

// recoverySteps are the steps of a recovery of which people are told at once,
// whatever they wished: somebody may be taking their account.
var recoverySteps = []string{
	"recovery.opened", "recovery.confirmed", "recovery.used", "recovery.cancelled", "recovery.expired", "recovery.guessed", "recovery.changed",
}

// recovery writes to whom a recovery is about, to those who spoke for it and,
// while it waits for its second person, to those who could be that one.
func (t *Teller) recovery(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	if !t.Mail.Enabled() {
		return nil
	}
	var said struct {
		Recovery string `json:"recovery"`
	}
	if err := json.Unmarshal(e.Data, &said); err != nil {
		said.Recovery = "" // an entry that is not ours names none
	}
	r, err := t.Auth.GetRecovery(ctx, tx, said.Recovery)
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	people, err := t.staff(ctx, tx, r.Party)
	if err != nil {
		return err
	}
	names := map[party.PersonID]string{}
	for _, by := range people {
		names[by.Person] = mail.Line(by.Name, 200)
	}
	step := strings.TrimPrefix(e.Kind, "recovery.")
	for _, by := range people {
		second := step == "opened" && auth.Seat(by, auth.PartyRecover)
		if !second && !r.Involves(by.Person) {
			continue
		}
		if err := t.toldOfRecovery(ctx, tx, by, r, step, e.ID, names); err != nil {
			return err
		}
	}
	return nil
}

func (t *Teller) toldOfRecovery(ctx context.Context, tx *db.Tx, by party.Actor, r auth.Recovery, step, entry string, names map[party.PersonID]string) error {
	person, err := party.GetPerson(ctx, tx, by.Person)
	if err != nil {
		return err
	}
	p := i18n.For(i18n.Lang(person.Lang))
	key := "mail.recovery." + step
	if by.Person == r.Person {
		key = "mail.recovery.own." + step
	}
	name := func(id party.PersonID) string {
		if id == auth.Operator {
			return p.T("mail.recovery.operator")
		}
		return names[id]
	}
	lines := []string{p.T(key, "Name", names[r.Person]), "", p.T("mail.recovery.first", "By", name(r.OpenedBy))}
	if r.ConfirmedBy != "" {
		lines = append(lines, p.T("mail.recovery.second", "By", name(r.ConfirmedBy)))
	}
	lines = append(lines, "", p.T("mail.recovery.strange", "Site", t.BaseURL))
	address, ok := mail.Address(person.Email)
	if !ok {
		return nil
	}
	return t.Mail.Write(ctx, tx, mail.Letter{
		Once: "recovery/" + entry + "/" + string(by.Person), Purpose: "recovery." + step, Party: person.Party, Person: person.ID,
		Address: address, Subject: p.T("mail.recovery.subject."+step, "Name", names[r.Person]), Text: t.letter(p, slices.Clip(lines)),
	})
}
