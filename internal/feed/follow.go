package feed

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Relay turns other nodes' notifications into wake-ups here until ctx ends. On
// SQLite there is one node, and it returns at once. A lost connection costs
// promptness only: every reader polls as well.
func (f *Feed) Relay(ctx context.Context) error {
	pool := f.db.Pool()
	if pool == nil {
		return nil
	}
	for ctx.Err() == nil {
		if err := f.listen(ctx, pool); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "feed notifications are off, polling", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(pollEvery):
			}
		}
	}
	return nil
}

func (f *Feed) listen(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "LISTEN tangkal_feed"); err != nil {
		return err
	}
	for {
		if _, err := conn.Conn().WaitForNotification(ctx); err != nil {
			return err
		}
		f.sequenced.Wake()
	}
}
