package auth_test

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

var analyst = []party.Role{party.Analyst}

// joining is what an invited person with a fresh browser key gives.
func joining(t *testing.T) auth.Joining {
	public, _ := newKey(t)
	return auth.Joining{Name: "Bo", Lang: "en", Zone: "UTC", Public: public, Label: "browser"}
}

func TestAnInvitationLetsOnePersonIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		head := w.person(t, org, "head", party.Admin)
		i, secret, err := w.Invite(t.Context(), head, org.ID, "Bo", " Bo@Agency.Example ", analyst)
		if err != nil {
			t.Fatal(err)
		}
		if i.Email != "bo@agency.example" || !i.ExpiresAt.Equal(w.clock.Now().Add(7*24*time.Hour)) {
			t.Errorf("invitation %+v", i)
		}
		public, private := newKey(t)
		joins := joining(t)
		joins.Public = public
		bo, err := w.Join(t.Context(), secret, joins)
		if err != nil {
			t.Fatal(err)
		}
		if bo.Party != org.ID || bo.Email != "bo@agency.example" || !bo.Has(party.Analyst) || len(bo.Roles) != 1 {
			t.Errorf("joined as %+v", bo)
		}
		e := enrolled{w.actor(t, bo.ID), party.KeyIDOf(public), private}
		c := w.challenge(t)
		if who, err := w.SignIn(t.Context(), c.ID, e.key, e.sign(c)); err != nil || who != bo.ID {
			t.Errorf("the browser that joined signs in as %q: %v", who, err)
		}
		_, err = w.Join(t.Context(), secret, joining(t))
		wantCode(t, err, fault.NotFound, "auth.no-invitation")
		_, err = w.Invited(t.Context(), d, secret)
		wantCode(t, err, fault.NotFound, "auth.no-invitation")
		if n := w.count(t, `SELECT count(*) FROM invitations WHERE mac = $1`, []byte(secret)); n != 0 {
			t.Error("the secret itself is stored")
		}
	})
}

func TestAnInvitationUsedManyTimesAtOnceLetsOnePersonIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		_, secret, err := w.Invite(t.Context(), w.person(t, org, "head", party.Admin), org.ID, "Bo", "bo@agency.example", analyst)
		if err != nil {
			t.Fatal(err)
		}
		if n := atOnce(4, func() error { _, err := w.Join(t.Context(), secret, joining(t)); return err }); n != 1 {
			t.Errorf("%d joined", n)
		}
		if n := w.count(t, `SELECT count(*) FROM people WHERE party_id = $1`, org.ID); n != 2 {
			t.Errorf("%d people, want the administrator and one more", n)
		}
	})
}

func TestAnEndedInvitationIsAnUnknownOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		head, stranger := w.person(t, org, "head", party.Admin), w.person(t, w.party(t, "other", party.Agency), "head", party.Admin)
		i, revoked, err := w.Invite(t.Context(), head, org.ID, "Bo", "bo@agency.example", analyst)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.RevokeInvitation(t.Context(), stranger, i.ID); fault.Of(err) != fault.NotFound {
			t.Errorf("another organisation revokes it: %v", err)
		}
		if _, err := w.Invited(t.Context(), d, revoked); err != nil {
			t.Fatalf("open: %v", err)
		}
		if err := w.RevokeInvitation(t.Context(), head, i.ID); err != nil {
			t.Fatal(err)
		}
		_, expired, err := w.Invite(t.Context(), head, org.ID, "Cy", "cy@agency.example", analyst)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(7 * 24 * time.Hour)
		for _, secret := range []string{revoked, expired, "", "tgi_", i.ID, "bo@agency.example", "tgi_" + strings.Repeat("a", 32), strings.ToUpper(expired)} {
			_, err := w.Join(t.Context(), secret, joining(t))
			wantCode(t, err, fault.NotFound, "auth.no-invitation")
		}
		if list, err := w.Invitations(t.Context(), head); err != nil || len(list) != 2 {
			t.Errorf("%d invitations listed, %v", len(list), err)
		}
		if list, err := w.Invitations(t.Context(), stranger); err != nil || len(list) != 0 {
			t.Errorf("another organisation lists %d invitations, %v", len(list), err)
		}
	})
}

func TestAFailedJoiningLeavesTheInvitationOpen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		head := w.person(t, org, "head", party.Admin)
		_, secret, err := w.Invite(t.Context(), head, org.ID, "Bo", "bo@agency.example", analyst)
		if err != nil {
			t.Fatal(err)
		}
		taken := w.enrol(t, w.person(t, org, "ana", party.Analyst))
		nameless, keyless, second := joining(t), joining(t), joining(t)
		nameless.Name, keyless.Public, second.Public = " ", nil, taken.private.Public().(ed25519.PublicKey)
		for name, j := range map[string]auth.Joining{"no name": nameless, "no key": keyless, "a colleague's key": second} {
			if _, err := w.Join(t.Context(), secret, j); err == nil {
				t.Errorf("joined with %s", name)
			}
		}
		if n := w.count(t, `SELECT count(*) FROM people WHERE party_id = $1`, org.ID); n != 2 {
			t.Errorf("%d people after three refusals, want 2", n)
		}
		if _, err := w.Join(t.Context(), secret, joining(t)); err != nil {
			t.Errorf("the right way after that: %v", err)
		}
	})
}

