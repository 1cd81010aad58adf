package api

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/logbook"
)

// begin sends what a request begins with, and never the rest of its body.
func begin(t *testing.T, url, path, headers string, promised, sent int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /api/v1%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		path, headers, promised, strings.Repeat(" ", sent))
	check(t, err)
	return conn
}

// Nothing is read for somebody who cannot do what they ask: a body that never
// comes would hold a place that others need (threat-model T03).
func TestNothingIsReadForWhoIsNobody(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	for _, headers := range []string{
		"Cookie: a=b\r\nReceipt: x\r\nIdempotency-Key: 1\r\n",
		"Receipt: x\r\nIdempotency-Key: 1\r\n",
		"Idempotency-Key: 1\r\n",
		"Authorization: Bearer made-up\r\nIdempotency-Key: 1\r\n",
	} {
		for _, path := range []string{"/notices/x/answers", "/cases/close", "/notices/x/withdraw"} {
			conn := begin(t, h.url, path, headers, 16_000_000, 70_000)
			check(t, conn.SetReadDeadline(time.Now().Add(2*time.Minute)))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("%s with %q waits for a body: %v", path, headers, err)
				continue
			}
			if res.Body.Close(); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d, want 401", path, headers, res.StatusCode)
			}
		}
	}
}

// A connection that breaks leaves no address in the log: it may be a reporter's
// (threat-model T01).
func TestABrokenConnectionLeavesNoAddress(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	var log bytes.Buffer
	h.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv := httptest.NewServer(logbook.Requests(h.Log, logbook.Options{}, h.handler()))
	paths := []string{"/receipts", "/receipts/messages", "/receipts/material", "/reports", "/people/join"}
	for _, path := range paths {
		conn := begin(t, srv.URL, path, "Receipt: x\r\nExpect: 100-continue\r\n", 1000, 10)
		said, err := bufio.NewReader(conn).ReadString('\n')
		check(t, err)
		if !strings.HasPrefix(said, "HTTP/1.1 100 ") { // the server waits for the body
			t.Errorf("%s: %q", path, said)
		}
		check(t, conn.(*net.TCPConn).SetLinger(0)) // reset, as when a telephone loses its cell
		check(t, conn.Close())
	}
	srv.Close() // once every request was answered
	for _, path := range paths {
		if event := fmt.Sprintf("method=POST route=%q status=", "POST /api/v1"+path); strings.Count(log.String(), event) != 1 {
			t.Errorf("no event tells of %s:\n%s", path, log.String())
		}
	}
	if strings.Contains(log.String(), "127.0.0.1") {
		t.Errorf("the log names who lost the connection:\n%s", log.String())
	}
}

// Huma's own deadline for a body outlives the body, and ends what takes longer
// to do than to send: no operation has one.
func TestNoOperationEndsWithItsBodysDeadline(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	for _, r := range h.routes {
		if op := h.operation(r); op.BodyReadTimeout >= 0 {
			t.Errorf("%s %s: what it does ends %v after its body began", r.method, r.path, max(op.BodyReadTimeout, 5*time.Second))
		}
	}
}
