// Package exchangetest starts the whole server on a real port for a test, with
// a small cast of made-up organisations and people.
package exchangetest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/porttest"
)

// An Exchange is a running server and its cast.
type Exchange struct {
	App      *app.App
	URL      string // of the pages and the API
	Evidence string // origin of evidence
	Clock    clock.Clock
	Config   app.Config // what another process needs to serve the same data
	cast     map[string]*Person
}

// A Person is a member of the cast with a signed-in browser, an API key and a
// signing key of their own.
type Person struct {
	party.Actor
	Code    string // of their party
	Email   string
	Key     party.KeyID
	Private ed25519.PrivateKey
	APIKey  string
	Browser *http.Client // with a session
	x       *Exchange
}

// The cast, by the names that tests use.
var cast = []struct {
	name  string
	org   party.Party
	roles []party.Role
}{
	{"analyst", agency, []party.Role{party.Analyst}},
	{"second-analyst", agency, []party.Role{party.Analyst}},
	{"approver", agency, []party.Role{party.Approver}},
	{"agency-admin", agency, []party.Role{party.Admin}},
	{"officer", authority, []party.Role{party.Officer}},
	{"second-officer", authority, []party.Role{party.Officer, party.Admin}},
	{"platform", ruangsuara, []party.Role{party.Analyst, party.Admin}},
	{"other-platform", kabarkita, []party.Role{party.Analyst, party.Admin}},
	{"same-analyst", same, []party.Role{party.Analyst}},
	{"same-approver", same, []party.Role{party.Approver}},
	{"same-officer", same, []party.Role{party.Officer, party.Admin}},
	{"eu-analyst", european, []party.Role{party.Analyst}},
	{"eu-approver", european, []party.Role{party.Approver}},
	{"eu-officer", european, []party.Role{party.Officer}},
	{"reviewer", oversight, []party.Role{party.Reviewer}},
}

var (
	agency     = party.Party{Code: "tangkal-daring", Kind: party.Agency, Name: "Dit. Tangkal Daring", Jurisdiction: "id", Languages: []string{"id", "en"}, Contact: "duty@tangkal.example", Establishment: "ID", Zone: "Asia/Jakarta"}
	authority  = party.Party{Code: "kem-komunikasi", Kind: party.Authority, Name: "Kem. Komunikasi", Jurisdiction: "id", Languages: []string{"id", "en"}, Contact: "orders@komunikasi.example", Establishment: "ID", Zone: "Asia/Jakarta"}
	same       = party.Party{Code: "meridia-cyber", Kind: party.Agency, Name: "Meridia Cyber Unit", Jurisdiction: "id", Languages: []string{"id", "en"}, Contact: "desk@meridia.example", Establishment: "ID", Zone: "Asia/Jakarta"}
	european   = party.Party{Code: "home-authority", Kind: party.Authority, Name: "Aurelia Content Authority", Jurisdiction: "eu-tco", Languages: []string{"en"}, Contact: "tco@aurelia.example", Establishment: "NL", Zone: "Europe/Amsterdam"}
	ruangsuara = party.Party{Code: "ruangsuara", Kind: party.Platform, PlatformKinds: []string{"social"}, PlatformKey: "ruangsuara", Name: "Ruangsuara", Languages: []string{"id", "en"}, Contact: "safety@ruangsuara.example", LegalRepresentative: "PT Ruang Suara Contoh", Establishment: "ID", Zone: "Asia/Jakarta"}
	kabarkita  = party.Party{Code: "kabarkita", Kind: party.Platform, PlatformKinds: []string{"social"}, PlatformKey: "kabarkita", Name: "Kabarkita", Languages: []string{"id", "en"}, Contact: "safety@kabarkita.example", LegalRepresentative: "Kabarkita B.V.", Establishment: "NL", Zone: "Europe/Amsterdam"}
	oversight  = party.Party{Code: "dewan-pengawas", Kind: party.Oversight, Name: "Dewan Pengawas", Jurisdiction: "id", Languages: []string{"id"}, Contact: "dewan@pengawas.example", Establishment: "ID", Zone: "Asia/Jakarta"}
)

