package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// proxy is a forward proxy on loopback through which a browser goes out. It
// connects with the client's dialer, so that the browser reaches nothing that
// the client would not, and stops when its traffic is used up. It lives for one
// screenshot.
type proxy struct {
	c         *Client
	listener  net.Listener
	server    *http.Server
	transport *http.Transport
	left      atomic.Int64 // bytes that may still come in

	mu    sync.Mutex
	conns map[net.Conn]bool // tunnels to be closed at the end; nil when closed
	wg    sync.WaitGroup    // the server and the tunnels
}

// maxTunnels bounds a page that opens connections without end.
const maxTunnels = 256

func (c *Client) newProxy() (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a local socket
	if err != nil {
		return nil, err
	}
	p := &proxy{
		c: c, listener: listener, conns: map[net.Conn]bool{},
		transport: &http.Transport{
			DialContext:            c.dialer.DialContext,
			ResponseHeaderTimeout:  c.cfg.HeaderTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true,
		},
	}
	p.left.Store(c.cfg.MaxBytes)
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: maxHeaderBytes}
	p.wg.Go(func() { _ = p.server.Serve(listener) }) // ends by close
	return p, nil
}

// close ends every connection and waits for all that the proxy began.
func (p *proxy) close() {
	_ = p.server.Close()
	p.mu.Lock()
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.transport.CloseIdleConnections()
	p.wg.Wait()
}

// ServeHTTP answers CONNECT (RFC 9110 section 9.3.6) and requests in absolute
// form (RFC 9112 section 3.2.2).
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case r.URL.IsAbs():
		p.forward(w, r)
	default:
		http.Error(w, "this is a proxy", http.StatusBadRequest)
	}
}

func (p *proxy) connect(w http.ResponseWriter, r *http.Request) {
	u, err := p.c.parse("https://" + r.Host)
	if err != nil || u.Port() == "" {
		http.Error(w, "refused", http.StatusForbidden)
		return
	}
	upstream, err := p.c.dialer.DialContext(r.Context(), "tcp", u.Host)
	if err != nil {
		http.Error(w, "refused or unreachable", http.StatusBadGateway)
		return
	}
	browser, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = upstream.Close()
		return
	}
	if !p.keep(browser, upstream) {
		_, _ = browser.Close(), upstream.Close()
		return
	}
	_, err = io.WriteString(browser, "HTTP/1.1 200 Connection established\r\n\r\n")
	if err != nil {
		p.drop(browser, upstream)
		p.wg.Done()
		return
	}
	p.tunnel(browser, upstream, buffered)
}

// tunnel passes bytes both ways until one side ends, or the traffic is used up.
func (p *proxy) tunnel(browser, upstream net.Conn, fromBrowser io.Reader) {
	defer p.wg.Done()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(upstream, fromBrowser)
		p.drop(browser, upstream)
	})
	_, _ = io.Copy(browser, &metered{upstream, &p.left})
	p.drop(browser, upstream)
	up.Wait()
}

// keep registers a tunnel to be closed with p; it reports false if p is closed
// or has too many.
func (p *proxy) keep(a, b net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil || len(p.conns) >= 2*maxTunnels {
		return false
	}
	p.conns[a], p.conns[b] = true, true
	p.wg.Add(1)
	return true
}

func (p *proxy) drop(a, b net.Conn) {
	_, _ = a.Close(), b.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, a)
	delete(p.conns, b)
}

// hopByHop are the fields that end at a proxy (RFC 9110 section 7.6.1).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (p *proxy) forward(w http.ResponseWriter, r *http.Request) {
	u, err := p.c.parse(r.URL.String())
	if err != nil || u.Scheme != "http" {
		http.Error(w, "refused", http.StatusForbidden)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.c.cfg.Timeout)
	defer cancel()
	out := r.Clone(ctx)
	out.URL, out.RequestURI = u, ""
	for _, name := range hopByHop {
		out.Header.Del(name)
	}
	resp, err := p.transport.RoundTrip(out)
	if err != nil {
		http.Error(w, "refused or unreachable", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	for _, name := range hopByHop {
		w.Header().Del(name)
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, &metered{resp.Body, &p.left}) // the browser sees a cut answer
}

// metered reads until the traffic shared by all is used up.
type metered struct {
	r    io.Reader
	left *atomic.Int64
}

var errTraffic = errors.New("traffic is used up")

func (m *metered) Read(p []byte) (int, error) {
	if m.left.Load() <= 0 {
		return 0, errTraffic
	}
	n, err := m.r.Read(p)
	m.left.Add(-int64(n))
	return n, err
}
