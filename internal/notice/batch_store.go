package notice

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/notes"
)

const batchColumns = `b.id, b.party_id, b.person_id, b.canonical, b.state, b.why, b.drawn_at, b.done_at, b.mac`

func scanBatch(row db.Row) (Batch, error) {
	var b Batch
	err := row.Scan(&b.ID, &b.Party, &b.Person, &b.canon, &b.State, &b.Why, db.Time(&b.DrawnAt), db.Time(&b.DoneAt), &b.mac)
	if err == nil {
		b.Digest = notes.Digest(notes.KindBatch, b.canon)
		err = json.Unmarshal(b.canon, &b.Document)
	}
	if err != nil {
		err = damaged("", "batch", err)
	}
	return b, err
}

func scanBatchItem(row db.Row) (BatchItem, error) {
	var it BatchItem
	err := row.Scan(&it.N, &it.Notice, &it.Ref, &it.Links, &it.Version, &it.Sampled, db.Time(&it.OpenedAt), db.Text(&it.OpenedBy))
	if err != nil {
		err = damaged("", "batch", err)
	}
	return it, err
}

// readBatch returns a batch with its items, or a hidden fault. Suffix is " FOR
// UPDATE" or "".
func readBatch(ctx context.Context, r db.Reader, id BatchID, suffix string) (Batch, error) {
	b, err := db.One(ctx, r, scanBatch, `SELECT `+batchColumns+` FROM notice_batches b WHERE b.id = $1`+suffix, id)
	if errors.Is(err, db.ErrAbsent) {
		return b, fault.Hidden("batch")
	}
	if err != nil {
		return b, err
	}
	return b, b.readItems(ctx, r)
}

func (b *Batch) readItems(ctx context.Context, r db.Reader) (err error) {
	b.Items, err = db.All(ctx, r, scanBatchItem, `
		SELECT i.n, i.notice_id, n.ref, n.item_count, i.version, i.sampled, i.opened_at, i.opened_by
		FROM notice_batch_items i JOIN notices n ON n.id = i.notice_id WHERE i.batch_id = $1 ORDER BY i.n`, b.ID)
	return err
}

// batchesOf returns the batches that hold one of the notices and meet the
// condition, whose $1 is arg, the oldest first.
func (r *Room) batchesOf(ctx context.Context, tx *db.Tx, all []Notice, where string, arg any) ([]Batch, error) {
	ids := make([]ID, len(all))
	for i, n := range all {
		ids[i] = n.ID
	}
	found, err := db.AllIn(ctx, tx, scanBatch, func(in string) string {
		return `SELECT ` + batchColumns + ` FROM notice_batches b WHERE ` + where + ` AND EXISTS (
			SELECT 1 FROM notice_batch_items i WHERE i.batch_id = b.id AND i.notice_id IN (` + in + `)) ORDER BY b.id FOR UPDATE`
	}, ids, arg)
	for i := range found {
		if err == nil {
			err = found[i].readItems(ctx, tx)
		}
	}
	return found, err
}

// insertBatch stores a new batch.
func (r *Room) insertBatch(ctx context.Context, tx *db.Tx, b Batch) error {
	mac, err := r.batchMAC(b)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO notice_batches (id, party_id, person_id, canonical, state, why, drawn_at, done_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		b.ID, b.Party, b.Person, b.canon, b.State, b.Why, db.Micros(b.DrawnAt), db.MicrosOrNull(b.DoneAt), mac); err != nil {
		return err
	}
	for _, it := range b.Items {
		if _, err := tx.Exec(ctx, `INSERT INTO notice_batch_items (batch_id, n, notice_id, version, sampled) VALUES ($1, $2, $3, $4, $5)`,
			b.ID, it.N, it.Notice, it.Version, it.Sampled); err != nil {
			return err
		}
	}
	return nil
}

// saveBatch stores what may change of b itself, and the MAC over everything.
func (r *Room) saveBatch(ctx context.Context, tx *db.Tx, b Batch) error {
	mac, err := r.batchMAC(b)
	if err != nil {
		return err
	}
	b.mac = mac
	return r.saveBatchUnsealed(ctx, tx, b)
}

// saveBatchUnsealed is saveBatch with the MAC that b has.
func (r *Room) saveBatchUnsealed(ctx context.Context, tx *db.Tx, b Batch) error {
	_, err := tx.Exec(ctx, `UPDATE notice_batches SET state = $2, why = $3, done_at = $4, mac = $5 WHERE id = $1`,
		b.ID, b.State, b.Why, db.MicrosOrNull(b.DoneAt), b.mac)
	return err
}

// batchMAC is the MAC over a batch's rows under a key outside the database:
// nobody opens a dossier by SQL (threat-model T12).
func (r *Room) batchMAC(b Batch) ([]byte, error) {
	raw, err := json.Marshal(struct {
		ID, Party, Person, State, Why string
		DrawnAt, DoneAt               any // as the database has them
		Canonical                     []byte
		Items                         [][]any
	}{string(b.ID), string(b.Party), string(b.Person), string(b.State), b.Why, db.Micros(b.DrawnAt), db.MicrosOrNull(b.DoneAt), b.canon, spelt(b.Items)})
	if err != nil {
		return nil, err
	}
	return r.Vault.MAC("notice-batch", raw), nil
}

// spelt are the items' rows.
func spelt(items []BatchItem) [][]any {
	var out [][]any
	for _, it := range items {
		out = append(out, []any{it.N, it.Notice, it.Version, it.Sampled, db.MicrosOrNull(it.OpenedAt), it.OpenedBy})
	}
	return out
}

// batchHolds reports whether this program wrote the batch as it stands.
func (r *Room) batchHolds(b Batch) bool {
	mac, err := r.batchMAC(b)
	return err == nil && hmac.Equal(mac, b.mac)
}
