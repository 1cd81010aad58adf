package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/needtest"
)

// needBrowser skips on a laptop without Chromium and fails in CI.
func needBrowser(t *testing.T, c *Client) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	if _, err := c.browserPath(); err != nil {
		needtest.Missing(t, "no Chromium on the PATH")
	}
}

// hostile is a server on 127.0.0.2, which the client may reach, whose page
// tries to reach a trap everywhere else on the machine.
type hostile struct {
	url   string
	c     *Client
	seen  *atomic.Int64 // connections to the trap
	tried atomic.Bool   // whether the page's script ran to its end
	agent atomic.Value  // what the browser called itself
}

// startHostile starts one; the client may reach 127.0.0.2 and also.
func startHostile(t *testing.T, also ...netip.Prefix) *hostile {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	inside, seen := trap(t)
	h := &hostile{seen: seen}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/tried" {
			h.tried.Store(true)
			return
		}
		h.agent.Store(r.UserAgent())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, hostilePage, inside)
	}))
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	h.url = server.URL
	h.c = newClient(t, Config{
		AllowHTTP: true, Ports: []uint16{inside, portOf(t, listener.Addr().String())}, UserAgent: "Tangkal-Test/1",
		AllowPrefixes: append(also, netip.MustParsePrefix("127.0.0.2/32")),
		Resolver:      nameServer(t, zone),
	})
	needBrowser(t, h.c)
	return h
}

