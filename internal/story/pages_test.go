package story_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/demo"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// A look is a page as somebody sees it.
type look struct{ name, who, path string }

// show is the demonstration, running, with what there is to look at.
type show struct {
	url   string
	cast  *demo.Cast
	looks []look
	jars  map[string]http.CookieJar
}

// perform starts the demonstration with a share of its stories, in percent.
func perform(t *testing.T, share int) *show {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the server
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	s := &show{url: fmt.Sprintf("http://localhost:%d", port), jars: map[string]http.CookieJar{}}
	at := demo.NewClock()
	log := slog.New(slog.DiscardHandler)
	a, err := app.Open(t.Context(), app.Config{
		Data: t.TempDir(), Listen: l.Addr().String(), PublicURL: s.url, EvidenceOrigin: fmt.Sprintf("http://evidence.localhost:%d", port),
		InstanceCode: "DEMO", InstanceName: "Tangkal Demo", Jurisdiction: "id", Demo: true, AllowPorts: exchangetest.AnyPort(),
	}, at, log)
	if err != nil {
		t.Fatal(err)
	}
	in := demo.Instance{DB: a.DB, Feed: a.Feed, Auth: a.Auth, Report: a.Report, Casework: a.Casework, Notice: a.Notice, Duty: a.Duty, Clock: at, Log: log}
	if s.cast, err = demo.Gather(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	a.Around = at.Around
	a.Prelude = func(ctx context.Context) error {
		err := demo.Tell(ctx, in, s.cast, demo.Plan{Seed: 7, Share: share})
		told <- err
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.Close()
	})
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	s.choose(t, a)
	return s
}

// open opens a page for somebody in a view.
func (s *show) open(t *testing.T, l look, v browsertest.View) *browsertest.Page {
	t.Helper()
	p := browsertest.Open(t, v)
	if l.who != "" {
		if s.jars[l.who] == nil {
			s.jars[l.who] = s.signIn(t, l.who)
		}
		p.Bring(s.jars[l.who], s.url)
	}
	lang := v.Lang
	if lang == "" {
		lang = "id"
	}
	p.Run(network.SetCookie("lang", lang).WithURL(s.url))
	p.Go(s.url + l.path)
	return p
}

func (s *show) signIn(t *testing.T, who string) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: time.Minute}
	resp, err := client.PostForm(s.url+"/demo/sign-in", url.Values{"person": {string(s.cast.Actor(who).Person)}}) //nolint:noctx // a test's request
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("sign in %s: %v, %v", who, resp, err)
	}
	return jar
}

// views are how each page is looked at: both languages, light and dark, desk
// and phone.
var views = map[string]browsertest.View{
	"":           {},
	"-dark-en":   {Dark: true, Lang: "en"},
	"-phone":     {Phone: true},
	"-phone-d-e": {Phone: true, Dark: true, Lang: "en"},
}

// pocket are the pages of the console that people need on a phone: to see what
// waits, to look when somebody will be hurt, to read and to sign.
var pocket = map[string]bool{
	"waiting": true, "urgent": true, "duty": true, "find": true, "approvals": true, "order": true, "orders": true, "inbox": true, "inbox-notice": true, "profile": true,
	"accuracy": true, "lists": true, "list": true, "list-draft": true, "registers": true, "register": true, "register-entry": true,
	"issue": true, "approval": true, "batch": true, "break": true,
}

// TestEveryPageIsAccessible opens every page in both languages, light and dark,
// and lets axe-core find what is wrong; public pages and pocket also on a phone,
// where none may be wider than the screen.
func TestEveryPageIsAccessible(t *testing.T) {
	s := perform(t, 12)
	s.everyRoute(t, web.New(web.Deps{
		Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Sessions: auth.New(nil, nil, clock.System{}, nil).NewSessions(true),
	}).Routes())
	for suffix, v := range views {
		for _, l := range s.looks {
			if v.Phone && l.who != "" && !pocket[l.name] {
				continue
			}
			t.Run(l.name+suffix, func(t *testing.T) {
				p := s.open(t, l, v)
				if cut := p.Clipped(); len(cut) > 0 {
					t.Errorf("cut off above or below: %q", cut)
				}
				if wide := p.Overflow(); v.Phone && wide > 0 {
					t.Errorf("%d px too wide for a phone", wide)
				}
				axetest.Check(t, p.Context, "")
				if said := p.Complaints(); len(said) > 0 {
					t.Errorf("the page complained: %q", said)
				}
			})
		}
	}
}

// TestScreens pictures every page for docs/screens: "make screens". The
// directory that TANGKAL_SCREENS names gets one picture a page and phone, that
// of TANGKAL_SCREENS_ALL all variants.
func TestScreens(t *testing.T) {
	dir, all := os.Getenv("TANGKAL_SCREENS"), os.Getenv("TANGKAL_SCREENS_ALL")
	if dir == "" && all == "" {
		t.Skip("make screens asks for pictures")
	}
	s := perform(t, 100)
	for suffix, v := range views {
		for _, l := range s.looks {
			p := s.open(t, l, v)
			var shot []byte
			p.Run(chromedp.WaitReady("body", chromedp.ByQuery), chromedp.Evaluate(`document.fonts.ready.then(() => true)`, nil), chromedp.CaptureScreenshot(&shot))
			small := reduce(t, shot, 256)
			for colours := 128; len(small) > maxShot && colours >= 32; colours /= 2 {
				small = reduce(t, shot, colours)
			}
			for _, to := range []string{dir, all} {
				if to == "" || to == dir && suffix != "" && suffix != "-phone" {
					continue
				}
				if err := os.WriteFile(filepath.Join(to, l.name+suffix+".png"), small, 0o600); err != nil {
					t.Fatal(err)
				}
				if len(small) > maxShot {
					t.Errorf("%s%s has %d bytes, at most %d", l.name, suffix, len(small), maxShot)
				}
			}
		}
	}
}

// maxShot bounds a picture in the repository, in bytes.
const maxShot = 80_000

// reduce stores a picture with the colours that it has most of: pages are
// flat, and a picture in the repository should be small.
func reduce(t *testing.T, shot []byte, most int) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	count := map[color.RGBA]int{}
	b := img.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA) }
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at(x, y)
			c.R, c.G, c.B = c.R&^3, c.G&^3, c.B&^3 // neighbours count together
			count[c]++
		}
	}
	colours := make([]color.RGBA, 0, len(count))
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int { return count[b] - count[a] })
	palette := make(color.Palette, 0, most)
	for _, c := range colours[:min(len(colours), most)] {
		palette = append(palette, c)
	}
	out := image.NewPaletted(b, palette)
	seen := map[color.RGBA]uint8{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at(x, y)
			i, ok := seen[c]
			if !ok {
				i = uint8(palette.Index(c))
				seen[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	var w bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&w, out); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}
