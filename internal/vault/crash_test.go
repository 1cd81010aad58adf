package vault

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// faultyDisk counts what is asked of the disk. At step failAt it fails once;
// with crash set, the machine is gone from that step on: everything fails, and
// powerCut tears what was not synced.
type faultyDisk struct {
	osDisk
	failAt  int
	crash   bool
	lying   bool // seeded fault: Sync says yes and does nothing
	vague   bool // seeded fault: SyncDir says yes and does nothing
	err     error
	step    int
	pending map[string]bool   // files with unsynced bytes, by present name
	named   map[string]bool   // names whose directory was not synced since they came
	removed map[string][]byte // and since they went, with what they held
}

func (d *faultyDisk) next() error {
	d.step++
	if d.step == d.failAt || d.crash && d.step > d.failAt {
		return d.err
	}
	return nil
}

func (d *faultyDisk) Create(name string) (diskFile, error) {
	if err := d.next(); err != nil {
		return nil, err
	}
	f, err := d.osDisk.Create(name)
	if err != nil {
		return nil, err
	}
	d.pending[name] = true
	return &faultyFile{diskFile: f, d: d, name: name}, nil
}

func (d *faultyDisk) Rename(from, to string) error {
	if err := d.next(); err != nil {
		return err
	}
	if d.pending[from] {
		delete(d.pending, from)
		d.pending[to] = true
	}
	d.named[to] = true
	return d.osDisk.Rename(from, to)
}

func (d *faultyDisk) Remove(name string) error {
	if err := d.next(); err != nil {
		return err
	}
	held, err := os.ReadFile(name) //nolint:gosec // a file of this test
	if err != nil {
		return err
	}
	if !d.named[name] && !d.pending[name] {
		d.removed[name] = held
	}
	delete(d.pending, name)
	delete(d.named, name)
	return d.osDisk.Remove(name)
}

func (d *faultyDisk) SyncDir(name string) error {
	if err := d.next(); err != nil {
		return err
	}
	if d.vague {
		return nil
	}
	in := func(file string) bool { return filepath.Dir(file) == name }
	maps.DeleteFunc(d.named, func(file string, _ bool) bool { return in(file) })
	maps.DeleteFunc(d.removed, func(file string, _ []byte) bool { return in(file) })
	return d.osDisk.SyncDir(name)
}

type faultyFile struct {
	diskFile
	d    *faultyDisk
	name string
}

// Write fails like a disk that fills: some bytes are written.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.d.next(); err != nil {
		n, _ := f.diskFile.Write(p[:len(p)/2])
		return n, err
	}
	return f.diskFile.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.d.next(); err != nil {
		return err
	}
	if f.d.lying {
		return nil
	}
	delete(f.d.pending, f.name)
	return f.diskFile.Sync()
}

func (f *faultyFile) Close() error {
	err := f.d.next()
	return errors.Join(err, f.diskFile.Close())
}

