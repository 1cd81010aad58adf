package demo

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
)

// A Clock is the machine's for visitors and stands in the past while a story is
// told. The two never mix: a stretch of the past is told while no request is
// being answered, and requests that come meanwhile wait for its end, some
// hundredths of a second. It is safe for concurrent use.
type Clock struct {
	made time.Time // the present of the stories; they end here

	mu       sync.Mutex
	changed  sync.Cond
	past     bool          // guarded by mu: the time is that of a story
	telling  bool          // guarded by mu: visitors have to wait
	visitors int           // guarded by mu: requests being answered
	now      time.Time     // guarded by mu: of the story
	step     time.Duration // guarded by mu: by how much a look moves it, so that no two acts share a moment
}

// NewClock returns a clock that stands before the demonstration's first day.
func NewClock() *Clock {
	now := clock.System{}.Now().Truncate(time.Second)
	c := &Clock{made: now, now: now.AddDate(0, 0, -Days-1), past: true, telling: true}
	c.changed.L = &c.mu
	return c
}

// Now implements clock.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.past {
		return clock.System{}.Now()
	}
	c.advance(c.now.Add(c.step))
	return c.now
}

// peek returns the time without moving it.
func (c *Clock) peek() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.past {
		return clock.System{}.Now()
	}
	return c.now
}

// advance moves the story's time, but not past the present: what is told must
// not lie in the future.
func (c *Clock) advance(to time.Time) {
	if to.After(c.made) {
		to = c.made
	}
	c.now = to
}

// stand puts the story's time at t, or leaves it if that is past t already, and
// says how it creeps on.
func (c *Clock) stand(t time.Time, step time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.advance(t.UTC().Truncate(time.Microsecond))
	}
	c.past, c.step = true, step
}

// rewind puts the story's time back to t.
func (c *Clock) rewind(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// hush waits until no request is being answered and lets none begin. The time
// is still the machine's.
func (c *Clock) hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.visitors > 0 {
		c.changed.Wait()
	}
	c.telling = true
}

// present makes the time the machine's again and lets requests in.
func (c *Clock) present() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past, c.telling = false, false
	c.changed.Broadcast()
}

// Around makes requests wait for the end of a stretch of the past. Streams of
// events never end, so they do not count as being answered.
func (c *Clock) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			next.ServeHTTP(w, r)
			return
		}
		c.enter()
		defer c.leave()
		next.ServeHTTP(w, r)
	})
}

func (c *Clock) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.telling {
		c.changed.Wait()
	}
	c.visitors++
}

func (c *Clock) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visitors--
	c.changed.Broadcast()
}
