package cage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// A worker is one process, from its start to its end.
type worker struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	says  tail // what it wrote to its standard error
	hello hello

	end    func()
	exited chan struct{} // closed when the process is gone
	cause  atomic.Pointer[fault.Error]
}

// startWorker starts a process and waits for its first word.
func startWorker(ctx context.Context, command []string) (*worker, error) {
	w := &worker{exited: make(chan struct{})}
	w.cmd = exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // our own program; its life is the pool's, not the request's
	// One processor, no trace of the stack, and nothing of the server's
	// environment, which may hold the database's password.
	w.cmd.Env = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	w.cmd.Dir = "/"
	w.cmd.Stderr = &w.says
	var err1, err2 error
	w.in, err1 = w.cmd.StdinPipe()
	w.out, err2 = w.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	w.end = sync.OnceFunc(func() {
		_ = w.cmd.Process.Kill() // it may have ended by itself
		_ = w.cmd.Wait()         // how it ended is told by what it answered
		close(w.exited)
	})
	stop := time.AfterFunc(helloWithin, func() { _ = w.cmd.Process.Kill() })
	stopped := context.AfterFunc(ctx, func() { _ = w.cmd.Process.Kill() })
	err := readWords(w.out, frameHello, &w.hello)
	stop.Stop()
	stopped()
	if err != nil {
		w.end()
		return nil, fmt.Errorf("no word from a worker: %w %s", err, w.says.line())
	}
	return w, nil
}

// alive reports whether an idle worker has not died meanwhile.
func (w *worker) alive() bool { return residentBytes(w.cmd.Process.Pid) != 0 }

// kill ends the process for a reason, the first of which counts.
func (w *worker) kill(f *fault.Error) {
	w.cause.CompareAndSwap(nil, f)
	_ = w.cmd.Process.Kill() // it may have ended by itself
}

// do gives the worker its one job.
func (w *worker) do(ctx context.Context, o order, content io.Reader) (product, error) {
	timer := time.AfterFunc(wallTime, func() { w.kill(fault.New(fault.Unavailable, "cage.slow")) })
	defer timer.Stop()
	defer context.AfterFunc(ctx, func() { _ = w.cmd.Process.Kill() })()
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { w.watch(o.Op, over) })
	p, err := w.exchange(o, content)
	close(over)
	watch.Wait()
	switch _, told := fault.As(err); {
	case err == nil:
		return p, nil
	case ctx.Err() != nil:
		return product{}, ctx.Err()
	case w.cause.Load() != nil:
		return product{}, w.cause.Load()
	case told || errors.As(err, new(*sourceError)):
		return product{}, err
	default:
		w.end() // so that its last words are complete
		return product{}, fault.New(fault.Unavailable, "cage.died").Because(fmt.Errorf("%w %s", err, w.says.line()))
	}
}

// watch ends the worker when its memory grows beyond its share.
func (w *worker) watch(op Op, over <-chan struct{}) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
			if residentBytes(w.cmd.Process.Pid) > maxMemory {
				w.kill(fault.New(fault.Invalid, op.tooLarge()))
				return
			}
		}
	}
}

// A sourceError is that the file could not be read where it is kept.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// exchange sends the order and the file and takes the answer.
func (w *worker) exchange(o order, content io.Reader) (product, error) {
	if err := writeWords(w.in, frameJob, o); err != nil {
		return product{}, err
	}
	if err := w.send(o.Size, content); err != nil {
		return product{}, err
	}
	kind, body, err := readFrame(w.out, nil, maxWords)
	if err != nil {
		return product{}, err
	}
	if kind == frameRefused {
		return product{}, readRefusal(body)
	}
	return w.receive(o, kind, body)
}

// send copies exactly size bytes of content to the worker.
func (w *worker) send(size int64, content io.Reader) error {
	buf := make([]byte, maxPiece)
	for sent := int64(0); ; {
		n, err := io.ReadFull(content, buf)
		if n > 0 {
			if sent += int64(n); sent > size {
				return &sourceError{errors.New("the file is longer than its keeper says")}
			}
			if err := writeFrame(w.in, frameData, buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return &sourceError{fmt.Errorf("read the file: %w", err)}
		case sent != size:
			return &sourceError{errors.New("the file is shorter than its keeper says")}
		default:
			return writeFrame(w.in, frameEnd, nil)
		}
	}
}
