package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/backup"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/job"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// TestDrillBackup takes backups of an instance while sixteen writers work, and
// brings each back somewhere else: what was acknowledged before it began is
// there, whole, and nothing that the instance had sent is sent again.
func TestDrillBackup(t *testing.T) {
	for name, place := range map[string]func(t *testing.T) string{"sqlite": sqliteURL, "postgres": func(t *testing.T) string { return dbtest.PostgresURL(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t, place(t), false)
			taken := d.backups(t, max(scaletest.Of(20), 2))
			for i, b := range taken {
				for _, found := range d.restore(t, b, place(t), nil) {
					t.Errorf("backup %d: %s", i+1, found)
				}
			}
			d.refusesDamaged(t, taken[0])
		})
	}
}

// The drill sees it when the vault was copied before the database: what the rows
// name and the vault got in between is missing.
func TestDrillBackupFindsAVaultCopiedFirst(t *testing.T) {
	t.Parallel()
	d := newDrill(t, sqliteURL(t), false)
	b := d.backups(t, 1)[0]
	found := d.restore(t, b, sqliteURL(t), func(dir string) {
		for _, name := range vaultFiles(t, dir) {
			if !slices.Contains(b.blobs, name) {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "lost: ") }) {
		t.Fatalf("a backup without its newest evidence was found to be whole: %q", found)
	}
}

func sqliteURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "tangkal.db")
}

// A taken is one backup, and what had been acknowledged when it began.
type taken struct {
	file   string
	key    *age.X25519Identity
	before []ack
	blobs  []string // that the vault held when the drill began
	took   time.Duration
}

// backups lets the writers work while n backups are taken, and comes to rest.
// The server has stopped when it returns.
func (d *drill) backups(t *testing.T, n int) []taken {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w := &stopwatch{next: http.DefaultTransport}
	d.people[""].http.Transport = w
	place := backup.Place{Vault: vaultOf(d.x.Config), Clock: clock.System{}}
	blobs := vaultFiles(t, place.Vault.Dir)
	var all []taken
	d.under(t, func() {
		place.DB = d.open(t)
		defer place.DB.Close()
		for range n {
			captured := d.acks.kinds()["captured"]
			for d.acks.kinds()["captured"] < captured+2 {
				d.acks.await(t, d.acks.count()+1)
			}
			b := taken{file: filepath.Join(t.TempDir(), fmt.Sprintf("backup-%d.age", len(all))), key: key, before: d.acks.list(), blobs: blobs}
			begun := time.Now()
			w.during(true)
			writeBackup(t, place, b)
			w.during(false)
			b.took = time.Since(begun)
			all = append(all, b)
			d.acks.await(t, d.acks.count()+1) // work goes on after it
		}
	})
	d.settle(t)
	d.stop(t)
	quiet, busy := w.p99()
	t.Logf("%d backups, the last in %v with %d acknowledgements before it; a report took %v at p99, %v while a backup was taken (%d of them)",
		n, all[n-1].took.Round(time.Millisecond), len(all[n-1].before), quiet.Round(time.Millisecond), busy.Round(time.Millisecond), len(w.busy))
	return all
}

