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
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/demo"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
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

// choose lists every page, with the cases and notices that show most.
func (s *show) choose(t *testing.T, a *app.App) {
	t.Helper()
	cases, _, err := a.Casework.Queue(t.Context(), s.cast.Actor("ratna"), casework.Filter{Limit: 50})
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	inbox, _, err := a.Notice.Inbox(t.Context(), s.cast.Actor("mika"), notice.Filter{Limit: 50})
	if err != nil || len(inbox) == 0 {
		t.Fatalf("no notices: %v", err)
	}
	order := inbox[0]
	for _, n := range inbox {
		if n.Issuer == s.cast.Actor("bagus").Party && n.Life == notice.Open && !n.ReceivedAt.IsZero() {
			order = n
		}
	}
	bima := s.cast.Actor("bima")
	bima.Touched = true
	hook, _, err := a.Outbox.AddEndpoint(t.Context(), bima, "https://hooks.tangkal.example/in", "case system", nil)
	if err != nil {
		t.Fatal(err)
	}
	register, entry := s.bring(t, a, cases[0].ID)
	id := string(order.ID)
	s.looks = []look{
		{"home", "", "/"},
		{"report", "", "/report"},
		{"receipt", "", "/receipt"},
		{"sign-in", "", "/sign-in"},
		{"triage", "ratna", "/triage"},
		{"case", "ratna", "/cases/" + string(cases[0].ID)},
		{"hand-overs", "ratna", "/hand-overs"},
		{"profile", "ratna", "/profile"},
		{"waiting", "sari", "/waiting"},
		{"find", "ratna", "/find?q=ruangsuara"},
		{"urgent", "ratna", "/urgent"},
		{"accuracy", "ratna", "/accuracy"},
		{"lists", "laras", "/lists"},
		{"registers", "ratna", "/registers"},
		{"register", "ratna", "/registers/" + register},
		{"register-entry", "ratna", "/register-entries/" + entry},
		{"orders", "bagus", "/orders"},
		{"order", "bagus", "/orders/" + id},
		{"print", "bagus", "/orders/" + id + "/print"},
		{"approvals", "sari", "/approvals"},
		{"issue", "bagus", "/approvals"},
		{"inbox", "mika", "/inbox"},
		{"inbox-notice", "mika", "/inbox/" + id},
		{"inbox-file", "mika", "/inbox/answers"},
		{"organisation", "bima", "/organisation"},
		{"webhook", "bima", "/organisation/webhooks/" + hook.ID},
		{"record", "bima", "/organisation/record"},
		{"duty", "bima", "/organisation/duty"},
		{"policy", "bima", "/policy/id"},
		{"policy-compare", "bima", "/policy/id/compare?version=3"},
		{"policy-eu", "jonas", "/policy/eu-tco"},
		{"oversight-order", "hana", "/orders/" + id},
	}
}

// bring lets Meridia send a list, of which Ratna finds one thing lawful, and
// Ratna bring in an old register that knows the things of a case.
func (s *show) bring(t *testing.T, a *app.App, id casework.ID) (register, entry string) {
	t.Helper()
	laras, ratna := s.cast.Actor("laras"), s.cast.Actor("ratna")
	wake, stop := a.Feed.Sequenced().Listen()
	defer stop()
	send := func(by party.Actor, f flagger.File) flagger.ID {
		l, err := a.Flagger.Upload(t.Context(), by, f)
		if err == nil {
			err = a.Flagger.Start(t.Context(), by, l.ID)
		}
		for err == nil && l.State != flagger.Done {
			<-wake
			l, err = a.Flagger.Get(t.Context(), by, l.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		return l.ID
	}
	list := send(laras, flagger.File{Kind: flagger.Reports, Name: "november.csv", Lang: i18n.EN, Content: strings.NewReader(
		"url,note\nhttps://ruangsuara.example/v/4711,first\nhttps://ruangsuara.example/v/4712,second\nnot a link,third\n")})
	v, err := a.Flagger.Look(t.Context(), laras, list, flagger.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	told, err := a.Casework.OfReport(t.Context(), ratna, v.Rows[0].Report)
	for err == nil && len(told) == 0 {
		<-wake
		told, err = a.Casework.OfReport(t.Context(), ratna, v.Rows[0].Report)
	}
	if err == nil {
		_, err = a.Casework.Close(t.Context(), ratna, []casework.ID{told[0].ID}, casework.CloseInput{Reason: "no-ground"})
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Casework.Get(t.Context(), ratna, id)
	if err != nil {
		t.Fatal(err)
	}
	old := "tautan;tanggal;keputusan;dasar;nomor;status;catatan\n" +
		c.Locations[0].URL + ";12/03/2019;Pemutusan akses;Pasal 5;KK-118/2019;dicabut;Dibuka setelah keberatan pemilik.\n" +
		c.Locations[0].URL + ";01/06/2020;Peringatan;Pasal 5;KK-204/2020;berlaku;\nhttps://ruangsuara.example/v/4713;;Peringatan;;;;\n"
	kept := send(ratna, flagger.File{Kind: flagger.Register, Name: "keputusan-2019.csv", Lang: i18n.ID, Content: strings.NewReader(old)})
	view, err := a.Flagger.Look(t.Context(), ratna, kept, flagger.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	return string(kept), string(view.Rows[0].Entry)
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
	"accuracy": true, "lists": true, "registers": true, "register": true, "register-entry": true,
}

// TestEveryPageIsAccessible opens every page in both languages, light and dark,
// and lets axe-core find what is wrong; public pages and pocket also on a phone,
// where none may be wider than the screen.
func TestEveryPageIsAccessible(t *testing.T) {
	s := perform(t, 12)
	for suffix, v := range views {
		for _, l := range s.looks {
			if v.Phone && l.who != "" && !pocket[l.name] {
				continue
			}
			t.Run(l.name+suffix, func(t *testing.T) {
				p := s.open(t, l, v)
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
