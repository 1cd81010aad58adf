package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// errNoChromium is why a test without a browser is skipped.
var errNoChromium = errors.New("no Chromium on this machine")

// shared is the one browser of this test binary.
var shared chromium

type chromium struct {
	mu      sync.Mutex
	ends    bool            // guarded by mu: Main will end it
	tried   bool            // guarded by mu: ctx and err are decided
	ctx     context.Context //nolint:containedctx // guarded by mu; chromedp keeps the browser in it
	err     error           // guarded by mu
	profile string          // guarded by mu: the browser account's own directory
}

// start returns the running browser, starting it at the first call. The caller
// holds mu.
func (c *chromium) start() (context.Context, error) {
	if !c.ends {
		return nil, errors.New("browsertest: this binary needs func TestMain(m *testing.M) { browsertest.Main(m) }")
	}
	if c.tried {
		return c.ctx, c.err
	}
	c.tried = true
	path, err := find()
	if err != nil {
		c.err = err
		return nil, err
	}
	if c.profile, err = os.MkdirTemp("", "tangkal-browsertest-"); err != nil {
		c.err = err
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(c.profile, "profile")),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("mute-audio", true),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.Dir = c.profile
			cmd.Env = []string{"HOME=" + c.profile, "TMPDIR=" + c.profile, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
			c.err = ordinary(cmd, c.profile)
		}))
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Run(ctx); err != nil {
		c.err = fmt.Errorf("start %s: %w", path, errors.Join(err, c.err))
	}
	if c.err == nil {
		c.ctx = ctx
	}
	return c.ctx, c.err
}

// stop ends the browser, waits for it, and removes what it wrote.
func (c *chromium) stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != nil {
		if err := chromedp.Cancel(c.ctx); err != nil {
			return fmt.Errorf("end the browser: %w", err)
		}
	}
	if c.profile != "" {
		return os.RemoveAll(c.profile)
	}
	return nil
}

// find returns the path of a Chromium.
func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoChromium
}

// newTab opens an empty tab in a window with a profile of its own, and returns
// how to forget that profile. (chromedp's own WithNewBrowserContext asks for a
// tab without a window, which headless Chromium refuses.)
func newTab(browser context.Context) (target.ID, func(), error) {
	ctx := cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
	profile, err := target.CreateBrowserContext().Do(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("make a browser profile: %w", err)
	}
	tab, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("open a tab: %w", err)
	}
	return tab, func() { _ = target.DisposeBrowserContext(profile).Do(ctx) }, nil // the browser ends soon in any case
}
