package notice

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/notes"
)

// A batch is several like notices that one person approves by one signature,
// after opening those that were drawn. Alike are notices of one kind, ground,
// tier, platform and time to answer, written by one person under one version of
// the pack, which also says how many there may be and how many are drawn
// (policy.Batch). What asks for more than one approval, or claims an exception
// of its own, is read by itself.
//
// The draw is the program's: the order of a MAC under the instance key over
// approver, notice and digest. Drawing again, with the same notices or others,
// gives every notice the same place in that order. The first in it are always
// drawn; what was drawn for a person before stays drawn besides, and counts for
// nothing, so that nobody chooses a sample by drawing small batches first.

// A BatchID identifies one draw (UUIDv7).
type BatchID string

// A BatchState is how far a batch has come.
type BatchState string

// The states. Ended is what happened to one of its notices before it was
// signed: see Batch.Why.
const (
	BatchDrawn    BatchState = "drawn"
	BatchApproved BatchState = "approved"
	BatchEnded    BatchState = "ended"
)

// Why a batch ended.
const (
	BatchReturned = "returned" // one of its notices was sent back: the rest needs a new draw
	BatchChanged  = "changed"  // one of its notices was decided otherwise, or withdrawn
	BatchReplaced = "replaced" // its approver drew again
)

// A Batch is one draw over like notices, for one approver.
type Batch struct {
	ID       BatchID
	Party    party.ID
	Person   party.PersonID // whose it is: nobody else opens or signs it
	State    BatchState
	Why      string // one of the reasons above, "" while drawn or approved
	DrawnAt  time.Time
	DoneAt   time.Time   // zero while drawn
	Document notes.Batch // what is signed
	Digest   [32]byte    // of its canonical bytes
	Items    []BatchItem // in the order of the document
	canon    []byte
	mac      []byte // see batchMAC
}

// A BatchItem is one notice of a batch.
type BatchItem struct {
	N        int // from 1
	Notice   ID
	Ref      string // of the notice, as it is now
	Links    int    // of the notice, as it is now
	Version  int
	Sampled  bool // must be opened before the signature
	OpenedAt time.Time
	OpenedBy party.PersonID
}

// Unopened counts the drawn notices that have not been opened.
func (b Batch) Unopened() int {
	n := 0
	for _, it := range b.Items {
		if it.Sampled && it.OpenedAt.IsZero() {
			n++
		}
	}
	return n
}

// alike is what all notices of a batch share.
type alike struct {
	kind      notes.NoticeKind
	issuer    party.ID
	addressee party.ID
	platform  string
	pack      policy.Ref
	minutes   int
	tier      notes.Tier
	grounds   string
	author    party.PersonID
}

// likeness returns what others must share with n, or false if n is approved by
// itself alone.
func likeness(n Notice) (alike, bool) {
	var grounds []string
	for _, g := range n.Grounds {
		grounds = append(grounds, string(g))
	}
	a := alike{
		n.Kind, n.Issuer, n.Addressee, n.Platform, n.Pack, n.DeadlineMinutes, n.Tier, strings.Join(grounds, " "), n.DraftedBy,
	}
	return a, n.damage == nil && n.Life == Proposed && len(n.Broad) == 0 && n.ApprovalsNeeded <= 1 && !n.Emergency &&
		n.Platform != casework.UnknownPlatform
}

// A Group is like notices that the actor may approve as one batch.
type Group struct {
	Notices []Waiting // the longest waiting first, at most as many as the pack allows
	Sample  int       // how many of them are drawn at least
}

// Groups returns which of the notices that wait for the actor (see Approvals)
// are alike, two or more at a time, in the order in which they wait.
func (r *Room) Groups(waiting []Waiting) []Group {
	var keys []alike
	by := map[alike][]Waiting{}
	for _, w := range waiting {
		key, ok := likeness(w.Notice)
		if !ok || w.Why != nil || w.Step != EventApprove {
			continue
		}
		if by[key] == nil {
			keys = append(keys, key)
		}
		by[key] = append(by[key], w)
	}
	var out []Group
	for _, key := range keys {
		pack, err := r.pack(by[key][0].Notice)
		most := pack.Batch.Max.Int()
		if all := by[key]; err == nil && len(all) > 1 && most > 1 {
			all = all[:min(len(all), most)]
			out = append(out, Group{all, pack.Batch.Sample(len(all))})
		}
	}
	return out
}

