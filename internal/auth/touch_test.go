package auth_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/auth/passkeytest"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Every act whose table asks for a touch is refused without one, to a person
// with auth.touch and to a program for good.
func TestWhatNeedsATouchIsRefusedWithoutOne(t *testing.T) {
	w := start(dbtest.SQLite(t))
	org := w.party(t, "agency", party.Agency)
	ana, budi := w.person(t, org, "ana", party.Admin), w.person(t, org, "budi", party.Analyst)
	key, _, err := w.AddAPIKey(t.Context(), ana, ana.Person, "k", []auth.Scope{auth.ScopeRead}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	public, _ := newKey(t)
	own, err := w.EnrolKey(t.Context(), ana, public, "laptop")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newKey(t)
	acts := map[string]func(by party.Actor) error{
		"invite": func(by party.Actor) error {
			_, _, err := w.Invite(t.Context(), by, by.Party, "Citra", "citra@agency.example", []party.Role{party.Analyst})
			return err
		},
		"withdraw an invitation": func(by party.Actor) error { return w.RevokeInvitation(t.Context(), by, "none") },
		"change roles": func(by party.Actor) error {
			return w.UpdatePerson(t.Context(), by, party.Person{ID: budi.Person, Name: "budi", Email: "budi@agency.example", Roles: []party.Role{party.Admin}, Lang: "id", Zone: "Asia/Jakarta"})
		},
		"remove somebody": func(by party.Actor) error { return w.Deactivate(t.Context(), by, budi.Person) },
		"end sessions":    func(by party.Actor) error { return w.EndSessions(t.Context(), by, budi.Person, "") },
		"make an API key": func(by party.Actor) error {
			_, _, err := w.AddAPIKey(t.Context(), by, by.Person, "x", []auth.Scope{auth.ScopeRead}, time.Time{})
			return err
		},
		"revoke an API key":       func(by party.Actor) error { return w.RevokeAPIKey(t.Context(), by, key.ID) },
		"revoke a key":            func(by party.Actor) error { return w.RevokeKey(t.Context(), by, by.Person, own.ID) },
		"change the organisation": func(by party.Actor) error { return w.UpdateParty(t.Context(), by, org) },
		"add an organisation": func(by party.Actor) error {
			_, err := w.AddParty(t.Context(), by, party.Party{Code: "other", Kind: party.Platform, Name: "Other", Zone: "UTC"})
			return err
		},
		"end an organisation": func(by party.Actor) error { return w.EndParty(t.Context(), by, "other") },
	}
	before := w.count(t, `SELECT count(*) FROM feed_pending`)
	person, program := ana, ana
	person.Session, person.Touched = "some session", false
	program.APIKey, program.Touched = key.ID, false
	for name, act := range acts {
		wantCode(t, act(person), fault.Denied, "auth.touch")
		wantCode(t, act(program), fault.Denied, "auth.never-by-key")
		if t.Failed() {
			t.Fatalf("at %q", name)
		}
	}
	_, err = w.EnrolKey(t.Context(), person, other, "stranger's")
	wantCode(t, err, fault.Denied, "auth.touch")
	if after := w.count(t, `SELECT count(*) FROM feed_pending`); after != before {
		t.Errorf("%d acts were done", after-before)
	}
}

// here is a site in which ana is signed in, with what her session says of her.
func (w *world) here(t *testing.T, who party.Actor, way auth.Way) (*site, func() party.Actor) {
	t.Helper()
	s := newSite(t, w, false)
	if text, _ := s.get(t, "/in?person="+string(who.Person)+"&way="+string(way)); text != "" {
		t.Fatal(text)
	}
	return s, func() party.Actor { t.Helper(); s.get(t, "/who"); return *s.last }
}

// A touch counts for five minutes, in the session that it was asked of, once,
// and only by a passkey of the person's own that verified them.
func TestATouchCountsForMinutesInItsSession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		ana, budi := w.person(t, org, "ana", party.Admin), w.person(t, org, "budi", party.Admin)
		p := w.passkeys(t)
		mine, another := onlyDevice(enrolPasskey(t, p, ana)), onlyDevice(enrolPasskey(t, p, budi))
		_, session := w.here(t, ana, auth.ByPasskey)
		if !session().Touched {
			t.Error("signing in by passkey is no touch")
		}
		w.clock.Advance(5*time.Minute - time.Second)
		if !session().Touched {
			t.Error("the touch ends too soon")
		}
		w.clock.Advance(time.Second)
		now := session()
		if now.Touched || now.Arrived {
			t.Fatal("after five minutes the touch still counts")
		}
		_, other := w.here(t, ana, auth.ByProvider)
		if o := other(); o.Touched || !o.Arrived {
			t.Errorf("who came by a provider: touched %v, arrived %v", o.Touched, o.Arrived)
		}

		answer := func(by party.Actor, a *passkeytest.Authenticator) auth.PasskeyAnswer {
			c := w.TouchChallenge(by)
			digest := c.Digest()
			options, err := p.SignOptions(t.Context(), by.Person, digest)
			if err != nil || options == "" {
				t.Fatalf("options %q, %v", options, err)
			}
			return auth.PasskeyAnswer{Challenge: c.ID, Credential: a.Get(t, options)}
		}
		but := func(change func(*passkeytest.Authenticator)) *passkeytest.Authenticator {
			a := mine.Clone()
			a.Count += 50
			change(a)
			return a
		}
		signIn := func() auth.PasskeyAnswer {
			c := w.NewChallenge()
			options, err := p.SignInOptions(c)
			if err != nil {
				t.Fatal(err)
			}
			return auth.PasskeyAnswer{Challenge: c.ID, Credential: but(func(*passkeytest.Authenticator) {}).Get(t, options)}
		}
		for name, given := range map[string]auth.PasskeyAnswer{
			"another's passkey": answer(now, another), "another session's": answer(other(), but(func(*passkeytest.Authenticator) {})),
			"nobody verified": answer(now, but(func(a *passkeytest.Authenticator) { a.Flags = passkeytest.UserPresent })),
			"another origin":  answer(now, but(func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" })),
			"a sign-in's":     signIn(),
			"nothing":         {},
		} {
			wantCode(t, p.Touch(t.Context(), now, given), fault.Denied, "auth.touch-failed")
			if session().Touched || t.Failed() {
				t.Fatalf("%s: touched", name)
			}
		}
		late := answer(now, but(func(*passkeytest.Authenticator) {}))
		w.clock.Advance(6 * time.Minute)
		wantCode(t, p.Touch(t.Context(), now, late), fault.Denied, "auth.touch-failed")

		steady := but(func(a *passkeytest.Authenticator) { a.Steady = true; a.Count = 0 })
		w.exec(t, `UPDATE passkeys SET sign_count = 0`)
		right := answer(now, steady)
		if err := p.Touch(t.Context(), now, right); err != nil {
			t.Fatal(err)
		}
		if !session().Touched || other().Touched {
			t.Errorf("touched here %v, there %v", session().Touched, other().Touched)
		}
		w.clock.Advance(touchEnds)
		wantCode(t, p.Touch(t.Context(), now, right), fault.Denied, "auth.touch-failed") // once
		if session().Touched {
			t.Error("the same answer counts twice")
		}
		// A touch written into the table is none.
		w.exec(t, `UPDATE sessions SET touched_at = $1`, db.Micros(w.clock.Now()))
		if session().Touched {
			t.Error("a row of SQL is a touch")
		}
	})
}

