package view

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tangkal/tangkal/internal/db"
)

const (
	// fresh is how old cached figures may be at least: what a platform answers
	// shows at once, and a crowd of readers costs one count.
	fresh = time.Second
	// atOnce is a count that readers wait for rather than seeing the last one.
	atOnce = 250 * time.Millisecond
	// perCount is how many times what a longer count took its figures may be old:
	// counting stays one per cent of the work.
	perCount = 100
	// countFor bounds one count, whoever waits for it.
	countFor = 2 * time.Minute
	// waitFor bounds how long readers wait for the first figures of all, counted
	// from the count's beginning: once it is known to be long, nobody waits.
	waitFor = 2 * time.Second
)

// A Cache counts the public figures at most once a second, and seldom where a
// count takes long. The zero value is ready; it is safe for concurrent use.
type Cache struct {
	last  atomic.Pointer[counted]
	group singleflight.Group
	began atomic.Pointer[time.Time] // when the count under way began; nil without one
}

// counted are figures and what they cost.
type counted struct {
	Figures
	took time.Duration
}

// keep is how old the figures may become.
func (c counted) keep() time.Duration {
	if c.took <= atOnce {
		return fresh
	}
	return perCount * c.took
}

// Public returns the figures at now, or those of before while new ones are
// being counted. There are none at all yet (Figures.None) while the first count
// of a large instance goes on.
func (c *Cache) Public(ctx context.Context, r db.Reader, now time.Time) (Figures, error) {
	last := c.last.Load()
	if last != nil && now.Sub(last.At).Abs() < last.keep() {
		return last.Figures, nil
	}
	done := c.group.DoChan("", func() (any, error) { return c.count(context.WithoutCancel(ctx), r, now) })
	if last != nil && last.took > atOnce {
		return last.Figures, nil
	}
	left := waitFor
	if began := c.began.Load(); began != nil {
		left -= time.Since(*began) //nolint:forbidigo // monotonic, for the duration only
	}
	patience := time.NewTimer(max(left, 0))
	defer patience.Stop()
	select {
	case got := <-done:
		f, _ := got.Val.(Figures)
		return f, got.Err
	case <-patience.C:
		return Figures{}, nil
	}
}

// count counts for everybody who waits: it does not end with its first asker.
func (c *Cache) count(ctx context.Context, r db.Reader, now time.Time) (Figures, error) {
	ctx, cancel := context.WithTimeout(ctx, countFor)
	defer cancel()
	began := time.Now() //nolint:forbidigo // monotonic, for the duration only
	c.began.Store(&began)
	defer c.began.Store(nil)
	f, err := Public(ctx, r, now)
	if err == nil {
		c.last.Store(&counted{f, time.Since(began)}) //nolint:forbidigo // see above
	}
	return f, err
}
