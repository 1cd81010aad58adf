package app

import (
	"cmp"
	"io"
	"net/http"
	"time"
)

// A pace is how slow a client may be. Whoever sends or reads more slowly than
// any telephone does holds a connection and its memory for nothing, and is let
// go (threat-model T03).
type pace struct {
	grace time.Duration // for the first bytes of a body, and for what is left of it after the answer; and the longest that nothing may come
	rate  int64         // bytes a second that a body must then keep up on average
	write time.Duration // for one write of an answer to be taken
}

// patient is the pace of a bad mobile connection.
var patient = pace{grace: 30 * time.Second, rate: 2 << 10, write: 30 * time.Second}

// pace is how slow a client may be here.
func (c Config) pace() pace {
	p := patient
	p.grace = cmp.Or(c.SlowFor, p.grace)
	return p
}

// keep holds every request to the pace. Event streams live on: each of their
// writes has its own time, and they read nothing.
func (p pace) keep(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		// Nothing is to be done where a connection knows no deadlines: those of
		// net/http do, HTTP/2 streams too.
		until := func(d time.Duration) time.Time { return time.Now().Add(d) } //nolint:forbidigo // deadlines of connections are the machine's
		body := &pacedBody{ReadCloser: r.Body, pace: p, rc: rc, end: until(p.grace)}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = body
			defer func() {
				if !body.done {
					_ = rc.SetReadDeadline(until(p.grace)) // net/http reads what is left of it
				}
			}()
		}
		defer func() { _ = rc.SetWriteDeadline(until(p.write)) }() // for what is still buffered
		next.ServeHTTP(&pacedWriter{w, p, rc}, r)
	})
}

// pacedBody moves the deadline as its bytes come.
type pacedBody struct {
	io.ReadCloser
	pace pace
	rc   *http.ResponseController
	end  time.Time // when the next byte must be here
	done bool      // read to its end, or broken
}

// Read reads on, and fails with os.ErrDeadlineExceeded when it takes too long.
// At the end of a body net/http takes the deadline away itself, to watch the
// connection.
func (b *pacedBody) Read(p []byte) (int, error) {
	if !b.done {
		_ = b.rc.SetReadDeadline(b.end)
	}
	n, err := b.ReadCloser.Read(p)
	b.end = b.end.Add(time.Duration(n) * time.Second / time.Duration(b.pace.rate))
	if most := time.Now().Add(b.pace.grace); b.end.After(most) { //nolint:forbidigo // see keep
		b.end = most // whoever sent much cannot be silent for hours
	}
	b.done = b.done || err != nil
	return n, err
}

// pacedWriter gives each write its time.
type pacedWriter struct {
	http.ResponseWriter
	pace pace
	rc   *http.ResponseController
}

// Write writes on, and fails when the client does not take it.
func (w *pacedWriter) Write(p []byte) (int, error) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(w.pace.write)) //nolint:forbidigo // see above
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is underneath.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
