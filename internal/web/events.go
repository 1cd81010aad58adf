package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/feed"
)

const (
	// eventsPing keeps idle connections open through proxies.
	eventsPing = 20 * time.Second
	// eventsBatch bounds one read of the feed.
	eventsBatch = 100
	// eventsBehind is how far back a browser may resume; past it the page is
	// asked to load afresh.
	eventsBehind = 1000
)

// An event is what a page is told: that something happened, and to what. The
// page asks for the rest, under its own rights.
type event struct {
	Type   string    `json:"type"`
	Object string    `json:"object"`
	ID     string    `json:"id"`
	Ref    string    `json:"ref,omitempty"`
	At     time.Time `json:"at"`
}

// events: GET /events is a Server-Sent Events stream of what the visitor's
// party may know, resumed by Last-Event-ID (HTML Standard, section 9.2) or, by a
// tab that takes over from another, by ?after=.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r.Context())
	cursor, err := s.eventCursor(r)
	if err != nil {
		return err
	}
	wake, stop := s.Feed.Sequenced().Listen()
	defer stop()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	rc := http.NewResponseController(w)
	ping := time.NewTicker(eventsPing)
	defer ping.Stop()
	if _, err := fmt.Fprintf(w, "retry: 3000\nid: %d\nevent: ping\ndata:\n\n", cursor); err != nil { //nolint:gosec // numbers and JSON, as an event stream
		return nil // the reader went away
	}
	for {
		entries, err := feed.After(ctx, s.DB, string(actor.Party), cursor, eventsBatch)
		if err != nil {
			return nil //nolint:nilerr // the stream is open: the browser comes back by itself
		}
		for _, e := range entries {
			data, err := json.Marshal(event{e.Kind, e.Object, e.ObjectID, e.Ref, e.At})
			if err != nil {
				return nil //nolint:nilerr // cannot happen for these types
			}
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", e.Seq, data); err != nil {
				return nil
			}
			cursor = e.Seq
		}
		if rc.Flush() != nil {
			return nil
		}
		if len(entries) == eventsBatch {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.Stopping:
			return nil
		case <-wake:
		case <-ping.C:
			if _, err := fmt.Fprint(w, "event: ping\ndata:\n\n"); err != nil {
				return nil
			}
		}
		// A session that ended meanwhile must not go on listening.
		if now, err := s.Sessions.Actor(ctx); err != nil || now.Person != actor.Person {
			return nil //nolint:nilerr // the next connection is told why
		}
	}
}

// eventCursor is where the stream begins: after what the browser has seen, or
// now.
func (s *Server) eventCursor(r *http.Request) (int64, error) {
	last, err := feed.Last(r.Context(), s.DB)
	if err != nil {
		return 0, err
	}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	seen, err := strconv.ParseInt(after, 10, 64)
	if err != nil || seen < 0 || seen > last || last-seen > eventsBehind {
		return last, nil //nolint:nilerr // meant: see the comment
	}
	return seen, nil
}
