package outbox

import (
	"context"
	"crypto/hmac"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
)

// Endpoints and deliveries carry a MAC under the instance key, which is not in
// the database. Somebody who can only write rows can neither add a message nor
// change one, nor lead one elsewhere or wake a removed endpoint: what does not
// verify when it is claimed is given up for good (threat-models T12 and T18).
// Over what is only observed about the way (attempts, times, answers) there is
// no MAC, so at worst a true message is sent again, under its own id.

// Altered is the last error of a delivery that was given up because its row, or
// its endpoint's, was not written by this program.
const Altered = "altered"

// mac is the MAC over what an endpoint is.
func (o *Outbox) endpointMAC(e Endpoint) []byte {
	return o.Vault.MAC("outbox-endpoint", db.Spell(
		e.ID, string(e.Party), e.URL, e.Label, e.eventsText, e.secretSealed, e.privateSealed, []byte(e.Public),
		e.previousSecret, e.previousPrivate, e.previousUntil, e.Active, e.CreatedAt))
}

// deliveryMAC is the MAC over what a delivery says, and to whom.
func (o *Outbox) deliveryMAC(d Delivery, body []byte) []byte {
	return o.Vault.MAC("outbox-delivery", db.Spell(
		d.ID, d.Endpoint, string(d.party), d.Seq, d.Type, d.Object, d.ObjectID, d.Ref, body, d.CreatedAt))
}

// genuine reports whether this program wrote the endpoint as it stands.
func (o *Outbox) genuine(e Endpoint) bool { return hmac.Equal(e.mac, o.endpointMAC(e)) }

// mayLeave reports whether this program wrote both the delivery and the
// endpoint that it goes to, for one party.
func (o *Outbox) mayLeave(e Endpoint, d Delivery, body []byte) bool {
	return o.genuine(e) && hmac.Equal(d.mac, o.deliveryMAC(d, body)) && d.Endpoint == e.ID && d.party == e.Party
}

// sealEndpoint stores the MAC of an endpoint as it stands in tx.
func (o *Outbox) sealEndpoint(ctx context.Context, tx *db.Tx, id string) error {
	e, err := db.One(ctx, tx, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e WHERE id = $1`, id)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE endpoints SET mac = $2 WHERE id = $1`, id, o.endpointMAC(e))
	return err
}

// ownGenuine is own, and refuses to build on an endpoint that was altered.
func (o *Outbox) ownGenuine(e Endpoint, err error) (Endpoint, error) {
	if err == nil && !o.genuine(e) {
		err = fault.New(fault.Conflict, "outbox.altered")
	}
	return e, err
}

// giveUpAltered ends a delivery that must not leave. It is on record with its
// endpoint, and not with the object that its row claims to be about.
func (o *Outbox) giveUpAltered(ctx context.Context, tx *db.Tx, e Endpoint, d Delivery, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE deliveries SET state = 'given-up', done_at = $2, last_status = NULL, last_error = $3 WHERE id = $1`,
		d.ID, db.Micros(now), Altered); err != nil {
		return err
	}
	which := "delivery"
	if !o.genuine(e) {
		which = "endpoint"
	}
	tx.AfterCommit(func() {
		o.Log.ErrorContext(ctx, "a webhook message was not sent: its row was written by something else than this program", "delivery", d.ID, "endpoint", e.ID, "altered", which)
	})
	_, err := o.Feed.Record(ctx, tx, feed.Event{
		Kind: "delivery.altered", Object: "webhook", ObjectID: e.ID, At: now, Data: map[string]any{"delivery": d.ID, "altered": which},
	})
	return err
}

// AlteredSince counts the deliveries that were given up since then because a
// row was altered.
func (o *Outbox) AlteredSince(ctx context.Context, since time.Time) (int64, error) {
	return db.Value[int64](ctx, o.DB, `SELECT count(*) FROM deliveries WHERE last_error = 'altered' AND done_at >= $1`, db.Micros(since))
}

// SealOld gives a MAC to the endpoints, and to the deliveries that still wait,
// which were written before rows had one. It must run once in the life of an
// instance (vault.Once), or whoever writes rows without a MAC waits for it.
func (o *Outbox) SealOld(ctx context.Context) error {
	return o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		endpoints, err := db.All(ctx, tx, db.Scalar[string], `SELECT id FROM endpoints WHERE mac IS NULL`)
		if err != nil {
			return err
		}
		for _, id := range endpoints {
			if err := o.sealEndpoint(ctx, tx, id); err != nil {
				return err
			}
		}
		waiting, err := db.All(ctx, tx, db.Scalar[string], `SELECT id FROM deliveries WHERE mac IS NULL AND state = 'waiting'`)
		if err != nil {
			return err
		}
		for _, id := range waiting {
			d, body, err := readDelivery(ctx, tx, `id = $1`, id)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE deliveries SET mac = $2 WHERE id = $1`, id, o.deliveryMAC(d, body)); err != nil {
				return err
			}
		}
		return nil
	})
}

// readDelivery returns the first delivery of a condition, with its body.
func readDelivery(ctx context.Context, r db.Reader, where string, args ...any) (d Delivery, body []byte, err error) {
	d, err = db.One(ctx, r, scanDelivery, `SELECT `+deliveryColumns+` FROM deliveries WHERE `+where, args...)
	if err != nil {
		return d, nil, err
	}
	body, err = db.Value[[]byte](ctx, r, `SELECT body FROM deliveries WHERE id = $1`, d.ID)
	return d, body, err
}
