package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/backup"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/demo"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// house is an instance with work in it.
type house struct {
	backup.Place
	demo.Instance
	outbox *outbox.Outbox
	cast   *demo.Cast
}

// open opens the rooms over a database and a directory.
func open(t testing.TB, d *db.DB, dir string) *house {
	t.Helper()
	cfg := vault.Config{Dir: filepath.Join(dir, "vault"), KeyFile: filepath.Join(dir, "instance.key")}
	v, err := vault.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	platforms, err := canonical.Demo()
	if err != nil {
		t.Fatal(err)
	}
	c, packs, log := demo.NewClock(), policy.Default(), slog.New(slog.DiscardHandler)
	h := &house{Place: backup.Place{DB: d, Vault: cfg, Clock: clock.System{}}}
	in := demo.Instance{DB: d, Clock: c, Log: log, Feed: feed.New(d, c, log)}
	in.Auth = auth.New(d, in.Feed, c, v.MAC)
	in.Duty = duty.New(d, in.Feed, c)
	in.Report = report.New(report.Deps{DB: d, Feed: in.Feed, Clock: c, Vault: v, Packs: packs, Platforms: platforms, Jurisdiction: "id"})
	in.Casework = casework.New(casework.Deps{DB: d, Feed: in.Feed, Clock: c, Vault: v, Packs: packs, Reports: in.Report})
	in.Notice = notice.New(notice.Deps{DB: d, Feed: in.Feed, Clock: c, Vault: v, Packs: packs, Reports: in.Report, Cases: in.Casework})
	h.outbox = outbox.New(outbox.Deps{DB: d, Feed: in.Feed, Clock: c, Vault: v, Log: log, BaseURL: "https://tangkal.example"})
	in.Feed.Subscribe(in.Casework.OnReport())
	for _, s := range in.Notice.Subscriptions() {
		in.Feed.Subscribe(s)
	}
	in.Feed.Subscribe(h.outbox.Subscription())
	h.Instance = in
	return h
}

// fill gives the house people, work and a webhook that nobody delivers.
func (h *house) fill(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	err := h.Place.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		return reference.Found(ctx, tx, "DEMO", "Demo", h.Instance.Clock.Now())
	})
	if err == nil {
		h.cast, err = demo.Gather(ctx, h.Instance)
	}
	if err != nil {
		t.Fatal(err)
	}
	mika := h.cast.Actor("mika")
	desk, _, err := h.outbox.AddEndpoint(ctx, mika, "https://hooks.ruangsuara.example/in", "desk", nil)
	if err == nil { // which nobody works on here
		err = h.Place.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `
				INSERT INTO endpoint_replays (id, endpoint_id, party_id, after_seq, until_seq, asked_by, asked_at, next_seq, queued, mac)
				VALUES ('replay', $1, $2, 0, 9, $3, 1, 0, 0, $4)`, desk.ID, mika.Party, mika.Person, []byte("mac"))
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Tell(ctx, h.Instance, h.cast, demo.Plan{Share: 1}); err != nil {
		t.Fatal(err)
	}
}

// busy lets n reporters write until stop is called, and a sequencer beside
// them, and returns how many reports were acknowledged.
func (h *house) busy(t testing.TB, n int) (stop func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var reports atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				_, err := h.Report.Submit(ctx, report.Submission{
					Channel: report.Web, Category: report.Unsure, Lang: i18n.ID,
					Locations: []string{"https://ruangsuara.example/v/" + strconv.Itoa(i) + "x" + strconv.Itoa(k)},
					Files:     []report.Upload{{Name: "note.txt", Content: strings.NewReader("made up " + strconv.Itoa(k))}},
				})
				if err == nil {
					reports.Add(1)
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("report under backup: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		if err := h.Feed.Run(ctx); err != nil {
			t.Errorf("feed under backup: %v", err)
		}
	})
	return func() int64 { cancel(); all.Wait(); return reports.Load() }
}

