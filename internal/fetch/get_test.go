package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

func TestGetRecordsEveryHop(t *testing.T) {
	t.Parallel()
	server, c := serve(t, true, Config{UserAgent: "Tangkal-Test/1"}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from" {
			http.Redirect(w, r, "/to?x=1", http.StatusMovedPermanently)
			return
		}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, r.UserAgent(), " ", r.Referer(), len(r.Cookies()))
	})
	chain, err := c.Get(t.Context(), server.URL+"/from#fragment")
	if err != nil || len(chain) != 2 {
		t.Fatalf("%d hops, error %v", len(chain), err)
	}
	first, last := chain[0], chain[1]
	if first.URL != server.URL+"/from" || first.Status != 301 || last.URL != server.URL+"/to?x=1" || last.Status != 418 {
		t.Errorf("hops %s %d, %s %d", first.URL, first.Status, last.URL, last.Status)
	}
	if string(last.Body) != "Tangkal-Test/1 0" {
		t.Errorf("the server saw %q", last.Body)
	}
	if last.Remote != "127.0.0.1" || last.TLSVersion != "TLS 1.3" || len(last.Certificate) != 64 || last.At.IsZero() {
		t.Errorf("of the connection: %q %q %q %v", last.Remote, last.TLSVersion, last.Certificate, last.At)
	}
	if !bytes.HasPrefix(last.rawRequest, []byte("GET /to?x=1 HTTP/1.1\r\n")) ||
		!bytes.HasPrefix(last.rawResponse, []byte("HTTP/1.1 418 I'm a teapot\r\n")) {
		t.Errorf("recorded %q and %q", last.rawRequest, last.rawResponse)
	}
}

func TestRedirectsEndAfterFive(t *testing.T) {
	t.Parallel()
	server, c := serve(t, true, Config{}, func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		if n > 0 {
			http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusFound)
		}
	})
	if chain, err := c.Get(t.Context(), server.URL+"/5"); err != nil || len(chain) != 6 {
		t.Errorf("five redirects: %d hops, %v", len(chain), err)
	}
	if chain, err := c.Get(t.Context(), server.URL+"/6"); !fault.Is(err, "fetch.redirects") || len(chain) != 6 {
		t.Errorf("six redirects: %d hops, %v", len(chain), err)
	}
}

// endless writes until the client goes.
func endless(w io.Writer) {
	block := bytes.Repeat([]byte("a"), 32<<10)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func hijack(t *testing.T, w http.ResponseWriter, talk func(io.Writer)) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	talk(conn)
}

func TestBombsAreCutAtTheirLimit(t *testing.T) {
	t.Parallel()
	bombs := map[string]struct {
		code string
		h    http.HandlerFunc
	}{
		"endless body": {"fetch.too-large", func(w http.ResponseWriter, _ *http.Request) { endless(w) }},
		"declared length": {"fetch.too-large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000000")
			w.WriteHeader(http.StatusOK)
		}},
		"chunk overhead": {"fetch.too-large", func(w http.ResponseWriter, _ *http.Request) {
			hijack(t, w, func(conn io.Writer) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				one := strings.Repeat("1;"+strings.Repeat("x", 10)+"\r\na\r\n", 50)
				for {
					if _, err := io.WriteString(conn, one); err != nil {
						return
					}
				}
			})
		}},
		"endless header": {"fetch.unreachable", func(w http.ResponseWriter, _ *http.Request) {
			hijack(t, w, func(conn io.Writer) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: ")
				endless(conn)
			})
		}},
		"no HTTP": {"fetch.unreachable", func(w http.ResponseWriter, _ *http.Request) { hijack(t, w, endless) }},
		"cut body": {"fetch.unreachable", func(w http.ResponseWriter, _ *http.Request) {
			hijack(t, w, func(conn io.Writer) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			})
		}},
	}
	for name, bomb := range bombs {
		server, c := serve(t, false, Config{MaxBytes: 100_000, Timeout: 20 * time.Second}, bomb.h)
		if _, err := c.Get(t.Context(), server.URL); !fault.Is(err, bomb.code) {
			t.Errorf("%s: %v, want %s", name, err, bomb.code)
		}
	}
}

func TestExactlyTheLimitIsWhole(t *testing.T) {
	t.Parallel()
	server, c := serve(t, false, Config{MaxBytes: 100_000}, func(w http.ResponseWriter, r *http.Request) {
		n := 100_000
		if r.URL.Path == "/more" {
			n++
		}
		w.(http.Flusher).Flush() // no Content-Length
		_, _ = w.Write(make([]byte, n))
	})
	if chain, err := c.Get(t.Context(), server.URL); err != nil || len(chain[0].Body) != 100_000 {
		t.Errorf("the limit: %v", err)
	}
	_, err := c.Get(t.Context(), server.URL+"/more")
	if e, ok := fault.As(err); !ok || e.Code != "fetch.too-large" || e.Args["Bytes"] != int64(100_000) {
		t.Errorf("one more: %v", err)
	}
}

func TestSilentAndSlowServersAreLeft(t *testing.T) {
	t.Parallel()
	silent, c := serve(t, true, Config{HeaderTimeout: 50 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	if _, err := c.Get(t.Context(), silent.URL); !fault.Is(err, "fetch.unreachable") {
		t.Errorf("no header: %v", err)
	}
	if _, err := c.HTTP().Get(silent.URL); !fault.Is(err, "fetch.unreachable") { //nolint:bodyclose,noctx // there is none
		t.Errorf("no header for a webhook: %v", err)
	}
	drip, c := serve(t, true, Config{Timeout: 100 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	if _, err := c.Get(t.Context(), drip.URL); !fault.Is(err, "fetch.unreachable") {
		t.Errorf("no body: %v", err)
	}
}

func TestACallerWhoLeavesGetsItsOwnReason(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server, c := serve(t, true, Config{}, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Get(ctx, server.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAForeignCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	server, c := serve(t, true, Config{}, func(http.ResponseWriter, *http.Request) { t.Error("was asked") })
	c.cfg.RootCAs = nil
	if _, err := c.Get(t.Context(), server.URL); !fault.Is(err, "fetch.unreachable") {
		t.Errorf("got %v", err)
	}
	if _, err := c.HTTP().Get(server.URL); !fault.Is(err, "fetch.unreachable") { //nolint:bodyclose,noctx // there is none
		t.Errorf("webhook: %v", err)
	}
}

func TestWebhookAnswersAreBoundedAndRedirectsNotFollowed(t *testing.T) {
	t.Parallel()
	server, c := serve(t, true, Config{UserAgent: "Tangkal-Test/1"}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		case "/endless":
			endless(w)
		case "/bomb": // 10 MB in 10 KB
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 10<<20))
			_ = z.Close()
		default:
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s", r.Method, r.UserAgent(), body)
		}
	})
	hook := c.HTTP()
	defer hook.CloseIdleConnections()
	post := func(path string) (int, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hook.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	if status, body, err := post("/"); status != 200 || body != "POST Tangkal-Test/1 body" || err != nil {
		t.Errorf("plain: %d %q %v", status, body, err)
	}
	if status, _, err := post("/redirect"); status != 307 || err != nil {
		t.Errorf("redirect: %d %v", status, err)
	}
	if _, body, err := post("/endless"); len(body) != WebhookBytes || !fault.Is(err, "fetch.too-large") {
		t.Errorf("endless: %d bytes, %v", len(body), err)
	}
	if _, body, err := post("/bomb"); len(body) > WebhookBytes || err != nil {
		t.Errorf("bomb: unpacked into %d bytes, %v", len(body), err)
	}
}
