package demo

import (
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
)

// A Clock stands where it is put, and creeps on a little each time somebody
// looks, so that no two acts share a moment; once released it is the machine's.
// It never goes back. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	now  time.Time     // guarded by mu; meaningless once free
	step time.Duration // guarded by mu
	most time.Time     // guarded by mu; where it stops
	free bool          // guarded by mu
}

// NewClock returns a clock that stands at the demonstration's first day.
func NewClock() *Clock {
	now := time.Now().UTC().Truncate(time.Second)
	return &Clock{now: now.AddDate(0, 0, -Days-1), most: now}
}

// Now implements clock.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.free {
		return clock.System{}.Now()
	}
	c.advance(c.now.Add(c.step))
	return c.now
}

// Peek returns the time without moving it.
func (c *Clock) Peek() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.free {
		return clock.System{}.Now()
	}
	return c.now
}

// Set puts the clock at t unless it is past t already.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.advance(t.UTC().Truncate(time.Microsecond))
	}
}

// advance moves the clock, but not past the moment at which it was made: what
// is told must not lie in the future.
func (c *Clock) advance(to time.Time) {
	if to.After(c.most) {
		to = c.most
	}
	c.now = to
}

// creep says by how much each look moves the clock.
func (c *Clock) creep(step time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step = step
}

// Release makes it the machine's clock for good.
func (c *Clock) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = true
}
