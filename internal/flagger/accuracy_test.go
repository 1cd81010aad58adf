package flagger_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// tell reports a link as an organisation, or as somebody unknown.
func (h *house) tell(t testing.TB, from party.ID, link string) casework.Case {
	t.Helper()
	got, err := h.reports.Submit(t.Context(), report.Submission{Channel: report.Partner, From: from, Locations: []string{link}, Category: report.Unsure, Lang: i18n.ID})
	must(t, err)
	h.drain(t)
	cases, err := h.cases.OfReport(t.Context(), h.analyst, got.ReportID)
	must(t, err)
	return cases[0]
}

func TestHowOftenAFlaggerWasRight(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		post := func(n int) string { return fmt.Sprintf("https://ruangsuara.example/v/%d", n) }
		h.tell(t, h.lena.Party, post(100))
		h.clock.Advance(100 * 24 * time.Hour)
		for i, reason := range []string{"no-ground", "true-purpose", "not-public", "gone", "duplicate"} {
			c := h.tell(t, h.lena.Party, post(i))
			must(t, errOf(h.cases.Close(t.Context(), h.analyst, []casework.ID{c.ID}, casework.CloseInput{Reason: reason})))
		}
		for range 3 { // one thing, told often
			h.tell(t, h.lena.Party, post(50))
		}
		h.tell(t, h.other.Party, post(60))
		h.tell(t, "", post(61))
		// How a notice ends is package notice's to try; here its words stand alone.
		for i, outcome := range []string{"complied", "refused", "withdrawn"} {
			c := h.tell(t, h.lena.Party, post(70+i))
			must(t, h.db.Write(t.Context(), execute(`UPDATE cases SET state = 'closed', outcome = $2 WHERE id = $1`, c.ID, outcome)))
		}
		decided := h.tell(t, h.lena.Party, post(80))
		must(t, h.db.Write(t.Context(), execute(`UPDATE cases SET state = 'decided' WHERE id = $1`, decided.ID)))
		h.clock.Advance(time.Hour)
		got, err := h.Own(t.Context(), h.lena)
		must(t, err)
		lena := flagger.Source{Party: h.lena.Party, Name: "Organisasi jaring-warga", Kind: party.Civil, Accuracy: []flagger.Accuracy{
			{Days: 90, Reports: 12, Cases: 10, Upheld: 3, Refused: 3, Other: 2, Unassessed: 2},
			{Days: 365, Reports: 13, Cases: 11, Upheld: 3, Refused: 3, Other: 2, Unassessed: 3},
		}}
		other := flagger.Source{Party: h.other.Party, Name: "Organisasi aurelia", Kind: party.State, Accuracy: []flagger.Accuracy{
			{Days: 90, Reports: 1, Cases: 1, Unassessed: 1}, {Days: 365, Reports: 1, Cases: 1, Unassessed: 1},
		}}
		if diff := cmp.Diff(flagger.Count{At: h.clock.Now(), All: []flagger.Source{lena}}, got); diff != "" {
			t.Error(diff)
		}
		elsewhere := h.join(t, "lain", party.Agency, party.Approver)
		for _, c := range []struct {
			by   party.Actor
			want []flagger.Source
		}{{h.analyst, []flagger.Source{lena, other}}, {h.auditor, []flagger.Source{lena, other}}, {elsewhere, nil}} {
			got, err := h.Accuracies(t.Context(), c.by)
			must(t, err)
			if diff := cmp.Diff(c.want, got.All); diff != "" {
				t.Errorf("%s is told %s", c.by.PartyKind, diff)
			}
		}
		for _, by := range []party.Actor{h.lena, h.other} {
			if _, err := h.Accuracies(t.Context(), by); err == nil {
				t.Errorf("%s is told of others", by.PartyKind)
			}
		}
		if _, err := h.Own(t.Context(), h.auditor); err == nil {
			t.Error("oversight has an accuracy")
		}
		if got, err := h.Own(t.Context(), h.analyst); err != nil || len(got.All) != 1 || got.All[0].In(365).Reports != 0 {
			t.Errorf("who reported nothing has %+v, %v", got, err)
		}
		h.tell(t, h.other.Party, post(90))
		h.clock.Advance(4 * time.Minute)
		if got, err := h.Accuracies(t.Context(), h.analyst); err != nil || got.All[1].In(90).Reports != 1 {
			t.Errorf("figures of four minutes ago are counted again: %+v, %v", got.All, err)
		}
		h.clock.Advance(2 * time.Minute)
		if got, err := h.Accuracies(t.Context(), h.analyst); err != nil || got.All[1].In(90).Reports != 2 {
			t.Errorf("figures stay as they were: %+v, %v", got.All, err)
		}
	})
}

