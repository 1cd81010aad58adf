package view

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tangkal/tangkal/internal/db"
)

const (
	// fresh is how old cached figures may be: what a platform answers shows at
	// once, and a crowd of readers costs one count.
	fresh = time.Second
	// countFor bounds one count, whoever waits for it.
	countFor = 10 * time.Second
)

// A Cache counts the public figures at most once a second. The zero value is
// ready; it is safe for concurrent use.
type Cache struct {
	last  atomic.Pointer[Figures]
	group singleflight.Group
}

// Public returns the figures at now, or those of a moment before.
func (c *Cache) Public(ctx context.Context, r db.Reader, now time.Time) (Figures, error) {
	if f := c.last.Load(); f != nil && now.Sub(f.At).Abs() < fresh {
		return *f, nil
	}
	all, err, _ := c.group.Do("", func() (any, error) {
		// Others wait for this count too: it does not end with its first asker.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countFor)
		defer cancel()
		f, err := Public(ctx, r, now)
		if err == nil {
			c.last.Store(&f)
		}
		return f, err
	})
	f, _ := all.(Figures)
	return f, err
}
