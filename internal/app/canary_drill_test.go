package app_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/backup"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/feed"
)

// written is everything that an instance let out or wrote down. It is safe for
// concurrent use.
type written struct {
	mu  sync.Mutex
	all map[string][]byte // guarded by mu
}

func (w *written) add(name string, b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[string][]byte{}
	}
	w.all[name] = append(w.all[name], b...)
}

// logged is a log that is kept whole.
type logged struct{ to *written }

func (l logged) Write(b []byte) (int, error) {
	l.to.add("the log", b)
	return len(b), nil
}

// canaries are what only the reporter knows, each once: whatever carries one of
// them carries the reporter.
var canaries = map[string]string{
	"description": "CanaryWords7731 seen at the market", "contact": "canary-contact-7731@orang.example", "file name": "canary-name-7731.jpg",
	"file metadata": "CanaryCamera7731 6.2088S 106.8456E", "message": "CanaryMessage7731", "link": "canary-link-7731",
	"agent": "CanaryAgent/7731", "referrer": "canary-referrer-7731.example", "address": "203.0.113.77", "cookie": "canary-cookie-7731",
	"language": "x-canary-7731", "forwarded": "198.51.100.77", "real address": "192.0.2.77", "claimed type": "image/x-canary-7731",
}

// watched serves x with everything that it logs kept, until the returned
// function is called. Each of change is done to what was opened, before.
func watched(t *testing.T, x *exchangetest.Exchange, w *written, change ...func(*app.App)) (stop func()) {
	t.Helper()
	a, err := app.Open(t.Context(), x.Config, clock.System{}, slog.New(slog.NewJSONHandler(logged{w}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	x.App = a
	for _, f := range change {
		f(a)
	}
	l, err := net.Listen("tcp", x.Config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.Close()
	})
	t.Cleanup(stop)
	return stop
}

// tell sends a form or a call as the reporter's own browser would, with
// everything about them in its headers.
func tell(t *testing.T, address, kind string, body io.Reader, header ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": kind, "User-Agent": canaries["agent"], "Referer": "https://" + canaries["referrer"] + "/page", "Cookie": "who=" + canaries["cookie"],
		"X-Forwarded-For": canaries["address"], "Forwarded": "for=" + canaries["forwarded"], "X-Real-Ip": canaries["real address"], "Accept-Language": "en, " + canaries["language"],
	} {
		req.Header.Set(name, value)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s: %d %s, %v", address, res.StatusCode, got, err)
	}
	return string(got)
}

// report tells everything that a form takes, and a message after it, and
// returns the receipt.
func reportAll(t *testing.T, x *exchangetest.Exchange) string {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range map[string]string{
		"url": "https://ruangsuara.example/v/" + canaries["link"], "category": "unsure", "description": canaries["description"], "contact": canaries["contact"], "reply": "en",
	} {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreatePart(map[string][]string{
		"Content-Disposition": {`form-data; name="files"; filename="` + canaries["file name"] + `"`}, "Content-Type": {"image/jpeg"},
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(part, "\xff\xd8\xff\xe1\x00\x40Exif\x00\x00%s\xff\xd9", canaries["file metadata"])
	w.Close()
	page := tell(t, x.URL+"/report", w.FormDataContentType(), &form)
	receipt := regexp.MustCompile(`TGK(-[0-9A-Z]{4}){4}`).FindString(page)
	if receipt == "" {
		t.Fatalf("no receipt: %s", page)
	}
	tell(t, x.URL+"/api/v1/receipts/messages", jsonType, strings.NewReader(`{"text":"`+canaries["message"]+`"}`), "Receipt", receipt)
	tell(t, x.URL+"/receipt", formType, strings.NewReader("code="+receipt))
	_, body := aReport("https://ruangsuara.example/v/" + canaries["link"] + "-by-api")
	tell(t, x.URL+"/api/v1/reports", jsonType, strings.NewReader(strings.Replace(body, `"lang":"en"`, `"contact":"`+canaries["contact"]+`","description":"`+canaries["description"]+`"`, 1)))
	return receipt
}

// public is a number that stands where everybody may read it: whom to call in
// danger.
const public = "1500 7731"

// The drill of threat-model T01: nothing of a reporter stands in clear in what
// an instance writes down or lets out: database, log of the database, vault,
// the operator's log, backup, exports, webhooks. That each was searched shows
// what is no secret and stands there.
func TestDrillCanary(t *testing.T) {
	t.Parallel()
	x := exchangetest.Prepare(t, sqliteURL(t))
	w, receipt, ref := released(t, x)
	for _, f := range w.inClear(receipt) {
		t.Error(f)
	}
	for where, known := range map[string]string{
		"the log": x.Config.Listen, "public exports": public,
		"webhooks": ref, "lists": ref, "backup": ref, "tangkal.db": ref, "tangkal.db-wal": ref,
	} {
		if !bytes.Contains(w.all[where], []byte(known)) {
			t.Errorf("%s was not searched: %d bytes without %q, which is no secret", where, len(w.all[where]), known)
		}
	}
}

// The drill sees a server that logs who calls, and whose news tell it.
func TestDrillCanaryFindsWhatIsToldOfAReporter(t *testing.T) {
	t.Parallel()
	x := exchangetest.Prepare(t, sqliteURL(t))
	w, receipt, _ := released(t, x, func(a *app.App) {
		a.Around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					a.Log.InfoContext(r.Context(), "called", "by", r.UserAgent())
					tellAgent(t, x, a, r.UserAgent())
				}
				next.ServeHTTP(rw, r)
			})
		}
	})
	found := strings.Join(w.inClear(receipt), "\n")
	for _, where := range []string{"the log", "webhooks", "lists", "backup", "tangkal.db", "tangkal.db-wal"} {
		if !strings.Contains(found+"\n", "agent stands in clear in "+where+"\n") {
			t.Errorf("a reporter's agent is told, and the drill does not find it in %s: %s", where, found)
		}
	}
}

