package notice

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// A Sig is a person's signature over the digest of the notice as they saw it.
type Sig struct {
	Key   party.KeyID
	Value []byte // 64 bytes, Ed25519 over the 32 bytes of the digest; of a passkey the assertion's signature

	// Of a passkey only: the assertion whose challenge is the digest.
	ClientData        []byte
	AuthenticatorData []byte

	// Read names the parts of the dossier that the signer had opened, and
	// ReadSeconds for how long; oversight sees both.
	Read        []string
	ReadSeconds int
}

// Propose signs a draft as its proposer. The approvers are told.
func (r *Room) Propose(ctx context.Context, by party.Actor, id ID, sig Sig) (Notice, error) {
	return r.sign(ctx, by, id, EventPropose, sig)
}

// Approve signs a proposed notice as a further person. It becomes approved once
// as many distinct persons as the pack wants have signed.
func (r *Room) Approve(ctx context.Context, by party.Actor, id ID, sig Sig) (Notice, error) {
	return r.sign(ctx, by, id, EventApprove, sig)
}

// Issue signs an approved notice as the issuer's officer and seals it with the
// issuer's key. It leaves once the feed has given it its place.
func (r *Room) Issue(ctx context.Context, by party.Actor, id ID, sig Sig) (Notice, error) {
	return r.sign(ctx, by, id, EventIssue, sig)
}

// signing says what each signing event is in a document and in a pack.
var signing = map[Event]struct {
	step notes.Step
	act  policy.Act
	kind string
}{
	EventPropose: {notes.StepProposed, policy.Propose, "notice.proposed"},
	EventApprove: {notes.StepApproved, policy.Approve, "notice.approved"},
	EventIssue:   {notes.StepIssued, policy.Issue, "notice.issued"},
}

func (r *Room) sign(ctx context.Context, by party.Actor, id ID, event Event, sig Sig) (Notice, error) {
	var n Notice
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var sigs []Signature
		var err error
		if n, sigs, err = r.begin(ctx, tx, by, id, event); err != nil {
			return err
		}
		if !n.IssuedAt.IsZero() {
			return fault.New(fault.Conflict, "notice.issued", "Ref", n.Ref)
		}
		if event == EventIssue && now.Before(n.AdvanceFrom) {
			return fault.New(fault.Conflict, "notice.advance", "From", n.AdvanceFrom.Format(time.RFC3339))
		}
		s, err := r.checkSig(ctx, tx, by, n, event, sig, now)
		if err != nil {
			return err
		}
		s.N = len(sigs) + 1
		ok, err := insertSignature(ctx, tx, id, s)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Denied, "auth.same-person", "Act", "notice."+string(event))
		}
		return r.advance(ctx, tx, by, &n, append(sigs, s), event, now)
	})
	return n, err
}

// advance moves the notice's life after a signature and records it.
func (r *Room) advance(ctx context.Context, tx *db.Tx, by party.Actor, n *Notice, sigs []Signature, event Event, now time.Time) error {
	data := map[string]any{"digest": notes.Hex(n.Digest), "version": n.Version}
	switch event { //nolint:exhaustive // the other cases fall to what stands around the switch
	case EventPropose:
		n.Life, n.ProposedAt = Proposed, now
	case EventApprove:
		if batch := sigs[len(sigs)-1].BatchID; batch != "" {
			data["batch"] = batch
		}
		if err := r.endBatches(ctx, tx, by, *n, BatchChanged, now); err != nil { // those of others too
			return err
		}
		have := approvals(sigs)
		data["approvals"], data["needed"] = have, n.ApprovalsNeeded
		if have >= n.ApprovalsNeeded {
			n.Life, n.ApprovedAt = Approved, now
		}
	case EventIssue:
		n.IssuedAt = now
		if err := r.envelop(ctx, tx, n, sigs); err != nil {
			return err
		}
		if err := r.Cases.DecideTx(ctx, tx, n.DossierID, string(n.Kind), now); err != nil {
			return err
		}
	}
	if err := saveWhole(ctx, tx, *n); err != nil {
		return err
	}
	if err := r.seal(ctx, tx, n.ID); err != nil {
		return err
	}
	return r.record(ctx, tx, by, signing[event].kind, *n, data, now)
}

func approvals(sigs []Signature) int {
	n := 0
	for _, s := range sigs {
		if s.Step == notes.StepApproved {
			n++
		}
	}
	return n
}

