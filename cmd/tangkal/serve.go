package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
)

// serveCmd runs an exchange.
type serveCmd struct {
	// Named, so that kong does not take its Validate for the command's own.
	Config app.Config      `embed:""`
	File   kong.ConfigFlag `name:"config" help:"YAML file with these options, one a line." placeholder:"FILE"`
}

// Help shows by example.
func (serveCmd) Help() string {
	return `Examples:

  One machine, SQLite, behind a proxy that ends TLS:
    tangkal serve --public-url https://tangkal.example --evidence-origin https://evidence.tangkal.example

  With TLS of its own and PostgreSQL:
    tangkal serve --listen :443 --tls-cert chain.pem --tls-key key.pem --db postgres://tangkal@db/tangkal \
      --public-url https://tangkal.example --evidence-origin https://evidence.tangkal.example

  From a file, tangkal.yaml:
    listen: 127.0.0.1:8080
    public-url: https://tangkal.example
    evidence-origin: https://evidence.tangkal.example
  tangkal check-config --config tangkal.yaml && tangkal serve --config tangkal.yaml

On the first run, while nobody has an account, an address and a one-time secret are printed: whoever enters it becomes
the first administrator. Evidence is served from another host name of the same server, so that hostile material never
runs on the origin of the pages. Stop it with Ctrl+C or SIGTERM: requests in flight are finished.`
}

// Run serves until the command is told to stop.
func (c *serveCmd) Run(sh *shell) error {
	if err := c.Config.Check(); err != nil {
		return usageError{fmt.Errorf("the configuration has faults:\n%w", err)}
	}
	if err := mayWork(sh, c.Config.Data); err != nil {
		return err
	}
	l, err := listen(sh, c.Config.Listen)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // closed by the server already, or nothing was served
	a, err := app.Open(sh.ctx, c.Config, clock.System{}, sh.log)
	if err != nil {
		return err
	}
	defer a.Close()
	secret, err := a.Auth.FirstRun(sh.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(sh.stdout, "Tangkal answers on %s (%s)\n", a.Config.PublicURL, l.Addr())
	if secret != "" {
		fmt.Fprintf(sh.stdout, "Nobody has an account yet. Become the first administrator within 24 hours:\n  open    %s%s\n  secret  %s\n", a.Config.PublicURL, firstRunPath, secret)
	}
	notify(sh.ctx, "READY=1") // the listener is open: whoever comes now is answered in a moment
	told := make(chan struct{})
	running := context.AfterFunc(sh.ctx, func() {
		defer close(told)
		notify(context.WithoutCancel(sh.ctx), "STOPPING=1")
	})
	defer func() {
		if !running() {
			<-told
		}
	}()
	return a.Run(sh.ctx, l)
}

// firstRunPath is the page that asks for the first-run secret.
const firstRunPath = "/first-run"

// listen opens the address and says what to do when it is taken.
func listen(sh *shell, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(sh.ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program: stop that one, or choose another address with --listen", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s may not be opened by this user: choose a port from 1024 on with --listen", address)
	case err != nil:
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}
