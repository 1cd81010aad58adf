package main

import (
	"encoding/json"
	"fmt"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
)

// recordCmd checks that the record of everything that happened is whole.
type recordCmd struct {
	place `embed:""`
	JSON  bool `name:"json" help:"As JSON."`
}

// Help shows by example.
func (recordCmd) Help() string {
	return `Example:

  tangkal admin record --data /var/lib/tangkal

Every entry carries a hash over itself and the entry before it. This reads all of them, with the server running or not,
and says whether each follows from the one before. Exit code 1 if one does not: from that entry on, the database is not
what this program wrote. Keep it as it is, and compare it with the last backup.`
}

// verified is what record prints.
type verified struct {
	Entries int64 `json:"entries"`
	Broken  int64 `json:"broken,omitempty"` // number of the first entry that does not follow; 0 for none
}

// Run verifies the chain.
func (c *recordCmd) Run(sh *shell) error {
	d, err := c.open(sh.ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	var out verified
	if out.Broken, err = feed.Verify(sh.ctx, d); err != nil {
		return err
	}
	if out.Entries, err = db.Value[int64](sh.ctx, d, `SELECT count(*) FROM feed_entries`); err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(sh.stdout).Encode(out)
	} else if out.Broken == 0 {
		fmt.Fprintf(sh.stdout, "the record is whole: %d entries\n", out.Entries)
	}
	if err == nil && out.Broken > 0 {
		err = fmt.Errorf("the record is broken: entry %d does not follow from the one before it", out.Broken)
	}
	return err
}
