package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Somebody who lost every key comes back with the word of two others (threat-
// model T10, T12): an administrator opens the recovery and is shown a code, a
// second person confirms it and is shown an address. Whoever brings both makes
// a new key. Neither of the two holds both halves, so neither can come in as
// the person they help, and three different people have to agree on it.

const (
	// recoverFor is how long a recovery waits for its second person, and then
	// again how long its address is good for.
	recoverFor = 24 * time.Hour
	// recoverTries is how many wrong codes an address bears: with 32^8 codes a
	// guess succeeds once in 200 thousand million.
	recoverTries = 5
	// recoveryShown is how long people are told of a recovery that ended.
	recoveryShown = 7 * 24 * time.Hour

	recoveryPrefix = "tgr_"
)

// Operator stands for whoever works at the server's own console, where an
// organisation has too few people for two voices.
const Operator party.PersonID = "operator"

// An End is how a recovery ended.
type End string

// The ends.
const (
	EndUsed      End = "used"
	EndCancelled End = "cancelled"
	EndExpired   End = "expired"
	EndGuessed   End = "guessed" // too many wrong codes
	EndChanged   End = "changed" // one of the three left, or has other roles now
)

// A Recovery lets one person make a new key, once.
type Recovery struct {
	ID          string
	Party       party.ID
	Person      party.PersonID // whose access it is
	OpenedBy    party.PersonID // or Operator
	OpenedAt    time.Time
	ExpiresAt   time.Time      // of the present step
	ConfirmedBy party.PersonID // or Operator; "" until then
	ConfirmedAt time.Time
	EndedAt     time.Time // zero while it stands
	Ended       End
	EndedBy     party.PersonID // "" for nobody

	code, link, mac []byte
	tries           int64
}

const recoveryColumns = `id, party_id, person_id, opened_by, opened_at, expires_at, code, tries, coalesce(confirmed_by, ''), confirmed_at, link, ended_at, coalesce(ended, ''), coalesce(ended_by, ''), mac`

func scanRecovery(row db.Row) (Recovery, error) {
	var r Recovery
	err := row.Scan(&r.ID, &r.Party, &r.Person, &r.OpenedBy, db.Time(&r.OpenedAt), db.Time(&r.ExpiresAt), &r.code, &r.tries,
		&r.ConfirmedBy, db.Time(&r.ConfirmedAt), &r.link, db.Time(&r.EndedAt), &r.Ended, &r.EndedBy, &r.mac)
	return r, err
}

// recoveryMAC stands over what a recovery grants and who agreed to it: a
// confirmation written into the table by somebody else is none.
func (a *Auth) recoveryMAC(r Recovery) []byte {
	return a.mac("recovery-row", db.Spell(r.ID, string(r.Party), string(r.Person), string(r.OpenedBy), r.OpenedAt, r.ExpiresAt,
		r.code, r.tries, string(r.ConfirmedBy), r.ConfirmedAt, r.link))
}

// stands reports whether a recovery may still be confirmed or used at now.
func (a *Auth) stands(r Recovery, now time.Time) bool {
	return r.EndedAt.IsZero() && r.ExpiresAt.After(now) && hmac.Equal(r.mac, a.recoveryMAC(r))
}

// GetRecovery returns a recovery, ended ones too, or a hidden fault: for those
// who tell people of it.
func (a *Auth) GetRecovery(ctx context.Context, r db.Reader, id string) (Recovery, error) {
	found, err := db.One(ctx, r, scanRecovery, `SELECT `+recoveryColumns+` FROM recoveries WHERE id = $1`, id)
	if errors.Is(err, db.ErrAbsent) {
		return found, fault.Hidden("recovery")
	}
	return found, err
}

// Open reports whether it waits for its second person.
func (r Recovery) Open() bool { return r.EndedAt.IsZero() && r.ConfirmedAt.IsZero() }

// Involves reports whether it is about person, or they spoke for it.
func (r Recovery) Involves(person party.PersonID) bool {
	return person == r.Person || person == r.OpenedBy || person == r.ConfirmedBy
}

// OpenRecovery says as the first of two that a colleague of by's has lost their
// keys. The code is returned once, for the colleague alone.
func (a *Auth) OpenRecovery(ctx context.Context, by party.Actor, person party.PersonID) (Recovery, string, error) {
	if err := MayNow(by, PartyAdmin, Object{What: "person", Owner: by.Party}); err != nil {
		return Recovery{}, "", err
	}
	if by.Person == person {
		return Recovery{}, "", fault.New(fault.Denied, "auth.recovery-own")
	}
	var r Recovery
	code := newCode()
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err := party.GetPerson(ctx, tx, person)
		if err != nil || p.Party != by.Party || !p.Active {
			return fault.Hidden("person")
		}
		r, err = a.openRecovery(ctx, tx, by, p, code)
		return err
	})
	return r, code, err
}

