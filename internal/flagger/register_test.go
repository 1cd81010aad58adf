package flagger_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
)

// old is a register with three decisions of before, one of them twice, and rows
// that cannot be kept.
const old = `Tautan;Tanggal;Keputusan;Dasar;Nomor;Platform;Status;Catatan
https://ruangsuara.example/v/1;12/03/2019;Pemutusan akses;Pasal 5;KK-118;Ruangsuara;dicabut;setelah keberatan
https://ruangsuara.example/v/1 https://ruangsuara.example/v/2;2020-06-01;Peringatan;;KK-204;Ruangsuara;berlaku;kanariwangi
https://kabarkita.example/p/7;;Pemutusan akses;;KK-7;;;
https://ruangsuara.example/v/1;12/03/2019;Pemutusan akses;Pasal 5;KK-118;Ruangsuara;dicabut;setelah keberatan
https://ruangsuara.example/v/3;;Peringatan;;;;;
bukan tautan;2019-01-01;;;KK-9;;;
https://ruangsuara.example/v/4;2031-01-01;;;KK-10;;;
`

// bring uploads a register, starts it and does its work.
func (h *house) bring(t testing.TB, by party.Actor, text string) flagger.List {
	t.Helper()
	l, err := h.Upload(t.Context(), by, flagger.File{Kind: flagger.Register, Name: "lama.csv", Content: strings.NewReader(text), Lang: i18n.ID})
	must(t, err)
	must(t, h.Start(t.Context(), by, l.ID))
	must(t, h.Work(t.Context(), l.ID))
	h.drain(t)
	got, err := h.Get(t.Context(), by, l.ID)
	must(t, err)
	return got
}

// before is what the actor is told of a case.
func (h *house) before(t testing.TB, by party.Actor, id casework.ID) []string {
	t.Helper()
	v, err := h.cases.Get(t.Context(), h.analyst, id)
	must(t, err)
	all, err := h.Before(t.Context(), by, v.Case.Party, v.Locations)
	must(t, err)
	return said(all)
}

// said spells entries shortly.
func said(all []flagger.Entry) []string {
	var out []string
	for _, e := range all {
		s := e.Reference + " " + e.Decided.Format(time.DateOnly)
		if e.Withdrawn {
			s += " withdrawn"
		}
		out = append(out, s)
	}
	return out
}

func (h *house) finds(t testing.TB, by party.Actor, text string) []string {
	t.Helper()
	all, next, err := h.FindEntries(t.Context(), by, text, 0, 20)
	must(t, err)
	if next != 0 {
		t.Errorf("%q goes on after %d", text, len(all))
	}
	return said(all)
}

func TestARegisterIsToldAndNothingElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		elsewhere := h.join(t, "lain", party.Agency, party.Analyst)
		c := h.tell(t, "", "https://ruangsuara.example/v/1")
		acts := func() string {
			return fmt.Sprint(h.count(t, `SELECT count(*) FROM reports`), h.count(t, `SELECT count(*) FROM cases`), h.count(t, `SELECT count(*) FROM notices`),
				h.count(t, `SELECT count(*) FROM locations`), h.count(t, `SELECT count(*) FROM case_reports`), h.count(t, `SELECT CAST(sum(priority + reports + version) AS BIGINT) FROM cases`),
				h.count(t, `SELECT count(*) FROM feed_entries WHERE object NOT IN ('register')`))
		}
		was := acts()
		l := h.bring(t, h.analyst, old)
		if l.State != flagger.Done || l.Made != 3 || l.Again != 1 || l.Wrong != 3 || l.Next != 7 {
			t.Fatalf("%+v", l)
		}
		if now := acts(); now != was {
			t.Errorf("a register made something: %s, was %s", now, was)
		}
		want := []string{"KK-204 2020-06-01", "KK-118 2019-03-12 withdrawn"}
		if diff := cmp.Diff(want, h.before(t, h.analyst, c.ID)); diff != "" {
			t.Error(diff)
		}
		later := h.tell(t, h.lena.Party, "https://kabarkita.example/p/7")
		if diff := cmp.Diff([]string{"KK-7 0001-01-01"}, h.before(t, h.analyst, later.ID)); diff != "" {
			t.Errorf("a case that came later: %s", diff)
		}
		if diff := cmp.Diff(want, h.before(t, h.auditor, c.ID)); diff != "" {
			t.Errorf("oversight: %s", diff)
		}
		for _, by := range []party.Actor{elsewhere, h.lena} {
			if got := h.before(t, by, c.ID); got != nil {
				t.Errorf("%s is told %q", by.PartyKind, got)
			}
		}
		for text, want := range map[string][]string{
			"KK-118": {"KK-118 2019-03-12 withdrawn"}, "204": {"KK-204 2020-06-01"}, "ruangsu": {"KK-204 2020-06-01", "KK-118 2019-03-12 withdrawn"}, "kanariwangi": {"KK-204 2020-06-01"}, "pasal keberatan": {"KK-118 2019-03-12 withdrawn"},
			"kabarkita": {"KK-7 0001-01-01"}, "nowhere": nil,
		} {
			if diff := cmp.Diff(want, h.finds(t, h.analyst, text)); diff != "" {
				t.Errorf("%s: %s", text, diff)
			}
			if got := h.finds(t, elsewhere, text); got != nil {
				t.Errorf("another agency finds %q by %s", got, text)
			}
		}
		if got := h.finds(t, h.auditor, "KK-118"); len(got) != 1 {
			t.Errorf("oversight finds %q", got)
		}
		if _, _, err := h.FindEntries(t.Context(), h.lena, "KK-118", 0, 20); err == nil {
			t.Error("civil society searches registers")
		}
		// The same file again makes nothing new; another organisation has its own.
		if again := h.bring(t, h.analyst, old); again.Made != 0 || again.Again != 4 {
			t.Errorf("%+v", again)
		}
		if other := h.bring(t, elsewhere, old); other.Made != 3 {
			t.Errorf("%+v", other)
		}
		if diff := cmp.Diff(want, h.before(t, h.analyst, c.ID)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARegisterIsTakenBackWhole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		c := h.tell(t, "", "https://ruangsuara.example/v/1")
		l, kept := h.bring(t, h.analyst, old), h.bring(t, h.analyst, "url,ref\nhttps://ruangsuara.example/v/1,Z-1\n")
		entry := h.look(t, h.analyst, l.ID).Rows[0].Entry
		_, err := h.Entry(t.Context(), h.analyst, entry)
		must(t, err)
		elsewhere := h.join(t, "lain", party.Agency, party.Analyst)
		approver := h.join(t, "tiga", party.Agency, party.Approver)
		for _, by := range []party.Actor{elsewhere, h.lena, approver} {
			if err := h.Undo(t.Context(), by, l.ID); !fault.Is(err, "fault.hidden") {
				t.Errorf("%s takes another's register back: %v", by.PartyKind, err)
			}
			if _, err := h.Entry(t.Context(), by, entry); !fault.Is(err, "fault.hidden") {
				t.Errorf("%s reads another's entry: %v", by.PartyKind, err)
			}
		}
		if err := h.Undo(t.Context(), h.auditor, l.ID); fault.Of(err) != fault.Denied {
			t.Errorf("oversight takes a register back: %v", err)
		}
		must(t, h.Undo(t.Context(), h.analyst, l.ID))
		h.drain(t)
		if diff := cmp.Diff([]string{"Z-1 0001-01-01"}, h.before(t, h.analyst, c.ID)); diff != "" {
			t.Error(diff)
		}
		for _, text := range []string{"KK-118", "kanariwangi"} {
			if got := h.finds(t, h.analyst, text); got != nil {
				t.Errorf("%s finds %q", text, got)
			}
		}
		for _, query := range []string{
			`SELECT count(*) FROM register_entries WHERE import_id <> $1`, `SELECT count(*) FROM register_places WHERE entry_id IN (SELECT id FROM register_entries WHERE import_id <> $1)`,
		} {
			if all, rest := h.count(t, strings.Split(query, " WHERE")[0]), h.count(t, query, l.ID); all != 1 || rest != 1 {
				t.Errorf("%s: %d of %d", query, rest, all)
			}
		}
		if n := h.count(t, `SELECT count(*) FROM search_docs WHERE object = 'register'`); n != 1 {
			t.Errorf("%d words of registers", n)
		}
		if n := h.count(t, `SELECT count(*) FROM feed_entries WHERE kind = 'register.undone' AND object_id = $1 AND actor_person = $2`, l.ID, h.analyst.Person); n != 1 {
			t.Errorf("%d records of taking it back", n)
		}
		got, err := h.Get(t.Context(), h.analyst, l.ID)
		must(t, err)
		want := l
		want.State, want.Gone, want.UndoneAt, want.UndoneBy, want.Columns = flagger.Undone, true, h.clock.Now(), h.analyst.Person, nil
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		if v := h.look(t, h.analyst, l.ID); len(v.Rows) != 0 || !maps.Equal(v.Counts, map[flagger.Outcome]int{flagger.Kept: 3, flagger.Before: 1, flagger.Faulty: 3}) {
			t.Errorf("%+v", v)
		}
		if err := h.Undo(t.Context(), h.analyst, l.ID); !fault.Is(err, "flagger.not-undone") {
			t.Errorf("taken back twice: %v", err)
		}
		if again := h.bring(t, h.analyst, old); again.Made != 3 {
			t.Errorf("brought in again: %+v", again)
		}
		// What is kept is no draft, and no list whose rows are forgotten.
		h.clock.Advance(400 * 24 * time.Hour)
		must(t, h.Sweep(t.Context()))
		if got := h.look(t, h.analyst, kept.ID); got.Gone || got.Rows[0].Reference != "Z-1" {
			t.Errorf("%+v", got)
		}
	})
}

