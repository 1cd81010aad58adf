//go:build linux && (amd64 || arm64)

package cage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// residentBytes is how much memory a process occupies, or 0 if it is gone.
// proc_pid_statm(5): the second number, in pages.
func residentBytes(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(raw)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
