package clock_test

import (
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
)

func TestTheSystemTellsUTCInMicroseconds(t *testing.T) {
	before := time.Now().Truncate(time.Microsecond)
	now := clock.System{}.Now()
	if now.Before(before) || now.After(time.Now()) {
		t.Errorf("%v does not lie between %v and now", now, before)
	}
	if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
		t.Errorf("%v is not UTC in whole microseconds", now)
	}
	if again := time.UnixMicro(now.UnixMicro()).UTC(); !again.Equal(now) {
		t.Errorf("stored and read back %v becomes %v", now, again)
	}
}

func TestAManualClockMovesOnlyWhenTold(t *testing.T) {
	jakarta := time.FixedZone("WIB", 7*60*60)
	c := clock.NewManual(time.Date(2026, 7, 1, 7, 0, 0, 1234, jakarta))
	if want := time.Date(2026, 7, 1, 0, 0, 0, 1000, time.UTC); c.Now() != want {
		t.Errorf("stands at %v, want %v", c.Now(), want)
	}
	if got, want := c.Advance(90*time.Minute+7), time.Date(2026, 7, 1, 1, 30, 0, 1000, time.UTC); got != want || c.Now() != want {
		t.Errorf("advanced to %v, want %v", got, want)
	}
	c.Set(time.Date(2020, 2, 29, 0, 0, 0, 999, jakarta))
	if want := time.Date(2020, 2, 28, 17, 0, 0, 0, time.UTC); c.Now() != want {
		t.Errorf("set to %v, want %v", c.Now(), want)
	}
}

func TestAManualClockMayBeShared(t *testing.T) {
	c := clock.NewManual(time.Unix(0, 0))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c.Advance(time.Second)
				c.Now()
			}
		})
	}
	wg.Wait()
	if want := time.Unix(800, 0).UTC(); c.Now() != want {
		t.Errorf("after 800 seconds: %v", c.Now())
	}
}
