//go:build !unix

package main

import "os"

// openToRead opens a file.
func openToRead(path string) (*os.File, error) { return os.Open(path) } //nolint:gosec // the path is the person's own
