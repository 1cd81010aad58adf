package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"log/slog"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

// world is one instance's ground: a database, a clock that tests move, and
// whoever a test adds.
type world struct {
	*auth.Auth
	d     *db.DB
	clock *clock.Manual
}

func start(d *db.DB) *world {
	c := clock.NewManual(time.Now())
	f := feed.New(d, c, slog.New(slog.DiscardHandler))
	mac := func(purpose string, data []byte) []byte {
		h := hmac.New(sha256.New, []byte("key outside of the database "+purpose))
		h.Write(data)
		return h.Sum(nil)
	}
	return &world{auth.New(d, f, c, mac), d, c}
}

func (w *world) write(t *testing.T, f func(context.Context, *db.Tx) error) {
	t.Helper()
	if err := w.d.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (w *world) party(t *testing.T, code string, kind party.Kind) party.Party {
	t.Helper()
	var p party.Party
	w.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = party.Add(ctx, tx, party.Party{Code: code, Kind: kind, Name: "Org " + code, Jurisdiction: "ID", Zone: "Asia/Jakarta"}, w.clock.Now())
		return err
	})
	return p
}

// person adds a member whose address is name@org.example.
func (w *world) person(t *testing.T, p party.Party, name string, roles ...party.Role) party.Actor {
	t.Helper()
	var added party.Person
	w.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		added, err = party.AddPerson(ctx, tx, party.Person{
			Party: p.ID, Name: name, Email: name + "@" + p.Code + ".example", Roles: roles, Lang: "id", Zone: "Asia/Jakarta",
		}, w.clock.Now())
		return err
	})
	return w.actor(t, added.ID)
}

func (w *world) actor(t *testing.T, id party.PersonID) party.Actor {
	t.Helper()
	a, err := auth.ActorFor(t.Context(), w.d, id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// count returns how many rows a query counts.
func (w *world) count(t *testing.T, query string, args ...any) int64 {
	t.Helper()
	n, err := db.Value[int64](t.Context(), w.d, query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// newKey returns a fresh pair of signing keys.
func newKey(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

// wantCode fails unless err is a fault of that kind and code.
func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.Of(err) != kind || !fault.Is(err, code) {
		t.Errorf("got %v (%v), want %v %s", err, fault.Of(err), kind, code)
	}
}

// exec runs one statement beside the product: what a test needs to have
// happened.
func (w *world) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	w.write(t, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

func (w *world) closeParty(t *testing.T, p party.Party) {
	t.Helper()
	p.Active = false
	w.write(t, func(ctx context.Context, tx *db.Tx) error { return party.Update(ctx, tx, p) })
}
