package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tangkal/tangkal/internal/app"
)

// checkCmd looks whether "serve" would start, and changes nothing.
type checkCmd struct {
	// Named, so that kong does not take its Validate for the command's own.
	Config app.Config      `embed:""`
	File   kong.ConfigFlag `name:"config" help:"YAML file with these options, one a line." placeholder:"FILE"`
	JSON   bool            `name:"json" help:"As JSON."`
}

// Help shows by example.
func (checkCmd) Help() string {
	return `Examples:

  tangkal check-config --config /etc/tangkal/tangkal.yaml
  tangkal check-config --json | jq '.parts[] | select(.level != "ok")'

Takes the options of "serve", from the same flags, environment and file. Prints the settings that hold, passwords
hidden, and looks at certificate, database, vault and key without changing them. Exit code 0: it would start (warnings
included); 1: it would not, or badly; 2: the configuration has faults, each of which is named.`
}

// Run checks.
func (c *checkCmd) Run(sh *shell) error {
	if err := c.Config.Check(); err != nil {
		return usageError{fmt.Errorf("the configuration has faults:\n%w", err)}
	}
	parts := c.Config.Try(sh.ctx, time.Now())
	failing := 0
	for _, p := range parts {
		if p.Level == app.Failing {
			failing++
		}
	}
	if err := c.print(sh, parts); err != nil {
		return err
	}
	if failing > 0 {
		return fmt.Errorf("it would not start as it is: %d of %d checks fail", failing, len(parts))
	}
	return nil
}

func (c *checkCmd) print(sh *shell, parts []app.Part) error {
	if c.JSON {
		type part struct {
			app.Part
			Why string `json:"why,omitempty"`
		}
		out := struct {
			Settings map[string]string `json:"settings"`
			Parts    []part            `json:"parts"`
		}{Settings: map[string]string{}}
		for _, s := range c.Config.Settings() {
			out.Settings[s.Name] = s.Value
		}
		for _, p := range parts {
			out.Parts = append(out.Parts, part{p, p.Why()})
		}
		return json.NewEncoder(sh.stdout).Encode(out)
	}
	for _, s := range c.Config.Settings() {
		if s.Value != "" {
			fmt.Fprintf(sh.stdout, "%s: %s\n", s.Name, s.Value)
		}
	}
	fmt.Fprintln(sh.stdout)
	for _, p := range parts {
		fmt.Fprintf(sh.stdout, "%-8s %s", p.Level, p.Name)
		for _, text := range []string{p.What, p.Why(), p.Do} {
			if text != "" {
				fmt.Fprintf(sh.stdout, ": %s", text)
			}
		}
		fmt.Fprintln(sh.stdout)
	}
	return nil
}