func TestARegisterSaysWhatIsWrongWithIt(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	l, err := h.Upload(t.Context(), h.analyst, flagger.File{Kind: flagger.Register, Name: "lama.csv", Content: strings.NewReader(old), Lang: i18n.ID})
	must(t, err)
	want := []flagger.Field{flagger.Location, flagger.Decided, flagger.Decision, flagger.Ground, flagger.Reference, flagger.Service, flagger.Standing, flagger.Note}
	if diff := cmp.Diff(want, l.Columns); diff != "" {
		t.Error(diff)
	}
	v := h.look(t, h.analyst, l.ID)
	if diff := cmp.Diff(map[flagger.Outcome]int{flagger.Ready: 3, flagger.Before: 1, flagger.Faulty: 3}, v.Counts); diff != "" {
		t.Error(diff)
	}
	codes := map[int]string{}
	for _, row := range v.Rows {
		for _, f := range row.Faults {
			codes[row.N] += fmt.Sprint(f.Column, " ", f.Fault.Code)
		}
	}
	if diff := cmp.Diff(map[int]string{6: "-1 flagger.row.nameless", 7: "0 location.single-label", 8: "1 flagger.row.date-range"}, codes); diff != "" {
		t.Error(diff)
	}
	err = h.SetColumns(t.Context(), h.analyst, l.ID, []flagger.Field{flagger.Location, flagger.Hint, "", "", "", "", "", ""})
	if e, _ := fault.As(err); e == nil || len(e.Parts) != 1 || e.Parts[0].Code != "flagger.field" {
		t.Errorf("a hint in a register: %v", err)
	}
	for _, by := range []party.Actor{h.lena, h.auditor} {
		if _, err := h.Upload(t.Context(), by, flagger.File{Kind: flagger.Register, Content: strings.NewReader(old), Lang: i18n.ID}); err == nil {
			t.Errorf("%s brings a register in", by.PartyKind)
		}
	}
	if _, err := h.Upload(t.Context(), h.analyst, flagger.File{Kind: "orders", Content: strings.NewReader(old), Lang: i18n.ID}); fault.Of(err) != fault.Invalid {
		t.Errorf("a list of orders: %v", err)
	}
	for word, stands := range map[string]bool{
		"": true, "berlaku": true, "Dicabut 2020": false, "withdrawn": false, "not withdrawn": true, "tidak dicabut": true, "Lifted on appeal": false, "sebagian dicabut": true,
	} {
		l := h.bring(t, h.analyst, "url,ref,status\nhttps://ruangsuara.example/v/9,W "+word+","+word+"\n")
		if row := h.look(t, h.analyst, l.ID).Rows[0]; row.Withdrawn == stands {
			t.Errorf("%q: withdrawn %v", word, row.Withdrawn)
		}
	}
}

func TestARegisterThatBrokeOffGoesOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		var b strings.Builder
		b.WriteString("url,ref\n")
		for i := range 900 {
			fmt.Fprintf(&b, "https://ruangsuara.example/v/%d,R-%d\n", i%700, i%700)
		}
		l, err := h.Upload(t.Context(), h.analyst, flagger.File{Kind: flagger.Register, Name: "lama.csv", Content: strings.NewReader(b.String()), Lang: i18n.ID})
		must(t, err)
		must(t, h.Start(t.Context(), h.analyst, l.ID))
		full := errors.New("the disk is nearly full")
		parts := 0
		h.Spare = func() error {
			if parts++; parts == 3 {
				return full
			}
			return nil
		}
		if err := h.Work(t.Context(), l.ID); !errors.Is(err, full) {
			t.Fatalf("work on a full disk: %v", err)
		}
		if got, err := h.Get(t.Context(), h.analyst, l.ID); err != nil || got.Next != 400 || got.Made != 400 || got.State != flagger.Running {
			t.Errorf("%+v, %v", got, err)
		}
		for i := 0; ; i++ { // each turn is cut off a little later
			ctx := cutAfter(t.Context(), 20+40*i)
			err := h.Work(ctx, l.ID)
			if err == nil && ctx.left.Load() >= 0 {
				break
			}
			if i > 300 {
				t.Fatal(err)
			}
		}
		got, err := h.Get(t.Context(), h.analyst, l.ID)
		must(t, err)
		if n := h.count(t, `SELECT count(*) FROM register_entries`); n != 700 || got.Made != 700 || got.Again != 200 || got.State != flagger.Done {
			t.Errorf("%d entries, %+v", n, got)
		}
	})
}

func TestAnEntryCannotBeMovedBySQL(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	c := h.tell(t, "", "https://ruangsuara.example/v/5")
	h.bring(t, h.analyst, "url,ref\nhttps://ruangsuara.example/v/1,Z-1\n")
	must(t, h.db.Write(t.Context(), execute(`UPDATE register_places SET mac = (SELECT mac FROM locations LIMIT 1)`)))
	if got := h.before(t, h.analyst, c.ID); got != nil {
		t.Errorf("an entry says %q of what it does not name", got)
	}
	elsewhere := h.join(t, "lain", party.Agency, party.Analyst)
	must(t, h.db.Write(t.Context(), execute(`UPDATE register_entries SET party_id = $1`, elsewhere.Party)))
	must(t, h.db.Write(t.Context(), execute(`UPDATE register_places SET party_id = $1`, elsewhere.Party)))
	v, err := h.cases.Get(t.Context(), h.analyst, c.ID)
	must(t, err)
	if all, err := h.Before(t.Context(), elsewhere, elsewhere.Party, v.Locations); err != nil || len(all) > 0 {
		t.Errorf("an entry that SQL gave to another organisation says %v, %v", all, err)
	}
}
