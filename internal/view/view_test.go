package view_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/view"
)

var now = time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC)

// world writes rows as the rooms leave them.
type world struct {
	t      *testing.T
	d      *db.DB
	agency party.Party
	who    party.Person
	orgs   map[string]party.Party
	n      int
}

func start(t *testing.T, d *db.DB) *world {
	t.Helper()
	w := &world{t: t, d: d, orgs: map[string]party.Party{}}
	w.agency = w.org("agency", party.Agency)
	w.write(func(ctx context.Context, tx *db.Tx) (err error) {
		w.who, err = party.AddPerson(ctx, tx, party.Person{Party: w.agency.ID, Name: "R", Email: "r@a.example", Roles: []party.Role{party.Analyst}, Lang: "id", Zone: "UTC"}, now)
		return err
	})
	return w
}

func (w *world) write(f func(context.Context, *db.Tx) error) {
	w.t.Helper()
	if err := w.d.Write(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) org(code string, kind party.Kind) party.Party {
	w.t.Helper()
	if p, ok := w.orgs[code]; ok {
		return p
	}
	w.write(func(ctx context.Context, tx *db.Tx) error {
		p, err := party.Add(ctx, tx, party.Party{Code: code, Kind: kind, Name: strings.ToUpper(code), Zone: "UTC"}, now)
		w.orgs[code] = p
		return err
	})
	return w.orgs[code]
}

// row inserts one row of column and value in turn.
func (w *world) row(table string, pairs ...any) {
	w.t.Helper()
	var names, marks []string
	var args []any
	for i := 0; i < len(pairs); i += 2 {
		names = append(names, pairs[i].(string))
		args = append(args, pairs[i+1])
		marks = append(marks, fmt.Sprintf("$%d", len(args)))
	}
	w.write(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", args...)
		return err
	})
}

// a sent notice, as a test tells it; times are minutes after it was sent.
type order struct {
	platform string
	ago      time.Duration // from sending to now
	kind     string
	life     string
	received int
	answered int // of every item; 0 for no answer
	answer   string
	late     bool
	items    int
}

func (w *world) send(o order) (id string) {
	w.t.Helper()
	w.n++
	id = fmt.Sprintf("n%03d", w.n)
	sent := now.Add(-o.ago)
	after := func(m int) any {
		if m == 0 {
			return nil
		}
		return db.Micros(sent.Add(time.Duration(m) * time.Minute))
	}
	if o.kind == "" {
		o.kind = "removal-order"
	}
	if o.life == "" {
		o.life = "open"
	}
	o.items = max(o.items, 1)
	w.row("notices", "id", id, "ref", "T-PH-"+id, "kind", o.kind, "case_id", "c"+id, "case_ref", "T-KS-"+id, "dossier_id", "d", "proposer", w.agency.ID, "issuer", w.agency.ID,
		"addressee", w.org(o.platform, party.Platform).ID, "platform", o.platform, "pack_code", "id", "pack_version", 1, "pack_digest", "x", "version", 1, "digest", []byte{1},
		"canonical_sealed", []byte{1}, "key_wrapped", []byte{1}, "deadline_minutes", 60, "grounds", `["incite"]`, "functions", `[]`, "tier", "promotional", "item_count", o.items,
		"broad", "[]", "approvals_needed", 1, "may_tell", true, "preserve_months", 6, "emergency", false, "life", o.life, "delivery", "sent", "rung", "none", "outcome", "",
		"drafted_by", w.who.ID, "created_at", db.Micros(sent), "drafted_at", db.Micros(sent), "log_seq", 1, "sent_at", db.Micros(sent), "received_at", after(o.received),
		"answered_at", after(o.answered), "row_mac", []byte{1})
	for i := range o.items {
		state, answers := "pending", 0
		if o.answered > 0 {
			state, answers = "answered", 1
		}
		w.row("notice_items", "notice_id", id, "n", i+1, "location_id", "l", "url_sealed", []byte{1}, "platform", o.platform, "kind", "post",
			"content_type", "", "language", "", "state", state, "answer", o.answer, "answers", answers, "reopened", 0)
	}
	if o.answered == 0 {
		return id
	}
	w.row("notice_answers", "id", "a"+id, "notice_id", id, "document_sealed", []byte{1}, "digest", []byte{1}, "party_id", w.org(o.platform, party.Platform).ID,
		"person_id", w.who.ID, "channel", "portal", "seal_key", "k", "seal", []byte{1}, "at", after(o.answered))
	for i := range o.items {
		w.row("notice_item_answers", "notice_id", id, "n", i+1, "version", 1, "answer_id", "a"+id, "answer", o.answer, "basis", "", "row_sealed", []byte{1},
			"row_mac", []byte{1}, "at", after(o.answered), "late", o.late)
	}
	return id
}

