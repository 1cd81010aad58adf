package scaletest

import (
	"testing"
	"time"
)

// A told is a test that somebody else runs.
type told struct {
	testing.TB
	failed bool
}

func (t *told) Helper()               {}
func (t *told) Logf(string, ...any)   {}
func (t *told) Errorf(string, ...any) { t.failed = true }

// A bound is one for the whole drill, and for what it measured 95 times of 100.
func TestABoundHoldsForTheWholeDrillAlone(t *testing.T) {
	times := func(quick, slow int) []time.Duration {
		all := make([]time.Duration, quick+slow)
		for i := range slow {
			all[i*7%len(all)] = time.Hour
		}
		return all
	}
	for _, c := range []struct {
		scale  string
		took   []time.Duration
		failed bool
	}{
		{"100", times(100, 0), false},
		{"100", times(95, 5), false},
		{"100", times(94, 6), true},
		{"100", times(0, 1), true},
		{"1", times(0, 1), false},
		{"100", nil, true},
		{"1", nil, true},
	} {
		t.Setenv("TANGKAL_SCALE", c.scale)
		got := &told{TB: t}
		Within(got, "a walk", time.Second, c.took...)
		if got.failed != c.failed {
			t.Errorf("at scale %s, of %d times: failed %t, want %t", c.scale, len(c.took), got.failed, c.failed)
		}
	}
}
