package feed

import "sync"

// A Signal wakes whoever listens. It carries nothing and coalesces: a listener
// that is busy finds at most one wake-up waiting. The zero value is ready.
type Signal struct {
	mu        sync.Mutex
	listeners map[chan struct{}]bool // guarded by mu
}

// Wake wakes every listener without waiting for any.
func (s *Signal) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.listeners {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Listen returns a channel that receives wake-ups until stop is called.
func (s *Signal) Listen() (wake <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		s.listeners = make(map[chan struct{}]bool)
	}
	s.listeners[c] = true
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, c)
	}
}