func TestABackupTakenUnderLoadComesBackWholeOnBothDatabases(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, t.TempDir())
		h.fill(t)
		file := filepath.Join(t.TempDir(), "backup.tar.gz")
		stop := h.busy(t, 3)
		before := stopAfter(t, h, 10)
		m := write(t, h, file, backup.WriteOptions{WithKey: true})
		stopAfter(t, h, before+10) // writers went on during the backup and after it
		if n := stop(); n == 0 {
			t.Fatal("nobody wrote while the backup was made")
		}
		if m.Blobs == 0 || m.Rows() == 0 {
			t.Fatalf("the backup is empty: %d rows, %d blobs", m.Rows(), m.Blobs)
		}
		t.Run("sqlite", func(t *testing.T) { comesBack(t, dbtest.SQLite(t), file, m) })
		t.Run("postgres", func(t *testing.T) { comesBack(t, dbtest.Postgres(t), file, m) })
	})
}

// stopAfter waits until n reports are there and returns how many there are.
func stopAfter(t testing.TB, h *house, n int64) int64 {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		have, err := db.Value[int64](t.Context(), h.Place.DB, `SELECT count(*) FROM reports`)
		if err != nil {
			t.Fatal(err)
		}
		if have >= n {
			return have
		}
	}
}

func write(t testing.TB, h *house, file string, o backup.WriteOptions) backup.Manifest {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := backup.Write(t.Context(), h.Place, f, o)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return m
}

// comesBack restores onto an empty database and compares everything.
func comesBack(t *testing.T, d *db.DB, file string, want backup.Manifest) {
	t.Helper()
	dir := t.TempDir()
	p := backup.Place{DB: d, Vault: vault.Config{Dir: filepath.Join(dir, "vault"), KeyFile: filepath.Join(dir, "instance.key")}, Clock: clock.System{}}
	r, err := backup.Restore(t.Context(), p, file, backup.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Held == 0 {
		t.Error("no waiting delivery was held")
	}
	waiting, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM deliveries WHERE state = 'waiting'`)
	if err != nil || waiting != 0 {
		t.Errorf("%d deliveries would be sent again (%v)", waiting, err)
	}
	ended, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM endpoint_replays WHERE id = 'replay' AND done_at IS NOT NULL`)
	if err != nil || ended != 1 {
		t.Errorf("%d of 1 open replays is closed: what was asked for before would be sent again (%v)", ended, err)
	}
	h := open(t, d, dir) // the key fits the vault
	if at, err := feed.Verify(t.Context(), d); err != nil || at != 0 {
		t.Errorf("the chain is broken at %d (%v)", at, err)
	}
	got := write(t, h, filepath.Join(dir, "again.tar.gz"), backup.WriteOptions{})
	if diff := cmp.Diff(comparable(want), comparable(got)); diff != "" {
		t.Errorf("what came back differs (-was +is):\n%s", diff)
	}
	ref, err := db.Value[string](t.Context(), d, `SELECT id FROM reports ORDER BY received_at LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Report.GetTx(t.Context(), d, report.ID(ref)); err != nil {
		t.Errorf("a report cannot be opened after the restore: %v", err)
	}
	before, err := feed.Last(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	ordered := 0
	for {
		n, err := h.Feed.Drain(t.Context())
		if err != nil {
			t.Fatalf("the restored feed does not go on: %v", err)
		}
		if n == 0 {
			break
		}
		ordered += n
	}
	after, err := feed.Last(t.Context(), d)
	if err != nil || ordered == 0 || after != before+int64(ordered) {
		t.Errorf("after the restore %d entries got their place behind %d, and the last is %d (%v)", ordered, before, after, err)
	}
	if at, err := feed.Verify(t.Context(), d); err != nil || at != 0 {
		t.Errorf("the chain is broken at %d once it went on (%v)", at, err)
	}
}

// comparable is what must be equal: all tables but those that a restore itself
// writes into.
func comparable(m backup.Manifest) map[string]backup.Table {
	out := map[string]backup.Table{"blobs": {Rows: int64(m.Blobs), SHA256: strconv.FormatInt(m.BlobBytes, 10)}}
	for _, t := range m.Tables {
		if t.Name != "deliveries" && t.Name != "feed_pending" && t.Name != "endpoint_replays" {
			out[t.Name] = t
		}
	}
	return out
}

func TestBackupFiles(t *testing.T) {
	t.Parallel()
	h := open(t, dbtest.SQLite(t), t.TempDir())
	h.fill(t)
	for name, test := range map[string]func(*testing.T, *house){
		"a damaged one changes nothing":                damaged,
		"a sealed one opens for its recipient alone":   sealedFor,
		"the instance key is inside only if asked for": keyInside,
		"a restore refuses a place that is in use":     inUse,
		"it holds every table but what must not live":  everyTable,
		"one that does not fit its manifest is none":   doctored,
		"another place is refused":                     elsewhere,
	} {
		t.Run(name, func(t *testing.T) { test(t, h) })
	}
}

func damaged(t *testing.T, h *house) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	write(t, h, file, backup.WriteOptions{})
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, damaged := range map[string][]byte{"cut": whole[:len(whole)*2/3], "flipped": flipped, "empty": nil, "other": []byte("no backup")} {
		t.Run(name, func(t *testing.T) {
			bad := filepath.Join(t.TempDir(), "bad")
			if err := os.WriteFile(bad, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			d, dir := dbtest.SQLite(t), t.TempDir()
			p := backup.Place{DB: d, Vault: vault.Config{Dir: filepath.Join(dir, "v"), KeyFile: filepath.Join(dir, "k")}, Clock: clock.System{}}
			if _, err := backup.Restore(t.Context(), p, bad, backup.RestoreOptions{}); err == nil {
				t.Fatal("a damaged backup was restored")
			}
			if n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM parties`); err != nil || n != 0 {
				t.Errorf("%d organisations came from a damaged backup (%v)", n, err)
			}
		})
	}
}

