package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tangkal/tangkal/internal/porttest"
)

// startServer returns the server shared by all test processes of this user on
// this machine. The first process makes it, under a file lock; it is left
// running, so that the next run starts at once, and lives in memory-light
// settings. Tests measure logic, not PostgreSQL, yet fsync stays on because
// db.Open refuses a server without it.
func startServer() (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("tangkal-test-postgres-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() //nolint:errcheck // closing releases the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if url, err := running(dir); url != "" || err != nil {
		return url, err
	}
	return start(bin, dir)
}

// binaries finds initdb and postgres: on the PATH, or the newest of Debian's.
func binaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("initdb not found (Debian: apt-get install postgresql)")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// running returns the URL of the server in dir, "" if there is none. A server
// that is slow, still starting or out of connections is one: other processes
// are at work in it.
func running(dir string) (string, error) {
	late := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		port, alive := postmaster(filepath.Join(dir, "data"))
		if !alive {
			return "", nil
		}
		url := serverURL(port)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := admin(ctx, url, "SELECT 1")
		cancel()
		if err == nil {
			return url, nil
		}
		select {
		case <-tick.C:
		case <-late:
			return "", fmt.Errorf("the server in %s runs and does not answer: %w", dir, err)
		}
	}
}

// postmaster returns the port of the server whose data are in a directory, as
// it says in postmaster.pid (lines: process, directory, start, port), and
// whether its process lives. After a crash the file names a process that is
// gone, or by now another program's: a server works in its data's directory.
func postmaster(data string) (port string, alive bool) {
	raw, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return "", false
	}
	lines := strings.Split(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || len(lines) < 4 {
		return "", false
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return "", false
	}
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if real, e := filepath.EvalSymlinks(data); err == nil && e == nil && at != real {
		return "", false
	}
	return strings.TrimSpace(lines[3]), true
}

func serverURL(port string) string {
	return "postgres://tangkal@127.0.0.1:" + port + "/postgres?sslmode=disable"
}

func start(bin, dir string) (string, error) {
	data := filepath.Join(dir, "data")
	if err := os.RemoveAll(data); err != nil {
		return "", err
	}
	who, err := ordinaryUser(dir)
	if err != nil {
		return "", err
	}
	if err := run(who, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "tangkal", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"); err != nil {
		return "", err
	}
	address, release, err := porttest.Take()
	if err != nil {
		return "", err
	}
	defer release()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	options := fmt.Sprintf("-p %s -h 127.0.0.1 -k %s -c max_connections=300 -c shared_buffers=64MB -c wal_sync_method=fdatasync", port, dir)
	if err := run(who, dir, filepath.Join(bin, "pg_ctl"), "-D", data, "-l", filepath.Join(dir, "log"), "-w", "-t", "60", "-o", options, "start"); err != nil {
		return "", err
	}
	// For checkouts of before postmaster.pid was asked, which share the server.
	if err := os.WriteFile(filepath.Join(dir, "port"), []byte(port), 0o600); err != nil {
		return "", err
	}
	return serverURL(port), nil
}

// ordinaryUser returns the credentials to start PostgreSQL under: ours, or
// those of postgres or nobody when we are root, which PostgreSQL refuses.
func ordinaryUser(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("running as root and neither user postgres nor nobody exists")
}

func run(who *syscall.Credential, dir, name string, args ...string) error {
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // fixed binaries of the machine; the server outlives the test
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setsid: true}
	keepOwn()
	out, err := os.CreateTemp("", "tangkal-pg-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) //nolint:errcheck // a log of no further use
	defer out.Close()           //nolint:errcheck // see above
	// A file, not a pipe: the server keeps it open for as long as it lives.
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name()) //nolint:errcheck // the command's own error is returned
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, text)
	}
	return nil
}

// keepOwn makes what this process was started with, beyond the standard three,
// its own: a server that outlives the test would hold a caller's locks and
// pipes open for as long as it lives.
func keepOwn() {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // not Linux
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
