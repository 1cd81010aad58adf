package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/scaletest"
)

// smallDisk mounts a file system of o.Disk bytes over the data directory, seen
// by this process alone, with what was in the directory.
func (o order) smallDisk() error {
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	before := os.DirFS(o.App.Data)
	aside, err := os.MkdirTemp(filepath.Dir(o.App.Data), "aside")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	if err := os.CopyFS(aside, before); err != nil {
		return err
	}
	if err := unix.Mount("none", o.App.Data, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", o.Disk)); err != nil {
		return fmt.Errorf("mount a small disk: %w", err)
	}
	if err := os.CopyFS(o.App.Data, os.DirFS(aside)); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(o.App.Data, "instance.key"), 0o600)
}

// onSmallDisk starts a server on a disk of size bytes, and returns the disk's
// directory as this process sees it.
func onSmallDisk(t *testing.T, size int64, spareFiles, spareAll string) (*exchangetest.Exchange, string) {
	t.Helper()
	x := exchangetest.Prepare(t, "sqlite:"+t.TempDir()+"/tangkal.db")
	from := strings.TrimPrefix(x.Config.DB, "sqlite:")
	to := filepath.Join(x.Config.Data, "tangkal.db")
	if err := os.Rename(from, to); err != nil { // closed whole, without a log beside it
		t.Fatal(err)
	}
	x.Config.DB, x.Config.SpareFiles, x.Config.SpareAll = "sqlite:"+to, spareFiles, spareAll
	raw, err := json.Marshal(order{App: x.Config, Disk: size})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "order.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), serveEnv+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	said, err := os.CreateTemp(t.TempDir(), "server-*.log")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		t.Skip("this machine gives no mount namespace, so no small disk can be made: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait() //nolint:errcheck // it is killed at the end
		close(done)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may be gone already
		<-done
		if raw, err := os.ReadFile(said.Name()); err == nil && t.Failed() {
			t.Logf("the server wrote:\n%s", raw[:min(len(raw), 6000)])
		}
	})
	for begun := time.Now(); ; {
		if res, err := http.Get(x.URL + "/livez"); err == nil {
			res.Body.Close()
			break
		}
		select {
		case <-done:
			t.Fatal("the server did not start")
		default:
		}
		if time.Since(begun) > readyWithin {
			t.Fatal("the server does not answer")
		}
	}
	return x, fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, x.Config.Data)
}

// fillDisk takes every free byte of the disk but so many.
func fillDisk(t *testing.T, disk string, but int64) (empty func()) {
	t.Helper()
	name := filepath.Join(disk, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	size := int64(0)
	for err == nil {
		var n int
		n, err = f.Write(block)
		size += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := errors.Join(f.Truncate(max(0, size-but)), f.Close()); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// The drill of goal G4: the disk fills while reports come, again and again. What
// was acknowledged stays, what does not fit is refused with a time to try
// again, and the same process goes on when there is space.
func TestDrillDiskFull(t *testing.T) {
	t.Parallel()
	x, disk := onSmallDisk(t, 48<<20, "1B", "1B") // no marks: the disk itself says no
	nobody := clientOf(t, x, "")
	type acked struct{ Receipt, Ref string }
	var kept []acked
	refused, n := 0, 0
	report := func() bool {
		t.Helper()
		n++
		body := upload{"report", map[string]any{
			"locations": []string{fmt.Sprintf("https://ruangsuara.example/v/%d", 800_000+n)}, "category": "unsure", "description": strings.Repeat("Invented. ", 100),
		}, []string{strings.Repeat("invented evidence ", 1+(n%5)*4000)}}
		r, err := nobody.ask(t.Context(), "POST", "/reports", body)
		switch {
		case err != nil:
			t.Fatal(err)
		case r.status == http.StatusCreated:
			var a acked
			if err := json.Unmarshal(r.body, &a); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, a)
			return true
		case r.status != http.StatusServiceUnavailable:
			t.Errorf("on a full disk: %d %s", r.status, r.body)
		}
		refused++
		return false
	}
	rounds := max(scaletest.Of(50), 3)
	for i := range rounds {
		for range 5 {
			if !report() {
				t.Fatalf("round %d: a report is refused though there is space", i)
			}
		}
		empty := fillDisk(t, disk, int64(i%7)*100_000) // it ends at another place each time
		for until := refused + 3; refused < until; {
			report()
		}
		empty()
		for begun := time.Now(); !report(); {
			if time.Since(begun) > 2*patience {
				t.Fatalf("round %d: reports are refused though there is space again", i)
			}
		}
	}
	for _, a := range kept {
		got := say(t, "GET", x.URL+"/api/v1/receipts", "", "Receipt", a.Receipt)
		if got.status != http.StatusOK || !strings.Contains(got.body, a.Ref) {
			t.Errorf("lost: %s was acknowledged, and its receipt gets %d %s", a.Ref, got.status, got.body)
		}
	}
	t.Logf("the disk was full %d times: %d reports acknowledged, 0 lost, %d refused", rounds, len(kept), refused)
}

// With the marks that an operator sets, what must go on still fits on a disk
// that takes no reports: the space of the hard mark is kept for it.
func TestDrillDiskFullKeepsSpaceForAnswers(t *testing.T) {
	t.Parallel()
	x, disk := onSmallDisk(t, 64<<20, "32MiB", "16MiB")
	nobody, platform := clientOf(t, x, ""), clientOf(t, x, "platform")
	_, body := aReport("https://ruangsuara.example/v/1")
	fillDisk(t, disk, 12<<20)
	await(t, 200*time.Millisecond) // a look at the disk holds for a moment
	for range 20 {
		if r, err := nobody.ask(t.Context(), "POST", "/reports", json.RawMessage(body)); err != nil || r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "admit.disk") {
			t.Errorf("a report beyond the hard mark: %d %s, %v", r.status, r.body, err)
		}
		if r, err := platform.ask(t.Context(), "POST", "/notices/absent/receive", map[string]any{}); err != nil || r.status != http.StatusNotFound {
			t.Errorf("an answer beyond the hard mark: %d %s, %v", r.status, r.body, err)
		}
	}
	for begun := time.Now(); ; { // an answer of readyz holds for a second
		got := say(t, "GET", x.URL+"/readyz", "")
		if got.status == http.StatusServiceUnavailable && strings.Contains(got.body, "is full") {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("readyz says %d %s", got.status, got.body)
		}
	}
}
