package notice_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth/passkeytest"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

const (
	pagesRP     = "tangkal.example"
	pagesOrigin = "https://tangkal.example"
)

// passkey gives a person a passkey beside their browser's key.
func (h *house) passkey(t *testing.T, by party.Actor) *passkeytest.Authenticator {
	t.Helper()
	a := passkeytest.New(t, pagesOrigin, pagesRP)
	public, err := x509.MarshalPKIXPublicKey(a.Public())
	must(t, err)
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		_, err := party.AddPasskey(ctx, tx, party.Key{Person: by.Person, Public: public, Label: "phone"}, party.PasskeyRecord{
			Credential: a.ID, Handle: a.ID, COSE: []byte{0}, RPID: pagesRP, Origin: pagesOrigin, AAGUID: make([]byte, 16), MAC: []byte{0},
		}, h.clock.Now())
		return err
	})
	return a
}

// touched is the signature that a touch of the authenticator makes.
func touched(t *testing.T, a *passkeytest.Authenticator, digest [32]byte) notice.Sig {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(a.Public())
	must(t, err)
	client, data, value := a.Assert(t, digest[:])
	return notice.Sig{Key: party.KeyIDOf(public), Value: value, ClientData: client, AuthenticatorData: data}
}

func TestPasskeysDecideAndTheDispatcherChecksThemAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		ratna, sari, bagus := h.passkey(t, h.ratna), h.passkey(t, h.sari), h.passkey(t, h.bagus)
		n := h.draft(t, 2, notes.RemovalOrder)
		n, err := h.Propose(t.Context(), h.ratna, n.ID, touched(t, ratna, n.Digest))
		must(t, err)
		h.clock.Advance(time.Minute)
		_, err = h.Approve(t.Context(), h.sari, n.ID, touched(t, sari, n.Digest))
		must(t, err)
		h.clock.Advance(time.Minute)
		_, err = h.Issue(t.Context(), h.bagus, n.ID, touched(t, bagus, n.Digest))
		must(t, err)
		h.drain(t)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 1 {
			t.Fatalf("sent %d (%v), want 1", sent, err)
		}
	})
}

// An approval by passkey is one over this notice, at these pages, by a person
// who was present and verified; anything else changes nothing.
func TestAnApprovalByPasskeyHoldsForThisNoticeAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		device := h.passkey(t, h.sari)
		n := h.proposed(t, 1)
		other := n.Digest
		other[0] ^= 1
		but := func(change func(*passkeytest.Authenticator)) notice.Sig {
			a := device.Clone()
			change(a)
			return touched(t, a, n.Digest)
		}
		mixed := h.sign(h.sari, n.Digest)
		mixed.ClientData = []byte("{}")
		for name, sig := range map[string]notice.Sig{
			"another digest":       touched(t, device.Clone(), other),
			"another origin":       but(func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" }),
			"another party":        but(func(a *passkeytest.Authenticator) { a.RPID = "evil.example" }),
			"nobody verified":      but(func(a *passkeytest.Authenticator) { a.Flags = passkeytest.UserPresent }),
			"nobody present":       but(func(a *passkeytest.Authenticator) { a.Flags = passkeytest.UserVerified }),
			"a registration":       but(func(a *passkeytest.Authenticator) { a.Type = "webauthn.create" }),
			"no assertion":         {Key: touched(t, device.Clone(), n.Digest).Key, Value: []byte("x")},
			"a browser's key more": mixed,
		} {
			if _, err := h.Approve(t.Context(), h.sari, n.ID, sig); !fault.Is(err, "notice.signature") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := h.Approve(t.Context(), h.bima, n.ID, touched(t, device.Clone(), n.Digest)); err == nil {
			t.Error("another person approves with it")
		}
		must(t, func() error { _, err := h.Approve(t.Context(), h.sari, n.ID, touched(t, device, n.Digest)); return err }())
	})
}

// What stands in the rows of an assertion is what left the authenticator: every
// column changed by SQL stops the notice (threat-model T12).
func TestAnAssertionChangedInTheDatabaseGoesNowhere(t *testing.T) {
	for name, change := range map[string]string{
		"relying party": `rp_id = 'evil.example'`, "origin": `origin = 'https://evil.example'`, "no client data": `client_data = NULL`,
		"client data": `client_data = authenticator_data`, "authenticator data": `authenticator_data = client_data`,
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, dbtest.SQLite(t))
			device := h.passkey(t, h.sari)
			n := h.proposed(t, 1)
			h.clock.Advance(time.Minute)
			_, err := h.Approve(t.Context(), h.sari, n.ID, touched(t, device, n.Digest))
			must(t, err)
			h.clock.Advance(time.Minute)
			_, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
			must(t, err)
			h.write(t, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE notice_signatures SET `+change+` WHERE step = 'approved'`)
				return err
			})
			h.drain(t)
			if sent, _ := h.Dispatch(t.Context()); sent != 0 {
				t.Errorf("sent %d, want 0", sent)
			}
		})
	}
}
