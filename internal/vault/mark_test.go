package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the operator finds missing after a disk was not mounted, or a key was
// not brought back: nothing is made anew in its place.
func TestAVaultThatTheDatabaseKnowsIsNeverMadeAnew(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]struct {
		lose func(c Config) error
		want string
	}{
		"the vault":        {func(c Config) error { return os.RemoveAll(c.Dir) }, "mount its file system"},
		"the key":          {func(c Config) error { return os.Remove(c.KeyFile) }, "bring back the copy"},
		"both":             {func(c Config) error { return errors.Join(os.RemoveAll(c.Dir), os.Remove(c.KeyFile)) }, "mount its file system"},
		"the vault's mark": {func(c Config) error { return os.Remove(filepath.Join(c.Dir, checkName)) }, "mount its file system"},
		"another's in place": {func(c Config) error {
			other := Config{Dir: c.Dir, KeyFile: c.KeyFile}
			if err := errors.Join(os.RemoveAll(c.Dir), os.Remove(c.KeyFile)); err != nil {
				return err
			}
			_, err := Open(other)
			return err
		}, "another database"},
	} {
		t.Run(name, func(t *testing.T) {
			v, c := open(t)
			c.Mark = v.Mark()
			if _, err := Open(c); err != nil {
				t.Fatalf("nothing is missing: %v", err)
			}
			if err := lost.lose(c); err != nil {
				t.Fatal(err)
			}
			_, keyErr := os.Stat(c.KeyFile)
			if _, err := Open(c); err == nil || !strings.Contains(err.Error(), lost.want) {
				t.Errorf("opened without %s: %v, want %q", name, err, lost.want)
			}
			if _, err := os.Stat(c.KeyFile); (err == nil) != (keyErr == nil) {
				t.Error("a key was made in the place of the lost one")
			}
		})
	}
}

func TestTheProbeSeesWhatThePutWouldMeet(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	if err := v.Probe(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Probe(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadDir(c.Dir); err != nil || len(after) != len(before) {
		t.Errorf("the probe leaves %d files behind (%v)", len(after)-len(before), err)
	}
	if err := os.Rename(c.Dir, c.Dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := v.Probe(); !errors.Is(err, ErrDamaged) {
		t.Errorf("a vault that is not mounted: %v", err)
	}
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := v.Probe(); !errors.Is(err, ErrDamaged) {
		t.Errorf("an empty directory in its place: %v", err)
	}
}
