package notice_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/notes"
)

// actionsPerNotice is how long one notice's random life is.
const actionsPerNotice = 25

// walk is one notice in its random life, with what truly happened to it.
type walk struct {
	*house
	t      *rapid.T
	n      notice.Notice
	people []party.Actor

	signed  []string // "version step person" of signatures that were accepted
	drafter party.PersonID
	forged  bool // a row was changed by SQL
	ended   bool // withdrawn
}

// Nothing is dispatched without a proposer, as many distinct approvers as
// needed and an officer, whatever anybody does in whatever order: wrong people,
// foreign signatures, edits, returns, withdrawals, rows forged by SQL, and one
// person approving twice at once.
func TestRandomWalksDispatchNothingUnapproved(t *testing.T) {
	total := max(actionsPerNotice, scaletest.Of(100_000)) // threat T12 wants 100,000
	for _, where := range []struct {
		name         string
		jurisdiction string
		kind         party.Kind
	}{{"authority", "id", party.Agency}, {"same-party", "eu-tco", party.Authority}} {
		t.Run(where.name, func(t *testing.T) {
			t.Parallel()
			h := startIn(t, dbtest.SQLite(t), where.jurisdiction, where.kind)
			// People who hold every role: it is persons that must differ.
			all := []party.Role{party.Analyst, party.Approver, party.Officer}
			people := []party.Actor{
				h.ratna, h.sari, h.bima, h.bagus, h.ayu, h.dimas, h.lina, h.auditor,
				h.join(t, h.agency, all...), h.join(t, h.agency, all...), h.join(t, h.authority, all...),
			}
			left, sent := total/2, 0
			rapid.Check(t, func(rt *rapid.T) {
				for range max(1, total/2/100/actionsPerNotice) {
					if left <= 0 {
						return // a small scale needs fewer than rapid's hundred checks
					}
					w := &walk{house: h, t: rt, people: people}
					sent += w.live()
					left -= actionsPerNotice
				}
			})
			t.Logf("%d actions, %d notices dispatched", total/2-left, sent)
			if sent == 0 {
				t.Fatal("no walk reached a dispatch: it shows nothing")
			}
		})
	}
}

func (w *walk) live() int {
	minutes := 240
	if w.agency.Kind == party.Authority {
		minutes = 60
	}
	id := w.ready(w.t, 1, notes.RemovalOrder)
	var err error
	w.n, err = w.Draft(w.t.Context(), w.ratna, notice.DraftInput{CaseID: id, Kind: notes.RemovalOrder, DeadlineMinutes: minutes, Emergency: "Darurat rekaan."})
	must(w.t, err)
	w.drafter = w.ratna.Person
	actions := map[string]func(){
		"sign": w.sign1, "right": w.right, "right again": w.right, "and again": w.right, "twice": w.twice,
		"return": w.back, "redraft": w.redraft, "withdraw": w.withdraw, "forge": w.forge, "dispatch": w.dispatch, "dispatch again": w.dispatch,
	}
	names := make([]string, 0, len(actions))
	for name := range actions {
		names = append(names, name)
	}
	slices.Sort(names)
	for range actionsPerNotice {
		actions[rapid.SampledFrom(names).Draw(w.t, "action")]()
		w.clock.Advance(time.Second)
	}
	w.dispatch()
	if w.announcedFor(w.n.ID) {
		return 1
	}
	return 0
}

// announcedFor reports whether the platform was told of the notice.
func (h *house) announcedFor(id notice.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.told, func(a announced) bool {
		return a.ObjectID == string(id) && a.Type == "notice.issued" && a.To == h.platform.ID
	})
}

type signer func(ctx context.Context, by party.Actor, id notice.ID, sig notice.Sig) (notice.Notice, error)

func (w *walk) steps() map[string]signer {
	return map[string]signer{"proposed": w.Propose, "approved": w.Approve, "issued": w.Issue}
}

// try signs and remembers it if it was accepted.
func (w *walk) try(step string, by party.Actor, sig notice.Sig) {
	n, err := w.steps()[step](w.t.Context(), by, w.n.ID, sig)
	if err != nil {
		return
	}
	w.signed = append(w.signed, fmt.Sprintf("%d %s %s", n.Version, step, by.Person))
	w.n = n
}

// sign1 lets anybody take any step with any signature.
func (w *walk) sign1() {
	by := rapid.SampledFrom(w.people).Draw(w.t, "by")
	with := rapid.SampledFrom(w.people).Draw(w.t, "key of")
	digest := w.n.Digest
	if rapid.IntRange(0, 3).Draw(w.t, "stale") == 0 {
		digest[0] ^= 1
	}
	w.try(rapid.SampledFrom([]string{"proposed", "approved", "issued"}).Draw(w.t, "step"), by, w.house.sign(with, digest))
}

// right takes a step that may be the next one, by a person who may take it.
func (w *walk) right() {
	step := map[notice.Life]string{notice.Draft: "proposed", notice.Proposed: "approved", notice.Approved: "issued"}[w.n.Life]
	by := map[string]party.Actor{"proposed": w.ratna, "approved": w.sari, "issued": w.bagus}[step]
	if step != "" {
		w.try(step, by, w.house.sign(by, w.n.Digest))
	}
}

// twice approves by one person in parallel: it may count once at most.
func (w *walk) twice() {
	by := rapid.SampledFrom(w.people).Draw(w.t, "by")
	var wg sync.WaitGroup
	got := make([]error, 2)
	notices := make([]notice.Notice, 2)
	for i := range got {
		wg.Go(func() {
			notices[i], got[i] = w.Approve(w.t.Context(), by, w.n.ID, w.house.sign(by, w.n.Digest))
		})
	}
	wg.Wait()
	if got[0] == nil && got[1] == nil {
		w.t.Fatalf("%s approved twice", by.Person)
	}
	for i, err := range got {
		if err == nil {
			w.n = notices[i]
			w.signed = append(w.signed, fmt.Sprintf("%d approved %s", w.n.Version, by.Person))
		}
	}
}