// Draw makes a batch of the named notices for the actor and draws those that
// have to be opened. The same notices again give the same batch; another choice
// ends the actor's batches that hold one of them, and what they had drawn stays
// drawn.
func (r *Room) Draw(ctx context.Context, by party.Actor, ids []ID) (Batch, error) {
	var b Batch
	if err := noKey(by); err != nil {
		return b, err
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) < 2 || len(ids) > notes.MaxBatch {
		return b, fault.New(fault.Invalid, "notice.batch-size", "Max", notes.MaxBatch, "Got", len(ids)).At("/notices")
	}
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		all, pack, err := r.together(ctx, tx, by, ids)
		if err != nil {
			return err
		}
		same, err := r.replace(ctx, tx, by, all, now)
		if err != nil || same.ID != "" {
			b = same
			return err
		}
		b = Batch{ID: BatchID(db.NewID()), Party: by.Party, Person: by.Person, State: BatchDrawn, DrawnAt: now}
		drawn, err := r.sample(ctx, tx, by, all, pack)
		if err != nil {
			return err
		}
		for i, n := range all {
			b.Items = append(b.Items, BatchItem{N: i + 1, Notice: n.ID, Ref: n.Ref, Links: n.ItemCount, Version: n.Version, Sampled: drawn[n.ID]})
		}
		if err := r.document(ctx, tx, &b, all); err != nil {
			return err
		}
		if err := r.insertBatch(ctx, tx, b); err != nil {
			return err
		}
		return r.recordBatch(ctx, tx, by, "batch.drawn", b, now)
	})
	return b, err
}

// noKey refuses programs: a batch is drawn, opened and signed by a person.
func noKey(by party.Actor) error {
	if by.APIKey != "" {
		return fault.New(fault.Denied, "auth.never-by-key", "Act", string(auth.NoticeApprove))
	}
	return nil
}

// together reads the notices of a batch to be: the actor may approve each of
// them, all are alike, and their rows are whole.
func (r *Room) together(ctx context.Context, tx *db.Tx, by party.Actor, ids []ID) ([]Notice, policy.Pack, error) {
	var all []Notice
	var first alike
	for i, id := range slices.Sorted(slices.Values(ids)) { // one order of locks for everybody
		n, _, err := r.begin(ctx, tx, by, id, EventApprove)
		if err != nil {
			return nil, policy.Pack{}, err
		}
		key, ok := likeness(n)
		if i == 0 {
			first = key
		}
		if !ok || key != first {
			return nil, policy.Pack{}, fault.New(fault.Conflict, "notice.batch-alike", "Ref", n.Ref)
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b Notice) int { return cmp.Or(a.ProposedAt.Compare(b.ProposedAt), cmp.Compare(a.ID, b.ID)) })
	pack, err := r.pack(all[0])
	if err == nil && len(all) > pack.Batch.Max.Int() {
		err = fault.New(fault.Invalid, "notice.batch-size", "Max", pack.Batch.Max.Int(), "Got", len(all)).At("/notices")
	}
	return all, pack, err
}

// replace returns the actor's open batch over exactly these notices, or ends
// those that hold one of them.
func (r *Room) replace(ctx context.Context, tx *db.Tx, by party.Actor, all []Notice, now time.Time) (Batch, error) {
	open, err := r.batchesOf(ctx, tx, all, `b.state = 'drawn' AND b.person_id = $1`, by.Person)
	if err != nil {
		return Batch{}, err
	}
	for _, b := range open {
		if r.batchHolds(b) && slices.EqualFunc(b.Items, all, func(it BatchItem, n Notice) bool { return it.Notice == n.ID && it.Version == n.Version }) {
			return b, nil
		}
	}
	return Batch{}, r.endAll(ctx, tx, by, open, BatchReplaced, now)
}

