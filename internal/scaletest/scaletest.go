// Package scaletest lets one code path serve as a quick test and as a long
// drill: a walk of n steps is cut to TANGKAL_SCALE percent of itself.
package scaletest

import (
	"os"
	"strconv"
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
