package admit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

// A Toll is what a public report costs: nothing in quiet times; while many
// come, some work of the sender's machine, the more the more come (threat-model
// T03). Whoever cannot work, because their browser runs no script, waits
// instead in a lane of their own, which grows longer and refuses nobody. No
// picture is ever to be solved, and of whoever pays nothing is known: no
// address, no cookie. A nil Toll asks for nothing. It is safe for concurrent
// use.
//
// Work and wait are both written on tickets, which are signed, expire, and are
// good for one report: Pass says which, and its Spend strikes it off in the
// transaction that stores the report. How many come and how long the lane is,
// each node knows of itself.
type Toll struct {
	o TollOptions

	mu   sync.Mutex
	rate float64   // reports a second, as of at; guarded by mu
	at   time.Time // guarded by mu
	lane time.Time // when the lane's next place is free; guarded by mu
	turn time.Time // when whoever waited may pass next; guarded by mu
}

// TollOptions are what a Toll stands on.
type TollOptions struct {
	MAC   func(purpose string, data []byte) []byte // vault.Vault.MAC
	Clock clock.Clock
	Quiet float64 // public reports a second up to which nothing is asked
	Least time.Duration
}

const (
	// meantime is over how long reports are counted: a rate is remembered for
	// about so long.
	meantime = 10 * time.Second
	// firstBits is what is asked first, about 16,000 hashes: some hundredths of
	// a second on a telephone. Each doubling of the rate adds two bits.
	firstBits = 14
	// mostBits is the most that is asked, about a million hashes: seconds.
	mostBits = 20
	// slack is how many bits the price may have risen since a ticket was
	// written.
	slack = 2
	// workFor is how long a ticket for work is good: so long can it be kept for
	// a busier time.
	workFor = 10 * time.Minute
	// laneLeast is the shortest wait in the lane, laneMost the longest.
	laneLeast = 10 * time.Second
	laneMost  = time.Hour
	// laneFor is how long after its time a place in the lane may be taken.
	laneFor = time.Hour
	// laneSaved is how much of its share the lane may let through at once: people
	// do not come to the second.
	laneSaved = time.Minute
	// laneAgain is when whoever comes with too many others may come again.
	laneAgain = 5 * time.Second
	// laneShare is the part of the quiet rate that the lane lets through.
	laneShare = 0.25
)

// NewToll returns a toll that nobody has passed yet.
func NewToll(o TollOptions) *Toll {
	if o.Least == 0 {
		o.Least = laneLeast
	}
	return &Toll{o: o}
}

// count adds a report to the rate and returns it; none only looks.
func (t *Toll) count(n float64) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Clock.Now()
	if passed := now.Sub(t.at); passed > 0 {
		t.rate *= math.Exp(-passed.Seconds() / meantime.Seconds())
		t.at = now
	}
	t.rate += n / meantime.Seconds()
	return t.rate
}

// Bits returns what a report costs now: so many zero bits, 0 for nothing.
func (t *Toll) Bits() int {
	if t == nil {
		return 0
	}
	return t.price(t.count(0))
}

func (t *Toll) price(rate float64) int {
	if rate <= t.o.Quiet {
		return 0
	}
	return min(firstBits+int(2*math.Log2(rate/t.o.Quiet)), mostBits)
}

// A Ticket is what somebody pays on.
type Ticket struct {
	Text string    // what is sent back
	Bits int       // zero bits to be found for it, 0 for none
	Ripe time.Time // when it is good without work; zero for never
}

// Work returns a ticket for work at the present price.
func (t *Toll) Work() Ticket {
	return t.write(Ticket{Bits: t.Bits()})
}

// Wait returns a ticket for a place in the lane of those who wait.
func (t *Toll) Wait() Ticket {
	t.mu.Lock()
	now := t.o.Clock.Now()
	place := t.lane
	if soonest := now.Add(t.o.Least); place.Before(soonest) {
		place = soonest
	}
	if latest := now.Add(laneMost); place.After(latest) {
		place = latest
	}
	t.lane = place.Add(t.laneStep())
	t.mu.Unlock()
	return t.write(Ticket{Ripe: place.Truncate(time.Second).Add(time.Second)})
}

// laneStep is the time between two that the lane lets through.
func (t *Toll) laneStep() time.Duration {
	return time.Duration(float64(time.Second) / max(t.o.Quiet*laneShare, 0.5))
}

// laneTurn takes a turn of those who waited, if there is one: tickets that were
// gathered and come together pass no faster than they were given out.
func (t *Toll) laneTurn() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Clock.Now()
	if saved := now.Add(-laneSaved); t.turn.Before(saved) {
		t.turn = saved
	}
	if t.turn.After(now) {
		return false
	}
	t.turn = t.turn.Add(t.laneStep())
	return true
}

// The layout of a ticket: bits, second of issue, second from which it is good
// without work, random; then the MAC's start.
const (
	ticketBody = 1 + 8 + 8 + 12
	ticketTag  = 16
)

var ticketText = base64.RawURLEncoding

func (t *Toll) write(k Ticket) Ticket {
	raw := make([]byte, ticketBody, ticketBody+ticketTag)
	raw[0] = byte(k.Bits)                                                  //nolint:gosec // at most mostBits
	binary.BigEndian.PutUint64(raw[1:], uint64(t.o.Clock.Now().Unix()))    //nolint:gosec // after 1970
	binary.BigEndian.PutUint64(raw[9:], uint64(max(0, k.Ripe.UnixNano()))) //nolint:gosec // not negative
	if k.Ripe.IsZero() {
		clear(raw[9:17])
	}
	rand.Read(raw[17:]) //nolint:errcheck // never fails (crypto/rand)
	k.Text = ticketText.EncodeToString(append(raw, t.tag(raw)...))
	return k
}