// sample draws from all: the first in the order of the draw, as many as the pack
// asks for, and besides what was drawn for the actor before. After one of their
// batches had a notice sent back, or one that was drawn is left out now, those
// that they had seen by then are passed over, and as many again are drawn.
func (r *Room) sample(ctx context.Context, tx *db.Tx, by party.Actor, all []Notice, pack policy.Pack) (map[ID]bool, error) {
	before, err := r.batchesOf(ctx, tx, all, `b.person_id = $1`, by.Person)
	if err != nil {
		return nil, err
	}
	drawn, seen, version := map[ID]bool{}, map[ID]bool{}, map[ID]int{}
	for _, n := range all {
		version[n.ID] = n.Version
	}
	for _, b := range before {
		if !r.batchHolds(b) { // what was drawn before must not be forgotten, nor made up
			return nil, fault.New(fault.Conflict, "notice.batch-damaged")
		}
		again := b.Why == BatchReturned
		for _, it := range b.Items {
			switch {
			case !it.Sampled:
			case version[it.Notice] == it.Version:
				drawn[it.Notice] = true
			default:
				again = true
			}
		}
		if again {
			maps.Copy(seen, drawn)
		}
	}
	rank := map[ID][]byte{}
	for _, n := range all {
		rank[n.ID] = r.Vault.MAC("notice-draw", fmt.Appendf(nil, "%s|%s|%d|%x", by.Person, n.ID, n.Version, n.Digest))
	}
	fresh := 0
	for _, n := range slices.SortedFunc(slices.Values(all), func(a, b Notice) int { return bytes.Compare(rank[a.ID], rank[b.ID]) }) {
		if !seen[n.ID] && fresh < pack.Batch.Sample(len(all)) {
			drawn[n.ID] = true
			fresh++
		}
	}
	return drawn, nil
}

// document sets what is signed.
func (r *Room) document(ctx context.Context, tx *db.Tx, b *Batch, all []Notice) error {
	instance, err := reference.Of(ctx, tx)
	if err != nil {
		return err
	}
	n := all[0]
	b.Document = notes.Batch{
		V: notes.Version, Instance: instance.Code, ID: string(b.ID), Party: string(b.Party), Kind: n.Kind, Addressee: string(n.Addressee),
		Platform: n.Platform, Grounds: n.Grounds, Tier: n.Tier,
	}
	for i, n := range all {
		b.Document.Notices = append(b.Document.Notices, notes.Hex(n.Digest))
		if b.Items[i].Sampled {
			b.Document.Sample = append(b.Document.Sample, i+1)
		}
	}
	if b.canon, err = b.Document.Canonical(); err != nil {
		return err
	}
	b.Digest = notes.Digest(notes.KindBatch, b.canon)
	return nil
}

// Batch returns the actor's own batch, signed and ended ones too, or a hidden
// fault.
func (r *Room) Batch(ctx context.Context, by party.Actor, id BatchID) (Batch, error) {
	b, err := readBatch(ctx, r.DB, id, "")
	if err != nil {
		return b, err
	}
	return b, r.ownBatch(by, b)
}

// Batches returns the actor's batches that are neither signed nor ended, the
// oldest first.
func (r *Room) Batches(ctx context.Context, by party.Actor) ([]Batch, error) {
	if !auth.Seat(by, auth.NoticeApprove) {
		return nil, nil
	}
	all, err := db.All(ctx, r.DB, scanBatch, `SELECT `+batchColumns+` FROM notice_batches b WHERE b.person_id = $1 AND b.state = 'drawn' ORDER BY b.id LIMIT 50`, by.Person)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := all[i].readItems(ctx, r.DB); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(b Batch) bool { return !r.batchHolds(b) }), nil
}

// ownBatch returns nil if the batch is the actor's, who could still approve.
func (r *Room) ownBatch(by party.Actor, b Batch) error {
	if b.Person != by.Person || !auth.Seat(by, auth.NoticeApprove) {
		return fault.Hidden("batch")
	}
	if !r.batchHolds(b) {
		return fault.New(fault.Conflict, "notice.batch-damaged")
	}
	return nil
}

