package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// ApproveBatch approves every notice of the actor's batch by one signature over
// the batch's digest, once all that were drawn have been opened. All of them
// are approved, or none.
func (r *Room) ApproveBatch(ctx context.Context, by party.Actor, id BatchID, sig Sig) (Batch, error) {
	var b Batch
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if b, err = r.readyBatch(ctx, tx, by, id); err != nil {
			return err
		}
		ids := make([]ID, len(b.Items))
		for i, it := range b.Items {
			ids[i] = it.Notice
		}
		all, pack, err := r.together(ctx, tx, by, ids)
		if err != nil {
			return err
		}
		if b, err = r.takeBatch(ctx, tx, by, id); err != nil { // notices first, then the batch, as everybody locks
			return err
		}
		if now, err = b.signedAt(now); err != nil {
			return err
		}
		if err := b.stands(all, pack); err != nil {
			return err
		}
		s, err := r.checkBatchSig(ctx, tx, by, b, pack, all[0], sig, now)
		if err != nil {
			return err
		}
		b.State, b.DoneAt = BatchApproved, now
		if err := r.saveBatch(ctx, tx, b); err != nil {
			return err
		}
		if err := r.recordBatch(ctx, tx, by, "batch.approved", b, now); err != nil {
			return err
		}
		for i, n := range all {
			if err := r.approveOne(ctx, tx, by, n, b.Items[i], s, now); err != nil {
				return fmt.Errorf("approve %s: %w", n.Ref, err)
			}
		}
		return nil
	})
	return b, err
}

// readyBatch reads the actor's own batch, which waits for the signature alone.
func (r *Room) readyBatch(ctx context.Context, tx *db.Tx, by party.Actor, id BatchID) (Batch, error) {
	b, err := readBatch(ctx, tx, id, "")
	if err == nil {
		err = r.mineToSign(by, b)
	}
	if n := b.Unopened(); err == nil && n > 0 {
		err = fault.New(fault.Conflict, "notice.batch-unopened", "N", n)
	}
	return b, err
}

// nodeSkew is by how much the clocks of two nodes may differ (threat-model T16).
const nodeSkew = 5 * time.Second

// signedAt is the time of a signature that is made now, which is not before the
// dossiers were opened, be it on a node whose clock is fast.
func (b Batch) signedAt(now time.Time) (time.Time, error) {
	at := now
	for _, it := range b.Items {
		if it.OpenedAt.After(at) {
			at = it.OpenedAt
		}
	}
	if at.Sub(now) > nodeSkew {
		return now, fault.New(fault.Conflict, "notice.batch-changed")
	}
	return at, nil
}

// stands reports whether the notices are still those that the batch was drawn
// from, and the pack's bounds hold.
func (b Batch) stands(all []Notice, pack policy.Pack) error {
	same := slices.EqualFunc(b.Items, all, func(it BatchItem, n Notice) bool {
		return it.Notice == n.ID && it.Version == n.Version && b.Document.Notices[it.N-1] == notes.Hex(n.Digest)
	})
	if !same || len(b.Document.Sample) < pack.Batch.Sample(len(all)) {
		return fault.New(fault.Conflict, "notice.batch-changed")
	}
	return nil
}

// checkBatchSig checks the one signature of a batch as checkSig does that of a
// notice, over the batch's digest.
func (r *Room) checkBatchSig(ctx context.Context, tx *db.Tx, by party.Actor, b Batch, pack policy.Pack, first Notice, sig Sig, now time.Time) (Signature, error) {
	first.Digest = b.Digest
	s, err := r.checkSig(ctx, tx, by, first, EventApprove, Sig{
		Key: sig.Key, Value: sig.Value, ClientData: sig.ClientData, AuthenticatorData: sig.AuthenticatorData,
	}, now)
	s.BatchID, s.Batch = b.ID, b.canon
	return s, err
}

// approveOne puts the batch's signature on one of its notices.
func (r *Room) approveOne(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, it BatchItem, s Signature, now time.Time) error {
	sigs, err := signatures(ctx, tx, n.ID, n.Version)
	if err != nil {
		return err
	}
	s.Version, s.N, s.digest = n.Version, len(sigs)+1, n.Digest[:]
	if !it.OpenedAt.IsZero() {
		s.Read = []string{"assessment", "evidence"}
		s.ReadSeconds = 0 // how long is not known: the dossiers of a batch are read in turn
	}
	ok, err := insertSignature(ctx, tx, n.ID, s)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Denied, "auth.same-person", "Act", "notice.approve")
	}
	return r.advance(ctx, tx, by, &n, append(sigs, s), EventApprove, now)
}

// verifyBatches is verifyBatch for each signature.
func (r *Room) verifyBatches(ctx context.Context, tx *db.Tx, n Notice, sigs []Signature) error {
	pack, err := r.pack(n)
	if err != nil {
		return refused("pack", err)
	}
	for _, s := range sigs {
		if err := r.verifyBatch(ctx, tx, n, pack, s); err != nil {
			return err
		}
	}
	return nil
}

// verifyBatch checks what a signature over a batch rests on besides the batch's
// own bytes, which notes.Verify has looked at: this program drew it for the
// signer, it holds exactly these notices, no more than the pack allows, as many
// were drawn as the pack asks for, and the signer opened each of them before.
func (r *Room) verifyBatch(ctx context.Context, tx *db.Tx, n Notice, pack policy.Pack, s Signature) error {
	if s.BatchID == "" && len(s.Batch) == 0 {
		return nil
	}
	b, err := readBatch(ctx, tx, s.BatchID, "")
	switch {
	case fault.Of(err) == fault.NotFound || fault.Is(err, "notice.damaged"):
		return refused("batch", err)
	case err != nil:
		return err
	case !r.batchHolds(b):
		return refused("batch", errors.New("its rows are not whole"))
	case s.Step != notes.StepApproved || b.State != BatchApproved || b.Person != s.Person || b.Party != s.Party || !b.DoneAt.Truncate(time.Second).Equal(s.At):
		return refused("batch", errors.New("it was not signed by this person at that time"))
	case len(b.Items) != len(b.Document.Notices) || len(b.Items) > pack.Batch.Max.Int() || len(b.Document.Sample) < pack.Batch.Sample(len(b.Items)):
		return refused("batch", fmt.Errorf("%d notices with a sample of %d", len(b.Items), len(b.Document.Sample)))
	}
	return b.verifyItems(n, s.Person)
}

// verifyItems checks that the rows are those of the document, that its signer
// opened each drawn notice before, and that n is among them.
func (b Batch) verifyItems(n Notice, signer party.PersonID) error {
	here := false
	for i, it := range b.Items {
		if it.Sampled != slices.Contains(b.Document.Sample, i+1) || it.N != i+1 {
			return refused("batch", errors.New("rows and sample differ"))
		}
		if it.Sampled && (it.OpenedAt.IsZero() || it.OpenedBy != signer || it.OpenedAt.After(b.DoneAt)) {
			return refused("batch", fmt.Errorf("notice %d was drawn and not opened by its signer", it.N))
		}
		here = here || it.Notice == n.ID && it.Version == n.Version && b.Document.Notices[i] == notes.Hex(n.Digest)
	}
	if !here {
		return refused("batch", errors.New("it does not hold this notice"))
	}
	return nil
}

// batchOf reads what a signature was made over, nil if it was the notice's own
// digest.
func (s Signature) batchOf() (*notes.Batch, error) {
	if s.BatchID == "" && len(s.Batch) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	var b notes.Batch
	if err := json.Unmarshal(s.Batch, &b); err != nil {
		return nil, damaged("", "batch", err)
	}
	return &b, nil
}