const touchEnds = 5*time.Minute + time.Second

// Who has no passkey uses the key that signs them in once more; who has one
// touches it.
func TestATouchByKeyIsForWhoHasNoPasskey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Admin)
		public, private := newKey(t)
		k, err := w.EnrolKey(t.Context(), ana, public, "laptop")
		if err != nil {
			t.Fatal(err)
		}
		_, session := w.here(t, ana, auth.ByKey)
		w.clock.Advance(touchEnds)
		now := session()
		try := func() error {
			c := w.TouchChallenge(now)
			digest := c.Digest()
			return w.TouchByKey(t.Context(), now, c.ID, k.ID, ed25519.Sign(private, digest[:]))
		}
		c := w.TouchChallenge(now)
		wantCode(t, w.TouchByKey(t.Context(), now, c.ID, k.ID, make([]byte, 64)), fault.Denied, "auth.touch-failed")
		if err := try(); err != nil || !session().Touched {
			t.Fatalf("touched %v: %v", session().Touched, err)
		}
		w.clock.Advance(touchEnds)
		enrolPasskey(t, w.passkeys(t), ana)
		wantCode(t, try(), fault.Denied, "auth.touch-failed")
		wantCode(t, w.TouchDemo(t.Context(), now), fault.Denied, "auth.touch-failed")
	})
}

// Whoever came by a provider and has no key adds the first within minutes of
// arriving, and only the first.
func TestTheFirstKeyIsAddedOnArrival(t *testing.T) {
	w := start(dbtest.SQLite(t))
	ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Admin)
	_, session := w.here(t, ana, auth.ByProvider)
	first, _ := newKey(t)
	w.clock.Advance(touchEnds)
	_, err := w.EnrolKey(t.Context(), session(), first, "late")
	wantCode(t, err, fault.Denied, "auth.touch")
	_, session = w.here(t, ana, auth.ByProvider)
	if _, err := w.EnrolKey(t.Context(), session(), first, "laptop"); err != nil {
		t.Fatal(err)
	}
	second, _ := newKey(t)
	_, err = w.EnrolKey(t.Context(), session(), second, "another")
	wantCode(t, err, fault.Denied, "auth.touch")
}

