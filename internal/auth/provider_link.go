package auth

import (
	"context"
	"crypto/hmac"
	"errors"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// A Link says that a provider's subject is a person here. It is made by that
// person alone, with their invitation or signed in: whoever could link somebody
// else's would come in as them. It is never made by a mail address, which others
// can have written into a directory (threat-model T10).
type Link struct {
	ID       string
	Issuer   string
	Subject  string
	Party    party.ID
	Person   party.PersonID
	LinkedBy party.PersonID
	LinkedAt time.Time
	EndedAt  time.Time

	mac []byte
}

const linkColumns = `id, issuer, subject, party_id, person_id, linked_by, linked_at, ended_at, mac`

func scanLink(row db.Row) (Link, error) {
	var l Link
	err := row.Scan(&l.ID, &l.Issuer, &l.Subject, &l.Party, &l.Person, &l.LinkedBy, db.Time(&l.LinkedAt), db.Time(&l.EndedAt), &l.mac)
	return l, err
}

// linkMAC stands over a link while it counts: whoever can only write rows comes
// in as nobody.
func (a *Auth) linkMAC(l Link) []byte {
	return a.mac("provider-row", db.Spell(l.ID, l.Issuer, l.Subject, string(l.Party), string(l.Person), string(l.LinkedBy), l.LinkedAt))
}

// PersonOf returns whom the provider's subject is here: an active person of the
// organisation that it vouches for.
func (p *Provider) PersonOf(ctx context.Context, s Subject) (party.PersonID, error) {
	refused := fault.New(fault.Denied, "auth.provider-unknown")
	l, err := db.One(ctx, p.auth.db, scanLink, `SELECT `+linkColumns+` FROM provider_subjects WHERE issuer = $1 AND subject = $2 AND ended_at IS NULL`, s.Issuer, s.ID)
	if errors.Is(err, db.ErrAbsent) || err == nil && (!hmac.Equal(l.mac, p.auth.linkMAC(l)) || l.LinkedBy != l.Person) {
		return "", refused
	}
	if err != nil {
		return "", err
	}
	actor, err := actorOf(ctx, p.auth.db, l.Person)
	if k := fault.Of(err); k == fault.Denied || k == fault.NotFound {
		return "", refused.Because(err)
	}
	if err != nil {
		return "", err
	}
	org, err := party.Get(ctx, p.auth.db, actor.Party)
	if err != nil || org.Code != p.Party || l.Party != org.ID {
		return "", errors.Join(refused, err)
	}
	return l.Person, nil
}

// Link says that by is the provider's subject; an earlier link of theirs ends.
// "" only ends it, which an administrator does for a colleague too.
func (p *Provider) Link(ctx context.Context, by party.Actor, person party.PersonID, subject string) error {
	act := PartyKey
	if by.Person != person {
		act = PartyAdmin
	}
	if err := MayNow(by, act, Object{What: "person", Owner: by.Party}); err != nil {
		return err
	}
	subject = strings.TrimSpace(subject)
	if len(subject) > 255 {
		return fault.New(fault.Invalid, "party.too-long", "Max", 255).At("/subject")
	}
	return p.auth.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		who, err := party.GetPerson(ctx, tx, person)
		if err != nil || who.Party != by.Party || !who.Active {
			return fault.Hidden("person")
		}
		if subject != "" && by.Person != person {
			return fault.New(fault.Denied, "auth.provider-own").At("/subject")
		}
		if err := p.ours(ctx, tx, by.Party); err != nil {
			return err
		}
		n, err := endLinks(ctx, tx, person, p.auth.clock.Now())
		if err != nil {
			return err
		}
		// What the old account opened is closed.
		if _, err := endSessionsBy(ctx, tx, person, ByProvider, p.auth.clock.Now()); err != nil {
			return err
		}
		if subject != "" {
			return p.link(ctx, tx, by, who, subject)
		}
		if n == 0 {
			return nil
		}
		return p.auth.record(ctx, tx, by, "person.unlinked", "person", string(person), nil, p.auth.clock.Now())
	})
}

// endLinks ends a person's links and returns how many stood. Their subjects are
// free again.
func endLinks(ctx context.Context, tx *db.Tx, person party.PersonID, now time.Time) (int64, error) {
	return tx.Exec(ctx, `UPDATE provider_subjects SET ended_at = $2, mac = NULL WHERE person_id = $1 AND ended_at IS NULL`, person, db.Micros(now))
}

// ours refuses organisations for which this provider does not speak.
func (p *Provider) ours(ctx context.Context, r db.Reader, id party.ID) error {
	org, err := party.Get(ctx, r, id)
	if err == nil && (!p.On() || org.Code != p.Party) {
		err = fault.New(fault.Conflict, "auth.provider-none")
	}
	return err
}

func (p *Provider) link(ctx context.Context, tx *db.Tx, by party.Actor, who party.Person, subject string) error {
	now := p.auth.clock.Now()
	l := Link{ID: db.NewID(), Issuer: p.Issuer, Subject: subject, Party: who.Party, Person: who.ID, LinkedBy: by.Person, LinkedAt: now}
	n, err := tx.Exec(ctx, `INSERT INTO provider_subjects (`+linkColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8) ON CONFLICT DO NOTHING`,
		l.ID, l.Issuer, l.Subject, l.Party, l.Person, l.LinkedBy, db.Micros(now), p.auth.linkMAC(l))
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "auth.provider-taken")
	}
	if err != nil {
		return err
	}
	return p.auth.record(ctx, tx, by, "person.linked", "person", string(who.ID), map[string]any{"issuer": p.Issuer}, now)
}

// Join takes up an invitation into the provider's organisation: the person is
// who the provider vouched for. They have no key yet, and sign nothing before
// they enrol one.
func (p *Provider) Join(ctx context.Context, secret string, j Joining, s Subject) (party.Person, error) {
	return p.auth.join(ctx, secret, j, func(ctx context.Context, tx *db.Tx, i Invitation, who party.Person, _ time.Time) error {
		if err := p.ours(ctx, tx, i.Party); err != nil {
			return err
		}
		return p.link(ctx, tx, party.Actor{Party: who.Party, Person: who.ID}, who, s.ID)
	})
}

// For reports whether the provider speaks for an organisation.
func (p *Provider) For(org party.Party) bool { return p.On() && org.Code == p.Party }

// Links returns the links of the people of by's party.
func (p *Provider) Links(ctx context.Context, by party.Actor) ([]Link, error) {
	if err := May(by, PartyAdmin, Object{What: "party", Owner: by.Party}); err != nil {
		return nil, err
	}
	return db.All(ctx, p.auth.db, scanLink, `SELECT `+linkColumns+` FROM provider_subjects WHERE issuer = $1 AND party_id = $2 AND ended_at IS NULL ORDER BY id LIMIT 5000`, p.Issuer, by.Party)
}

// OwnLink returns the link that by has made for themselves; ok is false without
// one that counts.
func (p *Provider) OwnLink(ctx context.Context, by party.Actor) (l Link, ok bool, err error) {
	l, err = db.One(ctx, p.auth.db, scanLink, `SELECT `+linkColumns+` FROM provider_subjects WHERE issuer = $1 AND person_id = $2 AND ended_at IS NULL`, p.Issuer, by.Person)
	if errors.Is(err, db.ErrAbsent) {
		return Link{}, false, nil
	}
	return l, err == nil && l.LinkedBy == by.Person && hmac.Equal(l.mac, p.auth.linkMAC(l)), err
}
