//go:build unix

package app

import "golang.org/x/sys/unix"

// freeBytes returns how much an ordinary user may still write beneath path.
func freeBytes(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert,nolintlint // differs by system; fits
}
