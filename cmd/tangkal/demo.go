package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/demo"
)

// demoCmd runs a temporary exchange full of made-up work.
type demoCmd struct {
	Listen   string `help:"Address to serve on. Default: 127.0.0.1:8080, or any free port if that is taken." placeholder:"HOST:PORT"`
	DB       string `name:"db" help:"An empty PostgreSQL database to use instead of a temporary SQLite file; it is not emptied afterwards." placeholder:"postgres://…"`
	PrintEnv string `help:"Write addresses and API keys as shell exports into this file, once everything is there." type:"path" placeholder:"FILE"`
	Share    int    `help:"Percent of the cases to make, at least one of each kind; less is quicker." default:"100"`
}

// Help shows by example.
func (demoCmd) Help() string {
	return `Examples:

  tangkal demo
  tangkal demo --listen 127.0.0.1:9000 --print-env demo.env     then: . ./demo.env

Agencies, an authority, platforms and oversight, all invented, with about 500 cases of ninety days. Everybody can be
signed in as by one press on /sign-in. The pages answer at once: first comes what is going on now, then, while you look,
the ninety days before it; progress is shown here, and webhooks and captures begin when it is complete. Everything is in a temporary directory and gone when you stop it with Ctrl+C.`
}

// Run shows the demonstration until it is told to stop.
func (c *demoCmd) Run(sh *shell) error {
	l, err := c.open(sh)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // closed by the server already, or nothing was served
	dir, err := os.MkdirTemp(quickest(), "tangkal-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)              //nolint:errcheck // temporary: the system clears what stays
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener
	url, evidence := fmt.Sprintf("http://localhost:%d", port), fmt.Sprintf("http://evidence.localhost:%d", port)
	at := demo.NewClock()
	a, err := app.Open(sh.ctx, app.Config{
		Data: dir, DB: c.DB, Listen: l.Addr().String(), PublicURL: url, EvidenceOrigin: evidence,
		InstanceCode: "DEMO", InstanceName: "Tangkal Demo", Jurisdiction: "id", Demo: true,
		AllowPrefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, AllowPorts: anyPort(),
	}, at, sh.log)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := mustBeEmpty(sh.ctx, a.DB); err != nil {
		return err
	}
	in := demo.Instance{
		DB: a.DB, Feed: a.Feed, Auth: a.Auth, Report: a.Report, Casework: a.Casework, Notice: a.Notice, Duty: a.Duty, Clock: at, Log: sh.log,
	}
	cast, err := demo.Gather(sh.ctx, in)
	if err != nil {
		return err
	}
	a.Around = at.Around
	a.Prelude = func(ctx context.Context) error { return c.tell(ctx, sh, in, cast, url, evidence) }
	return a.Run(sh.ctx, l)
}

// open listens where asked, or on the usual port, or else on any.
func (c *demoCmd) open(sh *shell) (net.Listener, error) {
	if c.Listen != "" {
		return listen(sh, c.Listen)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(sh.ctx, "tcp", "127.0.0.1:8080")
	if errors.Is(err, syscall.EADDRINUSE) {
		return lc.Listen(sh.ctx, "tcp", "127.0.0.1:0")
	}
	return l, err
}

// quickest returns a directory in memory where there is one: the demonstration
// commits thousands of times and keeps nothing. "" is the usual place.
func quickest() string {
	const memory = "/dev/shm"
	probe, err := os.MkdirTemp(memory, "tangkal-probe-")
	if err != nil {
		return ""
	}
	if err := os.Remove(probe); err != nil {
		return ""
	}
	return memory
}

// anyPort lists the ports that webhooks and captures of the demonstration may
// reach on this machine.
func anyPort() []uint16 {
	ports := make([]uint16, 0, 1<<16-80)
	for p := 80; p < 1<<16; p++ {
		ports = append(ports, uint16(p)) //nolint:gosec // below 65,536
	}
	return ports
}

func mustBeEmpty(ctx context.Context, d *db.DB) error {
	n, err := db.Value[int64](ctx, d, `SELECT count(*) FROM parties`)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("the database has %d organisations already: the demonstration wants an empty one", n)
	}
	return nil
}

// welcome prints where to go.
func (c *demoCmd) welcome(sh *shell, url, evidence string, cast *demo.Cast) {
	fmt.Fprintf(sh.stdout, `
  Tangkal, the demonstration. Everything in it is invented.

  Pages      %s
  Sign in    %s/sign-in    as anybody, by one press
  API        %s/api/openapi.json
  Evidence   %s

  API keys (Authorization: Bearer …):
`, url, url, url, evidence)
	for _, k := range cast.Keys {
		fmt.Fprintf(sh.stdout, "    %-20s %s  %s\n", k.Name, k.Secret, k.Who)
	}
	fmt.Fprintln(sh.stdout)
}

// soon is after how long the addresses are printed even if what is going on is
// not all there yet.
const soon = 1500 * time.Millisecond

// tell tells the present and the ninety days while the server answers, and
// prints where to go as soon as there is something to see.
func (c *demoCmd) tell(ctx context.Context, sh *shell, in demo.Instance, cast *demo.Cast, url, evidence string) error {
	var once sync.Once
	welcome := func() { once.Do(func() { c.welcome(sh, url, evidence, cast) }) }
	timer := time.AfterFunc(soon, welcome)
	defer timer.Stop()
	start, shown := time.Now(), -1
	err := demo.Tell(ctx, in, cast, demo.Plan{Share: c.Share, Ready: welcome, Tick: func(done, all int) {
		if percent := done * 100 / all; percent/10 > shown/10 {
			shown = percent
			fmt.Fprintf(sh.stderr, "demo data: %d %%\n", percent)
		}
	}})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(sh.stderr, "demo data: complete after %.1f s\n", time.Since(start).Seconds())
	if c.PrintEnv == "" {
		return nil
	}
	return writeEnv(c.PrintEnv, cast, url, evidence)
}

// writeEnv writes the file whole or not at all: whoever waits for it reads it
// as soon as it is there.
func writeEnv(name string, cast *demo.Cast, url, evidence string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".tangkal-env-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // renamed by then, or not worth a word
	if err := errors.Join(cast.WriteEnv(f, url, evidence), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
