package cage

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/cage/sheet"
)

// argument makes a program a worker, as its only one.
const argument = "cage-worker"

// A hello is the first word of a worker: what locks it in. It says what was
// tried and was denied, not what was asked for.
type hello struct {
	Locks []string `json:"locks"`
	Gaps  []string `json:"gaps,omitempty"`
}

// An order is what a worker has to do.
type order struct {
	Op   Op    `json:"op"`
	Side int   `json:"side,omitempty"` // of a thumbnail, in pixels
	Size int64 `json:"size"`           // of the file, in bytes
}

// A product is what a worker made: words about it, and its bytes.
type product struct {
	done
	data []byte
}

// A done says what a worker made. Of a table it says nothing.
type done struct {
	Type   string `json:"type"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Frames int    `json:"frames"`
}

// A refusal is why a worker made nothing.
type refusal struct {
	Reason string `json:"reason"`
}

// Main makes this process a worker and ends it, if that is what it was started
// as; else it returns at once. It is the first thing that a program calls which
// can be a worker, before it has opened anything.
func Main() {
	calls.Store(true)
	if len(os.Args) == 2 && os.Args[1] == argument {
		os.Exit(work(os.Stdin, os.Stdout, lockIn, do))
	}
}

// calls says that this program has called Main. Another, started again, would do
// all its work once more instead of one job, so it is given no workers.
var calls atomic.Bool

// Self is how this program starts itself as a worker: nil if it does not call
// Main, or has no cage on this system.
func Self() []string {
	if exe := ownImage(); exe != "" && calls.Load() {
		return []string{exe, argument}
	}
	return nil
}

// work is the whole life of a worker: lock in, say hello, one job, end. The
// server's closing of the pipe, or its death, ends it too.
func work(in io.Reader, out io.Writer, lock func() hello, do func(order, []byte) (product, error)) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // the server decides when its work ends
	debug.SetMemoryLimit(softMemory)
	time.AfterFunc(0, func() {}) // the runtime opens what its timers need, before that is denied
	<-time.After(time.Microsecond)
	if err := writeWords(out, frameHello, lock()); err != nil {
		return 1
	}
	var o order
	if err := readWords(in, frameJob, &o); err != nil {
		return 0 // nothing was to be done
	}
	time.AfterFunc(lastGasp, func() { os.Exit(1) }) // should nobody be left to end it
	data, err := readFile(in, o.Op.mostBytes())
	if err != nil {
		return 1
	}
	p, err := do(o, data)
	if err != nil {
		_ = writeWords(out, frameRefused, refusal{reasonOf(o.Op, err)}) // the server sees that nothing comes
		return 0
	}
	if writeWords(out, frameDone, p.done) != nil || writeFile(out, p.data) != nil {
		return 1
	}
	return 0
}

// do carries out an order in the process that calls it: what a worker does, and
// what the server itself does where there is no cage and the operator has
// allowed that.
func do(o order, data []byte) (product, error) {
	switch o.Op {
	case Strip:
		p, err := picture.Strip(data)
		return product{done{p.Type, p.Width, p.Height, p.Frames}, p.Data}, err
	case Rows:
		t, err := sheet.ReadWorkbook(data)
		if err != nil {
			return product{}, err
		}
		table, err := t.Encode()
		return product{data: table}, err
	default:
		return product{}, &picture.Error{Reason: picture.Unsupported}
	}
}

// reasonOf is the word for why a file was not opened.
func reasonOf(op Op, err error) string {
	if e, ok := errors.AsType[*picture.Error](err); ok {
		return string(e.Reason)
	}
	if e, ok := errors.AsType[*sheet.Error](err); ok {
		return string(e.Reason)
	}
	return op.damaged()
}

// damaged is the word for a file of no meaning, in the words of what was to be
// done with it.
func (op Op) damaged() string {
	if op == Rows {
		return string(sheet.Damaged)
	}
	return string(picture.Damaged)
}

// valid reports whether the worker's words about a picture are among those that
// it can have.
func (d done) valid(o order, limit int64, data []byte) bool {
	return int64(len(data)) <= limit && picture.IsType(d.Type) && picture.TypeOf(data) == d.Type &&
		d.Width > 0 && d.Height > 0 && d.Width <= picture.MaxPixels/d.Height && d.Frames > 0 && d.Frames <= picture.MaxFrames && o.Op == Strip
}