// Start starts a server over a fresh SQLite database.
func Start(t testing.TB) *Exchange {
	t.Helper()
	return StartOn(t, dbtest.SQLiteURL(t), clock.System{})
}

// Each starts a server on SQLite and one on PostgreSQL, and runs f on both in
// parallel.
func Each(t *testing.T, f func(t *testing.T, x *Exchange)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); f(t, Start(t)) })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, StartOn(t, dbtest.MigratedURL(t), clock.System{}))
	})
}

// StartOn starts a server over the database at dbURL with the given clock. Each
// of change sets what this server has otherwise.
func StartOn(t testing.TB, dbURL string, c clock.Clock, change ...func(*app.Config)) *Exchange {
	t.Helper()
	x, l := open(t, "127.0.0.1:0", dbURL, c, change...)
	x.run(t, l)
	return x
}

// StartWith starts a server over a fresh SQLite database, configured otherwise
// than usual.
func StartWith(t testing.TB, change func(*app.Config)) *Exchange {
	t.Helper()
	x := Prepare(t, dbtest.SQLiteURL(t))
	change(&x.Config)
	x.Serve(t)
	return x
}

// Serve starts a server over prepared data, or again once it was stopped, and
// returns what stops it. Each of change is done to what was opened, before it
// serves.
func (x *Exchange) Serve(t testing.TB, change ...func(*app.App)) (stop func()) {
	t.Helper()
	x.Open(t)
	for _, f := range change {
		f(x.App)
	}
	l, err := net.Listen("tcp", x.Config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	return x.run(t, l)
}

// Open opens prepared data as App without serving it: nothing happens by
// itself. Whoever opens it closes it.
func (x *Exchange) Open(t testing.TB) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if x.App, err = app.Open(t.Context(), x.Config, x.Clock, log); err != nil {
		t.Fatal(err)
	}
}

// A test binary is also the worker that opens pictures: its server starts it
// again, before any test.
var _ = asWorker()

func asWorker() struct{} {
	cage.Main()
	return struct{}{}
}

// run serves on l until the returned function is called, or the test ends.
func (x *Exchange) run(t testing.TB, l net.Listener) (stop func()) {
	t.Helper()
	a := x.App
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended: %v", err)
		}
		a.Close()
	})
	t.Cleanup(stop)
	return stop
}

// Prepare makes the data of a server over the database at dbURL, with an API
// key for each of the cast, and closes it, so that Serve, or another process as
// Config says, can serve it. App is closed then.
func Prepare(t testing.TB, dbURL string) *Exchange {
	t.Helper()
	x, l := open(t, porttest.Reserve(t), dbURL, clock.System{}) // its own, also while nobody listens
	for _, p := range x.cast {
		p.WithAPIKey(t)
	}
	x.App.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return x
}

// open opens an instance that listens at an address, and seeds it.
func open(t testing.TB, address, dbURL string, c clock.Clock, change ...func(*app.Config)) (*Exchange, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	x := &Exchange{
		URL: fmt.Sprintf("http://localhost:%d", port), Evidence: fmt.Sprintf("http://evidence.localhost:%d", port),
		Clock: c, cast: map[string]*Person{},
	}
	x.Config = app.Config{
		Data: t.TempDir(), DB: dbURL, Listen: l.Addr().String(), PublicURL: x.URL, EvidenceOrigin: x.Evidence,
		InstanceCode: "TEST", InstanceName: "Test", Jurisdiction: "id", Demo: true, QuietRate: 1e6,
		AllowPrefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, AllowPorts: AnyPort(),
	}
	for _, f := range change {
		f(&x.Config)
	}
	x.Open(t)
	x.seed(t)
	return x, l
}

// AnyPort lists the ports that test servers listen on.
func AnyPort() []uint16 {
	ports := make([]uint16, 0, 1<<16)
	for p := 80; p < 1<<16; p++ {
		ports = append(ports, uint16(p))
	}
	return ports
}

