package notice

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/notes"
)

// A ReceiptInput is how a platform says that a notice has reached it.
type ReceiptInput struct {
	Channel   notes.Channel // how it came; "" is the portal
	Name      string        // desk or person, if the platform names one
	UTCOffset string        // of the platform's clock, as "+07:00"

	// Document is the canonical receipt that Sig signs, where the platform
	// makes its own. Without one this program writes it and the issuer's key
	// countersigns the plain acknowledgement.
	Document []byte
	Sig      *Sig
}

// clockSkew is how far a platform's clock may be off.
const clockSkew = 5 * time.Minute

// Receive records that the addressee has the notice. The answer clock starts
// now, whatever the document's own time says: that one is evidence.
func (r *Room) Receive(ctx context.Context, by party.Actor, id ID, in ReceiptInput) (Notice, error) {
	var n Notice
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		var err error
		if n, err = r.at(ctx, tx, by, id, EventReceive); err != nil {
			return err
		}
		return r.receive(ctx, tx, by, &n, in, r.Clock.Now())
	})
	return n, err
}

// at locks a sent notice for one event: the actor may do it, and the state
// allows it.
func (r *Room) at(ctx context.Context, tx *db.Tx, by party.Actor, id ID, event Event) (Notice, error) {
	n, err := lockLife(ctx, tx, id)
	if err != nil {
		return n, err
	}
	act, _ := actOf(event)
	if err := auth.May(by, act, r.object(n, nil)); err != nil {
		return n, err
	}
	_, err = n.check(event)
	return n, err
}

func (r *Room) receive(ctx context.Context, tx *db.Tx, by party.Actor, n *Notice, in ReceiptInput, now time.Time) error {
	if !n.ReceivedAt.IsZero() {
		return fault.New(fault.Conflict, "notice.received", "Ref", n.Ref, "At", n.ReceivedAt.Format(time.RFC3339))
	}
	t, err := step(deliveryTable, "delivery", n.Delivery, EventReceive)
	if err != nil {
		return err
	}
	doc, err := r.receiptDocument(ctx, tx, by, *n, in, now)
	if err != nil {
		return err
	}
	if err := r.storeReceipt(ctx, tx, by, *n, in, doc, now); err != nil {
		return err
	}
	n.Delivery, n.ReceivedAt = t.To, now
	if err := r.startClock(ctx, tx, n, now); err != nil {
		return err
	}
	if err := logDelivery(ctx, tx, *n, DeliveryStep{
		Channel: string(channel(in.Channel)), Step: "received", Result: "ok", Party: by.Party, Person: by.Person, At: now,
	}); err != nil {
		return err
	}
	return r.record(ctx, tx, by, "notice.received", *n, map[string]any{"channel": channel(in.Channel), "signed": in.Sig != nil}, now)
}

func channel(c notes.Channel) notes.Channel {
	if c == "" {
		return notes.ChannelPortal
	}
	return c
}

// startClock gives every open item its due time, once the clock runs.
func (r *Room) startClock(ctx context.Context, tx *db.Tx, n *Notice, now time.Time) error {
	var due time.Time
	if n.DeadlineMinutes > 0 {
		due = n.clockStart().Add(time.Duration(n.DeadlineMinutes) * time.Minute)
	}
	_, err := tx.Exec(ctx, `UPDATE notice_items SET started_at = $2, due_at = $3 WHERE notice_id = $1 AND started_at IS NULL`,
		n.ID, db.Micros(n.clockStart()), db.MicrosOrNull(due))
	if err != nil {
		return err
	}
	return r.refresh(ctx, tx, n, now)
}

