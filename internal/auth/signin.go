package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

const (
	// inviteFor is how long an invitation may be taken up.
	inviteFor = 7 * 24 * time.Hour

	invitePrefix   = "tgi_"
	firstRunPrefix = "tgf_"
)

// SignIn answers a challenge with a key's signature and returns the person. A
// challenge signs in once; a wrong answer stores nothing.
func (a *Auth) SignIn(ctx context.Context, challenge string, key party.KeyID, signature []byte) (party.PersonID, error) {
	refused := fault.New(fault.Denied, "auth.sign-in-failed")
	now := a.clock.Now()
	c, ok := a.readChallenge(signInChallenge, "", challenge)
	if !ok || c.end.Before(now) {
		return "", refused
	}
	k, err := party.GetKey(ctx, a.db, key)
	if err != nil {
		return "", refused.Because(err)
	}
	digest := c.Digest()
	if !k.RevokedAt.IsZero() || !ed25519.Verify(k.Public, digest[:], signature) {
		return "", refused
	}
	if _, err := actorOf(ctx, a.db, k.Person); err != nil {
		return "", refused.Because(err)
	}
	err = a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return a.spend(ctx, tx, c, now) })
	if err != nil {
		return "", err
	}
	return k.Person, nil
}

// An Invitation lets one person into one party.
type Invitation struct {
	ID        string
	Party     party.ID
	Email     string
	Name      string
	Roles     []party.Role
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
	RevokedAt time.Time

	rolesText string // as it is stored
	mac       []byte // over what the row grants
}

const inviteColumns = `id, party_id, email, name, roles, created_at, expires_at, used_at, revoked_at, row_mac`

func scanInvite(row db.Row) (Invitation, error) {
	var i Invitation
	err := row.Scan(&i.ID, &i.Party, &i.Email, &i.Name, &i.rolesText, db.Time(&i.CreatedAt), db.Time(&i.ExpiresAt), db.Time(&i.UsedAt), db.Time(&i.RevokedAt), &i.mac)
	if err != nil {
		return i, err
	}
	return i, json.Unmarshal([]byte(i.rolesText), &i.Roles)
}

// inviteMAC stands over what an invitation grants: whoever can only write rows
// leads no invitation of theirs into another organisation or role (threat-model
// T12). Taking one up and revoking it erase it, so that neither comes undone.
func (a *Auth) inviteMAC(i Invitation) []byte {
	return a.mac("invitation-row", db.Spell(i.ID, string(i.Party), i.Email, i.Name, i.rolesText, i.CreatedAt, i.ExpiresAt))
}

// Invite makes an invitation into by's own party, or, for who may add
// organisations, into another that has nobody yet. The secret is returned once.
func (a *Auth) Invite(ctx context.Context, by party.Actor, into party.ID, name, email string, roles []party.Role) (Invitation, string, error) {
	act, object := PartyAdmin, Object{What: "party", Owner: into}
	if into != by.Party {
		act = PartyAdd
	}
	if err := MayNow(by, act, object); err != nil {
		return Invitation{}, "", err
	}
	now := a.clock.Now()
	draft := party.Person{Party: into, Name: name, Email: strings.ToLower(strings.TrimSpace(email)), Roles: roles, Lang: "id", Zone: "UTC"}
	if err := draft.Validate(); err != nil {
		return Invitation{}, "", err
	}
	secret := newToken(invitePrefix)
	i := Invitation{ID: db.NewID(), Party: into, Email: draft.Email, Name: name, Roles: roles, CreatedAt: now, ExpiresAt: now.Add(inviteFor)}
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if into != by.Party {
			if people, err := party.People(ctx, tx, into); err != nil || len(people) > 0 {
				return errors.Join(err, fault.New(fault.Denied, "auth.party-has-people"))
			}
		}
		// That somebody elsewhere has the address, only its own holder is told,
		// when they take the invitation up.
		if p, err := party.ByEmail(ctx, tx, i.Email); err == nil && p.Party == into {
			return fault.New(fault.Conflict, "party.email-taken", "Email", i.Email).At("/email")
		}
		if err := a.putInvite(ctx, tx, i, secret, by.Person); err != nil {
			return err
		}
		return a.record(ctx, tx, by, "person.invited", "invitation", i.ID, map[string]any{"party": into, "roles": roles}, now)
	})
	return i, secret, err
}