const day = 24 * time.Hour

func TestFiguresCountWhatHappened(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(t, d)
		for i := range 11 {
			w.send(order{platform: "fast", ago: time.Duration(i+1) * day, received: 5, answered: 15 + 2*i, answer: "removed", items: 2})
		}
		w.send(order{platform: "slow", ago: 2 * day, received: 30, answered: 200, answer: "refused", late: true})
		w.send(order{platform: "slow", ago: day, received: 30})
		w.send(order{platform: "slow", ago: 3 * day, life: "withdrawn"})
		w.send(order{platform: "slow", ago: 3 * day, kind: "referral", received: 1, answered: 9, answer: "labelled"})
		w.send(order{platform: "slow", ago: 50 * day, received: 1, answered: 9, answer: "removed"}) // before the days counted
		f, err := view.Public(t.Context(), d, now)
		if err != nil {
			t.Fatal(err)
		}
		// Of eleven answers after 10, 12, … 30 minutes and one after 170, the
		// middle is between 20 and 22.
		receipt, answer, onTime := 5, 21, 92
		want := view.Orders{
			Total: 14, Items: 25, Acted: 11, Refused: 1, Open: 1, Undone: 1,
			Service: view.Service{OnTime: 11, Late: 1, ToReceipt: &receipt, ToAnswer: &answer, OnTimePercent: &onTime},
		}
		if diff := cmp.Diff(want, f.Orders); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(view.Referrals{Total: 1, Items: 1, Acted: 1}, f.Referrals); diff != "" {
			t.Errorf("referrals (-want +got):\n%s", diff)
		}
		if len(f.Platforms) != 2 || f.Platforms[0].Name != "FAST" || *f.Platforms[0].ToAnswer != 20 || f.Platforms[1].ToAnswer != nil || f.Platforms[1].OnTimePercent != nil {
			t.Errorf("platforms %+v: the median of few must stay unsaid", f.Platforms)
		}
		if f.Grounds["incite"] != 14 || f.Refusals["unnamed"] != 1 {
			t.Errorf("grounds %v, refusals %v", f.Grounds, f.Refusals)
		}
		sum := 0
		for _, week := range f.Weeks {
			sum += week.Acted + week.Refused + week.Open + week.Undone
		}
		if len(f.Weeks) != view.WeekCount || sum != 15 || f.Weeks[4].Acted != 1 {
			t.Errorf("weeks %+v hold %d orders", f.Weeks, sum)
		}
		if len(f.Latest) != view.LatestCount || f.Latest[0].Platform != "SLOW" && f.Latest[0].Platform != "FAST" {
			t.Errorf("latest %+v", f.Latest)
		}
	})
}

