package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/porttest"
)

// asProgram makes the test binary be the program.
const asProgram = "TANGKAL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	cage.Main() // the program under test starts this binary again as its worker
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A shop is a directory in which commands are run as an operator runs them.
type shop struct{ dir string }

// open makes a shop with files in it.
func open(t *testing.T, files map[string]string) shop {
	t.Helper()
	s := shop{t.TempDir()}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// command prepares the program with arguments and further environment.
func (s shop) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...) //nolint:gosec // this very binary
	c.Dir = s.dir
	c.Env = append(append(os.Environ(), asProgram+"=1", "LANG=en_US.UTF-8", "LC_ALL="), env...)
	return c
}

// wants runs the program and checks its exit code and that everything it says
// holds each of the texts; one that begins with "!" must not be there.
func (s shop) wants(t *testing.T, code int, texts []string, args ...string) string {
	t.Helper()
	return s.wantsIn(t, nil, code, texts, args...)
}

func (s shop) wantsIn(t *testing.T, env []string, code int, texts []string, args ...string) string {
	t.Helper()
	out, err := s.command(t.Context(), env, args...).CombinedOutput()
	got := 0
	if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // exec returns it bare
		got = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Errorf("tangkal %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	for _, text := range texts {
		if bad, not := strings.CutPrefix(text, "!"); not {
			if strings.Contains(string(out), bad) {
				t.Errorf("tangkal %s: says %q and must not\n%s", strings.Join(args, " "), bad, out)
			}
		} else if !strings.Contains(string(out), text) {
			t.Errorf("tangkal %s: does not say %q\n%s", strings.Join(args, " "), text, out)
		}
	}
	return string(out)
}

func TestTheHelpTeachesByExample(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for args, texts := range map[string][]string{
		"":                           {"Commands", "tangkal demo"},
		"--help":                     {"serve", "backup", "TANGKAL_"},
		"serve --help":               {"Examples", "evidence-origin", "TANGKAL_PUBLIC_URL"},
		"demo --help":                {"Examples", "--print-env"},
		"report --help":              {"Examples", "receipt"},
		"hash --help":                {"Examples", "--type", "sha256"},
		"bench hash --help":          {"Examples", "--rounds"},
		"bench search --help":        {"Examples", "--entries"},
		"admin --help":               {"Examples", "org add"},
		"admin person invite --help": {"--role", "--as"},
		"admin key add --help":       {"--scope", "--days"},
		"admin unseal --help":        {"Example", "--identity"},
		"admin recover --help":       {"Example", "never both"},
		"admin record --help":        {"Example", "Exit code 1"},
		"check-config --help":        {"Examples", "Exit code"},
		"migrate --help":             {"Examples", "forward"},
		"backup --help":              {"Examples", "The instance key is NOT"},
		"restore --help":             {"Examples", "given-up"},
		"version --json":             {`"go":"go1`},
	} {
		s.wants(t, 0, texts, strings.Fields(args)...)
	}
}

func TestAWrongCommandLineEndsWithTwo(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for args, texts := range map[string][]string{
		"nonsense":                          {"unexpected argument nonsense", "tangkal --help"},
		"serve --no-such":                   {"unknown flag --no-such", "--help"},
		"admin org add":                     {"missing flags"},
		"report":                            {"say where it is with --url"},
		"report --url @x --category rumour": {"must be one of"},
		"backup":                            {"expected"},
		"serve":                             {"evidence-origin: required"},
		"backup out --recipient nobody":     {"age public key"},
	} {
		s.wants(t, exitUsage, texts, strings.Fields(args)...)
	}
	s.wants(t, exitFailed, []string{"tangkal: "}, "admin", "org", "list", "--data", "nowhere")
}

