package auth_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/auth/passkeytest"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

const (
	pages   = "https://tangkal.example"
	pagesRP = "tangkal.example"
)

func (w *world) passkeys(t *testing.T) *auth.Passkeys {
	t.Helper()
	p, err := w.NewPasskeys(pages, "Test")
	if err != nil || !p.On() {
		t.Fatalf("passkeys of %s: on %v, %v", pages, p.On(), err)
	}
	return p
}

// enrolPasskey gives the actor a passkey.
func enrolPasskey(t *testing.T, p *auth.Passkeys, by party.Actor) (*passkeytest.Authenticator, party.Key) {
	t.Helper()
	a := passkeytest.New(t, pages, pagesRP)
	c, err := p.BeginEnrol(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	k, err := p.Enrol(t.Context(), by, auth.PasskeyAnswer{Challenge: c.Challenge, Credential: a.Create(t, c.Options)}, "phone")
	if err != nil {
		t.Fatal(err)
	}
	return a, k
}

// answer asks for a sign-in and lets the authenticator answer.
func answer(t *testing.T, w *world, p *auth.Passkeys, a *passkeytest.Authenticator) auth.PasskeyAnswer {
	t.Helper()
	c := w.NewChallenge()
	options, err := p.SignInOptions(c)
	if err != nil {
		t.Fatal(err)
	}
	return auth.PasskeyAnswer{Challenge: c.ID, Credential: a.Get(t, options)}
}

func TestAPasskeySignsInWithoutAName(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		p := w.passkeys(t)
		ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
		device, key := enrolPasskey(t, p, ana)
		public, err := x509.ParsePKIXPublicKey(key.Public)
		if err != nil || !public.(*ecdsa.PublicKey).Equal(device.Public()) || key.Method != party.Passkey {
			t.Errorf("kept %+v, %v", key, err)
		}
		for range 3 {
			right := answer(t, w, p, device)
			if who, err := p.SignIn(t.Context(), right); err != nil || who != ana.Person {
				t.Fatalf("signed in as %q: %v", who, err)
			}
			who, err := p.SignIn(t.Context(), right)
			wantCode(t, err, fault.Denied, "auth.sign-in-failed")
			if who != "" {
				t.Errorf("the replay signs in %s", who)
			}
		}
		record, err := party.GetPasskey(t.Context(), d, key.ID)
		if err != nil || record.SignCount != 4 || record.LastUsedAt.IsZero() {
			t.Errorf("after three sign-ins: %+v, %v", record, err)
		}
	})
}

func TestAnInvitedPersonJoinsWithAPasskey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		p := w.passkeys(t)
		head := w.person(t, w.party(t, "agency", party.Agency), "head", party.Admin)
		_, secret, err := w.Invite(t.Context(), head, head.Party, "Bo", "bo@agency.example", []party.Role{party.Approver})
		if err != nil {
			t.Fatal(err)
		}
		_, other, err := w.Invite(t.Context(), head, head.Party, "Cy", "cy@agency.example", []party.Role{party.Approver})
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.BeginJoin(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		device := passkeytest.New(t, pages, pagesRP)
		made := auth.PasskeyAnswer{Challenge: c.Challenge, Credential: device.Create(t, c.Options)}
		j := auth.Joining{Name: "Bo", Lang: "en", Zone: "UTC", Label: "phone"}
		if _, err := p.Join(t.Context(), other, j, made); !fault.Is(err, "auth.passkey-refused") {
			t.Errorf("one invitation's ceremony takes up another: %v", err)
		}
		bo, err := p.Join(t.Context(), secret, j, made)
		if err != nil {
			t.Fatal(err)
		}
		if who, err := p.SignIn(t.Context(), answer(t, w, p, device)); err != nil || who != bo.ID {
			t.Errorf("signed in as %q: %v", who, err)
		}
		// A second passkey has the same user handle: one account, one entry.
		second, _ := enrolPasskey(t, p, w.actor(t, bo.ID))
		if string(second.Handle) != string(device.Handle) {
			t.Error("the second passkey stands for another account")
		}
		if _, err := p.Join(t.Context(), secret, j, made); !fault.Is(err, "auth.no-invitation") {
			t.Errorf("the invitation a second time: %v", err)
		}
	})
}

