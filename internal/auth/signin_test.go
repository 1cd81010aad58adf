package auth_test

import (
	"crypto/ed25519"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// enrolled is a person with a browser key that they hold.
type enrolled struct {
	party.Actor
	key     party.KeyID
	private ed25519.PrivateKey
}

func (w *world) enrol(t *testing.T, a party.Actor) enrolled {
	t.Helper()
	public, private := newKey(t)
	k, err := w.EnrolKey(t.Context(), a, public, "browser")
	if err != nil {
		t.Fatal(err)
	}
	return enrolled{a, k.ID, private}
}

func (w *world) challenge(t *testing.T) auth.Challenge {
	t.Helper()
	return w.NewChallenge()
}

func (e enrolled) sign(c auth.Challenge) []byte {
	digest := c.Digest()
	return ed25519.Sign(e.private, digest[:])
}

func TestAKeySignsInOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		ana := w.enrol(t, w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst))
		c := w.challenge(t)
		signature := ana.sign(c)
		who, err := w.SignIn(t.Context(), c.ID, ana.key, signature)
		if err != nil || who != ana.Person {
			t.Fatalf("signed in as %q: %v", who, err)
		}
		who, err = w.SignIn(t.Context(), c.ID, ana.key, signature)
		wantCode(t, err, fault.Denied, "auth.sign-in-failed")
		if who != "" {
			t.Errorf("the replay signs in %s", who)
		}
	})
}

func TestOneSignatureSentManyTimesAtOnceSignsInOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		ana := w.enrol(t, w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst))
		for range 10 {
			c := w.challenge(t)
			signature := ana.sign(c)
			if n := atOnce(4, func() error { _, err := w.SignIn(t.Context(), c.ID, ana.key, signature); return err }); n != 1 {
				t.Fatalf("one challenge signed in %d times", n)
			}
		}
	})
}

// atOnce runs f n times at the same time and returns how often it succeeded.
func atOnce(n int, f func() error) int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	ready, ok := make(chan struct{}), 0
	for range n {
		wg.Go(func() {
			<-ready
			if f() == nil {
				mu.Lock()
				ok++
				mu.Unlock()
			}
		})
	}
	close(ready)
	wg.Wait()
	return ok
}

func TestSigningInIsRefusedWithOneAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		ana, bo := w.enrol(t, w.person(t, org, "ana", party.Analyst)), w.enrol(t, w.person(t, org, "bo", party.Analyst))
		late := w.challenge(t)
		w.clock.Advance(5*time.Minute + time.Second)
		gone, out := w.enrol(t, w.person(t, org, "gone", party.Analyst)), w.enrol(t, w.person(t, org, "out", party.Analyst))
		head := w.person(t, org, "head", party.Admin)
		if err := w.RevokeKey(t.Context(), head, gone.Person, gone.key); err != nil {
			t.Fatal(err)
		}
		if err := w.Deactivate(t.Context(), head, out.Person); err != nil {
			t.Fatal(err)
		}
		if _, err := w.FirstRun(t.Context()); err != nil {
			t.Fatal(err)
		}
		other := w.challenge(t)
		for name, c := range map[string]struct {
			challenge auth.Challenge
			key       party.KeyID
			signature func(auth.Challenge) []byte
		}{
			"another's signature":   {w.challenge(t), ana.key, bo.sign},
			"another challenge":     {w.challenge(t), ana.key, func(auth.Challenge) []byte { return ana.sign(other) }},
			"the nonce itself":      {w.challenge(t), ana.key, func(c auth.Challenge) []byte { return ed25519.Sign(ana.private, c.Nonce) }},
			"no signature":          {w.challenge(t), ana.key, func(auth.Challenge) []byte { return nil }},
			"half a signature":      {w.challenge(t), ana.key, func(c auth.Challenge) []byte { return ana.sign(c)[:32] }},
			"an unknown key":        {w.challenge(t), "0123456789abcdef", ana.sign},
			"a person as key":       {w.challenge(t), party.KeyID(ana.Person), ana.sign},
			"no key":                {w.challenge(t), "", ana.sign},
			"a revoked key":         {w.challenge(t), gone.key, gone.sign},
			"a deactivated person":  {w.challenge(t), out.key, out.sign},
			"a late answer":         {late, ana.key, ana.sign},
			"an invented challenge": {auth.Challenge{ID: db.NewID(), Nonce: make([]byte, 32)}, ana.key, ana.sign},
			"no challenge":          {auth.Challenge{}, ana.key, ana.sign},
		} {
			who, err := w.SignIn(t.Context(), c.challenge.ID, c.key, c.signature(c.challenge))
			if who != "" || fault.Of(err) != fault.Denied || !fault.Is(err, "auth.sign-in-failed") {
				t.Errorf("%s: %q, %v", name, who, err)
			}
		}
		if _, err := w.SignIn(t.Context(), other.ID, ana.key, ana.sign(other)); err != nil {
			t.Errorf("the right answer after all that: %v", err)
		}
	})
}

