// Package needtest says what becomes of a test whose machine lacks something: it
// skips on a laptop, and fails in CI, where scripts/deps has installed it.
package needtest

import (
	"os"
	"os/exec"
	"testing"
)

// Missing ends a test that cannot run here, and says why: it fails with CI=true,
// otherwise it is skipped.
func Missing(t testing.TB, why ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(append([]any{"with CI=true this must run: "}, why...)...)
	}
	t.Skip(why...)
}

// Program ends a test as Missing does unless each of the programs is on the PATH.
func Program(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			Missing(t, name+" is not installed")
		}
	}
}
