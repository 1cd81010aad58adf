package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/job"
)

// migrateCmd brings the database to this program's version.
type migrateCmd struct {
	place `embed:""`
	Check bool `help:"Only say what is missing; exit code 1 if anything is."`
	JSON  bool `name:"json" help:"As JSON."`
}

// Help shows by example.
func (migrateCmd) Help() string {
	return `Examples:

  tangkal migrate --data /var/lib/tangkal
  tangkal migrate --db postgres://tangkal@db/tangkal --check

The server does this by itself at its start. Migrations only go forward, and one version back can still use the result.`
}

// Run migrates, or tells what it would do.
func (c *migrateCmd) Run(sh *shell) error {
	if !c.Check {
		if err := mayWork(sh, c.Data); err != nil {
			return err
		}
	}
	if c.DB == "" {
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return err
		}
	}
	d, err := db.Open(sh.ctx, c.url())
	if err != nil {
		return err
	}
	defer d.Close()
	if c.Check {
		pending, err := d.Pending(sh.ctx)
		if err != nil {
			return err
		}
		if err := c.print(sh, pending, "missing", "Nothing is missing."); err != nil {
			return err
		}
		if len(pending) > 0 {
			return fmt.Errorf("%d migrations are missing", len(pending))
		}
		return nil
	}
	if err := d.Hold("migrate"); err != nil {
		return err
	}
	done, err := d.Migrate(sh.ctx)
	if err != nil {
		return err
	}
	if err := job.Migrate(sh.ctx, d); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	return c.print(sh, done, "applied", "Nothing was missing.")
}

func (c *migrateCmd) print(sh *shell, steps []db.Step, what, none string) error {
	if c.JSON {
		type step struct {
			Version int64  `json:"version"`
			Name    string `json:"name"`
		}
		out := []step{}
		for _, s := range steps {
			out = append(out, step(s))
		}
		return json.NewEncoder(sh.stdout).Encode(map[string]any{what: out})
	}
	if len(steps) == 0 {
		fmt.Fprintln(sh.stdout, none)
	}
	for _, s := range steps {
		fmt.Fprintf(sh.stdout, "%s %s\n", what, s.Name)
	}
	return nil
}