func TestAPasskeySignInIsRefusedWithOneAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		p := w.passkeys(t)
		org := w.party(t, "agency", party.Agency)
		head, ana := w.person(t, org, "head", party.Admin), w.person(t, org, "ana", party.Analyst)
		device, _ := enrolPasskey(t, p, ana)
		late := answer(t, w, p, device)
		w.clock.Advance(5*time.Minute + time.Second)
		but := func(change func(*passkeytest.Authenticator)) auth.PasskeyAnswer {
			a := device.Clone()
			a.Count += 100
			change(a)
			return answer(t, w, p, a)
		}
		gone, goneKey := enrolPasskey(t, p, w.person(t, org, "gone", party.Analyst))
		if err := w.RevokeKey(t.Context(), head, personOf(t, w, goneKey), goneKey.ID); err != nil {
			t.Fatal(err)
		}
		outActor := w.person(t, org, "out", party.Analyst)
		out, _ := enrolPasskey(t, p, outActor)
		if err := w.Deactivate(t.Context(), head, outActor.Person); err != nil {
			t.Fatal(err)
		}
		mixed := answer(t, w, p, device)
		mixed.Challenge = w.NewChallenge().ID
		enrol, err := p.BeginEnrol(t.Context(), ana)
		if err != nil {
			t.Fatal(err)
		}
		for name, a := range map[string]auth.PasskeyAnswer{
			"another origin":       but(func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" }),
			"another port":         but(func(a *passkeytest.Authenticator) { a.Origin = pages + ":8443" }),
			"another party":        but(func(a *passkeytest.Authenticator) { a.RPID = "evil.example" }),
			"nobody verified":      but(func(a *passkeytest.Authenticator) { a.Flags = passkeytest.UserPresent }),
			"nobody present":       but(func(a *passkeytest.Authenticator) { a.Flags = passkeytest.UserVerified }),
			"framed":               but(func(a *passkeytest.Authenticator) { a.CrossOrigin = true }),
			"a registration":       but(func(a *passkeytest.Authenticator) { a.Type = "webauthn.create" }),
			"another's handle":     but(func(a *passkeytest.Authenticator) { a.Handle = out.Handle }),
			"no handle":            but(func(a *passkeytest.Authenticator) { a.Handle = nil }),
			"an unknown key":       but(func(a *passkeytest.Authenticator) { a.ID = []byte("0123456789abcdef") }),
			"another key":          but(func(a *passkeytest.Authenticator) { *a = *withID(passkeytest.New(t, pages, pagesRP), a) }),
			"another challenge":    mixed,
			"a late answer":        late,
			"a revoked passkey":    answer(t, w, p, gone),
			"a deactivated person": answer(t, w, p, out),
			"an enrolment":         {Challenge: enrol.Challenge, Credential: device.Clone().Get(t, enrol.Options)},
			"nothing":              {},
		} {
			who, err := p.SignIn(t.Context(), a)
			if who != "" || fault.Of(err) != fault.Denied || !fault.Is(err, "auth.sign-in-failed") {
				t.Errorf("%s: %q, %v", name, who, err)
			}
		}
		if _, err := p.SignIn(t.Context(), answer(t, w, p, device)); err != nil {
			t.Errorf("the right answer after all that: %v", err)
		}
	})
}

// withID makes a stranger's authenticator say that it is a.
func withID(stranger, a *passkeytest.Authenticator) *passkeytest.Authenticator {
	stranger.ID, stranger.Handle, stranger.Count = a.ID, a.Handle, a.Count
	return stranger
}

func personOf(t *testing.T, w *world, k party.Key) party.PersonID {
	t.Helper()
	k, err := party.GetKey(t.Context(), w.d, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	return k.Person
}

// A passkey whose counter does not rise has been copied (WebAuthn Level 3,
// section 6.1.1); one that never counts goes on to work.
func TestACopiedPasskeyIsNoticed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		p := w.passkeys(t)
		ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
		device, _ := enrolPasskey(t, p, ana)
		copied := device.Clone()
		for range 2 {
			if _, err := p.SignIn(t.Context(), answer(t, w, p, device)); err != nil {
				t.Fatal(err)
			}
		}
		if who, err := p.SignIn(t.Context(), answer(t, w, p, copied)); err == nil {
			t.Errorf("the copy signs in %s", who)
		}
		plain := passkeytest.New(t, pages, pagesRP)
		plain.Count = 0
		c, err := p.BeginEnrol(t.Context(), ana)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Enrol(t.Context(), ana, auth.PasskeyAnswer{Challenge: c.Challenge, Credential: plain.Create(t, c.Options)}, "key"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := p.SignIn(t.Context(), answer(t, w, p, plain)); err != nil {
				t.Errorf("one that does not count: %v", err)
			}
		}
	})
}

