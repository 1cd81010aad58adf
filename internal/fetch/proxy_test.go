package fetch

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
)

// proxied returns a proxy of c and a client that goes through it.
func proxied(t *testing.T, c *Client) (*proxy, *http.Client) {
	t.Helper()
	p, err := c.newProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	through := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: p.listener.Addr().String()}),
		TLSClientConfig: &tls.Config{RootCAs: c.cfg.RootCAs}, //nolint:gosec // a test's own server
	}
	t.Cleanup(through.CloseIdleConnections)
	return p, &http.Client{Transport: through}
}

func TestTheProxyPassesRequestsOnAndKeepsItsOwnFields(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		server, c := serve(t, secure, Config{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Keep-Alive", "timeout=1")
			w.Header().Set("X-Own", "kept")
			fmt.Fprintf(w, "%s %s %q", r.Method, r.URL.Path, r.Header.Get("Proxy-Authorization")+r.Header.Get("Proxy-Connection"))
		})
		_, through := proxied(t, c)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if !secure { // inside a tunnel the proxy sees no fields
			req.Header.Set("Proxy-Authorization", "secret")
			req.Header.Set("Proxy-Connection", "keep-alive")
		}
		resp, err := through.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != `PUT /x ""` || err != nil || resp.Header.Get("X-Own") != "kept" {
			t.Errorf("secure %v: %q, %v, %v", secure, body, resp.Header, err)
		}
		if !secure && resp.Header.Get("Keep-Alive") != "" {
			t.Error("a field of the connection was passed on")
		}
	}
}

func TestTheProxyCutsEndlessTraffic(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		server, c := serve(t, secure, Config{MaxBytes: 100_000}, func(w http.ResponseWriter, _ *http.Request) { endless(w) })
		_, through := proxied(t, c)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := through.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if n > 100_000+64<<10 {
			t.Errorf("secure %v: %d bytes came through", secure, n)
		}
		if secure && err == nil {
			t.Error("a cut tunnel looks whole")
		}
		if _, err := through.Get(server.URL); secure && err == nil { //nolint:bodyclose,noctx // there is none
			t.Error("a further request got through")
		}
	}
}

func TestTheProxyAnswersNothingElse(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{})
	p, _ := proxied(t, c)
	for request, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n":                      400,
		"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n":      403, // HTTPS only
		"CONNECT a.example:22 HTTP/1.1\r\nHost: a.example:22\r\n\r\n":    403,
		"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\n":  502,
		"CONNECT 0x7f.1:443 HTTP/1.1\r\nHost: 0x7f.1:443\r\n\r\n":        403,
		"GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n":       403,
		"GET https://a.example:443/ HTTP/1.1\r\nHost: a.example\r\n\r\n": 403, // no TLS of ours for it
	} {
		conn, err := net.Dial("tcp", p.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // ends with its connection
		if err != nil {
			t.Errorf("%q: %v", request, err)
		} else if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", request, resp.StatusCode, want)
		}
		_ = conn.Close()
	}
}

// A tunnel that nobody ends is ended by close, which waits for it.
func TestClosingTheProxyEndsItsTunnels(t *testing.T) {
	t.Parallel()
	server, c := serve(t, true, Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	p, through := proxied(t, c)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := through.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p.close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the tunnel ended well")
	}
	if a, b := net.Pipe(); p.keep(a, b) {
		t.Error("a closed proxy takes a tunnel")
	}
}
