package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// A receiver is what a webhook leads to; it answers what it is told to.
type receiver struct {
	*httptest.Server
	status atomic.Int64
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.status.Store(http.StatusNoContent)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(r.status.Load())) }))
	t.Cleanup(r.Close)
	return r
}

var testForm = regexp.MustCompile(`/organisation/webhooks/([^/"]+)/test`)

// lookAgain leads to a test that is still under way.
var lookAgain = regexp.MustCompile(`href="([^"]+\?test=[^"]+)" class="lnk text-13"`)

// hooked adds a webhook of the platform's on the page.
func hooked(t *testing.T, x *exchangetest.Exchange, to string) (path string) {
	t.Helper()
	_, page := post(t, x, "platform", "/organisation/webhooks?lang=en", url.Values{"url": {to}, "label": {"inbox"}})
	ids := testForm.FindAllStringSubmatch(page, -1)
	if len(ids) == 0 {
		t.Fatal("no webhook on the page")
	}
	return "/organisation/webhooks/" + ids[len(ids)-1][1] // the newest stands last
}

// Who sends a test reads on the next page what became of it: what, where, and
// what would be right; and the log keeps it.
func TestATestShowsWhatBecameOfIt(t *testing.T) {
	x := exchangetest.Start(t)
	r := newReceiver(t)
	path := hooked(t, x, r.URL)
	if status, page := get(t, x, "platform", path+"?lang=en"); status != http.StatusOK || !strings.Contains(page, "Nothing sent yet") || !strings.Contains(page, "Nothing has been sent to it yet") {
		t.Errorf("a new webhook: %d", status)
	}
	send := func(path, lang string, want ...string) {
		t.Helper()
		_, page := post(t, x, "platform", path+"/test?lang="+lang, nil)
		for range 15 { // each waits some seconds, should the machine be slow
			m := lookAgain.FindStringSubmatch(page)
			if m == nil {
				break
			}
			_, page = get(t, x, "platform", m[1])
		}
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("the page does not say %q", w)
			}
		}
	}
	send(path, "en", "Test taken: 204 after", "took the signed test message", "webhook.test", "healthy")
	r.status.Store(http.StatusServiceUnavailable)
	send(path, "en", "Test failed: 503 after", "answered 503, an error of its own", "healthy")
	r.status.Store(http.StatusForbidden)
	send(path, "id", "Uji gagal: 403", "menolak pesan")
	r.status.Store(http.StatusFound)
	send(path, "en", "redirect 302, not followed", "give the final address")
	if _, page := get(t, x, "platform", path+"?lang=id"); strings.Count(page, ">webhook.test<") != 4 || strings.Contains(page, "pengalihan 204") {
		t.Errorf("the log has %d tests, want 4", strings.Count(page, ">webhook.test<"))
	}
	gone := newReceiver(t)
	gone.Close()
	nobody := hooked(t, x, gone.URL)
	send(nobody, "en", "Test failed: connection refused", "Nobody listens at 127")
	send(nobody, "id", "sambungan ditolak")
	for name, v := range map[string]browsertest.View{"desk": {}, "phone": {Phone: true, Dark: true}} {
		p := browsertest.Open(t, v)
		p.Bring(x.As(t, "platform").Browser.Jar, x.URL)
		p.Go(x.URL + path)
		p.Shot("webhook-" + name)
		if wide := p.Overflow(); wide > 0 {
			t.Errorf("%s: %d pixels too wide", name, wide)
		}
	}
	for _, who := range []string{"other-platform", "analyst"} {
		if status, _ := get(t, x, who, path); status != http.StatusNotFound {
			t.Errorf("%s reads it: %d", who, status)
		}
	}
}

// A webhook that failed too long says so, and a person lets it go on.
func TestAPausedWebhookIsResumedOnItsPage(t *testing.T) {
	x := exchangetest.Start(t)
	path := hooked(t, x, newReceiver(t).URL)
	statement(t, x, `UPDATE endpoints SET paused_at = 1000000, failing_since = 1000000, failures = 7 WHERE $1 <> ''`)
	for lang, want := range map[string]string{"en": "Resume sending", "id": "Lanjutkan pengiriman"} {
		if _, page := get(t, x, "platform", path+"?lang="+lang); !strings.Contains(page, want) {
			t.Errorf("%s: the page does not say %q", lang, want)
		}
	}
	if status, _ := post(t, x, "other-platform", path+"/resume", nil); status != http.StatusNotFound {
		t.Errorf("another platform resumes it: %d", status)
	}
	if _, page := post(t, x, "platform", path+"/resume?lang=en", nil); strings.Contains(page, "Resume sending") {
		t.Error("it is still paused")
	}
	all, err := x.App.Outbox.Endpoints(t.Context(), x.As(t, "platform").Actor)
	if err != nil || len(all) != 1 || all[0].Health() != outbox.Untried {
		t.Errorf("it is %+v (%v)", all, err)
	}
}

