package tell

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/party"
)

// NoDaily is the Daily of somebody who wants no digest.
const NoDaily = -1

// A Wish is what a person wants to be told by mail.
type Wish struct {
	Urgent bool // at once, when a clock runs on it
	Daily  int  // hour of their own day, 0 to 23, at which to list what waits; NoDaily for never
}

// usual is the wish of who has not said anything.
var usual = Wish{Urgent: true, Daily: NoDaily}

// WishOf returns a person's wish.
func WishOf(ctx context.Context, r db.Reader, id party.PersonID) (Wish, error) {
	w, err := db.One(ctx, r, func(row db.Row) (w Wish, err error) { return w, row.Scan(&w.Urgent, &w.Daily) },
		`SELECT urgent, daily_hour FROM mail_wishes WHERE person_id = $1`, id)
	if errors.Is(err, db.ErrAbsent) {
		return usual, nil
	}
	return w, err
}

// SetWish stores the actor's own wish. A digest of today whose hour is over
// comes tomorrow.
func (t *Teller) SetWish(ctx context.Context, by party.Actor, w Wish) error {
	if !by.Known() {
		return fault.New(fault.Denied, "auth.sign-in")
	}
	if w.Daily < NoDaily || w.Daily > 23 {
		return fault.New(fault.Invalid, "mail.hour").At("/daily")
	}
	now := t.Clock.Now()
	local, last := now.In(zoneOf(by.Zone)), ""
	if local.Hour() >= w.Daily {
		last = local.Format(time.DateOnly)
	}
	return t.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO mail_wishes (person_id, urgent, daily_hour, last_day, changed_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (person_id) DO UPDATE SET urgent = excluded.urgent, daily_hour = excluded.daily_hour, last_day = excluded.last_day, changed_at = excluded.changed_at`,
			by.Person, w.Urgent, w.Daily, last, db.Micros(now)); err != nil {
			return err
		}
		_, err := t.Feed.Record(ctx, tx, feed.Event{
			Kind: "person.mail", Object: "person", ObjectID: string(by.Person), Party: string(by.Party), Person: string(by.Person),
			Audience: []string{string(by.Party)}, Data: map[string]any{"urgent": w.Urgent, "daily": w.Daily}, At: now,
		})
		return err
	})
}

// Digests writes, to everybody whose hour has come, what waits for them; to
// whom nothing waits for, nothing. It runs any number of times, on every node,
// and writes one letter a day.
func (t *Teller) Digests(ctx context.Context) error {
	if !t.Mail.Enabled() {
		return nil
	}
	ids, err := db.All(ctx, t.DB, db.Scalar[party.PersonID], `SELECT person_id FROM mail_wishes WHERE daily_hour >= 0 ORDER BY person_id`)
	var failed error
	for _, id := range ids {
		if err := t.digest(ctx, id); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(err, failed)
}

func (t *Teller) digest(ctx context.Context, id party.PersonID) error {
	now := t.Clock.Now()
	by, person, ok, err := t.reader(ctx, t.DB, id)
	if err != nil || !ok {
		return err
	}
	local := now.In(zoneOf(person.Zone))
	day := local.Format(time.DateOnly)
	w, err := WishOf(ctx, t.DB, id)
	if err != nil || w.Daily == NoDaily || local.Hour() < w.Daily {
		return err
	}
	last, err := db.Value[string](ctx, t.DB, `SELECT last_day FROM mail_wishes WHERE person_id = $1`, id)
	if err != nil || last >= day {
		return err
	}
	c, err := t.Count(ctx, by)
	if err != nil {
		return err
	}
	return t.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE mail_wishes SET last_day = $2 WHERE person_id = $1 AND last_day < $2`, id, day)
		if err != nil || n == 0 || c.Total() == 0 {
			return err
		}
		p := i18n.For(i18n.Lang(person.Lang))
		lines := []string{p.T("mail.digest", "Name", mail.Line(person.Name, 200)), ""}
		for _, one := range c.Waits() {
			lines = append(lines, "  "+p.N("mail.waits."+one.Kind, one.N))
		}
		return t.toPerson(ctx, tx, person, mail.Letter{
			Once: "digest/" + string(id) + "/" + day, Purpose: "digest", Subject: p.N("mail.digest.subject", c.Total()),
		}, lines)
	})
}

