package notice

import (
	"context"

	"github.com/tangkal/tangkal/internal/db"
)

// Reseal renews the row MAC over whatever the rows say: what only somebody with
// the instance key could do, or a fault of ours.
func (r *Room) Reseal(ctx context.Context, tx *db.Tx, id ID) error { return r.seal(ctx, tx, id) }

// ResealBatch is Reseal for a batch.
func (r *Room) ResealBatch(ctx context.Context, tx *db.Tx, id BatchID) error {
	b, err := readBatch(ctx, tx, id, "")
	if err != nil {
		return err
	}
	return r.saveBatch(ctx, tx, b)
}