func TestFiguresAreSortedAndWritten(t *testing.T) {
	source := func(name string, reports, upheld, refused int) flagger.Source {
		return flagger.Source{Party: party.ID(name), Name: name, Kind: party.Civil, Accuracy: []flagger.Accuracy{
			{Days: 90, Reports: reports, Upheld: upheld, Refused: refused}, {Days: 365, Reports: reports, Upheld: upheld, Refused: refused},
		}}
	}
	c := flagger.Count{At: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), All: []flagger.Source{
		source("=beta", 9, 0, 0), source("Alfa", 5, 1, 1), source("gamma", 5, 2, 0),
	}}
	for order, want := range map[flagger.Order]string{
		flagger.ByReports: "=beta Alfa gamma", flagger.ByShare: "gamma Alfa =beta", flagger.ByName: "=beta Alfa gamma", "nonsense": "=beta Alfa gamma",
	} {
		var got []string
		for _, s := range c.By(order, 90) {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s: %s", order, got)
		}
	}
	var b bytes.Buffer
	must(t, c.WriteCSV(i18n.For(i18n.EN), &b))
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff"))).ReadAll()
	must(t, err)
	want := []string{"Alfa", "civil", "90", "5", "0", "2", "1", "1", "0", "0", "0.5000", "0.0945", "0.9055", "2026-11-22T08:00:00Z"}
	if len(lines) != 7 || len(lines[0]) != len(want) || lines[1][0] != "'=beta" || lines[1][10] != "" {
		t.Fatalf("%q", lines)
	}
	if diff := cmp.Diff(want, lines[3]); diff != "" {
		t.Error(diff)
	}
}

func TestTheIntervalIsWilsons(t *testing.T) {
	for _, c := range []struct {
		upheld, refused int
		low, high       float64
	}{ // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I
		{81, 182, 0.2553, 0.3662}, {15, 133, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 28, 0.0061, 0.1718},
	} {
		low, share, high, ok := flagger.Accuracy{Upheld: c.upheld, Refused: c.refused}.Ratio()
		if !ok || math.Abs(low-c.low) > 5e-5 || math.Abs(high-c.high) > 5e-5 || math.Abs(share-float64(c.upheld)/float64(c.upheld+c.refused)) > 1e-12 {
			t.Errorf("%d of %d: %.4f %.4f %.4f", c.upheld, c.upheld+c.refused, low, share, high)
		}
	}
	if _, _, _, ok := (flagger.Accuracy{Reports: 9, Other: 4}).Ratio(); ok {
		t.Error("a share of nothing")
	}
}

// TestBeingRightMovesNothing gives two organisations opposite histories and lets
// both report alike: whatever orders and decides is the same.
func TestBeingRightMovesNothing(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	for i := range 30 {
		right := h.tell(t, h.lena.Party, fmt.Sprintf("https://ruangsuara.example/v/%d", i))
		wrong := h.tell(t, h.other.Party, fmt.Sprintf("https://kabarkita.example/p/%d", i))
		must(t, h.db.Write(t.Context(), execute(`UPDATE cases SET state = 'decided' WHERE id = $1`, right.ID)))
		must(t, errOf(h.cases.Close(t.Context(), h.analyst, []casework.ID{wrong.ID}, casework.CloseInput{Reason: "no-ground"})))
	}
	a, b := h.tell(t, h.lena.Party, "https://ruangsuara.example/v/900"), h.tell(t, h.other.Party, "https://ruangsuara.example/v/901")
	for name, by := range map[string]party.Actor{"right": h.lena, "wrong": h.other} {
		c, err := h.Own(t.Context(), by)
		must(t, err)
		if _, share, _, _ := c.All[0].In(90).Ratio(); (share == 1) != (name == "right") {
			t.Fatalf("%s: %+v", name, c.All[0])
		}
	}
	h.clock.Advance(5 * time.Hour)
	must(t, errOf(h.cases.Sweep(t.Context(), h.clock.Now(), 500)))
	same := func(id casework.ID) casework.Case {
		v, err := h.cases.Get(t.Context(), h.analyst, id)
		must(t, err)
		return casework.Case{State: v.Case.State, Priority: v.Case.Priority, Why: v.Case.Why, Queue: v.Case.Queue, Voices: v.Case.Voices, Deadline: v.Case.Deadline, Tier: v.Case.Tier}
	}
	if x, y := same(a.ID), same(b.ID); x.Priority == 0 || fmt.Sprint(x) != fmt.Sprint(y) {
		t.Errorf("whoever was right has %+v, whoever was wrong %+v", x, y)
	}
}

// TestNothingThatDecidesKnowsWhoWasRight reads the imports of the whole program.
// The figures stand in no row: whoever would let them weigh would have to ask
// this package, and only what shows them does.
func TestNothingThatDecidesKnowsWhoWasRight(t *testing.T) {
	const self = "github.com/tangkal/tangkal/internal/flagger"
	shows := []string{"internal/api", "internal/app", "internal/web"}
	root, seen := filepath.Join("..", ".."), map[string]bool{}
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), root+string(filepath.Separator)))
		for _, i := range f.Imports {
			if strings.Trim(i.Path.Value, `"`) == self {
				seen[dir] = true
			}
		}
		return nil
	}))
	for dir := range seen {
		if !slices.Contains(shows, dir) {
			t.Errorf("%s imports the figures", dir)
		}
	}
	if len(seen) != len(shows) {
		t.Errorf("imported by %v: the walk missed something", seen)
	}
	h := start(t, dbtest.SQLite(t))
	h.tell(t, h.lena.Party, "https://ruangsuara.example/v/1")
	before := dbtest.Dump(t, h.db)
	_, err := h.Accuracies(t.Context(), h.analyst)
	must(t, err)
	_, err = h.Own(t.Context(), h.lena)
	must(t, err)
	if diff := cmp.Diff(before, dbtest.Dump(t, h.db)); diff != "" {
		t.Errorf("counting left something behind:\n%s", diff)
	}
}