func (a *Auth) putInvite(ctx context.Context, tx *db.Tx, i Invitation, secret string, by party.PersonID) error {
	roles, err := json.Marshal(i.Roles)
	if err != nil {
		return err
	}
	i.rolesText = string(roles)
	_, err = tx.Exec(ctx, `
		INSERT INTO invitations (mac, invited_by, `+inviteColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL, $10)`,
		a.mac("invitation", []byte(secret)), db.OrNull(by), i.ID, i.Party, i.Email, i.Name, i.rolesText, db.Micros(i.CreatedAt), db.Micros(i.ExpiresAt), a.inviteMAC(i))
	return err
}

// Invitations returns the invitations into by's party, the newest first.
func (a *Auth) Invitations(ctx context.Context, by party.Actor) ([]Invitation, error) {
	if err := May(by, PartyAdmin, Object{What: "party", Owner: by.Party}); err != nil {
		return nil, err
	}
	return db.All(ctx, a.db, scanInvite, `SELECT `+inviteColumns+` FROM invitations WHERE party_id = $1 ORDER BY created_at DESC, id LIMIT 200`, by.Party)
}

// RevokeInvitation ends an invitation of by's party that nobody took up.
func (a *Auth) RevokeInvitation(ctx context.Context, by party.Actor, id string) error {
	if err := MayNow(by, PartyAdmin, Object{What: "party", Owner: by.Party}); err != nil {
		return err
	}
	now := a.clock.Now()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE invitations SET revoked_at = $3, row_mac = NULL WHERE id = $1 AND party_id = $2 AND used_at IS NULL AND revoked_at IS NULL`, id, by.Party, db.Micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.Hidden("invitation")
		}
		return a.record(ctx, tx, by, "invitation.revoked", "invitation", id, nil, now)
	})
}

// Invited returns the open invitation for a secret. Every wrong, used, revoked,
// altered or late one gets the same answer.
func (a *Auth) Invited(ctx context.Context, r db.Reader, secret string) (Invitation, error) {
	refused := fault.New(fault.NotFound, "auth.no-invitation")
	if !looksLike(secret, invitePrefix) {
		return Invitation{}, refused
	}
	i, err := db.One(ctx, r, scanInvite, `SELECT `+inviteColumns+` FROM invitations WHERE mac = $1`, a.mac("invitation", []byte(secret)))
	if errors.Is(err, db.ErrAbsent) {
		return i, refused
	}
	if err == nil && (!i.UsedAt.IsZero() || !i.RevokedAt.IsZero() || !i.ExpiresAt.After(a.clock.Now()) || !hmac.Equal(i.mac, a.inviteMAC(i))) {
		return Invitation{}, refused
	}
	return i, err
}

// A Joining is what an invited person gives.
type Joining struct {
	Name   string
	Lang   string
	Zone   string
	Public []byte // Ed25519 public key of the browser they will sign with; not with a passkey
	Label  string // what to call that browser or passkey
}

// Join takes up an invitation: the person, their key and the end of the
// invitation are one transaction.
func (a *Auth) Join(ctx context.Context, secret string, j Joining) (party.Person, error) {
	return a.join(ctx, secret, j, func(ctx context.Context, tx *db.Tx, _ Invitation, p party.Person, now time.Time) error {
		_, err := party.AddKey(ctx, tx, party.Key{Person: p.ID, Method: party.BrowserKey, Public: j.Public, Label: j.Label}, now)
		return err
	})
}

