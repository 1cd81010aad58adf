package demo_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/demo"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// instance opens the rooms of the demonstration over a database.
func instance(t testing.TB, d *db.DB) demo.Instance {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Open(vault.Config{Dir: filepath.Join(dir, "vault"), KeyFile: filepath.Join(dir, "instance.key")})
	if err != nil {
		t.Fatal(err)
	}
	platforms, err := canonical.Demo()
	if err != nil {
		t.Fatal(err)
	}
	c, packs := demo.NewClock(), policy.Default()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	in := demo.Instance{DB: d, Clock: c, Log: log, Feed: feed.New(d, c, log)}
	in.Auth = auth.New(d, in.Feed, c, v.MAC)
	in.Report = report.New(report.Deps{DB: d, Feed: in.Feed, Clock: c, Vault: v, Packs: packs, Platforms: platforms, Jurisdiction: "id"})
	in.Casework = casework.New(casework.Deps{DB: d, Feed: in.Feed, Clock: c, Vault: v, Packs: packs, Reports: in.Report})
	in.Notice = notice.New(notice.Deps{DB: d, Feed: in.Feed, Clock: c, Vault: v, Packs: packs, Reports: in.Report, Cases: in.Casework})
	in.Feed.Subscribe(in.Casework.OnReport())
	for _, s := range in.Notice.Subscriptions() {
		in.Feed.Subscribe(s)
	}
	if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return reference.Found(ctx, tx, "DEMO", "Demo", c.Now())
	}); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestDemo(t *testing.T) {
	dir := "/dev/shm"
	tmp, err := os.MkdirTemp(dir, "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	d, err := db.Open(t.Context(), "sqlite:"+tmp+"/x.db")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = dbtest.SQLite
	t.Setenv("TMPDIR", "/dev/shm")
	in := instance(t, d)
	start := time.Now()
	cast, err := demo.Gather(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	err = demo.Tell(t.Context(), in, cast, demo.Plan{Ready: func() { t.Logf("the present after %v", time.Since(start)) }, Tick: func(done, all int) {
		if done == all {
			t.Logf("%d of %d scenes at %v", done, all, time.Since(start))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("filled in %v", time.Since(start))
	for _, q := range []string{"SELECT state || ' ' || count(*) FROM cases GROUP BY state", "SELECT kind||' '||life||' '||delivery || ' ' || count(*) FROM notices GROUP BY kind,life,delivery", "SELECT 'feed '||count(*) FROM feed_entries"} {
		all, err := db.All(t.Context(), d, db.Scalar[string], q)
		t.Log(all, err)
	}
}
