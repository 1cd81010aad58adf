//go:build !unix

package pdq_test

import (
	"testing"
	"time"
)

var started = time.Now()

// cpuTime is the time on the wall, where nothing better is known.
func cpuTime() time.Duration { return time.Since(started) }

func cpu(*testing.B) func() { return func() {} }
