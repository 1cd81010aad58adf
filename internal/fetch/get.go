package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// budget is how many bytes of bodies may still be read, of limit in all. What
// was read in vain counts too.
type budget struct{ left, limit int64 }

func newBudget(limit int64) *budget { return &budget{limit, limit} }

// capped is a body that fails beyond its budget instead of ending silently.
type capped struct {
	io.ReadCloser
	*budget
}

func (b *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), tooLarge(b.limit)
	}
	b.left -= int64(n)
	return n, err
}

// An Exchange is one request and its answer, with the bytes of both as they
// went over the wire (inside TLS).
type Exchange struct {
	URL         string        // what was asked for, without fragment
	At          time.Time     // when the request began, UTC
	Took        time.Duration // until the answer was complete
	Status      int           // as 200
	Header      http.Header   // of the answer
	Body        []byte        // of the answer, transfer coding removed, content coding not
	Remote      string        // address that answered, without port
	TLSVersion  string        // as "TLS 1.3", "" for plain HTTP
	Certificate string        // SHA-256 of the server's certificate, hexadecimal

	rawRequest, rawResponse []byte
}

// Location returns where the answer sends us, if it is a redirect (RFC 9110
// section 15.4).
func (x Exchange) Location() (string, bool) {
	switch x.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return "", false
	}
	base, err := url.Parse(x.URL)
	if err != nil {
		return "", false
	}
	to, err := base.Parse(x.Header.Get("Location"))
	if err != nil || x.Header.Get("Location") == "" {
		return "", false
	}
	return to.String(), true
}

// Get fetches raw and follows at most five redirects, each checked like the
// first; it returns every exchange in order, the final one last. An answer
// with an error status is an answer. The faults are those of Check,
// "fetch.refused" for an address that may not be reached, "fetch.redirects"
// and "fetch.too-large" (all Invalid), and "fetch.unreachable" (Unavailable).
// With a fault come the exchanges before it.
func (c *Client) Get(ctx context.Context, raw string) ([]Exchange, error) {
	return c.follow(ctx, raw, "*/*", newBudget(c.cfg.MaxBytes))
}

func (c *Client) follow(ctx context.Context, raw, accept string, b *budget) ([]Exchange, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var chain []Exchange
	for {
		u, err := c.parse(raw)
		if err != nil {
			return chain, err
		}
		x, err := c.exchange(ctx, u, accept, b)
		if err != nil {
			return chain, sorted(ctx, err)
		}
		chain = append(chain, x)
		to, redirected := x.Location()
		if !redirected {
			return chain, nil
		}
		if len(chain) > maxRedirects {
			return chain, fault.New(fault.Invalid, "fetch.redirects", "Limit", maxRedirects)
		}
		raw = to
	}
}

// exchange asks for u once, over a connection of its own that is recorded.
func (c *Client) exchange(ctx context.Context, u *url.URL, accept string, b *budget) (Exchange, error) {
	x := Exchange{URL: u.String(), At: c.cfg.Clock.Now()}
	began := time.Now() //nolint:forbidigo // monotonic, for the duration only
	rec := &recording{limit: b.left + b.left/8 + maxHeaderBytes}
	transport := c.recorder(rec)
	defer transport.CloseIdleConnections()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.URL, nil)
	if err != nil {
		return x, err
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("Accept", accept)
	req.Header.Set("Accept-Language", "id, en;q=0.8, *;q=0.5")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return x, err
	}
	defer resp.Body.Close()
	if resp.ContentLength > b.left {
		return x, tooLarge(b.limit)
	}
	body, err := io.ReadAll(&capped{resp.Body, b})
	switch {
	case rec.overrun():
		err = tooLarge(b.limit)
	case err == nil:
		// A server may end its answer because we hang up: not a whole answer.
		err = ctx.Err()
	}
	if err != nil {
		return x, err
	}
	x.Status, x.Header, x.Body, x.Took = resp.StatusCode, resp.Header, body, time.Since(began)
	rec.fill(&x)
	return x, nil
}

// recorder returns a transport for one HTTP/1.1 exchange into rec.
func (c *Client) recorder(rec *recording) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := c.dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return rec.wrap(conn), nil
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := c.dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return rec.handshake(ctx, conn, c.tlsConfig("http/1.1"), address)
		},
		ResponseHeaderTimeout:  c.cfg.HeaderTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
		DisableKeepAlives:      true,
	}
}

// recording is what went over one connection. The transport reads and writes
// in goroutines of its own, hence the mutex.
type recording struct {
	limit int64 // of received bytes

	mu             sync.Mutex
	sent, received bytes.Buffer
	over           bool
	remote         string
	tls            *tls.ConnectionState
}

func (r *recording) wrap(conn net.Conn) net.Conn {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.remote = host
	}
	return &recordedConn{conn, r}
}

func (r *recording) handshake(ctx context.Context, conn net.Conn, cfg *tls.Config, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	cfg.ServerName = host
	secure := tls.Client(conn, cfg)
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	state := secure.ConnectionState()
	r.mu.Lock()
	r.tls = &state
	r.mu.Unlock()
	return r.wrap(secure), nil
}

func (r *recording) overrun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// fill copies the recording into x.
func (r *recording) fill(x *Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.rawRequest = bytes.Clone(r.sent.Bytes())
	x.rawResponse = bytes.Clone(r.received.Bytes())
	x.Remote = r.remote
	if r.tls != nil && len(r.tls.PeerCertificates) > 0 {
		x.TLSVersion = tls.VersionName(r.tls.Version)
		sum := sha256.Sum256(r.tls.PeerCertificates[0].Raw)
		x.Certificate = hex.EncodeToString(sum[:])
	}
}

type recordedConn struct {
	net.Conn
	rec *recording
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	if int64(c.rec.received.Len()+n) > c.rec.limit {
		// Chunk headers and padding count too: a body of nothing but
		// overhead has no end otherwise.
		c.rec.over = true
		return 0, errors.New("answer is longer than may be recorded")
	}
	c.rec.received.Write(p[:n])
	return n, err
}

func (c *recordedConn) Write(p []byte) (int, error) {
	// Recorded before it is sent: the answer may be here before Write returns.
	c.rec.mu.Lock()
	before := c.rec.sent.Len()
	c.rec.sent.Write(p)
	c.rec.mu.Unlock()
	n, err := c.Conn.Write(p)
	if n < len(p) {
		c.rec.mu.Lock()
		c.rec.sent.Truncate(before + n)
		c.rec.mu.Unlock()
	}
	return n, err
}

// mediaType returns the answer's media type in lower case, without parameters.
func (x Exchange) mediaType() string {
	t, _, _ := strings.Cut(x.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}
