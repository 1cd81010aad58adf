package notice_test

import (
	"context"
	"slices"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
)

// reseal changes rows of a notice as somebody who also holds the instance key.
func (h *house) reseal(t tb, id notice.ID, change string, args ...any) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		changed, err := tx.Exec(ctx, change, append([]any{id}, args...)...)
		if err == nil && changed != 1 {
			t.Fatalf("%s: %d rows", change, changed)
		}
		if err != nil {
			return err
		}
		return h.Reseal(ctx, tx, id)
	})
}

// Behind the MAC over the rows each check of the dispatcher stands by itself:
// with the MAC made anew, every change is still found for its own reason
// (threat-model T12).
func TestWhoHoldsTheInstanceKeyStillNeedsThePeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		type forgery struct {
			why, change string
			args        []any
		}
		for name, c := range map[string]forgery{
			"the approver had written it":            {"persons", `UPDATE notices SET drafted_by = $2 WHERE id = $1`, []any{h.sari.Person}},
			"the officer had written it":             {"persons", `UPDATE notices SET drafted_by = $2 WHERE id = $1`, []any{h.bagus.Person}},
			"too few approved":                       {"persons", `UPDATE notices SET approvals_needed = 2 WHERE id = $1`, nil},
			"issued before the first-notice time":    {"advance", `UPDATE notices SET advance_from = issued_at + 1000000 WHERE id = $1`, nil},
			"an analyst approved":                    {"chain", `UPDATE notice_signatures SET roles = '["analyst"]' WHERE notice_id = $1 AND step = 'approved'`, nil},
			"a platform approved":                    {"chain", `UPDATE notice_signatures SET party_kind = 'platform' WHERE notice_id = $1 AND step = 'approved'`, nil},
			"somebody else's name under a key":       {"signatures", `UPDATE notice_signatures SET person_id = $2 WHERE notice_id = $1 AND step = 'approved'`, []any{h.bima.Person}},
			"another organisation's name":            {"signatures", `UPDATE notice_signatures SET party_id = $2 WHERE notice_id = $1 AND step = 'approved'`, []any{h.other.Party}},
			"another method":                         {"signatures", `UPDATE notice_signatures SET method = 'automation' WHERE notice_id = $1 AND step = 'approved'`, nil},
			"no approval":                            {"signatures", `DELETE FROM notice_signatures WHERE notice_id = $1 AND step = 'approved'`, nil},
			"a time to answer that nobody signed":    {"rows", `UPDATE notices SET deadline_minutes = 1 WHERE id = $1`, nil},
			"an addressee that nobody signed":        {"rows", `UPDATE notices SET addressee = $2 WHERE id = $1`, []any{h.other.Party}},
			"an item less":                           {"rows", `DELETE FROM notice_items WHERE notice_id = $1 AND n = 2`, nil},
			"an item of another kind":                {"items", `UPDATE notice_items SET content_type = 'forged' WHERE notice_id = $1 AND n = 2`, nil},
			"an item's link in the place of another": {"items", `UPDATE notice_items SET url_sealed = (SELECT url_sealed FROM notice_items WHERE notice_id = $1 AND n = 1) WHERE notice_id = $1 AND n = 2`, nil},
			"the digest of something else":           {"digest", `UPDATE notices SET digest = $2 WHERE id = $1`, []any{make([]byte, 32)}},
			"a key that was revoked before":          {"signatures", `UPDATE person_keys SET revoked_at = 1, mac = NULL WHERE id = (SELECT key_id FROM notice_signatures WHERE notice_id = $1 AND step = 'approved')`, nil},
		} {
			n := h.issued(t, 2)
			h.drain(t)
			h.reseal(t, n.ID, c.change, c.args...)
			must(t, party.SealOld(t.Context(), d))
			h.wantUnsent(t, n, name)
			why, err := db.Value[string](t.Context(), d, `SELECT why FROM notice_refusals WHERE notice_id = $1`, n.ID)
			if err != nil || why != c.why {
				t.Errorf("%s: refused for %q, want %q (%v)", name, why, c.why, err)
			}
			if name == "a key that was revoked before" {
				h.write(t, func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Exec(ctx, `UPDATE person_keys SET revoked_at = NULL, mac = NULL`)
					return err
				})
				must(t, party.SealOld(t.Context(), d))
			}
		}
		// What was refused once stays refused, whoever puts the rows right.
		n := h.issued(t, 1)
		h.drain(t)
		h.reseal(t, n.ID, `UPDATE notices SET approvals_needed = 2 WHERE id = $1`)
		h.wantUnsent(t, n, "too few approved")
		h.reseal(t, n.ID, `UPDATE notices SET approvals_needed = 1 WHERE id = $1`)
		h.wantUnsent(t, n, "put right")
		// And nothing else was in the way: one that nobody touched leaves.
		untouched := h.issued(t, 2)
		h.drain(t)
		h.reseal(t, untouched.ID, `UPDATE notices SET rung = rung WHERE id = $1`)
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 1 {
			t.Errorf("sent %d (%v), want the one that was not changed", sent, err)
		}
	})
}