func (a *Auth) openRecovery(ctx context.Context, tx *db.Tx, by party.Actor, p party.Person, code string) (Recovery, error) {
	now := a.clock.Now()
	if err := a.expireRecoveries(ctx, tx, now, `person_id = $2`, p.ID); err != nil {
		return Recovery{}, err
	}
	r := Recovery{ID: db.NewID(), Party: p.Party, Person: p.ID, OpenedBy: by.Person, OpenedAt: now, ExpiresAt: now.Add(recoverFor)}
	r.code = a.codeMAC(r.ID, code)
	n, err := tx.Exec(ctx, `
		INSERT INTO recoveries (id, party_id, person_id, opened_by, opened_at, expires_at, code, tries, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) ON CONFLICT DO NOTHING`,
		r.ID, r.Party, r.Person, r.OpenedBy, db.Micros(now), db.Micros(r.ExpiresAt), r.code, a.recoveryMAC(r))
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "auth.recovery-open")
	}
	if err != nil {
		return r, err
	}
	return r, a.recordRecovery(ctx, tx, by.Person, "recovery.opened", r, now)
}

// ConfirmRecovery says as the second of two that it is so. The secret of the
// address is returned once, for the person alone. Of several who confirm at
// once one does.
func (a *Auth) ConfirmRecovery(ctx context.Context, by party.Actor, id string) (Recovery, string, error) {
	var r Recovery
	secret := newToken(recoveryPrefix)
	err := a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if r, err = a.recoveryOf(ctx, tx, by.Party, id); err != nil {
			return err
		}
		if by.Person == r.Person {
			return fault.New(fault.Denied, "auth.recovery-own")
		}
		if err := MayNow(by, PartyRecover, Object{What: "recovery", Owner: r.Party, Acted: []party.PersonID{r.OpenedBy}}); err != nil {
			return err
		}
		r, err = a.confirmRecovery(ctx, tx, by.Person, r, secret)
		return err
	})
	return r, secret, err
}

// recoveryOf returns a recovery of a party, ended ones too.
func (a *Auth) recoveryOf(ctx context.Context, r db.Reader, of party.ID, id string) (Recovery, error) {
	found, err := a.GetRecovery(ctx, r, id)
	if err == nil && found.Party != of {
		return Recovery{}, fault.Hidden("recovery")
	}
	return found, err
}

