package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// brisk is a pace that a test can wait for.
var brisk = pace{grace: 300 * time.Millisecond, rate: 1 << 20, write: 100 * time.Millisecond}

// steady is a pace that a client keeps up with on a machine that is busy.
var steady = pace{grace: 3 * time.Second, rate: 1 << 20, write: 3 * time.Second}

// late bounds the wait for what must happen by itself.
const late = 2 * time.Minute

// served answers with h at a pace.
func served(t *testing.T, p pace, h http.HandlerFunc) (conn net.Conn) {
	t.Helper()
	s := httptest.NewServer(p.keep(h))
	t.Cleanup(s.Close)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(late)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

const promising = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nbegun"

func TestABodyThatNeverComesIsGivenUp(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	conn := served(t, brisk, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
	})
	send(t, conn, promising)
	select {
	case err := <-failed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the body ended with %v, want a deadline", err)
		}
	case <-time.After(late):
		t.Fatal("the server waits for a body that does not come")
	}
}

func TestABodyThatNobodyReadsHoldsNoConnection(t *testing.T) {
	t.Parallel()
	conn := served(t, brisk, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	send(t, conn, promising)
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection stays open behind its answer")
	}
}

func TestAnAnswerThatNobodyTakesIsGivenUp(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	conn := served(t, brisk, func(w http.ResponseWriter, _ *http.Request) {
		page := strings.Repeat("a", 1<<20)
		for {
			if _, err := io.WriteString(w, page); err != nil {
				failed <- err
				return
			}
		}
	})
	send(t, conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	select {
	case <-failed:
	case <-time.After(late):
		t.Fatal("the server waits for a client that reads nothing")
	}
}

// A client that keeps up is served, one request after the other, though the
// work after each body takes longer than the grace.
func TestASteadyClientIsServed(t *testing.T) {
	t.Parallel()
	conn := served(t, steady, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Errorf("a steady body ended with %v", err)
		}
		select {
		case <-r.Context().Done():
			t.Errorf("the work was cut short: %v", r.Context().Err())
		case <-time.After(steady.grace + steady.grace/4):
		}
		fmt.Fprintf(w, "%d\n", n)
	})
	in := bufio.NewReader(conn)
	for range 2 {
		const size = 1 << 10
		send(t, conn, fmt.Sprintf("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n", size))
		send(t, conn, strings.Repeat("a", size))
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != fmt.Sprintf("%d\n", size) {
			t.Errorf("answer %q, %v", body, err)
		}
	}
}
