package notice_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// tb is what a test and a property share.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// house is the room with the rooms before it, an agency, an authority, a
// platform and an oversight body, all with signing keys.
type house struct {
	*notice.Room
	cases   *casework.Room
	reports *report.Room
	db      *db.DB
	feed    *feed.Feed
	clock   *clock.Manual
	vault   *vault.Vault
	deps    notice.Deps

	ratna, dimas party.Actor // analysts of the agency
	sari, bima   party.Actor // approvers of the agency
	bagus, ayu   party.Actor // officers of the authority
	lina, mika   party.Actor // analysts of the platform
	other        party.Actor // analyst of another platform
	auditor      party.Actor

	agency, authority, platform party.Party

	mu   sync.Mutex
	keys map[party.PersonID]ed25519.PrivateKey
	told []announced
	n    int
}

// announced is what was announced to whom.
type announced struct {
	To party.ID
	notice.Announcement
}

func start(t testing.TB, d *db.DB) *house { return startIn(t, d, "id", party.Agency) }

// startIn builds the house in a jurisdiction whose cases are the given kind of
// party's. Where that is an authority, it issues as well.
func startIn(t testing.TB, d *db.DB, jurisdiction string, kind party.Kind) *house {
	t.Helper()
	h := &house{db: d, clock: clock.NewManual(time.Date(2026, 11, 19, 1, 0, 0, 0, time.UTC)), keys: map[party.PersonID]ed25519.PrivateKey{}}
	h.feed = feed.New(d, h.clock, slog.New(slog.DiscardHandler))
	var err error
	h.vault, err = vault.Open(vault.Config{Dir: filepath.Join(t.TempDir(), "vault"), KeyFile: filepath.Join(t.TempDir(), "instance.key")})
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		return reference.Found(ctx, tx, "DEMO", "Demo", h.clock.Now())
	})
	h.agency = h.found(t, party.Party{Code: "tangkal-daring", Kind: kind, Name: "Dit. Tangkal Daring", Jurisdiction: jurisdiction, Contact: "meja@tangkal.example", Languages: []string{"id", "en"}})
	h.authority = h.agency
	if kind == party.Agency {
		h.authority = h.found(t, party.Party{Code: "kem-komunikasi", Kind: party.Authority, Name: "Kem. Komunikasi", Jurisdiction: jurisdiction, Contact: "meja@komunikasi.example", Languages: []string{"id"}})
	}
	h.platform = h.found(t, party.Party{
		Code: "ruangsuara", Kind: party.Platform, PlatformKinds: []string{"social"}, PlatformKey: "ruangsuara", Name: "Ruangsuara",
		Contact: "legal@ruangsuara.example", LegalRepresentative: "Wakil Ruangsuara", Establishment: "SG", Languages: []string{"id", "en"},
	})
	second := h.found(t, party.Party{Code: "kabarkita", Kind: party.Platform, PlatformKinds: []string{"social"}, PlatformKey: "kabarkita", Name: "Kabarkita", Contact: "legal@kabarkita.example"})
	board := h.found(t, party.Party{Code: "dewan-pengawas", Kind: party.Oversight, Name: "Dewan Pengawas", Jurisdiction: jurisdiction})
	h.ratna, h.dimas = h.join(t, h.agency, party.Analyst), h.join(t, h.agency, party.Analyst)
	h.sari, h.bima = h.join(t, h.agency, party.Approver), h.join(t, h.agency, party.Approver)
	h.bagus, h.ayu = h.join(t, h.authority, party.Officer), h.join(t, h.authority, party.Officer)
	h.lina, h.mika = h.join(t, h.platform, party.Analyst), h.join(t, h.platform, party.Analyst)
	h.other = h.join(t, second, party.Analyst)
	h.auditor = h.join(t, board, party.Auditor)
	platforms, err := canonical.Demo()
	if err != nil {
		t.Fatal(err)
	}
	packs := policy.Default()
	h.reports = report.New(report.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: packs, Platforms: platforms})
	h.cases = casework.New(casework.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: packs, Reports: h.reports})
	h.deps = notice.Deps{
		DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: packs, Reports: h.reports, Cases: h.cases,
		Announce: func(_ context.Context, tx *db.Tx, to party.ID, m notice.Announcement) error {
			tx.AfterCommit(func() {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.told = append(h.told, announced{to, m})
			})
			return nil
		},
	}
	h.Room = notice.New(h.deps)
	h.feed.Subscribe(h.cases.OnReport())
	for _, s := range h.Subscriptions() {
		h.feed.Subscribe(s)
	}
	return h
}