// The log is read by pages, and the end of one leads to the next.
func TestTheLogOfAWebhookHasPages(t *testing.T) {
	x := exchangetest.Start(t)
	path := hooked(t, x, newReceiver(t).URL)
	post(t, x, "platform", path+"/test", nil)
	comes(t, x, "the test", func() bool { // its news is in the feed
		_, page := get(t, x, "platform", path+"?lang=en")
		return strings.Contains(page, "Test taken")
	})
	statement(t, x, `
		WITH RECURSIVE more (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < 120)
		INSERT INTO delivery_attempts (delivery_id, n, at, status, error, took_ms, endpoint_id)
		SELECT a.delivery_id, more.n, a.at, 204, '', 1, a.endpoint_id FROM delivery_attempts a CROSS JOIN more WHERE a.n = 1 AND $1 <> ''`)
	older := regexp.MustCompile(`href="([^"]+before=[^"]+)" class="lnk text-13"`)
	rows := 0
	for next := path; next != "" && rows <= 120; {
		_, page := get(t, x, "platform", next)
		rows += strings.Count(page, ">webhook.test<")
		m := older.FindStringSubmatch(page)
		if next = ""; m != nil {
			next = m[1]
		}
	}
	if rows != 120 {
		t.Errorf("the pages show %d attempts, want 120", rows)
	}
}

// What was sent before is sent again when an administrator asks for it on the
// page, which shows who asked for what, and the log marks the repeat.
func TestWhatWasSentIsSentAgainFromThePage(t *testing.T) {
	x := exchangetest.Start(t)
	since := url.Values{"since": {"2020-01-01T00:00"}}
	came := make(chan string, 64) // identifiers of messages
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { came <- r.Header.Get("webhook-id") }))
	t.Cleanup(r.Close)
	path, platform := hooked(t, x, r.URL), x.As(t, "platform").Actor
	if err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := x.App.Feed.Record(ctx, tx, feed.Event{Kind: "drill.sent", Object: "drill", ObjectID: "d1", Audience: []string{string(platform.Party)}, At: x.App.Clock.Now()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	first := arrival(t, came)
	comes(t, x, "the message as accepted", func() bool {
		n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM deliveries WHERE id = $1 AND state = 'accepted'`, first)
		return err == nil && n == 1
	})
	for lang, want := range map[string]string{"en": "That is no date and time", "id": "Itu bukan tanggal dan waktu"} {
		status, page := post(t, x, "platform", path+"/replay?lang="+lang, url.Values{"since": {"<b>soon"}})
		if status != http.StatusUnprocessableEntity || strings.Count(page, want) != 2 || !strings.Contains(page, `value="&lt;b&gt;soon"`) {
			t.Errorf("%s: no time: %d, and the page does not say %q over it and beside it, or lost what was typed", lang, status, want)
		}
	}
	if status, _ := post(t, x, "other-platform", path+"/replay", since); status != http.StatusNotFound {
		t.Errorf("another platform has it sent again: %d", status)
	}
	if all, err := x.App.Outbox.Replays(t.Context(), platform, path[strings.LastIndex(path, "/")+1:]); err != nil || len(all) != 0 {
		t.Fatalf("asked for: %+v (%v), want nothing yet", all, err)
	}
	post(t, x, "platform", path+"/replay", since)
	if again := arrival(t, came); again != first {
		t.Errorf("came again as %s, want %s", again, first)
	}
	_, page := post(t, x, "platform", path+"/test?lang=en", nil) // goes after it, one by one
	for m := lookAgain.FindStringSubmatch(page); m != nil; m = lookAgain.FindStringSubmatch(page) {
		_, page = get(t, x, "platform", m[1])
	}
	for lang, want := range map[string][]string{"en": {"entries 1 to ", "1 message", ">sent again<"}, "id": {"entri 1 sampai ", "1 pesan", ">dikirim ulang<"}} {
		_, page := get(t, x, "platform", path+"?lang="+lang)
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: the page does not say %q", lang, w)
			}
		}
	}
	for name, v := range map[string]browsertest.View{"desk": {}, "phone": {Phone: true, Dark: true}} {
		p := browsertest.Open(t, v)
		p.Bring(x.As(t, "platform").Browser.Jar, x.URL)
		p.Go(x.URL + path)
		p.Shot("replay-" + name)
		if wide := p.Overflow(); wide > 0 {
			t.Errorf("%s: %d pixels too wide", name, wide)
		}
	}
}

// arrival waits for the next message.
func arrival(t *testing.T, came <-chan string) string {
	t.Helper()
	select {
	case id := <-came:
		return id
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing came")
		return ""
	}
}

// statement runs beside the program. It names $1, which is "-".
func statement(t *testing.T, x *exchangetest.Exchange, query string) {
	t.Helper()
	if err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, query, "-")
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
