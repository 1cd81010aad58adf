package app_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/needtest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/porttest"
	"github.com/tangkal/tangkal/notes"
)

// fromEnv names the version to upgrade from, in git's words; otherwise it is the
// last one whose schema is older.
const fromEnv = "TANGKAL_UPGRADE_FROM"

// The version before the newest migration is built from the history, makes data
// with its own code, and stops; this version takes the data over. Everything is
// there to the byte, what waited goes on, what people signed before holds, and
// the older version does not touch it any more.
func TestUpgradeFromTheVersionBefore(t *testing.T) {
	old := buildBefore(t, before)
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		upgrade(t, old, "sqlite:"+filepath.Join(t.TempDir(), "tangkal.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		upgrade(t, old, dbtest.PostgresURL(t))
	})
}

// So does one that passes over many migrations: from the version that the file
// testdata/upgrade/from names.
func TestUpgradeFromLongBefore(t *testing.T) {
	old := buildBefore(t, longBefore)
	upgrade(t, old, "sqlite:"+filepath.Join(t.TempDir(), "tangkal.db"))
}

// longBefore returns the commit of testdata/upgrade/from.
func longBefore(t *testing.T, root string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/upgrade/from")
	if err != nil {
		t.Fatal(err)
	}
	from, _, _ := strings.Cut(string(raw), " ")
	if exec.Command("git", "-C", root, "cat-file", "-e", from+"^{commit}").Run() != nil {
		needtest.Missing(t, "git does not know "+from+": no upgrade over many versions is tried")
	}
	return from
}

// buildBefore returns the tests of this package as they were in the version
// before, with what fills it.
func buildBefore(t *testing.T, version func(t *testing.T, root string) string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tree, binary := t.TempDir(), filepath.Join(t.TempDir(), "before.test")
	from := version(t, root)
	archive := exec.Command("git", "-C", root, "archive", "--format=tar", "-o", tree+".tar", from)
	unpack := exec.Command("tar", "-xf", tree+".tar", "-C", tree)
	build := exec.Command("go", "test", "-c", "-trimpath", "-o", binary, "./internal/app") // trimmed, so that the cache serves both trees
	build.Dir = tree
	for _, step := range []*exec.Cmd{archive, unpack, nil, build} {
		if step == nil {
			fill, err := os.ReadFile("testdata/upgrade/fill_test.go")
			if err == nil {
				err = os.WriteFile(filepath.Join(tree, "internal/app/upgrade_fill_test.go"), fill, 0o600)
			}
			if err == nil {
				err = os.RemoveAll(filepath.Join(tree, "internal/app/upgrade_test.go"))
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if out, err := step.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", step, err, out)
		}
	}
	return binary
}

// before returns the commit to upgrade from. Without a history, as in an unpacked
// release or a shallow clone, there is none, and the test is skipped.
func before(t *testing.T, root string) string {
	t.Helper()
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	if from := os.Getenv(fromEnv); from != "" {
		return from
	}
	migrations, err := filepath.Glob(filepath.Join(root, "internal/db/migrations/sqlite/*.sql"))
	if err != nil || len(migrations) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	newest := slices.Max(migrations)
	from := git("rev-parse", "--verify", "--quiet", git("log", "-1", "--format=%H", "--diff-filter=A", "--", newest)+"^")
	if from == "" || git("rev-parse", "--is-shallow-repository") != "false" {
		needtest.Missing(t, "git knows no version before "+filepath.Base(newest)+": no upgrade is tried")
	}
	t.Logf("from %s", git("log", "-1", "--format=%h %s", from))
	return from
}

// left is what the version before has left.
type left struct {
	Config  app.Config
	URL     string
	People  map[string]*exchangetest.Person
	Public  string // of the webhook
	Stories map[string]struct{ Link, Receipt, Case, ID, Ref string }
}

// move has this version serve at an address of its own: that of the version
// before is anybody's since it stopped.
func (l *left) move(address string) {
	before, now := l.Config.Listen[strings.LastIndex(l.Config.Listen, ":"):], address[strings.LastIndex(address, ":"):]
	l.Config.Listen = address
	for _, u := range []*string{&l.URL, &l.Config.PublicURL, &l.Config.EvidenceOrigin} {
		*u = strings.TrimSuffix(*u, before) + now
	}
}

// runBefore runs one test of the version before.
func runBefore(t *testing.T, old, test, task string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), old, "-test.run=^"+test+"$", "-test.v")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "TANGKAL_TEST_UPGRADE="+task)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s in the version before: %v\n%s", test, err, out)
	}
	return string(out)
}

