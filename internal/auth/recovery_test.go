package auth_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/auth/passkeytest"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// bureau is an organisation in which somebody loses their keys.
type bureau struct {
	*world
	org                    party.Party
	head, second, approver party.Actor // who may help
	lost, analyst, other   party.Actor // other is the administrator of another organisation
}

func newBureau(t *testing.T, d *db.DB) *bureau {
	t.Helper()
	w := start(d)
	return w.bureau(t, "bureau")
}

func (w *world) bureau(t *testing.T, code string) *bureau {
	t.Helper()
	b := &bureau{world: w, org: w.party(t, code, party.Agency)}
	b.head, b.second = w.person(t, b.org, "head", party.Admin), w.person(t, b.org, "second", party.Admin)
	b.approver, b.analyst = w.person(t, b.org, "approver", party.Approver), w.person(t, b.org, "analyst", party.Analyst)
	b.lost = w.person(t, b.org, "lost", party.Officer, party.Approver)
	b.other = w.person(t, w.party(t, code+"-other", party.Platform), "other", party.Admin, party.Approver)
	return b
}

// opened opens a recovery for lost and returns it with its code.
func (b *bureau) opened(t *testing.T) (auth.Recovery, string) {
	t.Helper()
	r, code, err := b.OpenRecovery(t.Context(), b.head, b.lost.Person)
	if err != nil {
		t.Fatal(err)
	}
	return r, code
}

