package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// onSmallDisk starts a server on a disk of o.Disk bytes, and returns the disk's
// directory as this process sees it.
func onSmallDisk(t *testing.T, o order, spareFiles, spareAll string) (*exchangetest.Exchange, string) {
	t.Helper()
	x := exchangetest.Prepare(t, "sqlite:"+t.TempDir()+"/tangkal.db")
	from := strings.TrimPrefix(x.Config.DB, "sqlite:")
	to := filepath.Join(x.Config.Data, "tangkal.db")
	if err := os.Rename(from, to); err != nil { // closed whole, without a log beside it
		t.Fatal(err)
	}
	x.Config.DB, x.Config.SpareFiles, x.Config.SpareAll = "sqlite:"+to, spareFiles, spareAll
	o.App = x.Config
	raw, err := json.Marshal(o)
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
	within(t, readyWithin, "the server to answer", func() bool {
		select {
		case <-done:
			t.Fatal("the server did not start")
		default:
		}
		res, err := http.Get(x.URL + "/livez")
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
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

// freeOn is how many bytes of a disk are free.
func freeOn(t *testing.T, disk string) int64 {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(disk, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// The drill of goal G4: the disk fills while reports come, again and again. What
// was acknowledged stays, what does not fit is refused with a time to try
// again, and the same process goes on when there is space.
func TestDrillDiskFull(t *testing.T) {
	t.Parallel()
	rounds := max(scaletest.Of(50), 3)
	const aRound = 2 << 20 // what is acknowledged in it stays on the disk, evidence and all
	f := diskOf(t, order{Disk: 48<<20 + int64(rounds)*aRound})
	for i := range rounds {
		f.round(t, i)
	}
	f.lost(t)
	for _, what := range f.found {
		t.Error(what)
	}
	t.Logf("the disk was full %d times: %d reports acknowledged, %d refused", rounds, len(f.kept), f.refused)
}

// The drill sees it when a server acknowledges what it has no place for.
func TestDrillDiskFullFindsAcknowledgedWithoutAPlace(t *testing.T) {
	t.Parallel()
	f := diskOf(t, order{Disk: 48 << 20, Lying: true})
	f.round(t, 0)
	f.lost(t)
	for _, want := range []string{"full disk takes", "lost: "} {
		if !slices.ContainsFunc(f.found, func(f string) bool { return strings.HasPrefix(f, want) }) {
			t.Errorf("a server acknowledged what it could not write, and the drill finds no %q: %q", want, f.found)
		}
	}
}

// A fullDisk is a server on a disk that fills up, and what it said to reports.
type fullDisk struct {
	x          *exchangetest.Exchange
	disk       string
	nobody     *client
	kept       []receiptOf
	n, refused int
	found      []string // that should not be
}

// A receiptOf is what whoever reported was given.
type receiptOf struct{ Receipt, Ref string }

// diskOf starts a server without marks: the disk itself says no.
func diskOf(t *testing.T, o order) *fullDisk {
	t.Helper()
	f := &fullDisk{}
	f.x, f.disk = onSmallDisk(t, o, "1B", "1B")
	f.nobody = clientOf(t, f.x, "")
	return f
}

func (f *fullDisk) add(format string, args ...any) {
	f.found = append(f.found, fmt.Sprintf(format, args...))
}

// report files a report with evidence of one of several sizes, and tells whether
// it was acknowledged.
func (f *fullDisk) report(t *testing.T) bool {
	t.Helper()
	f.n++
	body := upload{"report", map[string]any{
		"locations": []string{fmt.Sprintf("https://ruangsuara.example/v/%d", 800_000+f.n)}, "category": "unsure", "description": strings.Repeat("Invented. ", 100),
	}, []string{strings.Repeat("invented evidence ", 1+(f.n%5)*4000)}}
	r, err := f.nobody.ask(t.Context(), "POST", "/reports", body)
	if err != nil {
		t.Fatal(err)
	}
	if r.status == http.StatusCreated {
		var a receiptOf
		if err := json.Unmarshal(r.body, &a); err != nil {
			t.Fatal(err)
		}
		f.kept = append(f.kept, a)
		return true
	}
	if r.status != http.StatusServiceUnavailable {
		f.add("on a full disk: %d %s", r.status, r.body)
	}
	f.refused++
	return false
}

// round fills the disk, has reports refused, and empties it again.
func (f *fullDisk) round(t *testing.T, i int) {
	t.Helper()
	for range 5 {
		if !f.report(t) {
			t.Fatalf("round %d: a report is refused though %d kB are free", i, freeOn(t, f.disk)>>10)
		}
	}
	empty := fillDisk(t, f.disk, int64(i%7)*100_000) // it ends at another place each time
	const most = 100                                 // of 140 kB in the middle, where there is no place for ten
	until := f.refused + 3
	for tries := 0; f.refused < until && tries < most; tries++ {
		f.report(t)
	}
	if f.refused < until {
		f.add("full disk takes %d reports", most)
	}
	empty()
	for begun := time.Now(); !f.report(t); {
		if time.Since(begun) > 2*patience {
			t.Fatalf("round %d: reports are refused though %d kB are free again", i, freeOn(t, f.disk)>>10)
		}
	}
}

// lost asks for everything that was acknowledged.
func (f *fullDisk) lost(t *testing.T) {
	t.Helper()
	for _, a := range f.kept {
		got := say(t, "GET", f.x.URL+"/api/v1/receipts", "", "Receipt", a.Receipt)
		if got.status != http.StatusOK || !strings.Contains(got.body, a.Ref) {
			f.add("lost: %s was acknowledged, and its receipt gets %d %s", a.Ref, got.status, got.body)
		}
	}
}

// With the marks that an operator sets, what must go on is still written on a
// disk that takes no reports: the space of the hard mark is kept for it.
func TestDrillDiskFullKeepsSpaceForAnswers(t *testing.T) {
	t.Parallel()
	x, found := crowded(t, "32MiB", "16MiB")
	for _, f := range found {
		t.Error(f)
	}
	eventually(t, "readyz to say that the disk is full", func() bool { // its answer holds for a second
		got := say(t, "GET", x.URL+"/readyz", "")
		return got.status == http.StatusServiceUnavailable && strings.Contains(got.body, "is full")
	})
}

// The drill sees it when nothing is kept: reports take it all.
func TestDrillDiskFullFindsNoSpaceKept(t *testing.T) {
	t.Parallel()
	if _, found := crowded(t, "1B", "1B"); !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "reports leave ") }) {
		t.Errorf("no space is kept, and the drill finds only %q", found)
	}
}

// crowded starts a server with two orders out, on a disk of which 12 MiB are
// free, and has reports come until they are refused. Then one order is received
// and answered and the other withdrawn. It returns what should not have come of
// that.
func crowded(t *testing.T, spareFiles, spareAll string) (x *exchangetest.Exchange, found []string) {
	t.Helper()
	x, disk := onSmallDisk(t, order{Disk: 64 << 20}, spareFiles, spareAll)
	answered, withdrawn := inIndonesia(t, x).told(t, 1), inIndonesia(t, x).told(t, 2)
	answered.sent(t)
	withdrawn.sent(t)
	const free, kept = 12 << 20, 1 << 20 // of the reserve some may go before the next look at the disk
	fillDisk(t, disk, free)
	nobody := clientOf(t, x, "")
	refused := 0
	for n := 0; n < 500 && refused < 3; n++ {
		_, body := aReport(fmt.Sprintf("https://ruangsuara.example/v/%d", 810_000+n))
		send := any(json.RawMessage(body))
		if n > 100 { // a look at the disk holds for a moment; nobody looked
			send = upload{"report", json.RawMessage(body), []string{strings.Repeat("invented evidence ", 50_000)}}
		}
		r, err := nobody.ask(t.Context(), "POST", "/reports", send)
		if err != nil {
			t.Fatal(err)
		}
		switch r.status {
		case http.StatusCreated:
		case http.StatusServiceUnavailable:
			refused++
		default:
			found = append(found, fmt.Sprintf("a report on a full disk: %d %s", r.status, r.body))
		}
	}
	left := freeOn(t, disk)
	t.Logf("reports leave %d kB of %d", left>>10, free>>10)
	if left < kept {
		found = append(found, fmt.Sprintf("reports leave %d bytes of %d", left, free))
	}
	row := map[string]any{"n": 1, "answer": "removed", "at": time.Now().UTC().Format(time.RFC3339), "basis": "this-order"}
	for _, act := range []struct {
		by   *client
		path string
		body any
	}{
		{answered.platform, answered.id + "/receive", map[string]any{}},
		{answered.platform, answered.id + "/answers", map[string]any{"rows": []any{row}}},
		{withdrawn.officer, withdrawn.id + "/withdraw", map[string]any{"why": "Sent to the wrong address."}},
	} {
		if r, err := act.by.ask(t.Context(), "POST", "/notices/"+act.path, act.body); err != nil || r.status >= 300 {
			found = append(found, fmt.Sprintf("%s beyond the hard mark: %d %s, %v", r.what, r.status, r.body, err))
		}
	}
	if v := answered.view(t, answered.officer); v.ReceivedAt == nil || v.Items[0].State != "answered" {
		found = append(found, fmt.Sprintf("the answer beyond the hard mark is not there: %+v", v))
	}
	if v := withdrawn.view(t, withdrawn.platform); v.Life != "withdrawn" {
		found = append(found, fmt.Sprintf("an order withdrawn beyond the hard mark is %s", v.Life))
	}
	return x, found
}
