package outbox_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	hooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/deliver"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/fetch"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// A receiver is a platform's real HTTP server.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	status  int        // what it answers; guarded by mu
	got     []received // guarded by mu
	arrived chan notes.Webhook
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusNoContent, arrived: make(chan notes.Webhook, 20000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		status := r.status
		r.got = append(r.got, received{req.Header.Clone(), body})
		r.mu.Unlock()
		w.WriteHeader(status)
		var m notes.Webhook
		if json.Unmarshal(body, &m) == nil {
			r.arrived <- m
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// patience is how long something may take that happens by itself, on a machine
// that is busy.
const patience = 2 * time.Minute

func (r *receiver) wait(t *testing.T) notes.Webhook {
	t.Helper()
	select {
	case m := <-r.arrived:
		return m
	case <-time.After(patience):
		t.Fatal("nothing arrived")
		return notes.Webhook{}
	}
}

// An exchange is an outbox with a feed, one platform and a clock.
type exchange struct {
	db    *db.DB
	feed  *feed.Feed
	clock *clock.Manual
	box   *outbox.Outbox
	admin party.Actor
}

func start(t *testing.T, d *db.DB) *exchange {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC))
	x := startAt(t, d, c)
	x.clock = c
	return x
}

// startAt is start by any clock.
func startAt(t *testing.T, d *db.DB, c clock.Clock) *exchange {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	v, err := vault.Open(vault.Config{Dir: filepath.Join(dir, "vault"), KeyFile: filepath.Join(dir, "key")})
	if err != nil {
		t.Fatal(err)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	client, err := fetch.New(fetch.Config{AllowHTTP: true, AllowPrefixes: loopback, Ports: ports()})
	if err != nil {
		t.Fatal(err)
	}
	f := feed.New(d, c, log)
	x := &exchange{db: d, feed: f}
	x.box = outbox.New(outbox.Deps{DB: d, Feed: f, Clock: c, Vault: v, Log: log, Send: deliver.Webhook(client.HTTP()), BaseURL: "https://exchange.example", AllowHTTP: true})
	f.Subscribe(x.box.Subscription())
	x.admin = x.platform(t, "ruangsuara")
	return x
}

// ports are those that test servers listen on.
func ports() []uint16 {
	var all []uint16
	for p := 1024; p < 65536; p++ {
		all = append(all, uint16(p))
	}
	return all
}

func (x *exchange) platform(t *testing.T, code string) party.Actor {
	t.Helper()
	var p party.Party
	if err := x.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = party.Add(ctx, tx, party.Party{Code: code, Kind: party.Platform, Name: code, Zone: "Asia/Jakarta"}, x.box.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return party.Actor{Party: p.ID, PartyKind: party.Platform, Person: "somebody", Roles: []party.Role{party.Admin}, Touched: true}
}

func (x *exchange) record(t *testing.T, kind string, to party.ID) {
	t.Helper()
	if err := x.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := x.feed.Record(ctx, tx, feed.Event{Kind: kind, Object: "notice", ObjectID: "n1", Ref: "DEMO-PH-2026-00001", Audience: []string{string(to)}, At: x.clock.Now()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	x.drain(t)
}

// run starts the sender; it stops with t.
func (x *exchange) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.box.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (x *exchange) endpoint(t *testing.T, to string, events ...string) (outbox.Endpoint, string) {
	t.Helper()
	e, secret, err := x.box.AddEndpoint(t.Context(), x.admin, to, "inbox", events)
	if err != nil {
		t.Fatal(err)
	}
	return e, secret
}

func TestAWebhookIsSignedSoThatThePublicLibraryAndOursBelieveIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		// The public library compares with the machine's clock.
		x.clock.Set(time.Now())
		r := newReceiver(t)
		e, secret := x.endpoint(t, r.URL)
		x.run(t)
		x.record(t, "notice.sent", x.admin.Party)
		m := r.wait(t)
		if m.Type != "notice.sent" || m.Reference != "DEMO-PH-2026-00001" || m.URL != "https://exchange.example/api/v1/notices/n1" {
			t.Errorf("got %+v", m)
		}
		got := r.got[0]
		public, err := hooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := public.Verify(got.body, got.header); err != nil {
			t.Errorf("the public library: %v", err)
		}
		id, err := notes.VerifyHook(got.header, got.body, time.Now(), notes.HookKeys{Public: []ed25519.PublicKey{e.Public}})
		if err != nil || id != m.ID {
			t.Errorf("ours: %q, %v", id, err)
		}
	})
}

func TestARepeatedAttemptKeepsItsIdentifierAndADeadEndpointDelaysNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		dead, alive := newReceiver(t), newReceiver(t)
		dead.answer(http.StatusServiceUnavailable)
		failing, _ := x.endpoint(t, dead.URL)
		x.endpoint(t, alive.URL)
		x.run(t)
		x.record(t, "notice.sent", x.admin.Party)
		x.record(t, "notice.withdrawn", x.admin.Party)
		first := dead.wait(t)
		for _, want := range []string{"notice.sent", "notice.withdrawn"} {
			if m := alive.wait(t); m.Type != want {
				t.Errorf("got %s, want %s", m.Type, want)
			}
		}
		// The failed attempt must be on record before the clock moves on.
		wantCount(t, x, 1, `SELECT count(*) FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.endpoint_id = $1`, failing.ID)
		dead.answer(http.StatusOK)
		x.clock.Advance(time.Minute)
		again, next := dead.wait(t), dead.wait(t)
		if again.ID != first.ID || next.ID == first.ID {
			t.Errorf("attempts had identifiers %s, %s, then %s", first.ID, again.ID, next.ID)
		}
		wantAccepted(t, x, failing.ID, 2)
	})
}

