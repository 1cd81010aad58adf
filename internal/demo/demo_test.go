package demo_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/demo"
	"github.com/tangkal/tangkal/internal/duty"
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
	in.Duty = duty.New(d, in.Feed, c)
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

// share is how much of the stories tests tell: at least one of each kind.
const share = 12

func TestTheDemoShowsEveryStateAndAnUnbrokenChain(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	in := instance(t, d)
	cast, err := demo.Gather(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	start, present := time.Now(), time.Duration(0)
	err = demo.Tell(t.Context(), in, cast, demo.Plan{Share: share, Ready: func() { present = time.Since(start) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d %% of the stories: the present after %v, all after %v", share, present, time.Since(start))
	if at, err := feed.Verify(t.Context(), d); err != nil || at != 0 {
		t.Errorf("the chain is broken at %d (%v)", at, err)
	}
	for what, want := range map[string][]string{
		"SELECT DISTINCT state FROM cases":                                                           states(casework.States()),
		"SELECT DISTINCT life FROM notices":                                                          {"draft", "proposed", "approved", "open", "closed", "withdrawn"},
		"SELECT DISTINCT kind FROM notices":                                                          {"referral", "removal-order"},
		"SELECT DISTINCT delivery FROM notices":                                                      {"queued", "sent", "received"},
		"SELECT DISTINCT state FROM notice_items":                                                    {"pending", "paused", "answered", "verified"},
		"SELECT DISTINCT answer FROM notice_item_answers":                                            {"removed", "refused", "clarify"},
		"SELECT DISTINCT outcome FROM notices":                                                       {"complied", "refused", "expired"},
		"SELECT DISTINCT pack_code FROM notices":                                                     {"id", "eu-tco"},
		"SELECT DISTINCT state FROM handovers":                                                       {"offered", "accepted", "returned"},
		"SELECT 'held' FROM cases WHERE held_until IS NOT NULL LIMIT 1":                              {"held"},
		"SELECT 'overdue' FROM notices WHERE overdue_at IS NOT NULL AND life = 'open' LIMIT 1":       {"overdue"},
		"SELECT 'unreceived' FROM notices WHERE unreceived_at IS NOT NULL AND life = 'open' LIMIT 1": {"unreceived"},
		"SELECT 'message' FROM notice_messages LIMIT 1":                                              {"message"},
		"SELECT 'deemed' FROM notice_deemed LIMIT 1":                                                 {"deemed"},
		"SELECT 'returned' FROM notice_returns LIMIT 1":                                              {"returned"},
		"SELECT 'opinion' FROM case_opinions LIMIT 1":                                                {"opinion"},
	} {
		got, err := db.All(t.Context(), d, db.Scalar[string], what)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %q is missing in %q", what, w, got)
			}
		}
	}
}

func states[S ~string](all []S) []string {
	var out []string
	for _, s := range all {
		out = append(out, string(s))
	}
	return out
}

func TestNothingOfTheDemoLiesInTheFutureOrWasRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	in := instance(t, d)
	cast, err := demo.Gather(t.Context(), in)
	if err == nil {
		err = demo.Tell(t.Context(), in, cast, demo.Plan{Share: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	last, err := db.Value[int64](t.Context(), d, `SELECT max(at) FROM feed_entries`)
	if err != nil || last > db.Micros(time.Now()) {
		t.Errorf("the last entry is of %v (%v)", time.UnixMicro(last), err)
	}
	if n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM notice_refusals`); err != nil || n != 0 {
		t.Errorf("the dispatcher refused %d notices (%v)", n, err)
	}
	if now := in.Clock.Now(); time.Since(now).Abs() > time.Minute {
		t.Errorf("the clock stands at %v after the telling", now)
	}
	for _, who := range []string{"ratna", "sari", "bagus", "mika", "hana"} {
		if !cast.Actor(who).Known() {
			t.Errorf("%s is not in the cast", who)
		}
	}
	if len(cast.Keys) == 0 || cast.Actor("nobody").Known() {
		t.Error("the cast has no keys, or a nobody")
	}
}
