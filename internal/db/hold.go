package db

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrHeld tells that another process works on the same SQLite file.
var ErrHeld = errors.New("the database is in use")

// A Holder says which process works on a SQLite file.
type Holder struct {
	PID   int       `json:"pid"`
	As    string    `json:"as"` // as "serve"
	Since time.Time `json:"since"`
}

// String is the holder in words, for an operator.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d (tangkal %s, since %s)", h.PID, h.As, h.Since.UTC().Format(time.RFC3339))
}

// Hold makes this process the only one that works on a SQLite file as a server
// does, until Close or until it ends, however it ends. ErrHeld says that another
// is, and which. Whoever only reads, or writes for a moment as administration
// does, holds nothing and goes on beside it. On PostgreSQL any number of servers
// may work: nothing is held there.
func (d *DB) Hold(as string) error {
	if d.lite == nil {
		return nil
	}
	name, err := holdName(d.url)
	if err != nil {
		return fmt.Errorf("hold %s: %w", d.url, err)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("hold %s: %w", d.url, err)
	}
	free, err := lockFile(f)
	if err != nil || !free {
		by := holderOf(f)
		f.Close() //nolint:errcheck // nothing was written
		if err != nil {
			return fmt.Errorf("hold %s: its file system does not lock files: %w", d.url, err)
		}
		return fmt.Errorf("%w: %s works on %s; stop that one first, or use PostgreSQL, which several may share", ErrHeld, by, strings.TrimPrefix(d.url, "sqlite:"))
	}
	d.hold = f
	me, err := json.Marshal(Holder{os.Getpid(), as, time.Now()}) //nolint:forbidigo // for the operator, by the machine
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(me, 0)
	}
	if err != nil {
		return fmt.Errorf("hold %s: %w", d.url, err)
	}
	return nil
}

// HeldBy returns which process works on a SQLite database, if one does. It only
// looks: no server that starts meanwhile is refused for it, nor is another looker
// told of it.
func (d *DB) HeldBy() (Holder, bool) {
	if d.lite == nil {
		return Holder{}, false
	}
	name, err := holdName(d.url)
	if err != nil {
		return Holder{}, false
	}
	f, err := os.Open(name)
	if err != nil {
		return Holder{}, false
	}
	defer func() { _ = f.Close() }() // and with it the lock, if there was none
	if held, err := lockedFile(f); err != nil || !held {
		return Holder{}, false
	}
	return holderOf(f), true
}

// holdName is the file that is locked: beside the database, wherever links lead.
// SQLite's own locks on the database itself are let alone.
func holdName(url string) (string, error) {
	path, err := filepath.EvalSymlinks(strings.TrimPrefix(url, "sqlite:"))
	return path + ".lock", err
}

// holderOf reads who holds a file that is locked; empty while that is written.
func holderOf(f *os.File) Holder {
	var h Holder
	b := make([]byte, 512)
	n, _ := f.ReadAt(b, 0)        //nolint:errcheck // io.EOF: the file is short
	_ = json.Unmarshal(b[:n], &h) // empty then: "another process"
	return h
}
