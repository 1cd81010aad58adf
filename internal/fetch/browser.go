package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/fault"
)

// ErrNoBrowser tells that no Chromium is present; it is a fault that may be
// shown.
var ErrNoBrowser = fault.New(fault.Unavailable, "fetch.no-browser")

// The window of a screenshot, in CSS pixels: a page's upper part as a desktop
// shows it, twice as high.
const (
	shotWidth  = 1280
	shotHeight = 1600
)

// A Screenshot is a page as a browser showed it.
type Screenshot struct {
	URL      string            // as asked for
	FinalURL string            // what the browser's address line said in the end
	Title    string            // of the page, at most 300 characters
	At       time.Time         // when the browser was sent there, UTC
	Complete bool              // whether the page had finished loading
	PNG      []byte            // at most ScreenshotBytes
	SHA256   [sha256.Size]byte // of PNG
	Browser  string            // name and version
}

// Screenshot shows the page at raw in Chromium and returns a picture of its
// upper part. The browser is fresh: headless, with its own sandbox, an empty
// profile, no environment of ours, an ordinary user if we are root, and a proxy
// of ours as its only way out. One browser runs at a time; others wait. A page
// still loading after most of Config.BrowserTimeout is pictured as it is.
//
// The faults are those of Check, ErrNoBrowser, and "fetch.screenshot"
// (Unavailable) for a page that cannot be shown, addresses that may not be
// reached included.
func (c *Client) Screenshot(ctx context.Context, raw string) (Screenshot, error) {
	u, err := c.parse(raw)
	if err != nil {
		return Screenshot{}, err
	}
	path, err := c.browserPath()
	if err != nil {
		return Screenshot{}, err
	}
	select {
	case c.shots <- struct{}{}:
		defer func() { <-c.shots }()
	case <-ctx.Done():
		return Screenshot{}, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, c.cfg.BrowserTimeout)
	defer cancel()
	shot, err := c.shoot(limited, path, u.String())
	if errors.Is(ctx.Err(), context.Canceled) {
		return Screenshot{}, ctx.Err()
	}
	if err != nil {
		return Screenshot{}, fault.New(fault.Unavailable, "fetch.screenshot").Because(err)
	}
	shot.URL = raw
	return shot, nil
}

func (c *Client) browserPath() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
	if c.cfg.Browser != "" {
		names = []string{c.cfg.Browser}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", ErrNoBrowser
}

// shoot runs a proxy and a browser for one picture and waits for their end.
func (c *Client) shoot(ctx context.Context, path, address string) (Screenshot, error) {
	loaded := time.Now().Add(c.cfg.BrowserTimeout * 6 / 10) //nolint:forbidigo // monotonic; the rest is for the picture
	p, err := c.newProxy()
	if err != nil {
		return Screenshot{}, fmt.Errorf("start proxy: %w", err)
	}
	defer p.close()
	chrome, err := startChrome(ctx, path, c.cfg.BrowserUser, p.listener.Addr().String())
	if err != nil {
		return Screenshot{}, err
	}
	defer chrome.stop()
	allocator, cancel := chromedp.NewRemoteAllocator(ctx, chrome.devtools, chromedp.NoModifyURL)
	defer cancel()
	tab, cancel := chromedp.NewContext(allocator)
	defer cancel()
	shot := Screenshot{}
	if err := chromedp.Run(tab, prepare(&shot, c.cfg.UserAgent)); err != nil {
		return Screenshot{}, fmt.Errorf("prepare browser: %w", err)
	}
	shot.At = c.cfg.Clock.Now()
	loading, cancel := context.WithDeadline(tab, loaded)
	defer cancel()
	err = chromedp.Run(loading, chromedp.Navigate(address))
	shot.Complete = err == nil
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return Screenshot{}, fmt.Errorf("show page: %w", err)
	}
	if err := chromedp.Run(tab, picture(&shot)); err != nil {
		return Screenshot{}, fmt.Errorf("take picture: %w", err)
	}
	return shot, nil
}

// prepare sets the window, refuses downloads and answers every dialogue "no".
func prepare(shot *Screenshot, agent string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		chromedp.ListenTarget(ctx, func(event any) {
			if _, ok := event.(*page.EventJavascriptDialogOpening); ok {
				// A listener must not wait; the answer's own failure shows
				// as a page that does not finish loading.
				go func() { _ = chromedp.Run(ctx, page.HandleJavaScriptDialog(false)) }()
			}
		})
		_, product, _, ua, _, err := browser.GetVersion().Do(ctx)
		if err != nil {
			return err
		}
		shot.Browser = product
		// Many sites turn headless browsers away by name; we add our own name
		// instead of hiding.
		ua = strings.Replace(ua, "HeadlessChrome", "Chrome", 1) + " " + agent
		return chromedp.Tasks{
			emulation.SetUserAgentOverride(ua).WithAcceptLanguage("id,en;q=0.8"),
			emulation.SetDeviceMetricsOverride(shotWidth, shotHeight, 1, false),
			browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorDeny),
		}.Do(ctx)
	})
}