// receiptDocument returns the canonical receipt: the platform's own if it gives
// one that says the truth about this notice, else one written here.
func (r *Room) receiptDocument(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, in ReceiptInput, now time.Time) ([]byte, error) {
	if in.Document == nil {
		if in.Sig != nil {
			return nil, fault.New(fault.Invalid, "fault.required").At("/document")
		}
		inst, err := reference.Of(ctx, tx)
		if err != nil {
			return nil, err
		}
		doc := notes.Receipt{
			V: notes.Version, Instance: inst.Code, ID: db.NewID(), Reference: n.Ref, Notice: notes.Hex(n.Digest), Party: string(by.Party),
			ReceivedAt: notes.At(now), UTCOffset: in.UTCOffset, Channel: channel(in.Channel), By: byWhom(by), Name: in.Name,
		}
		return valid(notes.KindReceipt, doc)
	}
	canon, err := valid(notes.KindReceipt, json.RawMessage(in.Document))
	if err != nil {
		return nil, err
	}
	var doc notes.Receipt
	if err := json.Unmarshal(canon, &doc); err != nil {
		return nil, err
	}
	var c fault.Checker
	mine := map[string][2]string{
		"/document/reference": {n.Ref, doc.Reference}, "/document/notice": {notes.Hex(n.Digest), doc.Notice}, "/document/party": {string(by.Party), doc.Party},
	}
	for at, v := range mine {
		if v[0] != v[1] {
			c.Add(at, "notice.document", "Want", v[0])
		}
	}
	if doc.ReceivedAt.After(now.Add(clockSkew)) || doc.ReceivedAt.Before(n.SentAt.Add(-clockSkew)) {
		c.Add("/document/received_at", "notice.document-time", "From", n.SentAt.Format(time.RFC3339), "Until", now.Format(time.RFC3339))
	}
	return canon, c.Err()
}

func byWhom(by party.Actor) string {
	if by.APIKey != "" {
		return "automation"
	}
	return "person"
}

// valid returns a document in canonical form, or a fault for each thing wrong.
func valid(kind notes.Kind, doc any) ([]byte, error) {
	canon, err := notes.Document(kind, doc)
	var bad *notes.InvalidError
	switch {
	case errors.As(err, &bad):
		return nil, invalidDocument(err)
	case err != nil:
		return nil, fault.New(fault.Invalid, "notice.not-canonical", "Kind", string(kind)).At("/document").Because(err)
	}
	return canon, nil
}

func (r *Room) storeReceipt(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, in ReceiptInput, doc []byte, now time.Time) error {
	digest := notes.Digest(notes.KindReceipt, doc)
	s, err := r.countersign(ctx, tx, by, n, digest, in.Sig, now)
	if err != nil {
		return err
	}
	sealed, err := r.close(n, doc, "receipt")
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO notice_receipts (notice_id, id, document_sealed, digest, person_id, key_id, method, value, seal_key, seal, at,
			rp_id, origin, client_data, authenticator_data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		n.ID, db.NewID(), sealed, digest[:], by.Person, db.OrNull(s.key), db.OrNull(s.method), bytesOrNull(s.value), s.sealKey, s.seal, db.Micros(now),
		db.OrNull(s.rpID), db.OrNull(s.origin), bytesOrNull(s.clientData), bytesOrNull(s.authenticatorData))
	return err
}

// countersigned is a platform's document with both sides' signatures.
type countersigned struct {
	key    party.KeyID // "" for a plain acknowledgement
	method party.Method
	value  []byte

	// Of a passkey only: what is needed to check it again.
	rpID, origin                  string
	clientData, authenticatorData []byte

	sealKey string
	seal    []byte // the issuer's key over the digest
}

// countersign checks the platform's signature, if it gives one, and puts the
// issuer's key's own beside it, so that both sides hold the same bytes.
func (r *Room) countersign(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, digest [32]byte, sig *Sig, now time.Time) (countersigned, error) {
	var s countersigned
	if sig != nil {
		key, bound, err := r.checkKey(ctx, tx, by, *sig, digest, now)
		if err != nil {
			return s, err
		}
		s.key, s.method, s.value = key.ID, key.Method, bytes.Clone(sig.Value)
		s.rpID, s.origin, s.clientData, s.authenticatorData = bound.RPID, bound.Origin, sig.ClientData, sig.AuthenticatorData
	}
	org, err := r.orgKey(ctx, tx, n.Issuer, now)
	if err != nil {
		return s, err
	}
	s.sealKey, s.seal = org.ID, ed25519.Sign(org.private, digest[:])
	return s, nil
}
