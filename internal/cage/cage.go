// Package cage opens files from outside, pictures and workbooks, where they can do no harm: in a process
// of its own that may compute and answer, and nothing else. It has no network,
// no files, no keys; it cannot start or trace a process; its memory and its
// time are bounded; and it is gone after one file (threats T05, T06).
//
// The worker is this same program, started again with one argument (Main).
// It locks itself in before it reads a byte: no_new_privs, limits of memory and
// processor time, Landlock without any rule where the kernel has it, and a
// seccomp filter that knows the few system calls which computing needs. Then it
// tries what must not work, and says how that went. A worker whose attempts
// succeed gets no work.
package cage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/fault"
)

// An Op is a kind of job.
type Op string

// The kinds of job.
const (
	Strip Op = "strip" // a picture without what is not seen in it
	Rows  Op = "rows"  // what a workbook's cells hold
)

// mostBytes bounds the file of a job.
func (op Op) mostBytes() int64 {
	if op == Rows {
		return sheet.MaxBytes
	}
	return picture.MaxBytes
}

// tooLarge is the reason for what takes more than it may.
func (op Op) tooLarge() string {
	if op == Rows {
		return string(sheet.TooLarge)
	}
	return string(picture.TooLarge)
}

// Limits of one job (threat T06).
const (
	// wallTime is how long a worker has, from its order to its last byte.
	wallTime = 10 * time.Second
	// lastGasp ends a worker that its server no longer watches.
	lastGasp = wallTime + 2*time.Second
	// softMemory is where a worker's own collector begins to try hard.
	softMemory = 560 << 20
	// maxMemory is the resident memory at which a worker is ended.
	maxMemory = 704 << 20
	// hardMemory bounds what it may map at all: between two looks of the
	// watch it cannot take more. Go maps in steps of 64 MiB.
	hardMemory = 896 << 20
	// watchEvery is how often the watch looks.
	watchEvery = 10 * time.Millisecond
	// helloWithin is how long a worker may take to start.
	helloWithin = 10 * time.Second
)

// A Config says how many workers there are and what is done without a cage.
type Config struct {
	// Worker is the command that starts one: Self() of a program that calls
	// Main. Empty means that there are none.
	Worker []string
	// Workers is how many files are open at once. Default: one a processor.
	Workers int
	// Queue is how many more may wait. Default: 32 for each worker.
	Queue int
	// Uncaged lets the server open files itself where the system has no cage.
	// For a machine at which somebody develops; never where others report.
	Uncaged bool
	Log     *slog.Logger
}

// A Cage gives files to workers. It is safe for concurrent use.
type Cage struct {
	Config
	slots chan struct{} // one for each file that is open
	queue chan struct{} // one for each file that is open or waits

	mu     sync.Mutex
	spare  *worker        // started, locked in and idle; guarded by mu
	status Status         // of the last worker that started; guarded by mu
	closed bool           // guarded by mu
	wg     sync.WaitGroup // goroutines that start the spare

	given, refused, failed atomic.Int64
}

// A Status says how well files are caged.
type Status struct {
	Caged bool     // no file is opened outside of a cage that holds
	Known bool     // a worker has started, or cannot
	Locks []string // what holds it: landlock, seccomp, memory
	Gaps  []string // what is missing, in words
}

// String is the status in one line, as "caged: landlock+seccomp+memory".
func (s Status) String() string {
	switch {
	case !s.Known:
		return "no worker has started yet"
	case s.Caged && len(s.Gaps) == 0:
		return "caged: " + strings.Join(s.Locks, "+")
	case s.Caged:
		return "caged: " + strings.Join(s.Locks, "+") + "; missing: " + strings.Join(s.Gaps, ", ")
	default:
		return "not caged: " + strings.Join(s.Gaps, ", ")
	}
}

