package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// withFile is a report with one small file.
func withFile(n int) report.Submission {
	return report.Submission{
		Channel: report.Web, Category: report.Threat, Lang: i18n.ID, Locations: []string{fmt.Sprintf("https://ruangsuara.example/v/%d", n)},
		Files: []report.Upload{{Name: "a.txt", MediaType: "text/plain", Content: strings.NewReader(fmt.Sprint("rekaan ", n))}},
	}
}

// A file of the vault that no row names goes after a day; those of rows stay, and
// so do those of reports that come while it is looked for.
func TestWhatNoRowNamesLeavesTheVault(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	x := exchangetest.Start(t)
	for n := range 5 {
		_, err := x.App.Report.Submit(t.Context(), withFile(n))
		must(err)
	}
	key, _, err := x.App.Vault.NewKey()
	must(err)
	orphan, err := x.App.Vault.Put(t.Context(), key, strings.NewReader("its commit never came"), 1<<10)
	must(err)
	then := time.Now().Add(-25 * time.Hour)
	path := func(d vault.Digest) string {
		name := d.String()
		return filepath.Join(x.Config.Data, "vault", name[:2], name[2:])
	}
	must(x.App.Vault.Walk(t.Context(), func(s vault.Stat) error { return os.Chtimes(path(s.Name), then, then) }))
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for n := range 10 {
				if _, err := x.App.Report.Submit(t.Context(), withFile(100*w+n+100)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	must(x.App.CollectBlobs(t.Context()))
	writers.Wait()
	var all []string
	must(x.App.Vault.Walk(t.Context(), func(s vault.Stat) error { all = append(all, s.Name.String()); return nil }))
	named, err := x.App.Report.Blobs(t.Context(), x.App.DB, all)
	must(err)
	if slices.Contains(all, orphan.Stored.String()) || len(all) != 45 || len(named) != 45 {
		t.Errorf("%d files, %d of them reports' (want 45); the left over one is there: %v", len(all), len(named), slices.Contains(all, orphan.Stored.String()))
	}
}

// Every room that puts files into the vault is asked before any goes.
func TestEveryRoomWithFilesIsAskedBeforeTheyGo(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	puts := regexp.MustCompile(`\b[vV]ault\.Put\(`)
	sources, err := filepath.Glob("../*/*.go")
	must(err)
	var rooms []string
	for _, name := range sources {
		raw, err := os.ReadFile(name) //nolint:gosec // our own source
		must(err)
		if room := filepath.Base(filepath.Dir(name)); puts.Match(raw) && !strings.HasSuffix(name, "_test.go") && !slices.Contains(rooms, room) {
			rooms = append(rooms, room)
		}
	}
	if diff := cmp.Diff([]string{"casework", "flagger", "notice", "report"}, rooms); diff != "" {
		t.Errorf("CollectBlobs asks other rooms than those that keep files: %s", diff)
	}
}