func (t *Toll) tag(body []byte) []byte { return t.o.MAC("admit-ticket", body)[:ticketTag] }

// read returns a ticket of ours that has not expired, and until when it is
// good.
func (t *Toll) read(text string) (k Ticket, until time.Time, ok bool) {
	raw, err := ticketText.DecodeString(text)
	if err != nil || len(raw) != ticketBody+ticketTag || !hmac.Equal(raw[ticketBody:], t.tag(raw[:ticketBody])) {
		return k, until, false
	}
	k = Ticket{Text: text, Bits: int(raw[0])}
	until = time.Unix(int64(binary.BigEndian.Uint64(raw[1:])), 0).Add(workFor) //nolint:gosec // we wrote it
	if ripe := binary.BigEndian.Uint64(raw[9:]); ripe > 0 {
		k.Ripe = time.Unix(0, int64(ripe)).UTC() //nolint:gosec // we wrote it
		until = k.Ripe.Add(laneFor)
	}
	return k, until, !t.o.Clock.Now().After(until)
}

// Ripe reports whether the text is a ticket of the lane whose time has come.
func (t *Toll) Ripe(text string) bool {
	if t == nil {
		return false
	}
	k, _, ok := t.read(text)
	return ok && !k.Ripe.IsZero() && !t.o.Clock.Now().Before(k.Ripe)
}

// Waiting returns the ticket of the text, if it has a place in the lane whose
// time is still to come.
func (t *Toll) Waiting(text string) (Ticket, bool) {
	k, _, ok := t.read(text)
	return k, ok && !k.Ripe.IsZero() && t.o.Clock.Now().Before(k.Ripe)
}

// Kept returns a ticket of the lane whose time has come, good again in a moment:
// for who came with too many others.
func (t *Toll) Kept(text string) (Ticket, bool) {
	k, _, ok := t.read(text)
	ok = ok && !k.Ripe.IsZero()
	k.Ripe = t.o.Clock.Now().Add(laneAgain)
	return k, ok
}

// A Spend strikes a ticket off in the transaction of what it pays for. It fails
// if somebody has used the ticket before, and with the fault "admit.lane" if
// more of those who waited come than their share: the ticket stays good then.
type Spend func(ctx context.Context, tx *db.Tx) error

// unpaid is what a report hears that has not paid.
func unpaid() error {
	e := fault.New(fault.Unavailable, "admit.work")
	e.RetryAfter = time.Second
	return e
}

// crowded is what somebody hears who waited, and comes with too many others.
func crowded() error {
	e := fault.New(fault.Unavailable, "admit.lane")
	e.RetryAfter = laneAgain
	return e
}

// Pass counts a public report and says whether it may go on: in quiet times at
// once, else with a ticket whose work was done or whose time has come. Spend is
// nil where nothing is to be paid. The fault "admit.work" asks for a ticket, or
// for another one.
func (t *Toll) Pass(text, nonce string) (Spend, error) {
	if t == nil {
		return nil, nil
	}
	price := t.price(t.count(1))
	if price == 0 {
		return nil, nil
	}
	k, until, ok := t.read(text)
	switch {
	case !ok:
		return nil, unpaid()
	case !k.Ripe.IsZero():
		ok = !t.o.Clock.Now().Before(k.Ripe)
	default:
		ok = k.Bits >= price-slack && worked(k, nonce)
	}
	if !ok {
		return nil, unpaid()
	}
	return func(ctx context.Context, tx *db.Tx) error {
		id := sha256.Sum256([]byte(text))
		n, err := tx.Exec(ctx, `INSERT INTO spent_tickets (id, until) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id[:16], db.Micros(until))
		if err == nil && n == 0 {
			err = unpaid()
		}
		if err == nil && !k.Ripe.IsZero() && !t.laneTurn() { // a spent ticket takes no turn
			err = crowded()
		}
		return err
	}, nil
}

// worked reports whether the nonce, a decimal number, is the work that the
// ticket asks for: SHA-256 over the SHA-256 of its text and the nonce as eight
// bytes, the highest first, begins with so many zero bits.
func worked(k Ticket, nonce string) bool {
	n, err := strconv.ParseUint(nonce, 10, 64)
	return err == nil && zeros(k.Text, n) >= k.Bits
}

func zeros(text string, n uint64) int {
	var in [sha256.Size + 8]byte
	inner := sha256.Sum256([]byte(text))
	copy(in[:], inner[:])
	binary.BigEndian.PutUint64(in[sha256.Size:], n)
	out := sha256.Sum256(in[:])
	return bits.LeadingZeros64(binary.BigEndian.Uint64(out[:]))
}

// Solve does the work of a ticket of ours, as a sender's machine does, and
// returns the nonce: 2^Bits hashes on average, about a second for 22 bits.
func Solve(text string, bits int) string {
	var n uint64
	for zeros(text, n) < bits {
		n++
	}
	return strconv.FormatUint(n, 10)
}

// Sweep forgets tickets that have expired: nobody can use them again.
func (t *Toll) Sweep(ctx context.Context, d *db.DB) error {
	return d.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM spent_tickets WHERE until < $1`, db.Micros(t.o.Clock.Now()))
		return err
	})
}
