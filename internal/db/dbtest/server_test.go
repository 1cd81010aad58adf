package dbtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A server is gone when its process is, and not before: whoever takes a busy one
// for gone removes the files under everybody else's tests.
func TestAServerIsGoneWithItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	says := func(pid int) {
		t.Helper()
		text := fmt.Sprintf("%d\n%s\n1795386326\n5433\n%s\n127.0.0.1\n", pid, data, dir)
		if err := os.WriteFile(filepath.Join(data, "postmaster.pid"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, alive := postmaster(data); alive {
		t.Error("a server is there that was never started")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	process := exec.CommandContext(ctx, "sleep", "600")
	process.Dir = data
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	says(process.Process.Pid)
	if port, alive := postmaster(data); !alive || port != "5433" {
		t.Errorf("a living server is %v, at port %q", alive, port)
	}
	stop()
	process.Wait() //nolint:errcheck // it was killed
	if _, alive := postmaster(data); alive {
		t.Error("a dead server is taken for a living one")
	}
	if url, err := running(dir); url != "" || err != nil {
		t.Errorf("a dead server is %q, %v", url, err)
	}
	if _, err := os.Stat("/proc/self/cwd"); err == nil {
		says(os.Getpid())
		if _, alive := postmaster(data); alive {
			t.Error("another program that has the server's number is taken for it")
		}
	}
}
