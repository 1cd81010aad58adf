package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// Subscriptions are what the room does once an entry has its place: an issued
// notice becomes logged, and news goes out to the parties it concerns.
func (r *Room) Subscriptions() []feed.Subscription {
	return []feed.Subscription{
		{Name: "notice-log", Kinds: []string{"notice.issued"}, Do: r.logged},
		{Name: "notice-announce", Kinds: announced, Do: r.announce},
	}
}

// logged takes a notice to logged. Rows that are not whole stay as they are:
// the dispatcher will refuse them, and the feed must not stop for them.
func (r *Room) logged(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	n, err := lock(ctx, tx, ID(e.ObjectID))
	if fault.Of(err) == fault.NotFound {
		return nil // an entry that no notice stands behind
	}
	if fault.Is(err, "notice.damaged") {
		return r.refuse(ctx, tx, Notice{ID: ID(e.ObjectID)}, "rows", e.SequencedAt)
	}
	if err != nil {
		return err
	}
	if n.IssuedAt.IsZero() {
		return nil // an entry that no issue stands behind
	}
	if _, err := n.check(EventLog); err != nil {
		return nil //nolint:nilerr // withdrawn in between, or seen before
	}
	if _, err := r.whole(ctx, tx, n.ID); err != nil {
		if fault.Is(err, "notice.damaged") {
			return r.refuse(ctx, tx, n, "rows", e.SequencedAt)
		}
		return err
	}
	n.Life, n.LoggedAt, n.LogSeq = Logged, e.SequencedAt, e.Seq
	if err := save(ctx, tx, n); err != nil {
		return err
	}
	tx.AfterCommit(r.wake.Wake)
	return r.seal(ctx, tx, n.ID)
}

// announced are the entries of which parties are told through their endpoints.
var announced = []string{
	"notice.approved", "notice.returned", "notice.sent", "notice.received", "notice.answered", "notice.paused", "notice.resumed",
	"notice.message", "notice.reopened", "notice.reminded", "notice.overdue", "notice.unreceived", "notice.deemed",
	"notice.withdrawn", "notice.quashed", "notice.closed",
}

// announce tells every party of the entry's audience but the one that acted.
// A platform is told of nothing that the dispatcher did not send.
func (r *Room) announce(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	if r.Announce == nil {
		return nil
	}
	n, err := get(ctx, tx, ID(e.ObjectID))
	if fault.Of(err) == fault.NotFound || fault.Is(err, "notice.damaged") {
		return nil
	}
	if err != nil {
		return err
	}
	may := r.audience(n)
	for _, to := range e.Audience {
		if to == e.Party || !slices.Contains(may, to) {
			continue
		}
		m := Announcement{EntryID: e.ID, Type: e.Kind, Object: e.Object, ObjectID: e.ObjectID, Ref: n.Ref, Seq: e.Seq, At: e.At}
		if e.Kind == "notice.sent" {
			if to != string(n.Addressee) {
				continue
			}
			m.Type = "notice.issued" // what it is to the platform
		}
		if err := r.Announce(ctx, tx, party.ID(to), m); err != nil {
			return fmt.Errorf("announce %s to %s: %w", e.Kind, to, err)
		}
	}
	return nil
}

// Concerned returns those of an entry's audience who may hear of the notice it
// is about as its rows stand, and nobody when there is no such notice. An
// entry that was put into the feed by SQL tells a platform of nothing that the
// dispatcher did not send (threat-model T12).
func (r *Room) Concerned(ctx context.Context, tx *db.Tx, e feed.Entry) ([]string, error) {
	n, err := life(ctx, tx, ID(e.ObjectID))
	if fault.Of(err) == fault.NotFound || fault.Is(err, "notice.damaged") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	may := r.audience(n)
	return slices.DeleteFunc(slices.Clone(e.Audience), func(to string) bool { return !slices.Contains(may, to) }), nil
}

// Run dispatches until ctx ends: at every wake-up, and once a second.
func (r *Room) Run(ctx context.Context) error {
	wake, stop := r.wake.Listen()
	defer stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := r.Dispatch(ctx); err != nil && ctx.Err() == nil {
			r.Log.ErrorContext(ctx, "notices wait for dispatch", "error", err) // tried again, the others went
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-tick.C:
		}
	}
}

// maxDispatch bounds one round of the dispatcher.
const maxDispatch = 200

// Dispatch sends every logged notice whose whole chain still holds, and refuses
// the others for good, visibly. It returns how many it sent.
func (r *Room) Dispatch(ctx context.Context) (int, error) {
	ids, err := db.All(ctx, r.DB, db.Scalar[ID], `
		SELECT n.id FROM notices n WHERE n.life = 'logged' AND n.delivery = 'queued'
			AND NOT EXISTS (SELECT 1 FROM notice_refusals f WHERE f.notice_id = n.id)
		ORDER BY n.logged_at, n.id LIMIT $1`, maxDispatch)
	if err != nil {
		return 0, err
	}
	sent, failed := 0, error(nil)
	for _, id := range ids {
		ok := false
		err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			var err error
			ok, err = r.dispatch(ctx, tx, id)
			return err
		})
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("dispatch notice %s: %w", id, err)) // the others go on
		} else if ok {
			sent++
		}
	}
	return sent, failed
}

