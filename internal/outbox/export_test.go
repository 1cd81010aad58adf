package outbox

import (
	"context"
	"time"
)

// ClaimFor is how long a claim holds.
func (o *Outbox) ClaimFor() time.Duration { return o.claimFor }

// Claim takes the next due delivery of an endpoint and does nothing with it, as
// a server does that is killed right then. It reports whether one was due.
func (o *Outbox) Claim(ctx context.Context, endpoint string) (bool, error) {
	c, err := o.claim(ctx, endpoint, o.Clock.Now())
	return c != nil, err
}

// RenewEvery sets how often a claim is renewed.
func (o *Outbox) RenewEvery(d time.Duration) { o.renewEvery = d }

// Wake has the sender look for what is due.
func (o *Outbox) Wake() { o.due.Wake() }

// Backoff is when to try again.
var Backoff = backoff