// New returns a cage without workers; the first starts with Warm or with the
// first file. Close ends them.
func New(c Config) *Cage {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Queue <= 0 {
		c.Queue = 32 * c.Workers
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Cage{Config: c, slots: make(chan struct{}, c.Workers), queue: make(chan struct{}, c.Workers+c.Queue)}
}

// Status returns how the last worker was locked in.
func (c *Cage) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Run keeps a worker ready until ctx ends.
func (c *Cage) Run(ctx context.Context) error {
	c.Warm(ctx)
	<-ctx.Done()
	return nil
}

// Close ends the idle worker and waits for it. Files that are open are finished
// by their callers' contexts.
func (c *Cage) Close() {
	c.mu.Lock()
	c.closed = true
	spare := c.spare
	c.spare = nil
	c.mu.Unlock()
	if spare != nil {
		spare.end()
	}
	c.wg.Wait()
}

// Warm starts a worker in advance, so that the next file need not wait for it
// and the status is known. It returns when that is done.
func (c *Cage) Warm(ctx context.Context) {
	c.mu.Lock()
	idle := c.closed || c.spare != nil || len(c.Worker) == 0
	if len(c.Worker) == 0 {
		c.status = Status{Known: true, Gaps: []string{"this program has no workers on this system"}}
	}
	c.mu.Unlock()
	if idle {
		return
	}
	w, err := c.start(ctx)
	if err != nil {
		c.Log.WarnContext(ctx, "a worker does not start", "error", err)
		return
	}
	c.mu.Lock()
	keep := !c.closed && c.spare == nil
	if keep {
		c.spare = w
	}
	c.mu.Unlock()
	if !keep {
		w.end()
	}
}

// start starts a worker and learns how it is locked in.
func (c *Cage) start(ctx context.Context) (*worker, error) {
	w, err := startWorker(ctx, c.Worker)
	s := Status{Known: true, Gaps: []string{"no worker starts"}}
	if err == nil {
		s = Status{Known: true, Locks: w.hello.Locks, Gaps: w.hello.Gaps, Caged: slices.Contains(w.hello.Locks, lockSeccomp)}
	}
	c.mu.Lock()
	c.status = s
	c.mu.Unlock()
	return w, err
}

// take returns the idle worker, or a new one.
func (c *Cage) take(ctx context.Context) (*worker, error) {
	c.mu.Lock()
	w := c.spare
	c.spare = nil
	c.mu.Unlock()
	if w != nil {
		if w.alive() {
			return w, nil
		}
		w.end()
	}
	return c.start(ctx)
}

// refill starts the next idle worker beside the work.
func (c *Cage) refill(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.spare != nil {
		return
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		c.Warm(context.WithoutCancel(ctx))
	}()
}

// Strip returns the picture in content without anything that is not seen in
// it: no place, no device, no name, no comment. It stays as it is otherwise, to
// the pixel and to the frame, and as upright as it was. size is that of content
// in bytes, as its keeper has it.
//
// A file that is no picture, or too large, damaged or of two natures is
// Invalid, with a reason of package picture. That the worker broke off, was too
// slow or took too much memory is Unavailable, as is a full queue.
func (c *Cage) Strip(ctx context.Context, size int64, content io.Reader) (picture.Picture, error) {
	p, err := c.counted(ctx, order{Op: Strip, Size: size}, content)
	if err != nil {
		return picture.Picture{}, err
	}
	return picture.Picture{Type: p.Type, Width: p.Width, Height: p.Height, Frames: p.Frames, Data: p.data}, nil
}

// Rows returns the table that the workbook in content holds. size is that of
// content in bytes.
//
// A file that is none, or too large or damaged, is Invalid, with a reason of
// package sheet. What goes wrong with the worker is as with Strip.
func (c *Cage) Rows(ctx context.Context, size int64, content io.Reader) (sheet.Table, error) {
	p, err := c.counted(ctx, order{Op: Rows, Size: size}, content)
	if err != nil {
		return sheet.Table{}, err
	}
	t, err := sheet.Decode(p.data)
	if e, ok := errors.AsType[*sheet.Error](err); ok {
		err = refused(string(e.Reason))
	}
	return t, err
}

// counted does a job and counts how it ended.
func (c *Cage) counted(ctx context.Context, o order, content io.Reader) (product, error) {
	p, err := c.do(ctx, o, content)
	switch {
	case err == nil:
		c.given.Add(1)
	case fault.Of(err) == fault.Invalid:
		c.refused.Add(1)
	default:
		c.failed.Add(1)
	}
	return p, err
}

// A Load is how busy the workers are, and what came of their files since the
// start.
type Load struct {
	Workers, Busy, Waiting int
	Given, Refused, Failed int64 // pictures and tables; files that are none; workers that broke off, or were not free
}

// Load returns how busy the workers are.
func (c *Cage) Load() Load {
	busy := len(c.slots)
	return Load{c.Workers, busy, max(0, len(c.queue)-busy), c.given.Load(), c.refused.Load(), c.failed.Load()}
}

func (c *Cage) do(ctx context.Context, o order, content io.Reader) (product, error) {
	if o.Size > o.Op.mostBytes() {
		return product{}, refused(o.Op.tooLarge())
	}
	select {
	case c.queue <- struct{}{}:
		defer func() { <-c.queue }()
	default:
		return product{}, fault.New(fault.Unavailable, "cage.busy")
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return product{}, ctx.Err()
	}
	if len(c.Worker) == 0 {
		return c.uncaged(o, content)
	}
	w, err := c.take(ctx)
	if err != nil {
		return product{}, fault.New(fault.Unavailable, "cage.absent").Because(err)
	}
	defer c.refill(ctx)
	defer w.end()
	if !slices.Contains(w.hello.Locks, lockSeccomp) && !c.Uncaged {
		return product{}, fault.New(fault.Unavailable, "cage.absent")
	}
	return w.do(ctx, o, content)
}

// uncaged does the work here, if the operator has allowed that.
func (c *Cage) uncaged(o order, content io.Reader) (product, error) {
	if !c.Uncaged {
		return product{}, fault.New(fault.Unavailable, "cage.absent")
	}
	data, err := io.ReadAll(io.LimitReader(content, o.Op.mostBytes()+1))
	if err != nil {
		return product{}, fmt.Errorf("read the file: %w", err)
	}
	if int64(len(data)) != o.Size {
		return product{}, refused(o.Op.damaged())
	}
	p, err := do(o, data)
	if err != nil {
		return product{}, refused(reasonOf(o.Op, err))
	}
	return p, nil
}

// refused is the fault for a file that a worker would not open.
func refused(reason string) error { return fault.New(fault.Invalid, reason) }