func sealedFor(t *testing.T, h *house) {
	t.Helper()
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup.age")
	m := write(t, h, file, backup.WriteOptions{To: []age.Recipient{mine.Recipient()}})
	if _, err := backup.Verify(t.Context(), file, backup.RestoreOptions{}); !errors.Is(err, backup.ErrSealed) {
		t.Errorf("without a key: got %v, want %v", err, backup.ErrSealed)
	}
	if _, err := backup.Verify(t.Context(), file, backup.RestoreOptions{Identities: []age.Identity{other}}); err == nil {
		t.Error("another's key opened the backup")
	}
	got, err := backup.Verify(t.Context(), file, backup.RestoreOptions{Identities: []age.Identity{mine}})
	if err != nil || got.Rows() != m.Rows() {
		t.Errorf("the recipient reads %d rows (%v), want %d", got.Rows(), err, m.Rows())
	}
}

func keyInside(t *testing.T, h *house) {
	t.Helper()
	secret, err := os.ReadFile(h.Place.Vault.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, with := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "backup.tar.gz")
		write(t, h, file, backup.WriteOptions{WithKey: with})
		if got := strings.Contains(unzipped(t, file), string(secret)); got != with {
			t.Errorf("with key %v: the key is inside: %v", with, got)
		}
	}
}

func inUse(t *testing.T, h *house) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	write(t, h, file, backup.WriteOptions{})
	if _, err := backup.Restore(t.Context(), h.Place, file, backup.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v, want a refusal that says what is not empty", err)
	}
}

