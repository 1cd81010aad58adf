package main

import "testing"

func TestBenchSearch(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.wants(t, 0, []string{"look-up, 64 together", "eight orientations", "scan", "median of 1 rounds"},
		"bench", "search", "--entries", "5000", "--rounds", "1", "--each", "1ms")
	s.wants(t, exitUsage, []string{"--entries"}, "bench", "search", "--entries", "0")
}
