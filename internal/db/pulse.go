package db

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// pulseEvery is how often PostgreSQL is asked whether it still answers, on a
	// connection of its own, and returnEvery how often once it did not.
	pulseEvery, returnEvery = time.Second, 200 * time.Millisecond
	// SilentAfter is how long a PostgreSQL may say nothing before every call that
	// waits for it is answered with an Unavailable fault.
	SilentAfter = 8 * time.Second
	// returnWithin bounds one attempt to reach a server that was silent.
	returnWithin = 2 * time.Second
)

// errSilent is why connections are cut, and none is made.
var errSilent = errors.New("PostgreSQL does not answer")

// A pulse knows whether PostgreSQL answers. A server that is frozen, or behind a
// network that swallows, breaks no connection: whoever waits for it would wait
// for as long as the system's TCP does, and every place of every class would fill
// with them. So it is asked all the time. While it is silent, the connections of
// the pool are cut and no new one is tried; what is in flight ends as it does when
// the server is gone. A statement that only takes long is left alone.
type pulse struct {
	cfg  *pgx.ConnConfig
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	conns  map[net.Conn]bool // of the pool; guarded by mu
	silent bool              // guarded by mu
}

// newPulse returns a pulse for the server of cfg, whose connections it watches
// from then on. It beats after start.
func newPulse(cfg *pgx.ConnConfig) *pulse {
	p := &pulse{cfg: cfg.Copy(), conns: map[net.Conn]bool{}, done: make(chan struct{})}
	p.cfg.RuntimeParams["application_name"] = "tangkal pulse"
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if p.isSilent() {
			return nil, errSilent
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return p.watch(c)
	}
	return p
}

// start beats until close.
func (p *pulse) start() {
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go func() {
		defer close(p.done)
		p.run(ctx)
	}()
}

// close ends the beat, if it began.
func (p *pulse) close() {
	if p.stop != nil {
		p.stop()
		<-p.done
	}
}

func (p *pulse) run(ctx context.Context) {
	var conn *pgx.Conn
	for {
		within, pause := SilentAfter, pulseEvery
		if p.isSilent() {
			within, pause = returnWithin, returnEvery
		}
		var err error
		if conn, err = p.beat(ctx, conn, within); ctx.Err() == nil {
			p.set(err != nil)
		}
		select {
		case <-ctx.Done():
			if conn != nil {
				p.hangUp(conn)
			}
			return
		case <-time.After(pause):
		}
	}
}

// beat asks the server, over conn or a new connection, until it has answered or
// the time is over. It returns the connection to ask over next.
func (p *pulse) beat(ctx context.Context, conn *pgx.Conn, within time.Duration) (_ *pgx.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		if conn == nil {
			if conn, err = pgx.ConnectConfig(ctx, p.cfg); err != nil && answered(err) {
				return nil, nil // full, or shutting down: not silent
			}
		}
		if err == nil {
			if err = conn.Ping(ctx); answered(err) {
				return conn, nil
			}
		}
		if conn != nil {
			p.hangUp(conn)
			conn = nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errSilent, err)
		case <-time.After(returnEvery):
			err = nil
		}
	}
}

// answered reports whether the server said anything, be it no.
func answered(err error) bool {
	_, said := errors.AsType[*pgconn.PgError](err)
	return said || err == nil
}

func (p *pulse) hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), returnEvery)
	defer cancel()
	conn.Close(ctx) //nolint:errcheck // it only asked
}

func (p *pulse) isSilent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent
}

// set notes whether the server is silent, and cuts every connection if it is.
func (p *pulse) set(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
	if !silent {
		return
	}
	for c := range p.conns {
		c.Close() //nolint:errcheck // nobody is at its other end
	}
	clear(p.conns)
}

// watch returns a connection that is cut when the server falls silent.
func (p *pulse) watch(c net.Conn) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent { // since it was dialled
		return nil, errors.Join(errSilent, c.Close())
	}
	p.conns[c] = true
	return &pulsed{c, p}, nil
}

type pulsed struct {
	net.Conn
	pulse *pulse
}

// Close closes the connection, and it is watched no longer.
func (c *pulsed) Close() error {
	c.pulse.mu.Lock()
	delete(c.pulse.conns, c.Conn)
	c.pulse.mu.Unlock()
	return c.Conn.Close()
}
