package outbox_test

import (
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/outbox"
)

// docs/webhooks.md promises receivers: at growing intervals up to an hour for 76
// hours, then daily, and given up after 30 days.
func TestHowLongAMessageIsTried(t *testing.T) {
	t.Parallel()
	const hour, day = time.Hour, 24 * time.Hour
	for _, c := range []struct {
		n         int
		age, want time.Duration
		over      bool
	}{
		{n: 0, want: 5 * time.Second},
		{n: 1, want: 5 * time.Second},
		{n: 2, age: time.Minute, want: 30 * time.Second},
		{n: 3, age: time.Minute, want: 2 * time.Minute},
		{n: 4, age: time.Minute, want: 5 * time.Minute},
		{n: 5, age: time.Minute, want: 15 * time.Minute},
		{n: 6, age: hour, want: 30 * time.Minute},
		{n: 7, age: hour, want: hour},
		{n: 8, age: 2 * hour, want: hour},
		{n: 5000, age: 76 * hour, want: hour},
		{n: 80, age: 76*hour + 1, want: day},
		{n: 1, age: 77 * hour, want: day}, // tried anew after it was paused: no younger for it
		{n: 107, age: 30 * day, want: day},
		{n: 108, age: 30*day + 1, over: true},
	} {
		for _, jitter := range []float64{0, 0.5, 0.999} {
			got, again := outbox.Backoff(c.n, c.age, jitter)
			if again == c.over || got < c.want || got > c.want+c.want/10 {
				t.Errorf("attempt %d at %v, jitter %v: again %v after %v, want %v", c.n, c.age, jitter, again, got, c.want)
			}
			if jitter > 0 && !c.over && got == c.want {
				t.Errorf("attempt %d at %v: everybody comes at once", c.n, c.age)
			}
		}
	}
}