// mineToSign returns nil if b is the actor's own and neither signed nor ended.
func (r *Room) mineToSign(by party.Actor, b Batch) error {
	if err := r.ownBatch(by, b); err != nil { // another's is absent, to programs too
		return err
	}
	if err := noKey(by); err != nil {
		return err
	}
	if b.State != BatchDrawn {
		return fault.New(fault.Conflict, "notice.batch-"+cmp.Or(b.Why, "done"))
	}
	return nil
}

// takeBatch locks the actor's own batch, which must not be signed or ended.
func (r *Room) takeBatch(ctx context.Context, tx *db.Tx, by party.Actor, id BatchID) (Batch, error) {
	b, err := readBatch(ctx, tx, id, " FOR UPDATE")
	if err == nil {
		err = r.mineToSign(by, b)
	}
	return b, err
}

// Opened records that the actor opened the dossier of the n-th notice of their
// batch, and returns which notice that is. Opening it again changes nothing.
func (r *Room) Opened(ctx context.Context, by party.Actor, id BatchID, n int) (ID, error) {
	var notice ID
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := r.takeBatch(ctx, tx, by, id)
		if err != nil {
			return err
		}
		if n < 1 || n > len(b.Items) {
			return fault.Hidden("notice")
		}
		it := &b.Items[n-1]
		notice = it.Notice
		if !it.OpenedAt.IsZero() {
			return nil
		}
		now := r.Clock.Now()
		it.OpenedAt, it.OpenedBy = now, by.Person
		if _, err := tx.Exec(ctx, `UPDATE notice_batch_items SET opened_at = $3, opened_by = $4 WHERE batch_id = $1 AND n = $2`, id, n, db.Micros(now), by.Person); err != nil {
			return err
		}
		if err := r.saveBatch(ctx, tx, b); err != nil {
			return err
		}
		return r.recordBatch(ctx, tx, by, "batch.opened", b, now)
	})
	return notice, err
}

// Without draws again without the n-th notice of the actor's batch. What was
// drawn stays drawn, and is opened anew.
func (r *Room) Without(ctx context.Context, by party.Actor, id BatchID, n int) (Batch, error) {
	b, err := readBatch(ctx, r.DB, id, "")
	if err == nil {
		err = r.mineToSign(by, b)
	}
	if err != nil {
		return b, err
	}
	if n < 1 || n > len(b.Items) {
		return b, fault.Hidden("notice")
	}
	var rest []ID
	for _, it := range b.Items {
		if it.N != n {
			rest = append(rest, it.Notice)
		}
	}
	return r.Draw(ctx, by, rest)
}

// endBatches ends every open batch that holds n, whoever drew it.
func (r *Room) endBatches(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, why string, now time.Time) error {
	open, err := r.batchesOf(ctx, tx, []Notice{n}, `b.state = $1`, BatchDrawn)
	if err != nil {
		return err
	}
	return r.endAll(ctx, tx, by, open, why, now)
}

func (r *Room) endAll(ctx context.Context, tx *db.Tx, by party.Actor, open []Batch, why string, now time.Time) error {
	for _, b := range open {
		save := r.saveBatch
		if !r.batchHolds(b) {
			save = r.saveBatchUnsealed // ended all the same, and never made whole
		}
		b.State, b.Why, b.DoneAt = BatchEnded, why, now
		if err := save(ctx, tx, b); err != nil {
			return err
		}
		if err := r.recordBatch(ctx, tx, by, "batch.ended", b, now); err != nil {
			return err
		}
	}
	return nil
}

// recordBatch adds what happened to b to the feed, for its own organisation.
func (r *Room) recordBatch(ctx context.Context, tx *db.Tx, by party.Actor, kind string, b Batch, now time.Time) error {
	_, err := r.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: "batch", ObjectID: string(b.ID), Party: string(by.Party), Person: string(by.Person), Audience: []string{string(b.Party)},
		Data: map[string]any{"digest": notes.Hex(b.Digest), "notices": len(b.Items), "sample": b.Document.Sample, "unopened": b.Unopened(), "why": b.Why}, At: now,
	})
	return err
}
