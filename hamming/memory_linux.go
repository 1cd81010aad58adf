package hamming

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapMemory returns size zeroed bytes on huge pages. Like the Go runtime it
// gives up when there is no memory.
func mapMemory(size int) []byte {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Sprintf("hamming: no memory for %d bytes: %v", size, err))
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // an aid: without it all is the same, and slower
	return b
}

func unmapMemory(b []byte) { _ = unix.Munmap(b) }

// mapFile maps a file for reading.
func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE) //nolint:gosec // a descriptor fits
}

// makeWritable allows writing to pages of a mapped file. What is written stays
// private to the process and never reaches the file.
func makeWritable(pages []byte) error { return unix.Mprotect(pages, unix.PROT_READ|unix.PROT_WRITE) }