func (a *Auth) confirmRecovery(ctx context.Context, tx *db.Tx, by party.PersonID, r Recovery, secret string) (Recovery, error) {
	now := a.clock.Now()
	if err := a.agreed(ctx, tx, r); err != nil || !a.stands(r, now) || !r.Open() || by == r.OpenedBy {
		return r, errors.Join(err, fault.New(fault.Conflict, "auth.recovery-over"))
	}
	r.ConfirmedBy, r.ConfirmedAt, r.ExpiresAt, r.link = by, now, now.Add(recoverFor), a.mac("recovery", []byte(secret))
	n, err := tx.Exec(ctx, `
		UPDATE recoveries SET confirmed_by = $2, confirmed_at = $3, expires_at = $4, link = $5, mac = $6
		WHERE id = $1 AND confirmed_at IS NULL AND ended_at IS NULL`,
		r.ID, r.ConfirmedBy, db.Micros(now), db.Micros(r.ExpiresAt), r.link, a.recoveryMAC(r))
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "auth.recovery-over")
	}
	if err != nil {
		return r, err
	}
	return r, a.recordRecovery(ctx, tx, by, "recovery.confirmed", r, now)
}

// agreed reports whether those who spoke for a recovery still could: whoever
// was removed since, or has other roles, speaks for nobody.
func (a *Auth) agreed(ctx context.Context, tx *db.Tx, r Recovery) error {
	for who, act := range map[party.PersonID]Act{r.OpenedBy: PartyAdmin, r.ConfirmedBy: PartyRecover} {
		if who == Operator || who == "" {
			continue
		}
		actor, err := actorOf(ctx, tx, who)
		if err == nil {
			err = May(actor, act, Object{What: "recovery", Owner: r.Party})
		}
		if k := fault.Of(err); k == fault.Denied || k == fault.NotFound {
			return fault.New(fault.Conflict, "auth.recovery-over").Because(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// CancelRecovery ends a recovery at once. Whoever it is about, whoever spoke
// for it and whoever administers the party may, alone, with a touch: a session
// that was stolen with its device must not keep its owner from coming back
// (threat-model T10), and whoever has no key left asks one of the others, who
// are all told.
func (a *Auth) CancelRecovery(ctx context.Context, by party.Actor, id string) error {
	if !by.Known() || by.APIKey != "" {
		return fault.New(fault.Denied, "auth.sign-in")
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := a.recoveryOf(ctx, tx, by.Party, id)
		if err != nil {
			return err
		}
		if !r.Involves(by.Person) {
			if err := May(by, PartyAdmin, Object{What: "recovery", Owner: r.Party}); err != nil {
				return fault.Hidden("recovery")
			}
		}
		if err := Present(by, PartyRecover); err != nil {
			return err
		}
		if !r.EndedAt.IsZero() {
			return fault.New(fault.Conflict, "auth.recovery-over")
		}
		return a.endRecovery(ctx, tx, r, EndCancelled, by.Person, a.clock.Now())
	})
}

// endRecovery ends r, of which nothing is left that opens anything. An answer
// to it is heard only if no other was meanwhile.
func (a *Auth) endRecovery(ctx context.Context, tx *db.Tx, r Recovery, how End, by party.PersonID, now time.Time) error {
	answer := how == EndUsed || how == EndGuessed
	n, err := tx.Exec(ctx, `
		UPDATE recoveries SET ended_at = $2, ended = $3, ended_by = $4, link = NULL, mac = NULL
		WHERE id = $1 AND ended_at IS NULL AND (tries = $5 OR $6 = FALSE)`,
		r.ID, db.Micros(now), how, db.OrNull(by), r.tries, answer)
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "auth.recovery-over")
	}
	if err != nil {
		return err
	}
	return a.recordRecovery(ctx, tx, by, "recovery."+string(how), r, now)
}

// recordRecovery adds a step to the record, with everybody whom it concerns, so
// that they are told.
func (a *Auth) recordRecovery(ctx context.Context, tx *db.Tx, by party.PersonID, kind string, r Recovery, now time.Time) error {
	data := map[string]any{"recovery": r.ID, "opened_by": r.OpenedBy}
	if r.ConfirmedBy != "" {
		data["confirmed_by"] = r.ConfirmedBy
	}
	if by == Operator {
		data["operator"] = true
		by = ""
	}
	return a.record(ctx, tx, party.Actor{Party: r.Party, Person: by}, kind, "person", string(r.Person), data, now)
}

// endRecoveriesOf ends what stands about a person, or by their word, because
// they left or have other roles now.
func (a *Auth) endRecoveriesOf(ctx context.Context, tx *db.Tx, by, person party.PersonID, now time.Time) error {
	return a.endAll(ctx, tx, EndChanged, by, now, `(person_id = $1 OR opened_by = $1 OR confirmed_by = $1)`, person)
}

// expireRecoveries ends those whose time is over: $1 is now.
func (a *Auth) expireRecoveries(ctx context.Context, tx *db.Tx, now time.Time, where string, args ...any) error {
	return a.endAll(ctx, tx, EndExpired, "", now, `expires_at <= $1 AND `+where, append([]any{db.Micros(now)}, args...)...)
}

func (a *Auth) endAll(ctx context.Context, tx *db.Tx, how End, by party.PersonID, now time.Time, where string, args ...any) error {
	all, err := db.All(ctx, tx, scanRecovery, `SELECT `+recoveryColumns+` FROM recoveries WHERE ended_at IS NULL AND `+where+` ORDER BY id LIMIT 500`, args...)
	for _, r := range all {
		if err := a.endRecovery(ctx, tx, r, how, by, now); err != nil {
			return err
		}
	}
	return err
}

// SweepRecoveries ends, on the record, recoveries whose time is over.
func (a *Auth) SweepRecoveries(ctx context.Context) error {
	now := a.clock.Now()
	if n, err := db.Value[int64](ctx, a.db, `SELECT count(*) FROM recoveries WHERE ended_at IS NULL AND expires_at <= $1`, db.Micros(now)); err != nil || n == 0 {
		return err
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return a.expireRecoveries(ctx, tx, now, `TRUE`) })
}