// everyTable counts the rows of each table of the database and of the backup.
func everyTable(t *testing.T, h *house) {
	t.Helper()
	m := write(t, h, filepath.Join(t.TempDir(), "backup.tar.gz"), backup.WriteOptions{})
	got := map[string]int64{}
	for _, table := range m.Tables {
		got[table.Name] = table.Rows
	}
	names, err := db.All(t.Context(), h.Place.DB, db.Scalar[string], `
		SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' AND name NOT LIKE 'river_%' AND instr(name, '_fts') = 0`)
	if err != nil {
		t.Fatal(err)
	}
	want, filled := map[string]int64{}, 0
	for _, name := range names {
		if name == "sessions" || name == "challenges" {
			continue // a sign-in must not come back to life
		}
		if want[name], err = db.Value[int64](t.Context(), h.Place.DB, `SELECT count(*) FROM "`+name+`"`); err != nil {
			t.Fatal(err)
		}
		if want[name] > 0 {
			filled++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows by table (-database +backup):\n%s", diff)
	}
	if filled < 25 {
		t.Errorf("only %d tables hold anything: the test shows little", filled)
	}
}

// rewrite copies a backup, changing what change changes; nil leaves an entry
// out.
func rewrite(t *testing.T, file string, change func(name string, body []byte) []byte) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(gunzip(t, bytes.NewReader(raw)))
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	out := tar.NewWriter(zipped)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if body = change(h.Name, body); body == nil {
			continue
		}
		h.Size = int64(len(body))
		if err := out.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(out.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "changed.tar.gz")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// empty is a place that a backup may be restored to.
func empty(t *testing.T) backup.Place {
	t.Helper()
	dir := t.TempDir()
	return backup.Place{DB: dbtest.SQLite(t), Vault: vault.Config{Dir: filepath.Join(dir, "v"), KeyFile: filepath.Join(dir, "k")}, Clock: clock.System{}}
}

// wantRefused restores a file and wants a refusal in these words that leaves
// nothing behind.
func wantRefused(t *testing.T, p backup.Place, file, words string) {
	t.Helper()
	if _, err := backup.Restore(t.Context(), p, file, backup.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want a refusal that says %q", err, words)
	}
	for _, table := range []string{"parties", "cases", "feed_entries"} {
		if n, err := db.Value[int64](t.Context(), p.DB, `SELECT count(*) FROM `+table); err != nil || n != 0 {
			t.Errorf("%d rows in %s after a refusal (%v)", n, table, err)
		}
	}
}

// doctored are files whose every byte is readable, but not what the manifest
// says: somebody has opened and written them again.
func doctored(t *testing.T, h *house) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	write(t, h, file, backup.WriteOptions{WithKey: true})
	one := ""
	pick := func(name, prefix string) bool { // the first entry under prefix
		if one == "" && strings.HasPrefix(name, prefix) {
			one = name
		}
		return name == one
	}
	for name, c := range map[string]struct {
		change func(name string, body []byte) []byte
		words  string
	}{
		"a changed row": {func(name string, body []byte) []byte {
			if name == "tables/parties.jsonl" {
				return bytes.Replace(body, []byte("Ruangsuara"), []byte("Ruangsuari"), 1)
			}
			return body
		}, "parties is not what the manifest says"},
		"a row more": {func(name string, body []byte) []byte {
			if name == "tables/parties.jsonl" {
				return append(body, body[:bytes.IndexByte(body, '\n')+1]...)
			}
			return body
		}, "parties is not what the manifest says"},
		"a table less": {func(name string, body []byte) []byte {
			if name == "tables/cases.jsonl" {
				return nil
			}
			return body
		}, "tables"},
		"a changed blob": {func(name string, body []byte) []byte {
			if pick(name, "blobs/") {
				body[0] ^= 1
			}
			return body
		}, "not what its name says"},
		"a blob less": {func(name string, body []byte) []byte {
			if pick(name, "blobs/") {
				return nil
			}
			return body
		}, "blobs"},
		"a key less": {func(name string, body []byte) []byte {
			if name == "instance.key" {
				return nil
			}
			return body
		}, "instance key"},
		"no manifest": {func(name string, body []byte) []byte {
			if name == "manifest.json" {
				return nil
			}
			return body
		}, "no manifest"},
		"another form": {func(name string, body []byte) []byte {
			if name == "manifest.json" {
				return bytes.Replace(body, []byte("tangkal-backup/1"), []byte("tangkal-backup/2"), 1)
			}
			return body
		}, "tangkal-backup/2"},
		"another schema": {func(name string, body []byte) []byte {
			if name == "manifest.json" {
				return bytes.Replace(body, []byte(`"schema": `), []byte(`"schema": 9`), 1)
			}
			return body
		}, "schema 9"},
		"nothing": {func(_ string, body []byte) []byte { return body }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			one = ""
			changed := rewrite(t, file, c.change)
			if c.words == "" { // rewriting alone does no harm
				if _, err := backup.Verify(t.Context(), changed, backup.RestoreOptions{}); err != nil {
					t.Error(err)
				}
				return
			}
			wantRefused(t, empty(t), changed, c.words)
		})
	}
}

// elsewhere is an empty database beside somebody else's vault or key.
func elsewhere(t *testing.T, h *house) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	write(t, h, file, backup.WriteOptions{WithKey: true})
	t.Run("a vault under another key", func(t *testing.T) {
		p := empty(t)
		if _, err := vault.Open(p.Vault); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, p, file, "another instance key")
	})
	t.Run("another key", func(t *testing.T) {
		p := empty(t)
		if err := os.WriteFile(p.Vault.KeyFile, []byte("somebody's"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, p, file, "another instance key lies there")
		if raw, err := os.ReadFile(p.Vault.KeyFile); err != nil || string(raw) != "somebody's" {
			t.Errorf("the key that lay there is now %q (%v)", raw, err)
		}
	})
}

func unzipped(t testing.TB, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(gunzip(t, f))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