func TestTheConfigurationSaysAllItsFaultsAndNoSecret(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{
		"good.yaml": "listen: 127.0.0.1:9001\npublic-url: https://tangkal.example\nevidence-origin: https://evidence.tangkal.example\n" +
			"instance-code: FILE\ndb: postgres://tangkal:geheim@127.0.0.1:1/tangkal\n",
		"typo.yaml": "listen: 127.0.0.1:9001\nlistn: 127.0.0.1:9002\n",
		"list.yaml": "listen: [127.0.0.1:9001]\n",
	})
	s.wants(t, exitUsage, []string{`listen "nowhere"`, `public-url "ftp://x"`, "evidence-origin: required", `instance-code "no"`, `db "mysql:`, "!geheim"},
		"serve", "--listen", "nowhere", "--public-url", "ftp://x", "--instance-code", "no", "--db", "mysql://u:geheim@h/d")
	check := []string{"check-config", "--config", "good.yaml"}
	s.wants(t, exitFailed, []string{"listen: 127.0.0.1:9001", "instance-code: FILE", "db: postgres://tangkal:xxxxx@127.0.0.1:1/tangkal", "failing  database: does not open", "!geheim"}, check...)
	env := []string{"TANGKAL_INSTANCE_CODE=ENV"}
	s.wantsIn(t, env, exitFailed, []string{"instance-code: ENV"}, check...)
	s.wantsIn(t, env, exitFailed, []string{"instance-code: FLAG"}, append(check, "--instance-code", "FLAG")...)
	s.wants(t, exitUsage, []string{`typo.yaml:2: unknown setting "listn"`}, "check-config", "--config", "typo.yaml")
	s.wants(t, exitUsage, []string{"list.yaml:1: listen: want one value"}, "check-config", "--config", "list.yaml")
	s.wants(t, exitUsage, []string{"absent.yaml"}, "check-config", "--config", "absent.yaml")
}

func TestAdministrationBackupAndRestore(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.wants(t, exitFailed, []string{"missing 0001_ground.sql"}, "migrate", "--data", "d", "--check")
	s.wants(t, 0, []string{"applied 0001_ground.sql"}, "migrate", "--data", "d")
	s.wants(t, 0, []string{"Nothing is missing."}, "migrate", "--data", "d", "--check")

	add := []string{"admin", "org", "add", "--data", "d", "--code", "dit", "--kind", "agency", "--name", "Dit. Contoh", "--jurisdiction", "id"}
	s.wants(t, exitUsage, []string{"--admin-name"}, add...)
	s.wants(t, 0, []string{"/invitation/tgi_"}, append(add, "--admin-name", "Ratna S.", "--admin-email", "ratna@dit.example")...)
	s.wants(t, 0, []string{`"code": "dit"`}, "admin", "org", "list", "--data", "d", "--json")
	s.wants(t, exitFailed, []string{"nobody here has the address"}, "admin", "person", "list", "--data", "d", "--as", "nobody@dit.example")
	s.wants(t, exitUsage, []string{"missing flags: --as"}, "admin", "key", "add", "--data", "d", "--label", "x")

	s.wants(t, 0, []string{"instance key is not inside"}, "backup", "--data", "d", "out.tar.gz")
	s.wants(t, exitFailed, []string{"exists already"}, "backup", "--data", "d", "out.tar.gz")
	s.wants(t, 0, []string{"whole: "}, "restore", "--check", "out.tar.gz")
	s.wants(t, 0, []string{"instance.key before you start"}, "restore", "--data", "e", "out.tar.gz")
	s.wants(t, exitFailed, []string{"instance key"}, "admin", "org", "list", "--data", "e")
	key, err := os.ReadFile(filepath.Join(s.dir, "d", "instance.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "e", "instance.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.wants(t, 0, []string{"dit"}, "admin", "org", "list", "--data", "e")
	s.wants(t, exitFailed, []string{"not empty"}, "restore", "--data", "e", "out.tar.gz")
}

func TestTheDemoTakesAReportFromTheShell(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{"note.txt": "A made-up note.\n"})
	address := porttest.Reserve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	demo := s.command(ctx, nil, "demo", "--listen", address, "--share", "1", "--print-env", "demo.env")
	var said bytes.Buffer
	demo.Stdout, demo.Stderr = &said, &said
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- demo.Wait() }()
	for {
		if _, err := os.Stat(filepath.Join(s.dir, "demo.env")); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("the demonstration ended: %v\n%s", err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.wants(t, exitFailed, []string{address + " is taken by another program"}, "demo", "--listen", address)
	server := "http://" + address
	s.wants(t, 0, []string{`"receipt":"TGK-`}, "report", "--server", server, "--url", "https://ruangsuara.example/v/9931",
		"--file", "note.txt", "--category", "recruitment", "--json")
	s.wants(t, exitFailed, []string{"nobody"}, "report", "--server", server, "--url", "https://ruangsuara.example/v/9931", "--agency", "nobody")
	s.wants(t, exitFailed, []string{"reach http://127.0.0.1:1"}, "report", "--server", "http://127.0.0.1:1", "--url", "@x")
	if err := demo.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the demonstration did not stop well: %v", err)
	}
	for _, text := range []string{"/sign-in", "KEY_ANALYST", "demo data: complete"} {
		if !strings.Contains(said.String(), text) {
			t.Errorf("the demonstration does not say %q\n%s", text, said.String())
		}
	}
}