// Recoveries returns those of by's party that concern the actor, the newest
// first: about them, by their word, or such that they could speak for or end
// it. Of ended ones, those of the last week.
func (a *Auth) Recoveries(ctx context.Context, by party.Actor) ([]Recovery, error) {
	if !by.Known() {
		return nil, fault.New(fault.Denied, "auth.sign-in")
	}
	all, err := db.All(ctx, a.db, scanRecovery, `SELECT `+recoveryColumns+` FROM recoveries
		WHERE party_id = $1 AND (ended_at IS NULL OR ended_at > $2) ORDER BY opened_at DESC, id LIMIT 200`,
		by.Party, db.Micros(a.clock.Now().Add(-recoveryShown)))
	var out []Recovery
	for _, r := range all {
		if r.Involves(by.Person) || Seat(by, PartyRecover) {
			out = append(out, r)
		}
	}
	return out, err
}

// MayConfirm returns nil if the actor may be the second voice for r now, touch
// apart.
func (a *Auth) MayConfirm(by party.Actor, r Recovery) error {
	switch {
	case !a.stands(r, a.clock.Now()) || !r.Open():
		return fault.New(fault.Conflict, "auth.recovery-over")
	case by.Person == r.Person:
		return fault.New(fault.Denied, "auth.recovery-own")
	default:
		return May(by, PartyRecover, Object{What: "recovery", Owner: r.Party, Acted: []party.PersonID{r.OpenedBy}})
	}
}

// codeAlphabet is Crockford's base32: no I, L, O, U, so that a code can be read
// aloud.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newCode returns two groups of four, as "7Q4M-92XK": 40 random bits.
func newCode() string {
	raw := make([]byte, 8)
	rand.Read(raw) //nolint:errcheck // never fails (crypto/rand)
	for i, b := range raw {
		raw[i] = codeAlphabet[b%32]
	}
	return string(raw[:4]) + "-" + string(raw[4:])
}

// codeMAC is what is kept of a code, however it is typed.
func (a *Auth) codeMAC(id, code string) []byte {
	plain := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(code))
	return a.mac("recovery-code", []byte(id+"|"+plain))
}