// powerCut halves every file whose bytes were never synced, and if names are
// lost undoes what was done to directories that were never synced: POSIX
// promises neither the one nor the other.
func (d *faultyDisk) powerCut(t *testing.T, losesNames bool) {
	t.Helper()
	defer func() {
		if !losesNames {
			return
		}
		for name := range d.named {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		for name, held := range d.removed {
			if err := os.WriteFile(name, held, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}()
	for name := range d.pending {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, info.Size()/2); err != nil {
			t.Fatal(err)
		}
	}
}

// begin forgets what happened before.
func (d *faultyDisk) begin() {
	d.pending, d.named, d.removed = map[string]bool{}, map[string]bool{}, map[string][]byte{}
}

// putOn puts content through a disk and returns the vault with an honest disk
// again, as after a restart.
func putOn(t *testing.T, d *faultyDisk, content []byte) (*Vault, Key, Ref, error) {
	t.Helper()
	v, _ := open(t)
	k := caseKey(t, v)
	d.begin()
	store := v.store.(*FileStore)
	store.disk = d
	ref, err := v.Put(t.Context(), k, bytes.NewReader(content), megabyte)
	store.disk = osDisk{}
	return v, k, ref, err
}

func stepsOfOnePut(t *testing.T, content []byte) int {
	t.Helper()
	d := &faultyDisk{}
	if _, _, _, err := putOn(t, d, content); err != nil {
		t.Fatal(err)
	}
	return d.step
}

// G15, T30: wherever the machine stops, a blob is whole or invisible, and what
// was acknowledged is there.
func TestACrashAtAnyStepLeavesNoPartialBlob(t *testing.T) {
	t.Parallel()
	content := random(5, 300_000)
	for i := range 2 * (stepsOfOnePut(t, content) + 2) {
		step, losesNames := i/2, i%2 == 0
		d := &faultyDisk{failAt: step, crash: true, err: errors.New("power cut")}
		if step == 0 {
			d.crash = false // nothing fails
		}
		v, k, ref, err := putOn(t, d, content)
		d.powerCut(t, losesNames)
		n, scrubErr := v.Scrub(t.Context(), func(s Stat, why error) error {
			return fmt.Errorf("blob %s is visible and %w", s.Name, why)
		})
		if scrubErr != nil {
			t.Errorf("step %d: %v", step, scrubErr)
		}
		if err == nil {
			if err := v.Verify(t.Context(), k, ref); err != nil {
				t.Errorf("step %d: acknowledged, yet %v", step, err)
			}
		}
		if n > 1 {
			t.Errorf("step %d: %d blobs visible", step, n)
		}
		if _, err := v.Sweep(time.Now().Add(2 * time.Hour)); err != nil {
			t.Errorf("step %d: sweep: %v", step, err)
		}
		if left, _ := filepath.Glob(filepath.Join(v.store.(*FileStore).dir, tempPrefix+"*")); len(left) != 0 {
			t.Errorf("step %d: left over after the sweep: %v", step, left)
		}
	}
}

// The seeded faults: the test above notices a missing fsync, of the file and of
// its directory.
func TestACrashTestWithoutSyncFails(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*faultyDisk{"file": {lying: true}, "directory": {vague: true}} {
		v, k, ref, err := putOn(t, d, random(5, 300_000))
		if err != nil {
			t.Fatal(err)
		}
		d.powerCut(t, true)
		if err := v.Verify(t.Context(), k, ref); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: a blob that was never synced survived the power cut: %v", name, err)
		}
	}
}

// What was erased stays erased, and a deletion that fails says so.
func TestADeletedBlobDoesNotComeBackAfterAPowerCut(t *testing.T) {
	t.Parallel()
	for step := range 3 { // the disk is asked to remove, and to sync the directory
		d := &faultyDisk{err: syscall.EIO}
		v, _, ref, err := putOn(t, d, random(7, 1000))
		if err != nil {
			t.Fatal(err)
		}
		d.begin()
		d.step, d.failAt = 0, step
		v.store.(*FileStore).disk = d
		err = v.Delete(t.Context(), ref)
		if (step > 0) != (fault.Of(err) == fault.Unavailable) || step == 0 && err != nil {
			t.Errorf("deletion that fails at step %d: %v", step, err)
		}
		d.powerCut(t, true)
		if left := len(names(t, v)); (left == 0) != (err == nil) {
			t.Errorf("step %d: deleted with %v, and %d blobs are there after the power cut", step, err, left)
		}
	}
}

func TestEveryDiskErrorIsUnavailableAndLeavesNothing(t *testing.T) {
	t.Parallel()
	content := random(6, 300_000)
	steps := stepsOfOnePut(t, content)
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO} {
		for step := 1; step <= steps; step++ {
			v, _, _, err := putOn(t, &faultyDisk{failAt: step, err: cause}, content)
			if fault.Of(err) != fault.Unavailable || !errors.Is(err, cause) {
				t.Errorf("%v at step %d of %d: %v, want Unavailable", cause, step, steps, err)
			}
			entries, _ := filepath.Glob(filepath.Join(v.store.(*FileStore).dir, tempPrefix+"*"))
			if got := names(t, v); len(got)+len(entries) != 0 {
				t.Errorf("%v at step %d: left %v and %v", cause, step, got, entries)
			}
		}
	}
}

// shortDisk writes less than it is given without saying why.
type shortDisk struct{ osDisk }

func (d shortDisk) Create(name string) (diskFile, error) {
	f, err := d.osDisk.Create(name)
	return shortFile{f}, err
}

type shortFile struct{ diskFile }

func (f shortFile) Write(p []byte) (int, error) { return f.diskFile.Write(p[:len(p)-1]) }

func TestAShortWriteIsUnavailable(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	v.store.(*FileStore).disk = shortDisk{}
	_, err := v.Put(t.Context(), caseKey(t, v), bytes.NewReader(random(1, 1000)), megabyte)
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
	if got := names(t, v); len(got) != 0 {
		t.Errorf("%d blobs visible", len(got))
	}
}
