//go:build !linux

package hamming

import (
	"io"
	"os"
)

// mapMemory returns size zeroed bytes of the Go heap, aligned for words.
func mapMemory(size int) []byte { return make([]byte, size) }

func unmapMemory([]byte) {}

// mapFile reads the file: a snapshot opens as fast as it is read.
func mapFile(f *os.File, size int) ([]byte, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(f, b)
	return b, err
}

// makeWritable has nothing to do: the file was read into memory.
func makeWritable([]byte) error { return nil }
