package auth_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Somebody who can write rows holds a key of their own, knows every other row,
// and changes each column in turn, or puts in a key whose secret they know.
func TestForgedAPIKeys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "tangkal-daring", party.Agency)
		me, officer := w.person(t, org, "ana", party.Analyst), w.person(t, org, "budi", party.Admin)
		other := w.party(t, "ruangsuara", party.Platform)
		known := "tgk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		sum := sha256.Sum256([]byte(known))
		forgeries := map[string]struct {
			statement string
			args      []any
		}{
			"id":         {`UPDATE api_keys SET id = 'x' || id WHERE id = $1`, nil},
			"person_id":  {`UPDATE api_keys SET person_id = $2 WHERE id = $1`, []any{string(officer.Person)}},
			"party_id":   {`UPDATE api_keys SET party_id = $2 WHERE id = $1`, []any{string(other.ID)}},
			"label":      {`UPDATE api_keys SET label = 'other' WHERE id = $1`, nil},
			"scopes":     {`UPDATE api_keys SET scopes = '["read","write"]' WHERE id = $1`, nil},
			"no scopes":  {`UPDATE api_keys SET scopes = '{' WHERE id = $1`, nil},
			"prefix":     {`UPDATE api_keys SET prefix = 'tgk_zzzz' WHERE id = $1`, nil},
			"created_at": {`UPDATE api_keys SET created_at = 1 WHERE id = $1`, nil},
			"expires_at": {`UPDATE api_keys SET expires_at = NULL WHERE id = $1`, nil},
			"hash":       {`UPDATE api_keys SET hash = $2 WHERE id = $1`, []any{sum[:]}},
			"mac":        {`UPDATE api_keys SET mac = NULL WHERE id = $1`, nil},
			"a copy": {`INSERT INTO api_keys (id, hash, party_id, person_id, label, scopes, prefix, created_at, mac)
				SELECT 'copy', $2, party_id, person_id, label, scopes, prefix, created_at, mac FROM api_keys WHERE id = $1`, []any{sum[:]}},
		}
		covered(t, d, "api_keys", []string{"last_used_at", "revoked_at"}, func(c string) bool { _, ok := forgeries[c]; return ok })
		for name, f := range forgeries {
			k, secret, err := w.AddAPIKey(t.Context(), me, me.Person, "mine", []auth.Scope{auth.ScopeRead}, w.clock.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if a, err := w.FromAPIKey(t.Context(), secret, false); err != nil || a.Person != me.Person {
				t.Fatalf("%s: the key as it was made: %v, %v", name, a, err)
			}
			w.exec(t, f.statement, append([]any{k.ID}, f.args...)...)
			if a, err := w.FromAPIKey(t.Context(), known, false); fault.Of(err) != fault.Denied {
				t.Errorf("%s: a secret of the forger's own opens as %v (%v)", name, a.Person, err)
			}
			if a, err := w.FromAPIKey(t.Context(), secret, false); fault.Of(err) != fault.Denied && name != "a copy" {
				t.Errorf("%s: the altered key opens as %v (%v)", name, a.Person, err)
			}
			if ids, err := w.AlteredKeys(t.Context()); err != nil || len(ids) != 1 {
				t.Errorf("%s: %v are told to be altered (%v), want one", name, ids, err)
			}
			w.exec(t, `DELETE FROM api_keys WHERE id <> $1`, "")
		}
	})
}

// covered fails for a column of a table that is neither forged nor left free on
// purpose.
func covered(t *testing.T, d *db.DB, table string, free []string, forged func(column string) bool) {
	t.Helper()
	tables, err := db.Tables(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, in := range tables {
		if in.Name != table {
			continue
		}
		seen = true
	columns:
		for _, c := range in.Columns {
			for _, f := range free {
				if c == f {
					continue columns
				}
			}
			if !forged(c) {
				t.Errorf("nobody forges %s.%s: put it under the MAC and into this test", table, c)
			}
		}
	}
	if !seen {
		t.Errorf("there is no table %s", table)
	}
}

// A revoked key does not come back by SQL, whichever way it was revoked.
func TestARevokedKeyStaysRevoked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "tangkal-daring", party.Agency)
		admin, leaver := w.person(t, org, "admin", party.Admin), w.person(t, org, "leaver", party.Analyst)
		for name, revoke := range map[string]func(id string) error{
			"by its identifier": func(id string) error { return w.RevokeAPIKey(t.Context(), admin, id) },
			"with its person":   func(string) error { return w.Deactivate(t.Context(), admin, leaver.Person) },
		} {
			person := admin.Person
			if name == "with its person" {
				person = leaver.Person
			}
			k, secret, err := w.AddAPIKey(t.Context(), admin, person, "mine", []auth.Scope{auth.ScopeRead}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if err := revoke(k.ID); err != nil {
				t.Fatal(err)
			}
			w.exec(t, `UPDATE api_keys SET revoked_at = NULL WHERE id = $1`, k.ID)
			w.exec(t, `UPDATE people SET active = TRUE, deactivated_at = NULL WHERE id = $1`, string(leaver.Person))
			if a, err := w.FromAPIKey(t.Context(), secret, false); fault.Of(err) != fault.Denied {
				t.Errorf("revoked %s: opens as %v (%v)", name, a.Person, err)
			}
		}
	})
}

// Keys from before there were MACs go on opening what they opened, and what is
// put in afterwards in the old way opens nothing.
func TestSealOldKeys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		me := w.person(t, w.party(t, "tangkal-daring", party.Agency), "ana", party.Analyst)
		k, secret, err := w.AddAPIKey(t.Context(), me, me.Person, "mine", []auth.Scope{auth.ScopeRead}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(secret))
		old := func() { w.exec(t, `UPDATE api_keys SET hash = $2, mac = NULL WHERE id = $1`, k.ID, sum[:]) }
		old()
		if err := w.SealOldKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.SealOldKeys(t.Context()); err != nil { // as after a crash
			t.Fatal(err)
		}
		a, err := w.FromAPIKey(t.Context(), secret, false)
		if diff := cmp.Diff(me.Person, a.Person); diff != "" || err != nil {
			t.Errorf("the old key opens as %v, %v", a, err)
		}
		old()
		if _, err := w.FromAPIKey(t.Context(), secret, false); fault.Of(err) != fault.Denied {
			t.Errorf("a row in the old way: %v", err)
		}
	})
}