func (r *Room) dispatch(ctx context.Context, tx *db.Tx, id ID) (bool, error) {
	now := r.Clock.Now()
	n, err := lock(ctx, tx, id)
	if fault.Is(err, "notice.damaged") {
		return false, r.refuse(ctx, tx, Notice{ID: id}, "rows", now)
	}
	if err != nil {
		return false, err
	}
	if _, err := n.check(EventDispatch); err != nil {
		return false, nil //nolint:nilerr // somebody was faster, or it was withdrawn
	}
	refused, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM notice_refusals WHERE notice_id = $1`, id)
	if err != nil || refused > 0 {
		return false, err
	}
	if err := r.verify(ctx, tx, id); err != nil {
		var no *refusal
		if !errors.As(err, &no) {
			return false, err
		}
		return false, r.refuse(ctx, tx, n, no.why, now)
	}
	n.Life, n.Delivery, n.SentAt = Open, Sent, now
	if err := save(ctx, tx, n); err != nil {
		return false, err
	}
	n.sentMAC = r.sentProof(n)
	if _, err := tx.Exec(ctx, `UPDATE notices SET sent_mac = $2 WHERE id = $1`, id, n.sentMAC); err != nil {
		return false, err
	}
	if err := r.index(ctx, tx, n); err != nil {
		return false, err
	}
	if err := logDelivery(ctx, tx, n, DeliveryStep{Channel: "portal", Step: "sent", Result: "ok", At: now}); err != nil {
		return false, err
	}
	kind := report.StepOrdered
	if n.Kind == notes.Referral {
		kind = report.StepReferred
	}
	if err := r.tellReporters(ctx, tx, n, kind, now, nil); err != nil {
		return false, err
	}
	return true, r.record(ctx, tx, party.Actor{}, "notice.sent", n, map[string]any{
		"kind": n.Kind, "items": n.ItemCount, "deadline_minutes": n.DeadlineMinutes, "digest": notes.Hex(n.Digest),
	}, now)
}

// tellReporters puts a step on the timelines of the case's reporters.
func (r *Room) tellReporters(ctx context.Context, tx *db.Tx, n Notice, kind string, now time.Time, args map[string]string) error {
	p, err := party.Get(ctx, tx, n.Addressee)
	if err != nil {
		return err
	}
	all := map[string]string{"Platform": p.Name}
	for k, v := range args {
		all[k] = v
	}
	reports, err := r.Cases.ReportIDs(ctx, tx, n.CaseID)
	if err != nil || len(reports) == 0 {
		return err
	}
	return r.Reports.StepTx(ctx, tx, reports, report.Step{Kind: kind, At: now, Args: all})
}

// refuse records that a notice will never be sent, and why, in a word.
func (r *Room) refuse(ctx context.Context, tx *db.Tx, n Notice, why string, now time.Time) error {
	added, err := tx.Exec(ctx, `INSERT INTO notice_refusals (notice_id, why, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, n.ID, why, db.Micros(now))
	if err != nil || added == 0 {
		return err
	}
	return r.record(ctx, tx, party.Actor{}, "notice.refused-dispatch", n, map[string]any{"why": why}, now)
}

// A refusal is why a notice may not leave. Other errors of verify mean that it
// could not be checked now.
type refusal struct {
	why   string
	cause error
}

func (e *refusal) Error() string { return "refused: " + e.why + ": " + fmt.Sprint(e.cause) }
func (e *refusal) Unwrap() error { return e.cause }

func refused(why string, cause error) error { return &refusal{why, cause} }

// verify checks everything that a notice rests on, from what is stored: the row
// MAC, the digest over the bytes, the rows against the bytes, the envelope
// against the rows, and every signature, person, role, key and method.
func (r *Room) verify(ctx context.Context, tx *db.Tx, id ID) error {
	w, err := r.whole(ctx, tx, id)
	if err != nil {
		if fault.Of(err) == fault.Conflict {
			return refused("rows", err)
		}
		return err
	}
	n := w.Notice
	canon, err := r.open(n, n.sealedBytes, "canonical")
	if err != nil {
		return refused("bytes", err)
	}
	if notes.Digest(notes.KindNotice, canon) != n.Digest {
		return refused("digest", errors.New("bytes and digest differ"))
	}
	if err := r.agree(w, canon); err != nil {
		return err
	}
	sigs := slices.DeleteFunc(slices.Clone(w.Signatures), func(s Signature) bool { return s.Version != n.Version })
	if err := r.verifyEnvelope(ctx, tx, n, sigs); err != nil {
		return err
	}
	if err := r.verifyChain(n, sigs); err != nil {
		return err
	}
	return r.verifyBatches(ctx, tx, n, sigs)
}