// confirmed opens and confirms one and returns both halves.
func (b *bureau) confirmed(t *testing.T) (r auth.Recovery, code, secret string) {
	t.Helper()
	r, code = b.opened(t)
	r, secret, err := b.ConfirmRecovery(t.Context(), b.approver, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r, code, secret
}

// use recovers with a new passkey.
func (b *bureau) use(t *testing.T, p *auth.Passkeys, secret, code string) (*passkeytest.Authenticator, error) {
	t.Helper()
	c, err := p.BeginRecover(t.Context(), secret)
	if err != nil {
		return nil, err
	}
	a := passkeytest.New(t, pages, pagesRP)
	_, err = p.Recover(t.Context(), secret, code, auth.PasskeyAnswer{Challenge: c.Challenge, Credential: a.Create(t, c.Options)}, "new phone")
	return a, err
}

// kinds of what the record says of recoveries, in order.
func (b *bureau) recorded(t *testing.T) []string {
	t.Helper()
	kinds, err := db.All(t.Context(), b.d, db.Scalar[string], `SELECT kind FROM feed_pending WHERE kind LIKE 'recovery.%' ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// Two others speak, both halves are brought, and everything older ends.
func TestTwoOthersRecoverSomebodysAccess(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBureau(t, d)
		p := b.passkeys(t)
		old, oldKey := enrolPasskey(t, p, b.lost)
		public, _ := newKey(t)
		browser, err := b.EnrolKey(t.Context(), b.lost, public, "laptop")
		if err != nil {
			t.Fatal(err)
		}
		_, machine, err := b.AddAPIKey(t.Context(), b.lost, b.lost.Person, "script", []auth.Scope{auth.ScopeRead}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		site, _ := b.here(t, b.lost, auth.ByPasskey)
		letEnd := site.holds(t)
		org, err := party.Get(t.Context(), d, b.lost.Party)
		check(t, err)
		op := b.NewProvider(auth.ProviderConfig{Issuer: "https://login.example", Party: org.Code})
		check(t, op.Link(t.Context(), b.lost, b.lost.Person, "subject-1"))

		r, code, secret := b.confirmed(t)
		if r.OpenedBy != b.head.Person || r.ConfirmedBy != b.approver.Person || r.Person != b.lost.Person {
			t.Errorf("confirmed %+v", r)
		}
		if n := b.count(t, `SELECT count(*) FROM recoveries WHERE code IN ($1, $2) OR link = $3`, []byte(code), []byte(strings.ReplaceAll(code, "-", "")), []byte(secret)); n != 0 {
			t.Error("a half lies readable in the database")
		}
		device, err := b.use(t, p, secret, strings.ToLower(strings.ReplaceAll(code, "-", " ")))
		if err != nil {
			t.Fatal(err)
		}
		letEnd() // a request of the old session that was under way
		if who, _ := site.get(t, "/who"); who != "nobody" {
			t.Errorf("the old session is still %s", who)
		}
		if who, err := p.SignIn(t.Context(), answer(t, b.world, p, device)); err != nil || who != b.lost.Person {
			t.Errorf("the new passkey signs in %q, %v", who, err)
		}
		if _, err := p.SignIn(t.Context(), answer(t, b.world, p, old)); err == nil {
			t.Error("the old passkey still signs in")
		}
		if _, err := b.FromAPIKey(t.Context(), machine, false); err == nil {
			t.Error("the old API key still opens")
		}
		_, err = op.PersonOf(t.Context(), auth.Subject{Issuer: "https://login.example", ID: "subject-1"})
		wantCode(t, err, fault.Denied, "auth.provider-unknown")
		for _, id := range []party.KeyID{oldKey.ID, browser.ID} {
			if k, err := party.GetKey(t.Context(), d, id); err != nil || k.RevokedAt.IsZero() {
				t.Errorf("the key %s is %+v, %v", id, k, err)
			}
		}
		if n, err := party.WaysIn(t.Context(), d, b.lost.Person); err != nil || n != 1 {
			t.Errorf("%d ways in, %v", n, err)
		}
		_, err = b.use(t, p, secret, code)
		wantCode(t, err, fault.NotFound, "auth.no-recovery")
		if got := fmt.Sprint(b.recorded(t)); got != "[recovery.opened recovery.confirmed recovery.used]" {
			t.Errorf("recorded %s", got)
		}
	})
}

// Opener, confirmer and person are three, of one organisation, at a browser.
func TestWhoMaySpeakForARecovery(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBureau(t, d)
		open := func(by party.Actor, who party.Actor) error {
			_, _, err := b.OpenRecovery(t.Context(), by, who.Person)
			return err
		}
		stale, program := b.head, b.head
		stale.Touched, stale.Session = false, "some session"
		program.Touched, program.APIKey = false, "key"
		wantCode(t, open(stale, b.lost), fault.Denied, "auth.touch")
		wantCode(t, open(program, b.lost), fault.Denied, "auth.never-by-key")
		wantCode(t, open(b.head, b.head), fault.Denied, "auth.recovery-own")
		wantCode(t, open(b.approver, b.lost), fault.Denied, "auth.not-allowed")
		if k := fault.Of(open(b.other, b.lost)); k != fault.NotFound {
			t.Errorf("another organisation opens: %v", k)
		}
		r, _ := b.opened(t)
		wantCode(t, open(b.second, b.lost), fault.Conflict, "auth.recovery-open")

		confirm := func(by party.Actor) error { _, _, err := b.ConfirmRecovery(t.Context(), by, r.ID); return err }
		stale, program = b.approver, b.approver
		stale.Touched, stale.Session = false, "some session"
		program.Touched, program.APIKey = false, "key"
		wantCode(t, confirm(stale), fault.Denied, "auth.touch")
		wantCode(t, confirm(program), fault.Denied, "auth.never-by-key")
		wantCode(t, confirm(b.head), fault.Denied, "auth.same-person")
		wantCode(t, confirm(b.lost), fault.Denied, "auth.recovery-own") // an approver, too
		wantCode(t, confirm(b.analyst), fault.Denied, "auth.not-allowed")
		if k := fault.Of(confirm(b.other)); k != fault.NotFound {
			t.Errorf("another organisation confirms: %v", k)
		}
		for who, want := range map[party.PersonID]int{b.head.Person: 1, b.approver.Person: 1, b.lost.Person: 1, b.analyst.Person: 0, b.other.Person: 0} {
			if all, err := b.Recoveries(t.Context(), b.actor(t, who)); err != nil || len(all) != want {
				t.Errorf("%s is shown %d, %v; want %d", who, len(all), err, want)
			}
		}
		if err := confirm(b.second); err != nil {
			t.Error(err)
		}
		wantCode(t, confirm(b.approver), fault.Conflict, "auth.recovery-over")
	})
}

// However it ends, its address opens nothing any more, the record says why, and
// the old keys of whoever is still there stand.
func TestWhatEndsARecovery(t *testing.T) {
	type ending struct {
		recorded string
		out      bool // the person is
		end      func(t *testing.T, b *bureau, r auth.Recovery) error
	}
	cancels := func(by func(*bureau) party.Actor) ending {
		return ending{"recovery.cancelled", false, func(t *testing.T, b *bureau, r auth.Recovery) error {
			t.Helper()
			return b.CancelRecovery(t.Context(), by(b), r.ID)
		}}
	}
	removes := func(who func(*bureau) party.Actor, out bool) ending {
		return ending{"recovery.changed", out, func(t *testing.T, b *bureau, _ auth.Recovery) error {
			t.Helper()
			return b.Deactivate(t.Context(), b.second, who(b).Person)
		}}
	}
	changes := func(who func(*bureau) party.Actor) ending {
		return ending{"recovery.changed", false, func(t *testing.T, b *bureau, _ auth.Recovery) error {
			t.Helper()
			return b.becomes(t, who(b), party.Analyst)
		}}
	}
	lost, head := func(b *bureau) party.Actor { return b.lost }, func(b *bureau) party.Actor { return b.head }
	approver, second := func(b *bureau) party.Actor { return b.approver }, func(b *bureau) party.Actor { return b.second }
	for name, e := range map[string]ending{
		"the person cancels": cancels(lost), "the opener cancels": cancels(head), "the confirmer cancels": cancels(approver), "another administrator cancels": cancels(second),
		"the person is removed": removes(lost, true), "the opener is removed": removes(head, false), "the confirmer is removed": removes(approver, false),
		"the person has other roles": changes(lost), "the opener has other roles": changes(head), "the confirmer has other roles": changes(approver),
		"its time":              {"recovery.expired", false, func(_ *testing.T, b *bureau, _ auth.Recovery) error { b.clock.Advance(24 * time.Hour); return nil }},
		"the organisation goes": {"recovery.confirmed", true, func(t *testing.T, b *bureau, _ auth.Recovery) error { t.Helper(); b.closeParty(t, b.org); return nil }},
		"the opener's row was altered": {"recovery.confirmed", false, func(t *testing.T, b *bureau, _ auth.Recovery) error {
			t.Helper()
			b.exec(t, `UPDATE people SET roles = '["admin","officer"]' WHERE id = $1`, b.head.Person)
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBureau(t, dbtest.SQLite(t))
			p := b.passkeys(t)
			device, _ := enrolPasskey(t, p, b.lost)
			r, code, secret := b.confirmed(t)
			if err := e.end(t, b, r); err != nil {
				t.Fatal(err)
			}
			_, err := b.use(t, p, secret, code)
			wantCode(t, err, fault.NotFound, "auth.no-recovery")
			if err := b.SweepRecoveries(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := b.recorded(t); got[len(got)-1] != e.recorded {
				t.Errorf("recorded %v", got)
			}
			if _, err := p.SignIn(t.Context(), answer(t, b.world, p, device)); (err != nil) != e.out {
				t.Errorf("with the old passkey: %v", err)
			}
		})
	}
}

// becomes gives a colleague other roles.
func (b *bureau) becomes(t *testing.T, who party.Actor, roles ...party.Role) error {
	t.Helper()
	p, err := party.GetPerson(t.Context(), b.d, who.Person)
	if err != nil {
		t.Fatal(err)
	}
	p.Roles = roles
	return b.UpdatePerson(t.Context(), b.second, p)
}

// Nobody without a part in it cancels, a program never does, and a session alone
// does not: whoever stole it would keep its owner out.
func TestWhoMayCancelARecovery(t *testing.T) {
	b := newBureau(t, dbtest.SQLite(t))
	r, _ := b.opened(t)
	program := b.lost
	program.APIKey = "key"
	wantCode(t, b.CancelRecovery(t.Context(), program, r.ID), fault.Denied, "auth.sign-in")
	for _, by := range []party.Actor{b.analyst, b.approver, b.other} {
		if err := b.CancelRecovery(t.Context(), by, r.ID); fault.Of(err) != fault.NotFound {
			t.Errorf("%s cancels: %v", by.Name, err)
		}
	}
	for _, by := range []party.Actor{b.lost, b.head, b.second} {
		by.Touched = false
		wantCode(t, b.CancelRecovery(t.Context(), by, r.ID), fault.Denied, "auth.touch")
	}
	if got := b.recorded(t); len(got) != 1 {
		t.Errorf("recorded %v", got)
	}
	check(t, b.CancelRecovery(t.Context(), b.lost, r.ID))
	wantCode(t, b.CancelRecovery(t.Context(), b.head, r.ID), fault.Conflict, "auth.recovery-over")
}

// Whoever can only write rows confirms nothing, leads no recovery to another
// person and brings none back.
func TestAForgedRecoveryOpensNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBureau(t, d)
		p := b.passkeys(t)
		for name, change := range map[string]string{
			"the person": `person_id = '` + string(b.analyst.Person) + `'`, "the organisation": `party_id = '` + string(b.other.Party) + `'`,
			"who opened it": `opened_by = '` + string(b.second.Person) + `'`, "who confirmed it": `confirmed_by = '` + string(b.second.Person) + `'`,
			"the operator's word": `confirmed_by = 'operator'`, "its end": `expires_at = expires_at + 1`, "the moment": `confirmed_at = confirmed_at + 1`,
			"the tries": `tries = tries - 1`, "no mac": `mac = NULL`, "another mac": `mac = code`, "the code": `code = link`, "its id": `id = 'x'`,
		} {
			_, code, secret := b.confirmed(t)
			b.exec(t, `UPDATE recoveries SET `+change)
			if _, err := b.use(t, p, secret, code); !fault.Is(err, "auth.no-recovery") {
				t.Errorf("with %s changed: %v", name, err)
			}
			b.exec(t, `DELETE FROM recoveries`)
		}
		r, code, secret := b.confirmed(t)
		link, err := db.Value[[]byte](t.Context(), d, `SELECT link FROM recoveries WHERE id = $1`, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		// A confirmation written by hand, with the address of another recovery.
		mine, mineCode, err := b.OpenRecovery(t.Context(), b.head, b.analyst.Person)
		if err != nil {
			t.Fatal(err)
		}
		b.exec(t, `UPDATE recoveries SET link = NULL WHERE id = $1`, r.ID)
		b.exec(t, `UPDATE recoveries SET confirmed_by = $2, confirmed_at = opened_at, link = $3 WHERE id = $1`, mine.ID, b.second.Person, link)
		_, err = b.use(t, p, secret, mineCode)
		wantCode(t, err, fault.NotFound, "auth.no-recovery")
		b.exec(t, `UPDATE recoveries SET confirmed_by = NULL, confirmed_at = NULL, link = NULL WHERE id = $1`, mine.ID)
		b.exec(t, `UPDATE recoveries SET link = $2 WHERE id = $1`, r.ID, link)

		// One that ended is put back.
		if err := b.CancelRecovery(t.Context(), b.lost, r.ID); err != nil {
			t.Fatal(err)
		}
		b.exec(t, `UPDATE recoveries SET ended_at = NULL, ended = NULL, ended_by = NULL, link = $2 WHERE id = $1`, r.ID, link)
		_, err = b.use(t, p, secret, code)
		wantCode(t, err, fault.NotFound, "auth.no-recovery")
	})
}

// Five wrong codes end it, however many come at once.
func TestACodeIsNotGuessed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBureau(t, d)
		_, code, secret := b.confirmed(t)
		public, _ := newKey(t)
		for range 4 {
			_, err := b.Recover(t.Context(), secret, "0000-0000", public, "x")
			wantCode(t, err, fault.Invalid, "auth.recovery-code")
		}
		if n := atOnce(8, func() error { _, err := b.Recover(t.Context(), secret, "0000-0000", public, "x"); return err }); n != 0 {
			t.Errorf("%d wrong codes were taken", n)
		}
		_, err := b.Recover(t.Context(), secret, code, public, "x")
		wantCode(t, err, fault.NotFound, "auth.no-recovery")
		if got := fmt.Sprint(b.recorded(t)); got != "[recovery.opened recovery.confirmed recovery.guessed]" {
			t.Errorf("recorded %s", got)
		}
	})
}

// Of many who open, confirm and use at once, one does.
func TestRecoveriesAtOnceCountOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBureau(t, d)
		if n := atOnce(6, func() error { _, _, err := b.OpenRecovery(t.Context(), b.head, b.lost.Person); return err }); n != 1 {
			t.Fatalf("%d opened", n)
		}
		all, err := b.Recoveries(t.Context(), b.head)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d stand, %v", len(all), err)
		}
		if err := b.CancelRecovery(t.Context(), b.head, all[0].ID); err != nil {
			t.Fatal(err)
		}
		r, code := b.opened(t)
		secrets := make(chan string, 6)
		if n := atOnce(6, func() error {
			_, secret, err := b.ConfirmRecovery(t.Context(), b.approver, r.ID)
			if err == nil {
				secrets <- secret
			}
			return err
		}); n != 1 {
			t.Fatalf("%d confirmed", n)
		}
		secret := <-secrets
		if n := atOnce(6, func() error {
			public, _ := newKey(t)
			_, err := b.Recover(t.Context(), secret, code, public, "x")
			return err
		}); n != 1 {
			t.Errorf("%d keys were made", n)
		}
		if n, err := party.WaysIn(t.Context(), d, b.lost.Person); err != nil || n != 1 {
			t.Errorf("%d ways in, %v", n, err)
		}
	})
}

// Somebody who began to sign in with an old key just before is not in after.
func TestASignInUnderWayEndsWithARecovery(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBureau(t, d)
		_, code, secret := b.confirmed(t)
		since := b.clock.Now() // the old key was checked here
		b.clock.Advance(time.Second)
		public, _ := newKey(t)
		if _, err := b.Recover(t.Context(), secret, code, public, "x"); err != nil {
			t.Fatal(err)
		}
		for at, want := range map[time.Time]string{since: "nobody", b.clock.Now(): "lost"} {
			s := newSite(t, b.world, false)
			q := url.Values{"person": {string(b.lost.Person)}, "way": {string(auth.ByKey)}, "since": {at.Format(time.RFC3339Nano)}}
			if text, _ := s.get(t, "/in?"+q.Encode()); text != "" {
				t.Fatal(text)
			}
			if who, _ := s.get(t, "/who"); who != want {
				t.Errorf("a session since %s is %s's, want %s", at, who, want)
			}
		}
	})
}

// The console speaks only where the organisation has nobody, and once.
func TestTheConsoleIsOneVoice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBureau(t, d)
		p := b.passkeys(t)
		_, _, err := b.OperatorRecover(t.Context(), b.lost.Person)
		wantCode(t, err, fault.Conflict, "auth.recovery-enough")
		b.opened(t)
		_, _, err = b.OperatorRecover(t.Context(), b.lost.Person)
		wantCode(t, err, fault.Conflict, "auth.recovery-enough")

		small := b.party(t, "small", party.Platform)
		head, staff := b.person(t, small, "solo", party.Admin), b.person(t, small, "staff", party.Analyst)
		r, code, err := b.OpenRecovery(t.Context(), head, staff.Person)
		if err != nil {
			t.Fatal(err)
		}
		r2, secret, err := b.OperatorRecover(t.Context(), staff.Person)
		if err != nil || r2.ID != r.ID || r2.ConfirmedBy != auth.Operator {
			t.Fatalf("%+v, %v", r2, err)
		}
		if _, err := b.use(t, p, secret, code); err != nil {
			t.Error(err)
		}

		// The only administrator lost theirs: the console opens, a colleague confirms.
		approver := b.person(t, small, "approver", party.Approver)
		r, code, err = b.OperatorRecover(t.Context(), head.Person)
		if err != nil || !r.Open() || r.OpenedBy != auth.Operator {
			t.Fatalf("%+v, %v", r, err)
		}
		_, _, err = b.OperatorRecover(t.Context(), head.Person)
		wantCode(t, err, fault.Conflict, "auth.recovery-enough")
		if _, secret, err = b.ConfirmRecovery(t.Context(), approver, r.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.use(t, p, secret, code); err != nil {
			t.Error(err)
		}

		alone := b.person(t, b.party(t, "alone", party.Platform), "alone", party.Admin)
		if _, _, err := b.OperatorRecover(t.Context(), alone.Person); err != nil {
			t.Fatal(err)
		}
		_, _, err = b.OperatorRecover(t.Context(), alone.Person)
		wantCode(t, err, fault.Conflict, "auth.recovery-operator")
		n := b.count(t, `SELECT count(*) FROM feed_pending WHERE kind LIKE 'recovery.%' AND data LIKE '%"operator":true%' AND actor_person IS NULL`)
		if n != 3 {
			t.Errorf("%d entries name the operator, want 3", n)
		}
	})
}
