package main

import (
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// systemd hears when the server answers and when it begins to stop, and the
// server ends well.
func TestSystemdIsToldWhenItAnswersAndWhenItStops(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	hears := func(want string) {
		t.Helper()
		b := make([]byte, 100)
		n, err := l.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("systemd hears %q (%v), want %q", b[:n], err, want)
		}
	}
	t.Setenv("NOTIFY_SOCKET", socket)
	server, address := open(t, nil).serving(t)
	hears("READY=1")
	res, err := http.Get("http://" + address + "/livez")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("ready, and answers %v %v", res, err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hears("STOPPING=1")
	if err := server.Wait(); err != nil {
		t.Errorf("it stopped with %v", err)
	}
}