// toPerson writes a letter to a member of staff, with how to come in and how to
// be told less.
func (t *Teller) toPerson(ctx context.Context, tx *db.Tx, to party.Person, l mail.Letter, lines []string) error {
	address, ok := mail.Address(to.Email)
	if !ok {
		return nil
	}
	p := i18n.For(i18n.Lang(to.Lang))
	l.Party, l.Person, l.Address = to.Party, to.ID, address
	l.Text = t.letter(p, append(lines, "", t.signIn(p), p.T("mail.less")))
	return t.Mail.Write(ctx, tx, l)
}

// reader returns a person who may be told something; ok is false for who is not
// active, or was altered.
func (t *Teller) reader(ctx context.Context, r db.Reader, id party.PersonID) (by party.Actor, p party.Person, ok bool, err error) {
	by, err = auth.ActorFor(ctx, r, id)
	if err == nil {
		p, err = party.GetPerson(ctx, r, id)
	}
	if k := fault.Of(err); err != nil && (k == fault.NotFound || k == fault.Denied) {
		return by, p, false, nil
	}
	return by, p, err == nil, err
}

// staff returns those of a party's people who may be told something.
func (t *Teller) staff(ctx context.Context, r db.Reader, id party.ID) ([]party.Actor, error) {
	people, err := party.People(ctx, r, id)
	if err != nil {
		return nil, err
	}
	var out []party.Actor
	for _, p := range people {
		by, _, ok, err := t.reader(ctx, r, p.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, by)
		}
	}
	return out, nil
}

// urgent tells, at once, those who can do something about what a clock runs on
// and who want to be told.
func (t *Teller) urgent(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	if !t.Mail.Enabled() || e.Object != "notice" {
		return nil
	}
	kind, at, may, err := t.pressing(ctx, tx, e)
	if err != nil || kind == "" {
		return err
	}
	people, err := t.staff(ctx, tx, at)
	if err != nil {
		return err
	}
	for _, by := range people {
		if string(by.Person) == e.Person || !may(by) {
			continue
		}
		w, err := WishOf(ctx, tx, by.Person)
		if err != nil {
			return err
		}
		if !w.Urgent {
			continue
		}
		if err := t.press(ctx, tx, by, kind, "urgent/"+e.ID, e.Ref); err != nil {
			return err
		}
	}
	return nil
}

// press writes to one person that something of a kind waits for them. The
// letter is about no object: what becomes of it is no proof of delivery.
func (t *Teller) press(ctx context.Context, tx *db.Tx, by party.Actor, kind, reason, ref string) error {
	person, err := party.GetPerson(ctx, tx, by.Person)
	if err != nil {
		return err
	}
	p := i18n.For(i18n.Lang(person.Lang))
	lines := []string{p.T("mail.urgent."+kind, "Ref", ref)}
	return t.toPerson(ctx, tx, person, mail.Letter{
		Once: strings.Join([]string{reason, kind, string(by.Person)}, "/"), Purpose: "urgent." + kind, Ref: ref,
		Subject: p.T("mail.urgent."+kind+".subject", "Ref", ref),
	}, lines)
}

// pressing says what of an entry presses, whom of which party; "" for nothing.
func (t *Teller) pressing(ctx context.Context, tx *db.Tx, e feed.Entry) (kind string, at party.ID, may func(party.Actor) bool, err error) {
	id := noticeID(e)
	if e.Kind == "notice.proposed" || e.Kind == "notice.approved" {
		s, ok, err := t.Notice.StandingOf(ctx, tx, id)
		if err != nil || !ok || !s.Clock {
			return "", "", nil, err
		}
		return string(s.Step), s.Party, func(by party.Actor) bool { return s.May(by) == nil }, nil
	}
	b, err := t.Notice.BriefOf(ctx, tx, id)
	if err != nil {
		if fault.Of(err) == fault.NotFound || fault.Is(err, "notice.damaged") {
			err = nil
		}
		return "", "", nil, err
	}
	seat := func(act auth.Act) func(party.Actor) bool {
		return func(by party.Actor) bool { return auth.Seat(by, act) }
	}
	switch {
	case e.Kind == "notice.sent" && b.Limit > 0:
		return "receive", b.Addressee, seat(auth.NoticeReceive), nil
	case e.Kind == "notice.overdue":
		return "overdue", b.Issuer, seat(auth.NoticeVerify), nil
	case e.Kind == "mail.returned", e.Kind == "mail.given-up":
		return "returned", b.Issuer, seat(auth.NoticeVerify), nil
	default:
		return "", "", nil, nil
	}
}