func (w *walk) back() {
	if rapid.IntRange(0, 4).Draw(w.t, "really") > 0 {
		return
	}
	by := rapid.SampledFrom(w.people).Draw(w.t, "by")
	if n, err := w.Return(w.t.Context(), by, w.n.ID, notice.ReturnInput{Reasons: []string{"other"}, Text: "Ubah."}); err == nil {
		w.n = n
	}
}

func (w *walk) redraft() {
	n, err := w.Redraft(w.t.Context(), w.ratna, w.n.ID, notice.DraftInput{
		DeadlineMinutes: w.n.DeadlineMinutes, Emergency: rapid.SampledFrom([]string{"Darurat.", "Darurat lain."}).Draw(w.t, "why"),
	})
	if err == nil {
		w.n = n
	}
}

func (w *walk) withdraw() {
	if rapid.IntRange(0, 9).Draw(w.t, "really") > 0 {
		return
	}
	by := rapid.SampledFrom(w.people).Draw(w.t, "by")
	if n, err := w.Withdraw(w.t.Context(), by, w.n.ID, "Keliru."); err == nil {
		w.n, w.ended = n, true
	}
}

// forge changes rows by SQL, as somebody with the database's password could.
//
// It forges once: a second forgery can undo the first (an approval put in, then
// deleted), and the rows would be the true ones again.
func (w *walk) forge() {
	if rapid.IntRange(0, 4).Draw(w.t, "really") > 0 || w.forged || w.announcedFor(w.n.ID) {
		return
	}
	sql := rapid.SampledFrom([]string{
		`UPDATE notices SET life = 'approved' WHERE id = $1 AND life <> 'approved'`,
		`UPDATE notices SET life = 'logged', issued_at = 1, logged_at = 1 WHERE id = $1 AND life <> 'logged'`,
		`UPDATE notices SET life = 'open', sent_at = 1, sent_mac = row_mac WHERE id = $1 AND life <> 'open'`,
		`UPDATE notices SET deadline_minutes = deadline_minutes + 1 WHERE id = $1`,
		`UPDATE notices SET approvals_needed = approvals_needed + 1 WHERE id = $1`,
		`UPDATE notice_signatures SET step = 'issued' WHERE notice_id = $1 AND step = 'approved'`,
		`DELETE FROM notice_signatures WHERE notice_id = $1 AND step = 'approved'`,
		`UPDATE notice_items SET kind = 'site' WHERE notice_id = $1 AND kind <> 'site'`,
		`INSERT INTO notice_signatures (notice_id, version, n, step, party_id, party_kind, person_id, roles, key_id, method, digest, value, read_parts, read_seconds, at)
		 SELECT notice_id, version, 90, 'approved', party_id, party_kind, (SELECT max(id) FROM people), '["approver"]', (SELECT max(id) FROM person_keys), method, digest, value, '[]', 0, at
		 FROM notice_signatures WHERE notice_id = $1 AND step = 'proposed' ON CONFLICT DO NOTHING`,
	}).Draw(w.t, "sql")
	var changed int64
	err := w.db.Write(w.t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		changed, err = tx.Exec(ctx, sql, w.n.ID)
		return err
	})
	w.forged = w.forged || err == nil && changed > 0
}

// dispatch lets the feed and the dispatcher run, and checks what left.
func (w *walk) dispatch() {
	before := w.announcedFor(w.n.ID)
	w.drain(w.t)
	_, err := w.Dispatch(w.t.Context())
	must(w.t, err)
	w.drain(w.t)
	if before || !w.announcedFor(w.n.ID) {
		return
	}
	n := w.now(w.t, w.n.ID)
	if w.forged || w.ended {
		w.t.Fatalf("%s left although forged (%t) or withdrawn (%t): %v", n.Ref, w.forged, w.ended, w.signed)
	}
	w.n = n
	persons := map[string]bool{}
	steps := map[string]int{}
	for _, s := range w.signed {
		var version int
		var step, person string
		if _, err := fmt.Sscan(s, &version, &step, &person); err != nil {
			w.t.Fatal(err)
		}
		if version != n.Version {
			continue
		}
		if persons[person] || step != "proposed" && person == string(w.drafter) {
			w.t.Fatalf("%s left with two steps by one person: %v", n.Ref, w.signed)
		}
		persons[person] = true
		steps[step]++
	}
	if steps["proposed"] != 1 || steps["approved"] < n.ApprovalsNeeded || steps["issued"] != 1 {
		w.t.Fatalf("%s left with %v, needed %d approvals", n.Ref, steps, n.ApprovalsNeeded)
	}
	w.checkOutside(n)
}

// checkOutside verifies the envelope as a platform does.
func (w *walk) checkOutside(n notice.Notice) {
	v := w.view(w.t, w.lina, n.ID)
	signed, err := notes.ParseSigned(v.Envelope)
	must(w.t, err)
	must(w.t, notes.Verify(signed, notice.Keys(w.t.Context(), w.db)))
	var doc notes.Notice
	must(w.t, json.Unmarshal(signed.Document, &doc))
	if doc.Reference != n.Ref || doc.Issuer.ID != string(w.authority.ID) {
		w.t.Fatalf("envelope of %s by %s, want %s by %s", doc.Reference, doc.Issuer.ID, n.Ref, w.authority.ID)
	}
}
