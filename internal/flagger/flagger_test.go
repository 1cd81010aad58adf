package flagger_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// mixed holds two good rows, one twice, and one of each fault.
const mixed = `Tautan;Catatan;Dasar;Rujukan;Tanggal
https://ruangsuara.example/v/1;first;G3;A-1;2026-11-20
https://ruangsuara.example/v/2 https://ruangsuara.example/v/3;second;;;20/11/2026
;nothing;;;
https://ruangsuara.example/v/1;first;solicit-group;A-1;20-11-2026
http://;bad link;;;
https://ruangsuara.example/v/4;x;cooking;;
https://ruangsuara.example/v/5;x;;;tomorrow
https://ruangsuara.example/v/6;x;;;2031-01-01
`

func TestAListBecomesReportsOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		l := h.upload(t, h.lena, mixed)
		want := []flagger.Field{flagger.Location, flagger.Note, flagger.Hint, flagger.Reference, flagger.Found}
		if diff := cmp.Diff(want, l.Columns); diff != "" {
			t.Error(diff)
		}
		v := h.look(t, h.lena, l.ID)
		if diff := cmp.Diff(map[flagger.Outcome]int{flagger.Ready: 2, flagger.Before: 1, flagger.Faulty: 5}, v.Counts); diff != "" {
			t.Error(diff)
		}
		if n := h.count(t, `SELECT count(*) FROM reports`); n != 0 {
			t.Fatalf("%d reports of a draft", n)
		}
		must(t, h.Start(t.Context(), h.lena, l.ID))
		if !slices.Equal(h.asked, []flagger.ID{l.ID}) {
			t.Errorf("work was asked for %v", h.asked)
		}
		must(t, h.Work(t.Context(), l.ID))
		must(t, h.Work(t.Context(), l.ID)) // a job that comes twice
		h.drain(t)
		v = h.look(t, h.lena, l.ID)
		if v.State != flagger.Done || v.Made != 2 || v.Again != 1 || v.Wrong != 5 || v.Next != 8 {
			t.Errorf("%+v", v.List)
		}
		if diff := cmp.Diff(map[flagger.Outcome]int{flagger.Reported: 2, flagger.Before: 1, flagger.Faulty: 5}, v.Counts); diff != "" {
			t.Error(diff)
		}
		first := v.Rows[0]
		if first.Step.Kind != report.StepJoined || first.Ref == "" || v.Rows[3].Ref != first.Ref {
			t.Errorf("first row %+v, its copy %+v", first, v.Rows[3])
		}
		got, err := h.reports.Get(t.Context(), h.analyst, first.Report)
		must(t, err)
		if got.Channel != report.Partner || got.From != h.lena.Party || !got.Bulk || got.Category != report.Recruitment ||
			got.Description != "first\n\nThe sender's own reference: A-1\nSeen by the sender on 20 November 2026" {
			t.Errorf("report %+v", got)
		}
		// The same file again, and its rows in another one.
		for _, text := range []string{mixed, "url\nhttps://ruangsuara.example/v/7\n" + "https://ruangsuara.example/v/7\n", mixed} {
			h.send(t, h.lena, text)
		}
		if n := h.count(t, `SELECT count(*) FROM reports`); n != 3 {
			t.Errorf("%d reports, want 3", n)
		}
		// Another organisation has its own voice.
		if l := h.send(t, h.other, mixed); l.Made != 2 {
			t.Errorf("another's list made %d", l.Made)
		}
	})
}

// A row that could be read and is none when its turn comes says so and why: what
// counts as a location has changed since the list was looked at.
func TestARefusedRowSaysWhy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const wallet = "bitcoin:bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
		l := h.upload(t, h.lena, "url,note\n"+wallet+",asks for money\nhttps://ruangsuara.example/v/1,plain\n")
		if v := h.look(t, h.lena, l.ID); v.Counts[flagger.Ready] != 2 {
			t.Fatalf("before: %v", v.Counts)
		}
		must(t, h.Start(t.Context(), h.lena, l.ID))
		later := flagger.New(flagger.Deps{
			DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault,
			Reports: report.New(report.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: policy.Default(), Platforms: &canonical.Platforms{}}),
		})
		must(t, later.Work(t.Context(), l.ID))
		v := h.look(t, h.lena, l.ID)
		if diff := cmp.Diff(map[flagger.Outcome]int{flagger.Reported: 1, flagger.Faulty: 1}, v.Counts); diff != "" || v.State != flagger.Done || v.Wrong != 1 || v.Made != 1 {
			t.Fatalf("%+v %s", v.List, diff)
		}
		bad := v.Rows[0]
		if bad.N != 2 || len(bad.Faults) != 1 || bad.Faults[0].Column != -1 || bad.Faults[0].Fault.Code != string(canonical.BadScheme) {
			t.Fatalf("the refused row is %+v", bad)
		}
		want := i18n.For(i18n.EN).Fault(bad.Faults[0].Fault)
		var b bytes.Buffer
		must(t, h.WriteFaults(t.Context(), h.lena, l.ID, i18n.For(i18n.EN), &b))
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff"))).ReadAll()
		must(t, err)
		if len(lines) != 2 || lines[1][0] != "2" || lines[1][3] != want || strings.Contains(want, "{{") {
			t.Errorf("the file says %q, want %q", lines, want)
		}
	})
}

