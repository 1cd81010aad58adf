package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tests are packages with every end that a test can have.
var tests = map[string]string{
	"go.mod":      "module fixture.example\n\ngo 1.24\n",
	"none/n.go":   "package none\n",
	"broken/b.go": "package broken\n\nfunc f() { nothing }\n",
	"broken/b_test.go": `package broken

import "testing"

func TestB(t *testing.T) {}
`,
	"good/g_test.go": `package good

import "testing"

func TestGood(t *testing.T) { t.Log("nobody reads this") }
func TestAway(t *testing.T) { t.Log("no cellar here: "); t.Skip("no key: no cellar") }
func TestParts(t *testing.T) {
	t.Run("one", func(t *testing.T) { t.Skip("no key: no cellar") })
	t.Run("two", func(t *testing.T) { t.Skip() })
}
`,
	"wrong/w_test.go": `package wrong

import ("fmt"; "testing")

func TestRight(t *testing.T) { t.Log("nobody reads this") }
func TestWrong(t *testing.T) {
	t.Log("said before")
	t.Error("is wrong")
}
func TestPartsOfIt(t *testing.T) {
	t.Run("right", func(t *testing.T) { t.Log("nobody reads this") })
	t.Run("wrong", func(t *testing.T) { t.Fatal("is wrong", "\nin two lines") })
}
func TestAtOnce(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) { t.Parallel(); if i == 1 { t.Error("one of three") } })
	}
}
`,
	"dies/d_test.go": `package dies

import "testing"

func TestBefore(t *testing.T) {}
func TestDies(t *testing.T) { panic("deep inside") }
`,
}

// times are what differs between two runs.
var times = regexp.MustCompile(`\d+\.\d+s|0x[0-9a-f]+|\+0x.*|goroutine \d+|/\S*/testing\.go:\d+.*|\(cached\)`)

// What is shown is what "go test" shows, and a line more that counts what was
// skipped, by its reasons.
func TestItShowsWhatGoTestShows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range tests {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) []byte {
		c := exec.CommandContext(t.Context(), "go", append([]string{"test", "-p", "1"}, args...)...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		out, err := c.CombinedOutput()
		if err == nil {
			t.Errorf("go test %q succeeds", args)
		}
		return out
	}
	var got bytes.Buffer
	if err := summarize(bytes.NewReader(run("-json", "./...")), &got); err != nil {
		t.Fatal(err)
	}
	const summary = "summary: 3 tests skipped: no key: no cellar (2); for no reason (1)\n"
	shown, ok := strings.CutSuffix(got.String(), summary)
	if !ok {
		t.Errorf("the last line is not %q", summary)
	}
	plain := func(s string) string { return times.ReplaceAllString(s, "") }
	if diff := cmp.Diff(lines(plain(string(run("./...")))), lines(plain(shown))); diff != "" {
		t.Errorf("what is shown differs (-go test +summarize):\n%s", diff)
	}
}

// lines are the lines of a text without their indentation, which differs for
// parts of tests.
func lines(s string) []string {
	all := strings.Split(s, "\n")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// Where nothing was skipped there is no line, and where nothing could be built
// the words of the compiler are shown.
func TestWhatIsNoEventIsShownAsItIs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	in := "go: no such module\n{\"Action\":\"start\",\"Package\":\"p\"}\n{\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"ok  \\tp\\t0.1s\\n\"}\n{\"Action\":\"pass\",\"Package\":\"p\"}\n"
	if err := summarize(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if want := "go: no such module\nok  \tp\t0.1s\n"; out.String() != want {
		t.Errorf("shown is %q, want %q", out.String(), want)
	}
}