// ownTemp gives the test a temporary directory that the browser's user may
// enter; the parent of t.TempDir it may not.
func ownTemp(t *testing.T) string {
	t.Helper()
	temp, err := os.MkdirTemp("", "fetch-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	if err := os.Chmod(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	return temp
}

// Whatever the page tries, the browser reaches the page's own server only.
func TestAScreenshotShowsThePageAndReachesNothingElse(t *testing.T) {
	temp := ownTemp(t)
	h := startHostile(t)
	shot, err := h.c.Screenshot(t.Context(), h.url+"/#part")
	if err != nil {
		t.Fatal(err)
	}
	if n := h.seen.Load(); n != 0 || !h.tried.Load() {
		t.Errorf("the listener saw %d connections; the page tried: %v", n, h.tried.Load())
	}
	if shot.Title != "Halaman uji" || shot.FinalURL != h.url+"/" || !shot.Complete || !strings.Contains(shot.Browser, "Chrome") {
		t.Errorf("title %q, address %q, complete %v, browser %q", shot.Title, shot.FinalURL, shot.Complete, shot.Browser)
	}
	if a, _ := h.agent.Load().(string); !strings.HasSuffix(a, " Tangkal-Test/1") || strings.Contains(a, "Headless") {
		t.Errorf("the browser called itself %q", a)
	}
	if shot.SHA256 != sha256.Sum256(shot.PNG) || len(shot.PNG) > ScreenshotBytes {
		t.Errorf("%d bytes, or another digest", len(shot.PNG))
	}
	picture, err := png.Decode(bytes.NewReader(shot.PNG))
	if err != nil || picture.Bounds().Dx() != shotWidth || picture.Bounds().Dy() != shotHeight {
		t.Fatalf("picture %v, error %v", picture, err)
	}
	if got := color.RGBAModel.Convert(picture.At(640, 1500)); got != (color.RGBA{18, 52, 86, 255}) {
		t.Errorf("the page is %v, want #123456", got)
	}
	if left, err := os.ReadDir(temp); len(left) != 0 || err != nil {
		t.Errorf("left in the temporary directory: %v %v", left, err)
	}
}

// The seeded fault: where the guard lets loopback through, the same page does
// reach the trap, so its attempts are real.
func TestTheHostilePageReachesTheTrapWithoutTheGuard(t *testing.T) {
	t.Parallel()
	h := startHostile(t, loopback, netip.MustParsePrefix("::1/128"))
	if _, err := h.c.Screenshot(t.Context(), h.url); err != nil {
		t.Fatal(err)
	}
	if h.seen.Load() == 0 {
		t.Error("the listener saw nothing, so its silence elsewhere proves nothing")
	}
}

// A browser must never run as root, nor see our environment.
func TestTheBrowserIsAnOrdinaryUserWithoutOurEnvironment(t *testing.T) {
	temp := ownTemp(t)
	t.Setenv("TANGKAL_SECRET", "not for the browser")
	script := filepath.Join(temp, "fake-browser")
	told := "#!/bin/sh\n{ id -u; env; } >&2\n"
	if err := os.WriteFile(script, []byte(told), 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	_, err := newClient(t, Config{Browser: script}).Screenshot(t.Context(), "https://a.example/")
	if !fault.Is(err, "fetch.screenshot") {
		t.Fatal(err)
	}
	_, said, _ := strings.Cut(err.Error(), "it ended: ")
	if uid, _, _ := strings.Cut(said, "\n"); uid == "" || uid == "0" {
		t.Errorf("the browser ran as user %q: %v", uid, err)
	}
	if strings.Contains(said, "TANGKAL_SECRET") || !strings.Contains(said, "HOME="+temp) {
		t.Errorf("the browser saw the environment %q", said)
	}
}

// hostilePage tries every way in that a page has; %[1]d is the trap's port. Its
// load event waits for the attempts.
const hostilePage = `<!doctype html><title>Halaman uji</title>
<style>html{background:#123456}</style><body>
<img src="http://127.0.0.1:%[1]d/i.png"><img src="http://[::1]:%[1]d/i.png"><img src="http://localhost:%[1]d/">
<img src="http://loopback.example:%[1]d/"><img src="https://127.0.0.1:%[1]d/"><img src="http://0x7f.1:%[1]d/">
<iframe src="http://127.0.0.1:%[1]d/f"></iframe><iframe src="file:///etc/passwd"></iframe>
<link rel="preconnect" href="http://127.0.0.1:%[1]d"><link rel="dns-prefetch" href="//loopback.example">
<script>
try { new WebSocket("ws://127.0.0.1:%[1]d/w") } catch (e) {}
try { new WebSocket("wss://localhost:%[1]d/w") } catch (e) {}
fetch("http://127.0.0.1:%[1]d/x", {mode: "no-cors"}).catch(function () {});
navigator.sendBeacon("http://127.0.0.1:%[1]d/b");
try {
  var p = new RTCPeerConnection({iceServers: [{urls: "turn:127.0.0.1:%[1]d?transport=tcp", username: "a", credential: "b"}]});
  p.createDataChannel("d"); p.createOffer().then(function (o) { p.setLocalDescription(o) });
} catch (e) {}
var done = new XMLHttpRequest(); done.open("GET", "/tried", false); done.send();
alert("a dialogue that nobody answers");
</script>`

func TestAPageThatNeverLoadsIsShownAsItIs(t *testing.T) {
	t.Parallel()
	server, c := serve(t, false, Config{BrowserTimeout: 15 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang.png" {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<title>half</title><body style="background:#654321"><img src=/hang.png>`)
	})
	needBrowser(t, c)
	shot, err := c.Screenshot(t.Context(), server.URL)
	if err != nil || shot.Complete || shot.Title != "half" || len(shot.PNG) == 0 {
		t.Errorf("complete %v, title %q, %d bytes, error %v", shot.Complete, shot.Title, len(shot.PNG), err)
	}
}

func TestAScreenshotOfTheInsideFails(t *testing.T) {
	t.Parallel()
	port, seen := trap(t)
	c := newClient(t, Config{AllowHTTP: true, Ports: []uint16{port}, Resolver: nameServer(t, zone)})
	if _, err := c.Screenshot(t.Context(), "file:///etc/passwd"); !fault.Is(err, "fetch.url") {
		t.Errorf("a file: %v", err)
	}
	needBrowser(t, c)
	_, err := c.Screenshot(t.Context(), fmt.Sprintf("http://loopback.example:%d/", port))
	_, errTLS := c.Screenshot(t.Context(), fmt.Sprintf("https://loopback.example:%d/", port))
	// Plain HTTP shows the proxy's refusal as a page; what counts is who was asked.
	if err != nil && !fault.Is(err, "fetch.screenshot") || !fault.Is(errTLS, "fetch.screenshot") {
		t.Errorf("plain %v, over TLS %v", err, errTLS)
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the listener saw %d connections", n)
	}
}

func TestWithoutABrowserThereIsNoScreenshot(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{Browser: filepath.Join(t.TempDir(), "absent")})
	if _, err := c.Screenshot(t.Context(), "https://a.example/"); !errors.Is(err, ErrNoBrowser) || fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	broken := newClient(t, Config{Browser: "false"})
	if _, err := broken.Screenshot(t.Context(), "https://a.example/"); !fault.Is(err, "fetch.screenshot") {
		t.Errorf("a browser that ends at once: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	broken.shots <- struct{}{} // somebody else's browser runs
	cancel()
	if _, err := broken.Screenshot(ctx, "https://a.example/"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting in vain: %v", err)
	}
}
