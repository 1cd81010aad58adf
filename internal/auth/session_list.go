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

// A Way is how somebody signed in.
type Way string

// The ways.
const (
	ByPasskey  Way = "passkey"
	ByKey      Way = "browser-key"
	ByDemo     Way = "demo"     // one press, of made-up people
	ByProvider Way = "provider" // another organisation's word for who they are: no touch
)

// An Arrival is somebody who signs in.
type Arrival struct {
	Person party.PersonID
	Way    Way
	Agent  string    // the browser's User-Agent, of which two words are kept
	Since  time.Time // before it was checked who they are; zero for now
}

// A Session is a browser that is signed in, as its person is shown it. No
// address is kept.
type Session struct {
	ID      string // signs nobody in
	Person  party.PersonID
	Way     Way
	Browser string // family, as "Firefox"; "" if unknown
	System  string // family, as "Linux"; "" if unknown
	Began   time.Time
	Used    time.Time // last
	touched time.Time
	mac     []byte
}

const sessionColumns = `id, person_id, coalesce(way, ''), coalesce(browser, ''), coalesce(system, ''), began_at, used_at, touched_at, mac`

func scanSession(row db.Row) (Session, error) {
	var s Session
	err := row.Scan(&s.ID, &s.Person, &s.Way, &s.Browser, &s.System, db.Time(&s.Began), db.Time(&s.Used), db.Time(&s.touched), &s.mac)
	return s, err
}

// sessionMAC stands over what a session is believed for beside its data: a
// touch written into the table by somebody else is none (threat-model T12).
func (a *Auth) sessionMAC(s Session) []byte {
	return a.mac("session-row", db.Spell(s.ID, string(s.Person), string(s.Way), s.Browser, s.System, s.Began, s.touched))
}

// recently reports whether at lies within touchFor before now. A minute ahead
// is the clock of another node.
func recently(at, now time.Time) bool {
	return !at.IsZero() && now.Sub(at) < touchFor && at.Sub(now) < time.Minute
}

// began notes who arrived, and how. Whoever signed in with a key of theirs has
// touched it.
func (a *Auth) began(ctx context.Context, id string, by Arrival) error {
	now := by.Since
	if now.IsZero() {
		now = a.clock.Now()
	}
	s := Session{ID: id, Person: by.Person, Way: by.Way, Began: now}
	s.Browser, s.System = family(by.Agent, browsers), family(by.Agent, systems)
	if by.Way != ByProvider {
		s.touched = now
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE sessions SET way = $2, browser = $3, system = $4, began_at = $5, touched_at = $6, mac = $7 WHERE id = $1`,
			id, s.Way, s.Browser, s.System, db.Micros(now), db.MicrosOrNull(s.touched), a.sessionMAC(s))
		return err
	})
}

// touchSession notes that the actor showed just now that they are there.
func (a *Auth) touchSession(ctx context.Context, tx *db.Tx, by party.Actor, now time.Time) error {
	s, err := db.One(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND person_id = $2 AND ended_at IS NULL`, by.Session, by.Person)
	if errors.Is(err, db.ErrAbsent) || err == nil && !hmac.Equal(s.mac, a.sessionMAC(s)) {
		return fault.New(fault.Denied, "auth.sign-in")
	}
	if err != nil {
		return err
	}
	s.touched = now
	_, err = tx.Exec(ctx, `UPDATE sessions SET touched_at = $2, mac = $3 WHERE id = $1`, s.ID, db.Micros(now), a.sessionMAC(s))
	return err
}

// Sessions returns where a person is signed in, the last used first: one's own,
// or a colleague's for who administers the party.
func (a *Auth) Sessions(ctx context.Context, by party.Actor, person party.PersonID) ([]Session, error) {
	if err := a.maySee(ctx, a.db, by, person); err != nil {
		return nil, err
	}
	return db.All(ctx, a.db, scanSession, `SELECT `+sessionColumns+` FROM sessions
		WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY used_at DESC NULLS LAST, id LIMIT 100`, person, db.Micros(a.clock.Now()))
}

func (a *Auth) maySee(ctx context.Context, r db.Reader, by party.Actor, person party.PersonID) error {
	if by.Known() && by.Person == person {
		return nil
	}
	p, err := party.GetPerson(ctx, r, person)
	if err != nil || p.Party != by.Party {
		return fault.Hidden("person")
	}
	return May(by, PartyAdmin, Object{What: "person", Owner: by.Party})
}

// EndSessions ends sessions at once, on every node: the one of that identifier,
// or for "" all but the actor's own present one. One's own take no touch: it
// must not stand in the way of whoever sees a stranger in the list.
func (a *Auth) EndSessions(ctx context.Context, by party.Actor, person party.PersonID, id string) error {
	now := a.clock.Now()
	return a.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := a.maySee(ctx, tx, by, person); err != nil {
			return err
		}
		act := PartyAdmin
		if by.Person == person {
			act = PartyKey
		}
		if by.Person != person || by.APIKey != "" {
			if err := Present(by, act); err != nil {
				return err
			}
		}
		n, err := endSessions(ctx, tx, person, id, by.Session, now)
		if err != nil {
			return err
		}
		if n == 0 && id != "" {
			return fault.Hidden("session")
		}
		if n == 0 {
			return nil // nothing happened
		}
		return a.record(ctx, tx, by, "session.ended", "person", string(person), map[string]any{"sessions": n}, now)
	})
}

// endSessions ends the session id of a person, or for "" all but keep. What is
// left of them is that they ended.
func endSessions(ctx context.Context, tx *db.Tx, person party.PersonID, id, keep string, now time.Time) (int64, error) {
	return tx.Exec(ctx, `UPDATE sessions SET ended_at = $4, data = $5, mac = NULL
		WHERE person_id = $1 AND ended_at IS NULL AND (id = $2 OR $2 = '' AND id <> $3)`, person, id, keep, db.Micros(now), []byte{})
}

// endSessionsBy ends the sessions of a person that began in one way.
func endSessionsBy(ctx context.Context, tx *db.Tx, person party.PersonID, way Way, now time.Time) (int64, error) {
	return tx.Exec(ctx, `UPDATE sessions SET ended_at = $3, data = $4, mac = NULL WHERE person_id = $1 AND way = $2 AND ended_at IS NULL`, person, way, db.Micros(now), []byte{})
}

// A mark tells a family by what its browsers say of themselves.
type mark struct{ in, family string }

// The order matters: most browsers name others before themselves.
var (
	browsers = []mark{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = []mark{
		{"Android", "Android"}, {"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	}
)

// family is the first family whose mark a User-Agent has, "" for none: no
// version, no model, nothing that tells one device from another of its kind.
func family(agent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(agent, m.in) {
			return m.family
		}
	}
	return ""
}
