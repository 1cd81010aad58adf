package admit

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// hurryAfter is how long a body at work may take, however slowly it comes.
	hurryAfter = 10 * time.Second
	// hurryRate is how many bytes a second a body keeps up that is then left in
	// peace though others wait: what a telephone at the edge of a cell sends.
	hurryRate = 32 << 10
	// hurryEvery is how often whoever waits looks for a place held by a slow body.
	hurryEvery = time.Second
)

// senders are the requests of a class that are at work while their bodies still
// come.
type senders struct {
	mu  sync.Mutex
	all map[*sender]struct{}
}

// sender is a body that is read at work.
type sender struct {
	io.ReadCloser
	full  func() error // what its reader is told then
	rc    *http.ResponseController
	began time.Time
	bytes atomic.Int64
	gone  atomic.Bool // its place is wanted
	ended atomic.Bool // there is no more to come
}

// add counts the request's body among those that still come, until done.
func (s *senders) add(w http.ResponseWriter, r *http.Request, full func() error) (done func()) {
	one := &sender{ReadCloser: r.Body, full: full, rc: http.NewResponseController(w), began: time.Now()} //nolint:forbidigo // how fast bytes come is the machine's time
	r.Body = one
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*sender]struct{}{}
	}
	s.all[one] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, one)
	}
}

// hurry lets go of the body that comes slowest, if it has had its time and comes
// more slowly than any must where others wait. Its reader gets the fault
// "admit.full".
func (s *senders) hurry() {
	now := time.Now() //nolint:forbidigo // see add
	s.mu.Lock()
	defer s.mu.Unlock()
	var slowest *sender
	least := float64(hurryRate)
	for one := range s.all {
		age := now.Sub(one.began)
		if age < hurryAfter || one.ended.Load() {
			continue
		}
		if one.gone.Load() { // it set a deadline of its own in that moment
			_ = one.rc.SetReadDeadline(now)
			continue
		}
		if rate := float64(one.bytes.Load()) / age.Seconds(); rate < least {
			slowest, least = one, rate
		}
	}
	if slowest != nil {
		slowest.gone.Store(true)
		_ = slowest.rc.SetReadDeadline(now) // a connection that knows none fails with its next byte
	}
}

// Read reads on, while nobody else wants the place.
func (s *sender) Read(p []byte) (int, error) {
	if s.gone.Load() {
		return 0, s.full()
	}
	n, err := s.ReadCloser.Read(p)
	s.bytes.Add(int64(n))
	if err != nil {
		s.ended.Store(true)
		if s.gone.Load() && !errors.Is(err, io.EOF) {
			err = s.full()
		}
	}
	return n, err
}
