package casework_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// house is a room with the room before it, three agencies, an authority and an
// oversight body.
type house struct {
	*casework.Room
	deps    casework.Deps
	reports *report.Room
	db      *db.DB
	feed    *feed.Feed
	clock   *clock.Manual
	vault   *vault.Vault

	ratna, dimas, sari party.Actor // analysts and approver of the first agency
	lain, ketiga       party.Actor // analysts of two other agencies
	bagus              party.Actor // officer of the authority
	auditor            party.Actor
	person             int
}

// instanceKey writes the same key each time: which of a text's words stand for
// it depends on the key, and for one key in some fifty they are those that a
// campaign changes.
func instanceKey(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "instance.key")
	if err := os.WriteFile(path, []byte("TANGKAL-INSTANCE-KEY-1 "+strings.Repeat("A", 43)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{db: d, clock: clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))}
	h.feed = feed.New(d, h.clock, slog.New(slog.DiscardHandler))
	var err error
	h.vault, err = vault.Open(vault.Config{Dir: filepath.Join(t.TempDir(), "vault"), KeyFile: instanceKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		return reference.Found(ctx, tx, "DEMO", "Demo", h.clock.Now())
	})
	first := h.found(t, "tangkal-daring", party.Agency)
	h.ratna, h.dimas = h.join(t, first, party.Analyst), h.join(t, first, party.Analyst)
	h.sari = h.join(t, first, party.Approver)
	h.lain = h.join(t, h.found(t, "lain", party.Agency), party.Analyst)
	h.ketiga = h.join(t, h.found(t, "ketiga", party.Agency), party.Analyst)
	h.bagus = h.join(t, h.found(t, "kem-komunikasi", party.Authority), party.Officer)
	h.auditor = h.join(t, h.found(t, "pengawas", party.Oversight), party.Auditor)
	platforms, err := canonical.Demo()
	if err != nil {
		t.Fatal(err)
	}
	packs := policy.Default()
	h.reports = report.New(report.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: packs, Platforms: platforms})
	h.deps = casework.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: packs, Reports: h.reports}
	h.Room = casework.New(h.deps)
	h.feed.Subscribe(h.OnReport())
	return h
}

func (h *house) write(t testing.TB, f func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := h.db.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (h *house) found(t testing.TB, code string, kind party.Kind) (org party.Party) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		org, err = party.Add(ctx, tx, party.Party{Code: code, Kind: kind, Name: "Organisasi " + code, Jurisdiction: "id", Zone: "Asia/Jakarta"}, h.clock.Now())
		return err
	})
	h.clock.Advance(time.Second)
	return org
}

