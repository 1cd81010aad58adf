package notes

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const samples = "../docs/samples/webhook/"

// sample is one receiver of docs/webhooks.md and the command that starts it.
type sample struct {
	name    string
	command []string
	needs   []string // programs that must be there
}

func sampleReceivers(t *testing.T) []sample {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "verify")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+samples+"go")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the Go sample: %v\n%s", err, out)
	}
	return []sample{
		{"go", []string{binary}, nil},
		{"python", []string{"python3", samples + "verify.py"}, []string{"python3", "openssl"}},
		// -S hides installed packages, so that v1a goes through openssl.
		{"python with openssl", []string{"python3", "-S", samples + "verify.py"}, []string{"python3", "openssl"}},
		{"node", []string{"node", samples + "verify.mjs"}, []string{"node"}},
	}
}

// hookCase is one message to a receiver and whether it must be taken.
type hookCase struct {
	what    string
	headers http.Header
	body    string
	keys    string // whose keys the receiver holds
	good    bool
}

func hookCases(t *testing.T) []hookCase {
	t.Helper()
	body := string(examples(t)["webhook-issued"])
	now := time.Now()
	sign := func(at time.Time, by ...HookSigner) http.Header {
		h, err := SignHook("msg_019a9c3e7b1a", at, []byte(body), by...)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	good := sign(now, signer("a"))
	swapped := good.Clone()
	swapped.Set(HeaderHookSignature, sign(now, HookSigner{Key: testKey("b"), Secret: testSecret("a")}).Get(HeaderHookSignature))
	renamed := good.Clone()
	renamed.Set(HeaderHookID, "msg_other")
	bare := good.Clone()
	bare.Del(HeaderHookSignature)
	return []hookCase{
		{"good", good, body, "a", true},
		{"rotation: both signed, old held", sign(now, signer("a"), signer("new")), body, "a", true},
		{"rotation: old signed, both held", good, body, "a new", true},
		{"flipped body", good, strings.Replace(body, "18161", "18162", 1), "a", false},
		{"v1a of another key", swapped, body, "a", false},
		{"v1 only", sign(now, HookSigner{Secret: testSecret("a")}), body, "a", false},
		{"v1a only", sign(now, HookSigner{Key: testKey("a")}), body, "a", false},
		{"other endpoint", good, body, "b", false},
		{"six minutes old", sign(now.Add(-6*time.Minute), signer("a")), body, "a", false},
		{"six minutes ahead", sign(now.Add(6*time.Minute), signer("a")), body, "a", false},
		{"other id", renamed, body, "a", false},
		{"no signature", bare, body, "a", false},
		{"no keys", good, body, "", false},
	}
}

func TestSampleReceiversTakeGoodMessagesOnly(t *testing.T) {
	t.Parallel()
	cases := hookCases(t)
	for _, s := range sampleReceivers(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, program := range s.needs {
				if _, err := exec.LookPath(program); err != nil && os.Getenv("CI") != "true" { // there scripts/deps has installed it
					t.Skipf("%s is not installed", program)
				}
			}
			for _, c := range cases {
				out, err := runSample(t, s, c)
				taken := err == nil && strings.TrimSpace(out) == "msg_019a9c3e7b1a notice.issued"
				if taken != c.good {
					t.Errorf("%s: taken %v, want %v: %v\n%s", c.what, taken, c.good, err, out)
				}
				var exit *exec.ExitError
				if !c.good && (!errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out, "refused:")) {
					t.Errorf("%s: %v, want exit code 1 with a reason\n%s", c.what, err, out)
				}
			}
		})
	}
}

func runSample(t *testing.T, s sample, c hookCase) (string, error) {
	t.Helper()
	var message bytes.Buffer
	for name := range c.headers {
		fmt.Fprintf(&message, "%s: %s\r\n", strings.ToLower(name), c.headers.Get(name))
	}
	message.WriteString("\r\n" + c.body)
	var publics, secrets []string
	for _, k := range strings.Fields(c.keys) {
		publics = append(publics, FormatHookPublic(testPublic(k)))
		secrets = append(secrets, FormatHookSecret(testSecret(k)))
	}
	cmd := exec.CommandContext(t.Context(), s.command[0], s.command[1:]...)
	cmd.Stdin = &message
	cmd.Env = append(os.Environ(),
		"WEBHOOK_PUBLIC_KEYS="+strings.Join(publics, " "), "WEBHOOK_SECRETS="+strings.Join(secrets, " "))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
