package party_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Somebody who can write rows changes each column of the rows that say who may
// do what. What they changed is as if it were absent, and named to whoever asks
// what was altered; put back, it holds again.
func TestForgedRowsAreAbsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC)
		var org party.Party
		var who party.Person
		var key party.Key
		write := func(f func(ctx context.Context, tx *db.Tx) error) {
			t.Helper()
			if err := d.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		write(func(ctx context.Context, tx *db.Tx) (err error) {
			if org, err = party.Add(ctx, tx, party.Party{Code: "tangkal-daring", Kind: party.Agency, Name: "Org", Zone: "Asia/Jakarta"}, now); err != nil {
				return err
			}
			who, err = party.AddPerson(ctx, tx, party.Person{Party: org.ID, Name: "Ana", Email: "ana@org.example", Roles: []party.Role{party.Analyst}, Lang: "id", Zone: "UTC"}, now)
			if err != nil {
				return err
			}
			public := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
			key, err = party.AddKey(ctx, tx, party.Key{Person: who.ID, Method: party.BrowserKey, Public: public}, now)
			return err
		})
		tables, err := db.Tables(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		look := map[string]func() error{
			"parties": func() error { _, err := party.Get(t.Context(), d, org.ID); return err },
			"people":  func() error { _, err := party.GetPerson(t.Context(), d, who.ID); return err },
			"person_keys": func() error {
				_, err := party.GetKey(t.Context(), d, key.ID)
				return err
			},
		}
		forged := 0
		for _, table := range tables {
			if look[table.Name] == nil {
				continue
			}
			for _, c := range table.Columns {
				if c == "id" || c == "party_id" || c == "person_id" {
					continue // see TestAnotherRowsMACIsNoProof
				}
				what := table.Name + "." + c
				to := "'forged'"
				switch {
				case c == "active":
					to = "NOT " + c
				case c == "mac":
					to = "NULL"
				case c == "public":
					to = "mac"
				case c == "created_at" || c == "deactivated_at" || c == "revoked_at":
					to = "1"
				case c == "roles" || c == "languages" || c == "platform_kinds":
					to = `'["officer"]'`
				}
				write(func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Exec(ctx, `CREATE TABLE kept AS SELECT * FROM `+table.Name)
					if err == nil {
						_, err = tx.Exec(ctx, `UPDATE `+table.Name+` SET `+c+` = `+to)
					}
					return err
				})
				if err := look[table.Name](); fault.Of(err) != fault.NotFound {
					t.Errorf("%s: the altered row is read: %v", what, err)
				}
				if found, err := party.Altered(t.Context(), d); err != nil || len(found) != 1 {
					t.Errorf("%s: %v are told to be altered (%v)", what, found, err)
				}
				write(func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Exec(ctx, `UPDATE `+table.Name+` SET `+c+` = (SELECT `+c+` FROM kept)`)
					if err == nil {
						_, err = tx.Exec(ctx, `DROP TABLE kept`)
					}
					return err
				})
				if err := look[table.Name](); err != nil {
					t.Errorf("%s: put back, the row is not read: %v", what, err)
				}
				forged++
			}
		}
		if forged < 27 {
			t.Errorf("%d columns were forged", forged)
		}
	})
}

