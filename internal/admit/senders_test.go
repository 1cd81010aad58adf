package admit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/fault"
)

// dripping is a body of which so many bytes come at once and no more, until its
// connection's deadline.
type dripping struct {
	bytes.Reader
	cut chan struct{}
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.Len() > 0 {
		return d.Reader.Read(p)
	}
	<-d.cut
	return 0, context.DeadlineExceeded
}

func (d *dripping) Close() error { return nil }

// answer is a connection that knows deadlines.
type answer struct {
	*httptest.ResponseRecorder
	cut func()
}

func (a answer) SetReadDeadline(time.Time) error {
	a.cut()
	return nil
}

// A place that a large body holds while it hardly comes is given to who waits,
// and not before it had its time; where nobody waits, it may go on.
func TestAPlaceHeldByASlowBodyIsGivenToWhoWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int // that come at once, of which the rate falls while nothing comes: 17 s at most
		gone  bool
	}{
		{"slow", 100 << 10, true},
		{"quick enough", 32 << 10 * 18, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limits := tight()
				limits[admit.Answers] = admit.Limits{Workers: 1, Queue: 1, Wait: 12 * time.Second, Body: 1 << 20}
				g := admit.New(limits, nil)
				read := make(chan error, 1)
				h := g.Around(admit.Answers, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(io.Discard, r.Body)
					read <- err
				}))
				body := &dripping{*bytes.NewReader(make([]byte, c.bytes)), make(chan struct{})}
				w := answer{httptest.NewRecorder(), sync.OnceFunc(func() { close(body.cut) })}
				go h.ServeHTTP(w, httptest.NewRequest("POST", "/", body))
				time.Sleep(5 * time.Second) // of the bubble: the first is at work
				begun := time.Now()
				leave, err := g.Enter(t.Context(), admit.Answers)
				took := time.Since(begun)
				if !c.gone {
					if !fault.Is(err, "admit.full") {
						t.Errorf("a body that comes quickly lost its place after %v: %v", took, err)
					}
					close(body.cut)
					<-read
					return
				}
				if err != nil || took < 5*time.Second || took > 7*time.Second {
					t.Fatalf("who waits got %v after %v, want a place after 5 to 7 s", err, took)
				}
				leave()
				if err := <-read; !fault.Is(err, "admit.full") {
					t.Errorf("the slow body's reader got %v, want admit.full", err)
				}
			})
		})
	}
}

// Nobody who sends slowly is let go while there is room.
func TestASlowBodyGoesOnWhereNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admit.New(tight(), nil)
		rest, slow := io.Pipe()
		done := make(chan string, 1)
		h := g.Around(admit.Answers, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			done <- fmt.Sprint(n, err)
		}))
		go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", rest))
		for range 60 {
			if _, err := slow.Write(make([]byte, 4<<10)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second) // of the bubble
		}
		slow.Close()
		if got := <-done; got != "245760 <nil>" {
			t.Error(got)
		}
	})
}
