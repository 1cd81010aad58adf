package logbook

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// sayAgain is after how long a warning that goes on is said again.
	sayAgain = time.Minute
	// maxSeen bounds how many different warnings are remembered.
	maxSeen = 1000
)

// Steady returns h, but a warning or error that comes again and again is
// written once a minute, with how often it came. What differs only in its error,
// its attempt or its wait is the same. Events of requests are never held back.
func Steady(h slog.Handler) slog.Handler {
	return &steady{Handler: h, said: &said{last: map[string]*repeat{}}}
}

type steady struct {
	slog.Handler
	prefix string // attributes given to the logger
	said   *said  // shared by all loggers of one family
}

type said struct {
	mu   sync.Mutex
	last map[string]*repeat // guarded by mu
}

type repeat struct {
	at   time.Time
	more int
}

// Handle writes the record, or counts it.
func (s *steady) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return s.Handler.Handle(ctx, r)
	}
	name, steady := s.name(r)
	if !steady {
		return s.Handler.Handle(ctx, r)
	}
	s.said.mu.Lock()
	last := s.said.last[name]
	if last != nil && r.Time.Sub(last.at) < sayAgain {
		last.more++
		s.said.mu.Unlock()
		return nil
	}
	if len(s.said.last) >= maxSeen {
		clear(s.said.last)
	}
	s.said.last[name] = &repeat{at: r.Time}
	s.said.mu.Unlock()
	if last != nil && last.more > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", last.more))
	}
	return s.Handler.Handle(ctx, r)
}

// name says what a record is about; the event of a request has a code and is
// about itself.
func (s *steady) name(r slog.Record) (string, bool) {
	var b strings.Builder
	b.WriteString(r.Level.String() + " " + r.Message + s.prefix)
	one := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "id":
			one = true
		case "error", "err", "again_in", "attempt", "sleep_duration":
		default:
			b.WriteString(" " + a.String())
		}
		return !one
	})
	return b.String(), !one
}

// WithAttrs keeps one memory for the whole family.
func (s *steady) WithAttrs(attrs []slog.Attr) slog.Handler {
	prefix := s.prefix
	for _, a := range attrs {
		prefix += " " + a.String()
	}
	return &steady{s.Handler.WithAttrs(attrs), prefix, s.said}
}

// WithGroup keeps one memory for the whole family.
func (s *steady) WithGroup(name string) slog.Handler {
	return &steady{s.Handler.WithGroup(name), s.prefix + " " + name, s.said}
}