func upgrade(t *testing.T, old, url string) {
	box := newPostbox(t)
	dir := t.TempDir()
	task, out := filepath.Join(dir, "task.json"), filepath.Join(dir, "filled.json")
	raw, err := json.Marshal(map[string]string{"DB": url, "Data": t.TempDir(), "Hook": box.URL, "Out": out})
	if err == nil {
		err = os.WriteFile(task, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	runBefore(t, old, "TestUpgradeFill", task)
	var had left
	if raw, err = os.ReadFile(out); err == nil {
		err = json.Unmarshal(raw, &had)
	}
	if err != nil {
		t.Fatal(err)
	}

	was, schema := everyRow(t, url, nil)
	had.move(porttest.Reserve(t))
	x := &exchangetest.Exchange{Config: had.Config, URL: had.URL, Clock: clock.System{}}
	x.Open(t)
	x.App.Close()
	is, now := everyRow(t, url, was)
	if now <= schema {
		t.Errorf("the schema is %d after %d", now, schema)
	}
	for name, had := range was {
		for row, n := range had.rows {
			if is[name].rows[row] < n {
				t.Errorf("table %s: the upgrade lost or changed %s", name, row)
			}
		}
	}

	stop := x.Serve(t)
	goesOn(t, x, &had, box)
	stop()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if at, err := feed.Verify(t.Context(), d); err != nil || at != 0 {
		t.Errorf("the record is broken at %d (%v)", at, err)
	}
	if said := runBefore(t, old, "TestUpgradeRefused", task); !strings.Contains(said, "REFUSED: the database belongs to a newer version of the program") {
		t.Errorf("the version before says of newer data: %s", said)
	}
}

// A tableRows is a table's rows with how often each is there.
type tableRows struct {
	columns []string
	rows    map[string]int
}

// everyRow reads every table of the program, and the number of its schema; with
// like, only those columns.
func everyRow(t *testing.T, url string, like map[string]tableRows) (map[string]tableRows, int64) {
	t.Helper()
	ctx := t.Context()
	d, err := db.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tables, err := db.Tables(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]tableRows{}
	for _, table := range tables {
		columns := table.Columns
		if l, ok := like[table.Name]; ok {
			columns = l.columns
		}
		rows, err := db.All(ctx, d, func(row db.Row) (string, error) {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			err := row.Scan(into...)
			return fmt.Sprintf("%v", values), err
		}, `SELECT "`+strings.Join(columns, `", "`)+`" FROM "`+table.Name+`"`)
		if err != nil {
			t.Fatalf("table %s: %v", table.Name, err)
		}
		counted := tableRows{columns, map[string]int{}}
		for _, r := range rows {
			counted.rows[r]++
		}
		out[table.Name] = counted
	}
	version, err := db.SchemaVersion(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	return out, version
}

// goesOn takes up what the version before has left.
func goesOn(t *testing.T, x *exchangetest.Exchange, had *left, box *postbox) {
	t.Helper()
	as := func(name string) *client {
		c := &client{url: x.URL + "/api/v1", http: &http.Client{Timeout: time.Minute}}
		if name != "" {
			c.Person = had.People[name]
		}
		return c
	}
	for name, s := range had.Stories {
		var v receiptView
		as("").must(t, "GET", "/receipts", nil, &v, "Receipt: "+s.Receipt)
		if !strings.HasPrefix(v.steps(), "received") {
			t.Errorf("the report of the story %q has the steps %q", name, v.steps())
		}
	}
	refused := box.ids(http.StatusServiceUnavailable)
	if len(refused) == 0 {
		t.Fatal("no message waited")
	}
	before := box.ids(http.StatusNoContent)
	box.accept(true)
	// One that was refused twice comes after half a minute.
	within(t, 3*patience, "what waited to arrive", func() bool { return len(box.ids(http.StatusNoContent)) >= len(before)+len(refused) })

	s := had.Stories["proposed"]
	as("approver").sign(t, "approve", s.ID)
	as("officer").sign(t, "issue", s.ID)
	eventually(t, s.Ref+" to be sent", func() bool {
		var v noticeView
		as("officer").must(t, "GET", "/notices/"+s.ID, nil, &v)
		return v.SentAt != nil
	})
	for _, name := range []string{"answered", "refused", "proposed"} {
		raw, err := as("platform").ask(t.Context(), "GET", "/notices/"+had.Stories[name].ID+"/signed", nil)
		var signed notes.Signed
		if err == nil {
			signed, err = notes.ParseSigned(raw.body)
		}
		if err == nil {
			err = notes.Verify(signed, notice.Keys(t.Context(), x.App.DB))
		}
		if err != nil || len(signed.Approvals) != 3 {
			t.Errorf("the notice of the story %q holds with %d signatures: %v", name, len(signed.Approvals), err)
		}
	}
	eventually(t, "every message to arrive", func() bool {
		n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT (SELECT count(*) FROM deliveries WHERE state = 'waiting') + (SELECT count(*) FROM feed_pending)`)
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	box.audit(t, had.Public, refused)
	sealsHold(t, x)
}

// sealsHold asks /readyz for rows that this program has not written.
func sealsHold(t *testing.T, x *exchangetest.Exchange) {
	t.Helper()
	res, err := http.Get(x.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	var h app.Health
	if err := json.NewDecoder(res.Body).Decode(&h); err != nil || !h.Ready {
		t.Errorf("after the upgrade it is not ready: %+v (%v)", h, err)
	}
	i := slices.IndexFunc(h.Parts, func(p app.Part) bool { return p.Name == "rows" })
	if i < 0 || h.Parts[i].Level != app.Fine {
		t.Errorf("after the upgrade rows do not hold: %+v", h.Parts)
	}
}

// A postbox is a platform's receiver that keeps every attempt as it came.
type postbox struct {
	*httptest.Server
	mu       sync.Mutex
	open     bool      // guarded by mu
	attempts []attempt // guarded by mu
}

// An attempt is one message as it came, and how it was answered.
type attempt struct {
	id     string
	header http.Header
	body   []byte
	at     time.Time
	status int
}

func newPostbox(t *testing.T) *postbox {
	t.Helper()
	b := &postbox{open: true}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			b.accept(false)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		status := http.StatusNoContent
		if !b.open {
			status = http.StatusServiceUnavailable
		}
		b.attempts = append(b.attempts, attempt{r.Header.Get("Webhook-Id"), r.Header.Clone(), body, time.Now(), status})
		w.WriteHeader(status)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *postbox) accept(open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = open
}

// ids counts attempts with one answer by message.
func (b *postbox) ids(status int) map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]int{}
	for _, a := range b.attempts {
		if a.status == status {
			out[a.id]++
		}
	}
	return out
}

// audit wants every message taken once, those that waited under the names they
// had, and all signed by the key of before.
func (b *postbox) audit(t *testing.T, public string, waited map[string]int) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil {
		t.Fatal(err)
	}
	taken := b.ids(http.StatusNoContent)
	for id := range maps.Keys(waited) {
		if taken[id] != 1 {
			t.Errorf("message %s, which waited, was taken %d times", id, taken[id])
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.attempts {
		if taken[a.id] > 1 {
			t.Errorf("message %s was sent again after it was taken", a.id)
		}
		if _, err := notes.VerifyHook(a.header, a.body, a.at, notes.HookKeys{Public: []ed25519.PublicKey{key}}); err != nil {
			t.Errorf("message %s: %v", a.id, err)
		}
	}
}