func TestAPasskeyIsEnrolledByItsPersonAtThisOrigin(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		p := w.passkeys(t)
		org := w.party(t, "agency", party.Agency)
		ana, bo := w.person(t, org, "ana", party.Analyst), w.person(t, org, "bo", party.Analyst)
		begin := func() auth.Ceremony {
			c, err := p.BeginEnrol(t.Context(), ana)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		made := func(change func(*passkeytest.Authenticator)) auth.PasskeyAnswer {
			a, c := passkeytest.New(t, pages, pagesRP), begin()
			change(a)
			return auth.PasskeyAnswer{Challenge: c.Challenge, Credential: a.Create(t, c.Options)}
		}
		late := made(func(*passkeytest.Authenticator) {})
		w.clock.Advance(31 * time.Minute)
		for name, a := range map[string]auth.PasskeyAnswer{
			"another origin":  made(func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" }),
			"another party":   made(func(a *passkeytest.Authenticator) { a.RPID = "evil.example" }),
			"nobody verified": made(func(a *passkeytest.Authenticator) { a.Flags = passkeytest.UserPresent }),
			"an assertion":    made(func(a *passkeytest.Authenticator) { a.Type = "webauthn.get" }),
			"late":            late,
			"nothing":         {Challenge: begin().Challenge},
		} {
			_, err := p.Enrol(t.Context(), ana, a, "x")
			if fault.Of(err) != fault.Invalid || !fault.Is(err, "auth.passkey-refused") {
				t.Errorf("%s: %v", name, err)
			}
		}
		right := made(func(*passkeytest.Authenticator) {})
		if _, err := p.Enrol(t.Context(), bo, right, "x"); !fault.Is(err, "auth.passkey-refused") {
			t.Errorf("a colleague takes it: %v", err)
		}
		if _, err := p.Enrol(t.Context(), party.Actor{}, right, "x"); !fault.Is(err, "auth.sign-in") {
			t.Errorf("nobody takes it: %v", err)
		}
		machine := ana
		machine.APIKey = "k"
		if _, err := p.Enrol(t.Context(), machine, right, "x"); !fault.Is(err, "auth.sign-in") {
			t.Errorf("a program takes it: %v", err)
		}
		if _, err := p.Enrol(t.Context(), ana, right, "x"); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, `SELECT count(*) FROM passkeys`); n != 1 {
			t.Errorf("%d passkeys are kept, want 1", n)
		}
	})
}

// Whoever can write into the database, but has not the instance's key, gives
// nobody a passkey (threat-model T12).
func TestAPasskeysRowCannotBeForged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		p := w.passkeys(t)
		org := w.party(t, "agency", party.Agency)
		ana, bo := w.person(t, org, "ana", party.Analyst), w.person(t, org, "bo", party.Approver)
		device, key := enrolPasskey(t, p, ana)
		for name, forged := range map[string]string{
			"given to a colleague": fmt.Sprintf(`UPDATE person_keys SET person_id = '%s'`, bo.Person),
			"another public key":   `UPDATE passkeys SET cose = (SELECT public FROM person_keys WHERE person_keys.id = passkeys.key_id)`,
			"another handle":       `UPDATE passkeys SET user_handle = credential_id`,
			"another origin":       `UPDATE passkeys SET origin = 'https://evil.example'`,
		} {
			w.exec(t, `CREATE TABLE kept AS SELECT key_id, cose, user_handle, origin FROM passkeys`)
			w.exec(t, forged)
			a := device.Clone()
			if name == "another handle" {
				a.Handle = a.ID
			}
			if who, err := p.SignIn(t.Context(), answer(t, w, p, a)); err == nil {
				t.Errorf("%s: signs in %s", name, who)
			}
			w.exec(t, `UPDATE passkeys SET cose = (SELECT cose FROM kept), user_handle = (SELECT user_handle FROM kept), origin = (SELECT origin FROM kept)`)
			w.exec(t, `UPDATE person_keys SET person_id = $1 WHERE id = $2`, ana.Person, key.ID)
			w.exec(t, `DROP TABLE kept`)
		}
		if _, err := p.SignIn(t.Context(), answer(t, w, p, device)); err != nil {
			t.Errorf("the rows as they were: %v", err)
		}
	})
}

func TestNobodyRevokesTheirLastWayIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		p := w.passkeys(t)
		org := w.party(t, "agency", party.Agency)
		head, ana := w.person(t, org, "head", party.Admin), w.person(t, org, "ana", party.Analyst)
		_, first := enrolPasskey(t, p, ana)
		wantCode(t, w.RevokeKey(t.Context(), ana, ana.Person, first.ID), fault.Conflict, "auth.last-key")
		browser := w.enrol(t, ana)
		if err := w.RevokeKey(t.Context(), ana, ana.Person, first.ID); err != nil {
			t.Errorf("with a browser key left: %v", err)
		}
		wantCode(t, w.RevokeKey(t.Context(), ana, ana.Person, browser.key), fault.Conflict, "auth.last-key")
		if err := w.RevokeKey(t.Context(), head, ana.Person, browser.key); err != nil {
			t.Errorf("the administrator: %v", err)
		}
	})
}

func TestPasskeysNeedAHostName(t *testing.T) {
	w := start(dbtest.SQLite(t))
	for origin, want := range map[string]bool{
		"https://tangkal.example": true, "https://tangkal.example:8443": true, "http://localhost:8080": true, "http://console.localhost:8080": true,
		"http://tangkal.example": false, "http://127.0.0.1:8080": false, "https://127.0.0.1": false, "https://[::1]:8443": false,
	} {
		p, err := w.NewPasskeys(origin, "Test")
		if err != nil || p.On() != want {
			t.Errorf("%s: on %v (%v), want %v", origin, p.On(), err, want)
		}
	}
	p, err := w.NewPasskeys("http://127.0.0.1:8080", "Test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.SignIn(t.Context(), auth.PasskeyAnswer{Challenge: w.NewChallenge().ID}); !fault.Is(err, "auth.sign-in-failed") {
		t.Errorf("signing in where there are none: %v", err)
	}
	ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
	if _, err := p.BeginEnrol(t.Context(), ana); !fault.Is(err, "auth.no-passkeys") {
		t.Errorf("enrolling where there are none: %v", err)
	}
}
