package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/tangkal/tangkal/internal/fault"
)

var loopback = netip.MustParsePrefix("127.0.0.0/8")

func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}

// serve starts a server on loopback, HTTPS if secure, and a client that may
// reach it.
func serve(t *testing.T, secure bool, c Config, h http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	if secure {
		server.StartTLS()
		c.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	} else {
		server.Start()
		c.AllowHTTP = true
	}
	t.Cleanup(server.Close)
	c.AllowPrefixes = []netip.Prefix{loopback}
	c.Ports = append(c.Ports, portOf(t, server.Listener.Addr().String()))
	return server, newClient(t, c)
}

// trap listens on every address of the machine and counts who comes.
func trap(t *testing.T) (port uint16, seen *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	seen = new(atomic.Int64)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			seen.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = listener.Close(); wg.Wait() })
	return portOf(t, listener.Addr().String()), seen
}

// nameServer is a small name server whose answers follow one another: the
// first question of a name gets its first address, the last one repeats.
func nameServer(t *testing.T, answers map[string][]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		asked := map[string]int{}
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := answer(buf[:n], answers, asked); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	})
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func answer(query []byte, answers map[string][]string, asked map[string]int) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true},
		Questions: m.Questions,
	}
	list, known := answers[strings.TrimSuffix(q.Name.String(), ".")]
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	} else {
		key := q.Name.String() + q.Type.String()
		addr := netip.MustParseAddr(list[min(asked[key], len(list)-1)])
		asked[key]++
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case q.Type == dnsmessage.TypeA && addr.Is4():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: addr.As4()}})
		case q.Type == dnsmessage.TypeAAAA && addr.Is6():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// forbidden are the hosts of T17. A name in the zone resolves to the address
// in it.
var forbidden = []string{
	// loopback and this host
	"127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "[::1]", "[::]", "localhost",
	// private, shared and link-local; cloud metadata
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
	"100.64.0.1", "100.100.100.200", "169.254.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16",
	"[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]",
	// reserved, documentation, benchmarking, multicast, broadcast
	"192.0.0.1", "192.0.0.192", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1",
	"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"[2001:db8::1]", "[3fff::1]", "[ff02::1]", "[100::1]", "[5f00::1]",
	// addresses within addresses: v4-mapped, v4-compatible, NAT64, 6to4, Teredo
	"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]",
	"[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::]",
	"[2001:0:7f00:1::]", "[::ffff:0:127.0.0.1]",
	// odd notations
	"2130706433", "0x7f000001", "017700000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "0x7f.1",
	"127.0.0.0x1", "127.0.0.1.", "127.00.00.01", "0", "0x", "00000177.1", "0x7F.0X0.0.1", "1.1.1.0x",
	"[fe80::1%25eth0]", "[::1%25lo]",
	// other digits and dots (Unicode)
	"１２７.０.０.１", "127。0。0。1", "①②⑦.⓪.⓪.①", "ｌｏｃａｌｈｏｓｔ",
	// names that resolve inside
	"loopback.example", "private.example", "metadata.example", "mapped.example", "six.example", "nat64.example",
	"LOOPBACK.example", "loopback.example.", "unique.example", "zero.example",
	// credentials before the host
	"public.example@127.0.0.1", "127.0.0.1:80@loopback.example",
}

var zone = map[string][]string{
	"loopback.example": {"127.0.0.1"}, "LOOPBACK.example": {"127.0.0.1"}, "private.example": {"10.1.2.3"},
	"metadata.example": {"169.254.169.254"}, "mapped.example": {"::ffff:127.0.0.1"}, "six.example": {"::1"},
	"nat64.example": {"64:ff9b::7f00:1"}, "unique.example": {"fd00::1"}, "zero.example": {"0.0.0.0"},
	"localhost": {"127.0.0.1"},
}

func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if !fault.Is(err, "fetch.refused") && !fault.Is(err, "fetch.url") {
		t.Errorf("%s: %v, want a refusal", what, err)
	}
	// Both codes are given before anything is connected: fetch.url by Check,
	// fetch.refused by Check or by the dialer's control function.
}

