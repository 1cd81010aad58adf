package main

import "testing"

func TestBenchSearch(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.wants(t, 0, []string{"look-up, 64 together", "eight orientations", "scan", "rounds: 1"},
		"bench", "search", "--entries", "5000", "--rounds", "1", "--each", "1ms")
	s.wants(t, exitUsage, []string{"--entries"}, "bench", "search", "--entries", "0")
	s.wants(t, exitUsage, []string{"--entries 3000000000"}, "bench", "search", "--entries", "3000000000")
}
