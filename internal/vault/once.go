package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// donePrefix begins the names of the files by which Once remembers.
const donePrefix = "done-"

var stepName = regexp.MustCompile(`^[a-z0-9-]{1,60}$`)

// Once runs do unless it has run to its end in this vault before. It is for
// steps that must not come again because somebody wants them to, as sealing
// the rows of a database that had no seals yet: what is done is remembered in
// a file beside the blobs, where whoever can write rows alone does not reach.
// Two nodes that start together may both run do, and after a crash it runs
// again, so it must bear that. name is of a-z, 0-9 and "-".
func (v *Vault) Once(name string, do func() error) error {
	if !stepName.MatchString(name) {
		panic("vault: name of a step: " + name)
	}
	path := filepath.Join(v.dir, donePrefix+name)
	_, err := os.Stat(path)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("step %s: %w", name, err)
	}
	if err := do(); err != nil {
		return fmt.Errorf("step %s: %w", name, err)
	}
	return MarkDone(v.dir, name)
}

// Done returns the names of the steps that have run in the vault at dir, for a
// backup to keep: rows that come back are those that the steps have been at.
func Done(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("steps of the vault: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), donePrefix); ok && stepName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// MarkDone remembers, durably, that steps have run in the vault at dir.
func MarkDone(dir string, names ...string) error {
	for _, name := range names {
		if !stepName.MatchString(name) {
			return fmt.Errorf("step %q: not a name", name)
		}
		if err := writeOnce(filepath.Join(dir, donePrefix+name), []byte("done\n")); err != nil {
			return err
		}
	}
	return nil
}
