package tell

import (
	"context"
	"net/url"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
)

// webhook writes to the administrators of an organisation that its webhook
// begins to fail, or was paused, whatever they wished: their machines hear of
// nothing meanwhile. The letter names the host alone; an address may hold a
// secret.
func (t *Teller) webhook(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	if !t.Mail.Enabled() {
		return nil
	}
	hook, ok, err := t.Outbox.Ailing(ctx, tx, e)
	if err != nil || !ok {
		return err
	}
	people, err := t.staff(ctx, tx, hook.Party)
	if err != nil {
		return err
	}
	for _, by := range people {
		if !auth.Seat(by, auth.PartyAdmin) {
			continue
		}
		person, err := party.GetPerson(ctx, tx, by.Person)
		if err != nil {
			return err
		}
		if err := t.toldOfWebhook(ctx, tx, person, hook, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *Teller) toldOfWebhook(ctx context.Context, tx *db.Tx, to party.Person, hook outbox.Endpoint, e feed.Entry) error {
	p := i18n.For(i18n.Lang(to.Lang))
	host := hook.ID
	if u, err := url.Parse(hook.URL); err == nil {
		host = mail.Line(u.Hostname(), 200)
	}
	step := strings.TrimPrefix(e.Kind, "webhook.")
	lines := []string{p.T("mail.webhook."+step, "Host", host, "Since", p.DateTime(hook.FailingSince, zoneOf(to.Zone)), "Down", p.Span(outbox.PauseAfter)), "", p.T("mail.webhook.kept")}
	return t.toPerson(ctx, tx, to, mail.Letter{
		Once: "webhook/" + e.ID + "/" + string(to.ID), Purpose: "webhook." + step, Subject: p.T("mail.webhook."+step+".subject", "Host", host),
	}, lines)
}
