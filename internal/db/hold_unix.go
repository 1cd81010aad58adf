//go:build unix

package db

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile locks a file until it is closed or the process ends, or reports that
// another has locked it. The lock is the open file's (flock), so a child that does
// not inherit it has no part in it. Whoever only looks (see lockedFile) is no
// holder: it is waited for, as it looks for a moment only.
func lockFile(f *os.File) (free bool, err error) {
	for range lookerTries {
		if free, err = flock(f, unix.LOCK_EX); free || err != nil {
			return free, err
		}
		shared, err := flock(f, unix.LOCK_SH)
		if !shared || err != nil {
			return false, err
		}
		if _, err := flock(f, unix.LOCK_UN); err != nil { // else two that start would wait for each other
			return false, err
		}
		time.Sleep(lookerPause)
	}
	return false, nil
}

// lockedFile reports whether somebody has locked a file, without standing in the
// way of whoever else looks: its own lock, which closing f ends, is shared.
func lockedFile(f *os.File) (bool, error) {
	free, err := flock(f, unix.LOCK_SH)
	return !free, err
}

const (
	// lookerTries and lookerPause bound how long lookers are waited for.
	lookerTries = 1_000
	lookerPause = 5 * time.Millisecond
)

// flock takes a lock of a kind in place of the one that f has, if it can be had
// now.
func flock(f *os.File, kind int) (had bool, err error) {
	err = unix.Flock(int(f.Fd()), kind|unix.LOCK_NB) //nolint:gosec // a file descriptor fits
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