func (h *house) write(t tb, f func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := h.db.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (h *house) found(t tb, p party.Party) (org party.Party) {
	t.Helper()
	p.Zone = "Asia/Jakarta"
	h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		org, err = party.Add(ctx, tx, p, h.clock.Now())
		return err
	})
	h.clock.Advance(time.Second)
	return org
}

func (h *house) join(t tb, org party.Party, roles ...party.Role) party.Actor {
	t.Helper()
	h.n++
	var p party.Person
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = party.AddPerson(ctx, tx, party.Person{
			Party: org.ID, Name: fmt.Sprint("Orang ", h.n), Email: fmt.Sprintf("p%d@org.example", h.n), Roles: roles, Lang: "id", Zone: "Asia/Jakarta",
		}, h.clock.Now())
		if err != nil {
			return err
		}
		_, err = party.AddKey(ctx, tx, party.Key{Person: p.ID, Method: party.BrowserKey, Public: public, Label: "laptop"}, h.clock.Now())
		return err
	})
	h.keys[p.ID] = private
	a, err := auth.ActorFor(t.Context(), h.db, p.ID)
	must(t, err)
	return a
}

func (h *house) drain(t tb) {
	t.Helper()
	for {
		n, err := h.feed.Drain(t.Context())
		must(t, err)
		if n == 0 {
			return
		}
	}
}

// ready makes a case with so many links, taken, evidenced and assessed.
func (h *house) ready(t tb, links int, measure notes.NoticeKind) casework.ID {
	t.Helper()
	h.n++
	var all []string
	for i := range links {
		all = append(all, fmt.Sprintf("https://ruangsuara.example/v/%d-%d", h.n, i+1))
	}
	return h.readyWith(t, measure, all...)
}

func (h *house) readyWith(t tb, measure notes.NoticeKind, links ...string) casework.ID {
	t.Helper()
	// A report goes to an agency; an authority that does everything itself has
	// its cases by other ways, which the room of cases shows.
	rec, err := h.reports.Submit(t.Context(), report.Submission{Channel: report.Web, Locations: links, Category: report.Recruitment, Lang: "id", Agency: h.agency.Code})
	must(t, err)
	h.drain(t)
	cases, err := h.cases.OfReport(t.Context(), h.ratna, rec.ReportID)
	must(t, err)
	if len(cases) != 1 {
		t.Fatalf("report is in %d cases, want 1", len(cases))
	}
	id := cases[0].ID
	_, err = h.cases.Take(t.Context(), h.ratna, id)
	must(t, err)
	_, err = h.cases.AddCapture(t.Context(), h.ratna, id, "", []casework.Upload{{Name: "bukti.txt", MediaType: "text/plain", Content: strings.NewReader("contoh bukti rekaan")}})
	must(t, err)
	v, err := h.cases.Get(t.Context(), h.ratna, id)
	must(t, err)
	_, err = h.cases.Assess(t.Context(), h.ratna, id, v.Case.Assessed, complete(measure))
	must(t, err)
	return id
}

// complete is an assessment that leaves nothing open and allows a notice.
func complete(measure notes.NoticeKind) casework.Assessment {
	a := casework.Assessment{
		Measure: string(measure), Public: notes.Yes, Functions: []notes.Function{notes.FunctionRecruitment},
		Tier: notes.TierPromotional, Listed: notes.Listed{Class: notes.ListNone},
		Necessity: notes.Necessity{Tried: []notes.Measure{{Measure: "Rujukan", Outcome: "Tanpa jawaban"}}},
		Scope:     notes.Scope{Territories: []string{"ID"}},
		Reasons:   notes.Text{Binding: "id", Texts: map[string]string{"id": "Mengajak ikut kelompok rekaan."}},
	}
	for _, g := range notes.Grounds() {
		f := notes.GroundFinding{Ground: g, Met: notes.No}
		if g == notes.GroundSolicitGroup {
			f.Met, f.Reasons = notes.Yes, "Ajakan pada menit 00.37."
		}
		a.Grounds = append(a.Grounds, f)
	}
	for _, p := range notes.Purposes() {
		a.PurposeTests = append(a.PurposeTests, notes.PurposeTest{Purpose: p, Claimed: notes.No, Actual: notes.No, Reasons: "Tidak ada tanda."})
	}
	return a
}

