// Package logbook is what an instance writes down for whoever keeps it
// running: one event for each request, and what goes wrong, without saying the
// same thing every second.
//
// An event says which route was asked and what came of it; of requests that may
// come from reporters there is none while all goes well. It holds no path, no
// query, no address and no name of a browser: a log must not tell who reported
// what (threat T18). The short code of the event is the one that error pages and
// problem details show, so that a caller can be helped over the telephone.
package logbook

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// Header carries the code of a request's event in the answer.
const Header = "Request-Id"

// event is what is known of a request in progress. It belongs to the goroutine
// that serves the request.
type event struct {
	ref   string
	route string
	class string
	cause error
}

type key struct{}

func of(ctx context.Context) *event {
	e, _ := ctx.Value(key{}).(*event)
	return e
}

// Options say how Requests logs.
type Options struct {
	// Level is that of events about which there is nothing to do.
	Level slog.Level
	// Watch is told of each request, in this order.
	Watch []Watch
	// Private, if set, says which requests may come from reporters. Of them only
	// what went wrong is logged, without the size of the answer and how long it
	// took: when somebody reported, or looked, stands nowhere (threat-model T01).
	Private func(*http.Request) bool
}

// A Served is what is told of a request that was answered: nothing of it comes
// from its sender but what the program itself has names for.
type Served struct {
	Ref    string        // the code of its event
	Route  string        // pattern of the mux, "" where none fits
	Class  string        // whose places it took, "" where none are kept
	Status int           // of the answer; 500 after a panic
	Took   time.Duration // until the handler returned
	Left   bool          // its sender did not wait for the answer
}

// A Watch sees a request begin, and whether it may come from a reporter. It
// returns the context to serve it in, and what is called once it was answered.
type Watch func(ctx context.Context, private bool) (context.Context, func(Served))

// Requests logs one event for each request that next has answered. A panic in
// next is logged with its stack, and the connection is closed.
func Requests(log *slog.Logger, o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &event{ref: newRef()}
		private := o.Private != nil && o.Private(r)
		ctx, served := o.begin(context.WithValue(r.Context(), key{}, e), private)
		begun := time.Now() //nolint:forbidigo // a duration of the machine
		rec := &recorder{ResponseWriter: w}
		w.Header().Set(Header, e.ref)
		defer func() {
			took := time.Since(begun)
			p := recover()
			if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
				log.ErrorContext(ctx, "a handler panicked", "id", e.ref, "route", e.route, "panic", p, "stack", string(debug.Stack()))
				rec.status = http.StatusInternalServerError
			}
			served(Served{e.ref, e.route, e.class, rec.code(), took, ctx.Err() != nil})
			level := o.level(e, rec.code(), ctx.Err() != nil)
			switch {
			case !private:
				log.LogAttrs(ctx, level, "request", append(e.attrs(r.Method, rec), rec.size(took)...)...)
			case level > o.Level:
				log.LogAttrs(ctx, level, "request", e.attrs(r.Method, rec)...)
			}
			if p != nil {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(rec, r.WithContext(ctx))
	})
}

// begin lets everybody who watches see a request begin.
func (o Options) begin(ctx context.Context, private bool) (context.Context, func(Served)) {
	done := make([]func(Served), len(o.Watch))
	for i, w := range o.Watch {
		ctx, done[i] = w(ctx, private)
	}
	return ctx, func(s Served) {
		for _, f := range done {
			f(s)
		}
	}
}

// level tells what the operator has to look at from what works as it should:
// a refused request is the caller's matter.
func (o Options) level(e *event, status int, left bool) slog.Level {
	switch {
	case e.cause != nil && fault.Of(e.cause) == fault.Unavailable:
		return slog.LevelWarn
	case e.cause != nil:
		return slog.LevelError
	case left: // nobody reads the answer, and the work was stopped
		return o.Level
	case status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable:
		return slog.LevelError
	case strings.HasSuffix(e.route, "/livez"), strings.HasSuffix(e.route, "/readyz"), strings.Contains(e.route, "/static/"):
		return slog.LevelDebug
	default:
		return o.Level
	}
}

func (e *event) attrs(method string, rec *recorder) []slog.Attr {
	out := []slog.Attr{
		slog.String("id", e.ref), slog.String("method", method), slog.String("route", e.route), slog.Int("status", rec.code()),
	}
	if e.cause != nil {
		out = append(out, slog.String("error", Anonymous(e.cause).Error()))
	}
	return out
}

// Routed tells a request's event which pattern of the mux served it.
func Routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		if e := of(r.Context()); e != nil {
			e.route = pattern
		}
		mux.ServeHTTP(w, r)
	})
}

// Classed tells a request's event whose places it takes.
func Classed(class string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e := of(r.Context()); e != nil {
			e.class = class
		}
		next.ServeHTTP(w, r)
	})
}

// Ref returns the code of the request that ctx belongs to, or a new one outside
// of Requests.
func Ref(ctx context.Context) string {
	if e := of(ctx); e != nil {
		return e.ref
	}
	return newRef()
}

// Failed notes why a request was answered with an error that is ours to look
// at, and returns the code to give to the caller. A caller who left is no
// error. Outside of Requests it logs at once.
func Failed(ctx context.Context, log *slog.Logger, err error) string {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return Ref(ctx)
	}
	if e := of(ctx); e != nil {
		e.cause = err
		return e.ref
	}
	ref := newRef()
	log.ErrorContext(ctx, "request", "id", ref, "error", Anonymous(err))
	return ref
}

// Anonymous returns an error that says what err says without the addresses of a
// connection that broke: one of them is a caller's, who may be a reporter
// (threat-model T01).
func Anonymous(err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Source == nil && op.Addr == nil {
		return err
	}
	bare := *op
	bare.Source, bare.Addr = nil, nil
	return errors.New(strings.ReplaceAll(err.Error(), op.Error(), bare.Error()))
}

const refAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newRef returns a short code that a caller can read to us over the telephone:
// 40 random bits, unique enough to find one line in a log.
func newRef() string {
	b := make([]byte, 8)
	rand.Read(b) //nolint:errcheck // never fails (crypto/rand)
	for i := range b {
		b[i] = refAlphabet[b[i]&31]
	}
	return string(b)
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader remembers the first final status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts what is sent.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// size says how much was answered, and how soon.
func (r *recorder) size(took time.Duration) []slog.Attr {
	return []slog.Attr{slog.Int64("bytes", r.bytes), slog.Float64("took_ms", float64(took.Microseconds())/1000)}
}

// Unwrap lets http.ResponseController reach what is beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
