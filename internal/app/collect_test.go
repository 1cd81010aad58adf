package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
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

// A file of the vault that no row names goes after a week; those of every room
// stay, and so do those of reports that come while it is looked for.
func TestWhatNoRowNamesLeavesTheVault(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := clock.NewManual(time.Now().UTC())
	x := exchangetest.StartOn(t, dbtest.SQLiteURL(t), now)
	for n := range 5 {
		_, err := x.App.Report.Submit(t.Context(), withFile(n))
		must(err)
	}
	s := inIndonesia(t, x)
	s.report(t, 1)
	s.analyst.must(t, "POST", "/cases/"+s.caseID+"/take", nil, nil)
	_, err := x.App.Casework.AddCapture(t.Context(), s.analyst.Actor, casework.ID(s.caseID), "", []casework.Upload{
		{Name: "b.txt", MediaType: "text/plain", Content: strings.NewReader("rekaan")},
	})
	must(err)
	_, err = x.App.Flagger.Upload(t.Context(), s.analyst.Actor, flagger.File{
		Kind: flagger.Reports, Name: "c.csv", Content: strings.NewReader("url\nhttps://ruangsuara.example/v/1\n"), Lang: "id",
	})
	must(err)
	all := func() (names []string) {
		must(x.App.Vault.Walk(t.Context(), func(s vault.Stat) error { names = append(names, s.Name.String()); return nil }))
		return names
	}
	kept := all()
	for _, k := range app.Keepers(x.App) {
		own, err := k.Blobs(t.Context(), x.App.DB, kept)
		must(err)
		if _, served := k.(*notice.Room); len(own) == 0 && !served { // of those its own tests tell
			t.Errorf("%T names none of %d files", k, len(kept))
		}
	}
	key, _, err := x.App.Vault.NewKey()
	must(err)
	orphan, err := x.App.Vault.Put(t.Context(), key, strings.NewReader("its commit never came"), 1<<10)
	must(err)
	must(x.App.CollectBlobs(t.Context()))
	now.Advance(7 * 24 * time.Hour)
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
	left := all()
	for _, name := range kept {
		if !slices.Contains(left, name) {
			t.Errorf("%s is gone", name)
		}
	}
	if slices.Contains(left, orphan.Stored.String()) || len(left) != len(kept)+40 {
		t.Errorf("%d files, want %d; the left over one is there: %v", len(left), len(kept)+40, slices.Contains(left, orphan.Stored.String()))
	}
}

// A report whose files take longer than any pause of the sweep keeps them all.
func TestAnUploadThatLastsForDaysKeepsItsFirstFile(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Now().UTC())
	x := exchangetest.StartOn(t, dbtest.SQLiteURL(t), now)
	if _, err := x.App.Report.Submit(t.Context(), withFile(1)); err != nil {
		t.Fatal(err)
	}
	s := withFile(2)
	s.Files = nil
	s.More = func(yield func(report.Upload, error) bool) {
		if !yield(report.Upload{Name: "a.txt", MediaType: "text/plain", Content: strings.NewReader("first")}, nil) {
			return
		}
		for range 3 { // 500 MiB at 2 KiB a second
			if err := x.App.CollectBlobs(t.Context()); err != nil {
				t.Error(err)
			}
			now.Advance(24 * time.Hour)
		}
		yield(report.Upload{Name: "b.txt", MediaType: "text/plain", Content: strings.NewReader("second")}, nil)
	}
	if _, err := x.App.Report.Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := x.App.Vault.Walk(t.Context(), func(vault.Stat) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("%d files, want 3: %v", n, err)
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
	var rooms, asked []string
	for _, k := range app.Keepers(exchangetest.Start(t).App) {
		asked = append(asked, filepath.Base(reflect.TypeOf(k).Elem().PkgPath()))
	}
	slices.Sort(asked)
	for _, name := range sources {
		raw, err := os.ReadFile(name) //nolint:gosec // our own source
		must(err)
		if room := filepath.Base(filepath.Dir(name)); puts.Match(raw) && !strings.HasSuffix(name, "_test.go") && !slices.Contains(rooms, room) {
			rooms = append(rooms, room)
		}
	}
	if diff := cmp.Diff(asked, rooms); diff != "" {
		t.Errorf("CollectBlobs asks other rooms than those that keep files: %s", diff)
	}
}