// verifyEnvelope checks the stored envelope against one rebuilt from the rows,
// and then as any outsider would.
func (r *Room) verifyEnvelope(ctx context.Context, tx *db.Tx, n Notice, sigs []Signature) error {
	raw, err := r.open(n, n.envelope, "envelope")
	if err != nil {
		return refused("envelope", err)
	}
	kept, err := notes.ParseSigned(raw)
	if err != nil {
		return refused("envelope", err)
	}
	built, err := r.unsealed(n, sigs)
	if err != nil {
		return refused("signatures", err)
	}
	built.Seal = kept.Seal
	again, err := built.Encode()
	if err != nil || !bytes.Equal(again, raw) {
		return refused("signatures", fmt.Errorf("envelope and rows differ: %w", err))
	}
	if err := notes.Verify(kept, Keys(ctx, tx)); err != nil {
		return refused("signatures", err)
	}
	for _, s := range sigs {
		key, err := party.GetKey(ctx, tx, s.Key)
		if err != nil || key.Person != s.Person || !bytes.Equal(s.digest, n.Digest[:]) {
			return refused("signatures", fmt.Errorf("signature %d is not its person's: %w", s.N, err))
		}
		if !key.RevokedAt.IsZero() && !s.At.Before(key.RevokedAt) {
			return refused("key", errors.New("revoked before it signed"))
		}
	}
	return nil
}

// verifyChain checks the steps against the pack, by the roles that the signers
// held then: enough distinct persons, none of them the one who wrote it.
func (r *Room) verifyChain(n Notice, sigs []Signature) error {
	pack, err := r.pack(n)
	if err != nil {
		return refused("pack", err)
	}
	persons := map[party.PersonID]bool{}
	have := map[notes.Step]int{}
	for _, s := range sigs {
		act := policy.Propose
		switch s.Step { //nolint:exhaustive // the other cases fall to what stands around the switch
		case notes.StepApproved:
			act = policy.Approve
		case notes.StepIssued:
			act = policy.Issue
		}
		owner := n.Proposer
		if s.Step == notes.StepIssued {
			owner = n.Issuer
		}
		if err := mayStep(pack, n, s.PartyKind, s.Roles, act); err != nil || s.Party != owner {
			return refused("chain", err)
		}
		if !pack.Signing.Suffices(policy.SigningMethod(s.Method)) {
			return refused("method", errors.New(string(s.Method)))
		}
		if persons[s.Person] || s.Step != notes.StepProposed && s.Person == n.DraftedBy {
			return refused("persons", errors.New("one person twice"))
		}
		persons[s.Person] = true
		have[s.Step]++
	}
	needed := max(1, n.ApprovalsNeeded)
	if have[notes.StepProposed] != 1 || have[notes.StepIssued] != 1 || have[notes.StepApproved] < needed || len(persons) < needed+2 {
		return refused("persons", fmt.Errorf("%v, want %d approvals", have, needed))
	}
	if n.IssuedAt.Before(n.AdvanceFrom) {
		return refused("advance", errors.New("issued before the first-notice time"))
	}
	return nil
}

// agree checks the rows against the canonical bytes, so that what people signed
// is what the pages, the clocks and the inbox go by.
func (r *Room) agree(w rows, canon []byte) error {
	var doc notes.Notice
	if err := json.Unmarshal(canon, &doc); err != nil {
		return refused("bytes", err)
	}
	n := w.Notice
	preserve := 0
	if doc.Duties != nil {
		preserve = doc.Duties.PreserveMonths
	}
	same := doc.ID == string(n.ID) && doc.Reference == n.Ref && doc.Kind == n.Kind &&
		doc.Proposer.ID == string(n.Proposer) && doc.Issuer.ID == string(n.Issuer) && doc.Addressee.Party == string(n.Addressee) &&
		doc.Pack.Digest == n.Pack.Digest && doc.DeadlineMinutes == n.DeadlineMinutes && slices.Equal(doc.Grounds, n.Grounds) &&
		slices.Equal(doc.Functions, n.Functions) && doc.Tier == n.Tier && doc.Disclosure.MayTellUser == n.MayTell &&
		preserve == n.PreserveMonths && len(doc.Items) == len(w.Items) && n.ItemCount == len(w.Items)
	if !same {
		return refused("rows", errors.New("rows and bytes differ"))
	}
	for i, it := range w.Items {
		url, err := r.open(n, it.sealedURL, "url")
		d := doc.Items[i]
		if err != nil || string(url) != d.URL || it.N != d.N || it.Platform != d.Platform || it.Kind != d.Kind || it.ContentType != d.ContentType || it.Language != d.Language {
			return refused("items", fmt.Errorf("item %d: rows and bytes differ: %w", it.N, err))
		}
	}
	return nil
}
