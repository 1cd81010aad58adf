package report_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// house is a room with two agencies of one jurisdiction and an analyst each.
type house struct {
	*report.Room
	db      *db.DB
	feed    *feed.Feed
	clock   *clock.Manual
	vault   *vault.Vault
	dir     string // of the vault
	agency  party.Party
	analyst party.Actor // of agency
	other   party.Actor // analyst of the second agency, code "lain"
	watcher party.Actor // auditor of an oversight body
}

func start(t *testing.T, d *db.DB, change ...func(*report.Deps)) *house {
	t.Helper()
	h := &house{db: d, clock: clock.NewManual(time.Date(2026, 11, 22, 8, 37, 12, 0, time.UTC)), dir: filepath.Join(t.TempDir(), "vault")}
	h.feed = feed.New(d, h.clock, slog.New(slog.DiscardHandler))
	v, err := vault.Open(vault.Config{Dir: h.dir, KeyFile: filepath.Join(t.TempDir(), "instance.key")})
	if err != nil {
		t.Fatal(err)
	}
	h.vault = v
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		return reference.Found(ctx, tx, "DEMO", "Demo", h.clock.Now())
	})
	h.agency, h.analyst = h.join(t, "tangkal-daring", party.Agency, "id", party.Analyst)
	_, h.other = h.join(t, "lain", party.Agency, "id", party.Analyst)
	_, h.watcher = h.join(t, "pengawas", party.Oversight, "id", party.Auditor)
	platforms, err := canonical.Demo()
	if err != nil {
		t.Fatal(err)
	}
	deps := report.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: v, Packs: policy.Default(), Platforms: platforms}
	for _, f := range change {
		f(&deps)
	}
	h.Room = report.New(deps)
	return h
}

func (h *house) write(t *testing.T, f func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := h.db.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (h *house) join(t *testing.T, code string, kind party.Kind, jurisdiction string, role party.Role) (org party.Party, actor party.Actor) {
	t.Helper()
	var p party.Person
	h.write(t, func(ctx context.Context, tx *db.Tx) (err error) {
		org, err = party.Add(ctx, tx, party.Party{Code: code, Kind: kind, Name: "Organisation " + code, Jurisdiction: jurisdiction, Zone: "Asia/Jakarta"}, h.clock.Now())
		if err != nil {
			return err
		}
		p, err = party.AddPerson(ctx, tx, party.Person{Party: org.ID, Name: "Ratna " + code, Email: code + "@org.example", Roles: []party.Role{role}, Lang: "id", Zone: "Asia/Jakarta"}, h.clock.Now())
		return err
	})
	h.clock.Advance(time.Second) // the first to come is the oldest
	actor, err := auth.ActorFor(t.Context(), h.db, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return org, actor
}

func (h *house) drain(t *testing.T) {
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

func (h *house) submit(t *testing.T, s report.Submission) report.Receipt {
	t.Helper()
	r, err := h.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// count returns how many rows a table has.
func (h *house) count(t *testing.T, table string) int {
	t.Helper()
	n, err := db.Value[int64](t.Context(), h.db, `SELECT count(*) FROM `+table)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// blobs returns how many blobs the vault holds.
func (h *house) blobs(t *testing.T) (n int) {
	t.Helper()
	if err := h.vault.Walk(t.Context(), func(vault.Stat) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantNothing fails the test if a refused submission left anything.
func (h *house) wantNothing(t *testing.T) {
	t.Helper()
	for _, table := range []string{"locations", "reports", "report_locations", "report_files", "report_messages", "report_steps", "feed_pending", "reference_numbers"} {
		if n := h.count(t, table); n != 0 {
			t.Errorf("%d rows in %s, want none", n, table)
		}
	}
	if n := h.blobs(t); n != 0 {
		t.Errorf("%d blobs, want none", n)
	}
}

// hasPart reports whether err is a fault with a part of that code at pointer,
// or such a part itself.
func hasPart(err error, pointer, code string) bool {
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid {
		return false
	}
	return slices.ContainsFunc(append(e.Parts, e), func(p *fault.Error) bool { return p.Field == pointer && p.Code == code })
}

// good returns a submission with nothing wrong in it.
func good() report.Submission {
	return report.Submission{
		Channel: report.Web, Category: report.Recruitment, Lang: "id",
		Locations:   []string{"https://ruangsuara.example/v/84qe-90t", "forum.example/topic/7"},
		Description: "Mengajak bergabung, sejak pagi.",
	}
}

// picture returns the first bytes of a PNG and filler: nothing is decoded.
func picture(filler string) report.Upload {
	return report.Upload{Name: "layar.png", MediaType: "image/png", Content: strings.NewReader("\x89PNG\r\n\x1a\n" + filler)}
}

func TestAReportIsFollowedByItsReceiptAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		s.Files = []report.Upload{picture("synthetic")}
		r := h.submit(t, s)
		if !strings.HasPrefix(r.Code, "TGK-") || len(r.Code) != len("TGK-XXXX-XXXX-XXXX-XXXX") {
			t.Fatalf("receipt %q", r.Code)
		}
		h.clock.Advance(time.Minute)
		if err := h.Reply(t.Context(), h.analyst, r.ReportID, "Terima kasih. Jam berapa?"); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Minute)
		if err := h.Write(t.Context(), strings.ToLower(r.Code), "Pukul delapan.", nil); err != nil {
			t.Fatal(err)
		}
		st, err := h.Status(t.Context(), r.Code)
		if err != nil {
			t.Fatal(err)
		}
		if st.Agency != h.agency.Name || st.Files != 1 || st.Locations != 2 || len(st.Messages) != 2 || len(st.Steps) != 1 {
			t.Errorf("status %+v", st)
		}
		got, err := h.Get(t.Context(), h.analyst, r.ReportID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Description != s.Description || len(got.Locations) != 2 || got.Locations[0].URL != s.Locations[0] || got.Locations[1].URL != "https://forum.example/topic/7" {
			t.Errorf("report %+v", got)
		}
		_, content, err := h.OpenFile(t.Context(), h.analyst, r.ReportID, got.Files[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close() //nolint:errcheck // read below
		var b bytes.Buffer
		if _, err := b.ReadFrom(content); err != nil || !strings.HasSuffix(b.String(), "synthetic") {
			t.Errorf("content %q, %v", b.String(), err)
		}
	})
}