// tellAgent records news of a call that name its agent.
func tellAgent(t *testing.T, x *exchangetest.Exchange, a *app.App, agent string) {
	if err := a.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := a.Feed.Record(ctx, tx, feed.Event{
			Kind: "report.called", Object: "report", ObjectID: "x", Ref: agent, Audience: []string{string(x.Cast(t, "analyst").Party)}, At: a.Clock.Now(),
		})
		return err
	}); err != nil {
		t.Error(err)
	}
}

// inClear returns what of a reporter stands in clear somewhere.
func (w *written) inClear(receipt string) (found []string) {
	secret := map[string]string{"receipt": receipt, "receipt without its dashes": strings.ReplaceAll(strings.TrimPrefix(receipt, "TGK-"), "-", "")}
	for what, canary := range canaries {
		secret[what] = canary
	}
	for where, b := range w.all {
		low := bytes.ToLower(b)
		for what, canary := range secret {
			if bytes.Contains(low, bytes.ToLower([]byte(canary))) {
				found = append(found, fmt.Sprintf("the reporter's %s stands in clear in %s", what, where))
			}
		}
	}
	return found
}

// released has a reporter tell everything to prepared x, and returns what it
// then let out and wrote down, their receipt and the reference of their report.
func released(t *testing.T, x *exchangetest.Exchange, change ...func(*app.App)) (w *written, receipt, ref string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	x.Config.Emergency = public
	x.Config.Recipients = filepath.Join(t.TempDir(), "recipients")
	if err := os.WriteFile(x.Config.Recipients, []byte(identity.Recipient().String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w = &written{}
	stop := watched(t, x, w, change...)
	came := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.add("webhooks", fmt.Appendf(nil, "%v %s\n", r.Header, b))
		came <- string(b)
	}))
	t.Cleanup(hook.Close)
	if _, _, err := x.App.Outbox.AddEndpoint(t.Context(), x.Cast(t, "agency-admin").Actor, hook.URL, "drill", nil); err != nil {
		t.Fatal(err)
	}
	receipt = reportAll(t, x)
	files(t, x, w) // with the database's log beside it
	if ref, err = db.Value[string](t.Context(), x.App.DB, `SELECT min(ref) FROM reports`); err != nil {
		t.Fatal(err)
	}
	for late := time.After(patience); ; {
		select {
		case said := <-came:
			if strings.Contains(said, ref) {
				w.exports(t, x)
				files(t, x, w)
				stop()
				files(t, x, w)
				return w, receipt, ref
			}
		case <-late:
			t.Fatalf("nobody is told of %s", ref)
		}
	}
}

// exports adds what anybody who asks is given, and a backup.
func (w *written) exports(t *testing.T, x *exchangetest.Exchange) {
	t.Helper()
	analyst := clientOf(t, x, "analyst")
	for _, path := range []string{"/feed?limit=200", "/cases", "/reports", "/transparency/summary"} {
		r, err := analyst.ask(t.Context(), "GET", path, nil)
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: %d %s, %v", path, r.status, r.body, err)
		}
		w.add("lists", r.body)
	}
	for _, path := range []string{"/figures.csv", "/figures.json", "/", "/report", "/readyz"} {
		w.add("public exports", []byte(say(t, "GET", x.URL+path, "").body))
	}
	var packed bytes.Buffer
	if _, err := backup.Write(t.Context(), backup.Place{DB: x.App.DB, Clock: x.App.Clock, Vault: vaultOf(x.Config)}, &packed, backup.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	w.add("backup", plain)
}

// files adds what lies in the instance's directories.
func files(t *testing.T, x *exchangetest.Exchange, w *written) {
	t.Helper()
	for _, dir := range []string{x.Config.Data, filepath.Dir(strings.TrimPrefix(x.Config.DB, "sqlite:"))} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
				return nil // the server's own probes come and go
			}
			b, err := os.ReadFile(path)
			if err == nil {
				w.add(filepath.Base(path), b)
			} else if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
