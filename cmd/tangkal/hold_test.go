package main

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// serving starts a server over the data directory d of the shop, and returns it
// once it answers, with what it answers on.
func (s shop) serving(t *testing.T) (server *exec.Cmd, address string) {
	t.Helper()
	server = s.command(t.Context(), nil, "serve", "--data", "d", "--listen", "127.0.0.1:0", "--evidence-origin", "http://evidence.localhost:1")
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill() //nolint:errcheck // it may be gone already
		server.Wait()         //nolint:errcheck // as it was told to
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, rest, ok := strings.Cut(line, " ("); ok && err == nil {
		return server, strings.TrimSuffix(rest, ")\n")
	}
	t.Fatalf("the server says %q: %v", line, err)
	return nil, ""
}

// Two servers on one SQLite file would each order the feed and send what waits:
// the second is told who is there. Reading and administration go on beside it.
func TestASecondServerOnOneFileIsToldWhoIsThere(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	server, _ := s.serving(t)
	held := []string{"the database is in use", fmt.Sprintf("process %d (tangkal serve, since 20", server.Process.Pid), "stop that one first"}
	again := []string{"--data", "d", "--listen", "127.0.0.1:0", "--evidence-origin", "http://evidence.localhost:1"}
	s.wants(t, exitFailed, held, append([]string{"serve"}, again...)...)
	s.wants(t, exitFailed, held, append([]string{"serve", "--db", "sqlite:" + s.dir + "/d/../d/tangkal.db"}, again...)...)
	s.wants(t, 0, []string{"warning  database: is in use by process"}, append([]string{"check-config"}, again...)...)
	s.wants(t, 0, []string{"rows of"}, "backup", "--data", "d", "out.tar.gz")
	s.wants(t, 0, []string{"!in use"}, "admin", "org", "list", "--data", "d")
	s.wants(t, 0, []string{"Nothing is missing"}, "migrate", "--data", "d", "--check")
	s.wants(t, exitFailed, held, "restore", "--data", "d", "out.tar.gz")
	s.wants(t, exitFailed, held, "migrate", "--data", "d")
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	server.Wait() //nolint:errcheck // it was killed
	s.wants(t, 0, []string{"Nothing was missing"}, "migrate", "--data", "d")
	s.serving(t)
}