// A row put in beside a true one, MAC and all, holds no more than one without.
func TestAnotherRowsMACIsNoProof(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC)
		var all [2]party.Person
		err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for i := range all {
				org, err := party.Add(ctx, tx, party.Party{Code: fmt.Sprintf("org-%d", i), Kind: party.Agency, Name: "Org", Zone: "UTC"}, now)
				if err != nil {
					return err
				}
				all[i], err = party.AddPerson(ctx, tx, party.Person{Party: org.ID, Name: "Ana", Email: fmt.Sprintf("ana@org-%d.example", i), Roles: []party.Role{party.Analyst}, Lang: "id", Zone: "UTC"}, now)
				if err != nil {
					return err
				}
				public := ed25519.NewKeyFromSeed(slices.Repeat([]byte{byte(i)}, 32)).Public().(ed25519.PublicKey)
				if _, err := party.AddKey(ctx, tx, party.Key{Person: all[i].ID, Method: party.BrowserKey, Public: public}, now); err != nil {
					return err
				}
			}
			for _, forge := range []string{
				`INSERT INTO people (id, party_id, name, email, roles, lang, zone, active, created_at, mac) SELECT 'copy', party_id, name, 'x@x.example', roles, lang, zone, active, created_at, mac FROM people WHERE id = $1`,
				`INSERT INTO person_keys (id, person_id, method, public, label, created_at, mac) SELECT 'copy', person_id, method, public, label, created_at, mac FROM person_keys WHERE person_id = $1`,
				`INSERT INTO parties (id, code, kind, platform_kinds, name, jurisdiction, languages, contact, legal_representative, establishment, zone, active, created_at, mac)
					SELECT 'copy', 'copy', kind, platform_kinds, name, jurisdiction, languages, contact, legal_representative, establishment, zone, active, created_at, mac FROM parties WHERE id = (SELECT party_id FROM people WHERE id = $1)`,
			} {
				if n, err := tx.Exec(ctx, forge, all[0].ID); err != nil || n != 1 {
					return fmt.Errorf("%d %w", n, err)
				}
			}
			// The second person's key is given to the first, and the person moved.
			if _, err := tx.Exec(ctx, `UPDATE person_keys SET person_id = $1 WHERE person_id = $2`, all[0].ID, all[1].ID); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `UPDATE people SET party_id = $1 WHERE id = $2`, all[0].Party, all[1].ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := party.GetPerson(t.Context(), d, "copy"); fault.Of(err) != fault.NotFound {
			t.Errorf("a copied person: %v", err)
		}
		if _, err := party.ByEmail(t.Context(), d, "x@x.example"); fault.Of(err) != fault.NotFound {
			t.Errorf("a copied person by address: %v", err)
		}
		if _, err := party.GetKey(t.Context(), d, "copy"); fault.Of(err) != fault.NotFound {
			t.Errorf("a copied key: %v", err)
		}
		if _, err := party.ByCode(t.Context(), d, "copy"); fault.Of(err) != fault.NotFound {
			t.Errorf("a copied party: %v", err)
		}
		if keys, err := party.Keys(t.Context(), d, all[0].ID); err != nil || len(keys) != 1 {
			t.Errorf("%d keys are the first person's (%v), want their own", len(keys), err)
		}
		if people, err := party.People(t.Context(), d, all[0].Party); err != nil || len(people) != 1 {
			t.Errorf("%d people are in the first party (%v), want one", len(people), err)
		}
		if found, err := party.Altered(t.Context(), d); err != nil || len(found) != 5 {
			t.Errorf("altered: %v (%v), want 5", found, err)
		}
	})
}

// Changing an altered row does not make it hold, and what lacks a MAC from
// before gets one.
func TestSealOld(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC)
		var org party.Party
		set := func(f func(ctx context.Context, tx *db.Tx) error) {
			t.Helper()
			if err := d.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		set(func(ctx context.Context, tx *db.Tx) (err error) {
			org, err = party.Add(ctx, tx, party.Party{Code: "tangkal-daring", Kind: party.Agency, Name: "Org", Zone: "UTC"}, now)
			return err
		})
		set(func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE parties SET mac = NULL, kind = 'authority'`); err != nil {
				return err
			}
			return party.Update(ctx, tx, org)
		})
		if _, err := party.Get(t.Context(), d, org.ID); fault.Of(err) != fault.NotFound {
			t.Errorf("an altered row that was changed: %v", err)
		}
		if err := party.SealOld(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if got, err := party.Get(t.Context(), d, org.ID); err != nil || got.Name != "Org" {
			t.Errorf("a row from before: %+v, %v", got, err)
		}
	})
}