func (h *house) join(t testing.TB, org party.Party, roles ...party.Role) party.Actor {
	t.Helper()
	h.person++
	var p party.Person
	h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = party.AddPerson(ctx, tx, party.Person{
			Party: org.ID, Name: fmt.Sprint("Orang ", h.person), Email: fmt.Sprintf("p%d@org.example", h.person),
			Roles: roles, Lang: "id", Zone: "Asia/Jakarta",
		}, h.clock.Now())
		return err
	})
	a, err := auth.ActorFor(t.Context(), h.db, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (h *house) drain(t testing.TB) {
	t.Helper()
	for {
		n, err := h.feed.Drain(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// submit files a report by the web with the given links and lets it arrive.
func (h *house) submit(t testing.TB, agency string, links ...string) report.Receipt {
	t.Helper()
	return h.file(t, report.Submission{Channel: report.Web, Locations: links, Category: report.Recruitment, Lang: "id", Agency: agency})
}

func (h *house) file(t testing.TB, s report.Submission) report.Receipt {
	t.Helper()
	r, err := h.reports.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	h.drain(t)
	h.clock.Advance(time.Second)
	return r
}

// newCase reports a link and returns the case it made or joined.
func (h *house) newCase(t testing.TB, by party.Actor, links ...string) casework.ID {
	t.Helper()
	org, err := party.Get(t.Context(), h.db, by.Party)
	if err != nil {
		t.Fatal(err)
	}
	return h.caseOf(t, by, h.submit(t, org.Code, links...))
}

func (h *house) caseOf(t testing.TB, by party.Actor, r report.Receipt) casework.ID {
	t.Helper()
	cases, err := h.OfReport(t.Context(), by, r.ReportID)
	if err != nil || len(cases) != 1 {
		t.Fatalf("report %s is in %d cases (%v), want 1", r.Ref, len(cases), err)
	}
	return cases[0].ID
}

func (h *house) get(t testing.TB, by party.Actor, id casework.ID) casework.View {
	t.Helper()
	v, err := h.Get(t.Context(), by, id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *house) take(t testing.TB, by party.Actor, id casework.ID) {
	t.Helper()
	must1(t)(h.Take(t.Context(), by, id))
}

// ready takes, uploads evidence and assesses completely.
func (h *house) ready(t testing.TB, by party.Actor, id casework.ID, measure string) {
	t.Helper()
	h.take(t, by, id)
	h.upload(t, by, id)
	a := complete()
	a.Measure = measure
	must1(t)(h.Assess(t.Context(), by, id, h.get(t, by, id).Case.Assessed, a))
}

func (h *house) upload(t testing.TB, by party.Actor, id casework.ID) casework.CaptureID {
	t.Helper()
	c, err := h.AddCapture(t.Context(), by, id, "", []casework.Upload{{Name: "bukti.txt", MediaType: "text/plain", Content: strings.NewReader("contoh bukti rekaan")}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (h *house) freeze(t testing.TB, by party.Actor, id casework.ID, to party.ID) (casework.Dossier, error) {
	t.Helper()
	var d casework.Dossier
	c := h.get(t, h.auditor, id).Case
	err := h.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		d, err = h.FreezeTx(ctx, tx, by, casework.Freeze{CaseID: id, LocationIDs: c.LocationIDs, To: to, Measure: string(policy.RemovalOrder)}, h.clock.Now())
		return err
	})
	return d, err
}

// tx runs one of the methods that take a transaction.
func (h *house) tx(t testing.TB, f func(ctx context.Context, tx *db.Tx) error) error {
	t.Helper()
	return h.db.Write(t.Context(), f)
}

// complete is an assessment that leaves nothing open and allows an order.
func complete() casework.Assessment {
	text := func(s string) notes.Text { return notes.Text{Binding: "id", Texts: map[string]string{"id": s}} }
	a := casework.Assessment{
		Measure: string(policy.RemovalOrder), Public: notes.Yes, Functions: []notes.Function{notes.FunctionRecruitment},
		Tier: notes.TierPromotional, Listed: notes.Listed{Class: notes.ListNone},
		Necessity: notes.Necessity{Tried: []notes.Measure{{Measure: "Rujukan", Outcome: "Tanpa jawaban"}}},
		Scope:     notes.Scope{Territories: []string{"ID"}}, Reasons: text("Mengajak ikut kelompok rekaan."),
	}
	for _, g := range notes.Grounds() {
		f := notes.GroundFinding{Ground: g, Met: notes.No}
		if g == notes.GroundSolicitGroup {
			f.Met, f.Reasons = notes.Yes, "Ajakan pada menit 00.37."
		}
		a.Grounds = append(a.Grounds, f)
	}
	a.PurposeTests = tests(notes.No)
	return a
}

// tests are all five purpose tests with one answer.
func tests(actual notes.Finding) []notes.PurposeTest {
	var out []notes.PurposeTest
	for _, p := range notes.Purposes() {
		out = append(out, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: actual, Reasons: "Tidak ada tanda."})
	}
	return out
}

func must1(t testing.TB) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantFault checks that err is that fault, or one of its parts is.
func wantFault(t testing.TB, err error, code string) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok {
		t.Fatalf("got %v, want the fault %s", err, code)
	}
	if f.Code == code {
		return
	}
	for _, p := range f.Parts {
		if p.Code == code {
			return
		}
	}
	t.Fatalf("got %v, want the fault %s", err, code)
}

// dumped are the tables that an act on a case may change.
var dumped = []string{
	"cases", "case_locations", "case_reports", "case_assessments", "case_opinions", "case_notes", "captures", "capture_files",
	"dossiers", "dossier_locations", "dossier_files", "dossier_fates", "handovers", "case_undos", "case_skips", "case_takes",
	"feed_pending", "feed_entries", "report_steps", "reference_numbers",
}

// dump writes every row of the room's tables, in a fixed order.
func (h *house) dump(t testing.TB) string {
	t.Helper()
	var rows []string
	for _, table := range dumped {
		r, err := h.db.Query(t.Context(), `SELECT * FROM `+table) //nolint:gosec // a constant
		if err != nil {
			t.Fatal(err)
		}
		n := columnsOf(t, h.db, table)
		for r.Next() {
			values := make([]any, n)
			into := make([]any, n)
			for i := range values {
				into[i] = &values[i]
			}
			if err := r.Scan(into...); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, fmt.Sprint(table, values))
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	sort.Strings(rows)
	return strings.Join(rows, "\n")
}

func columnsOf(t testing.TB, d *db.DB, table string) int {
	t.Helper()
	q := `SELECT count(*) FROM pragma_table_info($1)`
	if d.Dialect() == db.Postgres {
		q = `SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1`
	}
	n, err := db.Value[int64](t.Context(), d, q, table)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// site is a small real server on loopback.
func site(t testing.TB, handler http.HandlerFunc) (*httptest.Server, netip.AddrPort) {
	t.Helper()
	s := httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	return s, netip.MustParseAddrPort(s.Listener.Addr().String())
}

func sealLocation(key vault.Key, id report.LocationID, url string) []byte {
	return vault.Seal(key, []byte(url), "location/"+string(id))
}