func TestReportsAreCountedOnceByTheGravestThing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(t, d)
		order, referral := w.send(order{platform: "pp", ago: day}), w.send(order{platform: "pp", ago: day, kind: "referral"})
		report := func(id string, at time.Time, cases ...string) {
			w.row("reports", "id", id, "party_id", w.agency.ID, "ref", id, "receipt_mac", []byte(id), "channel", "web", "category", "unsure", "lang", "id", "contact_for", "", "received_at", db.Micros(at))
			for _, c := range cases {
				w.row("case_reports", "report_id", id, "case_id", c, "channel", "web", "joined_at", db.Micros(at))
			}
		}
		caseRow := func(id, state string) {
			w.row("cases", "id", id, "ref", id, "party_id", w.agency.ID, "state", state, "jurisdiction", "id", "platform", "p", "kind", "post", "kinds", "[]", "locations", 1,
				"reports", 1, "channels", "[]", "languages", "[]", "heavy", false, "urgent", false, "burst", false, "crisis", false, "queue", "", "priority", 1, "why", "[]", "ranked_at", 1, "tier", "",
				"list_class", "", "assessed", 0, "complete", false, "order_fault", "", "opinion", "", "captures", 0, "no_capture", false, "dossiers", 0, "holds", 0, "outcome", "",
				"opened_at", 1, "deadline_at", 1, "version", 1, "key_wrapped", []byte{1})
		}
		caseRow("c"+order, "decided")
		caseRow("c"+referral, "decided")
		caseRow("shut", "closed")
		caseRow("fresh", "open")
		report("r1", now.Add(-day), "c"+referral, "c"+order)
		report("r2", now.Add(-day), "c"+referral)
		report("r3", now.Add(-day), "shut")
		report("r4", now.Add(-day), "shut", "fresh")
		report("r5", now.Add(-day))
		report("r6", now.Add(-40*day), "shut")
		f, err := view.Public(t.Context(), d, now)
		if err != nil {
			t.Fatal(err)
		}
		if want := (view.Reports{Total: 5, Ordered: 1, Referred: 1, Closed: 1, Open: 2}); f.Reports != want {
			t.Errorf("reports %+v, want %+v", f.Reports, want)
		}
	})
}

func TestAnEmptyInstanceHasNoFigures(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var c view.Cache
		f, err := c.Public(t.Context(), d, now)
		if err != nil || !f.None() {
			t.Fatalf("%+v, %v", f, err)
		}
		w := start(t, d)
		w.send(order{platform: "pp", ago: day})
		if f, err = c.Public(t.Context(), d, now.Add(500*time.Millisecond)); err != nil || f.Orders.Total != 0 {
			t.Errorf("within the second: %d orders, %v", f.Orders.Total, err)
		}
		if f, err = c.Public(t.Context(), d, now.Add(time.Second)); err != nil || f.Orders.Total != 1 {
			t.Errorf("after it: %d orders, %v", f.Orders.Total, err)
		}
		var b strings.Builder
		if err := f.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil || !strings.Contains(b.String(), "minutes-to-answer,,2026-10-20T07:00:01Z,2026-11-19T07:00:01Z,too few") {
			t.Errorf("csv %v:\n%s", err, b.String())
		}
		for _, row := range rows {
			if len(row) != 5 {
				t.Errorf("row %q", row)
			}
		}
	})
}

func TestNoCellOfTheFiguresIsAFormula(t *testing.T) {
	var b strings.Builder
	f := view.Figures{Platforms: []view.Platform{{Name: `=HYPERLINK("https://a.example")`}, {Name: "@a"}, {Name: "Berkas"}}}
	if err := f.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		for _, cell := range r {
			if strings.HasPrefix(cell, "=") || strings.HasPrefix(cell, "@") {
				t.Errorf("a spreadsheet runs %q", cell)
			}
		}
	}
}

// slow answers nothing until it is let go.
type slow struct {
	db.Reader
	until <-chan struct{}
}

// Query implements db.Reader.
func (s slow) Query(context.Context, string, ...any) (db.Rows, error) {
	<-s.until
	return nil, errors.New("too late")
}

// The first count of a large instance holds up its first readers for two seconds
// in all, and nobody after them.
func TestALongFirstCountHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c view.Cache
		until := make(chan struct{})
		for i, want := range []time.Duration{2 * time.Second, 0, 0} {
			from := time.Now()
			f, err := c.Public(t.Context(), slow{until: until}, from)
			if took := time.Since(from); err != nil || !f.None() || took != want {
				t.Errorf("reader %d waited %s, want %s (%v)", i, took, want, err)
			}
		}
		close(until)
		synctest.Wait()
	})
}
