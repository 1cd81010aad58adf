package auth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

var both = []auth.Scope{auth.ScopeRead, auth.ScopeWrite}

func (w *world) apiKey(t *testing.T, by party.Actor, scopes []auth.Scope, expires time.Time) (auth.APIKey, string) {
	t.Helper()
	k, secret, err := w.AddAPIKey(t.Context(), by, by.Person, "client", scopes, expires)
	if err != nil {
		t.Fatal(err)
	}
	return k, secret
}

func TestAnAPIKeyActsAsItsPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		ana := w.person(t, w.party(t, "platform", party.Platform), "ana", party.Analyst, party.Admin)
		k, secret := w.apiKey(t, ana, both, time.Time{})
		got, err := w.FromAPIKey(t.Context(), secret, true)
		if err != nil {
			t.Fatal(err)
		}
		if got.Person != ana.Person || got.Party != ana.Party || got.APIKey != k.ID || got.Session != "" {
			t.Errorf("the key acts as %+v", got)
		}
		if !strings.HasPrefix(secret, "tgk_") || len(secret) != len("tgk_")+32 {
			t.Errorf("secret of %d characters, want tgk_ and 160 bits", len(secret))
		}
		sum := sha256.Sum256([]byte(secret))
		if n := w.count(t, `SELECT count(*) FROM api_keys WHERE hash = $1`, sum[:]); n != 0 {
			t.Error("the key is stored under a hash that anybody can compute")
		}
		keys, err := w.APIKeys(t.Context(), ana)
		if err != nil || len(keys) != 1 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if want := w.clock.Now().Truncate(time.Hour); !keys[0].LastUsed.Equal(want) {
			t.Errorf("last used %v, want the hour %v", keys[0].LastUsed, want)
		}
	})
}

// TestNothingButTheSecretOpens offers everything that somebody may have seen.
func TestNothingButTheSecretOpens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "platform", party.Platform)
		ana := w.person(t, org, "ana", party.Analyst, party.Admin)
		k, secret := w.apiKey(t, ana, both, time.Time{})
		public, _ := newKey(t)
		signing, err := w.EnrolKey(t.Context(), ana, public, "browser")
		if err != nil {
			t.Fatal(err)
		}
		_, invite, err := w.Invite(t.Context(), ana, org.ID, "Bo", "bo@platform.example", []party.Role{party.Analyst})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(secret))
		for _, offered := range []string{
			"", " ", "tgk_", secret[:8], secret[:len(secret)-1], secret + "a", " " + secret, strings.ToUpper(secret), strings.TrimPrefix(secret, "tgk_"),
			"tgk_" + strings.Repeat("a", 32), "tgk_" + strings.Repeat("%", 32), k.ID, k.Prefix, "tgk_" + k.ID, hex.EncodeToString(sum[:]), string(sum[:]),
			string(ana.Person), string(ana.Party), string(signing.ID), org.Code, "ana@platform.example", "ana", invite, "tgk_" + strings.TrimPrefix(invite, "tgi_"),
		} {
			for _, write := range []bool{false, true} {
				a, err := w.FromAPIKey(t.Context(), offered, write)
				wantCode(t, err, fault.Denied, "auth.bad-key")
				if a.Known() {
					t.Errorf("%q acts as %s", offered, a.Name)
				}
			}
		}
	})
}

func TestAnEndedKeyIsAWrongOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, end := range map[string]func(w *world, ana, head party.Actor, k auth.APIKey) error{
			"revoked": func(w *world, _, head party.Actor, k auth.APIKey) error {
				return w.RevokeAPIKey(t.Context(), head, k.ID)
			},
			"expired": func(w *world, _, _ party.Actor, _ auth.APIKey) error {
				w.clock.Advance(time.Hour)
				return nil
			},
			"of somebody deactivated": func(w *world, ana, head party.Actor, _ auth.APIKey) error {
				return w.Deactivate(t.Context(), head, ana.Person)
			},
		} {
			w := start(d)
			org := w.party(t, "p-"+strings.ReplaceAll(name, " ", "-"), party.Platform)
			ana, head := w.person(t, org, "ana", party.Analyst), w.person(t, org, "head", party.Admin)
			k, secret := w.apiKey(t, ana, both, w.clock.Now().Add(time.Hour))
			if _, err := w.FromAPIKey(t.Context(), secret, true); err != nil {
				t.Fatalf("%s: before: %v", name, err)
			}
			if err := end(w, ana, head, k); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, err := w.FromAPIKey(t.Context(), secret, false)
			wantCode(t, err, fault.Denied, "auth.bad-key")
		}
	})
}