// checkSig checks a signature before it is kept: the step is this party's and
// role's, the key is the person's and holds now, its method counts, and it
// signs exactly this digest.
func (r *Room) checkSig(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, event Event, sig Sig, now time.Time) (Signature, error) {
	pack, err := r.pack(n)
	if err != nil {
		return Signature{}, err
	}
	if err := mayStep(pack, n, by.PartyKind, by.Roles, signing[event].act); err != nil {
		return Signature{}, err
	}
	key, bound, err := r.checkKey(ctx, tx, by, sig, n.Digest, now)
	if err != nil {
		return Signature{}, err
	}
	if !pack.Signing.Suffices(policy.SigningMethod(key.Method)) {
		return Signature{}, fault.New(fault.Denied, "notice.method", "Method", string(key.Method)).At("/key")
	}
	read := sig.Read
	if len(read) > 200 || len(strings.Join(read, "")) > 4000 {
		return Signature{}, fault.New(fault.Invalid, "notice.too-long", "Max", 4000, "Got", len(strings.Join(read, ""))).At("/read")
	}
	return Signature{
		RPID: bound.RPID, Origin: bound.Origin, ClientData: sig.ClientData, AuthenticatorData: sig.AuthenticatorData,
		Version: n.Version, Step: signing[event].step, Party: by.Party, PartyKind: by.PartyKind, Person: by.Person,
		Roles: by.Roles, Key: key.ID, Method: key.Method, Value: sig.Value, Read: read, ReadSeconds: max(0, sig.ReadSeconds),
		At: now.Truncate(time.Second), digest: n.Digest[:],
	}, nil
}

// checkKey returns the actor's own valid key that made sig over digest, and what
// it is bound to if it is a passkey. Who has a passkey decides by it alone: a
// key that somebody at their open session made in the browser counts for
// nothing (threat-model T10, T12).
func (r *Room) checkKey(ctx context.Context, tx *db.Tx, by party.Actor, sig Sig, digest [32]byte, now time.Time) (party.Key, party.PasskeyRecord, error) {
	var bound party.PasskeyRecord
	key, err := party.GetKey(ctx, tx, sig.Key)
	if fault.Of(err) == fault.NotFound || err == nil && key.Person != by.Person {
		return key, bound, fault.New(fault.Denied, "notice.key", "Key", string(sig.Key)).At("/key")
	}
	switch {
	case err != nil:
		return key, bound, err
	case !key.RevokedAt.IsZero():
		return key, bound, fault.New(fault.Denied, "notice.key-revoked", "Key", string(sig.Key)).At("/key")
	case key.Method == party.Passkey:
		bound, err = r.checkAssertion(ctx, tx, key, sig, digest, now)
		return key, bound, err
	case len(sig.ClientData) > 0 || len(sig.AuthenticatorData) > 0:
		return key, bound, fault.New(fault.Invalid, "notice.signature").At("/value")
	case len(key.Public) != ed25519.PublicKeySize || !ed25519.Verify(key.Public, digest[:], sig.Value):
		return key, bound, fault.New(fault.Invalid, "notice.signature").At("/value")
	case key.Method == party.Automation:
		return key, bound, nil
	}
	has, err := party.Passkeys(ctx, tx, by.Person)
	if err == nil && len(has) > 0 {
		err = fault.New(fault.Denied, "notice.passkey-needed").At("/key")
	}
	return key, bound, err
}

// checkAssertion checks a passkey's assertion as the dispatcher will again, and
// that its counter rose. It returns what the passkey is bound to.
func (r *Room) checkAssertion(ctx context.Context, tx *db.Tx, key party.Key, sig Sig, digest [32]byte, now time.Time) (party.PasskeyRecord, error) {
	p, err := party.GetPasskey(ctx, tx, key.ID)
	if err != nil {
		return p, err
	}
	refused := fault.New(fault.Invalid, "notice.signature").At("/value")
	made := notes.Signature{
		Value: text64(sig.Value), RPID: p.RPID, Origin: p.Origin, ClientData: text64(sig.ClientData), AuthenticatorData: text64(sig.AuthenticatorData),
	}
	held := notes.Key{Public: key.Public, Method: notes.MethodPasskey, RPID: p.RPID, Origin: p.Origin}
	if err := notes.CheckSignature(made, held, digest); err != nil {
		return p, refused.Because(err)
	}
	// Flags and counter follow the 32 bytes of the relying party (WebAuthn
	// Level 3, section 6.1); their length has been checked.
	flags, count := sig.AuthenticatorData[32], binary.BigEndian.Uint32(sig.AuthenticatorData[33:])
	if err := party.UsePasskey(ctx, tx, key.ID, count, flags&0x10 != 0, now); err != nil {
		return p, refused.Because(err)
	}
	return p, nil
}

func text64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// mayStep reports whether a party of that kind, through a person of these
// roles, takes that step of the notice's chain.
func mayStep(pack policy.Pack, n Notice, kind party.Kind, roles []party.Role, act policy.Act) error {
	chain, ok := pack.Chain(policy.NoticeKind(n.Kind))
	if !ok {
		return fault.New(fault.Denied, "notice.no-chain", "Kind", string(n.Kind), "Pack", pack.Code)
	}
	s, ok := stepOf(chain, act)
	if !ok || string(s.Party) != string(kind) || !slices.Contains(roles, party.Role(s.Role)) {
		return fault.New(fault.Denied, "notice.chain-step", "Act", string(act), "Party", string(s.Party), "Role", string(s.Role))
	}
	return nil
}

