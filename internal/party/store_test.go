package party_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

var now = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

// write runs f in a transaction and returns its error.
func write(t *testing.T, d *db.DB, f func(context.Context, *db.Tx) error) error {
	t.Helper()
	return d.Write(t.Context(), f)
}

func add(t *testing.T, d *db.DB, p party.Party) (party.Party, error) {
	t.Helper()
	err := write(t, d, func(ctx context.Context, tx *db.Tx) (err error) { p, err = party.Add(ctx, tx, p, now); return err })
	return p, err
}

func addPerson(t *testing.T, d *db.DB, p party.Person) (party.Person, error) {
	t.Helper()
	err := write(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = party.AddPerson(ctx, tx, p, now)
		return err
	})
	return p, err
}

func addKey(t *testing.T, d *db.DB, k party.Key) (party.Key, error) {
	t.Helper()
	err := write(t, d, func(ctx context.Context, tx *db.Tx) (err error) { k, err = party.AddKey(ctx, tx, k, now); return err })
	return k, err
}

// cast adds an agency with two people.
func cast(t *testing.T, d *db.DB) (org party.Party, ana, bo party.Person) {
	t.Helper()
	org, err := add(t, d, party.Party{Code: "agency", Kind: party.Agency, Name: "Agency", Zone: "Asia/Jakarta"})
	if err != nil {
		t.Fatal(err)
	}
	people := make([]party.Person, 2)
	for i, name := range []string{"ana", "bo"} {
		people[i], err = addPerson(t, d, party.Person{Party: org.ID, Name: name, Email: name + "@agency.example", Roles: []party.Role{party.Analyst}, Lang: "id", Zone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
	}
	return org, people[0], people[1]
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.Of(err) != want {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func TestAPartyIsKeptWhole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		want, err := add(t, d, party.Party{
			Code: "kabar", Kind: party.Platform, PlatformKinds: []string{"social", "messaging"}, PlatformKey: "kabar", Name: "Kabar “Kita”",
			Jurisdiction: "ID", Languages: []string{"id", "en"}, Contact: "safety@kabar.example", LegalRepresentative: "Wakil, Bukit 1",
			Establishment: "ID", Zone: "Asia/Jakarta",
		})
		if err != nil {
			t.Fatal(err)
		}
		for how, get := range map[string]func() (party.Party, error){
			"by identifier": func() (party.Party, error) { return party.Get(t.Context(), d, want.ID) },
			"by code":       func() (party.Party, error) { return party.ByCode(t.Context(), d, "kabar") },
			"by platform":   func() (party.Party, error) { return party.ByPlatform(t.Context(), d, "kabar") },
		} {
			got, err := get()
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", how, err, diff)
			}
		}
		want.Name, want.Languages, want.Active, want.PlatformKey = "Kabar", []string{"en"}, false, ""
		change := want
		change.Code, change.Kind = "stolen", party.Platform
		if err := write(t, d, func(ctx context.Context, tx *db.Tx) error { return party.Update(ctx, tx, change) }); err != nil {
			t.Fatal(err)
		}
		got, err := party.Get(t.Context(), d, want.ID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("after the update: %v\n%s", err, diff)
		}
	})
}

func TestACodeAndAPlatformBelongToOneParty(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		first := party.Party{Code: "kabar", Kind: party.Platform, PlatformKey: "kabar", Name: "Kabar", Zone: "UTC"}
		if _, err := add(t, d, first); err != nil {
			t.Fatal(err)
		}
		_, err := add(t, d, party.Party{Code: "kabar", Kind: party.Agency, Name: "Other", Zone: "UTC"})
		wantKind(t, "the same code", err, fault.Conflict)
		first.Code = "kabar-2"
		_, err = add(t, d, first)
		wantKind(t, "the same platform", err, fault.Conflict)
		for _, code := range []string{"one", "two"} { // without a platform key there may be many
			if _, err := add(t, d, party.Party{Code: code, Kind: party.Platform, Name: code, Zone: "UTC"}); err != nil {
				t.Errorf("%s: %v", code, err)
			}
		}
		all, err := party.List(t.Context(), d)
		if err != nil || len(all) != 3 {
			t.Errorf("%d parties, %v", len(all), err)
		}
		if some, err := party.List(t.Context(), d, party.Agency, party.Court); err != nil || len(some) != 0 {
			t.Errorf("%d agencies and courts, %v", len(some), err)
		}
	})
}

func TestWhatIsAbsentIsHidden(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for what, get := range map[string]func() error{
			"party":    func() error { _, err := party.Get(t.Context(), d, "x"); return err },
			"code":     func() error { _, err := party.ByCode(t.Context(), d, "x"); return err },
			"platform": func() error { _, err := party.ByPlatform(t.Context(), d, ""); return err },
			"person":   func() error { _, err := party.GetPerson(t.Context(), d, "x"); return err },
			"address":  func() error { _, err := party.ByEmail(t.Context(), d, "x"); return err },
			"key":      func() error { _, err := party.GetKey(t.Context(), d, "x"); return err },
			"update": func() error {
				return write(t, d, func(ctx context.Context, tx *db.Tx) error {
					return party.Update(ctx, tx, party.Party{ID: "x", Code: "xx", Kind: party.Court, Name: "X", Zone: "UTC"})
				})
			},
		} {
			wantKind(t, what, get(), fault.NotFound)
		}
	})
}

func TestAnAddressBelongsToOnePerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		org, ana, _ := cast(t, d)
		_, err := addPerson(t, d, party.Person{Party: org.ID, Name: "Ana two", Email: " ANA@agency.example ", Roles: []party.Role{party.Admin}, Lang: "id", Zone: "UTC"})
		wantKind(t, "the same address", err, fault.Conflict)
		got, err := party.ByEmail(t.Context(), d, " Ana@Agency.Example")
		if diff := cmp.Diff(ana, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestAPersonIsChangedOnlyInTheirParty(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		org, ana, bo := cast(t, d)
		other, err := add(t, d, party.Party{Code: "other", Kind: party.Agency, Name: "Other", Zone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		change := ana
		change.Name, change.Roles, change.Party = "Ana B.", []party.Role{party.Approver}, other.ID
		update := func() error {
			return write(t, d, func(ctx context.Context, tx *db.Tx) error { return party.UpdatePerson(ctx, tx, change) })
		}
		wantKind(t, "another party changes her", update(), fault.NotFound)
		wantKind(t, "another party deactivates her", write(t, d, func(ctx context.Context, tx *db.Tx) error {
			return party.Deactivate(ctx, tx, other.ID, ana.ID, now)
		}), fault.NotFound)
		change.Party = org.ID
		if err := update(); err != nil {
			t.Fatal(err)
		}
		people, err := party.People(t.Context(), d, org.ID)
		if diff := cmp.Diff([]party.Person{change, bo}, people); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		if none, err := party.People(t.Context(), d, other.ID); err != nil || len(none) != 0 {
			t.Errorf("the other party lists %d people, %v", len(none), err)
		}
	})
}

func TestAKeyBelongsToOnePersonForEver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_, ana, bo := cast(t, d)
		public := make([]byte, 32)
		public[0] = 7
		want, err := addKey(t, d, party.Key{Person: ana.ID, Method: party.BrowserKey, Public: public, Label: "laptop"})
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(public); want.ID != party.KeyID(fmt.Sprintf("%x", sum[:8])) || want.ID != party.KeyIDOf(public) {
			t.Errorf("key %s", want.ID)
		}
		revoke := func(p party.PersonID) error {
			return write(t, d, func(ctx context.Context, tx *db.Tx) error {
				return party.RevokeKey(ctx, tx, p, want.ID, now.Add(time.Hour))
			})
		}
		wantKind(t, "a colleague revokes it", revoke(bo.ID), fault.NotFound)
		if err := revoke(ana.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "revoked twice", revoke(ana.ID), fault.NotFound)
		for _, p := range []party.Person{ana, bo} {
			_, err := addKey(t, d, party.Key{Person: p.ID, Method: party.BrowserKey, Public: public})
			wantKind(t, "enrolled again", err, fault.Conflict)
		}
		want.RevokedAt = now.Add(time.Hour)
		got, err := party.GetKey(t.Context(), d, want.ID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		if keys, err := party.Keys(t.Context(), d, ana.ID); err != nil || len(keys) != 1 {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for _, size := range []int{0, 31, 33, 64} {
			_, err := addKey(t, d, party.Key{Person: ana.ID, Method: party.BrowserKey, Public: make([]byte, size)})
			wantKind(t, fmt.Sprint(size, " bytes"), err, fault.Invalid)
		}
		for _, method := range []party.Method{"", "password", party.Passkey} {
			_, err := addKey(t, d, party.Key{Person: ana.ID, Method: method, Public: make([]byte, 32)})
			wantKind(t, fmt.Sprintf("method %q", method), err, fault.Invalid)
		}
	})
}

// access counts what still lets a person in.
func access(t *testing.T, d *db.DB, id party.PersonID) []int64 {
	t.Helper()
	var counts []int64
	for _, q := range []string{
		`SELECT count(*) FROM sessions WHERE person_id = $1`,
		`SELECT count(*) FROM api_keys WHERE person_id = $1 AND revoked_at IS NULL`,
		`SELECT count(*) FROM person_keys WHERE person_id = $1 AND revoked_at IS NULL`,
	} {
		n, err := db.Value[int64](t.Context(), d, q, id)
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, n)
	}
	return counts
}

func TestDeactivationEndsEveryWayIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		org, ana, bo := cast(t, d)
		for i, p := range []party.Person{ana, bo} {
			err := write(t, d, func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO sessions (id, data, person_id, expires_at) VALUES ($1, $2, $3, $4)`, db.NewID(), []byte{1}, p.ID, db.Micros(now)); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `INSERT INTO api_keys (id, hash, party_id, person_id, label, scopes, prefix, created_at) VALUES ($1, $2, $3, $4, 'x', '[]', 'tgk_', $5)`,
					db.NewID(), []byte{byte(i)}, org.ID, p.ID, db.Micros(now))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			public := make([]byte, 32)
			public[0] = byte(i)
			if _, err := addKey(t, d, party.Key{Person: p.ID, Method: party.BrowserKey, Public: public}); err != nil {
				t.Fatal(err)
			}
		}
		deactivate := func() error {
			return write(t, d, func(ctx context.Context, tx *db.Tx) error {
				return party.Deactivate(ctx, tx, org.ID, ana.ID, now.Add(time.Hour))
			})
		}
		if err := deactivate(); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "deactivated twice", deactivate(), fault.NotFound)
		if got := access(t, d, ana.ID); !slices.Equal(got, []int64{0, 0, 0}) {
			t.Errorf("sessions, API keys, keys left: %v", got)
		}
		if got := access(t, d, bo.ID); !slices.Equal(got, []int64{1, 1, 1}) {
			t.Errorf("of a colleague: %v", got)
		}
		got, err := party.GetPerson(t.Context(), d, ana.ID)
		if err != nil || got.Active || !got.DeactivatedAt.Equal(now.Add(time.Hour)) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
