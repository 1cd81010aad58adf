package admit

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// gatherMost is how much of a body is read before its request takes a place: a
// report with a text and a few links, an answer, a form. What is larger goes on
// arriving while it is worked on.
const gatherMost = 64 << 10

// gather reads a request's body up to gatherMost, so that a slow sender holds
// no place while it sends. Whole tells that there is no more to come. Done
// gives the memory back that the class has for it; where that is used up, the
// rest of the body is left to be read later.
func (p *pool) gather(r *http.Request) (_ *http.Request, whole bool, done func()) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, true, func() {}
	}
	var held bytes.Buffer
	done = func() { p.bodies.Add(-int64(held.Cap())) }
	var last error
	for part := make([]byte, 4<<10); last == nil && held.Len() < gatherMost && p.bodies.Load() < p.Body; {
		var n int
		n, last = r.Body.Read(part)
		before := held.Cap()
		held.Write(part[:n])
		p.bodies.Add(int64(held.Cap() - before))
	}
	r = r.WithContext(r.Context())
	r.Body = &gathered{Reader: bytes.NewReader(held.Bytes()), rest: r.Body, last: last}
	return r, errors.Is(last, io.EOF), done
}

// gathered is a body of which a part has come already.
type gathered struct {
	*bytes.Reader
	rest io.ReadCloser
	last error // with which the part ended; nil where the rest is to come
}

// Read gives the part first, then what comes.
func (g *gathered) Read(b []byte) (int, error) {
	if g.Len() > 0 {
		return g.Reader.Read(b)
	}
	if g.last != nil {
		return 0, g.last
	}
	return g.rest.Read(b)
}

// WriteTo keeps bytes.Reader's own from passing over the rest.
func (g *gathered) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{g})
}

// Close closes the request's own body.
func (g *gathered) Close() error { return g.rest.Close() }
