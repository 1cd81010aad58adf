package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints what this program is.
type versionCmd struct {
	JSON bool `name:"json" help:"As JSON."`
}

// Help shows by example.
func (versionCmd) Help() string { return "Example:\n\n  tangkal version --json" }

// build describes the running program.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a tree with changes
	Go       string `json:"go"`
	System   string `json:"system"`
}

func thisBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Run prints the version.
func (c *versionCmd) Run(sh *shell) error {
	b := thisBuild()
	if c.JSON {
		return json.NewEncoder(sh.stdout).Encode(b)
	}
	_, err := fmt.Fprintf(sh.stdout, "tangkal %s %s %s %s\n", b.Version, b.Commit, b.Go, b.System)
	return err
}
