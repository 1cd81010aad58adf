package clocks

import (
	"time"

	"github.com/tangkal/tangkal/internal/policy"
)

// A Climb is what a rung's earliest time counts from.
type Climb struct {
	ReceivedAt time.Time
	Due        time.Time // of the answer clock, pauses included
	PreviousAt time.Time // when the rung before was taken, zero if none was
}

// Earliest returns the first moment at which a rung may be taken. ok is false
// while what it counts from has not happened. A rung after a due time that a
// pause moved moves with it.
func Earliest(r policy.Rung, c Climb) (at time.Time, ok bool) {
	var from time.Time
	switch r.From {
	case policy.FromHalfTime:
		if c.ReceivedAt.IsZero() || c.Due.IsZero() {
			return time.Time{}, false
		}
		from = c.ReceivedAt.Add(c.Due.Sub(c.ReceivedAt) / 2)
	case policy.FromDue:
		from = c.Due
	case policy.FromPrevious:
		from = c.PreviousAt
	}
	if from.IsZero() {
		return time.Time{}, false
	}
	return from.Add(r.After.Duration()), true
}