// wantAccepted waits until n deliveries of an endpoint are accepted.
func wantAccepted(t *testing.T, x *exchange, endpoint string, n int) {
	t.Helper()
	wantCount(t, x, n, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND state = 'accepted'`, endpoint)
}

// wantCount waits until a query about an endpoint counts n.
func wantCount(t *testing.T, x *exchange, n int, query, endpoint string) {
	t.Helper()
	got := 0
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		c, err := db.Value[int64](t.Context(), x.db, query, endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if got = int(c); got == n {
			return
		}
	}
	t.Errorf("counted %d, want %d: %s", got, n, query)
}

func TestAnEndpointDownForThreeDaysLosesNothing(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	r := newReceiver(t)
	r.answer(http.StatusBadGateway)
	e, _ := x.endpoint(t, r.URL)
	const messages = 50
	for range messages {
		x.record(t, "notice.sent", x.admin.Party)
	}
	x.run(t)
	attempts := 0
	for begun := x.clock.Now(); x.clock.Now().Sub(begun) < 75*time.Hour; attempts++ {
		r.wait(t)
		// The attempt must be on record before the clock moves on.
		wantCount(t, x, attempts+1, `SELECT count(*) FROM delivery_attempts WHERE $1 <> ''`, e.ID)
		x.clock.Advance(70 * time.Minute)
		x.record(t, "notice.message", x.admin.Party) // wakes the sender, which else looks once a second
	}
	if attempts < 60 {
		t.Errorf("%d attempts in 75 hours, want one in each of 70 minutes", attempts)
	}
	r.answer(http.StatusOK)
	x.clock.Advance(2 * time.Hour)
	wantAccepted(t, x, e.ID, messages+attempts)
	ids := map[string]bool{}
	for _, m := range r.got {
		ids[m.header.Get("webhook-id")] = true
	}
	if len(ids) != messages+attempts {
		t.Errorf("%d different identifiers arrived, want %d", len(ids), messages+attempts)
	}
}

func TestOnlyWhatWasAskedForIsSentAndOnlyToItsParty(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		other := x.platform(t, "kabarkita")
		r := newReceiver(t)
		x.endpoint(t, r.URL, "notice.sent", "crisis.*")
		x.run(t)
		x.record(t, "notice.sent", other.Party)
		x.record(t, "notice.answered", x.admin.Party)
		x.record(t, "crisis.declared", x.admin.Party)
		if m := r.wait(t); m.Type != "crisis.declared" {
			t.Errorf("got %s for %s", m.Type, m.Party)
		}
		if len(r.arrived) != 0 {
			t.Error("more arrived")
		}
	})
}

func TestAMessageThatIsRefusedHoldsUpNoOther(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	r := newReceiver(t)
	r.answer(http.StatusGone)
	x.endpoint(t, r.URL)
	x.record(t, "notice.sent", x.admin.Party)
	x.record(t, "notice.message", x.admin.Party)
	x.run(t)
	if a, b := r.wait(t), r.wait(t); a.Type != "notice.sent" || b.Type != "notice.message" {
		t.Errorf("got %s and %s", a.Type, b.Type)
	}
}

func TestWrongEndpointsAreRefused(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	x.box.AllowHTTP = false
	for raw, code := range map[string]string{
		"":                               "outbox.url",
		"hooks":                          "outbox.url",
		"https://":                       "outbox.url",
		"http://hooks.example/x":         "outbox.url-https",
		"ftp://hooks.example/x":          "outbox.url-https",
		"https://me:pw@hooks.example/x":  "outbox.url-user",
		"https://hooks.example/\x7f":     "outbox.url",
		"javascript:alert(1)//x.example": "outbox.url",
	} {
		_, _, err := x.box.AddEndpoint(t.Context(), x.admin, raw, "", nil)
		e, ok := fault.As(err)
		if !ok || len(e.Parts) != 1 || e.Parts[0].Code != code || e.Parts[0].Field != "/url" {
			t.Errorf("%q: got %v, want %s", raw, err, code)
		}
	}
	stranger := x.admin
	stranger.Roles = []party.Role{party.Analyst}
	if _, _, err := x.box.AddEndpoint(t.Context(), stranger, "https://hooks.example", "", nil); fault.Of(err) != fault.Denied {
		t.Errorf("without the role: %v", err)
	}
	if n, err := db.Value[int64](t.Context(), x.db, `SELECT count(*) FROM endpoints`); err != nil || n != 0 {
		t.Errorf("%d endpoints were stored (%v)", n, err)
	}
}

func TestNobodyReachesAnotherPartysEndpoint(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	e, _ := x.endpoint(t, "https://hooks.example/x")
	other := x.platform(t, "kabarkita")
	for name, err := range map[string]error{
		"remove": x.box.RemoveEndpoint(t.Context(), other, e.ID),
		"test":   func() error { _, err := x.box.Test(t.Context(), other, e.ID); return err }(),
		"resume": x.box.Resume(t.Context(), other, e.ID),
		"rotate": func() error { _, _, err := x.box.Rotate(t.Context(), other, e.ID); return err }(),
	} {
		if fault.Of(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	x.record(t, "notice.sent", x.admin.Party)
	own, err := x.box.Deliveries(t.Context(), x.admin, e.ID, 0, 10)
	if err != nil || len(own) != 1 {
		t.Fatalf("the owner's deliveries: %v, %v", own, err)
	}
	if d, err := x.box.Deliveries(t.Context(), other, e.ID, 0, 10); err != nil || len(d) != 0 {
		t.Errorf("deliveries: %v, %v", d, err)
	}
	if a, err := x.box.Attempts(t.Context(), other, own[0].ID); fault.Of(err) != fault.NotFound || len(a) != 0 {
		t.Errorf("attempts: %v, %v", a, err)
	}
	if _, err := x.box.Attempts(t.Context(), x.admin, own[0].ID); err != nil {
		t.Errorf("the owner's attempts: %v", err)
	}
	if all, err := x.box.Endpoints(t.Context(), other); err != nil || len(all) != 0 {
		t.Errorf("endpoints: %v, %v", all, err)
	}
	if all, err := x.box.Endpoints(t.Context(), x.admin); err != nil || len(all) != 1 {
		t.Errorf("the owner's endpoints: %v, %v", all, err)
	}
}

// A party's own housekeeping is no news to its machines.
func TestHousekeepingIsNotSent(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	e, _ := x.endpoint(t, "https://hooks.example/x")
	for _, object := range []string{"webhook", "api-key", "key", "person", "invitation", "party"} {
		if err := x.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := x.feed.Record(ctx, tx, feed.Event{Kind: object + ".changed", Object: object, ObjectID: e.ID, Audience: []string{string(x.admin.Party)}, At: x.clock.Now()})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	x.record(t, "notice.sent", x.admin.Party)
	own, err := x.box.Deliveries(t.Context(), x.admin, e.ID, 0, 20)
	if err != nil || len(own) != 1 || own[0].Type != "notice.sent" {
		t.Errorf("to be delivered: %+v, %v", own, err)
	}
}

// Two nodes over one database: while one sends, the other leaves the message
// alone, and what came of it is on record.
func TestOneNodeSendsWhatAnotherIsSending(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		began, goOn := make(chan string, 2), make(chan struct{})
		x.box.Send = func(ctx context.Context, m outbox.Message) outbox.Result {
			began <- m.ID
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			return outbox.Result{Status: http.StatusOK}
		}
		e, _ := x.endpoint(t, "https://hooks.example/x")
		other := outbox.New(x.box.Deps)
		looked := make(chan struct{}, 100)
		other.Send = func(_ context.Context, m outbox.Message) outbox.Result {
			began <- m.ID
			return outbox.Result{Status: http.StatusOK}
		}
		other.Clock = watched{x.clock, looked}
		x.record(t, "notice.sent", x.admin.Party)
		x.run(t)
		first := <-began
		(&exchange{box: other}).run(t)
		for range 3 { // the other node has looked for work and found none
			<-looked
		}
		if len(began) != 0 {
			t.Error("another node sends the same message at the same time")
		}
		close(goOn)
		wantAccepted(t, x, e.ID, 1)
		x.drain(t)
		n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM feed_entries WHERE kind = 'delivery.accepted' AND data LIKE $1`, "%"+first+"%")
		if err != nil || n != 1 {
			t.Errorf("%d entries say that the message was accepted, want 1: %v", n, err)
		}
		if len(began) != 0 {
			t.Error("the message was sent twice")
		}
	})
}

