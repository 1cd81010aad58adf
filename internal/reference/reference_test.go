package reference_test

import (
	"context"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/reference"
)

func TestReferencesAreUniqueAndWellFormedUnderManyWriters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC)
		write := func(f func(ctx context.Context, tx *db.Tx) error) {
			t.Helper()
			if err := d.Write(t.Context(), f); err != nil {
				t.Error(err)
			}
		}
		write(func(ctx context.Context, tx *db.Tx) error { return reference.Found(ctx, tx, "DEMO", "Demo", now) })
		var mu sync.Mutex
		seen := map[string]bool{}
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 8 {
					write(func(ctx context.Context, tx *db.Tx) error {
						ref, err := reference.Next(ctx, tx, reference.RemovalOrder, now)
						mu.Lock()
						defer mu.Unlock()
						seen[ref] = true
						return err
					})
				}
			})
		}
		wg.Wait()
		form := regexp.MustCompile(`^DEMO-PH-2026-\d{5}$`)
		for ref := range seen {
			if !form.MatchString(ref) {
				t.Errorf("malformed reference %q", ref)
			}
		}
		if len(seen) != 128 {
			t.Errorf("got %d different references, want 128", len(seen))
		}
	})
}
