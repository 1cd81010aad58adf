package admit_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func mac(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, []byte("key/"+purpose))
	h.Write(data)
	return h.Sum(nil)
}

// tolled is a toll at which one report a second is quiet.
func tolled() (*admit.Toll, *clock.Manual) {
	at := clock.NewManual(noon)
	return admit.NewToll(admit.TollOptions{MAC: mac, Clock: at, Quiet: 1}), at
}

// crowd lets n reports come at once.
func crowd(toll *admit.Toll, n int) {
	for range n {
		toll.Pass("", "") //nolint:errcheck // refused or not, they came
	}
}

func TestAReportCostsNothingInQuietTimesAndMoreWhileMoreCome(t *testing.T) {
	toll, at := tolled()
	for range 60 { // nearly one a second
		if _, err := toll.Pass("", ""); err != nil {
			t.Fatalf("a report in quiet times: %v", err)
		}
		at.Advance(1100 * time.Millisecond)
	}
	before := 0
	for _, n := range []int{20, 20, 40, 80, 10_000} {
		crowd(toll, n)
		if got := toll.Bits(); got < before || got == 0 || got > 20 {
			t.Errorf("after %d more at once a report costs %d bits, before %d", n, got, before)
		}
		before = toll.Bits()
	}
	if before != 20 {
		t.Errorf("a flood costs %d bits", before)
	}
	at.Advance(3 * time.Minute)
	if got := toll.Bits(); got != 0 {
		t.Errorf("three minutes after the flood a report costs %d bits", got)
	}
	if (*admit.Toll)(nil).Bits() != 0 {
		t.Error("no toll costs something")
	}
}

func TestATicketIsPaidWithWork(t *testing.T) {
	toll, at := tolled()
	if k := toll.Work(); k.Bits != 0 {
		t.Errorf("in quiet times a ticket asks for %d bits", k.Bits)
	}
	early := toll.Work()
	crowd(toll, 12)
	k := toll.Work()
	nonce := admit.Solve(k.Text, k.Bits)
	if spend, err := toll.Pass(k.Text, nonce); err != nil || spend == nil {
		t.Errorf("paid: %v", err)
	}
	bad := []byte(k.Text)
	bad[3] ^= 1
	for what, c := range map[string][2]string{
		"nothing": {"", ""}, "no nonce": {k.Text, ""}, "another nonce": {k.Text, nonce + "1"}, "a word": {k.Text, "x"},
		"an altered ticket": {string(bad), admit.Solve(string(bad), k.Bits)},
		"one of before":     {early.Text, admit.Solve(early.Text, early.Bits)},
		"not ours":          {strings.Repeat("A", len(k.Text)), "1"},
	} {
		if _, err := toll.Pass(c[0], c[1]); !fault.Is(err, "admit.work") {
			t.Errorf("paid with %s: %v", what, err)
		}
	}
	at.Advance(11 * time.Minute)
	crowd(toll, 12)
	if _, err := toll.Pass(k.Text, nonce); !fault.Is(err, "admit.work") {
		t.Errorf("paid with a ticket of eleven minutes ago: %v", err)
	}
}

// Who cannot work gets a place in a lane; the more wait, the later it is, and
// nobody is sent away.
func TestTheLaneIsInOrderAndRefusesNobody(t *testing.T) {
	toll, at := tolled()
	crowd(toll, 12)
	first, before := toll.Wait(), time.Time{}
	for i := range 10_000 {
		k := toll.Wait()
		if k.Ripe.Before(before) || k.Ripe.Sub(noon) > time.Hour+time.Second {
			t.Fatalf("place %d is at %v, the one before at %v", i, k.Ripe, before)
		}
		before = k.Ripe
	}
	if d := before.Sub(noon); d < 59*time.Minute {
		t.Errorf("after ten thousand the wait is %v", d)
	}
	if toll.Ripe(first.Text) {
		t.Error("a place is good at once")
	}
	if _, err := toll.Pass(first.Text, ""); !fault.Is(err, "admit.work") {
		t.Errorf("too early: %v", err)
	}
	if k, ok := toll.Waiting(first.Text); !ok || !k.Ripe.Equal(first.Ripe) {
		t.Errorf("whoever comes early loses their place: %v, %v", k, ok)
	}
	at.Set(first.Ripe)
	crowd(toll, 12)
	if spend, err := toll.Pass(first.Text, ""); err != nil || spend == nil || !toll.Ripe(first.Text) {
		t.Errorf("in time: %v", err)
	}
	at.Set(first.Ripe.Add(61 * time.Minute))
	crowd(toll, 12)
	if _, err := toll.Pass(first.Text, ""); err == nil || toll.Ripe(first.Text) {
		t.Error("a place is good for ever")
	}
	if work := toll.Work(); toll.Ripe(work.Text) {
		t.Error("a ticket for work is good without")
	}
}

// However many use a ticket at once, it pays for one report.
func TestATicketIsGoodForOneReport(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		toll, at := tolled()
		crowd(toll, 12)
		k := toll.Work()
		nonce := admit.Solve(k.Text, k.Bits)
		var all sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for range 16 {
			all.Go(func() {
				spend, err := toll.Pass(k.Text, nonce)
				if err != nil {
					t.Error(err)
					return
				}
				err = d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return spend(ctx, tx) })
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					good++
				case !fault.Is(err, "admit.work"):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if good != 1 {
			t.Errorf("one ticket paid %d times", good)
		}
		kept := func() int64 {
			n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM spent_tickets`)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := toll.Sweep(t.Context(), d); err != nil || kept() != 1 {
			t.Errorf("a ticket that could be used again is forgotten: %v", err)
		}
		at.Advance(11 * time.Minute)
		if err := toll.Sweep(t.Context(), d); err != nil || kept() != 0 {
			t.Errorf("an expired ticket is kept: %v", err)
		}
	})
}

// Tickets of the lane that are gathered and used together pass no faster than
// the lane lets through; who comes with too many others keeps theirs, and one
// that was used already takes no turn of theirs.
func TestGatheredTicketsPassNoFasterThanTheLane(t *testing.T) {
	d := dbtest.SQLite(t)
	toll, at := tolled()
	crowd(toll, 12)
	const many = 100
	tickets := make([]admit.Ticket, many)
	for i := range tickets {
		tickets[i] = toll.Wait()
	}
	at.Set(tickets[many-1].Ripe)
	use := func(k admit.Ticket) error {
		crowd(toll, 12) // still busy
		spend, err := toll.Pass(k.Text, "")
		if err != nil {
			t.Fatal(err)
		}
		return d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return spend(ctx, tx) })
	}
	if err := use(tickets[0]); err != nil {
		t.Fatal(err)
	}
	for range many {
		if err := use(tickets[0]); !fault.Is(err, "admit.work") {
			t.Fatalf("a used ticket: %v, want admit.work", err)
		}
	}
	passed := 1
	for _, k := range tickets[1:] {
		switch err := use(k); {
		case err == nil:
			passed++
		case !fault.Is(err, "admit.lane"):
			t.Fatal(err)
		}
	}
	if passed != 31 { // a minute saved up, at one in two seconds, and the present one
		t.Errorf("%d of %d tickets passed at once, want 31", passed, many)
	}
	last := tickets[many-1]
	again, ok := toll.Kept(last.Text)
	if !ok || again.Text != last.Text || !again.Ripe.After(at.Now()) {
		t.Fatalf("the ticket of who came with too many others: %+v %v", again, ok)
	}
	at.Set(again.Ripe)
	if err := use(last); err != nil {
		t.Errorf("and again a moment later: %v", err)
	}
}