// A ReturnInput says why a notice goes back.
type ReturnInput struct {
	Reasons []string // codes, as "ground-unsupported"
	Text    string   // what has to change
}

// ReturnReasons are the codes of reasons for which a notice goes back.
func ReturnReasons() []string {
	return []string{"ground-unsupported", "purpose-tests", "lighter-measure", "too-wide", "other"}
}

// Return sends a proposed or approved notice back to its proposer: its
// signatures no longer count, and the case is taken up again.
func (r *Room) Return(ctx context.Context, by party.Actor, id ID, in ReturnInput) (Notice, error) {
	var n Notice
	if err := in.check(); err != nil {
		return n, err
	}
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, _, err = r.begin(ctx, tx, by, id, EventReturn); err != nil {
			return err
		}
		if !n.IssuedAt.IsZero() {
			return fault.New(fault.Conflict, "notice.issued", "Ref", n.Ref)
		}
		sealed, err := r.close(n, []byte(in.Text), "return")
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO notice_returns (notice_id, version, party_id, person_id, reasons, text_sealed, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			id, n.Version, by.Party, by.Person, db.List(in.Reasons), sealed, db.Micros(now))
		if err != nil {
			return err
		}
		// The object before the change: whoever returns it is told of it too.
		event := n
		n.Life, n.ProposedAt, n.ApprovedAt = Draft, time.Time{}, time.Time{}
		if err := save(ctx, tx, n); err != nil {
			return err
		}
		if err := r.seal(ctx, tx, id); err != nil {
			return err
		}
		if err := r.Cases.ReturnTx(ctx, tx, by, n.DossierID, in.Reasons, in.Text, now); err != nil {
			return err
		}
		if err := r.endBatches(ctx, tx, by, n, BatchReturned, now); err != nil {
			return err
		}
		return r.record(ctx, tx, by, "notice.returned", event, map[string]any{"version": n.Version, "reasons": in.Reasons}, now)
	})
	return n, err
}

func (in ReturnInput) check() error {
	var c fault.Checker
	c.Require(len(in.Reasons) > 0, "/reasons")
	for _, reason := range in.Reasons {
		if !slices.Contains(ReturnReasons(), reason) {
			c.Add("/reasons", "notice.return-reason", "Value", reason)
		}
	}
	c.Require(strings.TrimSpace(in.Text) != "", "/text")
	checkText(&c, "/text", in.Text)
	return c.Err()
}

// Canonical returns the bytes of the present version, for whoever may read the
// notice: what a person is about to sign.
func (r *Room) Canonical(ctx context.Context, by party.Actor, id ID) ([]byte, error) {
	n, err := get(ctx, r.DB, id)
	if err != nil {
		return nil, err
	}
	if err := auth.May(by, auth.NoticeRead, r.object(n, nil)); err != nil {
		return nil, err
	}
	return r.open(n, n.sealedBytes, "canonical")
}

// envelop makes the signed document that travels: the canonical bytes, every
// signature, and the issuer's seal over both.
func (r *Room) envelop(ctx context.Context, tx *db.Tx, n *Notice, sigs []Signature) error {
	signed, err := r.unsealed(*n, sigs)
	if err != nil {
		return err
	}
	key, err := r.orgKey(ctx, tx, n.Issuer, n.IssuedAt)
	if err != nil {
		return err
	}
	if err := signed.SealWith(string(n.Issuer), key.private); err != nil {
		return err
	}
	raw, err := signed.Encode()
	if err != nil {
		return err
	}
	n.envelope, err = r.close(*n, raw, "envelope")
	return err
}

// unsealed rebuilds the envelope from rows, all but the organisation's seal.
func (r *Room) unsealed(n Notice, sigs []Signature) (notes.Signed, error) {
	canon, err := r.open(n, n.sealedBytes, "canonical")
	if err != nil {
		return notes.Signed{}, err
	}
	s := notes.Signed{V: notes.Version, Kind: notes.KindNotice, Document: canon, IssuedAt: notes.At(n.IssuedAt)}
	for _, sig := range sigs {
		batch, err := sig.batchOf()
		if err != nil {
			return s, err
		}
		s.Approvals = append(s.Approvals, notes.Signature{
			Step: sig.Step, Party: string(sig.Party), Key: string(sig.Key), Method: notes.Method(sig.Method), At: notes.At(sig.At),
			Value: text64(sig.Value), RPID: sig.RPID, Origin: sig.Origin,
			ClientData: text64(sig.ClientData), AuthenticatorData: text64(sig.AuthenticatorData), Batch: batch,
		})
	}
	return s, nil
}