func TestNoForbiddenTargetIsEverConnectedTo(t *testing.T) {
	t.Parallel()
	if len(forbidden) < 60 {
		t.Fatalf("only %d targets", len(forbidden))
	}
	port, seen := trap(t)
	c := newClient(t, Config{AllowHTTP: true, Ports: []uint16{port}, Resolver: nameServer(t, zone), Timeout: 10 * time.Second})
	webhook := c.HTTP()
	p, err := c.newProxy()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	through := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: p.listener.Addr().String()}),
	}}
	for _, host := range forbidden {
		for _, scheme := range []string{"http", "https"} {
			raw := fmt.Sprintf("%s://%s:%d/", scheme, host, port)
			_, err := c.Get(t.Context(), raw)
			wantRefused(t, "Get "+raw, err)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, raw, strings.NewReader("{}"))
			if err != nil {
				continue // cannot even be a request
			}
			resp, err := webhook.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			wantRefused(t, "webhook to "+raw, err)
			wantProxyRefusal(t, through, raw)
		}
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the listener saw %d connections", n)
	}
}

// wantProxyRefusal asks for raw as the browser would.
func wantProxyRefusal(t *testing.T, through *http.Client, raw string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw, nil)
	if err != nil {
		return
	}
	resp, err := through.Do(req)
	if err != nil {
		return // CONNECT refused
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusBadGateway {
		t.Errorf("the proxy answered %d for %s", resp.StatusCode, raw)
	}
}

// The seeded fault: with the address check off, the same listener counts.
func TestTheTrapCountsWithoutTheGuard(t *testing.T) {
	t.Parallel()
	port, seen := trap(t)
	c := newClient(t, Config{
		AllowHTTP: true, Ports: []uint16{port}, Resolver: nameServer(t, zone),
		AllowPrefixes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
	})
	for _, host := range []string{"127.0.0.1", "loopback.example", "localhost"} {
		_, err := c.Get(t.Context(), fmt.Sprintf("http://%s:%d/", host, port))
		if fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %v, want a lost connection", host, err)
		}
	}
	if seen.Load() == 0 {
		t.Error("the listener saw nothing, so its silence elsewhere proves nothing")
	}
}

// A name that is public when looked at and private when used. 127.0.0.2 plays
// the public address.
func TestARebindingNameIsRefusedAtTheConnection(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	port := portOf(t, listener.Addr().String())
	inside, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Skipf("the port is taken on the other address: %v", err)
	}
	var secret atomic.Int64
	private := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { secret.Add(1) }))
	private.Listener = inside
	private.Start()
	defer private.Close()
	public := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	public.Listener = listener
	public.Start()
	defer public.Close()

	c := newClient(t, Config{
		AllowHTTP: true, Ports: []uint16{port},
		AllowPrefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		Resolver:      nameServer(t, map[string][]string{"rebind.example": {"127.0.0.2", "127.0.0.1"}}),
	})
	chain, err := c.Get(t.Context(), fmt.Sprintf("http://rebind.example:%d/", port))
	if len(chain) != 1 || chain[0].Remote != "127.0.0.2" || !fault.Is(err, "fetch.refused") {
		t.Errorf("chain %+v, error %v; want one redirect, then a refusal", chain, err)
	}
	if n := secret.Load(); n != 0 {
		t.Errorf("the private server was asked %d times", n)
	}
}

func TestARedirectInsideIsRefused(t *testing.T) {
	t.Parallel()
	port, seen := trap(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{
			fmt.Sprintf("http://10.0.0.1:%d/", port), fmt.Sprintf("http://[::1]:%d/", port),
			fmt.Sprintf("http://169.254.169.254:%d/", port), fmt.Sprintf("//192.168.1.1:%d/x", port),
			fmt.Sprintf("http://0x0a.1:%d/", port), fmt.Sprintf("http://user@10.0.0.1:%d/", port),
		} {
			server, c := serve(t, false, Config{Ports: []uint16{port}}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			})
			_, err := c.Get(t.Context(), server.URL)
			wantRefused(t, fmt.Sprintf("%d to %s", status, to), err)
		}
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the listener saw %d connections", n)
	}
}

func TestOddRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"file:///etc/passwd": "fetch.url", "gopher://a.example/": "fetch.scheme", "javascript:alert(1)": "fetch.url",
		"https://a.example:22/": "fetch.refused", "data:text/html,x": "fetch.url", "http://a.example/": "fetch.scheme",
	} {
		server, c := serve(t, true, Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
		if _, err := c.Get(t.Context(), server.URL); !fault.Is(err, want) {
			t.Errorf("to %s: %v, want %s", to, err, want)
		}
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{AllowHosts: []string{"Good.example", "xn--bcher-kva.example", "8.8.8.8"}})
	for raw, want := range map[string]string{
		"https://good.example/a?b=c#d": "", "https://GOOD.example:443": "", "https://good.example.": "",
		"https://bücher.example/": "", "https://8.8.8.8/": "",
		"https://other.example/": "fetch.refused", "https://sub.good.example/": "fetch.refused",
		"https://good.example:8443/": "fetch.refused", "https://good.example:99999/": "fetch.url",
		"http://good.example/": "fetch.scheme", "ftp://good.example/": "fetch.scheme", "good.example": "fetch.url",
		"": "fetch.url", "https://": "fetch.url", "https:good.example": "fetch.url", "//good.example": "fetch.scheme",
		"https://u:p@good.example/": "fetch.url", "https://good..example/": "fetch.url", "https://go od.example/": "fetch.url",
		"https://good.example/" + strings.Repeat("a", maxURLBytes): "fetch.url", "https://good.example\r\nX: y/": "fetch.url",
		"https://" + strings.Repeat("a", 64) + ".example/": "fetch.url", "https://1.2.3.4.5/": "fetch.url",
	} {
		err := c.Check(raw)
		if want == "" && err != nil || want != "" && !fault.Is(err, want) {
			t.Errorf("%.60s: %v, want %q", raw, err, want)
		}
		if err != nil && fault.Of(err) != fault.Invalid {
			t.Errorf("%.60s: kind %v", raw, fault.Of(err))
		}
	}
}

func TestDeniedPrefixesWinOverPublicAddresses(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{DenyPrefixes: []netip.Prefix{netip.MustParsePrefix("8.8.0.0/16"), netip.MustParsePrefix("2600::/16")}})
	for _, raw := range []string{"https://8.8.8.8/", "https://[2600::1]/"} {
		if _, err := c.Get(t.Context(), raw); !fault.Is(err, "fetch.refused") || !errors.Is(err, ssrf.ErrProhibitedIP) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestConfigFaultsAreNamed(t *testing.T) {
	t.Parallel()
	_, err := New(Config{AllowHosts: []string{"0x7f.1"}, AllowPrefixes: []netip.Prefix{{}}, MaxBytes: -1})
	for _, want := range []string{"0x7f.1", "prefix", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

func TestEnvironmentProxiesAreNotUsed(t *testing.T) {
	port, seen := trap(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, fmt.Sprintf("http://127.0.0.1:%d", port))
	}
	server, c := serve(t, true, Config{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") })
	chain, err := c.Get(t.Context(), server.URL)
	if err != nil || string(chain[0].Body) != "direct" || seen.Load() != 0 {
		t.Errorf("%v %v, proxy asked %d times", chain, err, seen.Load())
	}
}

// FuzzCheck: no address makes Check panic, and what it accepts has a host in
// one notation only.
func FuzzCheck(f *testing.F) {
	for _, host := range forbidden {
		f.Add("https://" + host + "/")
	}
	f.Add("https://a.example:443/?q#f")
	c, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := c.parse(raw)
		if err != nil {
			return
		}
		again, err := c.parse(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q became %q, then %v (%v)", raw, u, again, err)
		}
		host := u.Hostname()
		if _, err := netip.ParseAddr(host); err != nil && numeric(host[strings.LastIndexByte(host, '.')+1:]) {
			t.Errorf("%q has host %q", raw, host)
		}
	})
}