// Asking for challenges and answering them wrongly leaves nothing behind, so
// that nobody can fill the database without a key (threat-model T03).
func TestChallengesCostNothingToKeep(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		ana := w.enrol(t, w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst))
		var c auth.Challenge
		for range 100 {
			c = w.challenge(t)
			if _, err := w.SignIn(t.Context(), c.ID, ana.key, make([]byte, ed25519.SignatureSize)); err == nil {
				t.Fatal("zeros sign in")
			}
		}
		if n := w.count(t, `SELECT count(*) FROM challenges`); n != 0 {
			t.Errorf("%d rows are left of a hundred challenges", n)
		}
		if _, err := w.SignIn(t.Context(), c.ID, ana.key, ana.sign(c)); err != nil {
			t.Errorf("the right answer after a wrong one: %v", err)
		}
	})
}

// A challenge that was answered stays answered though the clock is set back
// behind its end, and one whose bytes were changed was never ours.
func TestAChallengeIsOursAndSpentForGood(t *testing.T) {
	w := start(dbtest.SQLite(t))
	ana := w.enrol(t, w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst))
	c := w.challenge(t)
	if _, err := w.SignIn(t.Context(), c.ID, ana.key, ana.sign(c)); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	next := w.challenge(t)
	if _, err := w.SignIn(t.Context(), next.ID, ana.key, ana.sign(next)); err != nil { // sweeps
		t.Fatal(err)
	}
	w.clock.Advance(-time.Hour)
	_, err := w.SignIn(t.Context(), c.ID, ana.key, ana.sign(c))
	wantCode(t, err, fault.Denied, "auth.sign-in-failed")

	fresh := w.challenge(t)
	for i := range fresh.ID {
		forged := []byte(fresh.ID)
		forged[i] ^= 1
		if _, err := w.SignIn(t.Context(), string(forged), ana.key, ana.sign(fresh)); err == nil {
			t.Errorf("a challenge with byte %d changed signs in", i)
		}
	}
}

func TestSigningKeysBelongToTheirPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		own, other := w.party(t, "own", party.Agency), w.party(t, "other", party.Agency)
		ana, bo := w.enrol(t, w.person(t, own, "ana", party.Analyst)), w.enrol(t, w.person(t, own, "bo", party.Analyst))
		head, stranger := w.person(t, own, "head", party.Admin), w.person(t, other, "head", party.Admin)

		_, err := w.EnrolKey(t.Context(), bo.Actor, ana.private.Public().(ed25519.PublicKey), "stolen")
		wantCode(t, err, fault.Conflict, "party.key-taken")
		_, err = w.EnrolKey(t.Context(), party.Actor{}, make([]byte, 32), "x")
		wantCode(t, err, fault.Denied, "auth.sign-in")
		_, err = w.EnrolKey(t.Context(), ana.Actor, make([]byte, 31), "x")
		wantCode(t, err, fault.Invalid, "party.key-size")

		for name, c := range map[string]struct {
			by     party.Actor
			person party.PersonID
			key    party.KeyID
			want   fault.Kind
		}{
			"a colleague":                       {bo.Actor, ana.Person, ana.key, fault.Denied},
			"another organisation's admin":      {stranger, ana.Person, ana.key, fault.NotFound},
			"a key of somebody else, as one's":  {bo.Actor, bo.Person, ana.key, fault.NotFound},
			"an admin, under the wrong person":  {head, bo.Person, ana.key, fault.NotFound},
			"nobody":                            {party.Actor{}, ana.Person, ana.key, fault.Denied},
			"an admin, of a person not there":   {head, "no-such-person", ana.key, fault.NotFound},
			"an admin, of a key that is absent": {head, ana.Person, "0123456789abcdef", fault.NotFound},
		} {
			if err := w.RevokeKey(t.Context(), c.by, c.person, c.key); fault.Of(err) != c.want {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		w.enrol(t, bo.Actor) // another way in is left
		for name, by := range map[string]party.Actor{"its person": bo.Actor, "the administrator": head} {
			e := map[string]enrolled{"its person": bo, "the administrator": ana}[name]
			if err := w.RevokeKey(t.Context(), by, e.Person, e.key); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := w.RevokeKey(t.Context(), by, e.Person, e.key); fault.Of(err) != fault.NotFound {
				t.Errorf("%s, a second time: %v", name, err)
			}
		}
	})
}

func TestAMachinesKeySignsAsAMachine(t *testing.T) {
	w := start(dbtest.SQLite(t))
	ana := w.person(t, w.party(t, "platform", party.Platform), "ana", party.Analyst)
	_, secret := w.apiKey(t, ana, both, time.Time{})
	machine, err := w.FromAPIKey(t.Context(), secret, true)
	if err != nil {
		t.Fatal(err)
	}
	for want, by := range map[party.Method]party.Actor{party.Automation: machine, party.BrowserKey: ana} {
		public, _ := newKey(t)
		if k, err := w.EnrolKey(t.Context(), by, public, "x"); err != nil || k.Method != want {
			t.Errorf("enrolled as %s (%v), want %s", k.Method, err, want)
		}
	}
}

func TestAnAdministratorStaysInCharge(t *testing.T) {
	w := start(dbtest.SQLite(t))
	own, other := w.party(t, "own", party.Agency), w.party(t, "other", party.Agency)
	head, ana := w.person(t, own, "head", party.Admin), w.person(t, own, "ana", party.Analyst)
	stranger := w.person(t, other, "stranger", party.Admin)

	wantCode(t, w.Deactivate(t.Context(), head, head.Person), fault.Conflict, "auth.not-yourself")
	if err := w.Deactivate(t.Context(), ana, head.Person); fault.Of(err) != fault.Denied {
		t.Errorf("an analyst deactivates the administrator: %v", err)
	}
	if err := w.Deactivate(t.Context(), stranger, ana.Person); fault.Of(err) != fault.NotFound {
		t.Errorf("another organisation deactivates: %v", err)
	}

	changed := party.Person{ID: head.Person, Name: "head", Email: "head@own.example", Roles: []party.Role{party.Analyst}, Lang: "en", Zone: "UTC"}
	wantCode(t, w.UpdatePerson(t.Context(), head, changed), fault.Conflict, "auth.not-yourself")
	changed.ID, changed.Roles = ana.Person, []party.Role{party.Approver}
	if err := w.UpdatePerson(t.Context(), stranger, changed); fault.Of(err) != fault.NotFound {
		t.Errorf("another organisation changes roles: %v", err)
	}
	if err := w.UpdatePerson(t.Context(), ana, changed); fault.Of(err) != fault.Denied {
		t.Errorf("an analyst makes herself approver: %v", err)
	}
	if err := w.UpdatePerson(t.Context(), head, changed); err != nil {
		t.Fatal(err)
	}
	if got := w.actor(t, ana.Person); !got.Has(party.Approver) || got.Has(party.Analyst) || got.Lang != "en" {
		t.Errorf("after the change: %+v", got)
	}
}
