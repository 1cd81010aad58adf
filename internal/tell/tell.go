// Package tell says who is told what waits for them: platforms by an
// announcement at their contact address, staff by letters and on their page.
//
// A letter says that something is there, never what: a reference, who it is
// from, how long there is, and how to sign in. It stands over all rooms,
// decides nothing, and has no link that acts.
package tell

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
)

// Deps are what telling stands on.
type Deps struct {
	DB       *db.DB
	Feed     *feed.Feed
	Clock    clock.Clock
	Log      *slog.Logger
	Auth     *auth.Auth
	Mail     *mail.Mail
	Outbox   *outbox.Outbox
	Cases    *casework.Room
	Notice   *notice.Room
	Heed     time.Duration // how long a called person has to look when somebody will be hurt soon; 0: UsualHeed
	Instance string        // name of this installation
	BaseURL  string        // of the pages, without a final slash
}

// A Teller tells. It is safe for concurrent use.
type Teller struct{ Deps }

// New returns a Teller.
func New(d Deps) *Teller { return &Teller{d} }

// announcements are the news of which a platform's contact address is told, and
// the catalogue key of each.
var announcements = []string{"notice.issued", "notice.unreceived", "notice.reminded", "notice.withdrawn"}

// Announce writes to a platform's contact address that a notice is there for
// it, in the transaction in which the news got its place: notice.Deps.Announce.
// Whoever is told otherwise, or has no address that mail can reach, gets none.
func (t *Teller) Announce(ctx context.Context, tx *db.Tx, to party.ID, m notice.Announcement) error {
	if !t.Mail.Enabled() || !slices.Contains(announcements, m.Type) {
		return nil
	}
	b, err := t.Notice.BriefOf(ctx, tx, notice.ID(m.ObjectID))
	if fault.Of(err) == fault.NotFound || err == nil && b.Addressee != to {
		return nil
	}
	if err != nil {
		return err
	}
	platform, err := party.Get(ctx, tx, to)
	if fault.Of(err) == fault.NotFound {
		return nil // altered since: nobody is told in its name
	}
	if err != nil {
		return err
	}
	address, ok := mail.Address(platform.Contact)
	if !ok {
		return nil
	}
	issuer, err := party.Get(ctx, tx, b.Issuer)
	if err != nil && fault.Of(err) != fault.NotFound {
		return err
	}
	subject, text := t.announcement(m.Type, b, issuer, platform)
	return t.Mail.Write(ctx, tx, mail.Letter{
		Once: "announce/" + m.EntryID + "/" + string(to), Purpose: m.Type, Party: to, Owner: b.Issuer,
		Object: "notice", ObjectID: string(b.ID), Ref: b.Ref, Address: address, Subject: subject, Text: text,
	})
}

// announcement is the letter, in the first of the platform's languages that we
// speak.
func (t *Teller) announcement(news string, b notice.Brief, issuer, platform party.Party) (subject, text string) {
	p := printerOf(platform.Languages)
	kind, from := p.T("policy.kind."+string(b.Kind)), mail.Line(issuer.Name, 200)
	noun, _, _ := strings.Cut(news, ".")
	verb := strings.TrimPrefix(news, noun+".")
	subject = p.T("mail.announce."+verb+".subject", "Kind", kind, "Ref", b.Ref, "From", from)
	lines := []string{
		p.T("mail.announce."+verb, "Kind", kind, "From", from, "To", mail.Line(platform.Name, 200)),
		"",
		p.T("mail.ref", "Ref", b.Ref),
		p.T("mail.from", "From", from),
	}
	zone := zoneOf(platform.Zone)
	switch {
	case verb == "withdrawn" || b.Limit == 0:
	case !b.DueAt.IsZero():
		lines = append(lines, p.T("mail.due", "When", p.DateTime(b.DueAt, zone)))
	default:
		lines = append(lines, p.T("mail.limit", "Limit", p.Window(b.Limit)))
	}
	lines = append(lines, "", p.T("mail.only-announces"), t.signIn(p), p.T("mail.no-answer"))
	return subject, t.letter(p, lines)
}

// letter puts paragraphs together, with who wrote them at the end.
func (t *Teller) letter(p *i18n.Printer, lines []string) string {
	lines = append(lines, "", "-- ", mail.Line(t.Instance, 100))
	return strings.Join(lines, "\n") + "\n"
}

// signIn says how to come in: by the address one knows, not by a link.
func (t *Teller) signIn(p *i18n.Printer) string { return p.T("mail.sign-in", "Site", t.BaseURL) }

// printerOf speaks the first of the languages that we have; English if none,
// since a platform's languages are of the whole world.
func printerOf(languages []string) *i18n.Printer {
	for _, l := range languages {
		if slices.Contains(i18n.Langs(), i18n.Lang(l)) {
			return i18n.For(i18n.Lang(l))
		}
	}
	return i18n.For(i18n.EN)
}

func zoneOf(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Subscriptions keep the notices' proof of delivery and the tasks of returned
// letters true. Subscribe them after the notices' own.
func (t *Teller) Subscriptions() []feed.Subscription {
	return []feed.Subscription{
		{Name: "mail-attempts", Kinds: []string{"mail.taken", "mail.returned", "mail.given-up"}, Do: t.attempted},
		{Name: "mail-settled", Kinds: []string{"notice.received", "notice.withdrawn", "notice.closed"}, Do: t.reached},
		{Name: "mail-urgent", Kinds: []string{"notice.proposed", "notice.approved", "notice.sent", "notice.overdue", "mail.returned", "mail.given-up"}, Do: t.urgent},
		{Name: "mail-recovery", Kinds: recoverySteps, Do: t.recovery},
		{Name: "mail-webhooks", Kinds: []string{outbox.EventFailing, outbox.EventPaused}, Do: t.webhook},
		{Name: "urgent-calls", Kinds: []string{casework.EventUrgent}, Do: t.raised},
	}
}

// attempted puts what became of an announcement into the notice's proof of
// delivery. That the letter was taken starts no clock.
func (t *Teller) attempted(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	if e.Object != "notice" {
		return nil
	}
	if _, err := t.Notice.BriefOf(ctx, tx, notice.ID(e.ObjectID)); err != nil {
		if fault.Of(err) == fault.NotFound || fault.Is(err, "notice.damaged") {
			return nil
		}
		return err
	}
	state := mail.State(strings.TrimPrefix(e.Kind, "mail."))
	return t.Notice.AttemptTx(ctx, tx, notice.Attempt{
		Notice: notice.ID(e.ObjectID), Channel: "mail", OK: state == mail.Taken, Final: state != mail.Taken, Result: string(state), At: e.At,
	})
}

// noticeID is the notice that an entry is about.
func noticeID(e feed.Entry) notice.ID { return notice.ID(e.ObjectID) }

// reached ends the tasks about a notice that needs no letter any more.
func (t *Teller) reached(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	return t.Mail.SettleAbout(ctx, tx, "notice", e.ObjectID, e.SequencedAt)
}
