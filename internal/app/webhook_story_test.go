package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	hooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

// A message is a webhook as it came.
type message struct {
	header http.Header
	body   []byte
	at     time.Time // when it had come whole
	notes.Webhook
}

// A hook is a platform's receiver with the keys of its endpoint.
type hook struct {
	public, secret string
	came           chan message
}

// newHook registers a receiver of some events by the API.
func newHook(t testing.TB, platform *client, events ...string) *hook {
	t.Helper()
	h := &hook{came: make(chan message, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		m := message{header: r.Header.Clone(), body: body, at: time.Now()}
		if err == nil {
			err = json.Unmarshal(body, &m.Webhook)
		}
		if err != nil {
			t.Errorf("a webhook that cannot be read: %v", err)
		}
		h.came <- m
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	var made struct {
		PublicKey string `json:"public_key"`
		Secret    string
	}
	platform.inBrowser(t).must(t, "POST", "/webhooks", map[string]any{"url": server.URL + "/tangkal", "label": "desk", "events": events}, &made)
	h.public, h.secret = made.PublicKey, made.Secret
	return h
}

// wait returns the next message of a type.
func (h *hook) wait(t testing.TB, kind string) message {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case m := <-h.came:
			if m.Type == kind {
				return m
			}
		case <-late:
			t.Fatalf("waited %v in vain for a webhook %s", patience, kind)
		}
	}
}

// The main story by webhook: the platform's program hears of an order by a
// message that everybody's tools verify, fetches it, and answers; the person
// who reported it reads so on the receipt (issue 2, Must show 1).
func TestWebhookStory(t *testing.T) {
	exchangetest.Each(t, func(t *testing.T, x *exchangetest.Exchange) {
		s := inIndonesia(t, x)
		h := newHook(t, s.platform, "notice.sent")
		s.told(t, 1)
		m := h.wait(t, "notice.sent")
		if m.Reference != s.ref || m.Party != string(s.platform.Party) || m.URL != x.URL+"/api/v1/notices/"+s.id {
			t.Fatalf("the message says %s, want %s at its address", m.body, s.ref)
		}
		for _, secret := range []string{"https", "ruangsuara.example", s.link} {
			if strings.Contains(string(m.body), secret) {
				t.Errorf("the message tells %q: %s", secret, m.body)
			}
		}
		h.verified(t, m)
		s.pulled(t, m)
		s.answered(t)
	})
}

// verified checks a message by the public library (v1) and by our samples,
// each a process of its own (v1a and v1).
func (h *hook) verified(t *testing.T, m message) {
	t.Helper()
	library, err := hooks.NewWebhook(h.secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := library.Verify(m.body, m.header); err != nil {
		t.Errorf("the public library refuses the message: %v", err)
	}
	forged := bytes.Replace(m.body, []byte("notice.sent"), []byte("notice.seen"), 1)
	if err := library.Verify(forged, m.header); err == nil {
		t.Error("the public library takes another body under the same signature")
	}
	for name, command := range samples(t) {
		if out, err := h.sample(t, command, m.header, m.body); err != nil || strings.TrimSpace(out) != m.ID+" notice.sent" {
			t.Errorf("the %s sample says %q: %v", name, out, err)
		}
		var exit *exec.ExitError
		if out, err := h.sample(t, command, m.header, forged); !errors.As(err, &exit) || !strings.Contains(out, "refused:") {
			t.Errorf("the %s sample takes a forged body: %q %v", name, out, err)
		}
	}
}

// samples are the receivers of docs/samples that can run here.
func samples(t *testing.T) map[string][]string {
	t.Helper()
	dir := filepath.Join("..", "..", "docs", "samples", "webhook")
	binary := filepath.Join(t.TempDir(), "verify")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+filepath.Join(dir, "go")).CombinedOutput(); err != nil {
		t.Fatalf("build the Go sample: %v\n%s", err, out)
	}
	all := map[string][]string{"Go": {binary}}
	for name, s := range map[string]struct{ program, file string }{"Python": {"python3", "verify.py"}, "Node": {"node", "verify.mjs"}} {
		if _, err := exec.LookPath(s.program); err != nil && os.Getenv("CI") != "true" {
			t.Logf("no %s here: the %s sample is not run", s.program, name)
			continue
		}
		all[name] = []string{s.program, filepath.Join(dir, s.file)}
	}
	return all
}

// sample gives a message to a sample as it reads it: header lines, an empty
// line, the body.
func (h *hook) sample(t *testing.T, command []string, header http.Header, body []byte) (string, error) {
	t.Helper()
	var in bytes.Buffer
	for name := range header {
		fmt.Fprintf(&in, "%s: %s\r\n", strings.ToLower(name), header.Get(name))
	}
	in.WriteString("\r\n")
	in.Write(body)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = &in
	cmd.Env = append(os.Environ(), "WEBHOOK_PUBLIC_KEYS="+h.public, "WEBHOOK_SECRETS="+h.secret)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// pulled fetches the order from where the message says and checks it as any
// outsider can, with its three signatures.
func (s *story) pulled(t *testing.T, m message) {
	t.Helper()
	program := *s.platform
	program.url = "" // the message names the whole address
	var v noticeView
	program.must(t, "GET", m.URL, nil, &v)
	if v.Ref != s.ref || v.Case != "" || len(v.Items) != 1 || v.Items[0].URL != s.link {
		t.Fatalf("the platform reads %+v, want %s about %s without its case", v, s.ref, s.link)
	}
	raw, err := program.ask(t.Context(), "GET", m.URL+"/signed", nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := notes.ParseSigned(raw.body)
	if err != nil {
		t.Fatal(err)
	}
	if err := notes.Verify(signed, notice.Keys(t.Context(), s.x.App.DB)); err != nil || len(signed.Approvals) != 3 {
		t.Errorf("%d signatures: %v, want three that hold", len(signed.Approvals), err)
	}
	if own := s.view(t, s.officer); own.Delivery != "accepted" || own.ReceivedAt != nil || !strings.Contains(own.steps(), "api/read") {
		t.Errorf("%s with %q: reading is proof of delivery and no receipt", own.Delivery, own.steps())
	}
}

// answered receives and answers as the platform, closes as the officer, and
// reads the receipt as the reporter.
func (s *story) answered(t *testing.T) {
	t.Helper()
	path := "/notices/" + s.id
	s.platform.must(t, "POST", path+"/receive", map[string]any{"name": "Trust desk"}, nil)
	row := map[string]any{"n": 1, "answer": "removed", "at": time.Now().UTC().Format(time.RFC3339), "basis": "this-order"}
	s.platform.must(t, "POST", path+"/answers", map[string]any{"rows": []any{row}}, nil)
	var r receiptView
	s.reporter.must(t, "GET", "/receipts", nil, &r, "Receipt: "+s.receipt)
	if r.steps() != "received joined in-review ordered answered" {
		t.Errorf("once answered the reporter sees %q", r.steps())
	}
	s.officer.must(t, "POST", path+"/items/verify", map[string]any{"items": []int{1}}, nil)
	if v := s.view(t, s.platform); v.Life != "closed" || v.Outcome != "complied" {
		t.Errorf("the notice is %s with outcome %q, want closed and complied", v.Life, v.Outcome)
	}
	s.reporter.must(t, "GET", "/receipts", nil, &r, "Receipt: "+s.receipt)
	if r.steps() != "received joined in-review ordered answered closed" {
		t.Errorf("at the end the reporter sees %q", r.steps())
	}
}
