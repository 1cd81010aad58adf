package backup_test

import (
	"compress/gzip"
	"io"
	"testing"
)

func gunzip(t testing.TB, r io.Reader) io.Reader {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	return z
}