// A signature counts by the pack's chain and methods, whatever other rights its
// maker has.
func TestOnlyTheChainsPeopleAndMethodsSign(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.proposed(t, 1)
		other := h.sari
		other.PartyKind = party.Helpline
		_, err := h.Approve(t.Context(), other, n.ID, h.sign(h.sari, n.Digest))
		wantFault(t, err, "notice.chain-step")
		method := func(m party.Method) {
			h.write(t, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE person_keys SET method = $2, mac = NULL WHERE person_id = $1`, h.sari.Person, m)
				return err
			})
			must(t, party.SealOld(t.Context(), d))
		}
		method(party.Automation)
		_, err = h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
		wantFault(t, err, "notice.method")
		method(party.BrowserKey)
		_, err = h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
		must(t, err)
		officer := h.bagus
		officer.PartyKind = party.Helpline
		_, err = h.Issue(t.Context(), officer, n.ID, h.sign(h.bagus, n.Digest))
		wantFault(t, err, "notice.chain-step")
		_, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
		must(t, err)
		_, err = h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
		if err == nil {
			t.Error("a notice was issued twice")
		}
		_, err = h.Return(t.Context(), h.bagus, n.ID, notice.ReturnInput{Reasons: []string{"other"}, Text: "Terlambat."})
		if err == nil {
			t.Error("an issued notice was returned")
		}
	})
}

// Whatever an entry's audience says, a platform hears of a notice once it was
// sent, and nobody of one that is not theirs.
func TestAnEntryConcernsThoseOfItsNotice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		everybody := []string{string(h.agency.ID), string(h.bagus.Party), string(h.platform.ID), string(h.other.Party), "*"}
		inside := map[string]bool{string(h.agency.ID): true, string(h.bagus.Party): true}
		sent := h.sent(t, 1)
		for name, c := range map[string]struct {
			n        notice.Notice
			platform bool
		}{"issued": {h.issued(t, 1), false}, "sent": {sent, true}} {
			var got []string
			h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
				got, err = h.Concerned(ctx, tx, feed.Entry{Kind: "notice.sent", Object: "notice", ObjectID: string(c.n.ID), Audience: everybody})
				return err
			})
			for _, who := range everybody {
				want := inside[who] || c.platform && who == string(h.platform.ID)
				if slices.Contains(got, who) != want {
					t.Errorf("%s: %s hears of it: %v, want %v", name, who, !want, want)
				}
			}
		}
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			got, err := h.Concerned(ctx, tx, feed.Entry{Kind: "notice.sent", Object: "notice", ObjectID: "none", Audience: everybody})
			if len(got) != 0 {
				t.Errorf("of a notice that is not there hear %q", got)
			}
			return err
		})
	})
}