// sign is the person's signature over what the notice says now.
func (h *house) sign(by party.Actor, digest [32]byte) notice.Sig {
	key := h.keys[by.Person]
	return notice.Sig{Key: party.KeyIDOf(key.Public().(ed25519.PublicKey)), Value: ed25519.Sign(key, digest[:])}
}

func (h *house) draft(t tb, links int, kind notes.NoticeKind) notice.Notice {
	t.Helper()
	minutes := 240
	if kind == notes.Referral {
		minutes = 0
	}
	n, err := h.Draft(t.Context(), h.ratna, notice.DraftInput{CaseID: h.ready(t, links, kind), Kind: kind, DeadlineMinutes: minutes})
	must(t, err)
	return n
}

func (h *house) proposed(t tb, links int) notice.Notice {
	t.Helper()
	n := h.draft(t, links, notes.RemovalOrder)
	n, err := h.Propose(t.Context(), h.ratna, n.ID, h.sign(h.ratna, n.Digest))
	must(t, err)
	return n
}

func (h *house) approved(t tb, links int) notice.Notice {
	t.Helper()
	n := h.proposed(t, links)
	n, err := h.Approve(t.Context(), h.sari, n.ID, h.sign(h.sari, n.Digest))
	must(t, err)
	return n
}

func (h *house) issued(t tb, links int) notice.Notice {
	t.Helper()
	n := h.approved(t, links)
	n, err := h.Issue(t.Context(), h.bagus, n.ID, h.sign(h.bagus, n.Digest))
	must(t, err)
	return n
}

// sent is a removal order with so many items that has left.
func (h *house) sent(t tb, links int) notice.Notice {
	t.Helper()
	n := h.issued(t, links)
	h.drain(t)
	_, err := h.Dispatch(t.Context())
	must(t, err)
	h.drain(t)
	if n = h.now(t, n.ID); n.Life != notice.Open || n.Delivery != notice.Sent {
		t.Fatalf("%s, %s after dispatch, want open, sent", n.Life, n.Delivery)
	}
	return n
}

func (h *house) received(t tb, links int) notice.Notice {
	t.Helper()
	n, err := h.Receive(t.Context(), h.lina, h.sent(t, links).ID, notice.ReceiptInput{})
	must(t, err)
	return n
}

// now is the notice's row as oversight sees it.
func (h *house) now(t tb, id notice.ID) notice.Notice { return h.view(t, h.auditor, id).Notice }

func (h *house) view(t tb, by party.Actor, id notice.ID) notice.View {
	t.Helper()
	v, err := h.Get(t.Context(), by, id)
	must(t, err)
	return v
}

func (h *house) removed(n int) notes.Row {
	return notes.Row{N: n, Answer: notes.Removed, At: notes.At(h.clock.Now()), Basis: notes.BasisThisOrder}
}

// answer answers and wants every row to count.
func (h *house) answer(t tb, id notice.ID, rows ...notes.Row) notice.AnswerResult {
	t.Helper()
	res, err := h.Answer(t.Context(), h.lina, id, notice.AnswerInput{Rows: rows})
	must(t, err)
	for _, r := range res.Rows {
		if !r.OK {
			t.Fatalf("row %+v: %v", r, r.Problem)
		}
	}
	return res
}

// announcedTo counts the announcements of a type to a party.
func (h *house) announcedTo(to party.ID, kind string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, a := range h.told {
		if a.To == to && a.Type == kind {
			n++
		}
	}
	return n
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantFault checks that err is that fault, or one of its parts is.
func wantFault(t tb, err error, code string) {
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