// A watched clock tells whenever somebody reads it.
type watched struct {
	clock.Clock
	read chan<- struct{}
}

// Now implements clock.Clock.
func (w watched) Now() time.Time {
	select {
	case w.read <- struct{}{}:
	default:
	}
	return w.Clock.Now()
}

func TestDuringARotationBothKeysSign(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	x.clock.Set(time.Now())
	r := newReceiver(t)
	e, secret := x.endpoint(t, r.URL)
	_, fresh, err := x.box.Rotate(t.Context(), x.admin, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	x.run(t)
	x.record(t, "notice.sent", x.admin.Party)
	r.wait(t)
	for name, s := range map[string]string{"old": secret, "new": fresh} {
		lib, err := hooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := lib.Verify(r.got[0].body, r.got[0].header); err != nil {
			t.Errorf("%s key: %v", name, err)
		}
	}
	// A day later the old key is worth nothing any more. Its signature would be
	// of a time that the public library refuses, so it is counted.
	x.clock.Advance(25 * time.Hour)
	x.record(t, "notice.sent", x.admin.Party)
	r.wait(t)
	for i, want := range []int{4, 2} { // v1 and v1a of each key
		if got := len(strings.Fields(r.got[i].header.Get(notes.HeaderHookSignature))); got != want {
			t.Errorf("message %d has %d signatures, want %d", i, got, want)
		}
	}
}

func TestATestMessageReachesOnlyItsEndpoint(t *testing.T) {
	x := start(t, dbtest.SQLite(t))
	one, two := newReceiver(t), newReceiver(t)
	e, _ := x.endpoint(t, one.URL, "notice.sent")
	other, _ := x.endpoint(t, two.URL)
	if _, err := x.box.Test(t.Context(), x.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	x.drain(t)
	x.run(t)
	if m := one.wait(t); m.Type != "webhook.test" {
		t.Errorf("got %s", m.Type)
	}
	wantCount(t, x, 1, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1`, e.ID)
	wantCount(t, x, 0, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1`, other.ID)
}

func FuzzEndpointURL(f *testing.F) {
	for i, s := range []string{"https://a.example/x", "http://[::1]", "//x", "https://\x00"} {
		f.Add(s, strconv.Itoa(i))
	}
	x := &outbox.Outbox{}
	f.Fuzz(func(t *testing.T, raw, label string) {
		err := x.Check(raw, label, []string{raw})
		if err == nil {
			if u, perr := url.Parse(raw); perr != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%q was accepted: %s", raw, fmt.Sprint(perr))
			}
		}
	})
}

// An upgrade must not make a platform's endpoint look broken, nor its message
// wait out the time of a claim.
func TestAMessageThatAStopBreaksOffGoesOutAtTheNextStart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		arrived, hang := make(chan string, 9), make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			arrived <- r.Header.Get("webhook-id")
			<-hang
		}))
		defer slow.Close()
		e, _, err := x.box.AddEndpoint(t.Context(), x.admin, slow.URL, "desk", nil)
		if err != nil {
			t.Fatal(err)
		}
		x.record(t, "notice.sent", x.admin.Party)
		x.drain(t)
		ids := map[string]bool{}
		for range 2 { // the clock stands still: what is not due at once never comes
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- x.box.Run(ctx) }()
			select {
			case id := <-arrived:
				ids[id] = true
			case <-time.After(patience):
				t.Fatal("nothing arrived")
			}
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
		close(hang)
		if len(ids) != 1 {
			t.Errorf("one message came under the ids %v", ids)
		}
		got, err := x.box.Deliveries(t.Context(), x.admin, e.ID, 0, 9)
		if err != nil || len(got) != 1 || got[0].State != outbox.Waiting || got[0].Attempts != 0 || got[0].LastError != "" {
			t.Errorf("the delivery is %+v (%v)", got, err)
		}
		failing, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM endpoints WHERE failing_since IS NOT NULL`)
		if err != nil || failing != 0 {
			t.Errorf("%d endpoints are shown as failing for our stop (%v)", failing, err)
		}
	})
}