func TestAReadOnlyKeyOnlyReads(t *testing.T) {
	w := start(dbtest.SQLite(t))
	ana := w.person(t, w.party(t, "platform", party.Platform), "ana", party.Analyst)
	_, secret := w.apiKey(t, ana, []auth.Scope{auth.ScopeRead}, time.Time{})
	if _, err := w.FromAPIKey(t.Context(), secret, false); err != nil {
		t.Error(err)
	}
	_, err := w.FromAPIKey(t.Context(), secret, true)
	wantCode(t, err, fault.Denied, "auth.read-only-key")
}

func TestKeysOfOtherOrganisationsAreAbsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		own, other := w.party(t, "own", party.Platform), w.party(t, "other", party.Platform)
		head, stranger := w.person(t, own, "head", party.Admin), w.person(t, other, "head", party.Admin)
		analyst := w.person(t, own, "ana", party.Analyst)
		k, secret := w.apiKey(t, head, both, time.Time{})

		if _, _, err := w.AddAPIKey(t.Context(), head, stranger.Person, "x", both, time.Time{}); fault.Of(err) != fault.NotFound {
			t.Errorf("a key for another organisation's person: %v", err)
		}
		if _, _, err := w.AddAPIKey(t.Context(), analyst, head.Person, "x", both, time.Time{}); fault.Of(err) != fault.Denied {
			t.Errorf("an analyst makes a key for the administrator: %v", err)
		}
		if _, _, err := w.AddAPIKey(t.Context(), party.Actor{}, "", "x", both, time.Time{}); err == nil {
			t.Error("nobody makes a key")
		}
		if err := w.RevokeAPIKey(t.Context(), stranger, k.ID); fault.Of(err) != fault.NotFound {
			t.Errorf("another organisation revokes the key: %v", err)
		}
		if err := w.RevokeAPIKey(t.Context(), analyst, k.ID); fault.Of(err) != fault.Denied {
			t.Errorf("an analyst revokes the key: %v", err)
		}
		if keys, err := w.APIKeys(t.Context(), stranger); err != nil || len(keys) != 0 {
			t.Errorf("another organisation lists %d keys, %v", len(keys), err)
		}
		if _, err := w.FromAPIKey(t.Context(), secret, true); err != nil {
			t.Errorf("after all that the key fails: %v", err)
		}
	})
}

func TestABadKeyRequestNamesEveryFault(t *testing.T) {
	w := start(dbtest.SQLite(t))
	ana := w.person(t, w.party(t, "own", party.Platform), "ana", party.Analyst)
	_, _, err := w.AddAPIKey(t.Context(), ana, ana.Person, strings.Repeat("x", 101), []auth.Scope{"root"}, w.clock.Now())
	e, ok := fault.As(err)
	if !ok || len(e.Parts) != 3 {
		t.Fatalf("got %v, want faults at label, scopes and expires_at", err)
	}
	if n := w.count(t, `SELECT count(*) FROM api_keys`); n != 0 {
		t.Errorf("%d keys were made", n)
	}
}

// A key that got into wrong hands leaves no other behind when it is revoked.
func TestAKeyMakesNoKey(t *testing.T) {
	w := start(dbtest.SQLite(t))
	head := w.person(t, w.party(t, "agency", party.Agency), "head", party.Admin)
	_, secret := w.apiKey(t, head, both, time.Time{})
	machine, err := w.FromAPIKey(t.Context(), secret, true)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.AddAPIKey(t.Context(), machine, head.Person, "another", both, time.Time{})
	wantCode(t, err, fault.Denied, "auth.never-by-key")
	if keys, err := w.APIKeys(t.Context(), head); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v; want the first alone", len(keys), err)
	}
}