// join takes up an invitation; enrol adds the new person's first key.
func (a *Auth) join(ctx context.Context, secret string, j Joining, enrol func(context.Context, *db.Tx, Invitation, party.Person, time.Time) error) (party.Person, error) {
	now := a.clock.Now()
	var p party.Person
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		i, err := a.Invited(ctx, tx, secret)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE invitations SET used_at = $2, row_mac = NULL WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL`, i.ID, db.Micros(now))
		if err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.NotFound, "auth.no-invitation"))
		}
		p, err = party.AddPerson(ctx, tx, party.Person{Party: i.Party, Name: j.Name, Email: i.Email, Roles: i.Roles, Lang: j.Lang, Zone: j.Zone}, now)
		if err != nil {
			return err
		}
		if err := enrol(ctx, tx, i, p, now); err != nil {
			return err
		}
		return a.record(ctx, tx, party.Actor{Party: p.Party, Person: p.ID}, "person.joined", "person", string(p.ID), map[string]any{"roles": i.Roles}, now)
	})
	return p, err
}

// mayEnrol reports whether the actor may add a key that signs them in. Who
// never had one, and came by another way, adds the first while they have just
// arrived; who had one and lost it recovers their access by the word of two.
func (a *Auth) mayEnrol(ctx context.Context, by party.Actor) error {
	err := MayNow(by, PartyKey, Object{What: "key", Owner: by.Party})
	if by.Arrived && fault.Is(err, "auth.touch") {
		if ever, werr := party.WaysEver(ctx, a.db, by.Person); werr != nil || ever == 0 {
			return werr
		}
	}
	return err
}

// EnrolKey adds a signing key for the actor themselves.
func (a *Auth) EnrolKey(ctx context.Context, by party.Actor, public []byte, label string) (party.Key, error) {
	method := party.BrowserKey
	if by.APIKey != "" {
		method = party.Automation // signs nobody in
	} else if err := a.mayEnrol(ctx, by); err != nil {
		return party.Key{}, err
	}
	now := a.clock.Now()
	var k party.Key
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		k, err = party.AddKey(ctx, tx, party.Key{Person: by.Person, Method: method, Public: public, Label: label}, now)
		if err != nil {
			return err
		}
		return a.record(ctx, tx, by, "key.enrolled", "key", string(k.ID), map[string]any{"method": method}, now)
	})
	return k, err
}

// RevokeKey ends one of the actor's own signing keys, or one of a colleague's
// for who administers the party. Nobody shuts themselves out: the last key that
// signs its person in is revoked by an administrator only.
func (a *Auth) RevokeKey(ctx context.Context, by party.Actor, person party.PersonID, id party.KeyID) error {
	act := PartyKey
	if by.Person != person {
		act = PartyAdmin
	}
	if err := MayNow(by, act, Object{What: "key", Owner: by.Party}); err != nil {
		return err
	}
	now := a.clock.Now()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		p, err := party.GetPerson(ctx, tx, person)
		if err != nil || p.Party != by.Party {
			return fault.Hidden("key")
		}
		if err := party.RevokeKey(ctx, tx, person, id, now); err != nil {
			return err
		}
		if ways, err := party.WaysIn(ctx, tx, person); err != nil || ways == 0 && by.Person == person {
			return errors.Join(err, fault.New(fault.Conflict, "auth.last-key"))
		}
		return a.record(ctx, tx, by, "key.revoked", "key", string(id), nil, now)
	})
}

// Deactivate ends a colleague's access at once. Nobody ends their own, so that
// a party keeps an administrator.
func (a *Auth) Deactivate(ctx context.Context, by party.Actor, person party.PersonID) error {
	if err := MayNow(by, PartyAdmin, Object{What: "person", Owner: by.Party}); err != nil {
		return err
	}
	if by.Person == person {
		return fault.New(fault.Conflict, "auth.not-yourself")
	}
	now := a.clock.Now()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := party.Deactivate(ctx, tx, by.Party, person, now); err != nil {
			return err
		}
		if _, err := endLinks(ctx, tx, person, now); err != nil {
			return err
		}
		if _, err := endSessions(ctx, tx, person, "", "", now); err != nil {
			return err
		}
		if err := a.endRecoveriesOf(ctx, tx, by.Person, person, now); err != nil {
			return err
		}
		return a.record(ctx, tx, by, "person.deactivated", "person", string(person), nil, now)
	})
}

// UpdatePerson changes a colleague's name, roles, language or zone. Other roles
// end their sessions: what was open under the old ones is closed.
func (a *Auth) UpdatePerson(ctx context.Context, by party.Actor, p party.Person) error {
	if err := MayNow(by, PartyAdmin, Object{What: "person", Owner: by.Party}); err != nil {
		return err
	}
	if by.Person == p.ID && !p.Has(party.Admin) {
		return fault.New(fault.Conflict, "auth.not-yourself")
	}
	p.Party = by.Party
	now := a.clock.Now()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		was, err := party.GetPerson(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		if err := party.UpdatePerson(ctx, tx, p); err != nil {
			return err
		}
		if !slices.Equal(slices.Sorted(slices.Values(was.Roles)), slices.Sorted(slices.Values(p.Roles))) {
			if _, err := endSessions(ctx, tx, p.ID, "", by.Session, now); err != nil {
				return err
			}
			if err := a.endRecoveriesOf(ctx, tx, by.Person, p.ID, now); err != nil {
				return err
			}
		}
		return a.record(ctx, tx, by, "person.changed", "person", string(p.ID), map[string]any{"roles": p.Roles}, now)
	})
}

// FirstRun returns the one-time secret of an instance that has no people yet,
// and "" once it has. Each call replaces the secret before it.
func (a *Auth) FirstRun(ctx context.Context) (string, error) {
	secret := ""
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM people`)
		if err != nil || n > 0 {
			return err
		}
		secret = newToken(firstRunPrefix)
		if _, err := tx.Exec(ctx, `DELETE FROM challenges WHERE purpose = 'first-run'`); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO challenges (id, nonce, purpose, subject, expires_at) VALUES ($1, $2, 'first-run', '', $3)`,
			db.NewID(), a.mac("first-run", []byte(secret)), db.Micros(a.clock.Now().Add(24*time.Hour)))
		return err
	})
	return secret, err
}

// Found uses the first-run secret: it makes the first party and an invitation
// for its administrator, whose secret it returns.
func (a *Auth) Found(ctx context.Context, secret string, org party.Party, name, email string) (party.Party, string, error) {
	refused := fault.New(fault.Denied, "auth.first-run")
	if !looksLike(secret, firstRunPrefix) {
		return org, "", refused
	}
	now := a.clock.Now()
	invite := newToken(invitePrefix)
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `
			DELETE FROM challenges WHERE purpose = 'first-run' AND nonce = $1 AND expires_at >= $2
			AND NOT EXISTS (SELECT 1 FROM people)`,
			a.mac("first-run", []byte(secret)), db.Micros(now))
		if err != nil || n == 0 {
			return errors.Join(err, refused)
		}
		if org, err = party.Add(ctx, tx, org, now); err != nil {
			return err
		}
		draft := party.Person{Party: org.ID, Name: name, Email: strings.ToLower(strings.TrimSpace(email)), Roles: []party.Role{party.Admin}, Lang: "id", Zone: org.Zone}
		if err := draft.Validate(); err != nil {
			return err
		}
		i := Invitation{ID: db.NewID(), Party: org.ID, Email: draft.Email, Name: name, Roles: draft.Roles, CreatedAt: now, ExpiresAt: now.Add(inviteFor)}
		if err := a.putInvite(ctx, tx, i, invite, ""); err != nil {
			return err
		}
		return a.record(ctx, tx, party.Actor{Party: org.ID}, "instance.founded", "party", string(org.ID), nil, now)
	})
	return org, invite, err
}
