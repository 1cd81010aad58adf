//go:build unix

package main

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tangkal/tangkal/internal/app"
)

// nobody is a user who is not root, to whom root gives what a test made.
const nobody = 65534

// given makes everything under dir belong to a user who is not root: to the
// test's own, unless that is root.
func given(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	}); err != nil {
		t.Fatal(err)
	}
}

// What root made in the directory of the server's user the server could not
// open: root is told so before anything is made, by every command that writes
// there. A backup only reads, and root may make one.
func TestRootLeavesNothingInTheServersDirectory(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.wants(t, 0, nil, "migrate", "--data", "d")
	s.wants(t, 0, nil, "admin", "org", "list", "--data", "d")
	dir := filepath.Join(s.dir, "d")
	given(t, dir)
	before := owners(t, dir)
	asRoot := &shell{ctx: t.Context(), stdout: io.Discard, stderr: io.Discard, log: slog.New(slog.DiscardHandler), uid: 0}
	in := place{Data: dir}
	serve := app.Config{Data: dir, Listen: "127.0.0.1:0", EvidenceOrigin: "http://evidence.localhost:1", Jurisdiction: "id", QuietRate: 1}
	for name, err := range map[string]error{
		"admin org list": (&orgListCmd{place: in}).Run(asRoot),
		"migrate":        (&migrateCmd{place: in}).Run(asRoot),
		"restore":        (&restoreCmd{place: in, In: os.Args[0]}).Run(asRoot),
		"serve":          (&serveCmd{Config: serve}).Run(asRoot),
	} {
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "this runs as root") {
			t.Errorf("%s as root: %v", name, err)
		}
	}
	if err := (&migrateCmd{place: in, Check: true}).Run(asRoot); err != nil {
		t.Errorf("migrate --check as root: %v", err)
	}
	if err := (&recordCmd{place: in}).Run(asRoot); err != nil {
		t.Errorf("admin record as root: %v", err)
	}
	if err := (&backupCmd{place: in, Out: filepath.Join(s.dir, "out.tar.gz")}).Run(asRoot); err != nil {
		t.Errorf("backup as root: %v", err)
	}
	for path, owner := range owners(t, dir) {
		if was, there := before[path]; owner != before["."] || there && was != owner {
			t.Errorf("%s belongs to %d", path, owner)
		}
	}
	asOwner := *asRoot
	asOwner.uid = nobody
	if err := mayWork(&asOwner, dir); err != nil {
		t.Errorf("its own user: %v", err)
	}
	if err := mayWork(asRoot, filepath.Join(s.dir, "absent")); err != nil {
		t.Errorf("root, where nothing is yet: %v", err)
	}
}

// owners returns whose each file under dir is.
func owners(t *testing.T, dir string) map[string]uint32 {
	t.Helper()
	out := map[string]uint32{}
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out[name] = info.Sys().(*syscall.Stat_t).Uid
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}
