package notice

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
)

// A DeliveryStep is one line of the proof of delivery: an attempt, a step of
// the receipt clock, or service on paper.
type DeliveryStep struct {
	ID      string
	Channel string // api, webhook, portal, mail, paper
	Step    string // sent, attempt, read, next-channel, next-contact, legal-representative, served, received, deemed, reminded, failed
	Result  string // ok, or what came of it in a word or an HTTP status
	Party   party.ID
	Person  party.PersonID
	At      time.Time
	Text    string // what was done, for service on paper

	sealed []byte
}

func scanDelivery(row db.Row) (DeliveryStep, error) {
	var d DeliveryStep
	err := row.Scan(&d.ID, &d.Channel, &d.Step, &d.Result, &d.sealed, db.Text(&d.Party), db.Text(&d.Person), db.Time(&d.At))
	return d, err
}

// deliveries returns the proof of delivery, oldest first.
func deliveries(ctx context.Context, r db.Reader, id ID) ([]DeliveryStep, error) {
	return db.All(ctx, r, scanDelivery, `
		SELECT id, channel, step, result, text_sealed, party_id, person_id, at FROM notice_deliveries WHERE notice_id = $1 ORDER BY at, id LIMIT 1000`, id)
}

func logDelivery(ctx context.Context, tx *db.Tx, n Notice, d DeliveryStep) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO notice_deliveries (id, notice_id, channel, step, result, text_sealed, party_id, person_id, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		db.NewID(), n.ID, d.Channel, d.Step, d.Result, bytesOrNull(d.sealed), db.OrNull(d.Party), db.OrNull(d.Person), db.Micros(d.At))
	return err
}

// An Attempt is what came of one attempt to deliver, as the outbox tells it.
type Attempt struct {
	Notice  ID
	Channel string // webhook or mail
	OK      bool   // taken by the other side; proves no receipt
	Final   bool   // no further attempt follows
	Result  string // HTTP status or a word
	At      time.Time
}

// AttemptTx puts an attempt on record. A taken one makes the delivery accepted,
// the last failed one failed; neither starts a clock.
func (r *Room) AttemptTx(ctx context.Context, tx *db.Tx, a Attempt) error {
	n, err := lock(ctx, tx, a.Notice)
	if err != nil {
		return err
	}
	if !r.sentRightly(n) {
		return nil
	}
	if err := logDelivery(ctx, tx, n, DeliveryStep{Channel: a.Channel, Step: "attempt", Result: a.Result, At: a.At}); err != nil {
		return err
	}
	event := EventAttempt
	switch {
	case !a.OK && !a.Final:
		return nil
	case !a.OK:
		event = EventFail
	}
	t, err := step(deliveryTable, "delivery", n.Delivery, event)
	if err != nil || event == EventFail && n.Delivery == Accepted {
		return nil //nolint:nilerr // received by now, or another channel has brought it
	}
	n.Delivery = t.To
	if t.To == Accepted && n.AcceptedAt.IsZero() {
		n.AcceptedAt = a.At
	}
	return save(ctx, tx, n)
}