func TestEveryFaultSaysWhereAndWhat(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	l := h.upload(t, h.lena, mixed+`=cmd|x;"`+strings.Repeat("n", 4_001)+`";;`+strings.Repeat("r", 101)+";\nbroken\" quote;;;;\n")
	var b bytes.Buffer
	must(t, h.WriteFaults(t.Context(), h.lena, l.ID, i18n.For(i18n.EN), &b))
	if !bytes.HasPrefix(b.Bytes(), []byte("\ufeff")) {
		t.Error("no mark: spreadsheets take it for another encoding")
	}
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff"))).ReadAll()
	must(t, err)
	var got []string
	for _, line := range lines[1:] {
		got = append(got, strings.Join(line[:3], "|"))
		if line[3] == "" || strings.Contains(line[3], "flagger.") || strings.Contains(line[3], "{{") {
			t.Errorf("row %s says %q", line[0], line[3])
		}
	}
	want := []string{
		"4|Tautan|", "6|Tautan|http://", "7|Dasar|cooking", "8|Tanggal|tomorrow", "9|Tanggal|2031-01-01",
		"10|Tautan|'=cmd|x", "10|Catatan|" + strings.Repeat("n", 60) + "…", "10|Rujukan|" + strings.Repeat("r", 60) + "…", "11||",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestColumnsAreProposedAndChanged(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	for text, want := range map[string]string{
		"URL,Comment,Category,Case number,Date found\nx,,,,\n":        "location note hint reference found",
		"No,Tautan,Keterangan,Kategori,Tgl\n1,x,,,\n":                 "reference location note hint found",
		"Konten,Isi\nhttps://a.example/1,x\nhttps://a.example/2,y\n":  "location -",
		"https://ruangsuara.example/v/1,x\nhttps://a.example/2,y\n":   "location -",
		"Platform;Akun;Link;Catatan tim\nx;x;https://a.example/1;x\n": "- - location note",
	} {
		l := h.upload(t, h.lena, text)
		var got []string
		for _, f := range l.Columns {
			got = append(got, string(f))
			if f == flagger.Nothing {
				got[len(got)-1] = "-"
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", text, got, want)
		}
	}
	if l := h.upload(t, h.lena, "https://ruangsuara.example/v/1\nhttps://ruangsuara.example/v/2\n"); l.Lines != 2 {
		t.Errorf("%d rows of a list without a header", l.Lines)
	}
	l := h.upload(t, h.lena, "a,b\nhttps://ruangsuara.example/v/1,note\n")
	for code, columns := range map[string][]flagger.Field{
		"flagger.columns":     {flagger.Location},
		"flagger.twice":       {flagger.Location, flagger.Location},
		"flagger.no-location": {flagger.Note, flagger.Nothing},
		"flagger.field":       {flagger.Location, "secret"},
	} {
		err := h.SetColumns(t.Context(), h.lena, l.ID, columns)
		if e, _ := fault.As(err); e == nil || !slices.ContainsFunc(e.Parts, func(p *fault.Error) bool { return p.Code == code }) {
			t.Errorf("%v: %v, want %s", columns, err, code)
		}
	}
	must(t, h.SetColumns(t.Context(), h.lena, l.ID, []flagger.Field{flagger.Location, flagger.Note}))
	if v := h.look(t, h.lena, l.ID); v.Rows[0].Note != "note" {
		t.Errorf("%+v", v.Rows[0])
	}
	must(t, h.Start(t.Context(), h.lena, l.ID))
	for name, err := range map[string]error{
		"columns": h.SetColumns(t.Context(), h.lena, l.ID, []flagger.Field{flagger.Location, flagger.Nothing}),
		"start":   h.Start(t.Context(), h.lena, l.ID), "discard": h.Discard(t.Context(), h.lena, l.ID),
	} {
		if !fault.Is(err, "flagger.started") {
			t.Errorf("%s after the start: %v", name, err)
		}
	}
}

func TestAWorkbookIsAListToo(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	f := excelize.NewFile()
	f.SetSheetRow("Sheet1", "A1", &[]any{"Link", "Found on", "Ref"})
	f.SetSheetRow("Sheet1", "A2", &[]any{"https://ruangsuara.example/v/1", time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC), 1234567})
	var b bytes.Buffer
	must(t, f.Write(&b))
	l, err := h.Upload(t.Context(), h.lena, flagger.File{Kind: flagger.Reports, Name: `C:\lists\november.xlsx`, Content: &b, Lang: i18n.ID})
	must(t, err)
	row := h.look(t, h.lena, l.ID).Rows[0]
	if l.Name != "november.xlsx" || l.Sheet != "Sheet1" || row.Reference != "1234567" || !row.Found.Equal(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v\n%+v", l, row)
	}
	_, err = h.Upload(t.Context(), h.lena, flagger.File{Kind: flagger.Reports, Name: "x.xlsx", Content: strings.NewReader("PK\x03\x04 and no more"), Lang: i18n.ID})
	if !fault.Is(err, string(sheet.Damaged)) {
		t.Errorf("half a workbook: %v", err)
	}
}

func TestWorkThatBrokeOffGoesOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		var b strings.Builder
		b.WriteString("url\n")
		for i := range 60 {
			fmt.Fprintf(&b, "https://ruangsuara.example/v/%d\n\"unclosed\n", i)
		}
		l := h.upload(t, h.lena, strings.ReplaceAll(b.String(), "\"unclosed\n", "no link here\n"))
		must(t, h.Start(t.Context(), h.lena, l.ID))
		for i := 0; ; i++ { // each turn is cut off a little later
			ctx := cutAfter(t.Context(), 20+40*i)
			err := h.Work(ctx, l.ID)
			if err == nil && ctx.left.Load() >= 0 {
				break
			}
			if i > 100 {
				t.Fatal(err)
			}
		}
		got, err := h.Get(t.Context(), h.lena, l.ID)
		must(t, err)
		if n := h.count(t, `SELECT count(*) FROM reports`); n != 60 || got.Made != 60 || got.Wrong != 60 || got.State != flagger.Done {
			t.Errorf("%d reports, %+v", n, got)
		}
	})
}