func writeBackup(t *testing.T, place backup.Place, b taken) {
	t.Helper()
	f, err := os.Create(b.file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = backup.Write(t.Context(), place, f, backup.WriteOptions{To: []age.Recipient{b.key.Recipient()}})
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func vaultOf(c app.Config) vault.Config {
	return vault.Config{Dir: filepath.Join(c.Data, "vault"), KeyFile: filepath.Join(c.Data, "instance.key")}
}

// vaultFiles lists the sealed objects of a vault, relative to its directory.
func vaultFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Dir(path) == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out = append(out, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// emptyPlace makes an empty database and directory, as the command does.
func emptyPlace(t *testing.T, url string) (backup.Place, string) {
	t.Helper()
	data, err := db.Open(t.Context(), url)
	if err == nil {
		_, err = data.Migrate(t.Context())
	}
	if err == nil {
		err = job.Migrate(t.Context(), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return backup.Place{DB: data, Vault: vaultOf(app.Config{Data: dir}), Clock: clock.System{}}, dir
}

// restore brings a backup back onto the database at url, starts it, and looks
// for everything that is missing or half there. harm, if given, is done to the
// restored vault first.
func (d *drill) restore(t *testing.T, b taken, url string, harm func(dir string)) []string {
	t.Helper()
	place, dir := emptyPlace(t, url)
	_, err := backup.Restore(t.Context(), place, b.file, backup.RestoreOptions{Identities: []age.Identity{b.key}})
	if err != nil {
		t.Fatal(err)
	}
	had, err := db.All(t.Context(), place.DB, db.Scalar[string], `SELECT id FROM deliveries`)
	if err != nil {
		t.Fatal(err)
	}
	place.DB.Close()
	key, err := os.ReadFile(vaultOf(d.x.Config).KeyFile)
	if err == nil {
		err = os.WriteFile(place.Vault.KeyFile, key, 0o600) // from where the operator keeps it
	}
	if err != nil {
		t.Fatal(err)
	}
	if harm != nil {
		harm(place.Vault.Dir)
	}
	c := d.x.Config
	c.Data, c.DB = dir, url
	again := &drill{
		x: &exchangetest.Exchange{App: d.x.App, URL: d.x.URL, Config: c}, file: filepath.Join(t.TempDir(), "order.json"),
		people: d.people, hook: d.hook, acks: acks{all: b.before},
	}
	raw, err := json.Marshal(order{App: c})
	if err == nil {
		err = os.WriteFile(again.file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := d.hook.counts()
	again.start(t)
	again.settle(t)
	return again.auditRestored(t, had, sent)
}

// auditRestored looks at a restored instance, and stops it. had are the messages
// of the backup, and before is how often each had arrived.
func (d *drill) auditRestored(t *testing.T, had []string, before map[string]int) []string {
	t.Helper()
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	d.auditAnswers(t, add)
	data := d.open(t)
	defer data.Close()
	d.auditSigned(t, data, add)
	d.stop(t)
	d.auditAcks(t, data, add)
	for what, query := range wrong {
		if what == "a message that waits" {
			continue // it was given up: receivers catch up by the feed
		}
		rows, err := db.All(t.Context(), data, db.Scalar[string], query)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(rows) > 0 {
			add("half: %s, %d times: %q", what, len(rows), rows[:min(len(rows), 5)])
		}
	}
	if at, err := feed.Verify(t.Context(), data); err != nil || at != 0 {
		add("half: the record is broken at %d: %v", at, err)
	}
	after := d.hook.counts()
	for _, id := range had {
		if after[id] != before[id] {
			add("hook: message %s of the backup was sent again", id)
		}
	}
	return found
}

// auditSigned verifies every notice that left.
func (d *drill) auditSigned(t *testing.T, data *db.DB, add func(string, ...any)) {
	t.Helper()
	ids, err := db.All(t.Context(), data, db.Scalar[string], `SELECT id FROM notices WHERE sent_at IS NOT NULL`)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		raw, err := d.people["platform"].ask(t.Context(), "GET", "/notices/"+id+"/signed", nil)
		var signed notes.Signed
		if err == nil {
			signed, err = notes.ParseSigned(raw.body)
		}
		if err == nil {
			err = notes.Verify(signed, notice.Keys(t.Context(), data))
		}
		if err != nil || len(signed.Approvals) != 3 {
			add("undecided: notice %s holds with %d signatures: %v", id, len(signed.Approvals), err)
		}
	}
}

// counts returns how often each message has come.
func (r *receiver) counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]int{}
	for id, h := range r.got {
		out[id] = h.times
	}
	return out
}

// refusesDamaged wants a backup that is cut or changed refused in words, with
// nothing written.
func (d *drill) refusesDamaged(t *testing.T, b taken) {
	t.Helper()
	whole, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for what, raw := range map[string][]byte{
		"cut at its end": whole[:len(whole)-1], "cut in the middle": whole[:len(whole)/2], "without its last piece": whole[:len(whole)-(64<<10)],
		"changed": flipped, "longer": append(slices.Clone(whole), 'x'),
	} {
		file := filepath.Join(t.TempDir(), "damaged.age")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		place, dir := emptyPlace(t, sqliteURL(t))
		if _, err := backup.Restore(t.Context(), place, file, backup.RestoreOptions{Identities: []age.Identity{b.key}}); err == nil {
			t.Errorf("a backup %s was restored", what)
		} else if !strings.Contains(err.Error(), "cut or damaged") && !strings.Contains(err.Error(), "no backup") {
			t.Errorf("of a backup %s it says: %v", what, err)
		}
		rows, err := db.Value[int64](t.Context(), place.DB, `SELECT (SELECT count(*) FROM parties) + (SELECT count(*) FROM reports) + (SELECT count(*) FROM feed_entries)`)
		place.DB.Close()
		if left, _ := os.ReadDir(dir); err != nil || rows != 0 || len(left) != 0 {
			t.Errorf("a backup %s left %d rows and %v (%v)", what, rows, left, err)
		}
	}
}

// A stopwatch measures requests until their answer begins, apart from those that
// begin while a backup is taken.
type stopwatch struct {
	next http.RoundTripper

	mu          sync.Mutex
	on          bool            // guarded by mu
	quiet, busy []time.Duration // guarded by mu
}

func (w *stopwatch) during(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = on
}

// RoundTrip sends one request.
func (w *stopwatch) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	on := w.on
	w.mu.Unlock()
	begun := time.Now()
	res, err := w.next.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/reports") {
		w.mu.Lock()
		defer w.mu.Unlock()
		if on {
			w.busy = append(w.busy, time.Since(begun))
		} else {
			w.quiet = append(w.quiet, time.Since(begun))
		}
	}
	return res, err
}

// p99 returns the slowest but a hundredth of both kinds.
func (w *stopwatch) p99() (quiet, busy time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := func(all []time.Duration) time.Duration {
		if len(all) == 0 {
			return 0
		}
		slices.Sort(all)
		return all[len(all)*99/100]
	}
	return at(w.quiet), at(w.busy)
}
