//go:build !linux

package hamming

import "time"

var started = time.Now()

// threadTime is the time on the wall, where nothing better is known.
func threadTime() time.Duration { return time.Since(started) }

func processTime() time.Duration { return threadTime() }
