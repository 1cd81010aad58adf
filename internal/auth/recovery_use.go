package auth

import (
	"context"
	"crypto/hmac"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Recovering returns the confirmed recovery for a secret, with its person.
// Every wrong, used, cancelled, altered or late one gets the same answer.
func (a *Auth) Recovering(ctx context.Context, r db.Reader, secret string) (Recovery, party.Person, error) {
	refused := fault.New(fault.NotFound, "auth.no-recovery")
	if !looksLike(secret, recoveryPrefix) {
		return Recovery{}, party.Person{}, refused
	}
	found, err := db.One(ctx, r, scanRecovery, `SELECT `+recoveryColumns+` FROM recoveries WHERE link = $1`, a.mac("recovery", []byte(secret)))
	if errors.Is(err, db.ErrAbsent) {
		return found, party.Person{}, refused
	}
	if err != nil {
		return found, party.Person{}, err
	}
	if found.ConfirmedAt.IsZero() || !a.stands(found, a.clock.Now()) {
		return Recovery{}, party.Person{}, refused
	}
	if _, err := actorOf(ctx, r, found.Person); err != nil {
		return Recovery{}, party.Person{}, refused.Because(err)
	}
	p, err := party.GetPerson(ctx, r, found.Person)
	return found, p, err
}

// Recover uses a recovery with a key of the browser, where the pages can have
// no passkeys.
func (a *Auth) Recover(ctx context.Context, secret, code string, public []byte, label string) (party.Person, error) {
	return a.recover(ctx, secret, code, func(ctx context.Context, tx *db.Tx, r Recovery, now time.Time) error {
		_, err := party.AddKey(ctx, tx, party.Key{Person: r.Person, Method: party.BrowserKey, Public: public, Label: label}, now)
		return err
	})
}

// BeginRecover asks the authenticator of somebody who recovers their access for
// a new passkey.
func (p *Passkeys) BeginRecover(ctx context.Context, secret string) (Ceremony, error) {
	r, person, err := p.auth.Recovering(ctx, p.auth.db, secret)
	if err != nil {
		return Ceremony{}, err
	}
	return p.begin(r.ID, holder{PasskeyRecord: party.PasskeyRecord{Handle: p.newHandle(r.ID)}, name: person.Email, displayName: person.Name}, nil)
}

// Recover uses a recovery with a new passkey.
func (p *Passkeys) Recover(ctx context.Context, secret, code string, answer PasskeyAnswer, label string) (party.Person, error) {
	if !p.On() {
		return party.Person{}, fault.New(fault.Conflict, "auth.no-passkeys")
	}
	return p.auth.recover(ctx, secret, code, func(ctx context.Context, tx *db.Tx, r Recovery, now time.Time) error {
		_, err := p.add(ctx, tx, made{subject: r.ID, person: r.Person, handle: p.newHandle(r.ID), answer: answer, label: label}, now)
		return err
	})
}

// recover takes both halves: the end of the recovery, of every key, provider
// link and session that there was, and the new key are one transaction. A wrong code
// counts, and of those who try at once one is heard.
func (a *Auth) recover(ctx context.Context, secret, code string, enrol func(context.Context, *db.Tx, Recovery, time.Time) error) (party.Person, error) {
	now := a.clock.Now()
	var person party.Person
	var wrong error
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		wrong = nil
		r, p, err := a.Recovering(ctx, tx, secret)
		if err != nil {
			return err
		}
		if err := a.agreed(ctx, tx, r); err != nil {
			return fault.New(fault.NotFound, "auth.no-recovery").Because(err)
		}
		if !hmac.Equal(r.code, a.codeMAC(r.ID, code)) {
			wrong = fault.New(fault.Invalid, "auth.recovery-code").At("/code")
			return a.wrongCode(ctx, tx, r, now)
		}
		if err := a.endRecovery(ctx, tx, r, EndUsed, r.Person, now); err != nil {
			return err
		}
		if err := party.EndKeys(ctx, tx, r.Person, now); err != nil {
			return err
		}
		if _, err := endLinks(ctx, tx, r.Person, now); err != nil {
			return err
		}
		if _, err := endSessions(ctx, tx, r.Person, "", "", now); err != nil {
			return err
		}
		person = p
		return enrol(ctx, tx, r, now)
	})
	return person, errors.Join(err, wrong)
}

// wrongCode counts one, and ends the recovery at the last.
func (a *Auth) wrongCode(ctx context.Context, tx *db.Tx, r Recovery, now time.Time) error {
	if r.tries+1 >= recoverTries {
		return a.endRecovery(ctx, tx, r, EndGuessed, "", now)
	}
	was := r.tries
	r.tries++
	n, err := tx.Exec(ctx, `UPDATE recoveries SET tries = $2, mac = $3 WHERE id = $1 AND tries = $4 AND ended_at IS NULL`, r.ID, r.tries, a.recoveryMAC(r), was)
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "auth.recovery-over")
	}
	return err
}

// OperatorRecover is the voice of the server's own console for a person: the
// second one if somebody has opened a recovery, else the first. It is one of
// two in either case, and heard only where the organisation has nobody else who
// could speak. It returns what the operator hands over, once: the secret of the
// address, or the code while the recovery is still Open.
func (a *Auth) OperatorRecover(ctx context.Context, person party.PersonID) (Recovery, string, error) {
	var r Recovery
	code, secret := newCode(), newToken(recoveryPrefix)
	handed := secret
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		handed = secret
		p, err := party.GetPerson(ctx, tx, person)
		if err != nil {
			return err
		}
		if _, err := actorOf(ctx, tx, person); err != nil {
			return err
		}
		now := a.clock.Now()
		if err := a.expireRecoveries(ctx, tx, now, `person_id = $2`, person); err != nil {
			return err
		}
		r, err = db.One(ctx, tx, scanRecovery, `SELECT `+recoveryColumns+` FROM recoveries WHERE person_id = $1 AND ended_at IS NULL`, person)
		act := PartyRecover
		if errors.Is(err, db.ErrAbsent) {
			r, err, act = Recovery{}, nil, PartyAdmin
		}
		if err != nil {
			return err
		}
		if err := a.lacksVoice(ctx, tx, p, act, r.OpenedBy); err != nil {
			return err
		}
		if act == PartyRecover {
			if r.OpenedBy == Operator {
				return fault.New(fault.Conflict, "auth.recovery-operator")
			}
			r, err = a.confirmRecovery(ctx, tx, Operator, r, secret)
			return err
		}
		handed = code
		r, err = a.openRecovery(ctx, tx, party.Actor{Party: p.Party, Person: Operator}, p, code)
		return err
	})
	return r, handed, err
}

// lacksVoice returns nil if nobody of p's party could take a step of their
// recovery: but p themselves and who spoke already.
func (a *Auth) lacksVoice(ctx context.Context, tx *db.Tx, p party.Person, act Act, spoke party.PersonID) error {
	people, err := party.People(ctx, tx, p.Party)
	if err != nil {
		return err
	}
	for _, one := range people {
		if one.ID == p.ID || one.ID == spoke || !one.Active {
			continue
		}
		actor, err := actorOf(ctx, tx, one.ID)
		if err != nil {
			return err
		}
		if Seat(actor, act) {
			return fault.New(fault.Conflict, "auth.recovery-enough", "Name", one.Name)
		}
	}
	return nil
}
