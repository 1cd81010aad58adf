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

	"filippo.io/age"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/backup"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/vault"
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
// function is called.
func watched(t *testing.T, x *exchangetest.Exchange, w *written) (stop func()) {
	t.Helper()
	a, err := app.Open(t.Context(), x.Config, clock.System{}, slog.New(slog.NewJSONHandler(logged{w}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	x.App = a
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

// The drill of threat-model T01: nothing of a reporter stands in clear in what
// an instance writes down or lets out: database, log of the database, vault,
// the operator's log, backup, exports, webhooks.
func TestDrillCanary(t *testing.T) {
	t.Parallel()
	x := exchangetest.Prepare(t, "sqlite:"+t.TempDir()+"/tangkal.db")
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	x.Config.Recipients = filepath.Join(t.TempDir(), "recipients")
	if err := os.WriteFile(x.Config.Recipients, []byte(identity.Recipient().String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &written{}
	stop := watched(t, x, w)
	came := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.add("webhooks", fmt.Appendf(nil, "%v %s\n", r.Header, b))
		came <- string(b)
	}))
	t.Cleanup(hook.Close)
	analyst := clientOf(t, x, "analyst")
	if _, _, err := x.App.Outbox.AddEndpoint(t.Context(), x.Cast(t, "agency-admin").Actor, hook.URL, "drill", nil); err != nil {
		t.Fatal(err)
	}
	receipt := reportAll(t, x)
	for !strings.Contains(<-came, "report.") { //nolint:revive // the body of the loop is its condition
	}
	for _, path := range []string{"/feed?limit=200", "/cases", "/reports", "/transparency/summary"} {
		r, err := analyst.ask(t.Context(), "GET", path, nil)
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: %d %s, %v", path, r.status, r.body, err)
		}
		w.add("lists", r.body)
	}
	for _, path := range []string{"/figures.csv", "/figures.json", "/", "/readyz"} {
		w.add("public exports", []byte(say(t, "GET", x.URL+path, "").body))
	}
	var packed bytes.Buffer
	place := backup.Place{
		DB: x.App.DB, Clock: x.App.Clock,
		Vault: vault.Config{Dir: filepath.Join(x.Config.Data, "vault"), KeyFile: filepath.Join(x.Config.Data, "instance.key")},
	}
	if _, err := backup.Write(t.Context(), place, &packed, backup.WriteOptions{}); err != nil {
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
	files(t, x, w) // with the database's log beside it
	stop()
	files(t, x, w)
	secret := map[string]string{"receipt": receipt, "receipt without its dashes": strings.ReplaceAll(strings.TrimPrefix(receipt, "TGK-"), "-", "")}
	for what, canary := range canaries {
		secret[what] = canary
	}
	total, found := 0, 0
	for where, b := range w.all {
		total += len(b)
		for what, canary := range secret {
			if bytes.Contains(bytes.ToLower(b), bytes.ToLower([]byte(canary))) {
				found++
				t.Errorf("the reporter's %s stands in clear in %s", what, where)
			}
		}
	}
	for _, where := range []string{"the log", "webhooks", "lists", "backup", "public exports"} {
		if len(w.all[where]) == 0 {
			t.Errorf("nothing of %s was searched", where)
		}
	}
	t.Logf("%d bytes in %d places searched for %d canaries: %d in clear", total, len(w.all), len(secret), found)
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