// A cut is a context that ends by being asked.
type cut struct {
	context.Context
	left atomic.Int64
}

// cutAfter is a cut that ends after it was asked so many times.
func cutAfter(ctx context.Context, times int) *cut {
	c := &cut{Context: ctx}
	c.left.Store(int64(times))
	return c
}

func (c *cut) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return c.Context.Err()
}

func TestNobodySeesAnothersList(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	l := h.upload(t, h.lena, mixed)
	for name, try := range map[string]func() error{
		"get":     func() error { _, err := h.Get(t.Context(), h.other, l.ID); return err },
		"look":    func() error { _, err := h.Look(t.Context(), h.other, l.ID, flagger.Choice{}); return err },
		"start":   func() error { return h.Start(t.Context(), h.other, l.ID) },
		"columns": func() error { return h.SetColumns(t.Context(), h.other, l.ID, l.Columns) },
		"discard": func() error { return h.Discard(t.Context(), h.other, l.ID) },
		"faults": func() error {
			return h.WriteFaults(t.Context(), h.other, l.ID, i18n.For(i18n.EN), &bytes.Buffer{})
		},
	} {
		if err := try(); !fault.Is(err, "fault.hidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.Upload(t.Context(), h.auditor, flagger.File{Kind: flagger.Reports, Content: strings.NewReader(mixed), Lang: i18n.EN}); fault.Of(err) == fault.Internal || err == nil {
		t.Errorf("oversight sends a list: %v", err)
	}
	if auth.Seat(h.auditor, auth.ListRead) {
		t.Error("oversight has a seat at lists")
	}
	// A row that SQL gives to another organisation is nobody's.
	must(t, h.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE flagger_imports SET party_id = $1`, h.other.Party)
		return err
	}))
	if _, err := h.Look(t.Context(), h.other, l.ID, flagger.Choice{}); err == nil {
		t.Error("a list that was moved by SQL opens")
	}
}

func TestDraftsAndRowsAreForgotten(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	draft := h.upload(t, h.lena, mixed)
	h.clock.Advance(23 * time.Hour)
	must(t, h.Sweep(t.Context()))
	_, err := h.Get(t.Context(), h.lena, draft.ID)
	must(t, err)
	sent := h.send(t, h.lena, mixed)
	h.clock.Advance(2 * time.Hour)
	must(t, h.Sweep(t.Context()))
	if _, err := h.Get(t.Context(), h.lena, draft.ID); !fault.Is(err, "fault.hidden") {
		t.Errorf("a draft of yesterday: %v", err)
	}
	if v := h.look(t, h.lena, sent.ID); v.Gone || len(v.Rows) != 8 {
		t.Errorf("%+v", v.List)
	}
	h.clock.Advance(90 * 24 * time.Hour)
	must(t, h.Sweep(t.Context()))
	if v := h.look(t, h.lena, sent.ID); !v.Gone || v.Counts[flagger.Reported] != 2 {
		t.Errorf("%+v", v)
	}
	if err := h.WriteFaults(t.Context(), h.lena, sent.ID, i18n.For(i18n.EN), &bytes.Buffer{}); !fault.Is(err, "flagger.gone") {
		t.Errorf("faults of a list that is gone: %v", err)
	}
	blobs := 0
	must(t, h.vault.Walk(t.Context(), func(vault.Stat) error { blobs++; return nil }))
	if blobs != 0 {
		t.Errorf("%d blobs are left", blobs)
	}
	if got := h.send(t, h.lena, mixed); got.Made != 0 || got.Again != 3 {
		t.Errorf("its rows again, after it was forgotten: %+v", got)
	}
}

func TestAListSwampsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		tell := func(n int) {
			_, err := h.reports.Submit(t.Context(), report.Submission{
				Channel: report.Web, Locations: []string{fmt.Sprintf("https://kabarkita.example/p/%d", n)}, Category: report.Unsure, Lang: i18n.ID,
			})
			must(t, err)
			h.drain(t)
		}
		tell(1)
		var b strings.Builder
		b.WriteString("url,ground\n")
		for i := range 40 {
			fmt.Fprintf(&b, "https://ruangsuara.example/v/%d,threat\n", i) // the gravest hint
		}
		h.send(t, h.lena, b.String())
		h.clock.Advance(3 * time.Hour)
		tell(2) // a person, hours after the list
		_, err := h.cases.Sweep(t.Context(), h.clock.Now(), 500)
		must(t, err)
		cases, _, err := h.cases.Queue(t.Context(), h.analyst, casework.Filter{Limit: 100})
		must(t, err)
		if len(cases) != 42 {
			t.Fatalf("%d cases", len(cases))
		}
		for i, c := range cases {
			if c.Bulk == (i < 2) {
				t.Errorf("place %d: a list's %v, %d points", i+1, c.Bulk, c.Priority)
			}
		}
		// The same organisation, with the same thing forty times: one voice, and
		// no closed case opens again.
		b.Reset()
		b.WriteString("url,note\n")
		for i := range 40 {
			fmt.Fprintf(&b, "https://kabarkita.example/p/1,time %d\n", i)
		}
		id := cases[0].ID
		must(t, errOf(h.cases.Close(t.Context(), h.analyst, []casework.ID{id}, casework.CloseInput{Reason: "no-ground"})))
		h.send(t, h.lena, b.String())
		c, err := h.cases.Get(t.Context(), h.analyst, id)
		must(t, err)
		if c.Case.State != casework.Closed || c.Case.Voices != 2 || c.Case.ReportCount != 41 || c.Case.Bulk {
			t.Errorf("%+v", c.Case)
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestOneOrganisationHasSoManyListsAtOnce(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	for range flagger.MaxWaiting {
		h.upload(t, h.lena, mixed)
	}
	_, err := h.Upload(t.Context(), h.lena, flagger.File{Kind: flagger.Reports, Content: strings.NewReader(mixed), Lang: i18n.EN})
	if !fault.Is(err, "flagger.waiting") {
		t.Errorf("one more: %v", err)
	}
	h.upload(t, h.other, mixed)
	all, err := h.Lists(t.Context(), h.lena, flagger.Reports)
	if err != nil || len(all) != flagger.MaxWaiting {
		t.Errorf("%d lists, %v", len(all), err)
	}
	must(t, h.Discard(t.Context(), h.lena, all[0].ID))
	h.upload(t, h.lena, mixed)
	if _, err := h.Get(t.Context(), h.lena, all[0].ID); !errors.Is(err, fault.Hidden("list")) && !fault.Is(err, "fault.hidden") {
		t.Errorf("a discarded draft: %v", err)
	}
}
