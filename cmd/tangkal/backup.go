package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"github.com/tangkal/tangkal/internal/backup"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/job"
)

// backupCmd writes everything into one file.
type backupCmd struct {
	place     `embed:""`
	Out       string   `arg:"" name:"file" help:"File to write; it must not exist." type:"path"`
	Recipient []string `help:"Seal it so that only the holder of this age public key (age1…) can read it; may be given more than once." placeholder:"KEY"`
	WithKey   bool     `help:"Put the instance key inside. Whoever can read the file can then read everything; seal it."`
	JSON      bool     `name:"json" help:"Print the manifest as JSON."`
}

// Help shows by example.
func (backupCmd) Help() string {
	return `Examples:

  tangkal backup --data /var/lib/tangkal /backup/tangkal-2026-11-22.tar.gz
  tangkal backup --db postgres://tangkal@db/tangkal --recipient age1… /backup/tangkal.age

The server goes on working: the file holds one moment of the database and every sealed blob it names. It is written
whole or not at all. The instance key is NOT inside unless --with-key is given: keep a copy of instance.key in another
place, for without it nothing sealed can ever be read again. Sign-in sessions are left out.`
}

// Run writes the backup.
func (c *backupCmd) Run(sh *shell) error {
	to, err := recipients(c.Recipient)
	if err != nil {
		return usageError{err}
	}
	if _, err := os.Stat(c.Out); err == nil {
		return fmt.Errorf("%s exists already", c.Out)
	}
	d, err := c.open(sh.ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	temp, err := os.CreateTemp(filepath.Dir(c.Out), ".tangkal-backup-")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // renamed by then, or of no use
	bar := meter(sh, -1, "backing up")
	m, err := backup.Write(sh.ctx, c.at(d), temp, backup.WriteOptions{To: to, WithKey: c.WithKey, Progress: bar.add})
	bar.done()
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, never replaces a file that came meanwhile.
	if err := os.Link(temp.Name(), c.Out); err != nil {
		return err
	}
	return c.report(sh, m)
}

func (c *backupCmd) report(sh *shell, m backup.Manifest) error {
	if c.JSON {
		e := json.NewEncoder(sh.stdout)
		e.SetIndent("", "  ")
		return e.Encode(m)
	}
	fmt.Fprintf(sh.stdout, "%s: %s\n", c.Out, contents(m))
	if !m.WithKey {
		fmt.Fprintf(sh.stdout, "The instance key is not inside. Keep a copy of %s in another place.\n", c.vault().KeyFile)
	}
	return nil
}

// contents says in a line what a backup holds.
func contents(m backup.Manifest) string {
	return fmt.Sprintf("%s rows of %d tables, %d blobs of %s, schema %d, %s",
		humanize.Comma(m.Rows()), len(m.Tables), m.Blobs, humanize.IBytes(uint64(max(0, m.BlobBytes))), m.Schema, m.CreatedAt.Format(time.RFC3339))
}

// at is the place as package backup wants it.
func (p place) at(d *db.DB) backup.Place {
	return backup.Place{DB: d, Vault: p.vault(), Clock: clock.System{}}
}

func recipients(keys []string) ([]age.Recipient, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	to, err := age.ParseRecipients(strings.NewReader(strings.Join(keys, "\n")))
	if err != nil {
		return nil, fmt.Errorf("--recipient: want an age public key (age1…): %w", err)
	}
	return to, nil
}

// restoreCmd brings a backup back.
type restoreCmd struct {
	place    `embed:""`
	In       string `arg:"" name:"file" help:"The backup." type:"existingfile"`
	Identity string `help:"File with the private age key of a sealed backup; - reads it from standard input." placeholder:"FILE"`
	Check    bool   `help:"Only verify the file: manifest, counts and hashes."`
	JSON     bool   `name:"json" help:"Print what came back as JSON."`
}

// Help shows by example.
func (restoreCmd) Help() string {
	return `Examples:

  tangkal restore --check /backup/tangkal.tar.gz
  tangkal restore --data /var/lib/tangkal /backup/tangkal.tar.gz
  tangkal restore --data /var/lib/tangkal --db postgres://tangkal@db/tangkal --identity key.age /backup/tangkal.age

The data directory and the database must be empty. The whole file is verified before anything is changed. A backup from
SQLite can be restored to PostgreSQL and the other way round. Unless the backup was made with --with-key, put
instance.key into the data directory, before or after. Webhook messages that waited at the time of the backup are held
back for good (state "given-up", reason "restored"), so that no receiver gets an old message twice.`
}

// Run verifies, and restores.
func (c *restoreCmd) Run(sh *shell) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	info, err := os.Stat(c.In)
	if err != nil {
		return err
	}
	bar := meter(sh, -1, "verifying "+humanize.IBytes(uint64(max(0, info.Size()))))
	o.Progress = bar.add
	defer bar.done()
	if c.Check {
		m, err := backup.Verify(sh.ctx, c.In, o)
		if err != nil {
			return err
		}
		bar.done()
		return c.report(sh, backup.Restored{Manifest: m}, "whole")
	}
	d, err := c.fresh(sh)
	if err != nil {
		return err
	}
	defer d.Close()
	out, err := backup.Restore(sh.ctx, c.at(d), c.In, o)
	if err != nil {
		return err
	}
	bar.done()
	return c.report(sh, out, "restored")
}

func (c *restoreCmd) options() (backup.RestoreOptions, error) {
	var o backup.RestoreOptions
	if c.Identity == "" {
		return o, nil
	}
	text, err := readSecret(c.Identity)
	if err != nil {
		return o, err
	}
	if o.Identities, err = age.ParseIdentities(strings.NewReader(text)); err != nil {
		return o, errors.New("--identity: this is no private age key") // not wrapped: it could quote the key
	}
	return o, nil
}

// fresh makes the empty database that a restore wants.
func (c *restoreCmd) fresh(sh *shell) (*db.DB, error) {
	if err := mayWork(sh, c.Data); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, err
	}
	d, err := db.Open(sh.ctx, c.url())
	if err != nil {
		return nil, err
	}
	if err = d.Hold("restore"); err == nil {
		_, err = d.Migrate(sh.ctx)
	}
	if err == nil {
		err = job.Migrate(sh.ctx, d)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (c *restoreCmd) report(sh *shell, r backup.Restored, what string) error {
	if c.JSON {
		e := json.NewEncoder(sh.stdout)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"manifest": r.Manifest, "held": r.Held})
	}
	fmt.Fprintf(sh.stdout, "%s: %s\n", what, contents(r.Manifest))
	if c.Check {
		return nil
	}
	fmt.Fprintf(sh.stdout, "Webhook messages held back: %d\n", r.Held)
	if _, err := os.Stat(c.vault().KeyFile); err != nil {
		fmt.Fprintf(sh.stdout, "The instance key was not inside: put it at %s before you start the server.\n", c.vault().KeyFile)
	}
	return nil
}

// A bar shows progress to people; programs see none.
type bar struct{ *progressbar.ProgressBar }

// meter starts a bar over that many bytes, -1 for an unknown number.
func meter(sh *shell, bytes int64, what string) bar {
	if !isTerminal(sh.stderr) {
		return bar{}
	}
	return bar{progressbar.NewOptions64(bytes,
		progressbar.OptionSetWriter(sh.stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
	)}
}

func (b bar) add(n int64) {
	if b.ProgressBar != nil {
		_ = b.Add64(n) // a picture only
	}
}

func (b bar) done() {
	if b.ProgressBar != nil {
		_ = b.Finish() // a picture only
	}
}