// picture takes the picture, smaller if it would be too large.
func picture(shot *Screenshot) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if err := (chromedp.Tasks{chromedp.Location(&shot.FinalURL), chromedp.Title(&shot.Title)}).Do(ctx); err != nil {
			return err
		}
		title := []rune(shot.Title)
		shot.Title = string(title[:min(len(title), maxTitle)])
		for _, scale := range []float64{1, 0.5, 0.25} {
			png, err := page.CaptureScreenshot().
				WithFormat(page.CaptureScreenshotFormatPng).
				WithClip(&page.Viewport{Width: shotWidth, Height: shotHeight, Scale: scale}).
				Do(ctx)
			if err != nil {
				return err
			}
			if len(png) <= ScreenshotBytes {
				shot.PNG, shot.SHA256 = png, sha256.Sum256(png)
				return nil
			}
		}
		return errors.New("picture is too large")
	})
}

// chrome is a running browser.
type chrome struct {
	cmd      *exec.Cmd
	profile  string
	devtools string        // WebSocket address
	exited   chan struct{} // closed at the end of the process
}

// chromeFlags leave the browser no way out but the proxy (loopback included,
// no names resolved on its own, no UDP) and nothing to do but our page.
func chromeFlags(profile, proxy string) []string {
	return []string{
		"--headless", "--remote-debugging-port=0", "--user-data-dir=" + profile,
		"--proxy-server=http://" + proxy, "--proxy-bypass-list=<-loopback>",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
		"--disable-quic", "--webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-default-apps", "--disable-extensions", "--disable-domain-reliability",
		"--disable-client-side-phishing-detection", "--disable-breakpad", "--no-pings",
		"--no-first-run", "--no-default-browser-check", "--password-store=basic",
		"--disable-dev-shm-usage", "--disable-gpu", "--mute-audio", "--hide-scrollbars",
		"--autoplay-policy=user-gesture-required", "--force-color-profile=srgb", "about:blank",
	}
}

// startChrome starts the browser and waits for its DevTools address.
func startChrome(ctx context.Context, path, user, proxy string) (_ *chrome, err error) {
	profile, err := os.MkdirTemp("", "tangkal-browser-")
	if err != nil {
		return nil, fmt.Errorf("start browser: %w", err)
	}
	b := &chrome{cmd: exec.Command(path, chromeFlags(profile, proxy)...), profile: profile} //nolint:gosec,noctx // the operator's own path; stop kills the whole group
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	b.cmd.Dir = profile
	b.cmd.Env = []string{"HOME=" + profile, "TMPDIR=" + profile, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	if err := confine(b.cmd, user, profile); err != nil {
		return nil, fmt.Errorf("start browser: %w", err)
	}
	said := &devtoolsLine{found: make(chan string, 1)}
	b.cmd.Stderr = said
	b.cmd.WaitDelay = 2 * time.Second
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start browser: %w", err)
	}
	b.exited = make(chan struct{})
	go func() { // stop waits for it
		_ = b.cmd.Wait() // how a killed process ended tells nothing
		close(b.exited)
	}()
	select {
	case b.devtools = <-said.found:
		return b, nil
	case <-b.exited:
		return nil, fmt.Errorf("start browser: it ended: %s", said.text())
	case <-ctx.Done():
		return nil, fmt.Errorf("start browser: %w: %s", ctx.Err(), said.text())
	}
}

// stop kills the browser with all its processes and removes its profile.
func (b *chrome) stop() {
	if b.exited != nil {
		killAll(b.cmd)
		<-b.exited
	}
	// A dying child may still write into the profile for a moment.
	for range 20 {
		if os.RemoveAll(b.profile) == nil {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// devtoolsLine looks for the DevTools address in what the browser says.
type devtoolsLine struct {
	found chan string

	mu   sync.Mutex
	said bytes.Buffer // bounded
	done bool
}

func (d *devtoolsLine) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done || d.said.Len() > 64<<10 {
		return len(p), nil
	}
	d.said.Write(p)
	_, rest, ok := bytes.Cut(d.said.Bytes(), []byte("DevTools listening on "))
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	if ok && whole {
		d.done = true
		d.found <- strings.TrimSpace(string(line))
	}
	return len(p), nil
}

func (d *devtoolsLine) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}
