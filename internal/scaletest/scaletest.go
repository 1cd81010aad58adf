// Package scaletest lets one code path serve as a quick test and as a long
// drill: a walk of n steps is cut to TANGKAL_SCALE percent of itself, and what
// it measures is held to its bound by the whole walk alone.
package scaletest

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Percent returns the scale that was asked for, 1 by default, 1 to 100.
func Percent() int {
	p, err := strconv.Atoi(os.Getenv("TANGKAL_SCALE"))
	if err != nil {
		return 1
	}
	return min(max(p, 1), 100)
}

// Of returns n at the scale that was asked for, at least one.
func Of(n int) int { return max(n*Percent()/100, 1) }

// Within logs how long something took in the middle, 95 times of 100 and at
// most. The whole drill fails where it took longer than its bound more often
// than once in twenty: one slow time is the machine's, and a short walk, beside
// other tests, measures the machine alone.
func Within(t testing.TB, what string, bound time.Duration, took ...time.Duration) {
	t.Helper()
	if len(took) == 0 {
		t.Errorf("%s was never measured", what)
		return
	}
	took = slices.Sorted(slices.Values(took))
	usually := usual(took)
	show := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	t.Logf("%s, %d times: %v in the middle, 95 of 100 within %v, %v at most; the bound is %v",
		what, len(took), show(took[len(took)/2]), show(usually), show(took[len(took)-1]), bound)
	if Percent() == 100 && usually > bound {
		t.Errorf("%s took longer than %v more often than once in twenty: %v", what, bound, show(usually))
	}
}

// usual is what 95 of 100 of sorted times do not exceed.
func usual(sorted []time.Duration) time.Duration {
	return sorted[(len(sorted)*95+99)/100-1]
}