func TestWhoMayInviteWhom(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		agency, empty, full := w.party(t, "agency", party.Agency), w.party(t, "empty", party.Platform), w.party(t, "full", party.Platform)
		head, ana := w.person(t, agency, "head", party.Admin), w.person(t, agency, "ana", party.Analyst)
		platform := w.person(t, full, "head", party.Admin)

		invite := func(by party.Actor, into party.ID, email string, roles ...party.Role) error {
			_, _, err := w.Invite(t.Context(), by, into, "New", email, roles)
			return err
		}
		if err := invite(head, empty.ID, "first@empty.example", party.Admin); err != nil {
			t.Errorf("the first person of a platform: %v", err)
		}
		wantCode(t, invite(head, full.ID, "second@full.example", party.Admin), fault.Denied, "auth.party-has-people")
		wantCode(t, invite(head, agency.ID, "ANA@agency.example", party.Analyst), fault.Conflict, "party.email-taken")
		if err := invite(head, agency.ID, "head@full.example", party.Analyst); err != nil {
			t.Errorf("an invitation tells that somebody elsewhere has the address: %v", err)
		}
		for name, err := range map[string]error{
			"an analyst into her own organisation": invite(ana, agency.ID, "x@agency.example", party.Analyst),
			"a platform into another":              invite(platform, empty.ID, "x@empty.example", party.Admin),
			"nobody":                               invite(party.Actor{}, agency.ID, "x@agency.example", party.Admin),
		} {
			if k := fault.Of(err); k != fault.Denied && k != fault.NotFound {
				t.Errorf("%s invites: %v", name, err)
			}
		}
		if err := invite(head, agency.ID, "no address", "king"); fault.Of(err) != fault.Invalid {
			t.Errorf("a faulty invitation: %v", err)
		}
		if n := w.count(t, `SELECT count(*) FROM invitations`); n != 2 {
			t.Errorf("%d invitations were made, want 2", n)
		}
	})
}

func TestTheFirstRunSecretFoundsOneInstance(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := party.Party{Code: "agency", Kind: party.Agency, Name: "Agency", Zone: "Asia/Jakarta"}
		found := func(secret string) (string, error) {
			_, invite, err := w.Found(t.Context(), secret, org, "Head", "head@agency.example")
			return invite, err
		}
		replaced, err := w.FirstRun(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		secret, err := w.FirstRun(t.Context())
		if err != nil || secret == replaced || !strings.HasPrefix(secret, "tgf_") {
			t.Fatalf("second secret %q, %v", secret, err)
		}
		for _, wrong := range []string{"", replaced, "tgf_", "tgf_" + strings.Repeat("a", 32)} {
			_, err := found(wrong)
			wantCode(t, err, fault.Denied, "auth.first-run")
		}
		org.Code = "!"
		if _, err := found(secret); fault.Of(err) != fault.Invalid {
			t.Errorf("a faulty organisation: %v", err)
		}
		org.Code = "agency"
		invite, err := found(secret)
		if err != nil {
			t.Fatalf("after a mistake the secret still works: %v", err)
		}
		org.Code = "another"
		_, err = found(secret)
		wantCode(t, err, fault.Denied, "auth.first-run")

		head, err := w.Join(t.Context(), invite, joining(t))
		if err != nil || !head.Has(party.Admin) {
			t.Fatalf("the founder joins as %+v: %v", head, err)
		}
		if again, err := w.FirstRun(t.Context()); err != nil || again != "" {
			t.Errorf("an instance with people offers %q, %v", again, err)
		}
	})
}

func TestAFirstRunSecretEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world){
		"a day later":                  func(_ *testing.T, w *world) { w.clock.Advance(24*time.Hour + time.Second) },
		"once somebody came otherwise": func(t *testing.T, w *world) { w.person(t, w.party(t, "own", party.Agency), "ana", party.Admin) },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(dbtest.SQLite(t))
			secret, err := w.FirstRun(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			end(t, w)
			_, _, err = w.Found(t.Context(), secret, party.Party{Code: "new", Kind: party.Agency, Name: "New", Zone: "UTC"}, "X", "x@new.example")
			wantCode(t, err, fault.Denied, "auth.first-run")
		})
	}
}

// TestAnInvitationLetsNobodyInAsItsRowWasAltered changes by SQL each thing that
// an open invitation says, and puts a used and a revoked one back.
func TestAnInvitationLetsNobodyInAsItsRowWasAltered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org, other := w.party(t, "agency", party.Agency), w.party(t, "authority", party.Authority)
		head := w.person(t, org, "head", party.Admin)
		invite := func(email string) (id, secret string) {
			i, secret, err := w.Invite(t.Context(), head, org.ID, "Bo", email, analyst)
			if err != nil {
				t.Fatal(err)
			}
			return i.ID, secret
		}
		for n, change := range []string{
			`id = 'x'`, `party_id = '` + string(other.ID) + `'`, `email = 'x@agency.example'`, `name = 'X'`, `roles = '["officer"]'`,
			`created_at = created_at - 1`, `expires_at = expires_at + 1`, `row_mac = NULL`,
		} {
			id, secret := invite(fmt.Sprintf("bo%d@agency.example", n))
			w.exec(t, `UPDATE invitations SET `+change+` WHERE id = $1`, id)
			_, err := w.Join(t.Context(), secret, joining(t))
			wantCode(t, err, fault.NotFound, "auth.no-invitation")
		}
		used, usedSecret := invite("used@agency.example")
		if _, err := w.Join(t.Context(), usedSecret, joining(t)); err != nil {
			t.Fatal(err)
		}
		revoked, revokedSecret := invite("revoked@agency.example")
		if err := w.RevokeInvitation(t.Context(), head, revoked); err != nil {
			t.Fatal(err)
		}
		for id, secret := range map[string]string{used: usedSecret, revoked: revokedSecret} {
			w.exec(t, `UPDATE invitations SET used_at = NULL, revoked_at = NULL WHERE id = $1`, id)
			_, err := w.Invited(t.Context(), d, secret)
			wantCode(t, err, fault.NotFound, "auth.no-invitation")
		}
	})
}