// Whose keys were revoked is given no new one for arriving: whoever revoked them
// could have brought that arrival about.
func TestAKeyOnArrivalIsForWhoNeverHadOne(t *testing.T) {
	w := start(dbtest.SQLite(t))
	org := w.party(t, "agency", party.Agency)
	ana, admin := w.person(t, org, "ana", party.Analyst), w.person(t, org, "admin", party.Admin)
	first, _ := newKey(t)
	k, err := w.EnrolKey(t.Context(), ana, first, "laptop")
	check(t, err)
	check(t, w.RevokeKey(t.Context(), admin, ana.Person, k.ID))
	_, session := w.here(t, ana, auth.ByProvider)
	second, _ := newKey(t)
	_, err = w.EnrolKey(t.Context(), session(), second, "another")
	wantCode(t, err, fault.Denied, "auth.touch")
}

// Sessions are listed with coarse words, and end at once: one, all others, by
// an administrator, with other roles, and with the account; a request in flight
// brings none back.
func TestSessionsAreListedAndEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		ana, admin, stranger := w.person(t, org, "ana", party.Analyst), w.person(t, org, "adi", party.Admin), w.person(t, w.party(t, "other", party.Agency), "sri", party.Admin)
		var sites []*site
		var who []func() party.Actor
		for _, agent := range []string{
			"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
			"curl/8",
		} {
			s := newSite(t, w, false)
			s.agent = agent
			s.get(t, "/in?person="+string(ana.Person)+"&way=passkey")
			sites, who = append(sites, s), append(who, func() party.Actor { s.get(t, "/who"); return *s.last })
			w.clock.Advance(time.Minute)
		}
		me := who[0]()
		list, err := w.Sessions(t.Context(), me, ana.Person)
		if err != nil || len(list) != 3 {
			t.Fatalf("%d sessions, %v", len(list), err)
		}
		words := map[string]string{}
		for _, s := range list {
			words[s.ID] = s.Browser + "/" + s.System
			if s.Began.IsZero() || s.Used.Before(s.Began) || s.Way != auth.ByPasskey {
				t.Errorf("session %+v", s)
			}
		}
		second := who[1]()
		if words[me.Session] != "Firefox/Linux" || words[second.Session] != "Edge/Windows" || words[who[2]().Session] != "/" {
			t.Errorf("devices %v", words)
		}
		if _, err := w.Sessions(t.Context(), stranger, ana.Person); fault.Of(err) != fault.NotFound {
			t.Errorf("a stranger sees the sessions: %v", err)
		}
		if err := w.EndSessions(t.Context(), stranger, ana.Person, ""); fault.Of(err) != fault.NotFound {
			t.Errorf("a stranger ends the sessions: %v", err)
		}
		if err := w.EndSessions(t.Context(), me, ana.Person, who[0]().Session+"x"); fault.Of(err) != fault.NotFound {
			t.Errorf("an unknown session: %v", err)
		}

		// One ends while a request of it is under way: it stays ended.
		held := sites[1].holds(t)
		check(t, w.EndSessions(t.Context(), me, ana.Person, second.Session))
		held()
		sites[1].want(t, "/who", "nobody")
		sites[0].want(t, "/who", "ana")
		check(t, w.EndSessions(t.Context(), me, ana.Person, ""))
		sites[2].want(t, "/who", "nobody")
		sites[0].want(t, "/who", "ana")
		check(t, w.EndSessions(t.Context(), admin, ana.Person, ""))
		sites[0].want(t, "/who", "nobody")

		s, _ := w.here(t, ana, auth.ByPasskey)
		s.want(t, "/who", "ana")
		other := party.Person{ID: ana.Person, Name: "ana", Email: "ana@agency.example", Roles: []party.Role{party.Analyst}, Lang: "en", Zone: "Asia/Jakarta"}
		check(t, w.UpdatePerson(t.Context(), admin, other))
		s.want(t, "/who", "ana") // the same roles
		other.Roles = []party.Role{party.Approver}
		check(t, w.UpdatePerson(t.Context(), admin, other))
		s.want(t, "/who", "nobody")
		s, _ = w.here(t, ana, auth.ByPasskey)
		check(t, w.Deactivate(t.Context(), admin, ana.Person))
		s.want(t, "/who", "nobody")
		if n := w.count(t, `SELECT count(*) FROM sessions WHERE person_id = $1 AND ended_at IS NULL`, ana.Person); n != 0 {
			t.Errorf("%d sessions stand", n)
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// onlyDevice is for where the key's row does not matter.
func onlyDevice(a *passkeytest.Authenticator, _ party.Key) *passkeytest.Authenticator { return a }
