package api_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/needtest"
)

// TestTheWalkthroughRuns runs the blocks of docs/walkthrough.md in order, in
// one shell, against the whole server.
func TestTheWalkthroughRuns(t *testing.T) {
	needtest.Program(t, "bash", "curl", "jq", "openssl")
	raw, err := os.ReadFile("../../docs/walkthrough.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(raw), -1)
	if len(blocks) < 10 {
		t.Fatalf("%d blocks, want at least 10", len(blocks))
	}
	var script strings.Builder
	for _, b := range blocks {
		script.WriteString(b[1])
	}
	exchangetest.Each(t, func(t *testing.T, x *exchangetest.Exchange) {
		shell := exec.CommandContext(t.Context(), "bash", "-c", script.String())
		shell.Env = append(os.Environ(), "TANGKAL_URL="+x.URL, "TMPDIR="+t.TempDir())
		for name, who := range map[string]string{
			"KEY_ANALYST": "analyst", "KEY_APPROVER": "approver", "KEY_OFFICER": "officer", "KEY_PLATFORM": "platform",
			"KEY_SAME_ANALYST": "same-analyst", "KEY_SAME_APPROVER": "same-approver", "KEY_SAME_OFFICER": "same-officer",
		} {
			shell.Env = append(shell.Env, name+"="+x.Cast(t, who).WithAPIKey(t).APIKey)
		}
		out, err := shell.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), "The story is told.\n") {
			t.Fatalf("the walkthrough stopped: %v\n%s", err, out)
		}
		t.Logf("\n%s", out)
	})
}
