package vault_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/vault"
)

// A step runs until it has ended well once, and not again in any later start.
func TestOnce(t *testing.T) {
	c := vault.Config{Dir: filepath.Join(t.TempDir(), "vault"), KeyFile: filepath.Join(t.TempDir(), "key")}
	runs, broken := 0, errors.New("power cut")
	for start := range 4 {
		v, err := vault.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		err = v.Once("a-step", func() error {
			if runs++; start < 2 {
				return broken
			}
			return nil
		})
		if (start < 2) != errors.Is(err, broken) {
			t.Errorf("start %d: %v", start, err)
		}
	}
	if runs != 3 {
		t.Errorf("the step ran %d times, want 3: twice broken, once well", runs)
	}
	got, err := vault.Done(c.Dir)
	if diff := cmp.Diff([]string{"a-step"}, got); diff != "" || err != nil {
		t.Errorf("done: %v %s", err, diff)
	}
	for _, name := range []string{"", "../key-check", "A"} {
		if err := vault.MarkDone(c.Dir, name); err == nil {
			t.Errorf("%q was taken for a step", name)
		}
	}
}
