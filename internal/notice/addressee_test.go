package notice_test

import (
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// TestASiteOfItsOwnGoesToTheServiceItDependsOn orders a site whose host is no
// platform's: the proposer names who serves it, and nobody else can be named.
func TestASiteOfItsOwnGoesToTheServiceItDependsOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		host := h.found(t, party.Party{Code: "inang", Kind: party.Platform, PlatformKinds: []string{"hosting"}, Name: "Inang", Contact: "aduan@inang.example"})
		h.n++
		in := notice.DraftInput{CaseID: h.readyWith(t, notes.RemovalOrder, "https://situs-rekaan.example/beranda"), Kind: notes.RemovalOrder, DeadlineMinutes: 240}
		for _, wrong := range []party.ID{"", "none", h.agency.ID} {
			in.Addressee = wrong
			_, err := h.Draft(t.Context(), h.ratna, in)
			wantFault(t, err, "notice.addressee")
		}
		in.Addressee = host.ID
		n, err := h.Draft(t.Context(), h.ratna, in)
		must(t, err)
		if n.Addressee != host.ID {
			t.Fatalf("addressed to %s, want the host %s", n.Addressee, host.ID)
		}
		n, err = h.Redraft(t.Context(), h.ratna, n.ID, notice.DraftInput{DeadlineMinutes: 720})
		must(t, err)
		if n.Addressee != host.ID {
			t.Fatalf("the second version goes to %s, want the host still, %s", n.Addressee, host.ID)
		}
		n, err = h.Propose(t.Context(), h.ratna, n.ID, h.sign(h.ratna, n.Digest))
		must(t, err)
		n, err = h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
		must(t, err)
		_, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
		must(t, err)
		h.drain(t)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 1 {
			t.Fatalf("%d sent: %v", sent, err)
		}
		v, err := h.Get(t.Context(), h.join(t, host, party.Analyst), n.ID)
		must(t, err)
		if v.Notice.ID != n.ID {
			t.Fatal("the host does not see what was sent to it")
		}

		_, err = h.Draft(t.Context(), h.ratna, notice.DraftInput{CaseID: h.ready(t, 1, notes.RemovalOrder), Kind: notes.RemovalOrder, DeadlineMinutes: 240, Addressee: host.ID})
		wantFault(t, err, "notice.addressee-known")
	})
}