// testWriter sends the server's log to the test's.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// seed makes the cast.
func (x *Exchange) seed(t testing.TB) {
	t.Helper()
	for _, c := range cast {
		x.Join(t, c.name, c.org, c.roles...)
	}
}

// Join adds a person called name to the cast, and them and their organisation to
// the data unless they are there. Their key is a new one.
func (x *Exchange) Join(t testing.TB, name string, org party.Party, roles ...party.Role) *Person {
	t.Helper()
	err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		known, err := party.ByCode(ctx, tx, org.Code)
		if errors.Is(err, db.ErrAbsent) || fault.Of(err) == fault.NotFound {
			known, err = party.Add(ctx, tx, org, x.Clock.Now())
		}
		if err != nil {
			return err
		}
		p := party.Person{Party: known.ID, Name: strings.ToUpper(name[:1]) + name[1:], Email: name + "@" + org.Code + ".example", Roles: roles, Lang: "id", Zone: org.Zone}
		there, err := party.ByEmail(ctx, tx, p.Email)
		if fault.Of(err) == fault.NotFound {
			there, err = party.AddPerson(ctx, tx, p, x.Clock.Now())
		}
		if p = there; err != nil {
			return err
		}
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		k, err := party.AddKey(ctx, tx, party.Key{Person: p.ID, Method: party.BrowserKey, Public: public, Label: "test"}, x.Clock.Now())
		if err != nil {
			return err
		}
		actor, err := auth.ActorFor(ctx, tx, p.ID)
		x.cast[name] = &Person{Actor: actor, Code: org.Code, Email: p.Email, Key: k.ID, Private: private, x: x}
		return err
	})
	if err != nil {
		t.Fatalf("join %s: %v", name, err)
	}
	return x.cast[name]
}

// Cast returns a member of the cast who has not signed in and works by API.
func (x *Exchange) Cast(t testing.TB, name string) *Person {
	t.Helper()
	p, ok := x.cast[name]
	if !ok {
		t.Fatalf("nobody in the cast is called %q", name)
	}
	return p
}

// As returns a member of the cast, signed in.
func (x *Exchange) As(t testing.TB, name string) *Person {
	t.Helper()
	p := x.Cast(t, name)
	if p.Browser == nil {
		p.signIn(t)
	}
	return p
}

// signIn answers a challenge with the person's key, as their browser does.
func (p *Person) signIn(t testing.TB) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Browser = &http.Client{Jar: jar, Timeout: time.Minute}
	resp, err := p.Browser.PostForm(p.x.URL+"/demo/sign-in", url.Values{"person": {string(p.Person)}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only the cookie matters
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("sign in: %s", resp.Status)
	}
}

// WithAPIKey gives the person an API key, once.
func (p *Person) WithAPIKey(t testing.TB) *Person {
	t.Helper()
	if p.APIKey != "" {
		return p
	}
	_, secret, err := p.x.App.Auth.AddAPIKey(t.Context(), p.Actor, p.Person, "test", []auth.Scope{auth.ScopeRead, auth.ScopeWrite}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	p.APIKey = secret
	return p
}

// Sign signs a digest with the person's own key, as base64.
func (p *Person) Sign(digest [32]byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(p.Private, digest[:]))
}

// SignBytes is Sign without the text form.
func (p *Person) SignBytes(digest [32]byte) []byte { return ed25519.Sign(p.Private, digest[:]) }

// Call sends one API request with the person's API key and a JSON body, and
// returns the status and the decoded answer.
func (p *Person) Call(t testing.TB, method, path string, body any) (int, map[string]any) {
	t.Helper()
	p.WithAPIKey(t)
	var raw io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, p.x.URL+path, raw)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.APIKey)
	req.Header.Set("Accept-Language", "en")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil && err != io.EOF {
		t.Fatalf("%s %s: %s: %v", method, path, resp.Status, err)
	}
	return resp.StatusCode, out
}
