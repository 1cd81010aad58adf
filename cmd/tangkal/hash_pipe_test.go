//go:build unix

package main

import (
	"context"
	"syscall"
	"testing"
	"time"
)

// A named pipe to which nobody writes is refused, and not waited for.
func TestHashOfAPipe(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{"note.txt": "abc"})
	pipe := s.dir + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	done := make(chan hashed, 1)
	go func() { done <- newFileHasher(&hashCmd{Type: []string{"md5"}}, newBudget()).hash(ctx, pipe, nil) }()
	select {
	case h := <-done:
		if h.Error != errNotRegular.Error() || h.MD5 != "" {
			t.Errorf("%+v", h)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the pipe is waited for")
	}
	s.wants(t, exitFailed, []string{"tangkal: pipe: not a regular file", "\tnote.txt"}, "hash", "pipe", "note.txt")
	s.wants(t, 0, []string{"!pipe", "\tnote.txt"}, "hash", ".")
}
