package deliver_test

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/deliver"
	"github.com/tangkal/tangkal/internal/fetch"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/porttest"
	"github.com/tangkal/tangkal/notes"
)

// ports are those that test servers listen on.
func ports() []uint16 {
	var all []uint16
	for p := 1024; p < 65536; p++ {
		all = append(all, uint16(p))
	}
	return all
}

// accepting listens and does with each connection what is said.
func accepting(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			do(c)
		}
	}()
	return l.Addr().String()
}

// Whoever owns an endpoint is told by name what keeps messages away from it.
func TestEveryFailureHasItsName(t *testing.T) {
	refusing := porttest.Reserve(t)
	var held []net.Conn
	t.Cleanup(func() {
		for _, c := range held {
			c.Close()
		}
	})
	kept := make(chan net.Conn, 9)
	silent := accepting(t, func(c net.Conn) { kept <- c })
	t.Cleanup(func() {
		for len(kept) > 0 {
			held = append(held, <-kept)
		}
	})
	closing := accepting(t, func(c net.Conn) {
		c.Read(make([]byte, 1)) //nolint:errcheck // whatever came
		c.Close()
	})
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	moved := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/elsewhere", http.StatusFound))
	t.Cleanup(moved.Close)
	client := func(inside bool, patience time.Duration) *http.Client {
		c := fetch.Config{AllowHTTP: true, Ports: ports(), HeaderTimeout: patience, Resolver: nowhere(t)}
		if inside {
			c.AllowPrefixes = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		f, err := fetch.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return f.HTTP()
	}
	told := []string{outbox.Unreachable} // what is left over
	for _, c := range []struct {
		url, want string
		status    int
		outside   bool
		patience  time.Duration
	}{
		{url: "http://" + refusing, want: outbox.ConnectionRefused},
		{url: "http://" + silent, want: outbox.TimedOut, patience: 200 * time.Millisecond},
		{url: "http://" + closing, want: outbox.BrokenOff},
		{url: secure.URL, want: outbox.Certificate},
		{url: strings.Replace(plain.URL, "http:", "https:", 1), want: outbox.NotTLS},
		{url: "http://hooks.nowhere.example:8080/", want: outbox.NameNotFound},
		{url: plain.URL, want: outbox.AddressRefused, outside: true},
		{url: "http://hooks.example:22/", want: outbox.AddressRefused},
		{url: plain.URL, status: http.StatusNotFound},
		{url: moved.URL, status: http.StatusFound},
	} {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		m := outbox.Message{ID: "m1", URL: c.url, Body: []byte("{}"), At: time.Now(), Keys: []notes.HookSigner{{Key: key, Secret: make([]byte, 32)}}}
		r := deliver.Webhook(client(!c.outside, cmp.Or(c.patience, time.Minute)))(context.WithoutCancel(t.Context()), m)
		if r.Error != c.want || r.Status != c.status {
			t.Errorf("%s: %+v, want %q and status %d", c.url, r, c.want, c.status)
		}
		told = append(told, r.Error)
	}
	for _, name := range outbox.Failures() {
		if !slices.Contains(told, name) {
			t.Errorf("nothing here fails by %s", name)
		}
	}
}

// nowhere is a name server that knows of no name.
func nowhere(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // closed by the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		q := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(q)
			if err != nil {
				return
			}
			if n < 12 {
				continue
			}
			// RFC 1035, 4.1.1: the question goes back with QR and RCODE 3, and no additional section.
			answer := slices.Clone(q[:n])
			answer[2], answer[3] = answer[2]|0x80, 0x83
			if end := question(answer); end > 0 {
				answer = answer[:end]
			}
			answer[10], answer[11] = 0, 0
			server.WriteTo(answer, from) //nolint:errcheck // asked again
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// question returns where the one question of a message ends.
func question(m []byte) int {
	at := 12
	for at < len(m) && m[at] != 0 {
		at += int(m[at]) + 1
	}
	return min(at+5, len(m))
}
