package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/reference"
)

// wantPart waits until /readyz says that a part is at a level, and returns it.
func wantPart(t *testing.T, x *exchangetest.Exchange, name string, level app.Level) app.Part {
	t.Helper()
	var got app.Part
	eventually(t, name+" to be "+string(level), func() bool {
		res, err := http.Get(x.URL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var h app.Health
		if err := json.NewDecoder(res.Body).Decode(&h); err != nil {
			t.Fatal(err)
		}
		failing := false
		for _, p := range h.Parts {
			failing = failing || p.Level == app.Failing
			if p.Name == name {
				got = p
			}
		}
		if h.Ready == failing || h.Ready != (res.StatusCode == http.StatusOK) {
			t.Fatalf("ready is %v with status %d and parts %v", h.Ready, res.StatusCode, h.Parts)
		}
		return got.Level == level
	})
	return got
}

func TestReadyNamesWhatIsWrongAndWhatToDo(t *testing.T) {
	exchangetest.Each(t, func(t *testing.T, x *exchangetest.Exchange) {
		for _, name := range []string{"database", "vault", "feed", "clock"} {
			wantPart(t, x, name, app.Fine)
		}
		vault := filepath.Join(x.Config.Data, "vault")
		if err := os.Rename(vault, vault+".gone"); err != nil {
			t.Fatal(err)
		}
		p := wantPart(t, x, "vault", app.Failing)
		if !strings.Contains(p.Do, "mounted") || strings.Contains(p.What+p.Do, x.Config.Data) {
			t.Errorf("a vault that is gone is %+v", p)
		}
		if err := os.Rename(vault+".gone", vault); err != nil {
			t.Fatal(err)
		}
		wantPart(t, x, "vault", app.Fine)

		// Something happened an hour ahead of this clock.
		err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := x.App.Feed.Record(ctx, tx, feed.Event{Kind: "test.happened", Object: "test", ObjectID: "1", At: time.Now()})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the entry to have its place", func() bool {
			n, err := feed.Last(t.Context(), x.App.DB)
			return err == nil && n > 0
		})
		err = x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE feed_entries SET sequenced_at = $1 WHERE seq = (SELECT seq FROM feed_head WHERE id = 1)`, db.Micros(time.Now().Add(time.Hour)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if p := wantPart(t, x, "clock", app.Warning); !strings.Contains(p.Do, "synchronise") {
			t.Errorf("a clock that is behind is %+v", p)
		}
	})
}

// What an operator meets after a disk was not mounted or another option was
// given: the instance does not begin anew over its own data.
func TestASecondStartKeepsToTheFirst(t *testing.T) {
	eachPrepared(t, func(t *testing.T, x *exchangetest.Exchange) {
		start := func(change func(c *app.Config)) error {
			c := x.Config
			change(&c)
			a, err := app.Open(t.Context(), c, x.Clock, x.App.Log)
			if err == nil {
				a.Close()
			}
			return err
		}
		if err := start(func(c *app.Config) { c.InstanceCode = "" }); err != nil {
			t.Errorf("without a code it keeps the one it has: %v", err)
		}
		if err := start(func(c *app.Config) { c.InstanceCode = "OTHER" }); !errors.Is(err, reference.ErrOtherCode) || !strings.Contains(err.Error(), "TEST") {
			t.Errorf("with another code: %v", err)
		}
		tried := func(code string) bool {
			c := x.Config
			c.InstanceCode = code
			return slices.ContainsFunc(c.Try(t.Context(), time.Now()), func(p app.Part) bool { return p.Level == app.Failing })
		}
		if tried("TEST") || tried("") || !tried("OTHER") {
			t.Errorf("check-config finds faults: with its code %v, with none %v, with another %v", tried("TEST"), tried(""), tried("OTHER"))
		}
		empty := t.TempDir()
		if err := start(func(c *app.Config) { c.Data = empty }); err == nil || !strings.Contains(err.Error(), "mount its file system") {
			t.Errorf("over an empty data directory: %v", err)
		}
		if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
			t.Errorf("a refused start leaves %v behind (%v)", left, err)
		}
	})
}

func TestAConfigurationNamesEveryFaultOfWhatItNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("no such thing"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := app.Config{Data: dir, DB: "sqlite:x", Listen: "127.0.0.1:1", PublicURL: "https://tangkal.example", EvidenceOrigin: "https://evidence.tangkal.example", Jurisdiction: "id"}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *app.Config){
		"another host name":         func(c *app.Config) { c.EvidenceOrigin = "https://TANGKAL.example:8443" },
		"want https, as public-url": func(c *app.Config) { c.EvidenceOrigin = "http://evidence.tangkal.example" },
		"tls-cert and tls-key: tls": func(c *app.Config) { c.TLSCert, c.TLSKey = bad, bad },
		"no such policy pack":       func(c *app.Config) { c.Jurisdiction = "xx" },
		"no *.yaml":                 func(c *app.Config) { c.Packs = dir },
		"platform rules":            func(c *app.Config) { c.Platforms = bad },
		"recipients":                func(c *app.Config) { c.Recipients = bad },
		"percent-encoded":           func(c *app.Config) { c.DB = "postgres://u:gehe im@h:x/d" },
		"give both or neither":      func(c *app.Config) { c.Counsel = "Konselor" },
		"want https://… or tel":     func(c *app.Config) { c.Counsel, c.CounselURL = "Konselor", "javascript:x" },
	} {
		c := good
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "gehe") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
