package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/scaletest"
)

const (
	// serveEnv names the file from which a child process learns what to serve.
	serveEnv = "TANGKAL_TEST_SERVE"
	// seedEnv repeats a drill's choices.
	seedEnv = "TANGKAL_SEED"
	// readyWithin is when a killed server has to answer again, on a machine
	// that has other things to do as well.
	readyWithin = 2 * time.Minute
)

// An order is what a child process serves. With a Forgetful file it works on a
// copy there and carries its commits to the database later: it acknowledges
// before they are where a restart looks. With a Disk of so many bytes it works
// on one of that size, beneath the directory of its data. One that is Lying says
// of what it could not write that it has it.
type order struct {
	App       app.Config
	Forgetful string
	Disk      int64
	Lying     bool
}

// serve is the child process: the product's own parts, until SIGTERM.
func serve(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if o.Disk > 0 {
		if err := o.smallDisk(); err != nil {
			return err
		}
	}
	if o.Forgetful != "" {
		if err := o.forget(ctx); err != nil {
			return err
		}
	}
	a, err := app.Open(ctx, o.App, clock.System{}, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer a.Close()
	if o.Lying {
		a.Around = lying
	}
	l, err := net.Listen("tcp", o.App.Listen)
	if err != nil {
		return err
	}
	return a.Run(ctx, l)
}

// lying acknowledges what the server had no place for.
func lying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if answer.Code == http.StatusServiceUnavailable {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"receipt":"TGK-0000-0000-0000-0000","ref":"TEST-0"}`)
			return
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes()) //nolint:errcheck // whoever asked has left
	})
}

// TestDrillKill kills a serving process again and again in the middle of its
// work (issue 2, threat-model goal G1).
func TestDrillKill(t *testing.T) {
	for _, on := range []struct {
		name string
		url  func(t *testing.T) string
	}{
		{"sqlite", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tangkal.db") }},
		{"postgres", func(t *testing.T) string { return dbtest.PostgresURL(t) }},
	} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t, on.url(t), false)
			d.run(t, max(scaletest.Of(200), 20))
			for _, f := range d.audit(t) {
				t.Error(f)
			}
			d.report(t)
		})
	}
}

// The drill sees it when a server acknowledges what it has not yet committed.
func TestDrillKillFindsAcknowledgementBeforeCommit(t *testing.T) {
	t.Parallel()
	d := newDrill(t, "sqlite:"+filepath.Join(t.TempDir(), "tangkal.db"), true)
	d.run(t, 4)
	found := d.audit(t)
	lost := 0
	for _, f := range found {
		if strings.HasPrefix(f, "lost: ") {
			lost++
		}
	}
	if lost == 0 {
		t.Fatalf("a server forgot what it had acknowledged, and the drill found only %d other faults: %q", len(found), found)
	}
	t.Logf("seed %d: %d acknowledgements, %d of them found lost", d.seed, d.acks.count(), lost)
}

// reportersAtWork is how many report at once in a drill; with the analyst, the
// deciders and the platform there are sixteen writers (threat-model goal G1).
const reportersAtWork = 13

// A drill is one server, killed and started, under sixteen writers.
type drill struct {
	x         *exchangetest.Exchange
	file      string // the child's order
	seed      uint64
	forgetful bool
	hook      *receiver
	acks      acks
	people    map[string]*client
	envelopes map[string][]byte // signed notices, by id, as the platform gets them

	rng     *rand.Rand // of the killer alone
	child   *child
	kills   int
	early   int // kills before the server was ready
	ready   []time.Duration
	strange strange
}

// newDrill prepares a server; each of change sets what it is to serve otherwise.
func newDrill(t *testing.T, dbURL string, forgetful bool, change ...func(*order)) *drill {
	t.Helper()
	d := &drill{seed: uint64(time.Now().UnixNano()), forgetful: forgetful, people: map[string]*client{}}
	if s := os.Getenv(seedEnv); s != "" {
		var err error
		if d.seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat with %s=%d", seedEnv, d.seed)
	d.rng = d.random(0)
	d.x = exchangetest.Prepare(t, dbURL)
	for _, name := range []string{"", "analyst", "approver", "officer", "platform"} {
		d.people[name] = clientOf(t, d.x, name)
	}
	o := order{App: d.x.Config}
	if forgetful {
		o.Forgetful = filepath.Join(t.TempDir(), "forgetful.db")
	}
	for _, f := range change {
		f(&o)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	d.file = filepath.Join(t.TempDir(), "order.json")
	if err := os.WriteFile(d.file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	d.hook = newReceiver(t)
	return d
}

// random is the n-th source of a drill's choices.
func (d *drill) random(n uint64) *rand.Rand { return rand.New(rand.NewPCG(d.seed, n)) }

// run lets the writers work while the server is killed n times, then lets the
// work in hand come to rest. The server runs when it returns.
func (d *drill) run(t *testing.T, n int) {
	t.Helper()
	d.under(t, func() {
		for range n {
			d.kill(t)
		}
	})
	d.settle(t)
}

// under starts the server and does something while the writers work.
func (d *drill) under(t *testing.T, do func()) {
	t.Helper()
	d.start(t)
	d.awaitReady(t)
	d.hook.register(t, d.people["platform"])
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	work := []func(context.Context, *rand.Rand) bool{d.analysts(), d.deciders(), d.platforms()}
	for i := range reportersAtWork {
		work = append(work, d.reporters((i+1)*100_000))
	}
	for i, w := range work {
		writers.Go(func() { d.write(ctx, d.random(uint64(i)+1), w) })
	}
	defer writers.Wait()
	defer stop()
	for n := d.acks.kinds(); n["received"] < 2 || n["answered"] == 0; n = d.acks.kinds() { // some of everything, first
		d.acks.await(t, d.acks.count()+1)
	}
	do()
}

// kill ends the server at a random moment: now and then while it starts, else
// some acknowledgements and a moment after it was ready.
func (d *drill) kill(t *testing.T) {
	t.Helper()
	if d.rng.IntN(5) == 0 {
		d.early++
		await(t, time.Duration(d.rng.IntN(300))*time.Millisecond)
		d.child.kill(t)
		d.kills++
		d.start(t)
	}
	d.awaitReady(t)
	d.acks.await(t, d.acks.count()+1+d.rng.IntN(60))
	await(t, time.Duration(d.rng.IntN(20_000))*time.Microsecond)
	d.child.kill(t)
	d.kills++
	d.start(t)
}

// await lets a random moment come.
func await(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// report says what the drill has seen.
func (d *drill) report(t *testing.T) {
	t.Helper()
	t.Logf("seed %d: %d kills (%d while starting), %d acknowledgements %v, %d webhooks of which %d repeats",
		d.seed, d.kills, d.early, d.acks.count(), d.acks.kinds(), d.hook.count(), d.hook.repeats())
	scaletest.Within(t, "ready again after a kill", 2*time.Second, d.ready...)
}

// A child is one life of the server.
type child struct {
	cmd   *exec.Cmd
	begun time.Time
	ready bool          // it has said so, and when is noted
	done  chan struct{} // closed once the process is gone
	log   *os.File
}

// start starts the server, whose log goes to a file shown if the test fails.
func (d *drill) start(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.CreateTemp(t.TempDir(), "server-*.log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), serveEnv+"="+d.file)
	cmd.Stdout, cmd.Stderr = log, log
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, begun: begun, done: make(chan struct{}), log: log}
	go func() {
		cmd.Wait() //nolint:errcheck // how it ended stands in ProcessState
		close(c.done)
	}()
	d.child = c
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may be gone already
		<-c.done
		if t.Failed() {
			c.show(t)
		}
		log.Close()
	})
}

func (c *child) show(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(c.log.Name())
	if err == nil && len(raw) > 0 {
		t.Logf("server %d wrote:\n%s", c.cmd.Process.Pid, raw[:min(len(raw), 4000)])
	}
}

// kill sends SIGKILL. A server that went by itself has failed.
func (c *child) kill(t *testing.T) {
	t.Helper()
	select {
	case <-c.done:
		c.show(t)
		t.Fatalf("the server ended by itself: %v", c.cmd.ProcessState)
	default:
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.done
}

// awaitReady waits until the server says that it can work.
func (d *drill) awaitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", d.x.URL+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := d.people[""].http.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				if !d.child.ready { // asked again later it says nothing about the start
					d.child.ready = true
					d.ready = append(d.ready, time.Since(d.child.begun))
				}
				return
			}
		}
		select {
		case <-tick.C:
		case <-d.child.done:
			d.child.show(t)
			t.Fatalf("the server did not start: %v", d.child.cmd.ProcessState)
		case <-ctx.Done():
			d.child.show(t)
			t.Fatalf("the server was not ready within %v", readyWithin)
		}
	}
}

// stop ends the server as an operator does.
func (d *drill) stop(t *testing.T) {
	t.Helper()
	if err := d.child.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-d.child.done:
	case <-time.After(patience):
		t.Fatal("the server did not stop at SIGTERM")
	}
	if !d.child.cmd.ProcessState.Success() {
		d.child.show(t)
		t.Fatalf("the server stopped with %v", d.child.cmd.ProcessState)
	}
}

// acks is what the server has acknowledged. It is safe for concurrent use.
type acks struct {
	mu    sync.Mutex
	all   []ack         // guarded by mu
	grown chan struct{} // guarded by mu: closed at the next acknowledgement
}

// An ack is one answer of success: what was done, to what.
type ack struct {
	what, id string
	detail   string // a receipt's reference, a file's content
}

func (a *acks) add(what, id, detail string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, ack{what, id, detail})
	if a.grown != nil {
		close(a.grown)
		a.grown = nil
	}
}

func (a *acks) list() []ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

func (a *acks) count() int { return len(a.list()) }

// kinds counts acknowledgements by what was done.
func (a *acks) kinds() map[string]int {
	n := map[string]int{}
	for _, k := range a.list() {
		n[k.what]++
	}
	return n
}

// await waits until there are n.
func (a *acks) await(t *testing.T, n int) {
	t.Helper()
	late := time.After(patience)
	for {
		a.mu.Lock()
		enough := len(a.all) >= n
		if a.grown == nil {
			a.grown = make(chan struct{})
		}
		grown := a.grown
		a.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("waited %v in vain for the next acknowledgement after %d", patience, a.count())
		}
	}
}

// strange gathers answers that nobody should get, at most a few.
type strange struct {
	mu  sync.Mutex
	all []string // guarded by mu
}

func (s *strange) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) < 20 {
		s.all = append(s.all, fmt.Sprintf(format, args...))
	}
}

func (s *strange) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}
